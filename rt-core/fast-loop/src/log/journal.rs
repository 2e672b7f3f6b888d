//! What is worth a line: changes that a person would ask about, found in the cycle's own record.
//!
//! | Message | When |
//! |---|---|
//! | mode | it changed, with the causes of this cycle and those that are latched |
//! | causes | one began, and the mode stayed |
//! | authority | it changed hands |
//! | late event, missed releases | in each such cycle |
//! | drive errors, mirror | when they begin, and when driving works again |
//! | attach, seal, end | when they happen; logged where they do |
//!
//! It decides nothing but that, from what the kernel has answered; it must never format, and never
//! feed back into a cycle. Shown by: `tests/log/`, and the tests crate.

use super::causes::Causes;
use rt_wire::{Fault, FaultSet, IntegrityFlags, Mode, Outcome, Raw, Release, Source, Telemetry};

/// What was told last, so that a change is told once.
#[derive(Clone, Copy, Debug, Default)]
pub struct Journal {
    owner: Raw<Source>,
    causes: FaultSet,
    drive_errors: u32,
    integrity: IntegrityFlags,
}

impl Journal {
    /// Logs what this cycle has that the one before had not.
    pub fn tell(&mut self, record: &Telemetry) {
        let (outcome, observation) = (&record.outcome, &record.observation);
        self.tell_lateness(&record.release, outcome);
        if observation.integrity != self.integrity {
            defmt::error!("the kernel's memory holds what it never wrote: outputs safe");
        }
        match (self.drive_errors, observation.drive_error_count) {
            (0, 0) => {}
            (0, _) => defmt::error!("the board did not take the pulses"),
            (failures, 0) => {
                defmt::info!("the board takes pulses again, after {=u32} failures", failures)
            }
            _ => {}
        }
        self.tell_mode(outcome);
        if outcome.owner != self.owner {
            let (before, after) = (name(self.owner), name(outcome.owner));
            defmt::info!("authority {=str} -> {=str}", before, after);
        }
        self.owner = outcome.owner;
        self.causes = outcome.causes;
        self.drive_errors = observation.drive_error_count;
        self.integrity = observation.integrity;
    }

    fn tell_mode(&self, outcome: &Outcome) {
        if outcome.mode == outcome.previous_mode {
            // A late event has a message of its own.
            let told = self.causes.and(Fault::LateEvent, true);
            let begun = FaultSet(outcome.causes.0 & !told.0);
            if begun.stops() {
                defmt::warn!("causes began: {}", Causes::from(begun));
            } else if !begun.is_empty() {
                defmt::info!("causes began: {}", Causes::from(begun));
            }
            return;
        }
        let (before, after) = (mode_name(outcome.previous_mode), mode_name(outcome.mode));
        let (now, latched) = (Causes::from(outcome.causes), Causes::from(outcome.latched_causes));
        match outcome.mode.get() {
            Some(Mode::EStopLatched | Mode::Fault) | None => {
                defmt::error!(
                    "mode {=str} -> {=str}: causes {}, latched {}",
                    before,
                    after,
                    now,
                    latched
                );
            }
            Some(Mode::SafeStop) => {
                defmt::warn!(
                    "mode {=str} -> {=str}: causes {}, latched {}",
                    before,
                    after,
                    now,
                    latched
                );
            }
            Some(Mode::Boot | Mode::SelfTest | Mode::Disarmed | Mode::Arming | Mode::Active) => {
                defmt::info!(
                    "mode {=str} -> {=str}: causes {}, latched {}",
                    before,
                    after,
                    now,
                    latched
                );
            }
        }
    }

    fn tell_lateness(&self, release: &Release, outcome: &Outcome) {
        if outcome.late != 0 {
            let wakeup_ns = release.woke_at.since(release.release_time);
            let execution_ns = release.previous_finished_at.since(release.previous_woke_at);
            defmt::warn!(
                "late event: woke {=u64} ns after the release, the cycle before ran for {=u64} ns",
                wakeup_ns,
                execution_ns
            );
        }
        if release.missed_releases != 0 {
            defmt::warn!("{=u32} releases missed", release.missed_releases);
        }
    }
}

fn mode_name(mode: Raw<Mode>) -> &'static str {
    mode.get().map_or("?", Mode::name)
}

fn name(source: Raw<Source>) -> &'static str {
    source.get().map_or("?", Source::name)
}
