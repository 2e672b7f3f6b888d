//! The real programs of one robot on this machine: built, started, told, and gone with their owner.
//!
//! Decides where programs lie, how they are started and how long something may take that must come.
//! It never judges what they do. Tests: whoever uses it.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rt_shm::{Client, MappedRingReader, ShmError};
use rt_wire::{Mode, OperatorKind, Raw, Telemetry, topics};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The robot of most of these runs, and the name in every robot file that is made from it.
pub const ROBOT: &str = "sim-donkey";
/// For a hang, not for a speed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the programs lie. They are built once, by the caller's cargo and beside the caller: cargo
/// builds no other package's programs for a test.
///
/// # Panics
/// They do not build.
pub fn programs() -> &'static Path {
    static PROGRAMS: OnceLock<PathBuf> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        let this = std::env::current_exe().expect("a program has a path");
        let folder = this.parent().expect("a program lies in a folder");
        // A test lies in target/release/deps, a program in target/release.
        let release = if folder.ends_with("deps") { folder.parent() } else { Some(folder) };
        let release = release.expect("target/release");
        let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        build.args(["build", "--quiet", "--release", "--target-dir"]);
        build.arg(release.parent().expect("target"));
        build.args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml")]);
        for package in ["fast-loop", "hil", "pilot", "rlds-logger", "teleop", "continuon"] {
            build.args(["--package", package]);
        }
        assert!(build.status().expect("cargo runs").success(), "the programs do not build");
        release.to_owned()
    })
}

/// One of the programs, to be started.
pub fn program(name: &str) -> Command {
    Command::new(programs().join(name))
}

/// A child that does not outlive its owner. Both its outputs are kept in pipes: it must not say more
/// than a pipe holds.
pub struct Running(Child);

impl Running {
    /// Starts it.
    ///
    /// # Panics
    /// It does not start.
    pub fn start(command: &mut Command) -> Self {
        Self::with_outputs(command.stdout(Stdio::piped()).stderr(Stdio::piped()))
    }

    /// Starts it with the outputs that the command has.
    ///
    /// # Panics
    /// It does not start.
    pub fn with_outputs(command: &mut Command) -> Self {
        Self(command.spawn().expect("the program starts"))
    }

    /// Its process.
    ///
    /// # Panics
    /// Never on Linux.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.0.id()).expect("a pid"))
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// The kernel refuses: somebody else has waited for our child.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("our own child");
    }

    /// Waits for its end: how it ended, and what it wrote to stdout.
    ///
    /// # Panics
    /// It does not end, or wrote no text.
    pub fn end(mut self) -> (ExitStatus, String) {
        let status = until("the program ends", || self.0.try_wait().expect("our own child"));
        let mut told = String::new();
        if let Some(mut stdout) = self.0.stdout.take() {
            stdout.read_to_string(&mut told).expect("text");
        }
        (status, told)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Already gone is fine.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Waits for something that must come.
///
/// # Panics
/// It does not come within a minute.
pub fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, look).unwrap_or_else(|| panic!("waited in vain: {what}"))
}

