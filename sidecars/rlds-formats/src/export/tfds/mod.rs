//! `tfds`: RLDS as `tensorflow_datasets` reads it, an episode a record.
//!
//! *What it decides.* What a step holds (features.rs), which file an episode is in (plan.rs), and that
//! an export which was broken off goes on where it was: what a file holds is written down when it is
//! finished, and a finished file is never written again. *What it must never do.* Hold an episode.
//!
//! ```text
//! <to>/<name>-train.tfrecord-00000-of-00003   …   features.json   dataset_info.json
//!      continuon_export.json                      what is in which file, and what was left out
//! ```
//!
//! Shown by: tests/formats/tfds.rs, tests/readers/tfds.py.

mod columns;
mod features;
mod plan;

use super::tfrecord::Packed;
use super::{Fate, Options, Ticker, Told};
use crate::atomic::{self, Unfinished};
use crate::canonical::CanonicalSource;
use crate::framing::RecordWriter;
use crate::problem::Problem;
use crate::sample::{self, Sample, Source};
use crate::vector;
use columns::Columns;
use features::{Layout, Split, dataset_info};
pub(crate) use plan::hex;
use plan::{Plan, Planned, Shard};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::fs;
use std::path::Path;

const STATE: &str = "continuon_export.json";

/// What has been done, in a file beside the others.
#[derive(Default, Serialize, Deserialize)]
struct State {
    fingerprint: String,
    state_names: Vec<String>,
    action_names: Vec<String>,
    shards: Vec<Done>,
}

/// A finished file.
#[derive(Clone, Serialize, Deserialize)]
struct Done {
    file_name: String,
    split: String,
    /// Episodes, or parts of episodes.
    records: u64,
    /// Without frames.
    bytes: u64,
    episodes: Vec<Told>,
}

/// Writes `episodes` as a data set into `to`.
pub(super) fn export(
    episodes: &[std::path::PathBuf],
    to: &Path,
    options: &Options,
    ticker: &mut Ticker<'_>,
) -> Result<Vec<Told>, Problem> {
    if !super::is_fit_for_a_file(&options.name) {
        let what = format!("expected letters, digits, `_`, `-` and `.`, found `{}`", options.name);
        return Err(Problem::write(to)(std::io::Error::other(format!("--name: {what}"))));
    }
    let before = read_state(to)?;
    let plan = match Plan::make(episodes, options) {
        Ok(plan) => plan,
        Err(told) => return Ok(told),
    };
    let mut state = match before {
        Some(state) if state.fingerprint == plan.fingerprint => state,
        Some(_) => {
            let found = "expected an empty directory or this same export, found another export";
            return Err(Problem::write(to)(std::io::Error::other(found)));
        }
        None => State {
            fingerprint: plan.fingerprint.clone(),
            state_names: plan.layout.shape.state_names(),
            action_names: plan.layout.shape.command_names(),
            shards: Vec::new(),
        },
    };
    let mut told = plan.skipped;
    for shard in &plan.shards {
        let is_there =
            |done: &&Done| done.file_name == shard.file_name && to.join(&done.file_name).is_file();
        if let Some(done) = state.shards.iter().find(is_there) {
            told.extend(done.episodes.iter().cloned().map(kept));
            shard.episodes.iter().for_each(|_| ticker.episode());
            continue;
        }
        let done = write_shard(shard, to, &plan.layout, options, ticker)?;
        told.extend(done.episodes.iter().cloned());
        state.shards.retain(|other| other.file_name != done.file_name);
        state.shards.push(done);
        write_json(&to.join(STATE), &state)?;
    }
    write_json(&to.join("features.json"), &plan.layout.features())?;
    let splits: Vec<Split<'_>> =
        ["train", "val"].into_iter().filter_map(|name| split(name, &plan.shards, &state)).collect();
    write_json(&to.join("dataset_info.json"), &dataset_info(&options.name, options.gzip, &splits))?;
    Ok(told)
}

fn kept(mut told: Told) -> Told {
    if told.fate == Fate::Written {
        told.fate = Fate::Kept;
    }
    told
}

fn split<'a>(name: &'a str, shards: &[Shard], state: &State) -> Option<Split<'a>> {
    let done = |shard: &&Shard| state.shards.iter().find(|done| done.file_name == shard.file_name);
    let of: Vec<&Done> = shards
        .iter()
        .filter(|shard| shard.split == name)
        .filter_map(|shard| done(&shard))
        .collect();
    if of.is_empty() {
        return None;
    }
    let bytes = of.iter().map(|done| done.bytes).sum();
    Some(Split { name, shard_lengths: of.iter().map(|done| done.records).collect(), bytes })
}

