//! What the real loop logs, in words: of the robot while it runs, and of its episode afterwards, when
//! neither the run nor its executable is there any more.

use nix::sys::signal::Signal;
use rt_wire::OperatorKind;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use tests::real_robot::{Robot, Running, program, until};

fn log(arguments: &[&str], of: &Path) -> Output {
    let mut command = program("continuon");
    command.arg("log").args(arguments).arg(of);
    command.output().expect("the program starts")
}

/// Each line is an object of its own.
fn messages(output: &Output) -> Vec<Value> {
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{told}");
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn said<'a>(messages: &'a [Value], words: &str) -> Option<&'a Value> {
    messages.iter().find(|line| line["message"].as_str().is_some_and(|text| text.contains(words)))
}

/// What `continuon sim` puts into the folder of its run.
fn name_the_run(run_dir: &Path) {
    let robot = rt_config::Robot::resolve(tests::real_robot::ROBOT).expect("a built-in robot");
    fs::write(run_dir.join("robot.json"), robot.json()).expect("written");
}

/// The line that a message says it stands on must log.
fn stands_where_it_says(message: &Value) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let file = message["file"].as_str().expect("a file");
    let line = usize::try_from(message["line"].as_u64().expect("a line")).expect("small");
    let text =
        fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    let source = text.lines().nth(line - 1).unwrap_or_default();
    assert!(source.contains("defmt::"), "{file}:{line}: {source}");
}

#[test]
fn the_log_of_a_drive_is_read_live_and_from_its_episode_without_the_executable() {
    let mut robot = Robot::start();
    let logger = Running::start(&mut robot.command("rlds-logger"));
    let attached = robot.drive();
    let run_dir = robot.run_dir();
    name_the_run(&run_dir);

    // Live: everything so far, from the ring itself.
    let live = until("the log tells of the drive", || {
        let lines = messages(&log(&["--json", "--run-dir"], &run_dir));
        said(&lines, "mode Arming -> Active").is_some().then_some(lines)
    });
    for words in ["sealed: period", "attach 1: pilot writes its command", "authority none -> pilot"]
    {
        stands_where_it_says(said(&live, words).unwrap_or_else(|| panic!("{words}: {live:#?}")));
    }

    assert!(robot.ask(OperatorKind::Estop));
    drop(attached);
    let fast_loop = robot.fast_loop.take().expect("it runs");
    fast_loop.signal(Signal::SIGTERM);
    assert!(fast_loop.end().0.success());
    assert!(logger.end().0.success(), "it ends with the loop");

    // The run is over, and where its executable lay nobody can say any more.
    fs::remove_file(run_dir.join("fast-loop.elf")).expect("the link");
    let all = messages(&log(&["--json"], &run_dir));
    let latch = said(&all, "-> EStopLatched").expect("the e-stop");
    assert_eq!(latch["level"], "error");
    assert!(latch["message"].as_str().is_some_and(|text| text.contains("causes EstopOperator")));
    stands_where_it_says(latch);
    let end = said(&all, "outputs safe: true").expect("its last word");
    assert_eq!(end["sequence"], all.last().expect("messages")["sequence"], "nothing after it");
    // Neither is anything missing: the numbers rise by one.
    let numbers = all.iter().map(|line| line["sequence"].as_u64().expect("a number"));
    assert!(numbers.eq(1..=all.len() as u64), "{all:#?}");
    // What was read live is the beginning of it; only the wall clock was read anew.
    for (was, is) in live.iter().zip(&all) {
        assert_eq!((&was["sequence"], &was["message"]), (&is["sequence"], &is["message"]));
        assert_eq!((&was["file"], &was["line"]), (&is["file"], &is["line"]));
    }

    let grave = messages(&log(&["--json", "--level", "error"], &run_dir));
    assert!(grave.iter().all(|line| line["level"] == "error") && !grave.is_empty(), "{grave:#?}");
    let text = String::from_utf8_lossy(&log(&[], &run_dir).stdout).into_owned();
    assert!(text.contains("(rt-core/fast-loop/src/log/journal.rs:"), "{text}");
}

/// The episode in a run's folder.
fn recording(run_dir: &Path) -> PathBuf {
    let episodes = fs::read_dir(run_dir.join("rlds/episodes")).expect("episodes");
    let episode = episodes.flatten().next().expect("one").path();
    rlds::recording_path(&episode)
}

#[test]
fn an_episode_whose_logger_found_no_executable_says_which_one_reads_it() {
    let mut robot = Robot::without_driver();
    let run_dir = robot.run_dir();
    fs::remove_file(run_dir.join("fast-loop.elf")).expect("the link");
    let logger = Running::start(&mut robot.command("rlds-logger"));
    until("it records", || recorded(&run_dir));
    let fast_loop = robot.fast_loop.take().expect("it runs");
    fast_loop.signal(Signal::SIGTERM);
    assert!(fast_loop.end().0.success());
    assert!(logger.end().0.success(), "a log without its messages is recorded all the same");

    let refused = log(&[], &recording(&run_dir));
    assert_eq!(refused.status.code(), Some(3));
    let told = String::from_utf8_lossy(&refused.stderr);
    assert!(told.contains("--elf") && told.contains("build 0x"), "{told}");

    let elf = tests::real_robot::programs().join("fast-loop");
    let elf = elf.to_str().expect("text");
    let read = messages(&log(&["--json", "--elf", elf], &recording(&run_dir)));
    assert!(said(&read, "outputs safe: true").is_some(), "{read:#?}");

    let other = tests::real_robot::programs().join("continuon");
    let other = other.to_str().expect("text");
    let refused = log(&["--elf", other], &recording(&run_dir));
    assert_eq!(refused.status.code(), Some(2), "it has no messages at all");
}

fn recorded(run_dir: &Path) -> Option<()> {
    let episodes = fs::read_dir(run_dir.join("rlds/episodes")).ok()?;
    let episode = episodes.flatten().next()?.path();
    rlds::recording_path(&episode).is_file().then_some(())
}
