//! `continuon rlds play`: an episode's rings once more, for sidecars that are developed without a car.
//!
//! *What it decides.* When each record is published: as long after the first as it was recorded, or so
//! many times faster. *What it must never do.* Take a command, stand beside a loop that runs, pass for
//! a car (decisions, page 027), change a record, or publish in a burst what a pause kept waiting.
//!
//! ```text
//! recording ─▶ Entry ─ due? ─▶ Stage: telemetry, keyframes, log rings; health slot; segments.sock
//! ```
//!
//! Tests: tests/rlds_play.rs.

mod pace;
mod stage;

use super::episodes::find_one;
use super::words::plain;
use crate::exit::{Exit, Failure};
use crate::output::print_line;
use crate::progress::Progress;
use crate::recorded::Recorded;
use crate::report::text::{counted, grouped};
use crate::run_dir::{ROBOT_FILE, RUNS, SERVICES, create, running, write};
use crate::signals::EndRequests;
use clap::Args;
use pace::Pace;
use rlds::Entry;
use rt_shm::protocol::{LOOP_PROGRAM, OPERATOR_SOCKET};
use rt_wire::MonoNs;
use serde_json::json;
use stage::Stage;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Where folders of replays are made, unless told otherwise: not among the runs.
const REPLAYS: &str = "replays";
/// What a replay says of itself in its folder.
const REPLAY_FILE: &str = "replay.json";
/// The messages of the loop's log, as the recording has them.
const LOG_TABLE: &str = "fast-loop.log.elf";
/// Readers may take this long for the last records.
const LINGER: Duration = Duration::from_millis(500);
/// Between two words about how far it is.
const TELL_EVERY: Duration = Duration::from_millis(200);

pub(super) const EXAMPLES: &str = "\
Examples:
  continuon rlds play rlds/episodes/ep_20261120T184405Z_donkey --run-dir replays/mine
  continuon top --run-dir replays/mine           in another terminal
  rlds-logger --robot replays/mine/robot.json --run-dir replays/mine
  continuon rlds play runs/2026-11-20T184405Z-sim --speed 4 --loop --wait-for rlds-logger

Telemetry, keyframes and the loop's log are published as they were recorded, bit for bit, their own
stamps among it; health says the build and REPLAYED. Pictures are not: nothing shares them yet. No
command slot is handed out, and there is no operator.sock: nothing here can be armed or stopped. Who
records the replay marks the episode with the environment `replay-of-…`.

A replay that is late goes on late: it never catches up in a burst. Above some ten times, readers must
be quick: the ring holds 4096 records.

Exit codes: 0 played, 1 played, and the recording is damaged, 2 no episode,
3 not possible here: a loop runs, or the folder is that of a run.";

/// Options of `continuon rlds play`.
#[derive(Clone, Debug, Args)]
pub struct PlayArgs {
    /// An episode, a recording.mcap, or a folder of episodes or of a run, whose newest is meant.
    #[arg(value_name = "EPISODE")]
    pub episode: PathBuf,
    /// A folder of its own for the sockets [default: a new one in replays/].
    #[arg(long, value_name = "DIR")]
    pub run_dir: Option<PathBuf>,
    /// So many times as fast as it was recorded.
    #[arg(long, value_name = "S", default_value_t = 1.0, allow_negative_numbers = true,
          value_parser = speed)]
    pub speed: f64,
    /// Begin again at its end, until Ctrl-C; stamps and sequences of the records begin again too.
    #[arg(long)]
    pub r#loop: bool,
    /// Begin once a process of this name has come; may be given several times.
    #[arg(long, value_name = "PROCESS")]
    pub wait_for: Vec<String>,
}

fn speed(text: &str) -> Result<f64, String> {
    let wrong = || "expected a number from 0.01 to 1000".to_owned();
    let speed: f64 = text.parse().map_err(|_wrong| wrong())?;
    if (0.01..=1000.0).contains(&speed) { Ok(speed) } else { Err(wrong()) }
}

/// What was published.
#[derive(Clone, Copy, Debug, Default)]
struct Played {
    telemetry: u64,
    keyframes: u64,
    log_frames: u64,
    rounds: u64,
}