fn write_shard(
    shard: &Shard,
    to: &Path,
    layout: &Layout,
    options: &Options,
    ticker: &mut Ticker<'_>,
) -> Result<Done, Problem> {
    let target = to.join(&shard.file_name);
    let (unfinished, file) = Unfinished::file(&target)?;
    let mut writer = RecordWriter::new(Packed::new(file, options.gzip));
    let mut columns = Columns::new(to, layout.columns());
    let mut episodes = Vec::new();
    for planned in &shard.episodes {
        let mut episode = EpisodeOut { layout, options, columns: &mut columns, planned, to };
        episodes.push(match episode.write(&mut writer, ticker) {
            Ok(told) => told,
            Err(problem) if problem.is_of_the_output() => return Err(problem),
            Err(problem) => {
                Told { episode_id: planned.id.clone(), ..Told::skipped(&planned.path, &problem) }
            }
        });
        ticker.episode();
    }
    let records = writer.records();
    let frames = records.saturating_mul(crate::framing::framed_bytes(0));
    let bytes = writer.bytes().saturating_sub(frames);
    writer.finish().and_then(Packed::finish).map_err(Problem::write(&target))?;
    unfinished.finish()?;
    Ok(Done {
        file_name: shard.file_name.clone(),
        split: shard.split.to_owned(),
        records,
        bytes,
        episodes,
    })
}

/// An episode on its way into a file.
struct EpisodeOut<'a> {
    layout: &'a Layout,
    options: &'a Options,
    columns: &'a mut Columns,
    planned: &'a Planned,
    to: &'a Path,
}

/// Where a step stands in its record.
struct Place {
    is_first: bool,
    is_last: bool,
}

