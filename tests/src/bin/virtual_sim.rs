//! `virtual-sim`: the whole robot in one process and virtual time. Prints what the run came to.
//!
//! Exit codes: 0, 1 (the drive did not come to its end, or left the track), 2 (misuse), 3 (the result
//! cannot be told).

use clap::Parser;
use hil::plant::PlantParams;
use rt_config::{Robot, Track};
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use tests::virtual_sim::{Options, Report, run};

/// Kernel, pilot and plant in one process and virtual time, as fast as the machine goes.
#[derive(Debug, Parser)]
#[command(
    name = "virtual-sim",
    version,
    after_help = "\
Examples:
  virtual-sim --seconds 60 --seed 7
  virtual-sim --track Norisring.csv --scale 0.1 --seconds 180 --json

Exit codes: 0 ok, 1 not driven to its end on the track, 2 misuse, 3 the result cannot be told."
)]
struct Args {
    /// A robot file, or the name of a built-in robot; its board must be `sim`.
    #[arg(long, value_name = "NAME|FILE", default_value = "sim-donkey")]
    robot: String,
    /// A built-in track or a file with the columns x_m,y_m,w_tr_right_m,w_tr_left_m.
    #[arg(long, value_name = "NAME|FILE", default_value = "twisty")]
    track: String,
    /// Every length of the track is multiplied by this.
    #[arg(long, value_name = "S", default_value_t = 1.0)]
    scale: f64,
    /// How long to drive, counted from Active.
    #[arg(long, value_name = "N", default_value_t = 20.0, value_parser = seconds)]
    seconds: f64,
    /// Seed of everything random in the simulated car.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Parameters of the car instead of the documented ones.
    #[arg(long, value_name = "FILE")]
    params: Option<PathBuf>,
    /// Cycles from a telemetry record to the inbox that holds the pilot's answer.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1000))]
    command_delay_cycles: u64,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let report = match prepare(&args).and_then(|options| {
        run(&options, args.seconds).map_err(|error| format!("{}: {error}", args.track))
    }) {
        Ok(report) => report,
        Err(message) => {
            say(message);
            return ExitCode::from(2);
        }
    };
    let told = if args.json {
        // Fails only for maps whose keys are not texts, and there are none.
        serde_json::to_string(&report).unwrap_or_default() + "\n"
    } else {
        in_words(&report)
    };
    if let Err(error) = std::io::stdout().write_all(told.as_bytes()) {
        // A reader that has gone has read enough; a full disk behind stdout has not.
        if error.kind() != ErrorKind::BrokenPipe {
            say(format_args!("stdout: {error}"));
            return ExitCode::from(3);
        }
    }
    ExitCode::from(u8::from(!report.is_good()))
}

fn prepare(args: &Args) -> Result<Options, String> {
    let robot = Robot::resolve(&args.robot).map_err(|errors| errors.to_string())?;
    if robot.file().board.is_real() {
        return Err(format!(
            "{}: board: expected `sim`, found a board that moves something real",
            args.robot
        ));
    }
    let track = Track::resolve(&args.track, args.scale).map_err(|errors| errors.to_string())?;
    let mut options = Options::new(robot, track, args.seed);
    options.command_delay_cycles = args.command_delay_cycles;
    if let Some(file) = &args.params {
        options.params = PlantParams::from_file(file).map_err(|error| error.to_string())?;
    }
    Ok(options)
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=86_400.0).contains(&seconds) => Ok(seconds),
        Ok(_) | Err(_) => Err("expected 0 to 86400 seconds".to_owned()),
    }
}

fn say(words: impl std::fmt::Display) {
    std::io::stderr().write_all(format!("virtual-sim: {words}\n").as_bytes()).ok();
}

fn in_words(report: &Report) -> String {
    let plant = &report.plant;
    let mut lines = vec![format!(
        "{} on {}, seed {}: {:.1} s Active, then {}",
        report.robot, report.track, report.seed, report.driven_s, report.mode_final
    )];
    lines.extend(report.reasons.iter().map(|reason| format!("  {reason}")));
    let laps: Vec<String> = plant.lap_times_s.iter().map(|lap_s| format!("{lap_s:.3}")).collect();
    lines.push(format!(
        "  {} laps of {:.1} m ({} s), {:.1} m driven, top speed {:.2} m/s",
        plant.laps,
        plant.track_length_m,
        laps.join(", "),
        plant.distance_m,
        plant.top_speed_m_per_s
    ));
    lines.push(format!(
        "  off track {} times; closest to the border {:.3} m",
        plant.off_track_count, plant.border_margin_m_min
    ));
    lines.push(format!(
        "  telemetry {}, car {}; {} cycles, {:.0} a second of computer time\n",
        report.telemetry_hash, plant.state_hash, report.cycles, report.cycles_per_s
    ));
    lines.join("\n")
}
