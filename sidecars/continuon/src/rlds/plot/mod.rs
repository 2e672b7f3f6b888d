//! `continuon rlds plot`: a drive on one page that needs nothing but itself.
//!
//! *What it decides.* What is on the page and in which order. *What it must never do.* Grow with the
//! length of the recording, write over a file that is no page, or hold the recording. Tests:
//! tests/rlds_look.rs, and beside columns, charts and page.

mod chart;
mod columns;
mod page;

use super::episodes::{Subject, find_one};
use super::facts::{Facts, State, seconds, size, utc};
use super::strip::Strip;
use super::survey::Survey;
use crate::exit::{Exit, Failure};
use crate::output::print_line;
use crate::progress::Progress;
use crate::report::text::{counted, grouped};
use chart::{Axis, Band, Lane, figure, lanes, number};
use clap::Args;
use columns::{
    Column, Columns, EXECUTION_US, FIGURES, Range, SPEED, STEERING, STEERING_ASKED, THROTTLE,
    THROTTLE_ASKED, WAKEUP_US,
};
use page::{base64, escaped};
use rlds::Entry;
use rt_shm::in_words;
use rt_wire::{Fault, Mode, SOURCES};
use serde_json::json;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Bytes of all pictures on the page; as text they take a third more.
const PICTURE_BYTES_MAX: usize = 1_500_000;
/// Rows of a table.
const ROWS_MAX: usize = 60;

pub(super) const EXAMPLES: &str = "\
Examples:
  continuon rlds plot runs/2026-11-20T184405Z-sim --out report.html
  continuon rlds plot rlds/episodes/ep_20261120T184405Z_donkey --out drive.html --frames 48

One page, for any browser, without network: what was asked and driven, speed, modes, causes, who
drove, wake-up latency and execution time, what is lost, and pictures. However long the recording is,
each column of a chart shows the smallest and the largest value of its time: no spike is hidden.

Exit codes: 0 written, 1 written, and the recording is damaged, 2 no episode or no place for the page,
3 not possible here (and why).";

/// Options of `continuon rlds plot`.
#[derive(Clone, Debug, Args)]
pub struct PlotArgs {
    /// An episode, a recording.mcap, or a folder of episodes or of a run, whose newest is meant.
    #[arg(value_name = "EPISODE")]
    pub episode: PathBuf,
    /// The page; one that is there is written anew.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Pictures on the page at most.
    #[arg(long, value_name = "N", default_value_t = 24,
          value_parser = clap::value_parser!(u16).range(0..=200))]
    pub frames: u16,
}

/// What the charts are made of.
struct Drive {
    subject: Subject,
    facts: Option<Facts>,
    survey: Survey,
    columns: Columns,
}

/// Runs `continuon rlds plot`.
///
/// # Errors
/// There is no such recording, or the page cannot be written.
pub(super) fn command(args: &PlotArgs, json: bool) -> Result<Exit, Failure> {
    let subject = find_one(Some(&args.episode))?;
    let recording = subject.recording()?.to_owned();
    check_out(&args.out)?;
    let progress = Progress::new();
    progress.working(&format!("reading {}", recording.display()));
    let mut columns = Columns::new();
    let strip = Strip::new(usize::from(args.frames), PICTURE_BYTES_MAX);
    let survey = Survey::with(&recording, strip, |entry| {
        if let Entry::Telemetry(record) = entry {
            columns.push(record);
        }
    })?;
    let facts = subject.episode.as_deref().map(Facts::of);
    let drive = Drive { subject, facts, survey, columns };
    let html = drive.page();
    write_page(&args.out, &html)?;
    progress.done();
    let survey = &drive.survey;
    if json {
        print_line(json!({
            "out": args.out,
            "bytes": html.len(),
            "columns": drive.columns.columns().len(),
            "records": survey.telemetry,
            "frames": survey.frames.count,
            "frames_shown": survey.shots.len(),
            "lost": survey.missing,
            "problems": survey.notes,
        }))?;
    } else {
        print_line(format!(
            "{}: {}, {} of {}",
            args.out.display(),
            size(html.len() as u64),
            counted(survey.telemetry, "record"),
            super::words::plain(&drive.subject.name())
        ))?;
    }
    // The end of a recording that goes on is never whole.
    let is_running = drive.facts.as_ref().is_some_and(|facts| facts.state == State::Running);
    Ok(if survey.notes.is_empty() || is_running { Exit::Ok } else { Exit::No })
}

