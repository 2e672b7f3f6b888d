//! Who lets the motor have power: monostable, relay, battery.
//!
//! Decides whether the contact to the speed controller is closed. The relay's coil is driven by the
//! robot's relay pin *and* the monostable, which drops out when the heartbeat pin has not toggled for
//! `power.monostable_ms`; the mushroom button opens the motor circuit without any of them. It must
//! never keep power on for want of news. Tests: here, `tests/plant/`.

use super::params::Power;

/// Retriggerable monostable on the heartbeat pin.
///
/// The pin arrives as a count of edges, which polling cannot alias, plus its level. The count is
/// the truth; a level that does not fit it is counted as a mismatch and changes nothing.
#[derive(Debug, Clone)]
pub struct Monostable {
    hold_ns: u64,
    seen: Option<(u64, bool)>,
    last_edge_ns: Option<u64>,
    is_on: bool,
    mismatch_count: u64,
}

impl Monostable {
    /// Dropped out, nothing seen yet.
    pub fn new(hold_ns: u64) -> Self {
        Self { hold_ns, seen: None, last_edge_ns: None, is_on: false, mismatch_count: 0 }
    }

    /// Takes the pin as now read; returns the edges since the last reading. The first reading and a
    /// count that fell (its writer restarted) only set the reference.
    pub fn read(&mut self, edge_count: u64, level: bool) -> u64 {
        let Some((count, old_level)) = self.seen.replace((edge_count, level)) else {
            return 0;
        };
        let Some(edges) = edge_count.checked_sub(count) else {
            return 0;
        };
        if (edges % 2 == 1) != (level != old_level) {
            self.mismatch_count += 1;
        }
        edges
    }

    /// Advances to `now_ns`, which has seen an edge or has not.
    pub fn step(&mut self, now_ns: u64, edge: bool) {
        if edge {
            self.last_edge_ns = Some(now_ns);
        }
        self.is_on = self.last_edge_ns.is_some_and(|at| now_ns - at < self.hold_ns);
    }

    /// Whether it lets the relay be on.
    pub fn is_on(&self) -> bool {
        self.is_on
    }

    /// When the last edge came.
    pub fn last_edge_ns(&self) -> Option<u64> {
        self.last_edge_ns
    }

    /// How often level and count contradicted each other.
    pub fn mismatch_count(&self) -> u64 {
        self.mismatch_count
    }
}

/// A relay: the contact follows the coil after a while.
#[derive(Debug, Clone)]
pub struct Relay {
    close_after_ns: u64,
    open_after_ns: u64,
    opposed_ns: u64,
    is_closed: bool,
}

impl Relay {
    /// An open relay.
    pub fn new(params: &Power) -> Self {
        Self {
            close_after_ns: (params.relay_close_ms * 1e6) as u64,
            open_after_ns: (params.relay_open_ms * 1e6) as u64,
            opposed_ns: 0,
            is_closed: false,
        }
    }

    /// Advances by `step_ns` with the coil on or off.
    pub fn step(&mut self, coil_on: bool, step_ns: u64) {
        if coil_on == self.is_closed {
            self.opposed_ns = 0;
            return;
        }
        self.opposed_ns += step_ns;
        let after_ns = if coil_on { self.close_after_ns } else { self.open_after_ns };
        if self.opposed_ns >= after_ns {
            self.is_closed = coil_on;
            self.opposed_ns = 0;
        }
    }

    /// Whether the contact is closed.
    pub fn is_closed(&self) -> bool {
        self.is_closed
    }
}

/// Open-circuit voltage of a lithium polymer cell at 0, 10 … 100 % charge (usual published curve).
const CELL_V: [f64; 11] = [3.27, 3.61, 3.69, 3.71, 3.75, 3.80, 3.84, 3.91, 3.98, 4.08, 4.20];

