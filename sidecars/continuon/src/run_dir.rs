//! Folders of runs: making a fresh one, and finding the one that is meant.
//!
//! ```text
//! runs/2026-11-20T184405Z-sim/   robot.json, *.log, report.txt, report.json, rlds/episodes/…
//!                                and, while it runs, segments.sock and operator.sock
//! /run/continuon/<robot>/        the same sockets, on a robot
//! ```
//! Tests: below.

use crate::cli::WhichRun;
use crate::exit::Failure;
use rt_shm::in_words;
use rt_shm::protocol::{OPERATOR_SOCKET, SEGMENTS_SOCKET};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Where `continuon sim` makes its folders, unless told otherwise.
pub(crate) const RUNS: &str = "runs";
/// Where systemd makes them, on a robot.
pub(crate) const SERVICES: &str = "/run/continuon";
/// The robot file of a run.
pub const ROBOT_FILE: &str = "robot.json";
/// Runs begun within one second.
const SAME_SECOND_MAX: u32 = 100;

/// Makes `<out>/<UTC time>-<what>/` and returns its absolute path and the time.
///
/// # Errors
/// The folder cannot be made.
pub fn create(out: &Path, what: &str) -> Result<(PathBuf, String), Failure> {
    let failed = |path: &Path, error: std::io::Error| {
        let why = in_words(error);
        Failure::not_possible(format!("{}: cannot make the run's folder: {why}", path.display()))
    };
    fs::create_dir_all(out).map_err(|error| failed(out, error))?;
    let out = out.canonicalize().map_err(|error| failed(out, error))?;
    let date = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let stamp = date.replace(':', "");
    for number in 1..=SAME_SECOND_MAX {
        let suffix = if number == 1 { String::new() } else { format!("-{number}") };
        let path = out.join(format!("{stamp}-{what}{suffix}"));
        match fs::create_dir(&path) {
            Ok(()) => return Ok((path, date)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(&path, error)),
        }
    }
    Err(Failure::not_possible(format!("{}: too many runs within one second", out.display())))
}

/// Writes a file of a run and returns its path.
///
/// # Errors
/// What the file system says, a full disk for example, with the path.
pub fn write(run_dir: &Path, name: &str, text: &str) -> Result<PathBuf, Failure> {
    let path = run_dir.join(name);
    match fs::write(&path, text) {
        Ok(()) => Ok(path),
        Err(error) => {
            Err(Failure::not_possible(format!("{}: {}", path.display(), in_words(error))))
        }
    }
}

/// Takes back the folder of a run that never began, with the robot file in it. It opens nothing:
/// there may be no descriptor left.
pub fn take_back(run_dir: &Path) {
    // What ended the run is told; that its folder stays as well would only hide it.
    fs::remove_file(run_dir.join(ROBOT_FILE)).ok();
    fs::remove_dir(run_dir).ok();
}

/// A robot that runs: its folder and its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Where its sockets are.
    pub run_dir: PathBuf,
    /// Name of the robot.
    pub robot: String,
}

/// The running robot that is meant: by folder, by name, or the only one.
///
/// # Errors
/// None runs, not the one that is meant, or several that may be meant; the message names those that
/// do.
pub fn find(which: &WhichRun) -> Result<Running, Failure> {
    let mut candidates = candidates(which)?;
    if candidates.len() > 1 {
        return Err(Failure::misuse(format!(
            "which of them? running: {}; expected {}",
            in_a_list(&candidates),
            chooser(&candidates)
        )));
    }
    Ok(candidates.swap_remove(0))
}

/// The same for what stops a car, which may guess: the newest of those that may be meant, and, if
/// there are others, words that name them.
///
/// # Errors
/// None runs, or not the one that is meant; the message names those that do.
pub fn find_to_stop(which: &WhichRun) -> Result<(Running, Option<String>), Failure> {
    let mut candidates = candidates(which)?;
    let chooser = chooser(&candidates);
    let newest = candidates.remove(0);
    let others = (!candidates.is_empty()).then(|| {
        format!(
            "{} is the newest that runs; untouched: {} (choose with {chooser})",
            newest.run_dir.display(),
            in_a_list(&candidates)
        )
    });
    Ok((newest, others))
}

