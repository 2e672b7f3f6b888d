//! What `continuon rlds info` tells people: 100 columns, every number with its unit.
//!
//! It decides words alone; what is told stands in `mod.rs`. What a recording says of itself may be
//! anything: control characters never reach the terminal. Tests: tests/rlds_look.rs.

use super::steps::{Quantiles, StepsTold};
use super::{Info, frames_hz, shares, telemetry_hz};
use crate::report::text::{Text, counted, grouped};
use crate::rlds::bins::bars;
use crate::rlds::facts::{rate_hz, seconds, size, utc};
use crate::rlds::survey::{Change, Survey};
use crate::rlds::words::plain;

/// Changes and places that are told; `--json` has more.
const TOLD: usize = 12;

pub(super) fn render(info: &Info) -> String {
    let mut out = Text::default();
    head(&mut out, info);
    if let Some(survey) = &info.survey {
        contents(&mut out, survey, info.steps.as_ref());
    } else if let Some(steps) = &info.steps {
        out.title("Contents");
        out.row("steps", &steps_in_words(steps, None));
        out.row("recording", "none: it was written by another program");
    }
    if let Some(steps) = &info.steps {
        clock(&mut out, steps);
        alignment(&mut out, steps);
    }
    losses(&mut out, info);
    if let Some(survey) = &info.survey {
        drive(&mut out, survey);
        bytes(&mut out, survey);
    }
    if !info.problems.is_empty() {
        out.title("Problems");
        for problem in &info.problems {
            out.row("", &plain(problem));
        }
    }
    out.into_string()
}

fn head(out: &mut Text, info: &Info) {
    let state = match &info.facts {
        None => "a recording alone".to_owned(),
        Some(facts) => {
            let kept = if facts.is_kept { ", kept" } else { "" };
            format!("{}{kept}, {}", facts.state.words(), size(facts.bytes))
        }
    };
    let lost = match info.missing() {
        None => "what is lost is not told".to_owned(),
        Some(missing) if missing.total() == 0 => "0 lost".to_owned(),
        Some(missing) => format!("{} LOST", grouped(missing.total())),
    };
    out.line(&format!("{}: {state}, {lost}", plain(&info.name)));
    let facts = info.facts.as_ref();
    if let Some(metadata) = facts.and_then(|facts| facts.metadata.as_ref()) {
        let who = format!(
            "{}, {} ({}) in {}",
            utc(metadata.start_time_unix_ms),
            metadata.robot_id,
            metadata.robot_model,
            metadata.environment_id
        );
        out.row("recorded", &plain(&who));
        let roles = format!("{}, {}", metadata.xr_mode.name(), metadata.control_role.name());
        out.row("person", &roles);
    }
    if let Some(note) =
        facts.and_then(|facts| facts.note.as_ref()).filter(|note| !note.reason.is_empty())
    {
        out.row("ended because", &plain(&note.reason));
    }
}

fn contents(out: &mut Text, survey: &Survey, steps: Option<&StepsTold>) {
    out.title("Contents");
    let span = seconds(survey.span_ns());
    let per_second =
        |rate: Option<f64>| rate.map_or_else(String::new, |rate| format!(", {rate:.1} a second"));
    let telemetry = format!(
        "{} in {span:.2} s{}",
        counted(survey.telemetry, "record"),
        per_second(telemetry_hz(survey))
    );
    out.row("telemetry", &telemetry);
    if let Some(steps) = steps {
        out.row("steps", &steps_in_words(steps, Some(survey)));
    }
    let frames = &survey.frames;
    let words = match frames.bytes.checked_div(frames.count) {
        None => "none".to_owned(),
        Some(mean) => format!(
            "{}{}, {} × {} pixels, {} to {}, mean {}",
            counted(frames.count, "picture"),
            per_second(frames_hz(survey)),
            frames.width,
            frames.height,
            size(frames.bytes_min),
            size(frames.bytes_max),
            size(mean)
        ),
    };
    out.row("camera", &words);
    out.row("keyframes", &grouped(survey.keyframes));
    out.row("messages of the loop", &grouped(survey.log_frames));
}

fn steps_in_words(steps: &StepsTold, survey: Option<&Survey>) -> String {
    let rate = rate_hz(steps.count, steps.span_ns)
        .map_or_else(String::new, |rate| format!(", {rate:.2} a second"));
    let nominal = match survey.map(|survey| &survey.about) {
        Some(about) if about.frames_per_step > 0 => {
            format!(" (one of {})", counted(u64::from(about.frames_per_step), "picture"))
        }
        Some(about) => format!(" (nominal {})", about.step_rate_hz),
        None => String::new(),
    };
    format!("{}{rate}{nominal}", counted(steps.count, "step"))
}

