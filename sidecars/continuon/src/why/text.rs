//! The answer for people: always in the same order, 100 columns, every number with its unit.
//!
//! Tests: below, and the tests crate, module `replay`.

use super::{Arming, Cause, CommandLook, Cycle, Pair, SourceLook, Stop, Why};
use crate::report::text::{Text, counted};

/// Lines of the timeline that are shown.
const EVENTS_TOLD: usize = 40;
/// Earlier stops that are shown.
const STOPS_TOLD: usize = 10;

/// The answer as text; with `colour`, the first words are green or red.
#[must_use]
pub fn render(why: &Why, colour: bool) -> String {
    let mut out = Text::default();
    let head_bytes = why.answer.find([',', ';']).unwrap_or(why.answer.len());
    let (head, rest) = why.answer.split_at(head_bytes);
    // A cycle that is no stop is neither good nor bad.
    let is_verdict = why.stop.is_some() || why.cycle.is_none();
    out.verdict(head, rest, why.stop.is_none(), colour && is_verdict);
    episode(&mut out, why);
    if let Some(stop_told) = &why.stop {
        stop(&mut out, stop_told);
    }
    if let Some(cycle_told) = &why.cycle {
        cycle(&mut out, cycle_told, why.stop.as_ref());
    }
    if let Some(arming_told) = &why.arming {
        arming(&mut out, arming_told);
    }
    timeline(&mut out, why);
    out.into_string()
}

fn episode(out: &mut Text, why: &Why) {
    let episode = &why.episode;
    out.row("episode", &episode.path);
    out.row(
        "",
        &format!(
            "{} from {}, {:.3} s, {}, {} missing",
            episode.robot,
            episode.started,
            episode.duration_s,
            counted(episode.cycles, "cycle"),
            counted(episode.records_missing, "record")
        ),
    );
    let told = why.cycle.as_ref().map(|cycle| cycle.cycle_index);
    let others: Vec<_> =
        why.stops.iter().rev().filter(|stop| Some(stop.cycle_index) != told).collect();
    for stop in others.iter().take(STOPS_TOLD) {
        let causes = stop.causes.join(", ");
        let label = if why.stop.is_some() { "another stop" } else { "a stop" };
        out.row(label, &format!("{:.3} s  {} ({causes})", stop.at_s, stop.to));
    }
    if others.len() > STOPS_TOLD {
        out.row("", &format!("and {} earlier ones", others.len() - STOPS_TOLD));
    }
    for note in &why.notes {
        out.row("note", note);
    }
}

fn stop(out: &mut Text, stop: &Stop) {
    out.title("what stopped it");
    for cause in &stop.causes {
        told_cause(out, cause);
    }
    out.row("kind of stop", stop.kind);
    out.row(
        "mode",
        &format!(
            "{} before, {} after; {} had authority",
            stop.at.from, stop.at.to, stop.owner_before
        ),
    );
    let after = |after_s: Option<f64>| match after_s {
        Some(after_s) => format!("{after_s:.3} s after"),
        None => "not within the recording".to_owned(),
    };
    out.row("output neutral", &after(stop.neutral_after_s));
    out.row("wheel stands", &after(stop.standstill_after_s));
}

fn told_cause(out: &mut Text, cause: &Cause) {
    out.row(cause.name, cause.meaning);
    if let Some(found) = &cause.found {
        out.row("", found);
    }
    out.row("", &format!("severity {}. To mend it: {}", cause.severity, cause.mend));
}

fn cycle(out: &mut Text, cycle: &Cycle, stop: Option<&Stop>) {
    out.title(&format!("cycle {} at {:.3} s, {}", cycle.cycle_index, cycle.at_s, cycle.utc));
    if cycle.mode_before == cycle.mode {
        out.row("mode", &cycle.mode);
    } else {
        out.row("mode", &format!("{} to {}", cycle.mode_before, cycle.mode));
    }
    for source in &cycle.sources {
        if let Some(command) = &source.command {
            out.row(source.source, &asked(command));
            out.row("", &heard(source));
        } else {
            out.row(source.source, &format!("no command yet; {}", heartbeat(source)));
        }
    }
    for sidecar in &cycle.sidecars {
        let required = if sidecar.required { ", required" } else { "" };
        let words = heartbeat_in_words(&sidecar.heartbeat, sidecar.silent_ms);
        out.row(sidecar.sidecar, &format!("{words}{required}"));
    }
    out.row("chosen", &format!("{}: {}", cycle.owner, cycle.owner_because));
    let nobody = if cycle.owner == "none" { " (nobody owns, so nothing is asked)" } else { "" };
    out.row("asked", &format!("{}{nobody}", pair(cycle.asked)));
    for rule in &cycle.rules {
        out.row(&format!("rule {}", rule.name), rule.meaning);
    }
    if cycle.rules.is_empty() {
        out.row("rules", "none changed it");
    }
    out.row("setpoint", &pair(cycle.setpoint));
    let driven = &cycle.driven;
    let pump = if driven.pump { "toggles" } else { "stands still" };
    out.row(
        "driven",
        &format!(
            "steering {} µs, throttle {} µs, relay {}, pump {pump}",
            driven.steering_us,
            driven.throttle_us,
            if driven.relay { "on" } else { "off" },
        ),
    );
    let late = if cycle.late { ", a late event" } else { "" };
    let missed = match cycle.missed_releases {
        0 => String::new(),
        missed => format!(", {missed} releases missed before it"),
    };
    out.row("wake-up latency", &format!("{:.1} µs{late}{missed}", cycle.wakeup_latency_us));
    let told_above = |cause: &Cause| {
        stop.is_some_and(|stop| stop.causes.iter().any(|told| told.name == cause.name))
    };
    for cause in cycle.causes.iter().filter(|cause| !told_above(cause)) {
        told_cause(out, cause);
    }
    let present = |name: &&str| !cycle.causes.iter().any(|cause| cause.name == *name);
    let earlier: Vec<&str> = cycle.latched_causes.iter().copied().filter(present).collect();
    if !earlier.is_empty() {
        out.row("earlier causes", &format!("{} (kept until it is armed)", earlier.join(", ")));
    }
}