/// A page may take the place of a page, and of nothing else.
fn check_out(out: &Path) -> Result<(), Failure> {
    if out.is_dir() {
        let words = format!("{}: expected a file for the page, found a folder", out.display());
        return Err(Failure::misuse(words));
    }
    let mut begin = Vec::new();
    match File::open(out).and_then(|file| file.take(64).read_to_end(&mut begin)) {
        Err(_) => Ok(()),
        Ok(_) if begin.is_empty() => Ok(()),
        Ok(_) if begin.to_ascii_lowercase().starts_with(b"<!doctype html") => Ok(()),
        Ok(_) => Err(Failure::misuse(format!(
            "{}: expected a new file or a page, found another file, which is left as it is",
            out.display()
        ))),
    }
}

/// Whole or not at all.
fn write_page(out: &Path, html: &str) -> Result<(), Failure> {
    let mut name = out.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    let written = fs::write(&new, html).and_then(|()| fs::rename(&new, out));
    written.map_err(|error| {
        // What was begun is no page.
        fs::remove_file(&new).ok();
        Failure::not_possible(format!("{}: {}", out.display(), in_words(error)))
    })
}

impl Drive {
    fn page(&self) -> String {
        let mut body = self.head();
        if self.survey.telemetry == 0 {
            body.push_str("<p class=\"bad\">The recording holds no telemetry.</p>");
        } else {
            body.push_str(&self.charts());
        }
        body.push_str(&self.pictures());
        body.push_str(&self.tables());
        page::page(&self.title(), &body, &self.data())
    }

    fn title(&self) -> String {
        let path = PathBuf::from(self.subject.name());
        path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
    }

    fn span_s(&self) -> f64 {
        seconds(self.columns.width_ns().saturating_mul(self.columns.columns().len() as u64))
    }

    fn head(&self) -> String {
        let survey = &self.survey;
        let mut text = format!("<h1>{}</h1>", escaped(&self.title()));
        let about = &survey.about;
        let wall = survey.first_at.map_or(about.start_unix_ms, |first| about.unix_ms_at(first));
        let who = format!(
            "{}, {} ({}) in {}, {:.2} s, {}",
            utc(wall),
            about.robot,
            about.robot_model,
            about.environment_id,
            seconds(survey.span_ns()),
            counted(survey.telemetry, "record")
        );
        paragraph(&mut text, "", &who);
        if let Some(facts) = &self.facts {
            let reason = facts.note.as_ref().map_or("", |note| note.reason.as_str());
            let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
            paragraph(&mut text, "", &format!("Episode: {}{reason}", facts.state.words()));
        }
        let missing = &survey.missing;
        if missing.total() == 0 {
            paragraph(&mut text, "", "Lost: nothing");
        } else {
            let words = format!(
                "LOST: {} of telemetry, {} keyframes, {} messages of the loop, {} pictures",
                counted(missing.telemetry, "record"),
                grouped(missing.keyframes),
                grouped(missing.log_frames),
                grouped(missing.frames)
            );
            paragraph(&mut text, "bad", &words);
        }
        for note in &survey.notes {
            paragraph(&mut text, "bad", note);
        }
        text
    }

    fn ranges(&self, figure: usize) -> Vec<Range> {
        self.columns.columns().iter().map(|column| column.ranges[figure]).collect()
    }

    fn charts(&self) -> String {
        let span_s = self.span_s();
        let each: Vec<Vec<Range>> = (0..FIGURES).map(|figure| self.ranges(figure)).collect();
        let band = |class, name, figure: usize| Band { class, name, ranges: &each[figure] };
        let all = |figures: &[usize]| -> Vec<Range> {
            figures.iter().flat_map(|figure| each[*figure].iter().copied()).collect()
        };
        let mut text = String::from("<h2>Drive</h2>");
        text += &figure(
            "Steering",
            "−1 right to 1 left",
            Axis::linear(all(&[STEERING, STEERING_ASKED])),
            &[band("asked", "asked", STEERING_ASKED), band("driven", "driven", STEERING)],
            span_s,
        );
        text += &figure(
            "Throttle",
            "−1 back to 1 ahead",
            Axis::linear(all(&[THROTTLE, THROTTLE_ASKED])),
            &[band("asked", "asked", THROTTLE_ASKED), band("driven", "driven", THROTTLE)],
            span_s,
        );
        text += &figure(
            "Speed",
            "m/s",
            Axis::linear(all(&[SPEED])),
            &[band("speed", "at the wheel", SPEED)],
            span_s,
        );
        text.push_str("<h2>Modes, authority, causes, losses</h2>");
        let width_s = seconds(self.columns.width_ns());
        text += &lanes("Mode", &self.modes(), width_s, span_s);
        text += &lanes("Authority", &self.authorities(), width_s, span_s);
        let causes = self.causes();
        if causes.is_empty() {
            text.push_str("<p>No cause to stop in any cycle, and nothing lost.</p>");
        } else {
            text += &lanes("Causes and losses", &causes, width_s, span_s);
        }
        text.push_str("<h2>Timing of the loop</h2>");
        text += &figure(
            "Wake-up latency",
            "µs, by powers of ten",
            Axis::log(all(&[WAKEUP_US])),
            &[band("time", "release to wake", WAKEUP_US)],
            span_s,
        );
        text += &figure(
            "Execution time",
            "µs, by powers of ten",
            Axis::log(all(&[EXECUTION_US])),
            &[band("time", "wake to finish", EXECUTION_US)],
            span_s,
        );
        let column = format!(
            "Each of the {} columns holds {} ms and shows the smallest and the largest value in them.",
            self.columns.columns().len(),
            self.columns.width_ns() / 1_000_000
        );
        paragraph(&mut text, "dim", &column);
        text
    }

