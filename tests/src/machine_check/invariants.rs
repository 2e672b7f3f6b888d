//! The invariants of the state machine, one function each, on one cycle: (state, input) → (state',
//! output).
//!
//! This is the table of them: number and name, the planted bug of `tests/sabotage/` that this very
//! invariant catches, and what must hold. Each is asked of every state of the product, reachable or
//! not: none of them rests on what can be reached, so none of them falls if a bit of memory flips
//! (that it is *noticed* is the mirror's work). Why they must hold: rt-core/README.md, section "The
//! state machine". Tests: `exhaustive_small`, at the end of the macro.

use super::case::Case;
use rt_control::machine::SelfTest;
use rt_wire::{Mode, Source};

/// An invariant's name and the planted bug that it catches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invariant {
    /// Its number and what it says.
    pub name: &'static str,
    /// A patch in `tests/sabotage/`, without its ending.
    pub caught: &'static str,
}

macro_rules! invariants {
    ($($(#[doc = $text:literal])+ $name:ident [$bug:literal] |$case:ident| $holds:expr;)*) => {
        $($(#[doc = $text])+ #[inline(always)] fn $name($case: &Case<'_>) -> bool { $holds })*

        /// Every invariant of one cycle, in order of its number.
        pub const INVARIANTS: &[Invariant] =
            &[$(Invariant { name: stringify!($name), caught: $bug },)*];

        /// The invariants that this cycle breaks: bit `k` is `INVARIANTS[k]`.
        #[inline(always)]
        pub(super) fn broken(case: &Case<'_>) -> u64 {
            let mut broken = 0;
            let mut bit = 1;
            $(if !$name(case) { broken |= bit; } bit <<= 1;)*
            let _last = bit;
            broken
        }

        /// Every reachable state with every input under small limits: a test for each invariant, so
        /// that a planted bug shows which one catches it.
        #[cfg(test)]
        mod exhaustive_small {
            $(#[test] fn $name() { crate::machine_check::small::assert_kept(stringify!($name)); })*
        }
    };
}

invariants! {
    /// E-stop: latched or Fault, neutral, relay off, pump off, in the same cycle.
    i01_estop_stops_in_its_cycle ["estop-ignored-while-arming"] |c| !c.input.estop
        || matches!(c.next.mode, Mode::EStopLatched | Mode::Fault)
            && c.next.level.raw() == 0 && !c.output.relay && !c.output.pump;
    /// Fatal: Fault, neutral, relay off.
    i02_fatal_is_fault ["fatal-ignored-when-latched"] |c| !c.input.fatal
        || c.to(Mode::Fault) && c.next.level.raw() == 0 && !c.output.relay;
    /// Fault is absorbing.
    i03_fault_is_for_ever ["estop-leads-out-of-fault"] |c|
        !c.from(Mode::Fault) || c.to(Mode::Fault);
    /// The latch leaves only to SelfTest, on a reset edge, with the e-stop released and nothing fatal.
    i04_latch_needs_a_reset_edge ["reset-on-level"] |c| !c.from(Mode::EStopLatched)
        || c.to(Mode::EStopLatched) || c.to(Mode::Fault) && c.input.fatal
        || c.to(Mode::SelfTest) && c.reset_edge && c.ordinary;
    /// Active only from Arming.
    i05_active_only_from_arming ["takeover-in-safe-stop"] |c| !c.to(Mode::Active)
        || c.from(Mode::Active) || c.from(Mode::Arming);
    /// Arming only from Disarmed, on an arm edge, with nothing against it.
    i06_arming_needs_everything ["arm-on-level"] |c| !c.to(Mode::Arming) || c.from(Mode::Arming)
        || c.from(Mode::Disarmed) && c.arm_edge && !c.stop && c.facts.fit
            && c.input.target.raw() == 0;
    /// A non-neutral output only in Active or SafeStop, and only with the relay on.
    i07_output_only_while_driving ["throttle-left-in-disarmed"] |c| c.next.level.raw() == 0
        || matches!(c.next.mode, Mode::Active | Mode::SafeStop) && c.output.relay;
    /// The output moves by one step a cycle at most in Active.
    i08_one_step_a_cycle ["slew-of-two"] |c| !(c.from(Mode::Active) && c.to(Mode::Active))
        || c.next.level.raw().abs_diff(c.state.level.raw()) <= 1;
    /// SafeStop's output falls until it is neutral.
    i09_stop_falls ["stop-holds-its-throttle"] |c| !(c.from(Mode::SafeStop) && c.to(Mode::SafeStop))
        || c.next.level.raw() < c.state.level.raw();
    /// The output grows only in Active, for a fit owner that asks for at least that much, on time.
    i10_grows_only_when_asked ["throttle-creeps-up"] |c| c.next.level.raw() <= c.state.level.raw()
        || c.to(Mode::Active) && c.facts.fit && c.input.target.raw() >= c.next.level.raw()
            && !c.input.late;
    /// Active implies an owner that is not stale.
    i11_active_has_a_fit_owner ["stale-owner-drives-on"] |c| !(c.to(Mode::Active)) || c.facts.fit;
    /// Relay only in Arming, Active, SafeStop.
    i12_relay_only_armed ["relay-on-in-disarmed"] |c| !c.output.relay
        || matches!(c.next.mode, Mode::Arming | Mode::Active | Mode::SafeStop);
    /// Disarm, degraded and overload take effect in the same cycle.
    i13_stop_in_its_cycle ["degraded-ignored-in-active"] |c|
        !c.stop || !matches!(c.next.mode, Mode::Arming | Mode::Active);
    /// Boot has no predecessor.
    i14_boot_never_again ["reset-reboots"] |c| !c.to(Mode::Boot);
    /// SelfTest only from Boot or the latch.
    i15_self_test_from_boot_or_latch ["reset-tests-a-disarmed-car"] |c| !c.to(Mode::SelfTest)
        || matches!(c.state.mode, Mode::SelfTest | Mode::Boot | Mode::EStopLatched);
    /// Disarmed only from SelfTest, Arming, SafeStop.
    i16_disarmed_from_three ["latch-falls-back-to-disarmed"] |c| !c.to(Mode::Disarmed)
        || matches!(c.state.mode,
            Mode::Disarmed | Mode::SelfTest | Mode::Arming | Mode::SafeStop);
    /// SafeStop has a strictly falling rank.
    i17_stop_has_a_rank ["stop-never-ends"] |c| !(c.from(Mode::SafeStop) && c.to(Mode::SafeStop))
        || (c.next.timer.raw(), c.next.level.raw()) < (c.state.timer.raw(), c.state.level.raw());
    /// SafeStop ends within its timer.
    i18_stop_is_timed ["stop-timer-stands-still"] |c| !c.to(Mode::SafeStop)
        || if c.from(Mode::SafeStop) {
            c.next.timer.raw() + 1 == c.state.timer.raw()
        } else {
            c.next.timer.raw() == c.limits.safe_stop
        };
    /// Active never jumps to Disarmed.
    i19_active_ramps_first ["disarm-cuts-the-ramp"] |c|
        !(c.from(Mode::Active) && c.to(Mode::Disarmed));
    /// The owner is the one that the authority rule names, or nobody.
    i20_owner_is_rightful ["lower-rank-takes-over"] |c| c.next.owner == Source::None
            && !matches!(c.next.mode, Mode::Disarmed | Mode::Arming | Mode::Active)
        || c.next.owner == c.facts.rightful;
    /// Pump exactly when the relay is on and there is no overload.
    i21_pump_with_relay ["pump-on-during-overload"] |c|
        c.output.pump == (c.output.relay && !c.overload);
    /// Pump only in Arming, Active, SafeStop.
    i22_pump_only_armed ["pump-without-relay"] |c| !c.output.pump
        || matches!(c.next.mode, Mode::Arming | Mode::Active | Mode::SafeStop);
    /// Arming waits its whole timer.
    i23_arming_waits ["arming-skips-its-timer"] |c|
        (!(c.from(Mode::Arming) && c.to(Mode::Active)) || c.state.timer.raw() == 0)
            && (!(c.from(Mode::Arming) && c.to(Mode::Arming))
                || c.next.timer.raw() + 1 == c.state.timer.raw())
            && (!(c.from(Mode::Disarmed) && c.to(Mode::Arming))
                || c.next.timer.raw() == c.limits.arming);
    /// Edge memory is faithful; so are ages and the count of late events.
    i24_memory_is_faithful ["age-never-counts"] |c| c.next.reset_previous == c.input.reset
        && c.next.arm_previous == c.input.arm
        && (0..3).all(|index| c.next.ages[index].raw() == c.facts.ages[index])
        && c.next.late.raw()
            == if c.input.late { c.limits.late.min(c.state.late.raw() + 1) } else { 0 };
    /// Boot goes on to SelfTest.
    i25_boot_ends ["boot-waits"] |c| !(c.from(Mode::Boot) && c.ordinary) || c.to(Mode::SelfTest);
    /// A passed self-test goes on to Disarmed.
    i26_pass_is_disarmed ["pass-is-not-enough"] |c|
        !(c.from(Mode::SelfTest) && c.ordinary && c.input.self_test == SelfTest::Pass)
            || c.to(Mode::Disarmed);
    /// A failed self-test is a Fault.
    i27_fail_is_fault ["failed-self-test-is-tried-again"] |c|
        !(c.from(Mode::SelfTest) && c.ordinary && c.input.self_test == SelfTest::Fail)
            || c.to(Mode::Fault);
    /// An arm edge with every precondition arms.
    i28_arm_edge_arms ["only-teleop-may-be-armed"] |c|
        !(c.from(Mode::Disarmed) && c.ordinary && c.arm_edge && !c.stop
            && c.facts.fit && c.input.target.raw() == 0)
            || c.to(Mode::Arming);
    /// A timer that is out ends Arming.
    i29_arming_ends ["arming-never-ends"] |c|
        !(c.from(Mode::Arming) && c.ordinary && !c.stop && c.facts.fit
            && c.input.target.raw() == 0 && c.state.timer.raw() == 0)
            || c.to(Mode::Active);
    /// A command on time moves the output towards its target, and a late one moves nothing.
    i30_output_follows ["late-cycle-moves-output"] |c| !(c.from(Mode::Active) && c.to(Mode::Active))
        || c.next.level.raw()
            == if c.input.late {
                c.state.level.raw()
            } else {
                c.state.level.raw() + (c.input.target.raw() - c.state.level.raw()).signum()
            };
    /// A stop condition, a stale owner or none at all ramps an active car down.
    i31_doubt_stops ["released-owner-drives-on"] |c|
        !(c.from(Mode::Active) && c.ordinary && (c.stop || !c.facts.fit))
            || c.to(Mode::SafeStop);
    /// The same doubts, or throttle, end Arming.
    i32_doubt_ends_arming ["throttle-ignored-while-arming"] |c|
        !(c.from(Mode::Arming) && c.ordinary
            && (c.stop || !c.facts.fit || c.input.target.raw() != 0))
            || c.to(Mode::Disarmed);
    /// Release and a reset edge leave the latch.
    i33_reset_leaves_the_latch ["latch-never-opens"] |c|
        !(c.from(Mode::EStopLatched) && c.ordinary && c.reset_edge) || c.to(Mode::SelfTest);
    /// A clean cycle clears the count of late events.
    i34_clean_cycle_clears ["late-events-never-forgotten"] |c|
        c.input.late || c.next.late.raw() == 0;
    /// SafeStop ramps by exactly one step a cycle, from its first cycle on.
    i35_ramp_is_one_step ["safe-stop-jumps"] |c| !c.to(Mode::SafeStop)
        || c.next.level.raw() == (c.state.level.raw() - 1).max(0);
    /// SafeStop ends exactly when the output is neutral or the timer is out.
    i36_stop_ends_exactly ["safe-stop-without-timer"] |c| !(c.from(Mode::SafeStop) && c.ordinary)
        || c.to(Mode::Disarmed) == (c.state.level.raw() == 0 || c.state.timer.raw() == 0);
    /// Outside Disarmed, Arming, Active nobody owns authority.
    i37_nobody_owns_a_stop ["ownership-kept-through-stop"] |c|
        matches!(c.next.mode, Mode::Disarmed | Mode::Arming | Mode::Active)
        || c.next.owner == Source::None;
}
