//! The process: sources in, commands out, on a grid and at each key that cannot wait.
//!
//! Thin: it carries what the sources say to [`Driver`] and its command to the slot. Whoever leaves,
//! by `q`, by a signal, or because the terminal or the script came to its end, stops the car first
//! if it is theirs. Tests: in the tests crate (`teleop`).

use crate::screen::{Screen, Status};
use crate::sources::Sources;
use crate::{Driver, EstopLine, Script};
use clap::{Parser, ValueEnum};
use rt_config::Robot;
use rt_ring::Read;
use rt_shm::{MappedRingReader, MappedSlotWriter};
use rt_wire::topics::{COMMANDS, TELEMETRY, TELEOP};
use rt_wire::{Command, CommandFlags, Mode, MonoNs, SidecarState, Source, Telemetry};
use sidecar::{CommonArgs, End, Failure, Outcome, Report, Sidecar, mono_now};
use std::path::PathBuf;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, MissedTickBehavior, interval};

/// Who leaves waits this long for the car to have stopped.
const STOPS_WITHIN: Duration = Duration::from_secs(2);
/// How often the screen is drawn.
const DRAW_EVERY: Duration = Duration::from_millis(100);

/// A person drives: gamepad, keyboard or a script.
#[derive(Debug, Parser)]
#[command(
    name = "teleop",
    version,
    after_help = "\
Examples, beside a running fast-loop:
  teleop --robot sim-donkey --run-dir runs/mine                    keys of this terminal, and a gamepad
  teleop --robot sim-donkey --run-dir runs/mine --script drive.txt

Keys: arrows (or i k j l) drive, h holds the dead-man switch alone, a arm (hold it until Active),
d or x disarm, space e-stop, r reset, q quit. The car stops when no key is held: a terminal tells no
release, so a key counts for as long as `teleop.key_hold_ms` of the robot file says, and a throttle
beside a steering key fades within seconds: press its own key again.

Exit codes: 0 ended as told, 2 misuse, 3 not possible here (and why)."
)]
pub struct Args {
    #[command(flatten)]
    pub(crate) common: CommonArgs,
    /// What to drive with; `auto` is the terminal's keys, and a gamepad whenever one is plugged in.
    #[arg(long, value_enum, default_value_t = Input::Auto)]
    pub(crate) input: Input,
    /// Drive by this file instead: lines `at_s what value`.
    #[arg(long, value_name = "FILE", conflicts_with = "input")]
    pub(crate) script: Option<PathBuf>,
}

/// What to drive with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Input {
    /// Keys and gamepad.
    Auto,
    /// A gamepad, now or later.
    Pad,
    /// The terminal's keys.
    Keyboard,
}

/// Runs `teleop` to its end.
///
/// # Errors
/// [`Failure`]: a script that means nothing, nothing to drive with, or no loop.
pub async fn drive(args: Args) -> Result<Outcome, Failure> {
    let script = args.script.as_ref().map(read_script).transpose()?;
    let robot = Robot::resolve(&args.common.robot)?;
    let no = |what: &str, error: std::io::Error| Failure::not_possible(format!("{what}: {error}"));
    let estop = EstopLine::new(&args.common.run_dir).map_err(|error| no("estop thread", error))?;
    let mut hangup = signal(SignalKind::hangup()).map_err(|error| no("no signals", error))?;
    let mut sources = Sources::open(args.input, script, &robot, &estop)?;
    let mut sidecar = tokio::select! {
        started = Sidecar::start(TELEOP, &args.common) => started?,
        () = sources.left() => return Ok(Outcome::Done),
        _ = hangup.recv() => return Ok(Outcome::Done),
    };
    let mut seat = Seat::new(&robot, sources)?;
    let period = Duration::from_secs(1) / robot.file().teleop.rate_hz.max(1);
    loop {
        if let Some(mut link) = Link::attach(&mut sidecar).await? {
            let report = sidecar.report().clone();
            report.set(|report| report.state = SidecarState::Running);
            let end = tokio::select! {
                end = sidecar.until_end() => end,
                _ = hangup.recv() => End::Told,
                left = seat.sit(&mut link, period, &report) => { left?; End::Told }
            };
            if end == End::Told {
                seat.leave();
                tokio::select! {
                    // First in any case: the loop is asked to stop, however often we are told to end.
                    biased;
                    left = seat.sit(&mut link, period, &report) => left?,
                    _told_again_or_alone = sidecar.until_end() => {}
                }
                sidecar.stopping();
                return Ok(Outcome::Done);
            }
        }
        // The loop has gone.
        seat.told = None;
        seat.draw();
        tokio::select! {
            attached = sidecar.attach_again() => attached?,
            () = seat.sources.left() => return Ok(Outcome::Done),
            _ = hangup.recv() => return Ok(Outcome::Done),
        }
    }
}

fn read_script(path: &PathBuf) -> Result<Script, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::misuse(format!("{}: {error}", path.display())))?;
    Script::parse(&text).map_err(|error| Failure::misuse(format!("{}: {error}", path.display())))
}

/// The person, the sources in their hands, and what they are shown.
struct Seat {
    driver: Driver,
    // Above the sources, so that its last picture is drawn before they give the terminal back.
    screen: Option<Screen>,
    sources: Sources,
    robot: Robot,
    told: Option<Telemetry>,
    said: Command,
    note_mode: Option<Mode>,
    drawn_at: Option<Instant>,
    leaves_by: Option<Instant>,
}

