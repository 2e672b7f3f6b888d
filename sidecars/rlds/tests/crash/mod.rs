//! Crash images: a recorder loses its power at every call that it makes on the disk, and a check puts
//! in order what is left.
//!
//! *What it decides.* The drives that are recorded, the images that are made of them, and what must
//! hold for each:
//!
//! 1. every record that was acknowledged is there, in every bit;
//! 2. no record is there that was never written, and none twice;
//! 3. the episode is whole after it was put in order, its steps being those that its records make;
//! 4. only an episode in which nothing was acknowledged may be given up, and by name.
//!
//! The same seed gives the same images. Putting in order is cut off as well: what is left of that is put
//! in order again, and the same holds.

pub(crate) mod dice;
pub(crate) mod model;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rlds::fsck::{FsckError, check_in, repair_in};
use rlds::schema::Step;
use rlds::{About, Closing, Entry, EpisodeWriter, RecordingReader, Tail};
use rt_wire::{Mode, MonoNs, Telemetry};

use dice::Dice;
use model::Model;

const MS: u64 = 1_000_000;
const START: u64 = 5_000 * MS;
const ROOT: &str = "/episodes";
/// One image in so many is put in order under a second cut.
const CUT_AGAIN: usize = 8;

/// What the images came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) images: u64,
    /// Images whose episode was whole as it was.
    pub(crate) whole: u64,
    /// Images whose episode was put in order.
    pub(crate) repaired: u64,
    /// Images in which there was nothing yet.
    pub(crate) given_up: u64,
    /// Images of a repair that was cut off.
    pub(crate) cut_again: u64,
    /// Records that were acknowledged, over all images.
    pub(crate) acknowledged: u64,
}

impl Figures {
    /// And what others came to.
    #[allow(dead_code, reason = "for who has several campaigns to tell of")]
    pub(crate) fn add(&mut self, other: Self) {
        self.images += other.images;
        self.whole += other.whole;
        self.repaired += other.repaired;
        self.given_up += other.given_up;
        self.cut_again += other.cut_again;
        self.acknowledged += other.acknowledged;
    }

    /// Whether there are images of every kind: without them it shows nothing.
    pub(crate) fn are_of_all_kinds(&self) -> bool {
        let some = self.images / 1000;
        self.whole > some
            && self.repaired > self.images / 2
            && self.given_up > some
            && self.cut_again > some
            && self.acknowledged > self.images
    }
}

/// A drive that was recorded, call by call.
struct Drive {
    model: Model,
    episode: PathBuf,
    /// Records that were acknowledged after so many calls.
    acknowledged: Vec<(usize, u64)>,
    /// Sequences of the records that were given.
    given: Vec<u64>,
}

fn cycle(n: u64) -> Telemetry {
    let mut record = Telemetry {
        sequence: n,
        cycle_index: n,
        mono_ns: MonoNs(START + (n - 1) * 50 * MS),
        ..Telemetry::default()
    };
    record.outcome.mode = if n.is_multiple_of(5) { Mode::Arming } else { Mode::Active }.into();
    record.outcome.setpoint.throttle = (n % 10) as f32 / 10.0;
    record
}

fn about(seed: u64) -> About {
    About {
        robot: "donkey".to_owned(),
        robot_model: "donkeycar".to_owned(),
        environment_id: "sim".to_owned(),
        frame_convention: "base_link".to_owned(),
        start_mono_ns: MonoNs(START),
        start_unix_ms: 1_795_000_000_000 + i64::try_from(seed % 1000).expect("small"),
        step_rate_hz: 10,
        ..About::default()
    }
}

impl Drive {
    /// A few chunks of a few records, with losses here and there; closed or cut short.
    fn recorded(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let root = Path::new(ROOT);
        let model = Model::new(Path::new("/"));
        let mut episode =
            EpisodeWriter::create_in(model.clone(), root, about(seed), b"{}").expect("begun");
        let path = episode.path().to_owned();
        let mut acknowledged = vec![(model.calls(), 0)];
        let (mut given, mut n) = (Vec::new(), 0);
        for _ in 0..6 + dice.below(14) {
            if dice.one_in(8) {
                let lost = 1 + dice.below(3) as u64;
                episode.telemetry_lapped(lost);
                n += lost;
            }
            n += 1;
            episode.telemetry(n, &cycle(n));
            given.push(n);
            let stored = episode.note().telemetry_records;
            if acknowledged.last().is_some_and(|(_, last)| *last != stored) {
                acknowledged.push((model.calls(), stored));
            }
        }
        if dice.one_in(2) {
            let stored = episode.finish(Closing::Clean, "").note.telemetry_records;
            acknowledged.push((model.calls(), stored));
        }
        Self { model, episode: path, acknowledged, given }
    }

    fn acknowledged_after(&self, calls: usize) -> usize {
        let told = self.acknowledged.iter().rev().find(|(after, _)| *after <= calls);
        usize::try_from(told.map_or(0, |(_, stored)| *stored)).expect("few")
    }
}