fn in_a_list(running: &[Running]) -> String {
    let told = |running: &Running| format!("{} in {}", running.robot, running.run_dir.display());
    running.iter().map(told).collect::<Vec<_>>().join(", ")
}

/// The option that tells these apart.
fn chooser(running: &[Running]) -> &'static str {
    let mut names: Vec<&str> = running.iter().map(|running| running.robot.as_str()).collect();
    names.sort_unstable();
    let differ = names.windows(2).all(|pair| pair[0] != pair[1]);
    if differ { "--robot NAME or --run-dir DIR" } else { "--run-dir DIR" }
}

/// Every running robot that may be meant, newest first; at least one.
fn candidates(which: &WhichRun) -> Result<Vec<Running>, Failure> {
    if let Some(run_dir) = &which.run_dir {
        return named(run_dir).map(|running| vec![running]).ok_or_else(|| {
            Failure::misuse(format!(
                "{}: expected the folder of a run, found no valid {ROBOT_FILE} in it \
                 (`continuon sim` prints the folder of its run)",
                run_dir.display()
            ))
        });
    }
    choose(running(&[Path::new(RUNS), Path::new(SERVICES)]), which.robot.as_deref())
}

fn choose(found: Vec<Running>, robot: Option<&str>) -> Result<Vec<Running>, Failure> {
    let Some(robot) = robot else {
        if found.is_empty() {
            return Err(Failure::not_possible(format!(
                "no robot runs: looked for {SEGMENTS_SOCKET} in the folders of {RUNS}/ and {SERVICES}/ \
                 (start one with `continuon sim`, or name its folder with --run-dir)"
            )));
        }
        return Ok(found);
    };
    let (meant, found): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|running| running.robot == robot);
    if !meant.is_empty() {
        return Ok(meant);
    }
    let names: Vec<&str> = found.iter().map(|running| running.robot.as_str()).collect();
    let nearest = rt_config::nearest(robot, names.iter().copied())
        .map_or_else(String::new, |name| format!("; nearest valid name: {name}"));
    let running = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    Err(Failure::not_possible(format!(
        "no robot `{robot}` runs; running: {running}{nearest} (looked in {RUNS}/ and {SERVICES}/; \
         name another folder with --run-dir)"
    )))
}

/// Every robot with a listening socket, newest first. Who has no operator.sock is none: a replay
/// has none, and what cannot be stopped must never be taken for the car that is to be stopped.
pub(crate) fn running(roots: &[&Path]) -> Vec<Running> {
    let mut found: Vec<(SystemTime, Running)> = Vec::new();
    for root in roots {
        let entries = fs::read_dir(root).into_iter().flatten().flatten();
        for path in entries.map(|entry| entry.path()) {
            let Ok(socket) = fs::metadata(path.join(SEGMENTS_SOCKET)) else { continue };
            let has_operator = path.join(OPERATOR_SOCKET).exists();
            if !has_operator || !is_listened_to(&path.join(SEGMENTS_SOCKET)) {
                continue;
            }
            if let (Some(running), Ok(made)) = (named(&path), socket.modified()) {
                found.push((made, running));
            }
        }
    }
    found.sort_by_key(|(made, _)| std::cmp::Reverse(*made));
    found.into_iter().map(|(_, running)| running).collect()
}

/// The robot of a folder: from the run's robot file, or the folder's name on a robot.
fn named(run_dir: &Path) -> Option<Running> {
    let run_dir = run_dir.canonicalize().ok()?;
    let robot = match rt_config::Robot::load(run_dir.join(ROBOT_FILE)) {
        Ok(robot) => robot.name().to_owned(),
        Err(_) if run_dir.starts_with(SERVICES) => run_dir.file_name()?.to_str()?.to_owned(),
        Err(_) => return None,
    };
    Some(Running { run_dir, robot })
}

