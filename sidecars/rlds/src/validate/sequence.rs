//! Rules about steps one after the other: time, numbers, shapes, the end, and what the whole holds.
//!
//! *What it decides.* What only the sequence can show. *What it must never do.* Remember more of a
//! step than a few numbers. Shown by: tests/validate.

use super::finding::Findings;
use super::json::{Json, shown};
use super::metadata::Said;
use super::values::millis;

/// Fewer steps teach nothing.
const STEPS_MIN: u64 = 50;
/// Of a hundred steps, so many must have a glove where there is one.
const GLOVE_PERCENT_MIN: u64 = 95;
/// The metadata's duration may differ from the steps' by this, or by two steps.
const DURATION_TOLERANCE_NS: u64 = 1_000_000_000;
/// Texts that are a yes or a no.
const FLAGS: [&str; 4] = ["safety_violation", "safety_clamped", "frame_drop", "ball_reached"];
/// Any of them shows that what safety did was written down.
const SAFETY_WORDS: [&str; 3] = ["safety_violations", "safety_violation", "safety_clamped"];

/// What is remembered from step to step.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sequence {
    pub(crate) count: u64,
    first_ns: Option<i64>,
    last_ns: Option<i64>,
    last_tick: Option<u64>,
    lengths: [Option<usize>; 3],
    terminal: Option<u64>,
    has_instruction: bool,
    has_safety_words: bool,
    gloves: u64,
    lost: u64,
}

impl Sequence {
    pub(crate) fn step(&mut self, step: &Json, findings: &mut Findings<'_>) {
        let index = self.count;
        self.count = self.count.saturating_add(1);
        if let Some(terminal) = self.terminal.take() {
            let expected = "true in the last step only";
            findings.error("terminal", "is_terminal", expected, format!("it in step {terminal}"));
        }
        self.terminal = (step.bool("is_terminal") == Some(true)).then_some(index);
        self.time(step, findings);
        self.shapes(step, findings);
        if let Some(words) = step.get("step_metadata") {
            self.words(index, words, findings);
        }
        if index == 0 {
            self.has_instruction = has_instruction(step);
        }
        let glove = step.get("observation").and_then(|seen| seen.get("glove"));
        if glove.and_then(|glove| glove.bool("valid")) == Some(true) {
            self.gloves = self.gloves.saturating_add(1);
        }
    }

    fn time(&mut self, step: &Json, findings: &mut Findings<'_>) {
        let robot = step.get("observation").and_then(|seen| seen.get("robot_state"));
        let Some(now) = robot.and_then(|robot| robot.int("timestamp_nanos")) else {
            return;
        };
        let field = "observation.robot_state.timestamp_nanos";
        match self.last_ns {
            Some(last) if now < last => {
                let found = format!("{now}, {} ms before it", millis(now.abs_diff(last)));
                findings.error("time_backwards", field, format!("after {last}"), found);
            }
            Some(last) if now == last => {
                findings.error("time_repeats", field, format!("after {last}"), "the same again");
            }
            _ => {}
        }
        self.first_ns.get_or_insert(now);
        self.last_ns = Some(self.last_ns.map_or(now, |last| last.max(now)));
    }

    /// Every list of numbers has the same length in all steps.
    fn shapes(&mut self, step: &Json, findings: &mut Findings<'_>) {
        let robot = step.get("observation").and_then(|seen| seen.get("robot_state"));
        let lists = [
            (
                "action.command",
                // None at all is the shape's fault.
                step.get("action").and_then(|a| a.list("command")).filter(|list| !list.is_empty()),
            ),
            (
                "observation.robot_state.joint_positions",
                robot.and_then(|robot| robot.list("joint_positions")),
            ),
            (
                "observation.robot_state.joint_velocities",
                robot.and_then(|robot| robot.list("joint_velocities")),
            ),
        ];
        for ((field, list), known) in lists.into_iter().zip(&mut self.lengths) {
            let Some(found) = list.map(<[Json]>::len) else {
                continue;
            };
            let expected = *known.get_or_insert(found);
            if found != expected {
                let expected = format!("{expected} numbers, as in the first step");
                findings.error("shape_changes", field, expected, found.to_string());
            }
        }
    }

