//! Monitors with a memory, each alone: every sequence of inputs up to some length, judged from its
//! whole history by a rule that remembers nothing.

use crate::support::{Dice, MS, limits};
use rt_control::monitors::reset::Press;
use rt_control::monitors::wheel::Wheel;
use rt_control::monitors::{burst, dead, dwell, estop, late, output, owner_age, reset, stall};
use rt_wire::{
    AcceptedCommand, Arrival, BadBurst, DeadSources, Fault, LATE_WINDOW_CYCLES, LateLadder, Limits,
    LimitsFlags, LineSet, Lines, MonoNs, Raw, Source, Validity,
};
use std::collections::VecDeque;

/// Calls `visit` with every sequence of `length` symbols.
pub(super) fn every_sequence<S: Copy>(symbols: &[S], length: usize, mut visit: impl FnMut(&[S])) {
    let mut digits = vec![0; length];
    loop {
        let sequence: Vec<S> = digits.iter().map(|digit| symbols[*digit]).collect();
        visit(&sequence);
        let Some(place) = digits.iter().rposition(|digit| digit + 1 < symbols.len()) else {
            return;
        };
        digits[place] += 1;
        digits[place + 1..].fill(0);
    }
}

/// The instant of step `t`, one step being `step_ms`.
pub(super) fn at(t: usize, step_ms: u64) -> MonoNs {
    MonoNs(10_000 * MS + t as u64 * step_ms * MS)
}

/// Whether `holds` has been true at each of the last `n` places of `history`.
pub(super) fn last_all<S>(history: &[S], n: usize, holds: impl Fn(&S) -> bool) -> bool {
    history.len() >= n && history[history.len() - n..].iter().all(holds)
}

#[test]
fn a_dwell_counts_exactly_when_it_lasted_without_a_break() {
    every_sequence(&[false, true], 12, |inputs| {
        let mut since = MonoNs(0);
        for (t, on) in inputs.iter().enumerate() {
            let lasted = dwell::lasts(&mut since, *on, at(t, 1), 3 * MS);
            assert_eq!(lasted, last_all(&inputs[..=t], 4, |on| *on), "{inputs:?} at {t}");
        }
    });
}

#[test]
fn a_dwell_survives_any_memory_and_any_time() {
    let instants = [0, 1, 5, u64::MAX - 1, u64::MAX];
    for since in instants {
        for now in instants {
            for on in [false, true] {
                let mut memory = MonoNs(since);
                let lasted = dwell::lasts(&mut memory, on, MonoNs(now), 5);
                let began = if since == 0 { now.max(1) } else { since };
                assert_eq!(lasted, on && now.saturating_sub(began) >= 5);
                assert_eq!(memory.0, if on { began } else { 0 });
            }
        }
    }
}

#[test]
fn a_reset_press_counts_when_it_was_seen_whole_and_as_long_as_a_persons() {
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Line {
        Released,
        Pressed,
        Unreadable,
    }
    let mut limits = limits();
    (limits.reset_press_min_ns, limits.reset_press_max_ns) = (2 * MS, 4 * MS);
    let mut seen = [0; 3];
    every_sequence(&[Line::Released, Line::Pressed, Line::Unreadable], 9, |inputs| {
        let mut since = reset::UNSEEN;
        for (t, line) in inputs.iter().enumerate() {
            let lines = Lines {
                set: LineSet::EMPTY.with(LineSet::RESET_PRESSED, *line != Line::Released),
                validity: Raw::new(match line {
                    Line::Unreadable => Validity::Failed,
                    Line::Released | Line::Pressed => Validity::Valid,
                }),
                ..Lines::default()
            };
            let found = reset::press(&mut since, &lines, at(t, 1), &limits);
            // The press that leads up to t: how long, and whether its beginning was seen.
            let pressed = inputs[..t].iter().rev().take_while(|l| **l == Line::Pressed).count();
            let begun = pressed < t && inputs[t - pressed - 1] == Line::Released;
            let expected = match line {
                Line::Released if begun && (2..=4).contains(&pressed) => Press::Ended,
                Line::Pressed if !begun || pressed > 4 => Press::Stuck,
                Line::Released | Line::Pressed | Line::Unreadable => Press::None,
            };
            assert_eq!(found, expected, "{inputs:?} at {t}");
            seen[found as usize] += 1;
        }
    });
    assert!(seen.iter().all(|count| *count > 100), "{seen:?}");
}

#[test]
fn a_press_that_begins_at_any_instant_was_seen_to_begin() {
    let pressed = Lines {
        set: LineSet::RESET_PRESSED,
        validity: Raw::new(Validity::Valid),
        ..Lines::default()
    };
    for (now, marked) in [(0, 1), (1, 1), (u64::MAX - 1, u64::MAX - 1), (u64::MAX, u64::MAX - 1)] {
        let mut since = MonoNs(0);
        assert_eq!(reset::press(&mut since, &pressed, MonoNs(now), &limits()), Press::None);
        assert_eq!(since, MonoNs(marked), "{now}");
    }
}

