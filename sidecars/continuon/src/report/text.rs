//! The report for people: aligned, 100 columns, every number with its unit.

use crate::observe::spread::Spread;
use crate::report::{Report, Verdict};

/// Width of the first column.
const LABEL: usize = 22;
/// Lines are no longer than this, but for paths.
const WIDTH: usize = 100;

/// The report as text; with `colour`, the verdict is green or red.
#[must_use]
pub fn render(report: &Report, colour: bool) -> String {
    let mut out = Text::default();
    head(&mut out, report, colour);
    drive(&mut out, report);
    timing(&mut out, report);
    real_board(&mut out, report);
    thread(&mut out, report);
    record(&mut out, report);
    modes(&mut out, report);
    conditions(&mut out, report);
    out.into_string()
}

/// Lines of a report: titles, and rows of a label and a value.
#[derive(Debug, Default)]
pub(crate) struct Text {
    text: String,
}

impl Text {
    pub(crate) fn into_string(self) -> String {
        self.text
    }

    /// The first line: the verdict, green or red with `colour`, and what it means.
    pub(crate) fn verdict(&mut self, verdict: &str, rest: &str, is_good: bool, colour: bool) {
        let (on, off) = match (colour, is_good) {
            (false, _) => ("", ""),
            (true, true) => ("\x1b[32m", "\x1b[0m"),
            (true, false) => ("\x1b[31m", "\x1b[0m"),
        };
        self.line(&format!("{on}{verdict}{off}{rest}"));
    }

    pub(crate) fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    pub(crate) fn title(&mut self, title: &str) {
        self.line("");
        self.line(title);
    }

    /// `  label   value`, the value wrapped under itself.
    pub(crate) fn row(&mut self, label: &str, value: &str) {
        let indent = LABEL + 2;
        let mut line = format!("  {label:LABEL$}");
        let mut used = indent;
        let mut first = true;
        for word in value.split(' ') {
            let length = word.chars().count();
            if !first && used + 1 + length > WIDTH {
                self.line(&line);
                line = " ".repeat(indent);
                used = indent;
                first = true;
            }
            if !first {
                line.push(' ');
                used += 1;
            }
            line.push_str(word);
            used += length;
            first = false;
        }
        self.line(&line);
    }
}

fn head(out: &mut Text, report: &Report, colour: bool) {
    let conditions = &report.conditions;
    let rest = format!(
        ": {} on {} ({:.1} m), {:.0} s asked, {:.1} s Active (parking included)",
        conditions.robot,
        report.plant.track,
        report.plant.track_length_m,
        report.seconds_asked,
        report.seconds_driven,
    );
    out.verdict(report.verdict.name(), &rest, report.verdict == Verdict::Ok, colour);
    for reason in &report.reasons {
        out.row("because", reason);
    }
    for process in report.processes.iter().filter(|process| !process.last_words.is_empty()) {
        out.line(&format!(
            "  {}: {}; its last words ({}):",
            process.name, process.how, process.log
        ));
        for words in &process.last_words {
            out.line(&format!("    {}", words.trim_start()));
        }
    }
    for note in &report.notes {
        out.row("note", note);
    }
}

fn drive(out: &mut Text, report: &Report) {
    let plant = &report.plant;
    out.title("drive");
    let lap =
        |time_s: Option<f64>| time_s.map_or("-".to_owned(), |time_s| format!("{time_s:.2} s"));
    out.row(
        "laps",
        &format!(
            "{}, best {}, last {}",
            plant.laps,
            lap(plant.best_lap_time_s),
            lap(plant.lap_time_s)
        ),
    );
    out.row(
        "distance",
        &format!("{:.1} m, top speed {:.2} m/s", plant.distance_m, plant.top_speed_m_per_s),
    );
    out.row(
        "off the track",
        &format!("{} times, {:.1} s", plant.off_track_count, plant.off_track_s),
    );
}

