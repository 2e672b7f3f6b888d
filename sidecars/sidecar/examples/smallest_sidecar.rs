//! The smallest sidecar: prints the mode once a second until it is told to end.
//!
//! `cargo run --release -p sidecar --example smallest_sidecar -- --robot sim-donkey --run-dir DIR`

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use rt_ring::Read;
use rt_wire::topics::TELEMETRY;
use rt_wire::{SidecarState, Telemetry};
use sidecar::{CommonArgs, End, Failure, Outcome, Sidecar};
use tracing::info;

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    common: CommonArgs,
}

fn main() -> ExitCode {
    let args = Args::parse();
    // The topic table says who may read telemetry; a sidecar of your own gets a line there.
    sidecar::run("trainer", watch(args.common))
}

async fn watch(args: CommonArgs) -> Result<Outcome, Failure> {
    let mut sidecar = Sidecar::start("trainer", &args).await?;
    let mut telemetry = sidecar.client().ring_reader::<Telemetry>(&TELEMETRY)?;
    sidecar.report().set(|report| report.state = SidecarState::Running);
    loop {
        tokio::select! {
            end = sidecar.until_end() => {
                if end == End::Told {
                    sidecar.stopping();
                    return Ok(Outcome::Done);
                }
                sidecar.attach_again().await?;
                telemetry = sidecar.client().ring_reader(&TELEMETRY)?;
                sidecar.report().set(|report| report.state = SidecarState::Running);
            }
            () = tokio::time::sleep(Duration::from_millis(50)) => {
                let mut newest = None;
                loop {
                    match telemetry.read() {
                        Read::Record { sequence, record } => newest = Some((sequence, record)),
                        Read::Lapped { lost } => {
                            sidecar.report().set(|report| report.lost_records += lost);
                        }
                        // After corrupt memory the socket closes, too.
                        Read::Empty | Read::Corrupt => break,
                    }
                }
                if let Some((sequence, record)) = newest {
                    sidecar.report().set(|report| report.last_sequence_read = sequence);
                    if record.cycle_index % 1000 < 50 {
                        info!("cycle {}: {:?}", record.cycle_index, record.outcome.mode);
                    }
                }
            }
        }
    }
}
