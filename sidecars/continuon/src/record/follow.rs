//! The episode that is being recorded, seen from its files.
//!
//! *What it decides.* Which episodes are ours: the one that began by our wish since we came, and those
//! that went on where a cap or another driver cut it. *What it must never do.* Read a recording that
//! is being written more than to measure it. Tests: below.

use crate::exit::Failure;
use rlds::validate::{Profile, Severity, validate};
use rlds::{Closing, EpisodeNote};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Words by which what follows is another episode's and not the rest of ours.
const ANOTHERS: [&str; 4] = ["start", "arm", "command", "after_command"];

/// Follows the files.
pub(super) struct Follow {
    folder: PathBuf,
    before: BTreeSet<PathBuf>,
    ours: Vec<PathBuf>,
    begun_at: Option<Instant>,
    steps: Steps,
}

/// Lines of the newest steps file, and of those before it.
#[derive(Default)]
struct Steps {
    of: PathBuf,
    read_bytes: u64,
    count: u64,
}

/// What an episode came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Episode {
    pub(super) episode: PathBuf,
    pub(super) steps: u64,
    pub(super) seconds: f64,
    pub(super) telemetry_records: u64,
    pub(super) telemetry_lost: u64,
    pub(super) closing: Closing,
    pub(super) begun: String,
    pub(super) reason: String,
    pub(super) valid: bool,
    pub(super) errors: u64,
    pub(super) warnings: u64,
    /// The first finding, so that a person need not ask again.
    pub(super) first_finding: Option<String>,
}

impl Follow {
    /// Of what is in `folder` now, nothing is ours.
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            before: episodes_in(folder),
            ours: Vec::new(),
            begun_at: None,
            steps: Steps::default(),
        }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn has_begun(&self) -> bool {
        !self.ours.is_empty()
    }

    pub(super) fn episodes(&self) -> impl Iterator<Item = &PathBuf> {
        self.ours.iter()
    }

    pub(super) fn newest(&self) -> &Path {
        self.ours.last().unwrap_or(&self.folder)
    }

    pub(super) fn steps(&self) -> u64 {
        self.steps.count
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.begun_at.map_or(Duration::ZERO, |at| at.elapsed())
    }

    /// Of all their recordings.
    pub(super) fn bytes(&self) -> u64 {
        let of = |episode: &PathBuf| {
            fs::metadata(rlds::recording_path(episode)).map_or(0, |found| found.len())
        };
        self.ours.iter().map(of).fold(0, u64::saturating_add)
    }

    /// Looks which episodes are ours by now, and how far they are.
    pub(super) fn look(&mut self) {
        let new = episodes_in(&self.folder);
        let mut new: Vec<_> = new.difference(&self.before).filter_map(|path| begun(path)).collect();
        new.sort_by_cached_key(|(path, _)| rlds::episode_order(path));
        let first = new.iter().position(|(_, word)| word == "command");
        self.ours = new
            .into_iter()
            .skip(first.unwrap_or(usize::MAX))
            .enumerate()
            .take_while(|(place, (_, word))| *place == 0 || !ANOTHERS.contains(&word.as_str()))
            .map(|(_, (path, _))| path)
            .collect();
        if let Some(newest) = self.ours.last() {
            self.begun_at.get_or_insert_with(Instant::now);
            self.steps.look(newest);
        }
    }

    /// What each came to.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(super) fn verdicts(&self) -> Result<Vec<Episode>, Failure> {
        self.ours.iter().map(|path| Episode::of(path)).collect()
    }
}

fn episodes_in(folder: &Path) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| rlds::recording_path(path).is_file()).collect()
}

fn note(episode: &Path) -> Option<EpisodeNote> {
    serde_json::from_slice(&fs::read(episode.join("episode.json")).ok()?).ok()
}

/// An episode and the word for why it began.
fn begun(episode: &Path) -> Option<(PathBuf, String)> {
    note(episode).map(|note| (episode.to_owned(), note.begun))
}

/// Whether it is still being written, as far as it says.
pub(super) fn is_open(episode: &Path) -> bool {
    note(episode).is_none_or(|note| note.closing == Closing::Open)
}

impl Steps {
    fn look(&mut self, episode: &Path) {
        let path = episode.join("steps/000000.jsonl");
        if self.of != path {
            (self.of, self.read_bytes) = (path, 0);
        }
        let mut text = Vec::new();
        let read = File::open(&self.of).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.read_bytes))?;
            file.read_to_end(&mut text)
        });
        if read.is_ok() {
            self.read_bytes += text.len() as u64;
            self.count += text.iter().filter(|byte| **byte == b'\n').count() as u64;
        }
    }
}