fn timing(out: &mut Text, report: &Report) {
    out.title(&format!(
        "timing, µs           period {} µs, {} cycles",
        report.period_us,
        grouped(report.cycles)
    ));
    out.line(&format!(
        "  {:LABEL$}{:>11}{:>11}{:>11}{:>11}{:>12}",
        "", "min", "p50", "p99", "p99.9", "max"
    ));
    let rows = [
        ("wake-up latency", report.wakeup_latency_ns),
        ("sleep latency", report.sleep_latency_ns),
        ("output jitter", report.output_jitter_ns),
        ("execution time", report.execution_time_ns),
        ("command latency", report.command_latency_ns),
    ];
    for (label, spread) in rows {
        let Some(spread) = spread else { continue };
        out.line(&spread_line(label, &spread));
    }
    out.row(
        "late events",
        &format!(
            "{} (over {} µs, the robot file's limit), missed releases {}",
            grouped(report.late_event_count),
            report.late_after_us,
            grouped(report.missed_release_count)
        ),
    );
    for (place, words) in defined(report).iter().enumerate() {
        out.row(if place == 0 { "what these are" } else { "" }, words);
    }
}

/// What each interval and count of the table is; only of those that stand in it.
fn defined(report: &Report) -> Vec<String> {
    let words = report.definitions;
    let all = [
        ("wake-up latency", words.wakeup_latency, true),
        ("sleep latency", words.sleep_latency, report.sleep_latency_ns.is_some()),
        ("output jitter", words.output_jitter, true),
        ("execution time", words.execution_time, true),
        ("command latency", words.command_latency, report.command_latency_ns.is_some()),
        ("missed release", words.missed_release, true),
    ];
    all.into_iter()
        .filter(|(_, _, is_told)| *is_told)
        .map(|(name, words, _)| format!("{name}: {words}"))
        .collect()
}

fn spread_line(label: &str, spread: &Spread) -> String {
    let micro = microseconds;
    format!(
        "  {label:LABEL$}{:>11}{:>11}{:>11}{:>11}{:>12}",
        micro(spread.min),
        micro(spread.p50),
        micro(spread.p99),
        micro(spread.p999),
        micro(spread.max)
    )
}

fn real_board(out: &mut Text, report: &Report) {
    let limits = &report.real_board_limits;
    out.title("a real board's limits (late: over half the period; stop: 2 in a row or 5 in 1000)");
    out.row(
        "would have tripped",
        &format!(
            "{} controlled stops, {} e-stops ({} of them while driving), on {} late events; {} power cuts \
             by the pump (over 30 ms)",
            grouped(limits.overload_trip_count),
            grouped(limits.estop_trip_count),
            grouped(limits.trips_while_driving),
            grouped(limits.late_event_count),
            grouped(limits.power_cut_count),
        ),
    );
    for interlock in &report.interlocks {
        out.row("would forbid arming", &format!("{}: {}", interlock.name, interlock.meaning));
        out.row("", interlock.mend);
    }
}

fn thread(out: &mut Text, report: &Report) {
    let scheduler = &report.scheduler;
    let counted = report.counted_over_cycles.map_or("unknown".to_owned(), grouped);
    out.title(&format!("loop thread, from seal to stop ({counted} cycles)"));
    let count = |count: Option<u64>| count.map_or("unknown".to_owned(), grouped);
    out.row("allocations", &count(report.allocations));
    out.row(
        "page faults",
        &report.page_faults.map_or("unknown".to_owned(), |faults| {
            format!("{} minor, {} major", grouped(faults.minor), grouped(faults.major))
        }),
    );
    out.row(
        "context switches",
        &format!(
            "{} involuntary, {} voluntary",
            count(report.involuntary_switches),
            count(report.voluntary_switches)
        ),
    );
    let after = |ms: Option<f64>| ms.map_or("unknown".to_owned(), |ms| format!("{ms:.1} ms"));
    out.row(
        "start of the loop",
        &format!(
            "neutral pulses after {}, Disarmed after {} (plant started and heard)",
            after(report.neutral_after_start_ms),
            after(report.disarmed_after_start_ms)
        ),
    );
    out.row("resident memory", &report.resident_bytes.map_or("unknown".to_owned(), mebibytes));
    let yes = |is: bool, yes: &'static str, no: &'static str| if is { yes } else { no };
    let cpu = scheduler.cpu.map_or("not pinned".to_owned(), |cpu| format!("pinned to core {cpu}"));
    let spin = if scheduler.spin_lead_us_max > 0.0 {
        format!("spins up to {:.0} µs", scheduler.spin_lead_us_max)
    } else {
        "does not spin".to_owned()
    };
    out.row(
        "scheduler",
        &format!(
            "{} priority {}, {cpu}, {spin}, {}, {}, {}, {}",
            scheduler.policy,
            scheduler.priority,
            yes(scheduler.memory_locked, "memory locked", "memory not locked"),
            yes(scheduler.sealed, "allocator sealed", "allocator not sealed"),
            yes(
                scheduler.system_calls_filtered,
                "system calls filtered",
                "system calls not filtered"
            ),
            yes(scheduler.dma_latency_held, "idle states held off", "idle states allowed"),
        ),
    );
}

