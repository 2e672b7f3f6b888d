//! `continuon rlds export`: episodes in the formats of other tools.
//!
//! Decides names and defaults, what is told while it goes on and at its end, and the exit code; how a
//! format looks, `rlds_formats::export` decides. Tests: tests/rlds_formats.rs.

use super::episodes::find_all;
use crate::exit::{Exit, Failure};
use crate::output::{print, print_line};
use crate::progress::Progress;
use crate::report::text::counted;
use clap::{Args, ValueEnum};
use rlds_formats::export::{Fate, Format, Options, Told, export};
use serde_json::json;
use std::fmt::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub(super) const EXAMPLES: &str = "\
Examples:
  continuon rlds export rlds/episodes --to dataset --format tfds
  continuon rlds export rlds/episodes --to lerobot --format lerobot --fps 20 --task 'drive a lap'
  continuon rlds export rlds/episodes --to lerobot --format lerobot --video
  continuon rlds export ep_20261120T184405Z_sim --to out --format tfrecord --gzip
  continuon rlds export rlds/episodes --to shared --format bundle

What each format loses (metadata.owner stays on the robot in all of them):
  tfds      the recording; depth, sound and masks as files; steps whose picture is missing.
            tensorflow_datasets reads it, but not with --gzip: then TFRecordDataset does.
  tfrecord  the recording; every picture (its name stays); all metadata but the id
  lerobot   the recording; all of a step but state, action, picture, reward, end and task;
            steps between two instants of the fixed rate (original_timestamp_ns keeps their time)
  dir       the recording, but for the pictures that steps refer to
  mcap      nothing of the recording; steps and metadata, which are derived from it
  bundle    the recording, pictures, sound, every text that is none of the contract's own words

An export that was broken off goes on where it was; lerobot begins anew.

Exit codes: 0 all exported, 1 some were skipped, 2 none could be, misuse, or the disk refuses.";

/// Options of `continuon rlds export`.
#[derive(Clone, Debug, Args)]
pub struct ExportArgs {
    /// Episodes, folders of episodes, or folders of runs; without any, the newest episode.
    #[arg(value_name = "EPISODE")]
    pub episodes: Vec<PathBuf>,
    /// Where the output goes.
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
    /// What to write.
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: FormatName,
    /// tfds, tfrecord: compress with gzip.
    #[arg(long)]
    pub gzip: bool,
    /// tfds, lerobot: leave the camera's pictures out.
    #[arg(long)]
    pub no_pictures: bool,
    /// lerobot: the pictures as a video (Motion JPEG in MP4, the camera's own bytes) instead of in the
    /// rows.
    #[arg(long, conflicts_with = "no_pictures")]
    pub video: bool,
    /// tfds: of a hundred episodes about this many go into `val`, chosen by their ids.
    #[arg(long, value_name = "N", default_value_t = 10,
          value_parser = clap::value_parser!(u8).range(0..=100))]
    pub val_percent: u8,
    /// tfds: name of the data set.
    #[arg(long, value_name = "NAME", default_value = "continuon")]
    pub name: String,
    /// tfds, lerobot: a file is not much larger.
    #[arg(long, value_name = "MIB", default_value_t = 256,
          value_parser = clap::value_parser!(u64).range(1..=4096))]
    pub file_mib: u64,
    /// lerobot: frames a second; without it, the first episode's rate.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub fps: Option<u32>,
    /// tfds, lerobot: what the robot was to do, for episodes that do not say it.
    #[arg(long, value_name = "TEXT", default_value = "drive")]
    pub task: String,
    /// bundle: keep the salt in this file, or take the one that is there; it must lie outside.
    #[arg(long, value_name = "FILE")]
    pub salt_file: Option<PathBuf>,
}

/// What to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FormatName {
    /// RLDS for tensorflow_datasets, with train and val.
    Tfds,
    /// The contract's TFRecord, a file an episode.
    Tfrecord,
    /// LeRobot data set, version 3.
    Lerobot,
    /// The contract's directories, pictures as files.
    Dir,
    /// The recordings alone.
    Mcap,
    /// Anonymous, for other people.
    Bundle,
}