/// What the newest command of a source asks.
fn asked(command: &CommandLook) -> String {
    let flags = command.flags.join(", ").to_lowercase().replace('_', "-");
    let flags = if flags.is_empty() { String::new() } else { format!("{flags}; ") };
    let expiry = if command.expires_in_ms > 0.0 {
        format!("expires in {:.1} ms", command.expires_in_ms)
    } else {
        format!("expired {:.1} ms ago", -command.expires_in_ms)
    };
    format!(
        "{}; {flags}command {}, made {:.1} ms ago, {expiry}",
        pair(command.asks),
        command.sequence,
        command.age_ms,
    )
}

/// What the kernel made of it, and how fresh the source is.
fn heard(source: &SourceLook) -> String {
    let class = match (source.arrival.as_str(), source.class.as_str()) {
        (_, "good-asking") => "accepted in this cycle, claims authority",
        (_, "good") => "accepted in this cycle, claims no authority",
        ("torn", "absent") => "being written in this cycle: no news",
        // Two things alone make good news no news: a late heartbeat, and a slot that was damaged.
        ("new", "absent") if source.heartbeat == "on-time" => {
            "ignored in this cycle: its slot was damaged, until it attaches again"
        }
        ("new", "absent") => "ignored in this cycle: its heartbeat is late",
        (_, "absent") => "no news in this cycle",
        ("corrupt", _) => "refused in this cycle: its slot is corrupt",
        (_, _) => "refused in this cycle",
    };
    let good = match source.last_good_age_ms {
        Some(age_ms) => format!("last good one {age_ms:.1} ms ago"),
        None => "never a good one".to_owned(),
    };
    format!("{class}; {good}, stale from {:.0} ms on; {}", source.stale_after_ms, heartbeat(source))
}

fn heartbeat(source: &SourceLook) -> String {
    heartbeat_in_words(&source.heartbeat, source.heartbeat_silent_ms)
}

fn heartbeat_in_words(sign: &str, silent_ms: Option<f64>) -> String {
    match silent_ms {
        _ if sign == "never" => "no heartbeat yet".to_owned(),
        Some(silent_ms) => format!("heartbeat {sign}, the last {silent_ms:.0} ms ago"),
        None => format!("heartbeat {sign}"),
    }
}

fn pair(pair: Pair) -> String {
    format!("steering {:+.3}, throttle {:+.3}", pair.steering, pair.throttle)
}

fn arming(out: &mut Text, arming: &Arming) {
    if arming.interlocks.is_empty() {
        out.title(&format!("arming, at {:.3} s: nothing forbids it", arming.at_s));
        return;
    }
    out.title(&format!("arming would be refused, at {:.3} s", arming.at_s));
    for interlock in &arming.interlocks {
        out.row(interlock.name, interlock.meaning);
        out.row("", &format!("To mend it: {}", interlock.mend));
    }
}

fn timeline(out: &mut Text, why: &Why) {
    if why.timeline.is_empty() {
        return;
    }
    out.title("from a second before it to a second after");
    for event in why.timeline.iter().take(EVENTS_TOLD) {
        out.line(&format!(
            "  {:>+8.3} s  cycle {:<10}{}",
            event.after_s, event.cycle_index, event.what
        ));
    }
    if why.timeline.len() > EVENTS_TOLD {
        out.line(&format!("  and {} more (--json tells all)", why.timeline.len() - EVENTS_TOLD));
    }
}

#[cfg(test)]
mod tests {
    use super::{SourceLook, heard};

    #[test]
    fn good_news_that_is_ignored_says_why() {
        for (heartbeat, words) in [("late", "its heartbeat is late"), ("on-time", "was damaged")] {
            let look = SourceLook {
                source: "pilot",
                command: None,
                arrival: rt_wire::Arrival::New.to_string(),
                class: rt_wire::Class::Absent.to_string(),
                last_good_age_ms: Some(20.0),
                stale_after_ms: 90.0,
                heartbeat: heartbeat.to_owned(),
                heartbeat_silent_ms: Some(1.0),
            };
            assert!(heard(&look).contains(words), "{}", heard(&look));
        }
        assert_eq!(rt_wire::Sign::OnTime.to_string(), "on-time");
        assert_eq!(rt_wire::Sign::Late.to_string(), "late");
    }
}
