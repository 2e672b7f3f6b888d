//! Two looks → the table of `continuon top`.

use rt_wire::topics::{FAST_LOOP, TELEMETRY, Topic};
use rt_wire::{HEARTBEAT_SOURCES, Heartbeat, Mode, MonoNs, Raw, SidecarState, Sign};
use serde::Serialize;
use std::time::Instant;

/// What one look found.
#[derive(Debug)]
pub(crate) struct Look {
    pub(crate) at: Instant,
    /// The newest record's own time.
    pub(crate) mono_ns: MonoNs,
    pub(crate) mode: Option<Mode>,
    pub(crate) newest_telemetry: u64,
    pub(crate) loop_pid: Option<u32>,
    /// Whether it is no loop but a recording that is played.
    pub(crate) is_replay: bool,
    /// The loop's judgement of each heartbeat.
    pub(crate) signs: Option<[Raw<Sign>; HEARTBEAT_SOURCES.len()]>,
    pub(crate) heartbeats: [Option<Heartbeat>; HEARTBEAT_SOURCES.len()],
    /// Topic, segment's name, and sequence where it can be known.
    pub(crate) segments: Vec<(&'static Topic, String, Option<u64>)>,
}

/// One segment, live.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Row {
    /// Full name.
    pub(crate) segment: String,
    /// Ring or slot.
    pub(crate) kind: &'static str,
    /// Process that writes it.
    pub(crate) writer: &'static str,
    /// Its process id, if it is there.
    pub(crate) writer_pid: Option<u32>,
    /// What it says of itself, and what the loop makes of it.
    pub(crate) writer_state: &'static str,
    /// Records a second, by the table.
    pub(crate) rate_hz_nominal: u32,
    /// Records a second, measured; `null` where nobody outside can know.
    pub(crate) rate_hz: Option<f64>,
    /// Records held.
    pub(crate) depth: u32,
    /// Who reads it; those who are there, with lag and losses.
    pub(crate) readers: Vec<ReaderRow>,
}

/// One reader of a segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ReaderRow {
    /// Process.
    pub(crate) process: &'static str,
    /// Records behind the newest, by its own heartbeat.
    pub(crate) lag: Option<u64>,
    /// Records lost since it attached.
    pub(crate) lost: Option<u64>,
}

/// The table, from how far each sequence moved between two looks.
pub(crate) fn rows(before: &Look, now: &Look) -> Vec<Row> {
    let elapsed_s = now.at.saturating_duration_since(before.at).as_secs_f64();
    now.segments
        .iter()
        .map(|(topic, name, sequence)| {
            let earlier = before.segments.iter().find(|(_, other, _)| other == name);
            let earlier = earlier.and_then(|(_, _, sequence)| *sequence);
            let rate_hz = rate_hz(earlier, *sequence, elapsed_s);
            let (writer_pid, writer_state) = writer(topic, now, rate_hz);
            Row {
                segment: name.clone(),
                kind: super::kind_name(topic),
                writer: topic.writer,
                writer_pid,
                writer_state,
                rate_hz_nominal: topic.rate_hz,
                rate_hz,
                depth: topic.depth,
                readers: readers(topic, now),
            }
        })
        .collect()
}

/// A sequence that went back belongs to a writer that began anew: no rate for this once.
fn rate_hz(before: Option<u64>, now: Option<u64>, elapsed_s: f64) -> Option<f64> {
    let moved = now?.checked_sub(before.unwrap_or(now?))?;
    #[expect(clippy::cast_precision_loss, reason = "records of half a second")]
    let moved = moved as f64;
    (elapsed_s > 0.0).then_some(moved / elapsed_s)
}

fn heartbeat(process: &str, now: &Look) -> Option<(Heartbeat, Option<Sign>)> {
    let place = HEARTBEAT_SOURCES.iter().position(|source| *source == process)?;
    let sign = now.signs.and_then(|signs| signs[place].get());
    now.heartbeats[place].map(|heartbeat| (heartbeat, sign))
}

fn writer(topic: &Topic, now: &Look, rate_hz: Option<f64>) -> (Option<u32>, &'static str) {
    if topic.writer == FAST_LOOP {
        return (now.loop_pid, if now.loop_pid.is_some() { "running" } else { "unknown" });
    }
    match heartbeat(topic.writer, now) {
        Some((_, Some(Sign::Lost))) => (None, "lost"),
        Some((heartbeat, Some(Sign::Late))) => (Some(heartbeat.pid), "late"),
        Some((heartbeat, _)) => {
            (Some(heartbeat.pid), heartbeat.state.get().map_or("unknown", SidecarState::name))
        }
        // The plant has no heartbeat: its slots speak for it.
        None if rate_hz.is_some_and(|rate_hz| rate_hz > 0.0) => (None, "running"),
        None => (None, "-"),
    }
}

fn readers(topic: &Topic, now: &Look) -> Vec<ReaderRow> {
    topic
        .readers
        .iter()
        .map(|process| {
            let counts = heartbeat(process, now).filter(|_| is_telemetry(topic));
            ReaderRow {
                process,
                lag: counts.map(|(heartbeat, _)| {
                    now.newest_telemetry.saturating_sub(heartbeat.last_sequence_read)
                }),
                lost: counts.map(|(heartbeat, _)| heartbeat.lost_records),
            }
        })
        .collect()
}