    fn lane(
        &self,
        class: &'static str,
        name: impl Into<String>,
        is_on: impl Fn(&Column) -> bool,
    ) -> Option<Lane> {
        let is_on: Vec<bool> = self.columns.columns().iter().map(is_on).collect();
        is_on.contains(&true).then(|| Lane { class, name: name.into(), is_on })
    }

    fn modes(&self) -> Vec<Lane> {
        let known = Mode::ALL.iter().filter_map(|mode| {
            let is_bad = matches!(mode, Mode::SafeStop | Mode::EStopLatched | Mode::Fault);
            let class = if is_bad { "fault" } else { "lane" };
            self.lane(class, mode.name(), |column| column.modes >> (*mode as u32) & 1 != 0)
        });
        let unknown = self.lane("fault", "unknown", |column| column.modes >> 31 != 0);
        known.chain(unknown).collect()
    }

    fn authorities(&self) -> Vec<Lane> {
        let nobody = self.lane("lane", "nobody", |column| column.owners & 1 != 0);
        let sources = SOURCES.iter().enumerate().filter_map(|(place, source)| {
            self.lane("driven", source.name(), |column| column.owners >> (place + 1) & 1 != 0)
        });
        nobody.into_iter().chain(sources).collect()
    }

    fn causes(&self) -> Vec<Lane> {
        let causes = Fault::ALL.iter().filter_map(|fault| {
            self.lane("fault", fault.name(), |column| column.causes.0 >> (*fault as u32) & 1 != 0)
        });
        let lost = self.lane("fault", "telemetry lost", |column| column.lost > 0);
        causes.chain(lost).collect()
    }

    fn pictures(&self) -> String {
        let survey = &self.survey;
        let mut text = String::from("<h2>Pictures</h2>");
        if survey.frames.count == 0 {
            paragraph(&mut text, "dim", "The recording holds no pictures.");
            return text;
        }
        let words = format!(
            "{} of {} shown, evenly spread.",
            survey.shots.len(),
            counted(survey.frames.count, "picture")
        );
        paragraph(&mut text, "dim", &words);
        text.push_str("<div class=\"strip\">");
        let first = self.columns.first_at();
        for shot in &survey.shots {
            let at_s = seconds(shot.at.since(first)) - seconds(first.since(shot.at));
            // Writing to a text never fails.
            write!(
                text,
                "<figure><img loading=\"lazy\" width=\"{}\" height=\"{}\" \
                 alt=\"Picture {} of the camera, {at_s:.2} s after the first record\" \
                 src=\"data:image/jpeg;base64,{}\"><div>{at_s:.2} s, number {}</div></figure>",
                shot.width,
                shot.height,
                shot.sequence,
                base64(&shot.jpeg),
                shot.sequence
            )
            .ok();
        }
        text + "</div>"
    }

    fn tables(&self) -> String {
        let survey = &self.survey;
        let mut text = String::from("<h2>In numbers</h2>");
        let figures = self.figure_rows();
        text += &table(
            &["Figure", "Smallest", "at s", "Largest", "at s"],
            &[false, true, true, true, true],
            &figures,
        );
        let changes = survey.modes.iter().map(|change| ("mode", change));
        let owners = survey.authorities.iter().map(|change| ("authority", change));
        let mut changes: Vec<_> = changes.chain(owners).collect();
        changes.sort_by_key(|(_, change)| change.at_ns);
        let more =
            (changes.len().saturating_sub(ROWS_MAX) as u64).saturating_add(survey.more_changes);
        let rows: Vec<Vec<String>> = changes
            .into_iter()
            .take(ROWS_MAX)
            .map(|(what, change)| {
                vec![
                    format!("{:.3}", seconds(change.at_ns)),
                    what.to_owned(),
                    change.to.clone(),
                    change.cycle_index.to_string(),
                ]
            })
            .collect();
        text.push_str("<h2>Changes of mode and authority</h2>");
        text += &table(&["at s", "What", "To", "Cycle"], &[true, false, false, true], &rows);
        if more > 0 {
            paragraph(&mut text, "dim", &format!("and {} more", grouped(more)));
        }
        text.push_str("<h2>Causes</h2>");
        let meaning = |name: &str| {
            let fault = Fault::ALL.iter().find(|fault| fault.name() == name);
            fault.map_or("", |fault| fault.meaning()).to_owned()
        };
        let rows: Vec<Vec<String>> = survey
            .causes
            .iter()
            .map(|cause| {
                vec![
                    cause.name.to_owned(),
                    format!("{:.3}", seconds(cause.first_ns)),
                    format!("{:.3}", seconds(cause.last_ns)),
                    grouped(cause.cycles),
                    meaning(cause.name),
                ]
            })
            .collect();
        if rows.is_empty() {
            paragraph(&mut text, "dim", "None.");
        } else {
            let head = ["Cause", "First at s", "Last at s", "Cycles", "Meaning"];
            text += &table(&head, &[false, true, true, true, false], &rows);
        }
        if !survey.places.is_empty() {
            text.push_str("<h2>Losses</h2>");
            let rows: Vec<Vec<String>> = survey
                .places
                .iter()
                .map(|place| {
                    let at = format!("{:.3}", seconds(place.at_ns));
                    vec![at, place.what.clone(), grouped(place.lost)]
                })
                .collect();
            text += &table(&["at s", "What", "Records"], &[true, false, true], &rows);
        }
        text
    }