fn record(out: &mut Text, report: &Report) {
    out.title("record");
    match &report.episode {
        None => out.row("episode", "none"),
        Some(episode) => {
            out.row("episode", &episode.path);
            if episode.episodes > 1 {
                let others = episode.episodes - 1;
                out.row("", &format!("and {others} before it, in the same folder"));
            }
            out.row(
                "",
                &format!(
                    "{} steps, {} records, {} lost",
                    grouped(episode.steps),
                    grouped(episode.telemetry_records),
                    grouped(episode.telemetry_lost)
                ),
            );
        }
    }
    let reader = &report.reader;
    out.row(
        "our own reader",
        &format!(
            "{} records, {} lost, sequences {} to {}",
            grouped(reader.records),
            grouped(reader.lost),
            reader.first_sequence,
            reader.last_sequence
        ),
    );
}

fn modes(out: &mut Text, report: &Report) {
    out.title(&format!("modes, ending in {}", report.mode_final));
    for step in &report.mode_changes {
        let causes = step.causes.join(", ");
        let causes = if causes.is_empty() { causes } else { format!("  ({causes})") };
        out.line(&format!("  {:>9.3} s  {} to {}{causes}", step.at_s, step.from, step.to));
    }
}

fn conditions(out: &mut Text, report: &Report) {
    let conditions = &report.conditions;
    let machine = &conditions.machine;
    out.title(&format!("conditions, {}", conditions.date));
    out.row(
        "board",
        &format!(
            "{}: the car is simulated in software; nothing here was measured on a robot",
            conditions.board
        ),
    );
    out.row("kernel", &format!("{}  {}", machine.kernel, machine.kernel_version));
    out.row("preemption", &machine.preemption);
    let virtual_machine = if machine.virtual_machine { ", a virtual machine" } else { "" };
    out.row(
        "processor",
        &format!("{}, {} cores{virtual_machine}", machine.cpu_model, machine.cores),
    );
    out.row("governor", &machine.governor);
    out.row(
        "isolation",
        &format!("{}; isolated cores: {}", conditions.isolation, machine.isolated_cpus),
    );
    let load = |load: Option<crate::observe::conditions::Load>| {
        load.map_or("unknown".to_owned(), |load| format!("{:.2}", load.one_minute))
    };
    out.row(
        "load average",
        &format!("{} before, {} after", load(conditions.load_before), load(conditions.load_after)),
    );
    out.row("samples", &format!("{}, one a cycle", grouped(conditions.samples)));
    out.row(
        "hashes",
        &format!(
            "plant {} (seed {}), config {}, build {}",
            report.plant.hash, report.plant.seed, conditions.config_hash, conditions.build_id
        ),
    );
    out.row("run folder", &conditions.run_dir);
}

/// `1 cycle`, `12 345 cycles`.
pub(crate) fn counted(number: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// `12 345 678`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

#[expect(clippy::cast_precision_loss, reason = "for people, to a tenth of a microsecond")]
fn microseconds(ns: u64) -> String {
    format!("{:.1}", ns as f64 * 1e-3)
}

fn mebibytes(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "for people, to a tenth of a MiB")]
    let mebibytes = bytes as f64 / 1_048_576.0;
    format!("{mebibytes:.1} MiB")
}