/// Makes `images` images from `seed` on and judges each; `done` counts them, for whoever waits.
///
/// # Errors
/// The first that does not hold what it must, with its seed.
pub(crate) fn campaign(seed: u64, images: u64, done: &AtomicU64) -> Result<Figures, String> {
    let mut figures = Figures::default();
    let mut drive_seed = seed;
    while figures.images < images {
        let drive = Drive::recorded(drive_seed);
        let mut dice = Dice::new(drive_seed ^ 0x5eed);
        // Each call of the drive is the last before the power goes, several times over.
        for calls in 0..=drive.model.calls() {
            // While the episode is made there is nothing to lose yet.
            let is_begun = drive.acknowledged[0].0 <= calls;
            for _ in 0..if is_begun { 8 } else { 1 } {
                if figures.images == images {
                    break;
                }
                figures.images += 1;
                judge(&drive, calls, &mut dice, &mut figures).map_err(|wrong| {
                    format!("drive of seed {drive_seed}, power gone after {calls} calls: {wrong}")
                })?;
                // ORDER: a number to be told; what was found goes through the join.
                done.fetch_add(1, Ordering::Relaxed);
            }
        }
        drive_seed += 1;
    }
    Ok(figures)
}

fn judge(
    drive: &Drive,
    calls: usize,
    dice: &mut Dice,
    figures: &mut Figures,
) -> Result<(), String> {
    let image = drive.model.image(calls, dice);
    let acknowledged = drive.acknowledged_after(calls);
    figures.acknowledged += acknowledged as u64;
    let sure = &drive.given[..acknowledged];
    let repaired = repair_in(&image, &drive.episode);
    let report = match repaired {
        Ok(report) => report,
        Err(FsckError::NoRecording | FsckError::NothingRecorded) if sure.is_empty() => {
            figures.given_up += 1;
            return Ok(());
        }
        Err(error) => return Err(format!("{acknowledged} acknowledged, and then: {error}")),
    };
    figures.whole += u64::from(!report.repaired);
    figures.repaired += u64::from(report.repaired);
    holds(&image, &drive.episode, sure, &drive.given)?;
    if report.repaired && dice.one_in(CUT_AGAIN) {
        // The power goes again, somewhere in the repair.
        figures.cut_again += 1;
        let cut = dice.below(image.calls() + 1);
        let again = image.image(cut, dice);
        match repair_in(&again, &drive.episode) {
            Ok(_) => holds(&again, &drive.episode, sure, &drive.given)
                .map_err(|wrong| format!("cut again after {cut} calls: {wrong}"))?,
            Err(FsckError::NoRecording | FsckError::NothingRecorded) if sure.is_empty() => {}
            Err(error) => return Err(format!("cut again after {cut} calls: {error}")),
        }
    }
    Ok(())
}

/// The four rules.
fn holds(image: &Model, episode: &Path, sure: &[u64], given: &[u64]) -> Result<(), String> {
    let again = check_in(image, episode).map_err(|error| error.to_string())?;
    if !again.is_whole() {
        return Err(format!("not whole after it was put in order: {:?}", again.findings));
    }
    let bytes = image.read(&rlds::recording_path(episode)).ok_or("no recording")?;
    let mut reader = RecordingReader::new("image", std::io::Cursor::new(bytes))
        .map_err(|error| error.to_string())?;
    let mut found = Vec::new();
    while let Some(entry) = reader.next_entry().map_err(|error| error.to_string())? {
        if let Entry::Telemetry(record) = entry {
            if record != cycle(record.sequence) {
                return Err(format!("record {} was never written so", record.sequence));
            }
            found.push(record.sequence);
        }
    }
    if *reader.tail() != Tail::Complete || !reader.damage().is_empty() {
        return Err(format!("{:?}, {:?}", reader.tail(), reader.damage()));
    }
    if !found.is_sorted_by(|a, b| a < b) || found.iter().any(|n| !given.contains(n)) {
        return Err(format!("records {found:?} of {given:?}"));
    }
    if let Some(lost) = sure.iter().find(|n| !found.contains(n)) {
        return Err(format!("record {lost} was acknowledged and is lost: found {found:?}"));
    }
    let note = image.read(&episode.join("episode.json")).ok_or("no episode.json")?;
    let note: rlds::EpisodeNote =
        serde_json::from_slice(&note).map_err(|error| error.to_string())?;
    let steps = image.read(&episode.join("steps/000000.jsonl")).ok_or("no steps")?;
    let steps: Vec<Step> = serde_json::Deserializer::from_slice(&steps)
        .into_iter()
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())?;
    if (note.telemetry_records, note.steps) != (found.len() as u64, steps.len() as u64) {
        return Err(format!("it counts {note:?}, found {found:?} and {} steps", steps.len()));
    }
    if note.closing == Closing::Open {
        return Err("still open".to_owned());
    }
    Ok(())
}