impl Seat {
    fn new(robot: &Robot, sources: Sources) -> Result<Self, Failure> {
        let screen = sources.tty().map(Screen::start).transpose();
        let screen =
            screen.map_err(|error| Failure::not_possible(format!("screen thread: {error}")))?;
        Ok(Self {
            driver: Driver::new(robot),
            screen,
            sources,
            robot: robot.clone(),
            told: None,
            said: Command::default(),
            note_mode: None,
            drawn_at: None,
            leaves_by: None,
        })
    }

    /// From now on only stops what is theirs.
    fn leave(&mut self) {
        if self.leaves_by.is_none() {
            self.driver.end();
            self.leaves_by = Some(Instant::now() + STOPS_WITHIN);
        }
    }

    /// Speaks on the grid, and at once where a source cannot wait; what was missed while this
    /// process did not run is not caught up. Returns once the person has left and their car stands.
    async fn sit(
        &mut self,
        link: &mut Link,
        period: Duration,
        report: &Report,
    ) -> Result<(), Failure> {
        let mut grid = interval(period);
        grid.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            let wants_to_leave = tokio::select! {
                _ = grid.tick() => false,
                wants_to_leave = self.sources.news() => wants_to_leave,
            };
            if let Err(deaf) = link.drain(&mut self.told) {
                // Who hears no more of the car does not leave it driving, either.
                self.driver.end();
                self.speak(mono_now(), link);
                return Err(deaf);
            }
            if wants_to_leave || self.sources.have_ended() {
                self.leave();
            }
            self.speak(mono_now(), link);
            let read = self.told.as_ref().map_or(0, |told| told.sequence);
            let lost = link.telemetry.lost();
            report.set(|report| {
                report.last_sequence_read = read;
                report.lost_records = lost;
            });
            if self.drawn_at.is_none_or(|at| at.elapsed() >= DRAW_EVERY) {
                self.draw();
            }
            if let Some(leaves_by) = self.leaves_by
                && (!self.car_is_stopping() || Instant::now() >= leaves_by)
            {
                self.draw();
                return Ok(());
            }
        }
    }

    fn speak(&mut self, now: MonoNs, link: &mut Link) {
        let mode = self.told.as_ref().and_then(|told| told.outcome.mode.get());
        let intent = self.sources.intent(now, mode);
        self.said = self.driver.command(now, intent.as_ref(), self.told.as_ref());
        link.command.write(&self.said);
    }

    fn car_is_stopping(&self) -> bool {
        self.told.as_ref().is_some_and(|told| {
            told.outcome.owner.get() == Some(Source::Teleop)
                || told.outcome.mode.get() == Some(Mode::SafeStop)
        })
    }

    fn draw(&mut self) {
        self.drawn_at = Some(Instant::now());
        let told = self.told.as_ref();
        let mode = told.and_then(|told| told.outcome.mode.get());
        if mode != self.note_mode {
            // What was said of another mode explains nothing now.
            self.sources.forget_note();
            self.note_mode = mode;
        }
        let Some(screen) = &self.screen else { return };
        let owner = told.and_then(|told| told.outcome.owner.get()).unwrap_or(Source::None);
        let outcome = told.map(|told| &told.outcome);
        let first = self.said.points.first().copied().unwrap_or_default();
        let (teleop, limits) = (&self.robot.file().teleop, &self.robot.file().limits);
        screen.show(Status {
            robot: self.robot.name().to_owned(),
            hands: self.sources.hands(),
            mode,
            owner: if owner == Source::None { "nobody" } else { owner.name() },
            ours: owner == Source::Teleop,
            speed_m_per_s: told.map_or(0.0, |told| told.observation.wheel.speed_m_per_s),
            held: self.said.flags.has(CommandFlags::DEAD_MAN),
            steering: first.steering,
            throttle: first.throttle,
            throttle_max: teleop.throttle_max.min(limits.throttle_max) as f32,
            interlocks: outcome.map(|outcome| outcome.interlocks).unwrap_or_default(),
            causes: outcome.map(|outcome| outcome.latched_causes).unwrap_or_default(),
            throttle_waits: self.driver.throttle_waits(),
            note: self.sources.note().to_owned(),
        });
    }
}

/// What teleop reads and writes.
struct Link {
    telemetry: MappedRingReader<Telemetry>,
    command: MappedSlotWriter<Command>,
}

impl Link {
    /// `None` if the loop has gone meanwhile.
    async fn attach(sidecar: &mut Sidecar) -> Result<Option<Self>, Failure> {
        let topic = Source::Teleop.index().and_then(|place| COMMANDS.get(place));
        let topic = topic.ok_or_else(|| Failure::not_possible("no command slot for teleop"))?;
        let telemetry = sidecar.patiently(|client| client.ring_reader(&TELEMETRY)).await?;
        let Some(telemetry) = telemetry else { return Ok(None) };
        let command = sidecar.patiently(|client| client.slot_writer(topic)).await?;
        Ok(command.map(|command| Self { telemetry, command }))
    }

    /// Reads to the end of the ring: only the newest record counts.
    fn drain(&mut self, newest: &mut Option<Telemetry>) -> Result<(), Failure> {
        loop {
            match self.telemetry.read() {
                Read::Record { record, .. } => *newest = Some(record),
                Read::Lapped { .. } => {}
                Read::Empty => return Ok(()),
                Read::Corrupt => {
                    return Err(Failure::not_possible(
                        "the telemetry ring holds what no fast-loop writes: restart both",
                    ));
                }
            }
        }
    }
}
