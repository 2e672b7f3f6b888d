//! What the loop tells: one replayable cycle, and the keyframes from which replay can begin.
//!
//! A [`Telemetry`] record holds everything `Kernel::step` was given and everything it answered, so
//! that running the recorded inputs again must give the recorded outcome, bit for bit. Shown by:
//! tests/layout.rs, and the replays of rt-control's tests.

use crate::command::{AcceptedCommand, Arrival, Class, Command, SOURCES, Source};
use crate::fault::FaultSet;
use crate::heartbeat::{HEARTBEAT_SOURCES, Heartbeat, Sign};
use crate::mode::Mode;
use crate::observation::Observation;
use crate::operator::{EstopRequest, Housekeeping, OperatorRequest};
use crate::record::Raw;
use crate::sets::{InterlockSet, RuleSet};
use crate::units::{Microseconds, MonoNs};

record! {
    /// When this cycle was due and when it began, and what is known of the one before: a kernel
    /// without a clock can only account for a cycle once the next one begins.
    pub struct Release {
        /// Number of this cycle on the grid; skipped releases are counted in it.
        pub cycle_index: u64,
        /// The instant on the absolute grid at which this cycle was due.
        pub release_time: MonoNs,
        /// When the sleep returned (before any spinning).
        pub sleep_ended_at: MonoNs,
        /// When the cycle began.
        pub woke_at: MonoNs,
        /// When the previous cycle began.
        pub previous_woke_at: MonoNs,
        /// When the previous cycle had driven the pins.
        pub previous_driven_at: MonoNs,
        /// When the previous cycle had published its record.
        pub previous_finished_at: MonoNs,
        /// Releases skipped between the previous cycle and this one.
        pub missed_releases: u32,
        /// How long before the release the sleep was meant to end, in ns.
        pub spin_lead_ns: u32,
    }
}

record! {
    /// One source's command as it was copied in this cycle.
    pub struct InboxCommand {
        /// Sequence of the slot's write.
        pub slot_sequence: u64,
        /// The newest record that was copied; only where `arrival` is new does it count.
        pub command: Command,
        /// What the slot held.
        pub arrival: Raw<Arrival>,
        /// Rises with each attach of the source, whose sequences then begin anew.
        pub generation: u32,
    }
}

record! {
    /// Everything that other processes and threads said, copied once: one cycle sees one world.
    pub struct Inbox {
        /// Commands, in the order of [`SOURCES`].
        pub commands: [InboxCommand; SOURCES.len()],
        /// Newest heartbeats, in the order of [`HEARTBEAT_SOURCES`].
        pub heartbeats: [Heartbeat; HEARTBEAT_SOURCES.len()],
        /// Newest request of an operator.
        pub operator: OperatorRequest,
        /// Newest e-stop of an operator.
        pub estop: EstopRequest,
        /// Newest word of the housekeeping thread.
        pub housekeeping: Housekeeping,
    }
}

record! {
    /// The value that the loop pursues: what was asked, limited.
    pub struct Setpoint {
        /// Steering in [-1, 1], positive left.
        pub steering: f32,
        /// Throttle in [-1, 1], positive forward.
        pub throttle: f32,
    }
}

bit_set! {
    /// Digital outputs.
    pub struct PulseFlags {
        /// The motor relay's enable line.
        RELAY = 0;
        /// The heartbeat pin (the pump) is to toggle in this cycle.
        PUMP = 1;
    }
}

record! {
    /// What is driven: pulse widths and outputs.
    pub struct PulseFrame {
        /// Steering servo.
        pub steering: Microseconds,
        /// ESC.
        pub throttle: Microseconds,
        /// Digital outputs.
        pub flags: PulseFlags,
    }
}

