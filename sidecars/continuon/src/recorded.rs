//! Recorded episodes: finding the one that is meant, and opening it.
//!
//! Decides which recording is read, and what a person is told when it cannot be: nothing else.
//! Tests: below; whole recordings in the tests crate, module `replay`.

use crate::exit::Failure;
use crate::run_dir::{ROBOT_FILE, RUNS, SERVICES};
use rlds::{About, Entry, ReadError, RecordingReader, Tail};
use rt_config::Robot;
use rt_wire::MonoNs;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Where a run's episodes lie, unless its robot file says otherwise.
const EPISODES: &str = "rlds/episodes";

/// The recording that is meant by `given`: an episode, a run's folder, a folder of episodes or a
/// recording itself; without it, the newest of all runs.
///
/// # Errors
/// There is none.
pub fn find(given: Option<&Path>) -> Result<PathBuf, Failure> {
    let Some(given) = given else {
        return newest_of_runs(&[Path::new(RUNS), Path::new(SERVICES)]);
    };
    if given.is_file() {
        return Ok(given.to_owned());
    }
    has_recording(given)
        .then(|| given.to_owned())
        .or_else(|| newest_in(&episodes_of(given)))
        .or_else(|| newest_in(given))
        .map(|episode| rlds::recording_path(&episode))
        .ok_or_else(|| {
            let found = if given.exists() { "none of them" } else { "nothing" };
            Failure::misuse(format!(
                "{}: expected an episode, the folder of a run, or a recording.mcap, found {found} \
                 (`continuon sim` prints where its episode lies)",
                given.display()
            ))
        })
}

fn has_recording(episode: &Path) -> bool {
    rlds::recording_path(episode).is_file()
}

/// The newest episode with a recording.
fn newest_in(episodes: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(episodes).into_iter().flatten().flatten();
    let episodes = entries.map(|entry| entry.path()).filter(|path| has_recording(path));
    episodes.max_by_key(|path| rlds::episode_order(path))
}

fn newest_of_runs(roots: &[&Path]) -> Result<PathBuf, Failure> {
    let runs = roots.iter().flat_map(fs::read_dir).flatten().flatten();
    let newest = runs
        .filter_map(|run| newest_in(&episodes_of(&run.path())))
        .max_by_key(|episode| rlds::episode_order(episode));
    newest.map(|episode| rlds::recording_path(&episode)).ok_or_else(|| {
        Failure::not_possible(format!(
            "no episode: looked in the runs of {RUNS}/ and {SERVICES}/ (record one with `continuon sim`, \
             or name its folder)"
        ))
    })
}

/// Where the episodes of this run lie.
pub(crate) fn episodes_of(run_dir: &Path) -> PathBuf {
    match Robot::load(run_dir.join(ROBOT_FILE)) {
        Ok(robot) => run_dir.join(&robot.file().rlds_logger.episodes_dir),
        Err(_) => run_dir.join(EPISODES),
    }
}

/// A recording and the robot that it is of.
pub struct Recorded {
    /// The file.
    pub path: PathBuf,
    /// The robot, as it was when the recording began.
    pub robot: Robot,
    reader: RecordingReader,
}

impl Recorded {
    /// Opens the recording.
    ///
    /// # Errors
    /// It is no recording (misuse), or another build's (not possible here).
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let reader = RecordingReader::open(path).map_err(refused)?;
        let name = format!("{}: {ROBOT_FILE}", path.display());
        let text = String::from_utf8_lossy(reader.robot_json());
        let robot = Robot::from_json(&text, &name).map_err(|errors| {
            Failure::not_possible(format!(
                "{errors} (recorded by build {:#018x}: read it with that build)",
                reader.about().build_id
            ))
        })?;
        Ok(Self { path: path.to_owned(), robot, reader })
    }

    /// What people call it: the episode's folder where it lies in one.
    #[must_use]
    pub fn name(&self) -> String {
        let episode = self.path.parent().and_then(Path::parent);
        let episode = episode.filter(|episode| rlds::recording_path(episode) == self.path);
        episode.unwrap_or(&self.path).display().to_string()
    }

    /// The next entry; `None` at the end.
    ///
    /// # Errors
    /// The file cannot be read, or what it holds makes no sense.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, Failure> {
        self.reader.next_entry().map_err(refused)
    }

    /// Build of the fast loop that was recorded.
    #[must_use]
    pub fn build_id(&self) -> u64 {
        self.reader.about().build_id
    }

    /// The messages of the loop's log; `None` if the recorder could not have them.
    #[must_use]
    pub fn log_table(&self) -> Option<&[u8]> {
        self.reader.log_table()
    }

    /// What the recording says of itself, its two clocks among it.
    #[must_use]
    pub fn clock(&self) -> About {
        self.reader.about().clone()
    }

    /// Wall-clock time of an instant of the recording.
    #[must_use]
    pub fn utc(&self, at: MonoNs) -> String {
        let unix_ms = u64::try_from(self.reader.about().unix_ms_at(at)).unwrap_or(0);
        let since_1970 = std::time::Duration::from_millis(unix_ms);
        humantime::format_rfc3339_millis(std::time::UNIX_EPOCH + since_1970).to_string()
    }

    /// What is wrong with the file itself, in sentences, once it has been read to its end.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        notes_of(&self.reader)
    }
}