impl Episode {
    fn of(path: &Path) -> Result<Self, Failure> {
        let unreadable =
            |words: String| Failure::not_possible(format!("{}: {words}", path.display()));
        let note =
            note(path).ok_or_else(|| unreadable("its episode.json cannot be read".to_owned()))?;
        let mut first_finding = None;
        let verdict = validate(path, Profile::Normal, &mut |finding| {
            if finding.severity == Severity::Error {
                first_finding.get_or_insert_with(|| finding.to_string());
            }
        })
        .map_err(|error| unreadable(error.to_string()))?;
        let ns = note.last_mono_ns.saturating_sub(note.first_mono_ns);
        Ok(Self {
            episode: path.to_owned(),
            steps: note.steps,
            seconds: Duration::from_nanos(ns).as_secs_f64(),
            telemetry_records: note.telemetry_records,
            telemetry_lost: note.telemetry_lost_ring.saturating_add(note.telemetry_lost_disk),
            closing: note.closing,
            begun: note.begun,
            reason: note.reason,
            valid: verdict.errors == 0,
            errors: verdict.errors,
            warnings: verdict.warnings,
            first_finding,
        })
    }

    /// Whether it is all that a person can want of it.
    pub(super) fn is_good(&self) -> bool {
        self.valid
            && self.telemetry_lost == 0
            && matches!(self.closing, Closing::Clean | Closing::Cut)
    }

    pub(super) fn in_words(&self) -> String {
        let valid = if self.valid { "valid" } else { "NOT valid" };
        let mut words = format!(
            "{}: {} steps, {:.1} s, {} records, {} lost, {valid}\n",
            self.episode.display(),
            self.steps,
            self.seconds,
            self.telemetry_records,
            self.telemetry_lost,
        );
        if let Some(finding) = &self.first_finding {
            words.push_str(&format!("  {finding} (and {} more)\n", self.errors.saturating_sub(1)));
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::{Follow, is_open};
    use rlds::{About, Closing, EpisodeWriter};
    use rt_wire::{MonoNs, Telemetry};
    use std::path::Path;

    /// An episode of so many seconds, begun for this reason.
    fn episode(dir: &Path, begun: &str, seconds: u64) -> EpisodeWriter {
        let about = About {
            robot: "sim-donkey".to_owned(),
            step_rate_hz: 20,
            begun: begun.to_owned(),
            start_unix_ms: 1_795_000_000_000,
            ..About::default()
        };
        let mut episode = EpisodeWriter::create(dir, about, b"{}").expect("begun");
        for n in 1..=seconds * 1000 {
            let mono_ns = MonoNs(n * 1_000_000);
            episode.telemetry(n, &Telemetry { sequence: n, mono_ns, ..Telemetry::default() });
        }
        episode
    }

    #[test]
    fn ours_is_what_a_wish_began_since_we_came_and_what_goes_on_from_it() {
        let dir = tempfile::tempdir().expect("a folder");
        let _earlier = episode(dir.path(), "command", 1).finish(Closing::Cut, "command");
        let mut follow = Follow::new(dir.path());
        let _running = episode(dir.path(), "after_command", 1);
        follow.look();
        assert!(!follow.has_begun());
        let mut expected = vec![episode(dir.path(), "command", 2).finish(Closing::Cut, "x").path];
        follow.look();
        assert_eq!(follow.newest(), expected[0]);
        assert_eq!(follow.steps(), 40);
        // Ten of one second: their numbers are no letters.
        for _ in 0..10 {
            expected.push(episode(dir.path(), "episode_max_s", 1).finish(Closing::Cut, "x").path);
        }
        let open = episode(dir.path(), "authority", 1);
        expected.push(open.path().to_owned());
        let _after = episode(dir.path(), "after_command", 1);
        follow.look();
        assert_eq!(follow.episodes().cloned().collect::<Vec<_>>(), expected);
        assert!(is_open(&expected[11]) && !is_open(&expected[0]));
        assert!(follow.bytes() > 0);
    }

    #[test]
    fn steps_are_counted_as_their_file_grows_and_go_on_in_the_next_episode() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut follow = Follow::new(dir.path());
        let mut growing = episode(dir.path(), "command", 1);
        follow.look();
        let before = follow.steps();
        for n in 1001..=3000 {
            let mono_ns = MonoNs(n * 1_000_000);
            growing.telemetry(n, &Telemetry { sequence: n, mono_ns, ..Telemetry::default() });
        }
        follow.look();
        assert!(follow.steps() > before + 30, "{before} {}", follow.steps());
        growing.finish(Closing::Cut, "episode_max_s");
        let next = episode(dir.path(), "episode_max_s", 1).finish(Closing::Clean, "");
        follow.look();
        let verdicts = follow.verdicts().expect("readable");
        assert_eq!(verdicts.len(), 2);
        assert_eq!(
            (verdicts[1].steps, verdicts[1].begun.as_str()),
            (next.note.steps, "episode_max_s")
        );
    }
}
