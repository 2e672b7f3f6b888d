//! The real recorder, killed again and again while it records: what it left is put in order, and nothing
//! that was acknowledged is missing.
//!
//! *What it decides.* When each is killed, and what must hold of its episode:
//!
//! 1. every whole line of its steps is there: a step is written once the disk has the records that it
//!    was made of, so that what stands in the file of a dead recorder was acknowledged;
//! 2. every record is there once, in every bit, from the first to the last, and none that nobody gave;
//! 3. the episode is whole, and closed as recovered.
//!
//! The same seed gives the same kills, as far as the machine's own time allows: a recorder is killed
//! while it works, and nobody waits until it has done so.

#[allow(dead_code, reason = "each program uses its part")]
#[path = "../../../rlds/tests/crash/dice.rs"]
mod dice;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rlds::{Closing, Entry, EpisodeNote, RecordingReader, Tail};
use rt_wire::HeartbeatFlags;

use crate::common::{ROBOT, TestLoop, cycle};
use dice::Dice;

/// Recorders that are killed before the episodes that they left are judged and removed.
const ROUND: u64 = 50;
/// Bursts of each, and cycles of a burst: in all far fewer than the ring holds, so that none is lost.
const BURSTS_MAX: usize = 20;
const CYCLES_MAX: usize = 100;
/// Between two bursts, and before the kill: up to twice what the recorder waits between two looks.
const PAUSE_US_MAX: usize = 10_000;

/// What the kills came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) kills: u64,
    /// Episodes that the next recorder put in order; the others were put in order after the round.
    pub(crate) by_the_next: u64,
    /// Recordings that ended in the middle of a chunk, or steps of a line.
    pub(crate) torn: u64,
    /// Steps that were acknowledged.
    pub(crate) acknowledged: u64,
    /// Records that were found.
    pub(crate) records: u64,
}

/// What a recorder left.
struct Left {
    episode: PathBuf,
    /// Its steps, as they were when it was dead.
    steps: Vec<u8>,
    /// The last cycle that the loop had published.
    published: u64,
}

/// Kills the recorder `program` so often; `tell` hears how often so far.
///
/// # Errors
/// The first episode that does not hold what it must.
pub(crate) fn campaign(
    program: &Path,
    seed: u64,
    kills: u64,
    mut tell: impl FnMut(u64),
) -> Result<Figures, String> {
    let dir = tempfile::tempdir().unwrap();
    let episodes_dir = dir.path().join("rlds/episodes");
    let mut the_loop = TestLoop::start(dir.path());
    let mut dice = Dice::new(seed);
    let (mut figures, mut published) = (Figures::default(), 0);
    let mut left = Vec::new();
    for kill in 1..=kills {
        let recorder = start(program, dir.path());
        let episode =
            kill_in_the_middle(recorder, &mut the_loop, &mut dice, &mut published, &episodes_dir);
        let steps = fs::read(episode.join("steps/000000.jsonl")).unwrap();
        left.push(Left { episode, steps, published });
        figures.kills += 1;
        if kill % ROUND == 0 || kill == kills {
            judge_round(&episodes_dir, &left, &mut figures)?;
            left.clear();
        }
        tell(kill);
    }
    the_loop.end();
    Ok(figures)
}

fn start(program: &Path, run_dir: &Path) -> Child {
    let mut command = Command::new(program);
    command.args(["--robot", ROBOT, "--attach-timeout-s", "20", "--run-dir"]).arg(run_dir);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Lets it record some bursts, kills it, and returns its episode.
fn kill_in_the_middle(
    mut recorder: Child,
    the_loop: &mut TestLoop,
    dice: &mut Dice,
    published: &mut u64,
    episodes_dir: &Path,
) -> PathBuf {
    let (pid, before) = (recorder.id(), *published);
    // It begins with what the ring still holds: what came before it must not be overwritten.
    the_loop.wait_for_heartbeat(|beat| {
        beat.pid == pid
            && beat.flags.has(HeartbeatFlags::RECORDING)
            && beat.last_sequence_read >= before
    });
    let episode = newest(episodes_dir);
    for _ in 0..=dice.below(BURSTS_MAX) {
        for _ in 0..=dice.below(CYCLES_MAX) {
            *published += 1;
            the_loop.telemetry.publish(&cycle(*published));
        }
        thread::sleep(Duration::from_micros(dice.below(PAUSE_US_MAX) as u64));
    }
    recorder.kill().unwrap();
    recorder.wait().unwrap();
    episode
}

/// Of several within a second, the newest has the highest number behind its name.
fn newest(episodes_dir: &Path) -> PathBuf {
    let entries = fs::read_dir(episodes_dir).unwrap().map(|entry| entry.unwrap().path());
    entries
        .max_by_key(|path| (fs::metadata(path).unwrap().created().unwrap(), path.clone()))
        .unwrap()
}

/// Nobody records now: the last have no successor that would have put them in order.
fn judge_round(episodes_dir: &Path, left: &[Left], figures: &mut Figures) -> Result<(), String> {
    for one in left {
        figures.by_the_next += u64::from(note(&one.episode)?.closing == Closing::Recovered);
    }
    rlds_logger::recover_all(episodes_dir);
    for one in left {
        judge(one, figures).map_err(|wrong| format!("{}: {wrong}", one.episode.display()))?;
        fs::remove_dir_all(&one.episode).unwrap();
    }
    Ok(())
}

fn note(episode: &Path) -> Result<EpisodeNote, String> {
    let text = fs::read(episode.join("episode.json")).map_err(|error| error.to_string())?;
    serde_json::from_slice(&text).map_err(|error| error.to_string())
}

/// The three rules.
fn judge(left: &Left, figures: &mut Figures) -> Result<(), String> {
    let report = rlds::fsck::check(&left.episode).map_err(|error| error.to_string())?;
    if !report.findings.is_empty() {
        return Err(format!("not whole after it was put in order: {:?}", report.findings));
    }
    let note = note(&left.episode)?;
    if note.closing != Closing::Recovered {
        return Err(format!("closed as {:?}", note.closing));
    }
    let whole = left.steps.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let acknowledged = &left.steps[..whole];
    let after = fs::read(left.episode.join("steps/000000.jsonl")).unwrap();
    if !after.starts_with(acknowledged) {
        return Err("an acknowledged step is lost".to_owned());
    }
    figures.acknowledged += acknowledged.iter().filter(|byte| **byte == b'\n').count() as u64;
    figures.torn += u64::from(note.reason.contains("torn") || whole < left.steps.len());
    let path = rlds::recording_path(&left.episode);
    let mut reader = RecordingReader::open(&path).map_err(|error| error.to_string())?;
    let mut expected = None;
    while let Some(entry) = reader.next_entry().map_err(|error| error.to_string())? {
        if let Entry::Telemetry(record) = entry {
            let sequence = record.sequence;
            if record != cycle(sequence) || sequence > left.published {
                return Err(format!("record {sequence} was never written so"));
            }
            if sequence != *expected.get_or_insert(sequence) {
                return Err(format!("record {sequence} follows {expected:?}"));
            }
            expected = Some(sequence + 1);
            figures.records += 1;
        }
    }
    if *reader.tail() != Tail::Complete {
        return Err(format!("{:?}", reader.tail()));
    }
    Ok(())
}
