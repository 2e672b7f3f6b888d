//! The mirror beside a driven kernel: it finds every flipped bit, and never one that did not flip.

use fast_loop::mirror::Mirror;
use rt_config::Robot;
use rt_control::Kernel;
use rt_wire::{
    Arrival, Battery, Command, CommandFlags, Fault, HousekeepingFlags, Inbox, IntegrityFlags,
    KernelState, Limits, LineSet, Lines, Mode, MonoNs, Observation, OperatorKind, Outcome,
    PulseFlags, Raw, Record, Release, Source, Temperature, Validity, fnv1a,
};
use std::collections::BTreeSet;

const MS: u64 = 1_000_000;
const LATENCY_NS: u64 = 20_000;

/// A kernel that is driven, with its mirror.
struct Driven {
    kernel: Kernel,
    mirror: Mirror,
    release: Release,
    observation: Observation,
    inbox: Inbox,
}

fn limits() -> Limits {
    Robot::resolve("sim-donkey").expect("a built-in robot").limits()
}

impl Driven {
    fn new() -> Self {
        let kernel = Kernel::new(&limits(), 7);
        let valid = Raw::new(Validity::Valid);
        let observation = Observation {
            lines: Lines { validity: valid, ..Lines::default() },
            battery: Battery { volts: 7.8, validity: valid, ..Battery::default() },
            temperature: Temperature { celsius: 45.0, validity: valid, ..Temperature::default() },
            ..Observation::default()
        };
        let mut inbox = Inbox::default();
        inbox.housekeeping.flags = HousekeepingFlags::SEALED
            | HousekeepingFlags::REALTIME
            | HousekeepingFlags::MEMORY_LOCKED;
        let start = MonoNs(10_000 * MS);
        Self {
            mirror: Mirror::new(kernel.state(), kernel.limits()),
            kernel,
            release: Release { release_time: start, woke_at: start, ..Release::default() },
            observation,
            inbox,
        }
    }

    /// In Active, owned by the pilot, with throttle and steering on.
    fn active() -> Self {
        let mut driven = Self::new();
        driven.until(Mode::Disarmed);
        driven.command(0.0, 0.0);
        driven.ask(OperatorKind::Arm);
        driven.until(Mode::Active);
        for _ in 0..20 {
            driven.command(0.4, 0.3);
            driven.cycle();
        }
        assert!(driven.kernel.state().level > 0, "it drives");
        driven
    }

    fn until(&mut self, mode: Mode) {
        for cycle in 0.. {
            assert!(cycle < 5_000, "it comes to {}", mode.name());
            if self.cycle().mode.get() == Some(mode) {
                break;
            }
            if cycle % 10 == 0 {
                self.command(0.0, 0.0);
            }
        }
    }

    fn command(&mut self, steering: f32, throttle: f32) {
        let slot = &mut self.inbox.commands[Source::Pilot.index().expect("a source")];
        let made = self.release.woke_at;
        let sequence = slot.command.sequence + 1;
        slot.command = Command::plain(sequence, made, made.plus(900 * MS), steering, throttle);
        slot.command.flags = CommandFlags::ASKS_AUTHORITY;
        slot.slot_sequence += 1;
        slot.arrival = Raw::new(Arrival::New);
    }

    fn ask(&mut self, kind: OperatorKind) {
        self.inbox.operator.sequence += 1;
        self.inbox.operator.kind = Raw::new(kind);
        self.inbox.operator.mono_ns = self.release.woke_at;
    }

    /// The next cycle on time, as the loop runs it.
    fn cycle(&mut self) -> Outcome {
        self.next_inputs();
        self.observation.integrity = self.mirror.compare(self.kernel.state(), self.kernel.limits());
        let outcome = self.kernel.step(&self.release, &self.observation, &self.inbox);
        self.mirror.refresh(self.kernel.state());
        for command in &mut self.inbox.commands {
            command.arrival = Raw::new(Arrival::Absent);
        }
        outcome
    }

    fn next_inputs(&mut self) {
        let before = self.release;
        let release_time = before.release_time.plus(self.kernel.limits().period_ns);
        self.release = Release {
            cycle_index: before.cycle_index + 1,
            release_time,
            sleep_ended_at: release_time,
            woke_at: release_time.plus(LATENCY_NS),
            previous_woke_at: before.woke_at,
            previous_driven_at: before.woke_at.plus(LATENCY_NS),
            previous_finished_at: before.woke_at.plus(2 * LATENCY_NS),
            ..Release::default()
        };
        for heartbeat in &mut self.inbox.heartbeats {
            heartbeat.sequence += 1;
        }
    }

    /// What the next cycle makes of it where the kernel holds `state` and `limits`. `None` where
    /// no kernel can be made of them: the hash of its limits is in its memory.
    fn after_a_flip(&mut self, state: &KernelState, limits: &Limits) -> Option<Outcome> {
        let mut kernel = Kernel::resume(limits, state)?;
        let mut observation = self.observation;
        observation.integrity = self.mirror.compare(kernel.state(), kernel.limits());
        Some(kernel.step(&self.release, &observation, &self.inbox))
    }
}

fn bits<T>() -> usize {
    size_of::<T>() * 8
}

/// A copy of a record with one bit changed.
fn flipped<T: Record>(record: &T, bit: usize) -> T {
    let mut copy = *record;
    copy.as_mut_bytes()[bit / 8] ^= 1 << (bit % 8);
    copy
}