record! {
    /// What the kernel decided in one cycle.
    pub struct Outcome {
        /// Mode after this cycle.
        pub mode: Raw<Mode>,
        /// Mode before this cycle.
        pub previous_mode: Raw<Mode>,
        /// Causes present in this cycle.
        pub causes: FaultSet,
        /// Causes latched since the last arming or self-test.
        pub latched_causes: FaultSet,
        /// Rules that changed the command.
        pub rules: RuleSet,
        /// Why arming would be refused now.
        pub interlocks: InterlockSet,
        /// Who owns authority after this cycle.
        pub owner: Raw<Source>,
        /// Throttle magnitude in levels.
        pub level: u32,
        /// What became of each source's command, in the order of [`SOURCES`].
        pub classes: [Raw<Class>; SOURCES.len()],
        /// Judgement of each heartbeat, in the order of [`HEARTBEAT_SOURCES`].
        pub signs: [Raw<Sign>; HEARTBEAT_SOURCES.len()],
        /// 1 where this cycle was a late event.
        pub late: u32,
        /// What the owner asks for in this cycle (zero where nobody owns).
        pub asked: Setpoint,
        /// What the loop pursues.
        pub setpoint: Setpoint,
        /// What is driven.
        pub pulses: PulseFrame,
    }
}

record! {
    /// One cycle, whole.
    pub struct Telemetry {
        /// Number of this record; rises by one with each.
        pub sequence: u64,
        /// Cycle that it tells of.
        pub cycle_index: u64,
        /// When it was made (the cycle's `woke_at`).
        pub mono_ns: MonoNs,
        /// When it was due and began.
        pub release: Release,
        /// What the board saw.
        pub observation: Observation,
        /// What the others said.
        pub inbox: Inbox,
        /// What was decided.
        pub outcome: Outcome,
    }
}

record! {
    /// Memory of the late-event ladder.
    pub struct LateLadder {
        /// One bit a cycle, newest lowest: which of the last cycles were late events.
        pub window: [u64; 16],
        /// Late events within the window.
        pub count: u32,
        /// Zero.
        pub reserved: u32,
    }
}

record! {
    /// Memory of the owner's implausible commands.
    pub struct BadBurst {
        /// When each of the newest ones came; 0 for none.
        pub at: [MonoNs; 3],
        /// The source that last owned authority: whose they are.
        pub owner: Raw<Source>,
        /// Zero.
        pub reserved: u32,
    }
}

record! {
    /// Memory of the command slots that were corrupt.
    pub struct DeadSources {
        /// Bit n: source n (order of [`SOURCES`]) is dead until it attaches again.
        pub dead: u32,
        /// The attach in which each slot was corrupt.
        pub generation: [u32; SOURCES.len()],
    }
}

record! {
    /// Memory of the runaway monitor: the coast-down it watches.
    pub struct CoastDown {
        /// When the wheel had `mm_per_s`; 0 while nothing is watched, or the wheel is driven.
        pub at: MonoNs,
        /// Since when the wheel is above its coast-down; 0 while it is not.
        pub above_since: MonoNs,
        /// The speed from which the coast-down is counted.
        pub mm_per_s: u32,
        /// 1 from the moment the relay is on until it is off and the wheel has come to rest.
        pub watched: u32,
    }
}

record! {
    /// Memory of the rules that look back over time, each a small monitor outside the machine.
    pub struct Monitors {
        /// Late events.
        pub late: LateLadder,
        /// The owner's implausible commands.
        pub bad: BadBurst,
        /// Corrupt command slots.
        pub dead: DeadSources,
        /// Wheel speed while the output is neutral.
        pub coast: CoastDown,
        /// Since when the throttle is on and the wheel is still; 0 while it turns.
        pub stall_since: MonoNs,
        /// Since when the battery is low; 0 while it is not.
        pub battery_low_since: MonoNs,
        /// Since when the chip is hot; 0 while it is not.
        pub temperature_high_since: MonoNs,
        /// Since when the supply is low; 0 while it is not.
        pub undervoltage_since: MonoNs,
        /// Since when the e-stop channels disagree; 0 while they agree.
        pub discrepancy_since: MonoNs,
        /// Since when the relay's feedback contradicts its command; 0 while it agrees.
        pub relay_mismatch_since: MonoNs,
        /// Since when the reset button is pressed; 0 while it is not, `u64::MAX` where nobody saw the
        /// press begin.
        pub reset_pressed_since: MonoNs,
        /// When each heartbeat last moved, in the order of [`HEARTBEAT_SOURCES`]; 0 for never.
        pub heartbeat_moved_at: [MonoNs; HEARTBEAT_SOURCES.len()],
        /// The sequence it moved to.
        pub heartbeat_sequence: [u64; HEARTBEAT_SOURCES.len()],
    }
}