/// Waits for something that may come.
pub fn within<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if begun.elapsed() >= limit {
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A loop, a plant and, where one was asked for, a pilot on the oval.
pub struct Robot {
    folder: tempfile::TempDir,
    /// What `--robot` says.
    robot: String,
    /// Each ends with the robot, unless it was taken out.
    pub fast_loop: Option<Running>,
    /// As the loop.
    pub plant: Option<Running>,
    /// As the loop.
    pub pilot: Option<Running>,
}

impl Robot {
    /// A loop, a plant and a pilot.
    ///
    /// # Panics
    /// They do not start.
    pub fn start() -> Self {
        let mut robot = Self::without_driver();
        robot.start_pilot();
        robot
    }

    /// A loop and a plant.
    ///
    /// # Panics
    /// They do not start.
    pub fn without_driver() -> Self {
        Self::of(ROBOT, &[])
    }

    /// A loop and a plant of another robot file, whose name is [`ROBOT`] all the same, with more
    /// arguments for the plant.
    ///
    /// # Panics
    /// They do not start.
    pub fn of(robot: &str, more: &[&str]) -> Self {
        Self::with(robot, more, None)
    }

    /// A loop and a plant, the loop started by another command that `instead` makes of its own.
    ///
    /// # Panics
    /// They do not start.
    pub fn around(instead: impl Fn(&Command) -> Command) -> Self {
        Self::with(ROBOT, &[], Some(&instead))
    }

    fn with(robot: &str, more: &[&str], instead: Option<&dyn Fn(&Command) -> Command>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let robot = robot.to_owned();
        let mut robot = Self { folder, robot, fast_loop: None, plant: None, pilot: None };
        let mut fast_loop = robot.command("fast-loop");
        if let Some(instead) = instead {
            fast_loop = instead(&fast_loop);
        }
        robot.fast_loop = Some(Running::start(&mut fast_loop));
        until("the loop serves", || robot.client().ok());
        robot.plant = Some(Running::start(robot.plant_command().args(more)));
        robot
    }

    /// A plant on the oval, to be started.
    pub fn plant_command(&self) -> Command {
        let mut plant = self.command("plant");
        plant.args(["--track", "oval", "--scale", "1", "--seed", "1"]);
        plant
    }

    /// Starts a pilot on the oval; the one before ends.
    ///
    /// # Panics
    /// It does not start.
    pub fn start_pilot(&mut self) {
        let mut pilot = self.command("pilot");
        pilot.args(["--track", "oval", "--scale", "1"]);
        self.pilot = Some(Running::start(&mut pilot));
    }

    /// Where its sockets are.
    pub fn run_dir(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    /// One of the programs of this robot's run, to be started.
    pub fn command(&self, name: &str) -> Command {
        let mut command = program(name);
        command.args(["--robot", &self.robot, "--run-dir"]).arg(self.run_dir());
        command
    }

    /// A connection to its loop.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub fn client(&self) -> Result<Client, ShmError> {
        Client::connect(&self.run_dir(), ROBOT, topics::CONTINUON)
    }

    /// What the loop tells from now on.
    ///
    /// # Panics
    /// The loop does not serve.
    pub fn telemetry(&self) -> (Client, MappedRingReader<Telemetry>) {
        let mut client = self.client().expect("the loop serves");
        let reader = client.ring_reader(&topics::TELEMETRY).expect("anyone of us may read");
        (client, reader)
    }

    /// Asks as the operator; whether the loop does it.
    pub fn ask(&self, kind: OperatorKind) -> bool {
        rt_shm::operator::request(&self.run_dir(), kind, Duration::from_secs(5))
            .is_ok_and(|reply| reply.accepted)
    }

    /// Arms, and waits until the car drives.
    ///
    /// # Panics
    /// It never does.
    pub fn drive(&self) -> (Client, MappedRingReader<Telemetry>) {
        let (client, mut reader) = self.telemetry();
        until("the car arms", || self.ask(OperatorKind::Arm).then_some(()));
        find(&mut reader, "the car drives", |record| drives(record, 1.0));
        (client, reader)
    }
}

/// Active, and faster than this.
pub fn drives(record: &Telemetry, than_m_per_s: f32) -> bool {
    record.outcome.mode == Raw::new(Mode::Active)
        && record.observation.wheel.speed_m_per_s > than_m_per_s
}

/// The first record from here on that fits.
///
/// # Panics
/// None comes.
pub fn find(
    reader: &mut MappedRingReader<Telemetry>,
    what: &str,
    fits: impl Fn(&Telemetry) -> bool,
) -> Telemetry {
    until(what, || next(reader, &fits))
}

/// The next record that is there already and fits; it is shown those before it, too.
pub fn next(
    reader: &mut MappedRingReader<Telemetry>,
    mut fits: impl FnMut(&Telemetry) -> bool,
) -> Option<Telemetry> {
    loop {
        match reader.read() {
            rt_ring::Read::Record { record, .. } if fits(&record) => return Some(record),
            rt_ring::Read::Record { .. } | rt_ring::Read::Lapped { .. } => {}
            rt_ring::Read::Empty | rt_ring::Read::Corrupt => return None,
        }
    }
}