/// Runs `continuon rlds play`.
///
/// # Errors
/// There is no such recording, or no folder for it.
pub(super) fn command(args: &PlayArgs, json: bool) -> Result<Exit, Failure> {
    let mut ends = EndRequests::take()?;
    let subject = find_one(Some(&args.episode))?;
    let recording = subject.recording()?.to_owned();
    let mut recorded = Recorded::open(&recording)?;
    let run_dir = folder(args)?;
    let mut stage = Stage::open(&run_dir, &recorded.robot, recorded.build_id())?;
    furnish(&run_dir, &subject.name(), &recorded, &stage, args.speed)?;
    let progress = Progress::new();
    let place = run_dir.display();
    progress.note(&format!(
        "playing {}: attach with --robot {place}/{ROBOT_FILE} --run-dir {place}",
        plain(&subject.name())
    ));
    let mut played = Played::default();
    let mut notes = Vec::new();
    let is_told = wait_for(args, &mut stage, &mut ends, &progress)?;
    while !is_told && !ends.asked() {
        let begun = play(&mut recorded, args.speed, &mut stage, &mut ends, &mut played, &progress)?;
        notes = recorded.notes();
        notes.extend(begun);
        // A recording without a record would be begun again and again.
        if !args.r#loop || played.telemetry == 0 {
            break;
        }
        recorded = Recorded::open(&recording)?;
    }
    stage.end();
    linger(&mut stage)?;
    progress.done();
    fs::remove_file(run_dir.join(REPLAY_FILE)).ok();
    tell(&subject.name(), &run_dir, &played, &notes, &stage, json)?;
    Ok(if notes.is_empty() { Exit::Ok } else { Exit::No })
}

/// The folder of the replay: never that of a run, and never while a robot runs here.
fn folder(args: &PlayArgs) -> Result<PathBuf, Failure> {
    if let Some(robot) = running(&[Path::new(RUNS), Path::new(SERVICES)]).first() {
        return Err(Failure::not_possible(format!(
            "{} runs in {}: a replay never stands beside a live loop (end it first)",
            robot.robot,
            robot.run_dir.display()
        )));
    }
    let Some(run_dir) = &args.run_dir else {
        return create(Path::new(REPLAYS), "play").map(|(path, _date)| path);
    };
    let is_of_a_run = [ROBOT_FILE, OPERATOR_SOCKET, LOOP_PROGRAM].iter().any(|name| {
        let path = run_dir.join(name);
        path.symlink_metadata().is_ok()
    });
    if is_of_a_run && !run_dir.join(LEFT_BY_REPLAY).exists() {
        return Err(Failure::not_possible(format!(
            "{}: expected a folder of the replay's own, found that of a run",
            run_dir.display()
        )));
    }
    Ok(run_dir.clone())
}

/// Stays in a folder that a replay made, so that the next one may use it.
const LEFT_BY_REPLAY: &str = ".replay";

/// What a sidecar finds in the folder of a run.
fn furnish(
    run_dir: &Path,
    episode: &str,
    recorded: &Recorded,
    stage: &Stage,
    speed: f64,
) -> Result<(), Failure> {
    write(run_dir, LEFT_BY_REPLAY, "")?;
    let told = json!({
        "replay_of": episode,
        "robot": recorded.robot.name(),
        "build_id": format!("{:#018x}", recorded.build_id()),
        "speed": speed,
        "pid": std::process::id(),
    });
    write(run_dir, REPLAY_FILE, &format!("{told:#}\n"))?;
    write(run_dir, ROBOT_FILE, recorded.robot.json())?;
    if let Some(table) = recorded.log_table() {
        let path = run_dir.join(LOG_TABLE);
        let path = path.canonicalize().unwrap_or(path);
        fs::write(&path, table)
            .map_err(|error| Failure::not_possible(format!("{}: {error}", path.display())))?;
        stage.link_log_table(Path::new(LOG_TABLE))?;
    }
    Ok(())
}