fn clock(out: &mut Text, steps: &StepsTold) {
    out.title("Clock of the steps");
    let (Some(interval), Some(jitter)) = (&steps.clock.interval_ns, &steps.clock.jitter_ns) else {
        out.row("interval", "there are fewer than two steps");
        return;
    };
    out.row("interval", &quantiles(interval));
    out.row("jitter", &format!("{} (distance from the middle interval)", quantiles(jitter)));
    for line in bars(&steps.clock.histogram) {
        out.line(&line);
    }
    if steps.clock.backwards > 0 {
        out.row(
            "BACKWARDS",
            &format!("{} before the one before", counted(steps.clock.backwards, "step")),
        );
    }
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn quantiles(of: &Quantiles) -> String {
    let ms = |ns: u64| ns as f64 / 1e6;
    format!("p50 {:.3} ms, p99 {:.3} ms, max {:.3} ms", ms(of.p50), ms(of.p99), ms(of.max))
}

fn alignment(out: &mut Text, steps: &StepsTold) {
    out.title("Blocks of a step against its time");
    if steps.blocks == 0 {
        out.row("compared", "none: each step is one record, without picture, glove or sound");
        return;
    }
    let within = steps.blocks - steps.blocks_outside;
    let words = format!(
        "{} of {} within ± 5 ms, {} outside",
        grouped(within),
        counted(steps.blocks, "block"),
        grouped(steps.blocks_outside)
    );
    out.row("compared", &words);
    for line in bars(&steps.alignment) {
        out.line(&line);
    }
}

fn losses(out: &mut Text, info: &Info) {
    out.title("Lost");
    let Some(missing) = info.missing() else {
        out.row("not told", "there is neither a recording nor an episode.json");
        return;
    };
    let by_ring = missing.telemetry_lapped;
    let elsewhere = missing.telemetry.saturating_sub(by_ring);
    let telemetry = if missing.telemetry == 0 {
        "0".to_owned()
    } else {
        format!(
            "{} ({} overwritten in the ring, {} not on the disk)",
            grouped(missing.telemetry),
            grouped(by_ring),
            grouped(elsewhere)
        )
    };
    out.row("telemetry", &telemetry);
    out.row("keyframes", &grouped(missing.keyframes));
    out.row("messages of the loop", &grouped(missing.log_frames));
    out.row("camera frames", &grouped(missing.frames));
    if let Some(steps) = info.steps.as_ref().filter(|steps| steps.steps_skipped > 0) {
        out.row(
            "steps",
            &format!("{} of the grid had no record", counted(steps.steps_skipped, "instant")),
        );
    }
    let places = info.survey.as_ref().map(|survey| survey.places.as_slice()).unwrap_or_default();
    for place in places.iter().take(TOLD) {
        let words = format!("{} of {}", grouped(place.lost), plain(&place.what));
        out.row(&at(place.at_ns), &words);
    }
    if places.len() > TOLD {
        out.row("…", &format!("and {} more (--json tells them)", places.len() - TOLD));
    }
}

fn drive(out: &mut Text, survey: &Survey) {
    out.title("Drive");
    out.row("modes", &in_shares(&shares(&survey.mode_cycles)));
    out.row("authority", &in_shares(&shares(&survey.authority_cycles)));
    changes(out, survey);
    if survey.more_changes > 0 {
        out.row(
            "…",
            &format!("and {} that are not listed", counted(survey.more_changes, "change")),
        );
    }
    if survey.causes.is_empty() {
        out.row("causes", "none");
    }
    for cause in &survey.causes {
        let cycles = counted(cause.cycles, "cycle");
        let words = match cause.cycles {
            1 => format!("{}, in {cycles}", at(cause.first_ns)),
            _ => {
                let (first, last) = (seconds_of(cause.first_ns), seconds_of(cause.last_ns));
                format!("{first} to {last} s, in {cycles}")
            }
        };
        out.row(cause.name, &words);
    }
}

/// Modes and authority as they changed, in the order of time.
fn changes(out: &mut Text, survey: &Survey) {
    let modes = survey.modes.iter().map(|change| ("mode", change));
    let authorities = survey.authorities.iter().map(|change| ("authority", change));
    let mut changes: Vec<(&str, &Change)> = modes.chain(authorities).collect();
    changes.sort_by_key(|(_, change)| change.at_ns);
    let told = TOLD * 2;
    for (what, change) in changes.iter().take(told) {
        out.row(&at(change.at_ns), &format!("{what} {}", plain(&change.to)));
    }
    if changes.len() > told {
        out.row("…", &format!("and {} more (--json tells them)", changes.len() - told));
    }
}

/// Largest first, in percent; what is there is never 0.
fn in_shares(shares: &std::collections::BTreeMap<&str, f64>) -> String {
    let mut sorted: Vec<_> = shares.iter().collect();
    sorted.sort_by(|a, b| b.1.total_cmp(a.1));
    let told = sorted.into_iter().map(|(name, share)| match share * 100.0 {
        percent if percent < 0.1 => format!("{} < 0.1 %", plain(name)),
        percent => format!("{} {percent:.1} %", plain(name)),
    });
    let told: Vec<String> = told.collect();
    if told.is_empty() { "none".to_owned() } else { told.join(", ") }
}

fn bytes(out: &mut Text, survey: &Survey) {
    let sizes = &survey.sizes;
    out.title("Bytes of the recording");
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let ratio = sizes.plain_bytes as f64 / sizes.packed_bytes.max(1) as f64;
    let packed = format!(
        "{} in {}, unpacked {} ({ratio:.2} : 1)",
        size(sizes.packed_bytes),
        counted(sizes.chunks, "chunk"),
        size(sizes.plain_bytes)
    );
    out.row("packed", &packed);
    for channel in sizes.channels().filter(|channel| channel.messages > 0) {
        let topic = plain(&channel.topic);
        // The robot's name stands above.
        let short = topic.strip_prefix(&format!("{}.", plain(&survey.about.robot)));
        let words =
            format!("{}, {}", short.unwrap_or(&topic), counted(channel.messages, "message"));
        out.row(&size(channel.bytes), &words);
    }
}

fn at(ns: u64) -> String {
    format!("at {} s", seconds_of(ns))
}

fn seconds_of(ns: u64) -> String {
    format!("{:.3}", seconds(ns))
}
