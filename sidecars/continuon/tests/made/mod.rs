//! Episodes made for a test, each a drive at 1 kHz that is known to the last record.

#![allow(dead_code, reason = "each test file uses its part")]

use rlds::{About, Closing, EpisodeWriter, Frame};
use rt_config::Robot;
use rt_wire::{Fault, FaultSet, KernelState, LogFrame, Mode, MonoNs, Source, Telemetry};
use std::path::{Path, PathBuf};

pub(crate) const MS: u64 = 1_000_000;
pub(crate) const START: u64 = 5_000 * MS;
pub(crate) const UNIX_MS: i64 = 1_795_000_000_123;

/// An episode that is being made.
pub(crate) struct Drive {
    pub(crate) about: About,
    pub(crate) cycles: u64,
    /// Cycles from the first up to the second are missing: the ring was lapped.
    pub(crate) lost: Option<(u64, u64)>,
    /// A picture each so many ms; 0 for none.
    pub(crate) picture_every: u64,
    /// What is different in some cycle.
    pub(crate) change: fn(u64, &mut Telemetry),
}

impl Default for Drive {
    fn default() -> Self {
        Self { about: about(), cycles: 2000, lost: None, picture_every: 0, change: |_, _| {} }
    }
}

pub(crate) fn about() -> About {
    About {
        robot: "sim-donkey".to_owned(),
        robot_model: "donkeycar".to_owned(),
        environment_id: "sim-twisty".to_owned(),
        frame_convention: "base_link".to_owned(),
        build_id: 0xb01d,
        start_mono_ns: MonoNs(START),
        start_unix_ms: UNIX_MS,
        step_rate_hz: 20,
        ..About::default()
    }
}

/// Cycle `n`, from 1: half a second disarmed, then active, a stop in one cycle.
pub(crate) fn cycle(n: u64) -> Telemetry {
    let mono_ns = MonoNs(START + (n - 1) * MS);
    let mut record = Telemetry { sequence: n, cycle_index: n, mono_ns, ..Telemetry::default() };
    record.release.release_time = mono_ns;
    record.release.woke_at = mono_ns.plus(20_000);
    let is_active = n > 500;
    record.outcome.mode = if is_active { Mode::Active } else { Mode::Disarmed }.into();
    record.outcome.owner = if is_active { Source::Pilot } else { Source::None }.into();
    record.outcome.setpoint.steering = (n % 100) as f32 / 100.0;
    record.outcome.setpoint.throttle = 0.25;
    record.outcome.asked.throttle = 0.5;
    if n == 1500 {
        record.outcome.mode = Mode::SafeStop.into();
        record.outcome.causes = FaultSet(1 << Fault::OwnerStale as u32);
    }
    record
}

pub(crate) fn keyframe(n: u64) -> KernelState {
    let mono_ns = MonoNs(START + (n - 1) * MS);
    KernelState { cycle_index: n, mono_ns, build_id: 0xb01d, ..KernelState::default() }
}

pub(crate) fn log_frame(n: u64) -> LogFrame {
    let mono_ns = MonoNs(START + n * MS);
    LogFrame { sequence: n, cycle_index: n, mono_ns, bytes: 2, ..LogFrame::default() }
}

/// A picture of 32 × 24, its colour by its number.
pub(crate) fn jpeg(n: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let pixels = [(n * 7) as u8, 120, 200 - (n % 100) as u8].repeat(32 * 24);
    jpeg_encoder::Encoder::new(&mut bytes, 90)
        .encode(&pixels, 32, 24, jpeg_encoder::ColorType::Rgb)
        .expect("memory never fails");
    bytes
}

impl Drive {
    /// Writes it up to its end, and leaves it open.
    pub(crate) fn open(&self, dir: &Path) -> EpisodeWriter {
        let robot = Robot::resolve("sim-donkey").expect("built in");
        let about = self.about.clone();
        let mut episode =
            EpisodeWriter::create(dir, about, robot.json().as_bytes()).expect("begun");
        let mut pictures = 0;
        for n in 1..=self.cycles {
            if let Some((from, to)) = self.lost.filter(|(_, to)| n == *to) {
                episode.telemetry_lapped(to - from);
            }
            let is_lost = self.lost.is_some_and(|(from, to)| (from..to).contains(&n));
            let mut record = cycle(n);
            (self.change)(n, &mut record);
            if !is_lost {
                episode.telemetry(n, &record);
            }
            if n.is_multiple_of(1000) {
                episode.keyframe(n / 1000, &keyframe(n));
                episode.log_frame(n / 1000, &log_frame(n));
            }
            if self.picture_every > 0 && n.is_multiple_of(self.picture_every) {
                // Between two records, 0.3 ms after this one.
                let at = record.mono_ns.plus(300_000);
                let name = format!("frame-{pictures}");
                let frame = Frame::new(pictures, at, name, jpeg(pictures)).expect("a JPEG");
                episode.frame(&frame);
                pictures += 1;
            }
            episode.flush_if_due(record.mono_ns);
        }
        episode
    }

    pub(crate) fn write(&self, dir: &Path) -> PathBuf {
        self.open(dir).finish(Closing::Clean, "").path
    }
}
