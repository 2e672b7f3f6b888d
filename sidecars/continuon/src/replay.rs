//! `continuon replay`: the recorded cycles once more through the kernel, bit for bit.
//!
//! Decides how the answer is told: identical only if nothing is missing; otherwise in how many cycles
//! it is, in how many nothing can be said, and where it first differs. rt-replay judges. Tests:
//! the tests crate, module `replay`.

use crate::cli::ReplayArgs;
use crate::exit::{Exit, Failure};
use crate::output::{print, print_line};
use crate::progress::Progress;
use crate::recorded::{Recorded, find};
use crate::report::text::{Text, counted};
use rlds::Entry;
use rt_replay::{Answer, AtKeyframe, Tape};
use rt_wire::{MonoNs, Telemetry};
use serde::Serialize;
use std::io::IsTerminal;
use std::path::Path;

/// Gaps that are told one by one; more than these are counted.
const GAPS_TOLD: usize = 10;

/// What a replay came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Replayed {
    /// The answer in a word.
    pub verdict: Verdict,
    /// The episode.
    pub episode: String,
    /// Name of the robot.
    pub robot: String,
    /// Build of the fast loop that was recorded.
    pub build_id: String,
    /// Cycle of the keyframe that the replay began from; `null` without one.
    pub from_cycle: Option<u64>,
    /// Cycles that were run and are equal in every bit.
    pub cycles_identical: u64,
    /// Cycles before the first keyframe that they follow on: not run.
    pub cycles_not_covered: u64,
    /// Cycles after a gap and before the next keyframe: not run.
    pub cycles_not_comparable: u64,
    /// Records that are not there.
    pub records_missing: u64,
    /// Keyframes that are equal to the state that was reached.
    pub keyframes_identical: u64,
    /// Each break of the recording.
    pub gaps: Vec<Gap>,
    /// The first difference.
    pub difference: Option<Different>,
    /// Worth knowing about the file.
    pub notes: Vec<String>,
}

/// The answer in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every recorded cycle from the first keyframe on, and nothing is missing.
    Identical,
    /// A cycle is not what the kernel says.
    Different,
    /// Something is missing, or there was nothing to begin from.
    NotComparable,
}

/// A break in the recording.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Gap {
    /// Seconds from the first record.
    pub at_s: f64,
    /// The last cycle before it.
    pub after_cycle: u64,
    /// The first cycle that is there again.
    pub before_cycle: u64,
    /// Records that are not there.
    pub records_missing: u64,
    /// Recorded cycles after it that could not be run.
    pub cycles_not_comparable: u64,
    /// Why nothing can be said; `null` where a keyframe follows at once.
    pub why: Option<String>,
}

/// The first difference.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Different {
    /// The cycle.
    pub cycle_index: u64,
    /// Seconds from the first record.
    pub at_s: f64,
    /// The first field that differs.
    pub field: String,
    /// What was recorded.
    pub recorded: String,
    /// What the kernel says.
    pub replayed: String,
    /// Further fields of that record that differ.
    pub more_fields: u32,
}

/// Runs `continuon replay`.
///
/// # Errors
/// There is no such recording, or it cannot be read.
pub fn command(args: &ReplayArgs, json: bool) -> Result<Exit, Failure> {
    let replayed = replay(&find(args.episode.as_deref())?)?;
    if json {
        // Fails only for maps whose keys are not texts, and there are none.
        print_line(serde_json::to_value(&replayed).unwrap_or_default())?;
    } else {
        print(&render(&replayed, std::io::stdout().is_terminal()))?;
    }
    Ok(if replayed.verdict == Verdict::Identical { Exit::Ok } else { Exit::No })
}

/// The part of a replay that [`Tape`] does not count.
#[derive(Default)]
struct Course {
    first_at: Option<MonoNs>,
    last_cycle: u64,
    /// Cycle of the newest keyframe, and the one that the first cycle was run from.
    keyframe_cycle: u64,
    from_cycle: Option<u64>,
    gaps: Vec<Gap>,
    difference: Option<Different>,
    notes: Vec<String>,
}

/// Replays one recording, up to its first difference.
///
/// # Errors
/// It cannot be read.
pub fn replay(path: &Path) -> Result<Replayed, Failure> {
    let mut recorded = Recorded::open(path)?;
    let mut tape = Tape::new(&recorded.robot.limits());
    let mut course = Course::default();
    let progress = Progress::new();
    progress.working(&format!("replaying {}", recorded.name()));
    while course.difference.is_none()
        && let Some(entry) = recorded.next_entry()?
    {
        match entry {
            Entry::Keyframe(state) => {
                course.keyframe_cycle = state.cycle_index;
                if let AtKeyframe::Held(answer) = tape.keyframe(&state) {
                    course.judge(answer, state.mono_ns);
                }
            }
            Entry::Telemetry(record) => course.cycle(&mut tape, &record),
            // The sequences of the records tell of the loss as well, the records of every event; a
            // message and a picture decide nothing.
            Entry::Loss(_) | Entry::Log(_) | Entry::Event(_) | Entry::Frame(_) => {}
        }
    }
    progress.done();
    let tally = tape.tally();
    let is_whole = tally.gaps == 0 && tally.missing == 0 && tally.not_comparable == 0;
    let verdict = if course.difference.is_some() {
        Verdict::Different
    } else if !is_whole || tally.identical == 0 {
        Verdict::NotComparable
    } else {
        Verdict::Identical
    };
    let mut notes = recorded.notes();
    notes.append(&mut course.notes);
    Ok(Replayed {
        verdict,
        episode: recorded.name(),
        robot: recorded.robot.name().to_owned(),
        build_id: format!("{:016x}", recorded.build_id()),
        from_cycle: course.from_cycle,
        cycles_identical: tally.identical,
        cycles_not_covered: tally.not_covered,
        cycles_not_comparable: tally.not_comparable,
        records_missing: tally.missing,
        keyframes_identical: tally.keyframes_identical,
        gaps: course.gaps,
        difference: course.difference,
        notes,
    })
}

