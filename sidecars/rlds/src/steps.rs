//! Steps out of telemetry: at each instant of a fixed grid the nearest record, as the contract
//! wants it; with a camera, at every k-th frame of it.
//!
//! *What it decides.* Which record makes a step and what stands in it. The grid lies on the
//! monotonic clock and begins with the first record; an instant without a record within half a
//! period has no step, and the next step says so (`frame_drop`). What happened between two steps
//! (causes, rules, losses) stands in the later one, so that nothing falls between them. *What it
//! must never do.* Read a clock or look at wall time to choose; need more than one record of memory.
//!
//! The same telemetry gives the same steps, live or from a recording. Shown by: tests/steps.rs.

use std::collections::BTreeMap;

use rt_wire::{FaultSet, MonoNs, Raw, RuleSet, Source, Telemetry, Validity};

use crate::about::About;
use crate::event::name_of;
use crate::place::RECORDING;
use crate::schema::{
    Action, Diagnostics, MediaBundle, MediaRef, Observation, Pose, RobotState, Step,
};
use crate::snap::{Seen, Snap, Snapped};

/// Key of what is to be done, in step 0.
const INSTRUCTION: &str = "language_instruction";
const NS_PER_S: u64 = 1_000_000_000;
/// A step rate above the telemetry rate would only repeat records.
const STEP_RATE_HZ_MAX: u32 = 1000;
/// Blocks of a step lie within this of each other, or the step says that they do not.
const ALIGNED_NS_MAX: u64 = 5_000_000;

/// Why no steps can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StepsError {
    /// A rate that makes no grid.
    #[error("step_rate_hz {found}, expected 1 to {STEP_RATE_HZ_MAX}")]
    Rate {
        /// The rate asked for.
        found: u32,
    },
}

/// What happened since the last step.
#[derive(Clone, Copy, Default)]
struct Between {
    causes: FaultSet,
    rules: RuleSet,
    lost: u64,
    skipped: u64,
}

impl Between {
    fn absorb(&mut self, record: &Telemetry) {
        self.causes.0 |= record.outcome.causes.0;
        self.rules |= record.outcome.rules;
    }

    fn told(&mut self, record: &Telemetry, lost: u64) {
        self.absorb(record);
        self.lost = self.lost.saturating_add(lost);
    }
}

/// Makes steps as telemetry goes by.
pub struct Steps {
    about: About,
    rate_hz: u64,
    first_at: Option<MonoNs>,
    /// Index on the grid of the next step.
    next: u64,
    previous: Option<Telemetry>,
    /// With a camera: frames and their telemetry, instead of the grid.
    snap: Option<Snap>,
    /// Records missing before the next one.
    lost: u64,
    between: Between,
    /// The last step, held back until it is known whether the episode ends with it.
    held: Option<Step>,
    made: u64,
    skipped: u64,
}

impl Steps {
    /// Begins with the first record that is pushed.
    ///
    /// # Errors
    /// [`StepsError`] if the step rate is 0 or above 1000 Hz.
    pub fn new(about: About) -> Result<Self, StepsError> {
        let found = about.step_rate_hz;
        if found == 0 || found > STEP_RATE_HZ_MAX {
            return Err(StepsError::Rate { found });
        }
        let every = u64::from(about.frames_per_step);
        Ok(Self {
            snap: (every > 0).then(|| Snap::new(every)),
            lost: 0,
            about,
            rate_hz: u64::from(found),
            first_at: None,
            next: 0,
            previous: None,
            between: Between::default(),
            held: None,
            made: 0,
            skipped: 0,
        })
    }

    /// Steps made so far, the one held back included.
    #[must_use]
    pub fn made(&self) -> u64 {
        self.made
    }

    /// Instants of the grid that had no record.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Says that `lost` records are missing before the next one pushed.
    pub fn lost(&mut self, lost: u64) {
        self.lost = self.lost.saturating_add(lost);
    }

    /// Takes the next frame of the camera; without one in its description, there are none in a step.
    pub(crate) fn frame(&mut self, frame: &Seen, mut emit: impl FnMut(&Step)) {
        if let Some(snap) = &mut self.snap {
            snap.frame(frame);
            self.snap_steps(false, &mut emit);
        }
    }

