//! A whole kernel driven by hand: from boot to driving and back, and all that must stop it.

mod arming;
mod commands;
mod driving;
mod estop;
mod silence;
mod stops;

use crate::support::Rig;
use rt_wire::{Class, Outcome, Rule, Source};

/// Something that happens between two cycles.
type Event = fn(&mut Rig);

fn has_rule(outcome: &Outcome, rule: Rule) -> bool {
    outcome.rules.0 >> rule as u32 & 1 != 0
}

/// What became of a source's news in this cycle.
fn class(outcome: &Outcome, source: Source) -> Class {
    outcome.classes[source.index().unwrap()].get().unwrap()
}