record! {
    /// The kernel's whole memory: with it and the [`crate::Limits`] replay can begin anywhere.
    pub struct KernelState {
        /// Cycle after which it was taken.
        pub cycle_index: u64,
        /// When it was taken (that cycle's `woke_at`).
        pub mono_ns: MonoNs,
        /// Checksum of the [`crate::Limits`].
        pub config_hash: u64,
        /// Which build of the fast loop.
        pub build_id: u64,
        /// Last operator request acted on.
        pub operator_sequence: u64,
        /// Last e-stop request acted on.
        pub estop_sequence: u64,
        /// Since when the output is neutral; 0 while it is not.
        pub neutral_since: MonoNs,
        /// Last good command of each source, in the order of [`SOURCES`].
        pub accepted: [AcceptedCommand; SOURCES.len()],
        /// Memory of the monitors.
        pub monitors: Monitors,
        /// Mode.
        pub mode: Raw<Mode>,
        /// Who owns authority.
        pub owner: Raw<Source>,
        /// Cycles since each source's last good command, held at its limit.
        pub ages: [u32; SOURCES.len()],
        /// Throttle magnitude in levels.
        pub level: u32,
        /// Cycles left in Arming or SafeStop.
        pub timer: u32,
        /// Late events in a row, held at the limit.
        pub late_in_a_row: u32,
        /// Bit 0: previous reset level. Bit 1: previous arm level.
        pub edges: u32,
        /// 1 for reverse.
        pub reverse: u32,
        /// Causes latched since the last arming or self-test.
        pub latched_causes: FaultSet,
        /// Steering that is driven, in millionths of full lock, positive left.
        pub steering_micro: i32,
        /// Zero.
        pub reserved: u32,
    }
}

bit_set! {
    /// How the loop thread runs.
    pub struct HealthFlags {
        /// SCHED_FIFO.
        FIFO = 0;
        /// Memory locked.
        MEMORY_LOCKED = 1;
        /// Allocator sealed for the loop thread.
        SEALED = 2;
        /// Pinned to one core.
        PINNED = 3;
        /// `/dev/cpu_dma_latency` held at 0.
        DMA_LATENCY = 4;
        /// The core is isolated from the scheduler.
        ISOLATED = 5;
        /// The loop has ended on purpose.
        ENDED = 6;
        /// Memory is prefaulted.
        PREFAULTED = 7;
        /// The kernel ends the process at any system call of the loop thread that is not on its list.
        FILTERED = 8;
        /// No loop and no car: an episode is played (`continuon rlds play`).
        REPLAYED = 9;
    }
}

record! {
    /// The loop thread's counters since the seal, as the housekeeping thread reads them.
    pub struct Health {
        /// When they were read.
        pub mono_ns: MonoNs,
        /// Cycles run, and telemetry records published, since the seal.
        pub cycles: u64,
        /// Allocations by the loop thread since the seal.
        pub allocations: u64,
        /// Minor page faults since the seal.
        pub minor_faults: u64,
        /// Major page faults since the seal.
        pub major_faults: u64,
        /// Voluntary context switches since the seal (one a sleep).
        pub voluntary_switches: u64,
        /// Involuntary context switches since the seal.
        pub involuntary_switches: u64,
        /// Resident memory of the whole process in bytes.
        pub resident_bytes: u64,
        /// Which build of the fast loop.
        pub build_id: u64,
        /// When the board's neutral pulses were out, before the first cycle.
        pub neutral_at: MonoNs,
        /// Kernel thread id of the loop thread.
        pub loop_tid: u32,
        /// Process id.
        pub pid: u32,
        /// SCHED_FIFO priority; 0 without FIFO.
        pub priority: u32,
        /// The core the loop is pinned to; `u32::MAX` for none.
        pub cpu: u32,
        /// How it runs.
        pub flags: HealthFlags,
        /// Zero.
        pub reserved: u32,
    }
}
