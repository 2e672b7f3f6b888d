//! The invariants of the state machine, one function each, on one cycle: (state, input) → (state',
//! output). The numbers are those of rt-core/README.md, section "The state machine".
//!
//! They say what must hold in words of their own and call nothing of the machine, so that a wrong
//! machine cannot agree with itself.

use rt_control::machine::{Input, Limits, Output, SelfTest, State, step};
use rt_wire::{Class, Mode, Source};

/// One cycle of the machine, and what is plain to see about it.
pub(crate) struct Case {
    pub(crate) limits: Limits,
    pub(crate) state: State,
    pub(crate) input: Input,
    pub(crate) next: State,
    pub(crate) output: Output,
    /// Ages after this cycle.
    ages: [u32; 3],
    /// Whom the authority rule names.
    rightful: Source,
    /// That is somebody, and not stale.
    fit: bool,
    overload: bool,
    /// Disarm, degraded or overload.
    stop: bool,
    /// Neither e-stop nor fatal pre-empts this cycle.
    ordinary: bool,
    arm_edge: bool,
    reset_edge: bool,
}

const fn rank(source: Source) -> u8 {
    match source {
        Source::None => 0,
        Source::Inference => 1,
        Source::Pilot => 2,
        Source::Teleop => 3,
    }
}

impl Case {
    /// Runs the machine for one cycle.
    #[inline]
    pub(crate) fn of(state: State, input: Input, limits: Limits) -> Self {
        let (next, output) = step(state, input, &limits);
        let age = |index: usize| match input.classes[index] {
            Class::Good | Class::GoodAsking => 0,
            Class::Absent | Class::Bad => limits.stale[index].min(state.ages[index].0 + 1),
        };
        let ages = [age(0), age(1), age(2)];
        let fresh = |source: Source| match source {
            Source::None => false,
            Source::Teleop => ages[0] < limits.stale[0],
            Source::Inference => ages[1] < limits.stale[1],
            Source::Pilot => ages[2] < limits.stale[2],
        };
        let rightful = rightful(&state, &input, fresh);
        let overload = input.late && state.late.0 + 1 >= limits.late;
        Self {
            limits,
            state,
            input,
            next,
            output,
            ages,
            rightful,
            fit: fresh(rightful),
            overload,
            stop: input.disarm || input.degraded || overload,
            ordinary: !input.estop && !input.fatal,
            arm_edge: input.arm && !state.arm_previous,
            reset_edge: input.reset && !state.reset_previous,
        }
    }

    fn from(&self, mode: Mode) -> bool {
        self.state.mode == mode
    }

    fn to(&self, mode: Mode) -> bool {
        self.next.mode == mode
    }
}

/// The authority rule, in other words than the machine's.
fn rightful(state: &State, input: &Input, fresh: impl Fn(Source) -> bool) -> Source {
    let [teleop, inference, pilot] = input.classes;
    let gives_up = match state.owner {
        Source::None => false,
        Source::Teleop => teleop == Class::Good,
        Source::Inference => inference == Class::Good,
        Source::Pilot => pilot == Class::Good,
    };
    let kept = if gives_up { Source::None } else { state.owner };
    let best = if teleop == Class::GoodAsking {
        Source::Teleop
    } else if pilot == Class::GoodAsking {
        Source::Pilot
    } else if inference == Class::GoodAsking {
        Source::Inference
    } else {
        return kept;
    };
    let outranks = rank(best) > rank(kept);
    match state.mode {
        Mode::Disarmed if kept == Source::None || outranks || !fresh(kept) => best,
        Mode::Active if kept != Source::None && outranks && fresh(kept) => best,
        _ => kept,
    }
}

