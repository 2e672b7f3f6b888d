//! A guest of the loop: comes in, is told when to leave, leaves in order.
//!
//! *What it decides.* In which order things start: signals first, so that a person can end the wait;
//! then the robot file, the loop, the heartbeat. *What it must never do.* Panic on what the loop or
//! the file says. Shown by: tests/sidecar.rs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rt_config::Robot;
use rt_shm::{Client, ShmError, in_words};
use rt_wire::topics::HEARTBEATS;
use rt_wire::{Heartbeat, SidecarState};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::info;

use crate::args::CommonArgs;
use crate::attach::Patience;
use crate::failure::Failure;
use crate::heartbeat::{Heart, Report, heartbeat_index};

/// How often a sidecar looks whether the loop is still there.
const LOOK_PERIOD: Duration = Duration::from_millis(20);

/// Why a sidecar is to end, or to attach again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// SIGTERM or SIGINT.
    Told,
    /// The loop has gone: its socket closed.
    LoopGone,
}

/// SIGTERM and SIGINT, which mean the same.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> Result<Self, Failure> {
        let listen = |kind| {
            let refused = |error| Failure::not_possible(format!("no signals: {}", in_words(error)));
            signal(kind).map_err(refused)
        };
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    async fn told(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// A sidecar that is attached to the loop of its robot.
pub struct Sidecar {
    name: &'static str,
    robot: Robot,
    run_dir: PathBuf,
    attach_limit: Duration,
    client: Client,
    heart: Heart,
    report: Report,
    signals: Signals,
}

impl Sidecar {
    /// Reads the robot file, waits for the loop, attaches, and begins to give signs of life (if
    /// `name` is one of [`rt_wire::HEARTBEAT_SOURCES`]) with the state `Starting`.
    ///
    /// Must run inside [`crate::run`].
    ///
    /// # Errors
    /// [`Failure`]: a robot file that is not valid, a loop that does not come in time or does not
    /// let this process in, or SIGTERM while it waited.
    pub async fn start(name: &'static str, args: &CommonArgs) -> Result<Self, Failure> {
        let mut signals = Signals::new()?;
        let robot = Robot::resolve(&args.robot)?;
        let attach_limit = Duration::from_secs(args.attach_timeout_s.into());
        let report = Report::default();
        let heart = Heart::start(report.clone());
        let connect = || Client::connect(&args.run_dir, robot.name(), name);
        let client = patiently(attach_limit, &mut signals, connect).await?;
        let mut sidecar = Self {
            name,
            run_dir: args.run_dir.clone(),
            attach_limit,
            client,
            heart,
            report,
            signals,
            robot,
        };
        while !sidecar.attach_heartbeat().await? {
            sidecar.connect_again().await?;
        }
        info!("attached to {} in {}", sidecar.robot.name(), sidecar.run_dir.display());
        Ok(sidecar)
    }

    /// The robot.
    #[must_use]
    pub fn robot(&self) -> &Robot {
        &self.robot
    }

    /// The connection over which segments are had.
    pub fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    /// The run directory of the loop.
    #[must_use]
    pub fn run_dir(&self) -> &Path {
        &self.run_dir
    }

    /// What the heartbeat says; clone it for other threads.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Gets a segment, and waits as for the loop itself while it is busy or not yet written. `None`
    /// if the loop has gone meanwhile, as [`End::LoopGone`]: no patience brings this one back.
    ///
    /// # Errors
    /// [`Failure`] with the last refusal.
    pub async fn patiently<T>(
        &mut self,
        mut get: impl FnMut(&mut Client) -> Result<T, ShmError>,
    ) -> Result<Option<T>, Failure> {
        let client = &mut self.client;
        let attempt = || match get(client) {
            Ok(got) => Ok(Some(got)),
            // Whether its last words were heard or not.
            Err(error) if error.can_pass() && !client.is_open() => {
                info!("the loop has gone: {error}");
                Ok(None)
            }
            Err(error) => Err(error),
        };
        patiently(self.attach_limit, &mut self.signals, attempt).await
    }

    /// Waits until this sidecar is told to end, or the loop has gone. Safe to use in `select!`.
    pub async fn until_end(&mut self) -> End {
        tokio::select! {
            () = self.signals.told() => End::Told,
            () = loop_gone(&self.client) => End::LoopGone,
        }
    }

    /// After [`End::LoopGone`]: waits for a loop to come back and attaches anew. Every segment of
    /// the loop before is dead then: get them again.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn attach_again(&mut self) -> Result<(), Failure> {
        self.heart.detach();
        self.report.set(|report| report.state = SidecarState::Starting);
        loop {
            self.connect_again().await?;
            if self.attach_heartbeat().await? {
                break;
            }
        }
        info!("attached again to {}", self.robot.name());
        Ok(())
    }

    async fn connect_again(&mut self) -> Result<(), Failure> {
        let (run_dir, robot, name) = (&self.run_dir, self.robot.name(), self.name);
        let connect = || Client::connect(run_dir, robot, name);
        self.client = patiently(self.attach_limit, &mut self.signals, connect).await?;
        Ok(())
    }

    /// The last sign of life: it ends on purpose.
    pub fn stopping(&self) {
        self.report.set(|report| report.state = SidecarState::Stopping);
        self.heart.beat();
    }

    /// False if the loop has gone again.
    async fn attach_heartbeat(&mut self) -> Result<bool, Failure> {
        let topic = heartbeat_index(self.name).and_then(|index| HEARTBEATS.get(index));
        if let Some(topic) = topic {
            let slot = self.patiently(|client| client.slot_writer::<Heartbeat>(topic)).await?;
            let Some(slot) = slot else { return Ok(false) };
            self.heart.attach(slot);
        }
        Ok(true)
    }
}

/// Returns once the loop's end of the socket is closed.
async fn loop_gone(client: &Client) {
    while client.is_open() {
        tokio::time::sleep(LOOK_PERIOD).await;
    }
}

/// Tries until it works, it cannot work, patience ends, or a person ends it.
async fn patiently<T>(
    limit: Duration,
    signals: &mut Signals,
    mut attempt: impl FnMut() -> Result<T, ShmError>,
) -> Result<T, Failure> {
    let mut patience = Patience::new(limit);
    let mut has_told = false;
    loop {
        let error = match attempt() {
            Ok(got) => return Ok(got),
            Err(error) => error,
        };
        let Some(pause) = patience.after(&error) else {
            return Err(error.into());
        };
        if !has_told {
            info!("waiting up to {} s: {error}", limit.as_secs());
            has_told = true;
        }
        let told = pause_or_told(pause, signals);
        if told.await {
            return Err(Failure::not_possible(format!("told to end while waiting: {error}")));
        }
    }
}

async fn pause_or_told(pause: Duration, signals: &mut Signals) -> bool {
    tokio::select! {
        () = tokio::time::sleep(pause) => false,
        () = signals.told() => true,
    }
}