/// What is wrong with a recording itself, in sentences, once it has been read to its end.
pub(crate) fn notes_of(reader: &RecordingReader) -> Vec<String> {
    let damage = reader.damage().iter().map(|damage| {
        format!(
            "{} bytes from byte {} on cannot be believed and were skipped: {}",
            damage.bytes, damage.at_byte, damage.found
        )
    });
    let tail = match reader.tail() {
        Tail::Unread | Tail::Complete => None,
        Tail::Open => {
            Some("the recording has no end: it goes on, or its recorder was killed".into())
        }
        Tail::Torn { torn_bytes, .. } => {
            Some(format!("the recorder was killed: the last {torn_bytes} bytes are torn"))
        }
    };
    damage.chain(tail).collect()
}

pub(crate) fn refused(error: ReadError) -> Failure {
    let message = error.to_string();
    match error {
        ReadError::Io { source, .. } if source.kind() == ErrorKind::NotFound => {
            Failure::misuse(message)
        }
        ReadError::NotMcap { .. } => Failure::misuse(message),
        ReadError::Io { .. } | ReadError::Layout { .. } => Failure::not_possible(message),
        ReadError::Content { .. } => Failure::no(message),
    }
}

#[cfg(test)]
mod tests {
    use super::{find, newest_of_runs};
    use crate::exit::Exit;
    use std::fs;
    use std::path::{Path, PathBuf};

    fn episode(root: &Path, name: &str) -> PathBuf {
        let recording = rlds::recording_path(&root.join(name));
        fs::create_dir_all(recording.parent().expect("a folder")).expect("made");
        fs::write(&recording, "").expect("written");
        recording
    }

    #[test]
    fn an_episode_its_run_its_folder_and_its_file_are_all_found() {
        let root = tempfile::tempdir().expect("a folder");
        let run = root.path().join("2026-11-20-sim");
        let episodes = run.join("rlds/episodes");
        episode(&episodes, "ep_20261120T100000Z_a");
        let newest = episode(&episodes, "ep_20261120T110000Z_a");
        for given in [run.as_path(), &episodes, &episodes.join("ep_20261120T110000Z_a"), &newest] {
            assert_eq!(find(Some(given)).expect("found"), newest, "{}", given.display());
        }
        let wrong = find(Some(&root.path().join("ep_none"))).expect_err("nothing there");
        assert_eq!(wrong.exit, Exit::Misuse);
        assert!(wrong.message.contains("ep_none"), "{wrong}");
        assert_eq!(find(Some(root.path())).expect_err("no episode").exit, Exit::Misuse);
    }

    #[test]
    fn the_newest_episode_counts_whatever_its_runs_name() {
        let root = tempfile::tempdir().expect("a folder");
        let newest = episode(&root.path().join("a/rlds/episodes"), "ep_20261120T120000Z_a");
        episode(&root.path().join("b/rlds/episodes"), "ep_20261120T110000Z_a");
        assert_eq!(newest_of_runs(&[root.path()]).expect("found"), newest);
        // Ten of one second: their numbers are no letters.
        for name in ["ep_20261120T120000Z_a_2", "ep_20261120T120000Z_a_9"] {
            episode(&root.path().join("b/rlds/episodes"), name);
        }
        let newest = episode(&root.path().join("a/rlds/episodes"), "ep_20261120T120000Z_a_10");
        assert_eq!(newest_of_runs(&[root.path()]).expect("found"), newest);
        let none = newest_of_runs(&[&root.path().join("c")]).expect_err("no run");
        assert_eq!(none.exit, Exit::NotPossible);
        assert!(none.message.contains("continuon sim"), "{none}");
    }
}