    fn figure_rows(&self) -> Vec<Vec<String>> {
        let width_s = seconds(self.columns.width_ns());
        let at = |column: Option<usize>| {
            let column = column.and_then(|column| u32::try_from(column).ok());
            column.map_or_else(
                || "-".to_owned(),
                |column| format!("{:.2}", f64::from(column) * width_s),
            )
        };
        NAMES
            .iter()
            .enumerate()
            .map(|(figure, (name, unit))| {
                let ranges = self.ranges(figure);
                let there = || ranges.iter().enumerate().filter(|(_, range)| !range.is_none());
                let least = there().min_by(|a, b| a.1.min.total_cmp(&b.1.min));
                let most = there().max_by(|a, b| a.1.max.total_cmp(&b.1.max));
                let told = |value: Option<f32>| {
                    value
                        .map_or_else(|| "-".to_owned(), |value| format!("{} {unit}", number(value)))
                };
                vec![
                    (*name).to_owned(),
                    told(least.map(|(_, range)| range.min)).trim_end().to_owned(),
                    at(least.map(|(column, _)| column)),
                    told(most.map(|(_, range)| range.max)).trim_end().to_owned(),
                    at(most.map(|(column, _)| column)),
                ]
            })
            .collect()
    }

    /// What the script reads: numbers, and names of our own.
    fn data(&self) -> String {
        let figures: Vec<String> = NAMES
            .iter()
            .enumerate()
            .map(|(figure, (name, unit))| {
                let ranges = self.ranges(figure);
                let list = |of: fn(&Range) -> f32| -> String {
                    let told = ranges.iter().map(|range| match range.is_none() {
                        true => "null".to_owned(),
                        false => number(of(range)).replace('−', "-"),
                    });
                    told.collect::<Vec<_>>().join(",")
                };
                format!(
                    "{{\"name\":\"{name}\",\"unit\":\"{unit}\",\"range\":[[{}],[{}]]}}",
                    list(|range| range.min),
                    list(|range| range.max)
                )
            })
            .collect();
        format!(
            "{{\"count\":{},\"width_s\":{},\"figures\":[{}]}}",
            self.columns.columns().len(),
            seconds(self.columns.width_ns()),
            figures.join(",")
        )
    }
}

/// Figures and their units, in the order of the columns'.
const NAMES: [(&str, &str); FIGURES] = [
    ("steering driven", ""),
    ("steering asked", ""),
    ("throttle driven", ""),
    ("throttle asked", ""),
    ("speed", "m/s"),
    ("wake-up latency", "µs"),
    ("execution time", "µs"),
];

fn paragraph(text: &mut String, class: &str, words: &str) {
    let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
    // Writing to a text never fails.
    write!(text, "<p{class}>{}</p>", escaped(words)).ok();
}

fn table(head: &[&str], is_number: &[bool], rows: &[Vec<String>]) -> String {
    let class = |column: usize| match is_number.get(column) {
        Some(true) => " class=\"n\"",
        _ => "",
    };
    let mut text = String::from("<div class=\"wide\"><table><thead><tr>");
    for (column, name) in head.iter().enumerate() {
        write!(text, "<th scope=\"col\"{}>{}</th>", class(column), escaped(name)).ok();
    }
    text.push_str("</tr></thead><tbody>");
    for row in rows {
        text.push_str("<tr>");
        for (column, cell) in row.iter().enumerate() {
            write!(text, "<td{}>{}</td>", class(column), escaped(cell)).ok();
        }
        text.push_str("</tr>");
    }
    text + "</tbody></table></div>\n"
}
