//! What was known before a cycle: each source's last good command, when each heartbeat last moved,
//! how many cycles were late. As the kernel remembers it, but from the recording alone.
//!
//! Decides nothing. Tests: evidence.rs, and the tests crate.

use rt_wire::{
    Class, Command, HEARTBEAT_SOURCES, KernelState, LATE_WINDOW_CYCLES, MonoNs, Outcome, Raw,
    SOURCES, Source, Telemetry,
};
use std::collections::VecDeque;

/// The last good command of a source.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Good {
    pub(super) command: Command,
    pub(super) received_at: MonoNs,
}

/// Everything before one cycle.
#[derive(Clone, Debug, Default)]
pub(super) struct Witness {
    /// In the order of [`SOURCES`]; `None` before the first.
    pub(super) good: [Option<Good>; SOURCES.len()],
    /// When each heartbeat last moved, and to what; in the order of [`HEARTBEAT_SOURCES`].
    moved: [Option<(MonoNs, u64)>; HEARTBEAT_SOURCES.len()],
    /// The newest cycles, newest last: which were late.
    late: VecDeque<bool>,
    /// The cycle before.
    pub(super) previous: Option<Outcome>,
    /// Sequences of the operator's requests in the cycle before.
    pub(super) operator_sequence: u64,
}

impl Witness {
    /// Takes a cycle in.
    pub(super) fn add(&mut self, record: &Telemetry) {
        let outcome = &record.outcome;
        let commands = self.good.iter_mut().zip(&record.inbox.commands).zip(outcome.classes);
        for ((good, inbox), class) in commands {
            if is_good(class) {
                *good = Some(Good { command: inbox.command, received_at: record.mono_ns });
            }
        }
        for (moved, heartbeat) in self.moved.iter_mut().zip(&record.inbox.heartbeats) {
            let known = moved.map_or(0, |(_, sequence)| sequence);
            if heartbeat.sequence != known {
                *moved = Some((record.mono_ns, heartbeat.sequence));
            }
        }
        self.late.push_back(outcome.late != 0);
        if self.late.len() > LATE_WINDOW_CYCLES as usize {
            self.late.pop_front();
        }
        self.previous = Some(*outcome);
        self.operator_sequence = record.inbox.operator.sequence;
    }

    /// Takes the kernel's own memory in: what came before the recording is known from it alone.
    pub(super) fn keyframe(&mut self, state: &KernelState) {
        for (good, accepted) in self.good.iter_mut().zip(&state.accepted) {
            if accepted.received_at != MonoNs(0) {
                let received_at = accepted.received_at;
                *good = Some(Good { command: accepted.command, received_at });
            }
        }
        let heard = state.monitors.heartbeat_moved_at.iter().zip(state.monitors.heartbeat_sequence);
        for (moved, (at, sequence)) in self.moved.iter_mut().zip(heard) {
            if *at != MonoNs(0) {
                *moved = Some((*at, sequence));
            }
        }
    }

    /// Who owned before.
    pub(super) fn owner(&self) -> Source {
        self.previous.and_then(|outcome| outcome.owner.get()).unwrap_or(Source::None)
    }

    /// The last good command of a source.
    pub(super) fn good_of(&self, source: Source) -> Option<Good> {
        self.good.get(source.index()?).copied().flatten()
    }

    /// How long the heartbeat at `place` has been silent at `now`.
    pub(super) fn silent_ns(&self, place: usize, now: MonoNs) -> Option<u64> {
        self.moved.get(place).copied().flatten().map(|(at, _)| now.since(at))
    }

    /// Late events in a row up to here, and within the window.
    pub(super) fn late_events(&self) -> (usize, usize) {
        let in_a_row = self.late.iter().rev().take_while(|late| **late).count();
        (in_a_row, self.late.iter().filter(|late| **late).count())
    }
}

pub(super) fn is_good(class: Raw<Class>) -> bool {
    matches!(class.get(), Some(Class::Good | Class::GoodAsking))
}
