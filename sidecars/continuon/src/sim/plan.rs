//! What a run is made of, checked before anything is started: robot, track, folder.
//!
//! Nothing is half-started: a wrong key or a missing track is said here, with exit code 2.

use crate::cli::{Drive, SimArgs};
use crate::exit::Failure;
use crate::run_dir;
use crate::spin::SpinChoice;
use rt_config::{Board, Robot, RobotFile, SpinMode, Track};
use rt_wire::topics::{PILOT, TELEOP};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// How long the pilot drives by default.
const PILOT_SECONDS: u32 = 20;
/// How long a person drives at most by default.
const PERSON_SECONDS: u32 = 3600;

/// One run, decided.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The robot as it is used, overrides included.
    pub robot: Robot,
    /// The file that all processes are given.
    pub robot_path: PathBuf,
    /// Name of a built-in track, or an absolute path.
    pub track: OsString,
    /// Its name, for the report.
    pub track_name: String,
    /// Length of its centre line.
    pub track_length_m: f64,
    /// What is odd about it, but can be driven.
    pub track_warnings: Vec<String>,
    /// Scale of the track.
    pub scale: f64,
    /// Seconds from the first Active on.
    pub seconds: u32,
    /// Who drives.
    pub drive: Drive,
    /// The script that drives instead of a person; absolute.
    pub script: Option<PathBuf>,
    /// Seed of the plant.
    pub seed: u64,
    /// Folder of this run; absolute.
    pub run_dir: PathBuf,
    /// When it was made, UTC.
    pub date: String,
}

impl Plan {
    /// Checks everything, then makes the run's folder with the robot file in it.
    ///
    /// # Errors
    /// Misuse: what is wrong with robot, track or options. Not possible: the folder cannot be made, or
    /// the file not be written; then there is no folder.
    pub fn prepare(args: &SimArgs) -> Result<Self, Failure> {
        let robot = effective_robot(args)?;
        let track = Track::resolve(&args.track, args.scale)
            .map_err(|errors| Failure::misuse(errors.to_string()))?;
        let track_argument = absolute_track(&args.track)?;
        if args.script.is_some() && args.drive != Drive::Teleop {
            return Err(Failure::misuse("--script: expected beside `--drive teleop`"));
        }
        let script = args.script.as_deref().map(absolute_script).transpose()?;
        if args.out.to_str().is_none() {
            // Reports, episodes and logs are text, and name this folder.
            return Err(Failure::misuse(format!(
                "--out: expected UTF-8 text, found `{}`",
                args.out.display()
            )));
        }
        let (run_dir, date) = run_dir::create(&args.out, "sim")?;
        let robot_path = run_dir::write(&run_dir, run_dir::ROBOT_FILE, robot.json())
            .inspect_err(|_full_disk| run_dir::take_back(&run_dir))?;
        Ok(Self {
            robot,
            robot_path,
            track: track_argument,
            track_name: track.name().to_owned(),
            track_length_m: track.length_m(),
            track_warnings: track.warnings().to_vec(),
            scale: args.scale,
            seconds: args.seconds.unwrap_or(match args.drive {
                Drive::Pilot => PILOT_SECONDS,
                Drive::Teleop => PERSON_SECONDS,
            }),
            drive: args.drive,
            script,
            seed: args.seed,
            run_dir,
            date,
        })
    }

    /// Options that every process of a run takes.
    #[must_use]
    pub fn common_args(&self) -> Vec<OsString> {
        arguments([
            ("--robot", self.robot_path.as_os_str()),
            ("--run-dir", self.run_dir.as_os_str()),
        ])
    }

    /// Options of who must know the track.
    #[must_use]
    pub fn track_args(&self) -> Vec<OsString> {
        arguments([
            ("--track", self.track.as_os_str()),
            ("--scale", OsString::from(self.scale.to_string()).as_os_str()),
        ])
    }

    /// Name of the process that drives.
    #[must_use]
    pub fn driver(&self) -> &'static str {
        match self.drive {
            Drive::Pilot => PILOT,
            Drive::Teleop => TELEOP,
        }
    }

    /// Options of that process alone.
    #[must_use]
    pub fn driver_args(&self) -> Vec<OsString> {
        match (self.drive, &self.script) {
            (Drive::Pilot, _) => self.track_args(),
            (Drive::Teleop, Some(script)) => arguments([("--script", script.as_os_str())]),
            (Drive::Teleop, None) => Vec::new(),
        }
    }

    /// Whether a person drives: then they arm, they stop, and they leave.
    #[must_use]
    pub fn person_drives(&self) -> bool {
        self.drive == Drive::Teleop && self.script.is_none()
    }

    /// Where the logger writes its episodes.
    #[must_use]
    pub fn episodes_dir(&self) -> PathBuf {
        self.run_dir.join(&self.robot.file().rlds_logger.episodes_dir)
    }
}

