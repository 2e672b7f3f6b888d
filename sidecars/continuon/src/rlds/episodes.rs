//! Which episodes are meant: one, those of a folder, or those of a run.
//!
//! Decides by what is there, never by a name. Tests: below.

use crate::exit::Failure;
use crate::recorded::{episodes_of, find};
use crate::run_dir::{RUNS, SERVICES};
use rlds::validate::is_episode;
use rt_shm::in_words;
use std::fs;
use std::path::{Path, PathBuf};

/// What was found under the paths that were given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Episodes, in the order in which they began within each path.
    pub(super) episodes: Vec<PathBuf>,
    /// Folders among them that are none.
    pub(super) left_out: Vec<PathBuf>,
}

/// Every episode under `paths`; without any, the newest of all runs.
///
/// # Errors
/// A path is no episode and holds none.
pub(super) fn find_all(paths: &[PathBuf]) -> Result<Found, Failure> {
    let mut found = Found::default();
    if paths.is_empty() {
        let recording = find(None)?;
        // `<episode>/blobs/recording.mcap`.
        let episode = recording.parent().and_then(Path::parent).unwrap_or(&recording);
        found.episodes.push(episode.to_owned());
    }
    for path in paths {
        let before = found.episodes.len();
        if is_episode(path) {
            found.episodes.push(path.clone());
        } else {
            let of_run = episodes_of(path);
            found.add(if of_run.is_dir() { &of_run } else { path })?;
        }
        if found.episodes.len() == before {
            return Err(nothing_in(path));
        }
    }
    Ok(found)
}

/// Every episode of all runs.
///
/// # Errors
/// There is none.
pub(super) fn find_all_of_runs() -> Result<Found, Failure> {
    let mut found = Found::default();
    let runs = [RUNS, SERVICES].iter().flat_map(fs::read_dir).flatten().flatten();
    for run in runs {
        found.add(&episodes_of(&run.path()))?;
    }
    if found.episodes.is_empty() {
        // Says where it looked, and how to record one.
        find(None)?;
    }
    Ok(found)
}

/// What one path means: an episode, or a recording that lies in none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subject {
    /// Directory of the episode.
    pub(super) episode: Option<PathBuf>,
    /// Its recording, if there is one.
    pub(super) recording: Option<PathBuf>,
}

impl Subject {
    pub(super) fn of_episode(episode: &Path) -> Self {
        let recording = rlds::recording_path(episode);
        let recording = recording.is_file().then_some(recording);
        Self { episode: Some(episode.to_owned()), recording }
    }

    /// What people call it.
    pub(super) fn name(&self) -> String {
        let path = self.episode.as_ref().or(self.recording.as_ref());
        path.map(|path| path.display().to_string()).unwrap_or_default()
    }

    /// Its recording.
    ///
    /// # Errors
    /// It has none.
    pub(super) fn recording(&self) -> Result<&Path, Failure> {
        self.recording.as_deref().ok_or_else(|| {
            Failure::misuse(format!(
                "{}: expected an episode with blobs/recording.mcap, found one without (it was \
                 recorded or written by another program)",
                self.name()
            ))
        })
    }
}

/// The one episode that is meant by `given`: itself, its recording, or the newest of a folder or a
/// run; without it, the newest of all runs.
///
/// # Errors
/// There is none.
pub(super) fn find_one(given: Option<&Path>) -> Result<Subject, Failure> {
    match given {
        Some(path) if path.is_file() => {
            let episode = path.parent().and_then(Path::parent);
            let episode = episode.filter(|episode| rlds::recording_path(episode) == path);
            Ok(Subject { episode: episode.map(Path::to_owned), recording: Some(path.to_owned()) })
        }
        _ => {
            let paths: Vec<PathBuf> = given.map(Path::to_owned).into_iter().collect();
            let found = find_all(&paths)?;
            let newest = found.episodes.last().map(|episode| Subject::of_episode(episode));
            newest.ok_or_else(|| nothing_in(given.unwrap_or(Path::new(RUNS))))
        }
    }
}

impl Found {
    fn add(&mut self, folder: &Path) -> Result<(), Failure> {
        if !folder.is_dir() {
            return Ok(());
        }
        let entries = fs::read_dir(folder).map_err(|error| {
            Failure::not_possible(format!("{}: {}", folder.display(), in_words(error)))
        })?;
        let mut folders: Vec<PathBuf> =
            entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
        folders.sort_by_cached_key(|folder| rlds::episode_order(folder));
        let (episodes, others): (Vec<_>, Vec<_>) =
            folders.into_iter().partition(|folder| is_episode(folder));
        self.episodes.extend(episodes);
        self.left_out.extend(others);
        Ok(())
    }
}

fn nothing_in(path: &Path) -> Failure {
    let found = match path {
        path if path.is_file() => "a file",
        path if path.exists() => "none of them",
        _ => "nothing",
    };
    Failure::misuse(format!(
        "{}: expected an episode, a folder of episodes, or the folder of a run, found {found}",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::find_all;
    use crate::exit::Exit;
    use std::fs;
    use std::path::{Path, PathBuf};

    fn episode(path: &Path) -> PathBuf {
        fs::create_dir_all(path.join("steps")).expect("made");
        path.to_owned()
    }

    #[test]
    fn an_episode_a_folder_of_them_and_a_run_are_found_and_strangers_are_named() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = root.path().join("run/rlds/episodes");
        let (b, a) = (episode(&folder.join("b")), episode(&folder.join("a")));
        let stranger = folder.join("c");
        fs::create_dir(&stranger).expect("made");
        for given in [root.path().join("run"), folder] {
            let found = find_all(&[given]).expect("found");
            assert_eq!(found.episodes, [a.clone(), b.clone()]);
            assert_eq!(found.left_out, std::slice::from_ref(&stranger));
        }
        assert_eq!(find_all(&[b.clone(), a.clone()]).expect("found").episodes, [b, a]);
    }

    #[test]
    fn a_path_without_an_episode_is_misuse_and_names_what_is_there() {
        let root = tempfile::tempdir().expect("a folder");
        let file = root.path().join("file");
        fs::write(&file, "").expect("written");
        for (path, word) in [
            (file, "a file"),
            (root.path().to_owned(), "none of them"),
            (root.path().join("x"), "nothing"),
        ] {
            let wrong = find_all(std::slice::from_ref(&path)).expect_err("no episode");
            assert_eq!(wrong.exit, Exit::Misuse);
            assert!(wrong.message.contains(word), "{wrong}");
            assert!(wrong.message.contains(&path.display().to_string()), "{wrong}");
        }
    }
}