    /// Takes the next record; hands over each step that is now sure, oldest first.
    pub fn push(&mut self, record: &Telemetry, mut emit: impl FnMut(&Step)) {
        let lost = std::mem::take(&mut self.lost);
        if let Some(snap) = &mut self.snap {
            let between = &mut self.between;
            snap.record(record, lost, |record, lost| between.told(record, lost));
            self.snap_steps(false, &mut emit);
            return;
        }
        self.between.lost = self.between.lost.saturating_add(lost);
        let first_at = *self.first_at.get_or_insert(record.mono_ns);
        let half_period_ns = NS_PER_S / self.rate_hz / 2;
        let mut absorbed = false;
        while let Some(due_at) = self.due_at(first_at, record.mono_ns) {
            let after_ns = record.mono_ns.since(due_at);
            let nearer =
                self.previous.filter(|previous| due_at.since(previous.mono_ns) <= after_ns);
            let chosen = match nearer {
                Some(previous) if due_at.since(previous.mono_ns) <= half_period_ns => previous,
                _ if after_ns <= half_period_ns => {
                    self.between.absorb(record);
                    absorbed = true;
                    *record
                }
                _ => {
                    self.skip_to(record.mono_ns.since(first_at).saturating_sub(half_period_ns));
                    continue;
                }
            };
            self.next = self.next.saturating_add(1);
            let step = self.step(&chosen);
            self.hold(step, &mut emit);
        }
        if !absorbed {
            self.between.absorb(record);
        }
        self.previous = Some(*record);
    }

    /// Hands over the last step. `is_terminal`: the episode ended on its own terms.
    pub fn finish(&mut self, is_terminal: bool, mut emit: impl FnMut(&Step)) {
        self.snap_steps(true, &mut emit);
        if let Some(mut last) = self.held.take() {
            last.is_terminal = is_terminal;
            emit(&last);
        }
    }

    /// The next instant of the grid, if it is not after `now`. Exact, so that the grid never drifts;
    /// beyond the end of the clock nothing is ever due.
    fn due_at(&self, first_at: MonoNs, now: MonoNs) -> Option<MonoNs> {
        let ns = u128::from(self.next) * u128::from(NS_PER_S) / u128::from(self.rate_hz);
        let due_at = MonoNs(first_at.0.checked_add(u64::try_from(ns).ok()?)?);
        (due_at <= now).then_some(due_at)
    }

    /// Leaves out the instants before `ns`: at least one, since none of them has a record.
    fn skip_to(&mut self, ns: u64) {
        let index = (u128::from(ns) * u128::from(self.rate_hz)).div_ceil(u128::from(NS_PER_S));
        let index = u64::try_from(index).unwrap_or(u64::MAX).max(self.next.saturating_add(1));
        let skipped = index.saturating_sub(self.next);
        self.next = index;
        self.skipped = self.skipped.saturating_add(skipped);
        self.between.skipped = self.between.skipped.saturating_add(skipped);
    }

    fn hold(&mut self, step: Step, emit: &mut impl FnMut(&Step)) {
        self.made = self.made.saturating_add(1);
        if let Some(sure) = self.held.replace(step) {
            emit(&sure);
        }
    }

    fn snap_steps(&mut self, is_end: bool, emit: &mut impl FnMut(&Step)) {
        loop {
            let (snap, between) = (&mut self.snap, &mut self.between);
            let next = snap
                .as_mut()
                .and_then(|snap| snap.next(is_end, |record, lost| between.told(record, lost)));
            let Some(snapped) = next else {
                return;
            };
            let mut step = self.step(&snapped.record);
            with_frame(&mut step, &snapped);
            self.hold(step, emit);
        }
    }

    fn step(&mut self, record: &Telemetry) -> Step {
        let between = std::mem::take(&mut self.between);
        let mut step_metadata = step_metadata(record, &between);
        // `made` counts the steps before this one.
        if self.made == 0 && !self.about.task.is_empty() {
            step_metadata.insert(INSTRUCTION.to_owned(), self.about.task.clone());
        }
        Step {
            observation: observation(record, &self.about),
            action: Action {
                command: vec![
                    finite(record.outcome.setpoint.steering),
                    finite(record.outcome.setpoint.throttle),
                ],
                source: contract_source(record.outcome.owner).to_owned(),
                ..Action::default()
            },
            is_terminal: false,
            step_metadata,
        }
    }
}

/// The step's picture, and how far its telemetry is from it if that is further than it may be.
fn with_frame(step: &mut Step, snapped: &Snapped) {
    let frame = &snapped.frame;
    let pixels = |count| i32::try_from(count).unwrap_or(i32::MAX);
    let observation = &mut step.observation;
    observation.video_frame_id.clone_from(&frame.frame_id);
    observation.depth_frame_id.clone_from(&frame.frame_id);
    observation.robot_state.frame_id.clone_from(&frame.frame_id);
    observation.media = Some(MediaBundle {
        rgb: Some(MediaRef {
            uri: format!("{RECORDING}#frames/{}", frame.sequence),
            frame_id: frame.frame_id.clone(),
            timestamp_ns: nanos(frame.mono_ns),
            width: pixels(frame.width),
            height: pixels(frame.height),
            format: "jpeg".to_owned(),
            ..MediaRef::default()
        }),
        ..MediaBundle::default()
    });
    if snapped.apart_ns > ALIGNED_NS_MAX {
        step.step_metadata.insert("misaligned_ns".to_owned(), snapped.apart_ns.to_string());
    }
}

