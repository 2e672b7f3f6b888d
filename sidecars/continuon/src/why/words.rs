//! Rules and authority in sentences.
//!
//! Decides words only. Tests: below.

use super::witness::{Witness, is_good};
use rt_wire::{Class, Limits, Mode, Rule, RuleSet, SOURCES, Source, Telemetry};

/// What a rule did to the command.
fn meaning(rule: Rule) -> &'static str {
    match rule {
        Rule::ThrottleCap => {
            "the owner asked for more than limits.throttle_max or reverse_max: capped"
        }
        Rule::ThrottleSlew => "the throttle moves one step a cycle (limits.throttle_slew_per_s)",
        Rule::SteeringSlew => {
            "the steering moves by its slew limit a cycle (limits.steering_slew_per_s)"
        }
        Rule::DirectionAtNeutral => "forward and reverse change places only at neutral",
        Rule::HeldNeutral => "not Active: the throttle is neutral, whatever is asked",
        Rule::Ramp => "controlled stop: the throttle ramps to neutral, one step a cycle",
        Rule::SteeringHeld => "the steering is held while the car slows down",
        Rule::SteeringCentred => {
            "neutral for long enough (limits.centre_after_ms): the steering goes to the centre"
        }
        Rule::HeldLate => "a late cycle: the output was held, not moved",
    }
}

/// Every rule of the set, in order of its bit.
pub(super) fn rules(set: RuleSet) -> Vec<super::Rule> {
    Rule::ALL
        .iter()
        .filter(|rule| set.has(RuleSet(1 << **rule as u32)))
        .map(|rule| super::Rule { name: rule.name(), meaning: meaning(*rule) })
        .collect()
}

/// Why the owner after `record` is who it is.
pub(super) fn owner_because(record: &Telemetry, before: &Witness, limits: &Limits) -> String {
    let outcome = &record.outcome;
    let owner = outcome.owner.get().unwrap_or(Source::None);
    let owned = before.owner();
    let class = |source: Source| {
        source.index().and_then(|place| outcome.classes.get(place)).and_then(|class| class.get())
    };
    let ladder = "teleop before pilot before inference";
    match (owned, owner) {
        (Source::None, Source::None) => match outcome.mode.get() {
            Some(Mode::Disarmed | Mode::Arming | Mode::Active) => {
                "no source claims authority".to_owned()
            }
            Some(mode) => format!("nobody may own in {mode}"),
            None => "the mode means nothing".to_owned(),
        },
        (Source::None, _) => format!("it claimed authority, and nobody had it ({ladder})"),
        (owned, Source::None) if class(owned) == Some(Class::Good) => {
            format!("{owned} gave it up: its command no longer claims authority")
        }
        (owned, Source::None) => match outcome.mode.get() {
            Some(mode) => format!("{owned} had it; {mode} takes it from everybody"),
            None => format!("{owned} had it"),
        },
        (owned, owner) if owned == owner => match age(record, before, owner) {
            _ if class(owner) == Some(Class::GoodAsking) => {
                "it has authority, and claims it again in this cycle".to_owned()
            }
            Some(age_ns) => format!(
                "it has authority; its last good command is {:.1} ms old, stale from {:.0} ms on",
                super::milliseconds(age_ns),
                super::milliseconds(stale_ns(limits, owner))
            ),
            None => "it has authority".to_owned(),
        },
        (owned, owner) if owner.rank() > owned.rank() => {
            format!("it claimed authority and ranks above {owned} ({ladder})")
        }
        (owned, _) => format!("{owned} was stale or gave authority up, and it claimed it"),
    }
}

/// Age of a source's last good command, this cycle's included.
pub(super) fn age(record: &Telemetry, before: &Witness, source: Source) -> Option<u64> {
    let place = source.index()?;
    if record.outcome.classes.get(place).is_some_and(|class| is_good(*class)) {
        return Some(0);
    }
    before.good_of(source).map(|good| record.mono_ns.since(good.received_at))
}

/// From this age on a source's last good command is stale.
pub(super) fn stale_ns(limits: &Limits, source: Source) -> u64 {
    let cycles = source.index().and_then(|place| limits.stale_cycles.get(place)).copied();
    u64::from(cycles.unwrap_or(0)).saturating_mul(limits.period_ns)
}

/// The sources with their places.
pub(super) fn sources() -> impl Iterator<Item = (usize, Source)> {
    SOURCES.into_iter().enumerate()
}

#[cfg(test)]
mod tests {
    use super::{Witness, owner_because, rules};
    use rt_wire::{Class, Limits, Mode, Rule, RuleSet, Source, Telemetry};

    fn record(owner: Source, mode: Mode, pilot: Class) -> Telemetry {
        let mut record = Telemetry::default();
        record.outcome.owner = owner.into();
        record.outcome.mode = mode.into();
        record.outcome.classes[2] = pilot.into();
        record
    }

    #[test]
    fn every_rule_has_a_sentence_of_its_own() {
        let all =
            Rule::ALL.iter().fold(RuleSet::EMPTY, |set, rule| set | RuleSet(1 << *rule as u32));
        let mut told: Vec<_> = rules(all).iter().map(|rule| rule.meaning).collect();
        assert_eq!(told.len(), Rule::ALL.len());
        told.sort_unstable();
        told.dedup();
        assert_eq!(told.len(), Rule::ALL.len());
        assert_eq!(rules(RuleSet::RAMP)[0].name, "ramp");
    }

    #[test]
    fn who_owns_is_told_with_its_reason() {
        let mut before = Witness::default();
        before.add(&record(Source::Pilot, Mode::Active, Class::GoodAsking));
        let because = |before: &Witness, owner, mode, pilot| {
            owner_because(&record(owner, mode, pilot), before, &Limits::default())
        };
        for (owner, mode, pilot, words) in [
            (Source::Pilot, Mode::Active, Class::GoodAsking, "claims it again"),
            (Source::Pilot, Mode::Active, Class::Absent, "its last good command is"),
            (Source::None, Mode::SafeStop, Class::Absent, "SafeStop takes it from everybody"),
            (Source::None, Mode::Disarmed, Class::Good, "pilot gave it up"),
            (
                Source::Teleop,
                Mode::Active,
                Class::Absent,
                "it claimed authority and ranks above pilot",
            ),
            (Source::Inference, Mode::Disarmed, Class::Absent, "pilot was stale"),
        ] {
            let told = because(&before, owner, mode, pilot);
            assert!(told.contains(words), "{told}, expected: {words}");
        }
        let nobody = Witness::default();
        let told = because(&nobody, Source::Pilot, Mode::Disarmed, Class::GoodAsking);
        assert!(told.contains("nobody had it"), "{told}");
        let told = because(&nobody, Source::None, Mode::EStopLatched, Class::Absent);
        assert!(told.contains("nobody may own in EStopLatched"), "{told}");
    }
}
