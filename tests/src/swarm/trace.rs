//! A cycle as a line, for the person who looks for a bug. Decides nothing. Tests: tests/swarm.rs.

use super::world::World;
use rt_wire::{Arrival, FaultSet, Mode, SOURCES};
use std::fmt::Write as _;

/// Lines in front of a failure.
pub(super) const LINES: u64 = 40;

/// The newest cycle in words.
#[must_use]
pub(super) fn line(at: u64, world: &World) -> String {
    let cycle = &world.cycle;
    let (release, outcome) = (&cycle.release, &cycle.outcome);
    let name = |mode: Option<Mode>| mode.map_or("?", Mode::name);
    let late_us = release.woke_at.since(release.release_time) / 1000;
    let mut line = format!(
        "{at:>8} {:>13.6} s +{late_us} us  {} > {}  level {} steering {:.3} {:?} owner {:?} \
         wheel {:.2} m/s",
        release.woke_at.0 as f64 / 1e9,
        name(outcome.previous_mode.get()),
        name(outcome.mode.get()),
        outcome.level,
        outcome.setpoint.steering,
        outcome.pulses,
        outcome.owner,
        cycle.observation.wheel.speed_m_per_s,
    );
    // A string takes any text.
    if outcome.causes != FaultSet::EMPTY {
        let causes: Vec<_> = outcome.causes.faults().map(|fault| fault.name()).collect();
        write!(line, "  causes {}", causes.join("+")).ok();
    }
    for (source, slot) in SOURCES.iter().zip(&cycle.inbox.commands) {
        if slot.arrival.get() != Some(Arrival::Absent) {
            let (command, point) = (&slot.command, &slot.command.points[0]);
            write!(
                line,
                "  {source:?} {:?} #{} flags {:#b} ({}, {})",
                slot.arrival, command.sequence, command.flags.0, point.steering, point.throttle
            )
            .ok();
        }
    }
    if world.faults.on.0 != 0 {
        write!(line, "  faults {}", world.faults.on.names()).ok();
    }
    if world.wall_off_ns != 0 {
        let off_s = world.wall_off_ns / 1_000_000_000;
        let began_s = world.sources.recorder.began_wall_ns / 1_000_000_000;
        write!(line, "  wall clock off by {off_s} s, episode of {began_s} s").ok();
    }
    if world.calm {
        line.push_str("  calm");
    }
    line
}