    fn words(&mut self, index: u64, words: &Json, findings: &mut Findings<'_>) {
        if let Some(told) = words.text("step_index")
            && told.parse() != Ok(index)
        {
            let field = "step_metadata.step_index";
            findings.error("step_index", field, index.to_string(), shown(told));
        }
        if let Some(tick) = words.text("fast_loop_tick").and_then(|tick| tick.parse().ok()) {
            if let Some(last) = self.last_tick
                && tick <= last
            {
                let field = "step_metadata.fast_loop_tick";
                findings.error("step_index", field, format!("above {last}"), format!("{tick}"));
            }
            self.last_tick = Some(tick);
        }
        for flag in FLAGS {
            if let Some(found) = words.text(flag)
                && !["true", "false"].contains(&found)
            {
                let field = format!("step_metadata.{flag}");
                findings.warning("flag", field, "true or false", shown(found));
            }
        }
        let lost = words.text("telemetry_lost").and_then(|lost| lost.parse().ok());
        self.lost = self.lost.saturating_add(lost.unwrap_or(0));
        self.has_safety_words |= SAFETY_WORDS.iter().any(|word| words.get(word).is_some());
    }

    /// From the first step to the last.
    pub(crate) fn duration_ns(&self) -> u64 {
        self.first_ns.zip(self.last_ns).map_or(0, |(first, last)| first.abs_diff(last))
    }

    /// Telemetry records that the steps say are missing.
    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }

    /// Rules about the whole of an ordinary episode.
    pub(crate) fn finish(&self, said: &Said, findings: &mut Findings<'_>) {
        if self.count == 0 {
            findings.error("min_steps", "steps", "at least 1 step", "none");
            return;
        }
        if self.count < STEPS_MIN {
            let expected = format!("at least {STEPS_MIN} steps");
            findings.warning("min_steps", "steps", expected, self.count.to_string());
        }
        self.duration(said, findings);
        if !self.has_instruction {
            let expected = "step_metadata.language_instruction in step 0";
            findings.warning("language_instruction", "steps", expected, "none");
        }
        if !self.has_safety_words {
            let expected = format!("{} in step_metadata", SAFETY_WORDS.join(" or "));
            findings.warning("safety_events", "steps", expected, "none in any step");
        }
        let has_glove = said.has_glove || self.gloves > 0;
        if has_glove
            && self.gloves.saturating_mul(100) < self.count.saturating_mul(GLOVE_PERCENT_MIN)
        {
            let expected = format!("a valid glove in {GLOVE_PERCENT_MIN} % of the steps");
            let found = format!("{} of {}", self.gloves, self.count);
            findings.warning("glove_coverage", "observation.glove.valid", expected, found);
        }
    }

    fn duration(&self, said: &Said, findings: &mut Findings<'_>) {
        let Some(said_ms) = said.duration_ms.and_then(|ms| u64::try_from(ms).ok()) else {
            return;
        };
        let span_ns = self.duration_ns();
        let step_ns = span_ns.checked_div(self.count.saturating_sub(1)).unwrap_or(0);
        let tolerance_ns = DURATION_TOLERANCE_NS.max(step_ns.saturating_mul(2));
        if said_ms.saturating_mul(1_000_000).abs_diff(span_ns) > tolerance_ns {
            let expected = format!("about {} ms, from the first step to the last", millis(span_ns));
            findings.error("duration", "duration_ms", expected, format!("{said_ms} ms"));
        }
    }
}

/// What the episode was to be, in words.
fn has_instruction(step: &Json) -> bool {
    let words = step.get("step_metadata");
    let told = words.and_then(|words| words.text("language_instruction")).unwrap_or_default();
    let annotation = step.get("action").and_then(|action| action.get("annotation"));
    let annotated = annotation.and_then(|annotation| annotation.text("kind"));
    !told.is_empty() || annotated == Some("language_instruction")
}
