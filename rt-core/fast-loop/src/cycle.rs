//! The loop: at every release it reads, judges, drives and tells, in that order, and then sleeps.
//!
//! It runs at its own pace and never answers anyone. From the seal on it makes no system call but
//! `clock_nanosleep` and the board's own (the kernel ends the process at any other, `filter.rs`), takes
//! no lock, allocates nothing and touches no page for the first time. It never returns: at its end it
//! leaves a word at the gate and parks. It decides nothing: that is the kernel's. Shown by: the tests below, and
//! the tests crate.

use crate::clock;
use crate::counters::Counters;
use crate::filter::Filter;
use crate::gate::{self, Gate, LastWord};
use crate::grid::Grid;
use crate::inlets::Inlets;
use crate::log::{self, journal::Journal};
use crate::mirror::Mirror;
use crate::sealed_alloc;
use crate::spin::Spin;
use rt_board::Board;
use rt_control::Kernel;
use rt_ring::RingWriter;
use rt_wire::{HousekeepingFlags, KernelState, Mode, MonoNs, Outcome, Release, Telemetry};

/// Everything that the loop thread owns.
pub struct Loop<B> {
    /// Drives the pins.
    pub board: B,
    /// Decides.
    pub kernel: Kernel,
    /// Finds a bit that flipped in the kernel between two cycles.
    pub mirror: Mirror,
    /// What the others say.
    pub inlets: Inlets,
    /// Where every cycle is told.
    pub telemetry: RingWriter<'static, Telemetry>,
    /// Where the kernel's memory is told.
    pub keyframes: RingWriter<'static, KernelState>,
    /// How long before each release it wakes.
    pub spin: Spin,
    /// Consecutive failures to drive, up to now.
    pub drive_errors: u32,
}

/// All that a cycle writes but its rings, in whole pages of its own on the loop thread's stack: few pages
/// to hold, and nothing else on them.
#[repr(C, align(4096))]
struct OwnPages<B> {
    state: Loop<B>,
    record: Telemetry,
}

/// What is known of the loop thread when it has ended on purpose.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ended {
    /// Counters from the seal to its end, both read by housekeeping.
    pub counters: Counters,
    /// Cycles run.
    pub cycles: u64,
    /// Whether the outputs are safe.
    pub safe: bool,
}

/// Nanoseconds between two keyframes.
const KEYFRAME_PERIOD_NS: u64 = 1_000_000_000;

/// Distance of the first release from the start, so that no start is late.
const FIRST_RELEASE_NS: u64 = 2_000_000;

impl<B: Board> Loop<B> {
    /// Runs until housekeeping says that the process shall end and the car stands; then parks. The
    /// thread seals itself, enters the filter, if there is one, and waits at the gate before its first
    /// cycle. `before_seal` runs last before the seal.
    pub fn run(self, filter: Option<&Filter>, gate: &Gate, before_seal: impl FnOnce()) -> ! {
        let limits = *self.kernel.limits();
        let mut pages = OwnPages { state: self, record: Telemetry::default() };
        let OwnPages { state, record } = &mut pages;
        // One whole pass without driving: code and data are touched before the first release.
        state.inlets.copy(&mut record.inbox, &mut state.board);
        state.board.read(clock::now(), &mut record.observation);

        before_seal();
        sealed_alloc::seal();
        // What came of it is said by housekeeping, which may speak.
        gate.wait(filter.map_or(Err(0), Filter::enter));
        log::set_cycle(0, clock::now());
        defmt::info!("sealed: period {=u64} ns, nothing allocates from here on", limits.period_ns);

        let grid = Grid::new(clock::now().plus(FIRST_RELEASE_NS).0, limits.period_ns);
        state.cycles(record, grid);
        let safe = state.board.safe(clock::now()).is_ok();
        defmt::info!(
            "ended after {=u64} cycles, outputs safe: {=bool}",
            state.telemetry.published(),
            safe
        );
        gate.end(LastWord { cycles: state.telemetry.published(), safe });
        gate::park()
    }

