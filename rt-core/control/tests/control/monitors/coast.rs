//! Runaway, alone: every short sequence against a rule without memory, ordinary coast-downs of every
//! kind that must never trip it, and true runaways that must.

use super::sequences::{at, every_sequence};
use crate::support::{Dice, MS, limits};
use rt_control::monitors::runaway::is_running_away;
use rt_control::monitors::wheel::Wheel;
use rt_wire::{CoastDown, Limits, MonoNs};

/// One cycle's inputs: relay, driven, wheel.
type Cycle = (bool, bool, Wheel);

const STEP_MS: u64 = 300;
/// What 300 mm/s² take off in a step.
const FALL: u32 = 90;

/// Whether the monitor still watches at `t`: the relay is on, or has not been off with a still wheel.
fn is_watched(cycles: &[Cycle]) -> bool {
    let Some(on) = cycles.iter().rposition(|(relay, ..)| *relay) else { return false };
    !cycles[on + 1..].iter().any(|(.., wheel)| matches!(wheel, Wheel::MmPerS(0..=50)))
}

/// Whether the wheel is above the coast-down at the end of a stretch without drive.
fn is_above(stretch: &[Cycle]) -> bool {
    let last = stretch.len() - 1;
    match stretch[last].2 {
        Wheel::Unknown => false,
        Wheel::Garbage => true,
        Wheel::MmPerS(speed) => stretch[..last].iter().enumerate().any(|(i, (.., wheel))| {
            let Wheel::MmPerS(earlier) = wheel else { return false };
            speed > earlier.saturating_sub(FALL * (last - i) as u32) + 300
        }),
    }
}

fn expected(cycles: &[Cycle]) -> bool {
    let free = |n: usize| is_watched(&cycles[..n]) && !cycles[n - 1].1;
    let from = (1..=cycles.len()).rev().take_while(|n| free(*n)).last();
    let Some(from) = from else { return false };
    let stretch = &cycles[from - 1..];
    // Above at each of the last three steps: 600 ms.
    stretch.len() >= 3 && (0..3).all(|back| is_above(&stretch[..stretch.len() - back]))
}

#[test]
fn a_runaway_is_found_exactly_where_the_rule_says_so() {
    let mut limits = limits();
    limits.runaway_after_ns = 2 * STEP_MS * MS;
    let wheels = [
        Wheel::Unknown,
        Wheel::Garbage,
        // Just still, and just not.
        Wheel::MmPerS(50),
        Wheel::MmPerS(51),
        Wheel::MmPerS(1000),
        Wheel::MmPerS(1261),
    ];
    let drives = [(false, false), (true, false), (true, true)];
    let symbols: Vec<Cycle> = drives
        .iter()
        .flat_map(|(relay, driven)| wheels.map(|wheel| (*relay, *driven, wheel)))
        .collect();
    let mut tripped = 0;
    every_sequence(&symbols, 5, |cycles| {
        let mut memory = CoastDown::default();
        for (t, (relay, driven, wheel)) in cycles.iter().enumerate() {
            let now = at(t, STEP_MS);
            let found = is_running_away(&mut memory, *relay, *driven, *wheel, now, &limits);
            assert_eq!(found, expected(&cycles[..=t]), "{cycles:?} at {t}");
            tripped += u32::from(found);
        }
    });
    assert!(tripped > 1000, "{tripped}");
}

#[test]
fn a_wheel_at_exactly_its_margin_is_not_above_it() {
    for (speed, is_above) in [(1000 - FALL + 300, false), (1000 - FALL + 301, true)] {
        let mut memory = CoastDown::default();
        for (t, wheel) in [Wheel::MmPerS(1000), Wheel::MmPerS(speed)].into_iter().enumerate() {
            is_running_away(&mut memory, true, false, wheel, at(t, STEP_MS), &limits());
        }
        assert_eq!(memory.above_since != MonoNs(0), is_above, "{speed} mm/s");
    }
}

/// Acceleration without drive, at a speed.
type Accel = fn(f64) -> f64;

/// A car that coasts, cycle by cycle; how long until the monitor trips, if it does within `seconds`.
struct Coast {
    speed_m_per_s: f64,
    /// Acceleration without drive; negative slows down.
    accel_m_per_s2: Accel,
    /// The ESC goes on pushing for this long, weaker and weaker.
    lag_ms: u64,
    /// The encoder's noise, uniform, either way.
    noise_m_per_s: f64,
    /// Whether the relay stays on.
    relay: bool,
}