/// Serves until everybody has come; true if a person ended it before.
fn wait_for(
    args: &PlayArgs,
    stage: &mut Stage,
    ends: &mut EndRequests,
    progress: &Progress,
) -> Result<bool, Failure> {
    if !args.wait_for.is_empty() {
        progress.note(&format!("waiting for {}", args.wait_for.join(", ")));
    }
    while !args.wait_for.iter().all(|process| stage.has_come(process)) {
        if ends.asked() {
            return Ok(true);
        }
        stage.serve(Duration::from_millis(10))?;
        stage.news().iter().for_each(|news| progress.note(news));
    }
    Ok(false)
}

/// Plays the recording once; returns what kept it from being read to its end.
fn play(
    recorded: &mut Recorded,
    speed: f64,
    stage: &mut Stage,
    ends: &mut EndRequests,
    played: &mut Played,
    progress: &Progress,
) -> Result<Option<String>, Failure> {
    played.rounds += 1;
    let mut pace: Option<Pace> = None;
    let mut told_at = Instant::now();
    loop {
        let entry = match recorded.next_entry() {
            Ok(Some(entry)) => entry,
            Ok(None) => return Ok(None),
            Err(why) => return Ok(Some(format!("{}; what follows was not played", why.message))),
        };
        let Some(at) = time_of(&entry) else { continue };
        let now = Instant::now();
        let pace = pace.get_or_insert_with(|| Pace::new(now, at, speed));
        let due = pace.due(at, now);
        loop {
            let left = due.saturating_duration_since(Instant::now());
            stage.serve_until(left)?;
            stage.news().iter().for_each(|news| progress.note(news));
            if left.is_zero() {
                break;
            }
            if ends.asked() {
                return Ok(None);
            }
        }
        match &entry {
            Entry::Telemetry(record) => {
                stage.telemetry(record);
                played.telemetry += 1;
            }
            Entry::Keyframe(state) => {
                stage.keyframe(state);
                played.keyframes += 1;
            }
            Entry::Log(frame) => {
                stage.log_frame(frame);
                played.log_frames += 1;
            }
            Entry::Loss(_) | Entry::Event(_) | Entry::Frame(_) => {}
        }
        if told_at.elapsed() >= TELL_EVERY {
            told_at = Instant::now();
            // Above ten thousand records a second there is no pause in which it could be asked.
            if ends.asked() {
                return Ok(None);
            }
            progress.working(&format!("playing: {}", counted(played.telemetry, "record")));
        }
    }
}

/// When it was published; `None` for what no ring holds.
fn time_of(entry: &Entry) -> Option<MonoNs> {
    match entry {
        Entry::Telemetry(record) => Some(record.mono_ns),
        Entry::Keyframe(state) => Some(state.mono_ns),
        Entry::Log(frame) => Some(frame.mono_ns),
        Entry::Loss(_) | Entry::Event(_) | Entry::Frame(_) => None,
    }
}

fn linger(stage: &mut Stage) -> Result<(), Failure> {
    let until = Instant::now() + LINGER;
    while Instant::now() < until {
        stage.serve(Duration::from_millis(10))?;
        sleep(Duration::from_millis(1));
    }
    Ok(())
}

fn tell(
    episode: &str,
    run_dir: &Path,
    played: &Played,
    notes: &[String],
    stage: &Stage,
    json: bool,
) -> Result<(), Failure> {
    if json {
        return print_line(json!({
            "episode": episode,
            "run_dir": run_dir,
            "rounds": played.rounds,
            "telemetry_records": played.telemetry,
            "keyframes": played.keyframes,
            "log_frames": played.log_frames,
            "commands_refused": stage.commands_refused(),
            "problems": notes,
        }));
    }
    for note in notes {
        print_line(plain(note))?;
    }
    print_line(format!(
        "played {}, {} keyframes, {} messages of the loop in {}",
        counted(played.telemetry, "record"),
        grouped(played.keyframes),
        grouped(played.log_frames),
        counted(played.rounds, "round")
    ))
}

#[cfg(test)]
mod tests {
    use super::speed;

    #[test]
    fn speeds_are_numbers_that_can_be_played() {
        assert_eq!([speed("0.01"), speed("4"), speed("1000")], [Ok(0.01), Ok(4.0), Ok(1000.0)]);
        for wrong in ["", "0", "-1", "nan", "inf", "1e9", "fast"] {
            assert!(speed(wrong).is_err(), "{wrong}");
        }
    }
}