impl Course {
    fn cycle(&mut self, tape: &mut Tape, record: &Telemetry) {
        let first_at = *self.first_at.get_or_insert(record.mono_ns);
        let before = *tape.tally();
        let answer = tape.cycle(record);
        let tally = tape.tally();
        if tally.gaps > before.gaps {
            self.gaps.push(Gap {
                at_s: seconds(record.mono_ns.since(first_at)),
                after_cycle: self.last_cycle,
                before_cycle: record.cycle_index,
                records_missing: tally.missing - before.missing,
                cycles_not_comparable: 0,
                why: None,
            });
        }
        self.last_cycle = record.cycle_index;
        match answer {
            Answer::Identical => {
                self.from_cycle.get_or_insert(self.keyframe_cycle);
            }
            Answer::NotComparable(why) => {
                if let Some(gap) = self.gaps.last_mut() {
                    gap.cycles_not_comparable += 1;
                    gap.why.get_or_insert_with(|| why.to_string());
                }
            }
            Answer::Different(_) => self.judge(answer, record.mono_ns),
        }
    }

    fn judge(&mut self, answer: Answer, at: MonoNs) {
        match answer {
            Answer::Identical => {}
            Answer::NotComparable(why) => {
                let words = format!("keyframe of cycle {}: {why}", self.keyframe_cycle);
                // One of another build or config says it all.
                if self.notes.is_empty() && self.first_at.is_some() {
                    self.notes.push(words);
                }
            }
            Answer::Different(found) => {
                self.difference = Some(Different {
                    cycle_index: found.cycle_index,
                    at_s: seconds(at.since(self.first_at.unwrap_or(at))),
                    field: found.field.to_string(),
                    recorded: found.recorded.to_string(),
                    replayed: found.replayed.to_string(),
                    more_fields: found.more,
                });
            }
        }
    }
}

/// The answer for people; with `colour`, the verdict is green or red.
#[must_use]
pub fn render(replayed: &Replayed, colour: bool) -> String {
    let mut out = Text::default();
    let cycles = counted(replayed.cycles_identical, "cycle");
    let (word, rest) = match (&replayed.difference, replayed.verdict) {
        (Some(difference), _) => (
            "different",
            format!(
                ": cycle {} ({:.3} s), {}",
                difference.cycle_index, difference.at_s, difference.field
            ),
        ),
        (None, Verdict::Identical) => ("identical", format!(": {cycles}, bit for bit")),
        (None, _) if replayed.cycles_identical == 0 => {
            ("not comparable", ": no cycle follows on a keyframe of this recording".to_owned())
        }
        (None, _) => (
            "not comparable",
            format!(
                " in {}, identical in {cycles}; missing: {}",
                counted(replayed.cycles_not_comparable, "cycle"),
                counted(replayed.records_missing, "record")
            ),
        ),
    };
    out.verdict(word, &rest, replayed.verdict == Verdict::Identical, colour);
    if let Some(difference) = &replayed.difference {
        out.row("recorded", &difference.recorded);
        out.row("the kernel says", &difference.replayed);
        if difference.more_fields > 0 {
            out.row(
                "more",
                &format!(
                    "in {} of that record",
                    counted(u64::from(difference.more_fields), "further field")
                ),
            );
        }
        out.row("identical before it", &cycles);
    }
    out.row("episode", &replayed.episode);
    out.row("robot", &format!("{}, recorded by build {}", replayed.robot, replayed.build_id));
    if let Some(cycle) = replayed.from_cycle {
        out.row(
            "from",
            &format!(
                "the keyframe after cycle {cycle}; before it {} not covered",
                counted(replayed.cycles_not_covered, "cycle")
            ),
        );
    }
    out.row(
        "keyframes",
        &format!(
            "{} equal to the state reached",
            counted(replayed.keyframes_identical, "further one")
        ),
    );
    for gap in replayed.gaps.iter().take(GAPS_TOLD) {
        out.row(
            "gap",
            &format!(
                "{:.3} s: {} missing between cycle {} and cycle {}; then {} not comparable{}",
                gap.at_s,
                counted(gap.records_missing, "record"),
                gap.after_cycle,
                gap.before_cycle,
                counted(gap.cycles_not_comparable, "cycle"),
                gap.why.as_ref().map_or(String::new(), |why| format!(" ({why})")),
            ),
        );
    }
    if replayed.gaps.len() > GAPS_TOLD {
        out.row("", &format!("and {} more gaps", replayed.gaps.len() - GAPS_TOLD));
    }
    for note in &replayed.notes {
        out.row("note", note);
    }
    out.into_string()
}

#[expect(clippy::cast_precision_loss, reason = "for people, to a millisecond")]
fn seconds(ns: u64) -> f64 {
    ns as f64 * 1e-9
}