#[test]
fn only_three_bad_commands_of_one_owner_within_a_second_are_too_many() {
    let mut symbols = Vec::new();
    for owner in [Source::None, Source::Teleop, Source::Pilot] {
        symbols.extend([(owner, false), (owner, true)]);
    }
    let mut tripped = 0;
    every_sequence(&symbols, 6, |inputs| {
        let mut memory = BadBurst::default();
        for (t, (owner, bad)) in inputs.iter().enumerate() {
            // Three in a row, 400 ms apart, are within a second; with a gap they are not.
            let found = burst::too_many(&mut memory, *owner, *bad, at(t, 400));
            let newest_owner = inputs[..=t].iter().rev().find(|(o, _)| *o != Source::None);
            let bads: Vec<usize> = newest_owner.map_or(Vec::new(), |(owner, _)| {
                let others = |(o, _): &(Source, bool)| *o != Source::None && o != owner;
                let from = inputs[..=t].iter().rposition(others).map_or(0, |other| other + 1);
                (from..=t).filter(|i| inputs[*i].1 && inputs[*i].0 == *owner).collect()
            });
            let expected = bads.len() >= 3 && {
                let (first, last) = (bads[bads.len() - 3], bads[bads.len() - 1]);
                last - first <= 2 && t - last <= 2
            };
            assert_eq!(found, expected, "{inputs:?} at {t}");
            tripped += u32::from(found);
        }
    });
    assert!(tripped > 100);
}

#[test]
fn too_many_bad_commands_count_for_exactly_a_second_after_the_last() {
    let mut memory = BadBurst::default();
    let last = MonoNs(10_000 * MS);
    for at in [MonoNs(9_000 * MS), MonoNs(9_500 * MS), last] {
        assert_eq!(burst::too_many(&mut memory, Source::Pilot, true, at), at == last);
    }
    for (after_ns, expected) in [(1_000 * MS, true), (1_000 * MS + 1, false)] {
        let found = burst::too_many(&mut memory, Source::None, false, last.plus(after_ns));
        assert_eq!(found, expected, "{after_ns} ns");
    }
}

#[test]
fn a_corrupt_slot_is_dead_until_its_next_attach() {
    let arrivals = [
        Some(Arrival::Absent),
        Some(Arrival::New),
        Some(Arrival::Torn),
        Some(Arrival::Corrupt),
        None,
    ];
    let symbols: Vec<_> = arrivals.iter().flat_map(|a| [(*a, 1), (*a, 2)]).collect();
    every_sequence(&symbols, 5, |inputs| {
        for place in [0, 2] {
            let mut memory = DeadSources::default();
            for (t, (arrival, generation)) in inputs.iter().enumerate() {
                let found = dead::is_dead(&mut memory, place, *arrival, *generation);
                let attach = |(_, g): &&(Option<Arrival>, u32)| g == generation;
                let expected = inputs[..=t]
                    .iter()
                    .rev()
                    .take_while(attach)
                    .any(|(arrival, _)| matches!(arrival, Some(Arrival::Corrupt) | None));
                assert_eq!(found, expected, "{inputs:?} at {t}");
                assert_eq!(memory.dead, u32::from(found) << place, "no other source");
            }
        }
    });
    // A place that no source has is never believed.
    assert!(dead::is_dead(&mut DeadSources::default(), 3, Some(Arrival::New), 1));
}

#[test]
fn the_estop_loop_is_judged_at_once_and_its_discrepancy_when_it_lasts() {
    let mut symbols = Vec::new();
    for validity in [Validity::Valid, Validity::Absent, Validity::Failed] {
        for a in [false, true] {
            symbols.extend([(validity, a, false), (validity, a, true)]);
        }
    }
    for (two, testing) in [(false, false), (true, false), (true, true), (false, true)] {
        let mut limits = limits();
        limits.flags = LimitsFlags::EMPTY.with(LimitsFlags::ESTOP_TWO_CHANNELS, two);
        limits.estop_discrepancy_ns = 2 * MS;
        every_sequence(&symbols, 4, |inputs| {
            let mut since = MonoNs(0);
            for (t, (validity, a, b)) in inputs.iter().enumerate() {
                let lines = Lines {
                    set: LineSet::EMPTY
                        .with(LineSet::ESTOP_A_OPEN, *a)
                        .with(LineSet::ESTOP_B_OPEN, *b),
                    validity: Raw::new(*validity),
                    ..Lines::default()
                };
                let causes = estop::causes(&mut since, &lines, testing, at(t, 1), &limits);
                let open = match validity {
                    Validity::Valid => *a || (two && *b),
                    Validity::Absent => !testing || *a || (two && *b),
                    Validity::Failed => true,
                };
                // What lines that were never read hold says nothing.
                let awaited = testing && *validity == Validity::Absent;
                assert_eq!(causes.contains(Fault::EstopLine), open && !awaited);
                let differs =
                    |(v, a, b): &(Validity, bool, bool)| two && *v == Validity::Valid && a != b;
                let broken = last_all(&inputs[..=t], 3, differs);
                assert_eq!(causes.contains(Fault::EstopDiscrepancy), broken);
            }
        });
    }
}