/// Heartbeats count telemetry only.
fn is_telemetry(topic: &Topic) -> bool {
    topic.writer == TELEMETRY.writer && topic.record == TELEMETRY.record
}

/// The table as text.
pub(crate) fn render(robot: &str, now: &Look, rows: &[Row]) -> String {
    let mode = now.mode.map_or("no telemetry", Mode::name);
    let replay = if now.is_replay { " (a REPLAY, no car)" } else { "" };
    let mut out = format!(
        "{robot}{replay}: {mode}, telemetry {} at {:.1} s\n\n",
        now.newest_telemetry,
        std::time::Duration::from_nanos(now.mono_ns.0).as_secs_f64()
    );
    let width = rows.iter().map(|row| row.segment.len()).max().unwrap_or_default();
    out.push_str(&format!(
        "{:width$}  {:>8} {:9} {:>7} {:>7} {:>6}  {}\n",
        "segment", "pid", "writer", "Hz", "nominal", "depth", "readers (lag/lost)"
    ));
    for row in rows {
        let pid = row.writer_pid.map_or("-".to_owned(), |pid| pid.to_string());
        let rate = row.rate_hz.map_or("-".to_owned(), |rate| format!("{rate:.1}"));
        let line = format!(
            "{:width$}  {pid:>8} {:9} {rate:>7} {:>7} {:>6}  {}",
            row.segment,
            row.writer_state,
            row.rate_hz_nominal,
            row.depth,
            readers_in_words(&row.readers),
        );
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// Those who are there, with their counts; who is not there is not told.
fn readers_in_words(readers: &[ReaderRow]) -> String {
    let told: Vec<String> = readers
        .iter()
        .filter_map(|reader| Some((reader.process, reader.lag?, reader.lost?)))
        .map(|(process, lag, lost)| format!("{process} {lag}/{lost}"))
        .collect();
    if told.is_empty() {
        let names: Vec<&str> = readers.iter().map(|reader| reader.process).collect();
        return names.join(" ");
    }
    told.join(", ")
}

#[cfg(test)]
mod tests {
    use super::{Look, rate_hz, render, rows};
    use rt_wire::topics;
    use rt_wire::{HEARTBEAT_SOURCES, Heartbeat, MonoNs, Raw, SidecarState, Sign};
    use std::time::{Duration, Instant};

    fn look(at: Instant, telemetry: u64) -> Look {
        let mut heartbeats = [None; HEARTBEAT_SOURCES.len()];
        let mut signs = [Raw::from(Sign::Never); HEARTBEAT_SOURCES.len()];
        let logger =
            HEARTBEAT_SOURCES.iter().position(|name| *name == "rlds-logger").expect("known");
        heartbeats[logger] = Some(Heartbeat {
            last_sequence_read: telemetry - 7,
            lost_records: 3,
            state: SidecarState::Running.into(),
            pid: 4242,
            ..Heartbeat::default()
        });
        signs[logger] = Sign::OnTime.into();
        Look {
            at,
            mono_ns: MonoNs(12_300_000_000),
            mode: Some(rt_wire::Mode::Active),
            newest_telemetry: telemetry,
            loop_pid: Some(4200),
            is_replay: false,
            signs: Some(signs),
            heartbeats,
            segments: topics::all()
                .map(|topic| {
                    let mut name = String::new();
                    topic.write_name("donkey", &mut name).expect("a String takes all");
                    let sequence = (topic.record == "telemetry").then_some(telemetry);
                    (topic, name, sequence)
                })
                .collect(),
        }
    }

    #[test]
    fn rates_lags_and_losses_are_what_moved_between_two_looks() {
        let begin = Instant::now();
        let before = look(begin, 10_000);
        let now = look(begin + Duration::from_millis(500), 10_500);
        let table = rows(&before, &now);
        assert_eq!(table.len(), topics::all().count());
        let telemetry = table.iter().find(|row| row.segment == "donkey.fast-loop.telemetry.ring");
        let telemetry = telemetry.expect("in the table");
        assert_eq!(telemetry.rate_hz, Some(1000.0));
        assert_eq!((telemetry.writer_pid, telemetry.writer_state), (Some(4200), "running"));
        let logger = telemetry.readers.iter().find(|reader| reader.process == "rlds-logger");
        assert_eq!(logger.map(|reader| (reader.lag, reader.lost)), Some((Some(7), Some(3))));
        let heartbeat = table.iter().find(|row| row.segment == "donkey.rlds-logger.heartbeat.slot");
        assert_eq!(heartbeat.map(|row| row.writer_pid), Some(Some(4242)));

        let text = render("donkey", &now, &table);
        assert!(text.contains("rlds-logger 7/3"), "{text}");
        assert!(text.starts_with("donkey: Active"), "{text}");
    }

    #[test]
    fn a_writer_that_began_anew_has_no_rate_for_once() {
        assert_eq!(rate_hz(Some(100), Some(3), 0.5), None);
        assert_eq!(rate_hz(None, Some(3), 0.5), Some(0.0));
        assert_eq!(rate_hz(Some(1), None, 0.5), None);
    }
}
