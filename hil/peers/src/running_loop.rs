//! The real `fast-loop`, started on a robot file of ours and watched through shared memory.
//!
//! We attach as `continuon` does: readers only, so that watching costs the loop nothing. Every record
//! is read and its number checked: a gap is an error, because a figure with holes is none. Shown by:
//! the figures that use it.

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rt_config::Robot;
use rt_ring::Read;
use rt_shm::{Client, MappedRingReader, MappedSlotReader, ShmError};
use rt_wire::topics::{CONTINUON, HEALTH, TELEMETRY};
use rt_wire::{Health, HealthFlags, Telemetry};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long it may take to serve its sockets, and to end.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the ring is drained: it holds 4096 records.
const DRAIN_EVERY: Duration = Duration::from_millis(50);

/// A fast loop that runs.
pub struct RunningLoop {
    child: Child,
    dir: TempDir,
    robot: Robot,
    robot_path: PathBuf,
    run_dir: PathBuf,
    // Its socket must stay open.
    _client: Client,
    telemetry: MappedRingReader<Telemetry>,
    health: MappedSlotReader<Health>,
    newest: Telemetry,
    next_sequence: u64,
}

/// What a loop left when it had ended as told.
pub struct Ended {
    /// Its last counters, from the seal to the last cycle.
    pub health: Health,
}

impl RunningLoop {
    /// Starts `program` on `robot`; returns once we read its telemetry, from its first record on.
    ///
    /// # Errors
    /// It does not start, and its last words.
    pub fn start(program: &Path, robot: Robot) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("peers-").tempdir().context("a folder")?;
        let robot_path = dir.path().join("robot.json");
        fs::write(&robot_path, robot.json()).context("the robot file")?;
        let run_dir = dir.path().join("run");
        let log = dir.path().join("fast-loop.log");
        let mut child = Command::new(program)
            .arg("--robot")
            .arg(&robot_path)
            .arg("--run-dir")
            .arg(&run_dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).context("its log")?)
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        let attached = attach(&mut child, &run_dir, robot.name());
        let (client, telemetry, health) = match attached {
            Ok(attached) => attached,
            Err(error) => {
                child.kill().ok();
                child.wait().ok();
                let said = fs::read_to_string(&log).unwrap_or_default();
                return Err(error.context(said.trim().to_owned()));
            }
        };
        Ok(Self {
            child,
            dir,
            robot,
            robot_path,
            run_dir,
            _client: client,
            telemetry,
            health,
            newest: Telemetry::default(),
            next_sequence: 0,
        })
    }

    /// Where its sockets stand.
    #[must_use]
    pub fn run_dir(&self) -> &Path {
        &self.run_dir
    }

    /// The robot file that it runs on.
    #[must_use]
    pub fn robot_path(&self) -> &Path {
        &self.robot_path
    }

    /// A folder that goes with it.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The robot's name.
    #[must_use]
    pub fn robot_name(&self) -> &str {
        self.robot.name()
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Hands every record of the next `duration` to `take`.
    ///
    /// # Errors
    /// A record was lost, or the loop ended.
    pub fn watch(&mut self, duration: Duration, mut take: impl FnMut(&Telemetry)) -> Result<()> {
        let until = Instant::now() + duration;
        loop {
            self.drain(&mut take)?;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait().context("fast-loop")? {
                bail!("fast-loop ended: {status}: {}", self.last_words());
            }
            sleep(left.min(DRAIN_EVERY));
        }
    }

    fn drain(&mut self, take: &mut impl FnMut(&Telemetry)) -> Result<()> {
        loop {
            match self.telemetry.read() {
                Read::Empty => return Ok(()),
                Read::Record { sequence, record } => {
                    if self.next_sequence != 0 && sequence != self.next_sequence {
                        bail!("expected record {}, found {sequence}", self.next_sequence);
                    }
                    self.next_sequence = sequence + 1;
                    self.newest = record;
                    take(&record);
                }
                Read::Lapped { lost } => bail!("we lost {lost} records: the figure has holes"),
                Read::Corrupt => bail!("the telemetry ring is corrupt"),
            }
        }
    }

    /// The newest record; those before it are dropped.
    ///
    /// # Errors
    /// As [`watch`](Self::watch).
    pub fn newest(&mut self) -> Result<Telemetry> {
        self.drain(&mut |_| {})?;
        Ok(self.newest)
    }

    /// Ends it with SIGTERM, and takes its last counters.
    ///
    /// # Errors
    /// It does not end well.
    pub fn stop(mut self) -> Result<Ended> {
        let status = self.terminate()?;
        if !status.success() {
            bail!("fast-loop: {status}: {}", self.last_words());
        }
        let health = self.health.peek().context("its last counters")?;
        if !health.flags.has(HealthFlags::ENDED) {
            bail!("fast-loop ended without its last counters");
        }
        Ok(Ended { health })
    }

    fn terminate(&mut self) -> Result<ExitStatus> {
        if let Some(status) = self.child.try_wait()? {
            return Ok(status);
        }
        kill(Pid::from_raw(i32::try_from(self.child.id())?), Signal::SIGTERM)?;
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            sleep(Duration::from_millis(5));
        }
        bail!("fast-loop does not end when told to")
    }

    fn last_words(&self) -> String {
        let text = fs::read_to_string(self.dir.path().join("fast-loop.log")).unwrap_or_default();
        text.lines().last().unwrap_or("(nothing said)").to_owned()
    }
}

impl Drop for RunningLoop {
    fn drop(&mut self) {
        if self.terminate().is_err() {
            self.child.kill().ok();
            self.child.wait().ok();
        }
    }
}

type Attached = (Client, MappedRingReader<Telemetry>, MappedSlotReader<Health>);

fn attach(child: &mut Child, run_dir: &Path, robot: &str) -> Result<Attached> {
    let until = Instant::now() + PATIENCE;
    loop {
        match Client::connect(run_dir, robot, CONTINUON) {
            Ok(mut client) => {
                let telemetry = client.ring_reader_from_oldest(&TELEMETRY)?;
                let health = client.slot_reader(&HEALTH)?;
                return Ok((client, telemetry, health));
            }
            Err(ShmError::NotServed { .. }) if Instant::now() < until => {}
            Err(error) => return Err(error.into()),
        }
        if let Some(status) = child.try_wait()? {
            bail!("fast-loop ended at once: {status}");
        }
        sleep(Duration::from_millis(2));
    }
}