#[test]
fn a_relay_that_contradicts_its_command_for_long_enough_is_broken() {
    let mut symbols = Vec::new();
    for validity in [Validity::Valid, Validity::Failed] {
        for fitted in [false, true] {
            for closed in [false, true] {
                symbols
                    .extend([false, true].map(|commanded| (validity, fitted, closed, commanded)));
            }
        }
    }
    let mut limits = limits();
    limits.relay_feedback_ns = 2 * MS;
    every_sequence(&symbols, 4, |inputs| {
        let mut since = MonoNs(0);
        for (t, (validity, fitted, closed, commanded)) in inputs.iter().enumerate() {
            let lines = Lines {
                set: LineSet::EMPTY
                    .with(LineSet::RELAY_FEEDBACK_FITTED, *fitted)
                    .with(LineSet::RELAY_CLOSED, *closed),
                validity: Raw::new(*validity),
                ..Lines::default()
            };
            let causes = output::relay(&mut since, &lines, *commanded, at(t, 1), &limits);
            let expected = last_all(&inputs[..=t], 3, |(validity, fitted, closed, commanded)| {
                *validity == Validity::Valid && *fitted && closed != commanded
            });
            assert_eq!(causes.contains(Fault::RelayFeedback), expected);
        }
    });
}

#[test]
fn a_stall_is_throttle_that_lasts_while_the_wheel_cannot_be_shown_to_turn() {
    let wheels =
        [Wheel::Unknown, Wheel::Garbage, Wheel::MmPerS(0), Wheel::MmPerS(50), Wheel::MmPerS(51)];
    // A direction that may have less than the stall throttle is watched from its cap on.
    for (stall_level, cap, least) in [
        (150, 500, 150),
        (150, 150, 150),
        (150, 149, 149),
        (150, 100, 100),
        (150, 0, 1),
        (0, 300, 1),
    ] {
        let limits = Limits { stall_level, stall_after_ns: 2 * MS, ..limits() };
        let levels = [0, least - 1, least, 500];
        let symbols: Vec<_> =
            wheels.iter().flat_map(|wheel| levels.map(|level| (level, *wheel))).collect();
        every_sequence(&symbols, 4, |inputs| {
            let mut since = MonoNs(0);
            for (t, (level, wheel)) in inputs.iter().enumerate() {
                let found = stall::is_stalled(&mut since, *level, cap, *wheel, at(t, 1), &limits);
                let stuck = |(level, wheel): &(u32, Wheel)| {
                    let turns = [Wheel::Unknown, Wheel::MmPerS(51)].contains(wheel);
                    *level >= least && !turns
                };
                assert_eq!(found, last_all(&inputs[..=t], 3, stuck), "{inputs:?} at {t}");
            }
        });
    }
}

#[test]
fn late_events_are_counted_over_exactly_a_thousand_cycles() {
    let mut limits = limits();
    limits.late_per_1000 = 40;
    for one_in in [10, 25, 60] {
        let dice = &mut Dice(one_in);
        let (mut memory, mut window) = (LateLadder::default(), VecDeque::new());
        for cycle in 0..4 * LATE_WINDOW_CYCLES {
            let event = dice.one_in(one_in);
            window.push_back(event);
            if window.len() > LATE_WINDOW_CYCLES as usize {
                window.pop_front();
            }
            let count = window.iter().filter(|event| **event).count();
            assert_eq!(late::too_many(&mut memory, event, &limits), count >= 40, "{cycle}");
            assert_eq!(memory.count as usize, count, "cycle {cycle}");
        }
    }
}

#[test]
fn a_command_lapses_by_the_clock_or_by_its_own_expiry() {
    let accepted = |received: u64, expires: u64| {
        let mut accepted = AcceptedCommand { received_at: MonoNs(received), ..Default::default() };
        accepted.command.expires_at = MonoNs(expires);
        accepted
    };
    for (received, expires, now, lapsed) in [
        (100, 1000, 100, false),
        (100, 1000, 189, false),
        (100, 1000, 190, true),
        (100, 150, 149, false),
        (100, 150, 150, true),
        // A stamp of the future makes nothing younger than now.
        (500, 1000, 100, false),
        (100, u64::MAX, u64::MAX, true),
    ] {
        let found = owner_age::has_lapsed(&accepted(received, expires), 90, MonoNs(now));
        assert_eq!(found, lapsed, "received {received}, expires {expires}, now {now}");
    }
}
