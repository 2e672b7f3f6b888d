//! `pilot`: drives a robot around a track by classic control, 50 times a second.
//!
//! Thin: it carries the newest telemetry to [`pilot::Pilot`] and its answer to the command slot, on an
//! absolute grid. Told to end while it drives, it parks the car first and ends once it is disarmed.
//! When the loop goes, it waits for the next one and begins anew.

use clap::Parser;
use pilot::Pilot;
use rt_config::Track;
use rt_ring::Read;
use rt_shm::{MappedRingReader, MappedSlotWriter};
use rt_wire::topics::{COMMANDS, PILOT, TELEMETRY};
use rt_wire::{Command, Mode, SidecarState, Source, Telemetry};
use sidecar::{CommonArgs, End, Failure, Outcome, Report, Sidecar, mono_now};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// A parked car that nobody disarms is left after this.
const PARK_WITHIN: Duration = Duration::from_secs(4);

/// Classic control: pure pursuit on the pose, and a speed PID.
#[derive(Debug, Parser)]
#[command(
    name = "pilot",
    version,
    after_help = "\
Example, beside a running fast-loop:
  pilot --robot sim-donkey --run-dir runs/mine --track oval

Exit codes: 0 ended as told, 2 misuse, 3 not possible here (and why)."
)]
struct Args {
    #[command(flatten)]
    common: CommonArgs,
    /// A built-in track or a file with the columns x_m,y_m,w_tr_right_m,w_tr_left_m.
    #[arg(long, value_name = "NAME|FILE", default_value = "twisty")]
    track: String,
    /// Every length of the track is multiplied by this.
    #[arg(long, value_name = "S", default_value_t = 1.0)]
    scale: f64,
}

fn main() -> std::process::ExitCode {
    let args = Args::parse();
    sidecar::run(PILOT, drive(args))
}

async fn drive(args: Args) -> Result<Outcome, Failure> {
    let track = Track::resolve(&args.track, args.scale)?;
    let mut sidecar = Sidecar::start(PILOT, &args.common).await?;
    loop {
        let Some(mut link) = Link::attach(&mut sidecar).await? else {
            sidecar.attach_again().await?;
            continue;
        };
        let mut pilot = Pilot::new(sidecar.robot(), &track);
        let period = Duration::from_secs(1) / sidecar.robot().file().pilot.rate_hz.max(1);
        let report = sidecar.report().clone();
        report.set(|report| report.state = SidecarState::Running);
        let end = tokio::select! {
            end = sidecar.until_end() => end,
            ended = link.answer(&mut pilot, period, &report) => { ended?; End::Told }
        };
        match end {
            End::Told => {
                pilot.park();
                tokio::select! {
                    _told_again_or_alone = sidecar.until_end() => {}
                    () = tokio::time::sleep(PARK_WITHIN) => {}
                    ended = link.answer(&mut pilot, period, &report) => ended?,
                }
                sidecar.stopping();
                return Ok(Outcome::Done);
            }
            End::LoopGone => sidecar.attach_again().await?,
        }
    }
}

/// What the pilot reads and writes.
struct Link {
    telemetry: MappedRingReader<Telemetry>,
    command: MappedSlotWriter<Command>,
    newest: Option<Telemetry>,
}

impl Link {
    /// `None` if the loop has gone meanwhile.
    async fn attach(sidecar: &mut Sidecar) -> Result<Option<Self>, Failure> {
        let topic = Source::Pilot.index().and_then(|place| COMMANDS.get(place));
        let topic = topic.ok_or_else(|| Failure::not_possible("no command slot for the pilot"))?;
        let telemetry = sidecar.patiently(|client| client.ring_reader(&TELEMETRY)).await?;
        let Some(telemetry) = telemetry else { return Ok(None) };
        let command = sidecar.patiently(|client| client.slot_writer(topic)).await?;
        Ok(command.map(|command| Self { telemetry, command, newest: None }))
    }

    /// Answers on the grid; what it missed while it did not run is not caught up. Returns once a
    /// pilot that parks has nothing left to drive.
    ///
    /// # Errors
    /// The ring is dead.
    async fn answer(
        &mut self,
        pilot: &mut Pilot,
        period: Duration,
        report: &Report,
    ) -> Result<(), Failure> {
        let mut grid = interval(period);
        grid.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            grid.tick().await;
            self.drain()?;
            let Some(newest) = &self.newest else { continue };
            self.command.write(&pilot.command(mono_now(), newest));
            let (read, lost) = (newest.sequence, self.telemetry.lost());
            report.set(|report| {
                report.last_sequence_read = read;
                report.lost_records = lost;
            });
            if pilot.parks() && newest.outcome.mode.get() != Some(Mode::Active) {
                return Ok(());
            }
        }
    }

    /// Reads to the end of the ring: only the newest record counts for control.
    fn drain(&mut self) -> Result<(), Failure> {
        loop {
            match self.telemetry.read() {
                Read::Record { record, .. } => self.newest = Some(record),
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