/// `--name value` for each.
pub fn arguments<'a>(
    pairs: impl IntoIterator<Item = (&'a str, &'a std::ffi::OsStr)>,
) -> Vec<OsString> {
    pairs.into_iter().flat_map(|(name, value)| [name.into(), value.to_owned()]).collect()
}

fn absolute_script(path: &Path) -> Result<PathBuf, Failure> {
    path.canonicalize()
        .map_err(|error| Failure::misuse(format!("--script: {}: {error}", path.display())))
}

fn effective_robot(args: &SimArgs) -> Result<Robot, Failure> {
    let misuse = |errors: rt_config::ConfigErrors| Failure::misuse(errors.to_string());
    let robot = Robot::resolve(&args.robot).map_err(misuse)?;
    if robot.file().board != Board::Sim {
        return Err(Failure::misuse(format!(
            "{}: board: expected `sim`, found a board that moves something real (a simulated run needs \
             a robot file with \"board\": \"sim\"; the built-in one is sim-donkey)",
            args.robot
        )));
    }
    if args.rate_hz.is_none() && args.spin_us.is_none() {
        return Ok(robot);
    }
    robot.edited(|file| override_timing(file, args.rate_hz, args.spin_us)).map_err(|errors| {
        // Its lines are nobody's file: the options are what can be mended.
        Failure::misuse(format!("with these --rate-hz and --spin-us, {errors}"))
    })
}

fn override_timing(file: &mut RobotFile, rate_hz: Option<u32>, spin: Option<SpinChoice>) {
    if let Some(rate_hz) = rate_hz {
        file.timing = file.timing.at_period_us(1_000_000 / rate_hz.max(1));
    }
    match spin {
        None => {}
        Some(SpinChoice::Off) => file.timing.spin_mode = SpinMode::Off,
        Some(SpinChoice::Auto) => file.timing.spin_mode = SpinMode::Auto,
        Some(SpinChoice::LeadUs(lead_us)) => {
            file.timing.spin_mode = SpinMode::Fixed;
            file.timing.spin_window_us = lead_us;
        }
    }
}

/// A file is named absolutely, because it is handed to other processes; a built-in track by name.
fn absolute_track(name_or_file: &str) -> Result<OsString, Failure> {
    if Track::builtin_names().any(|name| name == name_or_file) {
        return Ok(name_or_file.into());
    }
    Path::new(name_or_file)
        .canonicalize()
        .map(PathBuf::into_os_string)
        .map_err(|error| Failure::misuse(format!("{name_or_file}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::{Plan, effective_robot};
    use crate::cli::{Cli, Command, SimArgs};
    use crate::exit::Exit;
    use clap::Parser;
    use rt_config::{Robot, SpinMode};

    fn sim(args: &[&str]) -> SimArgs {
        let line = ["continuon", "sim"].iter().chain(args);
        match Cli::try_parse_from(line).expect("valid arguments").command {
            Command::Sim(args) => args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn rate_and_spin_override_the_robot_file_and_nothing_else() {
        let plain = effective_robot(&sim(&[])).expect("the built-in robot");
        let fast = effective_robot(&sim(&["--rate-hz", "2000", "--spin-us", "80"])).expect("valid");
        assert_eq!(plain.file().timing.period_us, 1000);
        assert_eq!(fast.file().timing.period_us, 500);
        assert_eq!(fast.file().timing.spin_mode, SpinMode::Fixed);
        assert_eq!(fast.file().timing.spin_window_us, 80);
        assert_eq!(fast.file().limits, plain.file().limits);
    }

    #[test]
    fn a_spin_longer_than_half_the_period_is_refused_by_its_key() {
        let error = effective_robot(&sim(&["--spin-us", "900"])).expect_err("too long");
        assert_eq!(error.exit, Exit::Misuse);
        assert!(error.message.contains("spin_window_us"), "{error}");
    }

    #[test]
    fn a_robot_that_moves_something_real_is_never_simulated() {
        let error = effective_robot(&sim(&["--robot", "pi5-donkey"])).expect_err("a real board");
        assert_eq!(error.exit, Exit::Misuse);
    }

    #[test]
    fn an_unknown_track_is_misuse_and_names_the_nearest_and_leaves_no_folder() {
        let out = tempfile::tempdir().expect("a folder");
        let mut args = sim(&["--track", "twsity"]);
        args.out = out.path().join("runs");
        let error = Plan::prepare(&args).expect_err("no such track");
        assert_eq!(error.exit, Exit::Misuse);
        assert!(error.message.contains("twisty"), "{error}");
        assert!(!args.out.exists());
    }

    #[test]
    fn the_runs_folder_holds_the_robot_file_that_every_process_is_given() {
        let out = tempfile::tempdir().expect("a folder");
        let mut args = sim(&["--rate-hz", "500"]);
        args.out = out.path().to_owned();
        let plan = Plan::prepare(&args).expect("valid");
        let written = Robot::load(&plan.robot_path).expect("valid");
        assert_eq!(written.hash(), plan.robot.hash());
        assert_eq!(written.file().timing.period_us, 2000);
    }
}