/// The contract knows people only: a pilot or a policy is supervised by one.
fn contract_source(owner: Raw<Source>) -> &'static str {
    match owner.get() {
        Some(Source::Teleop) => "human_teleop_xr",
        Some(Source::None | Source::Inference | Source::Pilot) | None => "human_supervisor",
    }
}

fn observation(record: &Telemetry, about: &About) -> Observation {
    let timestamp_nanos = nanos(record.mono_ns);
    let seen = &record.observation;
    let is_valid = |validity: Raw<Validity>| validity.get() == Some(Validity::Valid);
    let speed_m_per_s =
        if is_valid(seen.wheel.validity) { finite(seen.wheel.speed_m_per_s) } else { 0.0 };
    let [roll, pitch, yaw] =
        if is_valid(seen.imu.validity) { seen.imu.gyro_rad_per_s.map(finite) } else { [0.0; 3] };
    let is_placed = is_valid(seen.pose.validity)
        && [seen.pose.x_m, seen.pose.y_m, seen.pose.yaw_rad].iter().all(|value| value.is_finite());
    let (sin, cos) = (seen.pose.yaw_rad / 2.0).sin_cos();
    let end_effector_pose = if is_placed {
        Pose {
            position: Some([seen.pose.x_m, seen.pose.y_m, 0.0]),
            orientation_quat: Some([0.0, 0.0, sin, cos]),
            valid: true,
        }
    } else {
        Pose::ABSENT
    };
    // Without a camera all three frame ids name the cycle that the step is made of.
    let frame_id = format!("cycle-{}", record.cycle_index);
    Observation {
        robot_state: RobotState {
            joint_positions: vec![finite(record.outcome.setpoint.steering)],
            end_effector_pose,
            frame_id: frame_id.clone(),
            joint_velocities: vec![speed_m_per_s],
            end_effector_twist: Some([speed_m_per_s, 0.0, 0.0, roll, pitch, yaw]),
            wall_time_millis: about.unix_ms_at(record.mono_ns),
            ..RobotState::absent(timestamp_nanos)
        },
        video_frame_id: frame_id.clone(),
        depth_frame_id: frame_id,
        diagnostics: Diagnostics { latency_ms: latency_ms(record), ..Diagnostics::default() },
        ..Observation::absent(timestamp_nanos)
    }
}

fn step_metadata(record: &Telemetry, between: &Between) -> BTreeMap<String, String> {
    let outcome = &record.outcome;
    let is_gap = between.lost > 0 || between.skipped > 0;
    let mut metadata: BTreeMap<String, String> = [
        ("mode", name_of(outcome.mode)),
        ("authority", name_of(outcome.owner)),
        ("cause", fault_names(outcome.latched_causes)),
        ("safety_violations", fault_names(between.causes)),
        ("safety_clamped", (!between.rules.is_empty()).to_string()),
        ("rules", or_none(between.rules.names().map(str::to_lowercase))),
        ("frame_drop", is_gap.to_string()),
        ("fast_loop_tick", record.cycle_index.to_string()),
        ("asked_steering", outcome.asked.steering.to_string()),
        ("asked_throttle", outcome.asked.throttle.to_string()),
        ("steering_pulse_us", outcome.pulses.steering.0.to_string()),
        ("throttle_pulse_us", outcome.pulses.throttle.0.to_string()),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect();
    if between.lost > 0 {
        metadata.insert("telemetry_lost".to_owned(), between.lost.to_string());
    }
    if between.skipped > 0 {
        metadata.insert("steps_skipped".to_owned(), between.skipped.to_string());
    }
    metadata
}

fn fault_names(faults: FaultSet) -> String {
    or_none(faults.faults().map(|fault| fault.name().to_owned()))
}

fn or_none(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.collect();
    if names.is_empty() { "none".to_owned() } else { names.join(",") }
}

fn nanos(at: MonoNs) -> i64 {
    i64::try_from(at.0).unwrap_or(i64::MAX)
}

/// JSON has no NaN; the recording keeps the true bits.
fn finite(value: f32) -> f32 {
    if value.is_finite() { value } else { 0.0 }
}

#[expect(clippy::cast_precision_loss, reason = "for people: a latency of 16 ms keeps its ns")]
fn latency_ms(record: &Telemetry) -> f32 {
    record.release.woke_at.since(record.release.release_time) as f32 / 1e6
}
