//! Robot files: [`RobotFile`] as typed, [`Robot`] as validated.
//!
//! Decides what a valid robot is. A [`Robot`] exists only if every check and rule held, so that
//! inside nobody checks again; it cannot be changed, only made anew. This module never guesses: an
//! unknown key, a doubled key, a value out of range is refused, all of them at once, each with
//! file, line, column, key, expected, found and the nearest valid name. Tests: tests/robots.rs,
//! tests/bad_robots.rs, tests/any_json.rs.

mod check;
mod explain;
mod file;
mod limits;
mod rules;
mod schema;

pub use explain::explain;
pub use file::{
    Battery, Board, Calibration, EpisodeBegins, FrameConvention, Geometry, LimitsBlock, Operators,
    PadAxis, PadButton, Pilot, Pins, RldsLogger, RobotFile, Sensors, Servo, Sidecar, Sidecars, Soc,
    SpinMode, Teleop, TeleopPad, Timeouts, Timing, Uids,
};
pub use schema::schema;

use crate::{ConfigError, ConfigErrors, json, nearest};
use rt_wire::{Limits, fnv1a};
use serde_json::Value;
use std::path::Path;

/// A robot file has about 4 KiB.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// The robots that come with every binary: (name, text of its file).
const BUILTIN: [(&str, &str); 2] = [
    ("sim-donkey", include_str!("../../../configs/robots/sim-donkey.json")),
    ("pi5-donkey", include_str!("../../../configs/robots/pi5-donkey.json")),
];

/// A validated robot: the file, what the kernel judges by, and a hash that says which file it was.
#[derive(Debug, Clone, PartialEq)]
pub struct Robot {
    file: RobotFile,
    limits: Limits,
    json: String,
    hash: u64,
}

impl Robot {
    /// Reads and validates a robot file. Errors: all that is wrong with it.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ConfigErrors> {
        let (text, name) = read(path.as_ref())?;
        Self::from_json(&text, &name)
    }

    /// Names of the robots that come with every binary.
    pub fn builtin_names() -> impl Iterator<Item = &'static str> {
        BUILTIN.iter().map(|(name, _)| *name)
    }

    /// What a person typed after `--robot`: the name of a built-in robot, or else a file.
    pub fn resolve(name_or_file: &str) -> Result<Self, ConfigErrors> {
        let (text, name) = resolve(name_or_file)?;
        Self::from_json(&text, &name)
    }

    /// Validates the text of a robot file; `name` is what errors call it.
    pub fn from_json(text: &str, name: &str) -> Result<Self, ConfigErrors> {
        let root = json::parse(text).map_err(|error| {
            ConfigError::whole_file(name, error.expected, error.found)
                .at(error.at.line, error.at.column)
                .key(error.key)
        })?;
        ConfigErrors::if_any(check::check(&root, name))?;
        // What the schema lets pass, serde reads; should the two ever differ, serde's word counts.
        let mut file: RobotFile = serde_json::from_str(text).map_err(|error| {
            ConfigError::whole_file(name, "a robot file", error.to_string())
                .at(error.line(), error.column())
        })?;
        ConfigErrors::if_any(rules::broken(&file, &root, name))?;
        // Where an editor finds the schema is no part of the robot, nor of its hash.
        file.schema = None;
        let json = file.to_json();
        let hash = fnv1a(0, json.as_bytes());
        Ok(Self { limits: limits::limits(&file), file, json, hash })
    }

    /// Validates a robot that was made or changed in memory, as if it had been typed.
    pub fn from_file(file: &RobotFile) -> Result<Self, ConfigErrors> {
        Self::from_json(&file.to_json(), &format!("robot {} as changed", file.name))
    }

    /// This robot with something changed, validated anew: `robot.edited(|file| file.timing.cpu =
    /// Some(3))`.
    pub fn edited(&self, edit: impl FnOnce(&mut RobotFile)) -> Result<Self, ConfigErrors> {
        let mut file = self.file.clone();
        edit(&mut file);
        Self::from_file(&file)
    }

    /// Every key, validated.
    pub fn file(&self) -> &RobotFile {
        &self.file
    }

    /// First part of every segment's name.
    pub fn name(&self) -> &str {
        &self.file.name
    }

    /// What the kernel judges by.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// The file in its canonical form: every key, defaults too, in the order of the schema. What an
    /// episode carries.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// FNV-1a (64 bits) of [`Robot::json`]: equal hashes, equal robots, however the file was
    /// laid out.
    pub fn hash(&self) -> u64 {
        self.hash
    }
}

impl RobotFile {
    /// A file with nothing but its two required keys: it cannot move.
    pub fn empty(name: String, board: Board) -> Self {
        Self {
            schema: None,
            name,
            board,
            description: String::new(),
            timing: Timing::default(),
            calibration: Calibration::default(),
            pins: Pins::default(),
            sensors: Sensors::default(),
            geometry: Geometry::default(),
            limits: LimitsBlock::default(),
            timeouts: Timeouts::default(),
            battery: Battery::default(),
            soc: Soc::default(),
            sidecars: Sidecars::default(),
            uids: Uids::default(),
            operators: Operators::default(),
            pilot: Pilot::default(),
            teleop: Teleop::default(),
            rlds_logger: RldsLogger::default(),
        }
    }

    fn as_value(&self) -> Value {
        // Fails only for maps whose keys are not texts, and there are none.
        serde_json::to_value(self).unwrap_or(Value::Null)
    }

    /// As text, every key written out, ending with a newline.
    pub fn to_json(&self) -> String {
        // Cannot fail, as above.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }
}

/// Text and name of a built-in robot, or else of a file.
fn resolve(name_or_file: &str) -> Result<(String, String), ConfigErrors> {
    if let Some((name, text)) = BUILTIN.iter().find(|(name, _)| *name == name_or_file) {
        return Ok(((*text).to_owned(), format!("configs/robots/{name}.json")));
    }
    if name_or_file.contains(['/', '.']) || Path::new(name_or_file).is_file() {
        return read(Path::new(name_or_file));
    }
    let names: Vec<_> = Robot::builtin_names().collect();
    let expected = format!("one of {}, or a file", names.join(", "));
    Err(ConfigError::whole_file("robot", expected, format!("`{name_or_file}`"))
        .nearest(nearest(name_or_file, names))
        .into())
}

fn read(path: &Path) -> Result<(String, String), ConfigErrors> {
    let text = crate::file::read_text(path, "robot file", FILE_BYTES_MAX)?;
    Ok((text, path.display().to_string()))
}