    /// Everything between the seal and the end. A function of its own also in the executable, where
    /// `cargo xtask symbols` begins to look at what the loop reaches.
    #[inline(never)]
    fn cycles(&mut self, record: &mut Telemetry, mut grid: Grid) {
        let mut journal = Journal::default();
        let mut due = grid.next(0);
        let mut keyframe_due_at = MonoNs(0);
        loop {
            let release = self.wait_for(due.release_ns, &record.release);
            record.release =
                Release { cycle_index: due.cycle_index, missed_releases: due.missed, ..release };
            log::set_cycle(due.cycle_index, release.woke_at);
            let driven_at = self.judge_and_drive(record);
            self.tell(record, &mut keyframe_due_at);
            journal.tell(record);

            let finished_at = clock::now();
            record.release.previous_driven_at = driven_at;
            record.release.previous_finished_at = finished_at;
            if ends_here(&record.inbox.housekeeping.flags, &record.outcome) {
                break;
            }
            due = grid.next(finished_at.0);
        }
    }

    /// Sleeps until shortly before the release, and spins the rest.
    fn wait_for(&mut self, release_ns: u64, previous: &Release) -> Release {
        let lead_ns = self.spin.lead_ns();
        let wake_at = MonoNs(release_ns.saturating_sub(lead_ns));
        let asleep = clock::now() < wake_at;
        clock::sleep_until(wake_at);
        let sleep_ended_at = clock::now();
        if asleep {
            self.spin.observe(sleep_ended_at.since(wake_at));
        }
        let mut woke_at = sleep_ended_at;
        while woke_at.0 < release_ns {
            std::hint::spin_loop();
            woke_at = clock::now();
        }
        Release {
            release_time: MonoNs(release_ns),
            sleep_ended_at,
            woke_at,
            previous_woke_at: previous.woke_at,
            previous_driven_at: previous.previous_driven_at,
            previous_finished_at: previous.previous_finished_at,
            spin_lead_ns: u32::try_from(lead_ns).unwrap_or(u32::MAX),
            ..Release::default()
        }
    }

    /// Reads, judges and drives; says when the pins were driven.
    fn judge_and_drive(&mut self, record: &mut Telemetry) -> MonoNs {
        let now = record.release.woke_at;
        self.board.read(now, &mut record.observation);
        self.inlets.copy(&mut record.inbox, &mut self.board);
        // After the board, whose word these are not.
        record.observation.drive_error_count = self.drive_errors;
        record.observation.integrity =
            self.mirror.compare(self.kernel.state(), self.kernel.limits());
        record.outcome = self.kernel.step(&record.release, &record.observation, &record.inbox);
        self.mirror.refresh(self.kernel.state());
        let driven = if record.observation.integrity.is_empty() {
            self.board.drive(record.release.cycle_index, now, &record.outcome.pulses)
        } else {
            // The neutral pulse of damaged limits may be none: the board has its own.
            self.board.safe(now)
        };
        // Judged in the next cycle, as part of what is observed then.
        self.drive_errors = if driven.is_ok() { 0 } else { self.drive_errors.saturating_add(1) };
        clock::now()
    }

    /// Publishes the cycle, and the kernel's memory once a second and at each change of mode.
    fn tell(&mut self, record: &mut Telemetry, keyframe_due_at: &mut MonoNs) {
        let now = record.release.woke_at;
        record.sequence = self.telemetry.published().wrapping_add(1);
        record.cycle_index = record.release.cycle_index;
        record.mono_ns = now;
        self.telemetry.publish(record);
        if record.outcome.mode != record.outcome.previous_mode || now >= *keyframe_due_at {
            self.keyframes.publish(self.kernel.state());
            *keyframe_due_at = now.plus(KEYFRAME_PERIOD_NS);
        }
    }
}

/// Whether the process was told to end and nothing drives any more.
fn ends_here(flags: &HousekeepingFlags, outcome: &Outcome) -> bool {
    let at_rest = !outcome.mode.get().is_some_and(Mode::relay_allowed);
    flags.has(HousekeepingFlags::SHUTDOWN) && at_rest
}

#[cfg(test)]
mod tests;
