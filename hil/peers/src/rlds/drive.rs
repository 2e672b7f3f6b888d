//! Episodes to work on: a drive of the virtual car, with or without a camera, written by the recorder.
//!
//! Kernel, pilot and plant are those of the `tests` crate, in virtual time; what writes is the thread
//! of `rlds-logger`. What a virtual drive lacks is told with the figures: the loop's log, and the
//! jitter of a real clock. Shown by: running it, and the test below.

use super::pictures::{Camera, View};
use ::tests::virtual_sim::{Options, VirtualRobot};
use anyhow::{Context as _, Result, anyhow, ensure};
use fast_loop::clock::now as mono_now;
use rlds::{About, Closing, Frame};
use rlds_logger::LiveEpisode;
use rt_config::{Robot, Track};
use rt_wire::{Mode, MonoNs, OperatorKind, Telemetry};
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Pictures a second.
pub const FPS: u64 = 30;
/// Cycles between two keyframes, as the fast loop has it at 1 kHz.
const KEYFRAME_CYCLES: u64 = 1000;
const CYCLES_A_SECOND: u64 = 1000;
const NS_PER_S: u64 = 1_000_000_000;
/// The documented pack is empty before an hour is over; this one lasts.
const CAPACITY_AH: f64 = 30.0;

/// An episode that was made.
#[derive(Clone, Debug)]
pub struct Made {
    /// Its directory.
    pub path: PathBuf,
    /// How long it is.
    pub seconds: f64,
    /// Steps in it.
    pub steps: u64,
    /// Bytes of all pictures, and how many there are.
    pub pictures: (u64, u64),
    /// Share of the cycles in which it drove.
    pub active: f64,
}

impl Made {
    /// Its recording.
    #[must_use]
    pub fn recording(&self) -> PathBuf {
        rlds::recording_path(&self.path)
    }
}

/// Drives for `seconds` at 1 kHz and records it in a new episode in `folder`.
///
/// # Errors
/// It cannot be written, or the car does not drive.
pub fn make(folder: &Path, seconds: u64, with_camera: bool) -> Result<Made> {
    let robot = Robot::resolve("sim-donkey")?;
    let track = Track::builtin("twisty").context("a built-in track")?;
    let mut options = Options::new(robot.clone(), track, 1);
    options.params.power.capacity_ah = CAPACITY_AH;
    let mut car = VirtualRobot::new(&options).map_err(|error| anyhow!("{error}"))?;
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let first_at = car.clone().cycle().mono_ns;
    let about = about(&robot, first_at, with_camera);
    let robot_json = robot.json().as_bytes();
    let mut episode = rlds_logger::open_episode(folder, about, robot_json, mono_now)?;
    let mut film = with_camera.then(Film::default);
    let (cycles, mut driven) = (seconds * CYCLES_A_SECOND, 0_u64);
    let mut told = Instant::now();
    for index in 0..cycles {
        if index.is_multiple_of(100) && car.newest().outcome.interlocks.is_empty() {
            car.ask(OperatorKind::Arm);
        }
        let record = *car.cycle();
        if let Some(film) = &mut film {
            film.until(&record, &mut episode)?;
        }
        episode.telemetry(record.sequence, &record);
        let mode = record.outcome.mode;
        if mode != record.outcome.previous_mode || index.is_multiple_of(KEYFRAME_CYCLES) {
            episode.keyframe(index, car.keyframe());
        }
        driven += u64::from(mode.get() == Some(Mode::Active));
        wait_for_room(&episode);
        if told.elapsed() > Duration::from_secs(10) {
            told = Instant::now();
            eprintln!("bench: making an episode: {} of {seconds} s", index / CYCLES_A_SECOND);
        }
    }
    let summary = episode.finish(Closing::Clean, "");
    let note = &summary.note;
    ensure!(note.closing == Closing::Clean, "the episode did not close: {}", note.reason);
    ensure!(
        summary.telemetry_lost() == 0 && note.telemetry_records == cycles,
        "cycles are missing"
    );
    ensure!(driven > 0, "the car never drove");
    Ok(Made {
        path: summary.path,
        seconds: seconds as f64,
        steps: note.steps,
        pictures: film.map_or((0, 0), |film| (film.bytes, film.taken)),
        active: driven as f64 / cycles as f64,
    })
}

/// What the logger says of an episode of this robot.
fn about(robot: &Robot, start_mono_ns: MonoNs, with_camera: bool) -> About {
    let block = &robot.file().rlds_logger;
    About {
        robot: robot.name().to_owned(),
        robot_model: block.robot_model.clone(),
        environment_id: block.environment_id.clone(),
        frame_convention: "base_link".to_owned(),
        start_mono_ns,
        start_unix_ms: 1_795_000_000_000,
        step_rate_hz: block.step_rate_hz,
        frames_per_step: u32::from(with_camera),
        ..About::default()
    }
}

/// The disk is slower than a drive in virtual time.
fn wait_for_room(episode: &LiveEpisode) {
    while !episode.has_room() {
        sleep(Duration::from_millis(1));
    }
}

/// The camera's part of a drive.
#[derive(Default)]
struct Film {
    camera: Camera,
    begun: Option<MonoNs>,
    travelled_m: f32,
    taken: u64,
    bytes: u64,
}

impl Film {
    /// Takes the picture that is due by this record's time, if one is.
    fn until(&mut self, record: &Telemetry, episode: &mut LiveEpisode) -> Result<()> {
        let begun = *self.begun.get_or_insert(record.mono_ns);
        self.travelled_m += record.observation.wheel.speed_m_per_s / CYCLES_A_SECOND as f32;
        let at = begun.plus(self.taken * NS_PER_S / FPS);
        if at > record.mono_ns {
            return Ok(());
        }
        let view = View {
            travelled_m: self.travelled_m,
            offset_m: 0.15 * (self.travelled_m / 3.0).sin(),
            curvature_per_m: record.outcome.setpoint.steering,
        };
        let jpeg = self.camera.picture(view)?;
        self.taken += 1;
        self.bytes += jpeg.len() as u64;
        let name = format!("frame-{}", self.taken);
        let frame = Frame::new(self.taken, at, name, jpeg).context("a picture that is none")?;
        episode.frame(&frame);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::make;
    use rlds::fsck::check;

    #[test]
    fn a_made_episode_is_whole_and_has_a_step_for_each_picture() {
        let folder = tempfile::tempdir().expect("a folder");
        let made = make(folder.path(), 4, true).expect("an episode");
        let report = check(&made.path).expect("a recording");
        assert!(report.is_whole(), "{:?}", report.findings);
        assert_eq!((made.steps, made.pictures.1), (120, 120));
    }
}
