//! Does anything hang on the age of a source that does not own authority?
//!
//! A walk shows that in one cycle a bystander's *command* changes nothing but that bystander's own
//! age. Here the other half: states that differ in nothing but bystanders' ages answer every input
//! alike (mode, owner, level and every output). Both together give, cycle by cycle, what is promised:
//! a source that never owns and never wins a claim has no effect on a whole run.
//!
//! A claim is news and so has no age, which is why this holds. Tests: `small` in this folder.

use super::space::{CROWDS, Space, crowds};
use super::walk::{Pace, join, visible};
use rt_control::machine::{Count, Input, State, step};
use rt_wire::SOURCES;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The name under which a report speaks of it, and the planted bug that it catches.
pub const AGES: (&str, &str) = ("bystanders_ages_change_nothing", "silent-teleop-stops-others");

/// What was compared.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Comparison {
    /// States that were compared with one that differs in bystanders' ages alone.
    pub states: usize,
    /// Inputs that were tried in each.
    pub inputs: usize,
    /// Answers that differ.
    pub violations: u64,
    /// One of them, in words.
    pub example: Option<String>,
}

/// Compares each of these states (by number; every one of the product if there is no list) with its
/// like in which every bystander has just spoken.
#[must_use]
pub fn compare_ages(space: &Space, states: Option<&[u32]>, pace: &Pace) -> Comparison {
    let all: Vec<u32>;
    let states = if let Some(states) = states {
        states
    } else {
        all = (0..space.product() as u32).collect();
        &all
    };
    let mut likes: Vec<(usize, usize)> = states
        .iter()
        .filter_map(|index| {
            let index = *index as usize;
            Some((space.index(&fresh_bystanders(space.state(index)))?, index))
        })
        .collect();
    likes.sort_unstable();
    let groups: Vec<&[(usize, usize)]> = likes.chunk_by(|a, b| a.0 == b.0).collect();
    let cursor = AtomicUsize::new(0);
    let done = AtomicUsize::new(0);
    let rests = space.rests();
    let work = || {
        let (mut violations, mut example) = (0, None);
        // ORDER: none needed: both counters only hand out and count.
        while let Some(group) = groups.get(cursor.fetch_add(1, Ordering::Relaxed)) {
            let answers = |index: usize| answers(space, &rests, index);
            let expected: Vec<u32> = answers(group[0].0).map(|(_, _, told)| told).collect();
            for (_, index) in *group {
                for ((state, input, told), expected) in answers(*index).zip(&expected) {
                    if told != *expected {
                        violations += 1;
                        example.get_or_insert_with(|| format!("{state:?} + {input:?}"));
                    }
                }
            }
            // ORDER: none needed, as above.
            let before = done.fetch_add(group.len(), Ordering::Relaxed);
            if let Some(progress) = pace.progress
                && before / 4096 != (before + group.len()) / 4096
            {
                progress(AGES.0, before + group.len(), states.len());
            }
        }
        (violations, example)
    };
    let found: Vec<(u64, Option<String>)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..pace.threads()).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(join).collect()
    });
    Comparison {
        states: states.len(),
        inputs: rests.len() * CROWDS,
        violations: found.iter().map(|(violations, _)| violations).sum(),
        example: found.into_iter().find_map(|(_, example)| example),
    }
}

fn answers(
    space: &Space,
    rests: &[Input],
    index: usize,
) -> impl Iterator<Item = (State, Input, u32)> {
    let state = space.state(index);
    rests.iter().flat_map(move |rest| {
        crowds().map(|classes| {
            let input = Input { classes, ..*rest };
            let (next, output) = step(state, input, &space.limits);
            (state, input, visible(&next, &output))
        })
    })
}

fn fresh_bystanders(mut state: State) -> State {
    for (age, source) in state.ages.iter_mut().zip(SOURCES) {
        if state.owner != source {
            *age = Count::ZERO;
        }
    }
    state
}
