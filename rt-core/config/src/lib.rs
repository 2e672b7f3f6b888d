//! The one reader of robot files and track files, for every process.
//!
//! A file goes through two forms: as typed ([`RobotFile`]) and as validated ([`Robot`], [`Track`]),
//! so that inside nobody checks again. This crate decides what is valid and says, of what is not,
//! where it stands, what was expected, what was found and which valid name is nearest. It must
//! never repair, guess or default silently what was written wrong, read an environment variable, or
//! panic on any file. Shown by: tests/robots.rs, tests/bad_robots.rs, tests/any_json.rs,
//! tests/tracks.rs.
#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod errors;
mod file;
mod json;
mod nearest;
mod robot;
mod track;

pub use errors::{ConfigError, ConfigErrors};
pub use nearest::nearest;
pub use robot::{
    Battery, Board, Calibration, EpisodeBegins, FrameConvention, Geometry, LimitsBlock, Operators,
    PadAxis, PadButton, Pilot, Pins, RldsLogger, Robot, RobotFile, Sensors, Servo, Sidecar,
    Sidecars, Soc, SpinMode, Teleop, TeleopPad, Timeouts, Timing, Uids, explain, schema,
};
pub use track::{LinePoint, Projection, Track, TrackPoint};