fn hash<T: Record>(record: &T) -> u64 {
    fnv1a(0, record.as_bytes())
}

fn is_fault(outcome: &Outcome) -> bool {
    outcome.mode.get() == Some(Mode::Fault)
        && outcome.causes.contains(Fault::KernelMirror)
        && outcome.pulses.flags == PulseFlags::EMPTY
        && outcome.level == 0
}

#[test]
fn every_flipped_bit_of_the_kernels_memory_is_a_fault_in_the_next_cycle() {
    let mut driven = Driven::active();
    let (state, limits) = (*driven.kernel.state(), *driven.kernel.limits());
    driven.next_inputs();
    let mut stepped = 0;
    for bit in 0..bits::<KernelState>() {
        let flipped = flipped(&state, bit);
        let found = driven.mirror.compare(&flipped, &limits);
        assert_eq!(found, IntegrityFlags::MIRROR_MISMATCH, "bit {bit}");
        if let Some(outcome) = driven.after_a_flip(&flipped, &limits) {
            assert!(is_fault(&outcome), "bit {bit}: {outcome:?}");
            assert_eq!(outcome.pulses.throttle, limits.throttle_neutral, "bit {bit}");
            stepped += 1;
        }
    }
    // All but the 64 of the hash of its limits.
    assert_eq!(stepped, bits::<KernelState>() - 64);
}

#[test]
fn every_flipped_bit_of_the_limits_is_a_fault_in_the_next_cycle() {
    let mut driven = Driven::active();
    let (state, limits) = (*driven.kernel.state(), *driven.kernel.limits());
    driven.next_inputs();
    for bit in 0..bits::<Limits>() {
        let flipped = flipped(&limits, bit);
        let found = driven.mirror.compare(&state, &flipped);
        assert_eq!(found, IntegrityFlags::MIRROR_MISMATCH, "bit {bit}");
        // A kernel is made of limits and their hash only: so the memory has that hash here, and is
        // mirrored with it. What is found are the limits.
        let state = KernelState { config_hash: hash(&flipped), ..state };
        driven.mirror.refresh(&state);
        let outcome = driven.after_a_flip(&state, &flipped).expect("its own limits");
        assert!(is_fault(&outcome), "bit {bit}: {outcome:?}");
    }
}

#[test]
fn memory_that_is_cleared_is_found() {
    let driven = Driven::active();
    let found = driven.mirror.compare(&KernelState::default(), driven.kernel.limits());
    assert_eq!(found, IntegrityFlags::MIRROR_MISMATCH);
    let found = driven.mirror.compare(driven.kernel.state(), &Limits::default());
    assert_eq!(found, IntegrityFlags::MIRROR_MISMATCH);
}

#[test]
fn mismatch_is_a_fault_in_that_step_whatever_the_mode() {
    let mut driven = Driven::active();
    let (state, limits) = (*driven.kernel.state(), *driven.kernel.limits());
    driven.next_inputs();
    // Every number that memory can hold, known or not, and with every other input at its quietest.
    for mode in (0..16).chain([u32::MAX]) {
        let changed = KernelState { mode: Raw::from_bits(mode), ..state };
        if changed != state {
            let outcome = driven.after_a_flip(&changed, &limits).expect("same limits");
            assert!(is_fault(&outcome), "mode {mode}: {outcome:?}");
        }
    }
}

/// Numbers that look random and are the same in every run (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }

    /// In [-1, 1].
    fn part(&mut self) -> f32 {
        f32::from(i16::try_from(self.below(2001)).expect("small") - 1000) / 1000.0
    }
}

#[test]
fn kernel_that_is_driven_wildly_never_differs_from_its_mirror() {
    let mut driven = Driven::new();
    let mut dice = Dice(4711);
    let mut modes = BTreeSet::new();
    for cycle in 0..200_000 {
        if dice.below(10) == 0 {
            let (steering, throttle) = (dice.part(), dice.part());
            // Long spells of a still hand, or nobody would ever arm.
            let still = cycle / 2_000 % 2 == 0;
            driven.command(steering, if still { 0.0 } else { throttle });
        }
        if dice.below(300) == 0 {
            driven.ask([OperatorKind::Arm, OperatorKind::Reset][dice.below(2) as usize]);
        }
        if dice.below(20_000) == 0 {
            driven.ask(OperatorKind::Disarm);
        }
        let pressed = driven.observation.lines.set.has(LineSet::ESTOP_A_OPEN);
        if dice.below(if pressed { 500 } else { 10_000 }) == 0 {
            let both = LineSet::ESTOP_A_OPEN | LineSet::ESTOP_B_OPEN;
            driven.observation.lines.set = if pressed { LineSet::EMPTY } else { both };
        }
        let outcome = driven.cycle();
        modes.insert(outcome.mode.bits());
        assert_eq!(driven.observation.integrity, IntegrityFlags::EMPTY, "cycle {cycle}");
    }
    let seen = |mode| modes.contains(&Raw::new(mode).bits());
    for mode in [Mode::Disarmed, Mode::Arming, Mode::Active, Mode::SafeStop, Mode::EStopLatched] {
        assert!(seen(mode), "{} was never tried", mode.name());
    }
    assert!(!seen(Mode::Fault));
}