impl Coast {
    fn trips_after_ms(&self, seconds: u64, limits: &Limits, dice: &mut Dice) -> Option<u64> {
        let (mut memory, mut speed) = (CoastDown::default(), self.speed_m_per_s);
        let mut wheel = Wheel::MmPerS(0);
        is_running_away(&mut memory, true, true, wheel, MonoNs(MS), limits);
        for ms in 0..seconds * 1000 {
            let rest = self.lag_ms.saturating_sub(ms) as f64 / self.lag_ms.max(1) as f64;
            let accel = (self.accel_m_per_s2)(speed) + 8.0 * rest;
            speed = (speed + accel * 0.001).max(0.0);
            // 100 Hz, 4000 counts a metre.
            if ms % 10 == 0 {
                let unit = dice.below(2001) as f64 / 1000.0 - 1.0;
                let noisy = if speed > 0.0 { speed + unit * self.noise_m_per_s } else { 0.0 };
                let counts = (noisy.abs() * 40.0).floor() / 40.0;
                wheel = Wheel::MmPerS((counts * 1000.0) as u32);
            }
            let now = MonoNs((2 + ms) * MS);
            if is_running_away(&mut memory, self.relay, false, wheel, now, limits) {
                return Some(ms);
            }
        }
        None
    }
}

#[test]
fn an_ordinary_coast_down_never_trips_from_any_speed() {
    // The plant of hil/params/donkey-1-10.json without drag brake: rolling resistance, dry and
    // viscous friction, 3.74 kg. The same at its estimates' other end: carpet to smooth floor, new
    // gears. And a car that is no better than the limit itself.
    let floors: [Accel; 3] = [
        |speed| -(0.04 * 9.81 + (2.0 + 0.5 * speed) / 3.74),
        |speed| -(0.02 * 9.81 + (1.0 + 0.1 * speed) / 3.74),
        |_| -0.3,
    ];
    let dice = &mut Dice(1);
    for accel_m_per_s2 in floors {
        for tenths in 0..60 {
            for (lag_ms, relay) in [(0, true), (70, true), (70, false)] {
                let speed_m_per_s = f64::from(tenths) / 10.0;
                let coast =
                    Coast { speed_m_per_s, accel_m_per_s2, lag_ms, noise_m_per_s: 0.05, relay };
                assert_eq!(
                    coast.trips_after_ms(12, &limits(), dice),
                    None,
                    "{speed_m_per_s} m/s, lag {lag_ms} ms, relay {relay}"
                );
            }
        }
    }
}

#[test]
fn a_wheel_that_speeds_up_or_will_not_slow_down_trips_soon() {
    let dice = &mut Dice(2);
    // (acceleration, within ms: the margin of 0.3 m/s at that rate over 0.3 m/s², then 0.5 s)
    let ways: [(Accel, u64); 4] = [
        (|_| 3.0, 650),
        (|_| 0.5, 950),
        (|_| 0.0, 1600),
        (|speed| if speed > 1.5 { -1.0 } else { 0.0 }, 3800),
    ];
    for (accel_m_per_s2, within_ms) in ways {
        for speed_m_per_s in [0.5, 1.0, 1.6, 3.0] {
            for relay in [true, false] {
                let coast =
                    Coast { speed_m_per_s, accel_m_per_s2, lag_ms: 0, noise_m_per_s: 0.02, relay };
                let tripped = coast.trips_after_ms(8, &limits(), dice);
                let soon = tripped.is_some_and(|ms| (500..=within_ms).contains(&ms));
                assert!(soon, "{speed_m_per_s} m/s: {tripped:?}, not within {within_ms}");
            }
        }
    }
}

#[test]
fn no_memory_and_no_time_panics() {
    let instants = [0, 1, u64::MAX / 2, u64::MAX];
    let mut limits = limits();
    for limit in [0, 300, u32::MAX] {
        limits.coast_down_min_mm_per_s2 = limit;
        limits.runaway_margin_mm_per_s = limit;
        for (at, now) in instants.iter().flat_map(|at| instants.map(|now| (*at, now))) {
            for speed in [0, 51, u32::MAX] {
                let mut memory = CoastDown {
                    at: MonoNs(at),
                    above_since: MonoNs(now),
                    mm_per_s: speed,
                    watched: 1,
                };
                let wheel = Wheel::MmPerS(speed / 2);
                is_running_away(&mut memory, true, false, wheel, MonoNs(now), &limits);
                assert!(memory.at != MonoNs(0));
            }
        }
    }
}