impl EpisodeOut<'_> {
    /// Writes the episode; nothing of it is in the file if it cannot be read to its end, for a record
    /// is written last. Of an episode in parts, the parts before stay.
    fn write<W: std::io::Write>(
        &mut self,
        writer: &mut RecordWriter<W>,
        ticker: &mut Ticker<'_>,
    ) -> Result<Told, Problem> {
        // To its end before anything is written: a part that is in the file cannot be taken back.
        let (mut steps, mut without_picture) = (0_u64, 0_u64);
        if self.may_come_in_parts() {
            let mut source = CanonicalSource::open(&self.planned.path, self.with_pictures())?;
            while let Some(sample) = source.next_sample()? {
                self.check(&sample)?;
            }
        }
        let mut source = CanonicalSource::open(&self.planned.path, self.with_pictures())?;
        let metadata = serde_json::to_vec(source.metadata()).map_err(|error| {
            Problem::input(&self.planned.path, ": metadata.json", error.to_string())
        })?;
        self.columns.clear().map_err(Problem::write(self.to))?;
        let mut language = self.options.task.clone();
        let mut held: Option<Sample> = None;
        let (mut part, mut first_of_part, mut in_part) = (0_i64, 0_u64, 0_u64);
        loop {
            let next = self.next(&mut source, &mut without_picture, ticker)?;
            let Some(sample) = std::mem::replace(&mut held, next) else {
                if held.is_none() {
                    return Err(Problem::input(
                        &self.planned.path,
                        "",
                        "expected at least one step with its picture, found none",
                    ));
                }
                continue;
            };
            if let Some(told) = sample::language(&sample.step) {
                told.clone_into(&mut language);
            }
            if in_part == 0 {
                first_of_part = sample.index;
            }
            let is_full = self.columns.bytes() >= self.options.part_bytes;
            let place = Place { is_first: in_part == 0, is_last: held.is_none() || is_full };
            self.put(&sample, &place, &language)?;
            (in_part, steps) = (in_part.saturating_add(1), steps.saturating_add(1));
            if place.is_last {
                self.put_episode(&metadata, part, first_of_part)?;
                self.columns.write_to(writer).map_err(Problem::write(self.to))?;
                self.columns.clear().map_err(Problem::write(self.to))?;
                (part, in_part) = (part.saturating_add(1), 0);
            }
            if held.is_none() {
                break;
            }
        }
        let left_out = match without_picture {
            0 => Vec::new(),
            count => vec![("steps without a picture".to_owned(), count)],
        };
        let told = Told::new(&self.planned.path, &self.planned.id, Fate::Written, steps);
        Ok(Told { left_out, ..told })
    }

    fn with_pictures(&self) -> bool {
        self.layout.picture.is_some()
    }

    /// What is on the disk is a good guess from below: JSON and pictures go in as they are.
    fn may_come_in_parts(&self) -> bool {
        self.planned.bytes > self.options.part_bytes / 4
    }

    /// The next step that has what the layout wants.
    fn next(
        &self,
        source: &mut CanonicalSource,
        without_picture: &mut u64,
        ticker: &mut Ticker<'_>,
    ) -> Result<Option<Sample>, Problem> {
        while let Some(sample) = source.next_sample()? {
            ticker.step();
            self.check(&sample)?;
            if self.with_pictures() && sample.picture.is_none() {
                *without_picture = without_picture.saturating_add(1);
                continue;
            }
            return Ok(Some(sample));
        }
        Ok(None)
    }

    fn check(&self, sample: &Sample) -> Result<(), Problem> {
        let wrong =
            |what| Problem::input(&self.planned.path, format!(": step {}", sample.index), what);
        self.layout.shape.check(&sample.step).map_err(wrong)?;
        match (self.layout.picture, &sample.picture) {
            (Some(expected), Some(found)) if found.size != expected => Err(wrong(format!(
                "observation.media.rgb: expected {} x {} pixels, found {} x {}",
                expected.width, expected.height, found.size.width, found.size.height
            ))),
            _ => Ok(()),
        }
    }

    /// In the order of [`Layout::columns`].
    fn put(&mut self, sample: &Sample, place: &Place, language: &str) -> Result<(), Problem> {
        let step = &sample.step;
        let observation = &step.observation;
        let json = |value: serde_json::Result<Vec<u8>>| {
            value.map_err(|error| {
                let at = format!(": step {}", sample.index);
                Problem::input(&self.planned.path, at, error.to_string())
            })
        };
        let observation_json = json(serde_json::to_vec(observation))?;
        let action_json = json(serde_json::to_vec(&step.action))?;
        let metadata_json = json(serde_json::to_vec(&step.step_metadata))?;
        let mut state = Vec::new();
        vector::state(step, &mut state);
        let columns = &mut *self.columns;
        let mut put = || {
            columns.first();
            if let (Some(picture), Some(_)) = (&sample.picture, self.layout.picture) {
                columns.put_bytes(&picture.jpeg)?;
            }
            columns.put_floats(&state)?;
            columns.put_int(observation.robot_state.timestamp_nanos)?;
            columns.put_int(observation.robot_state.wall_time_millis)?;
            columns.put_bytes(observation.video_frame_id.as_bytes())?;
            columns.put_bytes(&observation_json)?;
            columns.put_floats(&step.action.command)?;
            columns.put_bytes(&action_json)?;
            columns.put_floats(&[sample::reward(step)])?;
            columns.put_floats(&[sample::discount(step)])?;
            columns.put_int(i64::from(place.is_first))?;
            columns.put_int(i64::from(place.is_last))?;
            columns.put_int(i64::from(step.is_terminal))?;
            columns.put_bytes(language.as_bytes())?;
            columns.put_bytes(&metadata_json)
        };
        put().map_err(Problem::write(self.to))
    }

    fn put_episode(&mut self, metadata: &[u8], part: i64, first: u64) -> Result<(), Problem> {
        let columns = &mut *self.columns;
        let mut put = || {
            columns.put_bytes(self.planned.id.as_bytes())?;
            columns.put_bytes(metadata)?;
            columns.put_int(part)?;
            columns.put_int(i64::try_from(first).unwrap_or(i64::MAX))
        };
        put().map_err(Problem::write(self.to))
    }
}

fn read_state(to: &Path) -> Result<Option<State>, Problem> {
    let path = to.join(STATE);
    match fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text)
            .map(Some)
            .map_err(|error| Problem::write(&path)(std::io::Error::other(error))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Problem::write(&path)(error)),
    }
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<(), Problem> {
    let mut value = json!(value);
    value.sort_all_objects();
    let mut text = serde_json::to_vec_pretty(&value)
        .map_err(|error| Problem::write(path)(std::io::Error::other(error)))?;
    text.push(b'\n');
    atomic::write_file(path, &text)
}