impl From<FormatName> for Format {
    fn from(name: FormatName) -> Self {
        match name {
            FormatName::Tfds => Self::Tfds,
            FormatName::Tfrecord => Self::Tfrecord,
            FormatName::Lerobot => Self::Lerobot,
            FormatName::Dir => Self::Dir,
            FormatName::Mcap => Self::Mcap,
            FormatName::Bundle => Self::Bundle,
        }
    }
}

/// Runs `continuon rlds export`.
///
/// # Errors
/// There are no episodes, or the output cannot be written.
pub(super) fn command(args: &ExportArgs, json: bool) -> Result<Exit, Failure> {
    let found = find_all(&args.episodes)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let options = Options {
        gzip: args.gzip,
        with_pictures: !args.no_pictures,
        video: args.video,
        validation_percent: args.val_percent,
        name: args.name.clone(),
        file_bytes: args.file_mib << 20,
        frames_per_s: args.fps,
        task: args.task.clone(),
        salt_file: args.salt_file.clone(),
        now_unix_ms: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
        ..Options::default()
    };
    let watcher = Watcher::new("exporting");
    let told = export(args.format.into(), &found.episodes, &args.to, &options, &mut |progress| {
        watcher.look(progress);
    });
    watcher.done();
    let told = told.map_err(|problem| Failure::misuse(problem.to_string()))?;
    let exit = exit_of(&told, false);
    if json {
        print_line(json!({
            "to": args.to,
            "episodes": told,
            "left_out": found.left_out,
            "exit_code": exit.code(),
        }))?;
    } else {
        for folder in &found.left_out {
            print_line(format!("{}: no episode, left out", folder.display()))?;
        }
        print(&render(&told, &[]))?;
    }
    Ok(exit)
}

/// 0 all, 1 some, 2 none. `broken`: something inside an episode was skipped.
pub(super) fn exit_of(told: &[Told], broken: bool) -> Exit {
    let skipped = told.iter().filter(|one| one.fate == Fate::Skipped).count();
    match skipped {
        0 if !broken => Exit::Ok,
        count if count == told.len() => Exit::Misuse,
        _ => Exit::No,
    }
}

/// A line an episode, what is broken by name, and a last line that counts.
pub(super) fn render(told: &[Told], broken: &[String]) -> String {
    let mut text = String::new();
    let mut line = |words: std::fmt::Arguments<'_>| {
        // Writing to a text never fails.
        writeln!(text, "{words}").ok();
    };
    for one in told {
        let left_out: String =
            one.left_out.iter().map(|(what, count)| format!("; {what}: {count}")).collect();
        match one.fate {
            Fate::Written => {
                line(format_args!("{}: {}{left_out}", one.episode_id, counted(one.steps, "step")))
            }
            Fate::Kept => line(format_args!("{}: was there already", one.episode_id)),
            Fate::Skipped => line(format_args!("skipped: {}", one.why)),
        }
    }
    for what in broken {
        line(format_args!("skipped: {what}"));
    }
    let count = |fate| told.iter().filter(|one| one.fate == fate).count() as u64;
    line(format_args!(
        "{} written, {} kept, {} skipped",
        counted(count(Fate::Written), "episode"),
        count(Fate::Kept),
        count(Fate::Skipped)
    ));
    text
}

/// Tells how far it is: on a terminal ten times a second, elsewhere every ten seconds.
pub(super) struct Watcher {
    progress: Progress,
    what: &'static str,
    told_at: std::cell::Cell<Instant>,
    noted_at: std::cell::Cell<Instant>,
}

impl Watcher {
    pub(super) fn new(what: &'static str) -> Self {
        let now = std::cell::Cell::new(Instant::now());
        Self { progress: Progress::new(), what, told_at: now.clone(), noted_at: now }
    }

    pub(super) fn look(&self, progress: &rlds_formats::export::Progress) {
        let now = Instant::now();
        if now.duration_since(self.told_at.get()) < Duration::from_millis(100) {
            return;
        }
        self.told_at.set(now);
        let words = format!(
            "{}: {} of {}, {}",
            self.what,
            progress.episodes,
            counted(progress.of as u64, "episode"),
            counted(progress.steps, "step")
        );
        self.progress.working(&words);
        if now.duration_since(self.noted_at.get()) >= Duration::from_secs(10) {
            self.noted_at.set(now);
            self.progress.stage(&words);
        }
    }

    pub(super) fn done(&self) {
        self.progress.done();
    }
}
