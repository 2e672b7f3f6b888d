//! Why an arm request would be refused: every reason that holds, not the first.
//!
//! The machine answers yes or no; this module says why not, and decides nothing. The list is empty in
//! exactly those cycles in which the machine would arm. What names a source (late heartbeat, refused
//! commands, dead-man switch) is listed only where it explains that nobody owns, or that the owner is
//! stale: a source that is not needed forbids nothing. Shown by: `tests/control/kernel/arming.rs`,
//! `tests/control/properties.rs`.

use crate::classify::{age_max_ns, stale_ns};
use crate::machine::{self, Level};
use rt_wire::{
    AcceptedCommand, Class, CommandFlags, Fault, FaultSet, HEARTBEAT_SOURCES, HousekeepingFlags,
    Inbox, InterlockSet, Limits, LimitsFlags, Mode, MonoNs, Observation, SOURCES, Severity, Sign,
    Source, Validity,
};

/// What the list is made of, beside limits and inputs.
pub(crate) struct Facts<'a> {
    pub(crate) state: &'a machine::State,
    pub(crate) input: &'a machine::Input,
    /// Who will own after this cycle.
    pub(crate) owner: Source,
    /// The command of who owns, in a drive of who drove, has run out by the clock.
    pub(crate) lapsed: bool,
    pub(crate) causes: FaultSet,
    pub(crate) signs: &'a [Sign; HEARTBEAT_SOURCES.len()],
    pub(crate) accepted: &'a [AcceptedCommand; SOURCES.len()],
    pub(crate) now: MonoNs,
}

/// Causes that have an interlock of their own.
const NAMED: FaultSet = FaultSet::of(Fault::DisarmRequested)
    .and(Fault::DeadManReleased, true)
    .and(Fault::Overload, true)
    .and(Fault::OwnerStale, true);

/// E-stops that somebody asked for, or that the loop itself demands.
const ASSERTED: FaultSet = FaultSet::of(Fault::EstopLine)
    .and(Fault::EstopDiscrepancy, true)
    .and(Fault::EstopOperator, true)
    .and(Fault::EstopSource, true);

/// Conditions that forbid arming and nothing else: they must not stop a drive that runs.
pub(crate) fn before_a_drive(inbox: &Inbox, log_missing: bool, limits: &Limits) -> InterlockSet {
    let real = limits.flags.has(LimitsFlags::REAL_BOARD);
    let fixed = limits.throttle_min == limits.throttle_max;
    let capped = limits.level_forward_max == 0 && limits.level_reverse_max == 0;
    InterlockSet::EMPTY
        .with(InterlockSet::NOT_REALTIME, real && !is_realtime(inbox))
        .with(InterlockSet::LOG_MISSING, log_missing)
        .with(InterlockSet::NOT_SEALED, !is_sealed(inbox))
        .with(InterlockSet::NOT_CALIBRATED, fixed || capped)
}

/// Housekeeping's first word says so; before it nothing is known of how the loop runs.
pub(crate) fn is_sealed(inbox: &Inbox) -> bool {
    inbox.housekeeping.flags.has(HousekeepingFlags::SEALED)
}

/// Whether the loop runs with real-time priority in locked memory.
pub(crate) fn is_realtime(inbox: &Inbox) -> bool {
    let flags = inbox.housekeeping.flags;
    flags.has(HousekeepingFlags::REALTIME) && flags.has(HousekeepingFlags::MEMORY_LOCKED)
}

/// Every reason that holds in this cycle, added to `forbidden`.
pub(crate) fn list(
    facts: &Facts<'_>,
    forbidden: InterlockSet,
    observation: &Observation,
    inbox: &Inbox,
    limits: &Limits,
) -> InterlockSet {
    let Facts { state, input, owner, causes, .. } = *facts;
    let testing = matches!(state.mode, Mode::Boot | Mode::SelfTest);
    let armed = matches!(state.mode, Mode::Arming | Mode::Active | Mode::SafeStop);
    let readable = observation.lines.validity.get() == Some(Validity::Valid);
    let counted_late = input.late && state.late.raw().saturating_add(1) >= limits.late_consecutive;
    let mut serious = causes.of_severity(Severity::Stop);
    serious |= causes.of_severity(Severity::Estop);
    let asserted = FaultSet(causes.0 & ASSERTED.0);
    let degraded = FaultSet(serious.0 & !NAMED.0 & !ASSERTED.0);
    let nobody = owner == Source::None;
    let stale = !nobody && (facts.lapsed || is_counted_stale(facts, limits));
    let mut list = forbidden
        .with(InterlockSet::SELF_TEST_PENDING, testing)
        .with(InterlockSet::NOT_DISARMED, armed)
        .with(InterlockSet::ESTOP_LATCHED, state.mode == Mode::EStopLatched)
        .with(InterlockSet::FAULTED, state.mode == Mode::Fault || input.fatal)
        .with(InterlockSet::LINES_SILENT, !readable)
        .with(InterlockSet::ESTOP_ASSERTED, !asserted.is_empty())
        .with(InterlockSet::DEGRADED, !degraded.is_empty())
        .with(InterlockSet::OVERLOAD, counted_late || causes.contains(Fault::Overload))
        .with(InterlockSet::DISARM_HELD, input.disarm)
        .with(InterlockSet::NO_OWNER, nobody)
        .with(InterlockSet::OWNER_STALE, stale)
        .with(InterlockSet::OWNER_NOT_NEUTRAL, input.target != Level::NEUTRAL)
        .with(InterlockSet::DEAD_MAN_RELEASED, causes.contains(Fault::DeadManReleased))
        .with(InterlockSet::ARM_HELD, input.arm && state.arm_previous);
    if nobody || stale {
        list |= why_nobody_drives(facts, inbox, limits);
    }
    list
}

/// The machine's own count of the owner's age.
fn is_counted_stale(facts: &Facts<'_>, limits: &Limits) -> bool {
    let Some(place) = facts.owner.index() else { return false };
    let good = matches!(facts.input.classes.get(place), Some(Class::Good | Class::GoodAsking));
    let age = facts.state.ages.get(place).map(|age| age.raw().saturating_add(1));
    !good && age >= limits.stale_cycles.get(place).copied()
}

/// What keeps the sources that speak from owning.
fn why_nobody_drives(facts: &Facts<'_>, inbox: &Inbox, limits: &Limits) -> InterlockSet {
    let mut list = InterlockSet::EMPTY;
    let sources = inbox.commands.iter().zip(facts.accepted).zip(facts.signs).zip(SOURCES);
    for (((news, accepted), sign), source) in sources {
        let newest = &news.command;
        let speaks = facts.now.since(newest.mono_ns) <= age_max_ns(source, limits);
        let taken =
            newest.sequence == accepted.command.sequence && news.generation == accepted.generation;
        let silent = *sign != Sign::OnTime;
        let hears = facts.now.since(accepted.received_at) < stale_ns(source, limits);
        let lets_go = source == Source::Teleop
            && taken
            && hears
            && !accepted.command.flags.has(CommandFlags::DEAD_MAN);
        list = list
            .with(InterlockSet::HEARTBEAT_LATE, speaks && silent)
            .with(InterlockSet::COMMANDS_REFUSED, speaks && !silent && !taken)
            .with(InterlockSet::DEAD_MAN_RELEASED, lets_go);
    }
    list
}