/// A socket file outlives its process; only connecting tells. Any answer but "refused" is a sign of life.
fn is_listened_to(socket: &Path) -> bool {
    match std::os::unix::net::UnixStream::connect(socket) {
        Ok(_) => true,
        Err(error) => error.kind() != ErrorKind::ConnectionRefused,
    }
}

#[cfg(test)]
mod tests {
    use super::{
        OPERATOR_SOCKET, ROBOT_FILE, Running, SEGMENTS_SOCKET, choose, chooser, create, running,
    };
    use rt_config::Robot;
    use std::fs;
    use std::os::unix::net::UnixListener;
    use std::path::Path;

    fn robot_dir(root: &Path, folder: &str) -> std::path::PathBuf {
        let dir = root.join(folder);
        fs::create_dir(&dir).expect("a folder");
        let robot = Robot::resolve("sim-donkey").expect("built in");
        fs::write(dir.join(ROBOT_FILE), robot.json()).expect("written");
        dir
    }

    #[test]
    fn a_folder_is_never_used_twice_and_sorts_by_date() {
        let root = tempfile::tempdir().expect("a folder");
        let (first, date) = create(&root.path().join("a/b"), "sim").expect("made");
        let (second, _) = create(&root.path().join("a/b"), "sim").expect("made");
        assert_ne!(first, second);
        assert!(first.is_absolute() && first.is_dir());
        let name = first.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        assert!(name.starts_with(&date.replace(':', "")), "{name} {date}");
        assert!(!name.contains(':'), "{name}");
    }

    #[test]
    fn only_a_folder_whose_socket_answers_is_a_running_robot() {
        let root = tempfile::tempdir().expect("a folder");
        let dead = robot_dir(root.path(), "1-dead");
        drop(UnixListener::bind(dead.join(SEGMENTS_SOCKET)).expect("bound"));
        robot_dir(root.path(), "2-none");
        let live = robot_dir(root.path(), "3-live");
        let _listener = UnixListener::bind(live.join(SEGMENTS_SOCKET)).expect("bound");
        let _operator = UnixListener::bind(live.join(OPERATOR_SOCKET)).expect("bound");
        let replay = robot_dir(root.path(), "4-replay");
        let _replay = UnixListener::bind(replay.join(SEGMENTS_SOCKET)).expect("bound");
        let found = running(&[root.path(), Path::new("no/such/folder")]);
        let canonical = live.canonicalize().expect("exists");
        assert_eq!(found, [Running { run_dir: canonical, robot: "sim-donkey".to_owned() }]);
    }

    #[test]
    fn a_name_that_does_not_run_is_refused_with_the_nearest_that_does() {
        let donkey = || vec![Running { run_dir: "/x".into(), robot: "sim-donkey".to_owned() }];
        assert_eq!(choose(donkey(), None), Ok(donkey()));
        let error = choose(donkey(), Some("sim-donky")).expect_err("a typing error");
        assert!(error.message.contains("nearest valid name: sim-donkey"), "{error}");
        assert!(choose(Vec::new(), None).expect_err("none").message.contains("no robot runs"));
    }

    #[test]
    fn a_name_leaves_only_those_that_have_it_and_equal_names_are_told_apart_by_folder() {
        let named = |robot: &str, run_dir: &str| Running {
            run_dir: run_dir.into(),
            robot: robot.to_owned(),
        };
        let found = [named("a", "/3"), named("b", "/2"), named("a", "/1")];
        let meant = choose(found.to_vec(), Some("a")).expect("two");
        assert_eq!(meant, [named("a", "/3"), named("a", "/1")]);
        assert_eq!(choose(found.to_vec(), None).expect("all").len(), 3);
        assert_eq!(chooser(&meant), "--run-dir DIR");
        assert_eq!(chooser(&found), "--run-dir DIR");
        assert_eq!(chooser(&found[..2]), "--robot NAME or --run-dir DIR");
    }
}