/// The battery: voltage from charge, less what its resistance takes.
#[derive(Debug, Clone)]
pub struct Battery {
    cells: f64,
    capacity_as: f64,
    resistance_ohm: f64,
    electronics_a: f64,
    /// Charge over capacity, 0 to 1.
    pub charge: f64,
    voltage_v: f64,
}

impl Battery {
    /// A rested battery.
    pub fn new(params: &Power) -> Self {
        let mut battery = Self {
            cells: params.cells.round(),
            capacity_as: params.capacity_ah * 3600.0,
            resistance_ohm: params.resistance_ohm,
            electronics_a: params.electronics_a,
            charge: params.charge_at_start,
            voltage_v: 0.0,
        };
        battery.voltage_v = battery.source_v();
        battery
    }

    /// Voltage with only the electronics drawing.
    pub fn source_v(&self) -> f64 {
        let at = self.charge * 10.0;
        let below = (at as usize).min(9);
        let cell_v = CELL_V[below] + (CELL_V[below + 1] - CELL_V[below]) * (at - below as f64);
        (self.cells * cell_v - self.resistance_ohm * self.electronics_a).max(0.0)
    }

    /// Gives `motor_a` to the motor for `step_s`.
    pub fn step(&mut self, motor_a: f64, step_s: f64) {
        self.voltage_v = (self.source_v() - self.resistance_ohm * motor_a).max(0.0);
        let drawn = (motor_a + self.electronics_a) * step_s / self.capacity_as;
        self.charge = (self.charge - drawn).max(0.0);
    }

    /// Voltage at the terminals.
    pub fn voltage_v(&self) -> f64 {
        self.voltage_v
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plant::PlantParams;

    #[test]
    fn monostable_holds_for_its_time_after_an_edge_and_no_longer() {
        let mut monostable = Monostable::new(30_000_000);
        monostable.step(0, false);
        assert!(!monostable.is_on(), "off before the first edge");
        monostable.step(1_000_000, true);
        monostable.step(30_500_000, false);
        assert!(monostable.is_on());
        monostable.step(31_000_000, false);
        assert!(!monostable.is_on());
        monostable.step(32_000_000, true);
        assert!(monostable.is_on(), "an edge brings it back");
    }

    #[test]
    fn edge_count_tells_edges_that_the_level_hides() {
        let mut monostable = Monostable::new(30_000_000);
        assert_eq!(monostable.read(100, true), 0, "the first reading is the reference");
        assert_eq!(monostable.read(102, true), 2, "two edges, same level");
        assert_eq!(monostable.read(102, true), 0, "stuck high");
        assert_eq!(monostable.read(103, false), 1);
        assert_eq!(monostable.mismatch_count(), 0);
        assert_eq!(monostable.read(103, true), 0, "a level alone is no edge");
        assert_eq!(monostable.mismatch_count(), 1);
        assert_eq!(monostable.read(3, true), 0, "its writer restarted");
        assert_eq!(monostable.read(4, false), 1);
    }

    #[test]
    fn relay_contact_follows_its_coil_after_its_delays() {
        let mut relay = Relay::new(&PlantParams::donkey_1_10().power);
        for step in 1..=20 {
            relay.step(true, 500_000);
            assert_eq!(relay.is_closed(), step >= 20, "step {step}");
        }
        for step in 1..=10 {
            relay.step(false, 500_000);
            assert_eq!(relay.is_closed(), step < 10, "step {step}");
        }
    }

    #[test]
    fn battery_sags_under_load_and_empties_with_use() {
        let params = PlantParams::donkey_1_10().power;
        let mut battery = Battery::new(&params);
        let rested = battery.voltage_v();
        battery.step(20.0, 1e-3);
        assert!((rested - battery.voltage_v() - 0.4).abs() < 0.01, "20 A through 20 mOhm");
        for _ in 0..3600 {
            battery.step(4.0, 1.0);
        }
        assert_eq!(battery.charge, 0.0);
        assert!(battery.voltage_v() > 6.0 && battery.voltage_v() < 6.6);
    }
}