macro_rules! invariants {
    ($($(#[doc = $text:literal])+ $name:ident |$case:ident| $holds:expr;)*) => {
        $($(#[doc = $text])+ #[inline] fn $name($case: &Case) -> bool { $holds })*

        /// The name of each.
        pub(crate) const NAMES: &[&str] = &[$(stringify!($name),)*];

        /// The first invariant that this cycle breaks.
        #[inline]
        pub(crate) fn broken(case: &Case) -> Option<&'static str> {
            $(if !$name(case) { return Some(stringify!($name)); })*
            None
        }
    };
}

invariants! {
    /// E-stop: latched or Fault, neutral, relay off, pump off, in the same cycle.
    i01_estop_stops_in_its_cycle |c| !c.input.estop
        || matches!(c.next.mode, Mode::EStopLatched | Mode::Fault)
            && c.next.level.0 == 0 && !c.output.relay && !c.output.pump;
    /// Fatal: Fault, neutral, relay off.
    i02_fatal_is_fault |c| !c.input.fatal
        || c.to(Mode::Fault) && c.next.level.0 == 0 && !c.output.relay;
    /// Fault is absorbing.
    i03_fault_is_for_ever |c| !c.from(Mode::Fault) || c.to(Mode::Fault);
    /// The latch leaves only to SelfTest, on a reset edge, with the e-stop released and nothing fatal.
    i04_latch_needs_a_reset_edge |c| !c.from(Mode::EStopLatched)
        || c.to(Mode::EStopLatched) || c.to(Mode::Fault)
        || c.to(Mode::SelfTest) && c.reset_edge && c.ordinary;
    /// Active only from Arming.
    i05_active_only_from_arming |c| !c.to(Mode::Active)
        || c.from(Mode::Active) || c.from(Mode::Arming);
    /// Arming only from Disarmed, on an arm edge, with nothing against it.
    i06_arming_needs_everything |c| !c.to(Mode::Arming) || c.from(Mode::Arming)
        || c.from(Mode::Disarmed) && c.arm_edge && !c.stop && c.fit
            && c.input.target.0 == 0;
    /// A non-neutral output only in Active or SafeStop, and only with the relay on.
    i07_output_only_while_driving |c| c.next.level.0 == 0
        || matches!(c.next.mode, Mode::Active | Mode::SafeStop) && c.output.relay;
    /// The output moves by one step a cycle at most in Active.
    i08_one_step_a_cycle |c| !(c.from(Mode::Active) && c.to(Mode::Active))
        || c.next.level.0.abs_diff(c.state.level.0) <= 1;
    /// SafeStop's output falls until it is neutral.
    i09_stop_falls |c| !(c.from(Mode::SafeStop) && c.to(Mode::SafeStop))
        || c.next.level.0 < c.state.level.0;
    /// The output grows only in Active, for a fit owner that asks for at least that much, on time.
    i10_grows_only_when_asked |c| c.next.level.0 <= c.state.level.0
        || c.to(Mode::Active) && c.fit && c.input.target.0 >= c.next.level.0
            && !c.input.late;
    /// Active implies an owner that is not stale.
    i11_active_has_a_fit_owner |c| !(c.to(Mode::Active)) || c.fit;
    /// Relay only in Arming, Active, SafeStop.
    i12_relay_only_armed |c| !c.output.relay
        || matches!(c.next.mode, Mode::Arming | Mode::Active | Mode::SafeStop);
    /// Disarm, degraded and overload take effect in the same cycle.
    i13_stop_in_its_cycle |c| !c.stop || !matches!(c.next.mode, Mode::Arming | Mode::Active);
    /// Boot has no predecessor.
    i14_boot_never_again |c| !c.to(Mode::Boot);
    /// SelfTest only from Boot or the latch.
    i15_self_test_from_boot_or_latch |c| !c.to(Mode::SelfTest)
        || matches!(c.state.mode, Mode::SelfTest | Mode::Boot | Mode::EStopLatched);
    /// Disarmed only from SelfTest, Arming, SafeStop.
    i16_disarmed_from_three |c| !c.to(Mode::Disarmed)
        || matches!(c.state.mode,
            Mode::Disarmed | Mode::SelfTest | Mode::Arming | Mode::SafeStop);
    /// SafeStop has a strictly falling rank.
    i17_stop_has_a_rank |c| !(c.from(Mode::SafeStop) && c.to(Mode::SafeStop))
        || (c.next.timer.0, c.next.level.0) < (c.state.timer.0, c.state.level.0);
    /// SafeStop ends within its timer.
    i18_stop_is_timed |c| !c.to(Mode::SafeStop)
        || if c.from(Mode::SafeStop) {
            c.next.timer.0 + 1 == c.state.timer.0
        } else {
            c.next.timer.0 == c.limits.safe_stop
        };
    /// Active never jumps to Disarmed.
    i19_active_ramps_first |c| !(c.from(Mode::Active) && c.to(Mode::Disarmed));
    /// The owner is the one that the authority rule names, or nobody.
    i20_owner_is_rightful |c| c.next.owner == Source::None
            && !matches!(c.next.mode, Mode::Disarmed | Mode::Arming | Mode::Active)
        || c.next.owner == c.rightful;
    /// Pump exactly when the relay is on and there is no overload.
    i21_pump_with_relay |c| c.output.pump == (c.output.relay && !c.overload);
    /// Pump only in Arming, Active, SafeStop.
    i22_pump_only_armed |c| !c.output.pump
        || matches!(c.next.mode, Mode::Arming | Mode::Active | Mode::SafeStop);
    /// Arming waits its whole timer.
    i23_arming_waits |c|
        (!(c.from(Mode::Arming) && c.to(Mode::Active)) || c.state.timer.0 == 0)
            && (!(c.from(Mode::Arming) && c.to(Mode::Arming))
                || c.next.timer.0 + 1 == c.state.timer.0)
            && (!(c.from(Mode::Disarmed) && c.to(Mode::Arming))
                || c.next.timer.0 == c.limits.arming);
    /// Edge memory is faithful; so are ages and the count of late events.
    i24_memory_is_faithful |c| c.next.reset_previous == c.input.reset
        && c.next.arm_previous == c.input.arm
        && (0..3).all(|index| c.next.ages[index].0 == c.ages[index])
        && c.next.late.0
            == if c.input.late { c.limits.late.min(c.state.late.0 + 1) } else { 0 };
    /// Boot goes on to SelfTest.
    i25_boot_ends |c| !(c.from(Mode::Boot) && c.ordinary) || c.to(Mode::SelfTest);
    /// A passed self-test goes on to Disarmed.
    i26_pass_is_disarmed |c|
        !(c.from(Mode::SelfTest) && c.ordinary && c.input.self_test == SelfTest::Pass)
            || c.to(Mode::Disarmed);
    /// A failed self-test is a Fault.
    i27_fail_is_fault |c|
        !(c.from(Mode::SelfTest) && c.ordinary && c.input.self_test == SelfTest::Fail)
            || c.to(Mode::Fault);
    /// An arm edge with every precondition arms.
    i28_arm_edge_arms |c|
        !(c.from(Mode::Disarmed) && c.ordinary && c.arm_edge && !c.stop
            && c.fit && c.input.target.0 == 0)
            || c.to(Mode::Arming);
    /// A timer that is out ends Arming.
    i29_arming_ends |c|
        !(c.from(Mode::Arming) && c.ordinary && !c.stop && c.fit
            && c.input.target.0 == 0 && c.state.timer.0 == 0)
            || c.to(Mode::Active);
    /// A command on time moves the output towards its target, and a late one moves nothing.
    i30_output_follows |c| !(c.from(Mode::Active) && c.to(Mode::Active))
        || c.next.level.0
            == if c.input.late {
                c.state.level.0
            } else {
                c.state.level.0 + (c.input.target.0 - c.state.level.0).signum()
            };
    /// A stop condition, a stale owner or none at all ramps an active car down.
    i31_doubt_stops |c|
        !(c.from(Mode::Active) && c.ordinary && (c.stop || !c.fit))
            || c.to(Mode::SafeStop);
    /// The same doubts, or throttle, end Arming.
    i32_doubt_ends_arming |c|
        !(c.from(Mode::Arming) && c.ordinary
            && (c.stop || !c.fit || c.input.target.0 != 0))
            || c.to(Mode::Disarmed);
    /// Release and a reset edge leave the latch.
    i33_reset_leaves_the_latch |c|
        !(c.from(Mode::EStopLatched) && c.ordinary && c.reset_edge) || c.to(Mode::SelfTest);
    /// A clean cycle clears the count of late events.
    i34_clean_cycle_clears |c| c.input.late || c.next.late.0 == 0;
    /// SafeStop ramps by exactly one step a cycle, from its first cycle on.
    i35_ramp_is_one_step |c| !c.to(Mode::SafeStop)
        || c.next.level.0 == (c.state.level.0 - 1).max(0);
    /// SafeStop ends exactly when the output is neutral or the timer is out.
    i36_stop_ends_exactly |c| !(c.from(Mode::SafeStop) && c.ordinary)
        || c.to(Mode::Disarmed) == (c.state.level.0 == 0 || c.state.timer.0 == 0);
    /// Outside Disarmed, Arming, Active nobody owns authority.
    i37_nobody_owns_a_stop |c| matches!(c.next.mode, Mode::Disarmed | Mode::Arming | Mode::Active)
        || c.next.owner == Source::None;
}
