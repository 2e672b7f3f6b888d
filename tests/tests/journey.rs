//! The real programs against each other: what one process's death or misuse does to the others.
//!
//! No time is asserted here: this machine may stall. The times on the record's own clock are proved
//! in virtual time (module `virtual_sim`) and printed here for people (`--nocapture`).

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rt_shm::{Client, MappedRingReader};
use rt_wire::{Fault, Mode, OperatorKind, Raw, Telemetry, topics};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Where the programs lie. They are built once: cargo builds no other package's programs for a test.
fn programs() -> &'static Path {
    static PROGRAMS: OnceLock<PathBuf> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        let this = std::env::current_exe().expect("a test has a path");
        let release = this.parent().and_then(Path::parent).expect("target/release/deps");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--release", "--target-dir"]);
        build.arg(release.parent().expect("target"));
        for package in ["fast-loop", "hil", "pilot", "rlds-logger", "continuon"] {
            build.args(["--package", package]);
        }
        assert!(build.status().expect("cargo runs").success(), "the programs do not build");
        release.to_owned()
    })
}

fn program(name: &str) -> Command {
    Command::new(programs().join(name))
}

/// A child that does not outlive its test.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Self {
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        Self(child.expect("the program starts"))
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.0.id()).expect("a pid"));
        kill(pid, signal).expect("our own child");
    }

    fn end(mut self) -> (ExitStatus, String) {
        let status = until("the program ends", || self.0.try_wait().expect("our own child"));
        let mut told = String::new();
        if let Some(mut stdout) = self.0.stdout.take() {
            std::io::Read::read_to_string(&mut stdout, &mut told).expect("text");
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

/// Waits for something that must come; the bound is for a hang, not for a speed.
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A loop, a plant and a pilot on the oval.
struct Robot {
    folder: tempfile::TempDir,
    fast_loop: Option<Running>,
    plant: Option<Running>,
    pilot: Option<Running>,
}

impl Robot {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut robot = Self { folder, fast_loop: None, plant: None, pilot: None };
        robot.fast_loop = Some(Running::start(&mut robot.command("fast-loop")));
        until("the loop serves", || robot.client().ok());
        let mut plant = robot.command("plant");
        plant.args(["--track", "oval", "--scale", "1", "--seed", "1"]);
        robot.plant = Some(Running::start(&mut plant));
        let mut pilot = robot.command("pilot");
        pilot.args(["--track", "oval", "--scale", "1"]);
        robot.pilot = Some(Running::start(&mut pilot));
        robot
    }

    fn run_dir(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    fn command(&self, name: &str) -> Command {
        let mut command = program(name);
        command.args(["--robot", "sim-donkey", "--run-dir"]).arg(self.run_dir());
        command
    }

    fn client(&self) -> Result<Client, rt_shm::ShmError> {
        Client::connect(&self.run_dir(), "sim-donkey", topics::CONTINUON)
    }

    fn telemetry(&self) -> (Client, MappedRingReader<Telemetry>) {
        let mut client = self.client().expect("the loop serves");
        let reader = client.ring_reader(&topics::TELEMETRY).expect("anyone of us may read");
        (client, reader)
    }

    fn ask(&self, kind: OperatorKind) -> bool {
        rt_shm::operator::request(&self.run_dir(), kind, Duration::from_secs(5))
            .is_ok_and(|reply| reply.accepted)
    }

    /// Arms, and waits until the car drives.
    fn drive(&self) -> (Client, MappedRingReader<Telemetry>) {
        let (client, mut reader) = self.telemetry();
        until("the car arms", || self.ask(OperatorKind::Arm).then_some(()));
        find(&mut reader, "the car drives", |record| {
            let speed_m_per_s = record.observation.wheel.speed_m_per_s;
            record.outcome.mode == Raw::new(Mode::Active) && speed_m_per_s > 1.0
        });
        (client, reader)
    }
}

/// The first record from here on that fits.
fn find(
    reader: &mut MappedRingReader<Telemetry>,
    what: &str,
    fits: impl Fn(&Telemetry) -> bool,
) -> Telemetry {
    until(what, || {
        loop {
            match reader.read() {
                rt_ring::Read::Record { record, .. } if fits(&record) => return Some(record),
                rt_ring::Read::Record { .. } | rt_ring::Read::Lapped { .. } => {}
                rt_ring::Read::Empty | rt_ring::Read::Corrupt => return None,
            }
        }
    })
}

fn run(command: &mut Command) -> Output {
    command.output().expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn killed_pilot_means_a_controlled_stop_that_names_the_stale_owner() {
    let robot = Robot::start();
    let (_client, mut reader) = robot.drive();
    robot.pilot.as_ref().expect("it runs").signal(Signal::SIGKILL);
    let stop =
        find(&mut reader, "a stop", |record| record.outcome.mode == Raw::new(Mode::SafeStop));
    let last_command = stop.inbox.commands[2].command;
    println!(
        "last command to SafeStop: {} ms on the record's clock",
        stop.mono_ns.since(last_command.mono_ns) / 1_000_000
    );
    assert!(stop.outcome.causes.contains(Fault::OwnerStale), "{:?}", stop.outcome.causes);
    let rest = find(&mut reader, "the car at rest", |record| {
        record.observation.wheel.speed_m_per_s.abs() < 0.05
            && record.outcome.mode == Raw::new(Mode::Disarmed)
    });
    println!("SafeStop to rest: {} ms", rest.mono_ns.since(stop.mono_ns) / 1_000_000);
    assert!(!robot.ask(OperatorKind::Arm), "nobody owns: no arming");
}

#[test]
fn killed_fast_loop_means_that_the_monostable_cuts_the_power() {
    let mut robot = Robot::start();
    let attached = robot.drive();
    robot.fast_loop.as_ref().expect("it runs").signal(Signal::SIGKILL);
    let (status, told) = robot.plant.take().expect("it runs").end();
    assert!(status.success(), "{told}");
    let word: Value = serde_json::from_str(told.trim()).expect("one JSON line");
    println!(
        "last edge to power off: {} ms, then {} ms until the car stood",
        word["power_cut_after_ms"], word["stopped_after_ms"]
    );
    assert!(word["power_cut_at_ns"].is_u64(), "{told}");
    assert!(word["stopped_after_ms"].is_number(), "{told}");
    drop(attached);
}

#[test]
fn sigterm_in_mid_drive_is_a_controlled_stop_and_a_clean_exit() {
    let mut robot = Robot::start();
    let (_client, mut reader) = robot.drive();
    let fast_loop = robot.fast_loop.take().expect("it runs");
    fast_loop.signal(Signal::SIGTERM);
    let stop =
        find(&mut reader, "a stop", |record| record.outcome.mode == Raw::new(Mode::SafeStop));
    assert!(stop.outcome.causes.contains(Fault::Shutdown), "{:?}", stop.outcome.causes);
    assert!(stop.outcome.level > 0, "it ramps, it does not jump");
    assert!(fast_loop.end().0.success());
}

#[test]
fn operator_estop_latches_until_reset_and_reset_moves_nothing() {
    let robot = Robot::start();
    let (_client, mut reader) = robot.drive();
    assert!(robot.ask(OperatorKind::Estop));
    let stop = find(&mut reader, "the latch", |record| {
        record.outcome.mode == Raw::new(Mode::EStopLatched)
    });
    assert_eq!((stop.outcome.level, stop.outcome.pulses.flags.0), (0, 0));
    assert!(!robot.ask(OperatorKind::Arm), "latched");
    assert!(robot.ask(OperatorKind::Reset));
    let after = find(&mut reader, "the self-test passed", |record| {
        record.outcome.mode == Raw::new(Mode::Disarmed)
    });
    assert_eq!(after.outcome.level, 0);
}

#[test]
fn restarted_pilot_attaches_again_and_may_drive_after_a_new_arming() {
    let mut robot = Robot::start();
    let (_client, mut reader) = robot.drive();
    robot.pilot.take().expect("it runs").signal(Signal::SIGKILL);
    find(&mut reader, "disarmed", |record| record.outcome.mode == Raw::new(Mode::Disarmed));
    let mut pilot = robot.command("pilot");
    pilot.args(["--track", "oval", "--scale", "1"]);
    robot.pilot = Some(Running::start(&mut pilot));
    robot.drive();
}

#[test]
fn second_loop_for_one_robot_is_refused_and_names_the_first() {
    let robot = Robot::start();
    let output = run(&mut robot.command("fast-loop"));
    let told = text(&output.stderr);
    let first = robot.fast_loop.as_ref().expect("it runs").0.id();
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains(&format!("pid {first}")), "{told}");
}

#[test]
fn loop_that_was_killed_leaves_nothing_that_a_new_one_trips_over() {
    let mut robot = Robot::start();
    robot.fast_loop.take().expect("it runs").signal(Signal::SIGKILL);
    robot.fast_loop = Some(Running::start(&mut robot.command("fast-loop")));
    until("the new loop serves", || robot.client().ok());
}

#[test]
fn no_process_ends_because_nobody_takes_its_log() {
    let full = || fs::File::options().write(true).open("/dev/full").expect("every Linux has it");
    let folder = tempfile::tempdir().expect("a folder");
    let run_dir = folder.path().join("run");
    let start = |name: &str| {
        let mut command = program(name);
        command.args(["--robot", "sim-donkey", "--run-dir"]).arg(&run_dir);
        Running(command.stdout(full()).stderr(full()).spawn().expect("the program starts"))
    };
    let fast_loop = start("fast-loop");
    let connect = || Client::connect(&run_dir, "sim-donkey", topics::CONTINUON);
    until("the loop serves", || connect().ok());
    let guests = ["plant", "pilot", "rlds-logger"].map(start);
    until("the plant tells", || {
        let mut client = connect().ok()?;
        client.slot_reader::<rt_wire::PlantStatus>(&topics::SIM_STATUS).ok()
    });
    for guest in guests {
        guest.signal(Signal::SIGTERM);
        // The loop logs that it has gone; a panic there would take the car's control with it.
        assert!(guest.end().0.code().is_some_and(|code| code <= 3), "it panicked");
    }
    assert!(connect().is_ok(), "the loop still serves");
    fast_loop.signal(Signal::SIGTERM);
    assert!(fast_loop.end().0.success());
}

#[test]
fn misuse_ends_with_2_names_the_key_and_leaves_no_socket() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("robot.json");
    let cases = [
        (r#"{"name":"a","board":"sim","timing":{"perod_us":1000}}"#, "period_us"),
        (r#"{"name":"a","board":"simm"}"#, "sim"),
        (r#"{"name":"a","board":"sim","timing":{"period_us":1}}"#, "timing.period_us"),
        ("{", "robot.json"),
    ];
    for (json, named) in cases {
        fs::write(&file, json).expect("written");
        let run_dir = folder.path().join("run");
        let output =
            run(program("fast-loop").arg("--robot").arg(&file).arg("--run-dir").arg(&run_dir));
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{json}: {told}");
        assert!(told.contains(named), "{json}: {told}");
        assert!(!run_dir.exists(), "{json}: something was started");
    }
    for arguments in [
        &["--robto", "x"][..],
        &["--robot"],
        &["--run-dir", "x"],
        &["--robot", "sim-donky", "--run-dir", "x"],
    ] {
        let output = run(program("fast-loop").args(arguments).current_dir(folder.path()));
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output.stderr));
    }
}

#[test]
fn a_real_board_is_not_driven_by_a_build_without_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = run(program("fast-loop")
        .args(["--robot", "pi5-donkey", "--run-dir"])
        .arg(folder.path().join("run")));
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert!(!folder.path().join("run").exists(), "something was started");
}
