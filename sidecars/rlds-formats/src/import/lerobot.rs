//! LeRobot data sets, version 3.
//!
//! *What it decides.* Which column is which block: `action` is the command, `observation.state` goes
//! where its names say (ours), or into the joints (anybody else's); the first column of pictures is the
//! camera. *What it must never do.* Take `timestamp` for the step's time where the original one stands
//! beside it, or follow a path out of the data set.
//!
//! Video is not decoded: its frames are left out and counted. Shown by: tests/formats/import.rs,
//! tests/formats/bad_input.rs.

use super::lines::read_json;
use super::table::{Cell, Row, Table};
use crate::blob;
use crate::normalise;
use crate::problem::Problem;
use crate::sample::{LANGUAGE, Picture, REWARD, Sample, Source};
use rlds::schema::{MediaBundle, MediaRef, Metadata, Pose, Step};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

const INFO_BYTES_MAX: u64 = 8 << 20;
const NS_PER_S: f64 = 1e9;

/// What is known of a data set before its data is read.
struct Info {
    state_names: Vec<String>,
    picture: Option<String>,
    videos: u64,
    robot: String,
    data_path: String,
}

impl Info {
    fn read(data_set: &Path) -> Result<Self, Problem> {
        let path = data_set.join("meta/info.json");
        let info = read_json(&path, INFO_BYTES_MAX)?;
        let version = info.get("codebase_version").and_then(Value::as_str).unwrap_or("none");
        if !version.starts_with("v3.") {
            let what = format!("codebase_version: expected v3, found {version}");
            return Err(Problem::input(&path, "", what));
        }
        let features = info.get("features").and_then(Value::as_object);
        let features =
            features.ok_or_else(|| Problem::input(&path, "", "features: expected an object"))?;
        let of_type = |dtype: &'static str| {
            features
                .iter()
                .filter(move |(_, feature)| {
                    feature.get("dtype").and_then(Value::as_str) == Some(dtype)
                })
                .map(|(name, _)| name.clone())
        };
        let names = features.get("observation.state").and_then(|feature| feature.get("names"));
        let names = names.and_then(Value::as_array).into_iter().flatten();
        let text = |key: &str| info.get(key).and_then(Value::as_str).map(str::to_owned);
        Ok(Self {
            state_names: names.filter_map(Value::as_str).map(str::to_owned).collect(),
            picture: of_type("image").next(),
            videos: of_type("video").count() as u64,
            robot: text("robot_type").unwrap_or_else(|| "unknown".to_owned()),
            data_path: text("data_path").unwrap_or_else(|| {
                "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet".to_owned()
            }),
        })
    }

    /// Of a column of the pictures, the part's name: `bytes` or `path`.
    fn picture_part<'a>(&self, column: &'a str) -> Option<&'a str> {
        column.strip_prefix(self.picture.as_deref()?)?.strip_prefix('.')
    }

    /// The file of this chunk and number.
    fn data_file(&self, data_set: &Path, chunk: i64, file: i64) -> Result<PathBuf, Problem> {
        let name = self
            .data_path
            .replace("{chunk_index:03d}", &format!("{chunk:03}"))
            .replace("{file_index:03d}", &format!("{file:03}"));
        blob::resolve(data_set, &name).map_err(|what| {
            Problem::input(data_set.join("meta/info.json"), "", format!("data_path: {what}"))
        })
    }
}

/// A line of `meta/episodes`.
#[derive(Clone, Debug, Default)]
struct Line {
    episode: i64,
    chunk: i64,
    file: i64,
    length: i64,
}

/// Numbers of all episodes of the data set.
pub(super) fn episodes(data_set: &Path) -> Result<Vec<i64>, Problem> {
    Ok(lines(data_set)?.into_iter().map(|line| line.episode).collect())
}

fn lines(data_set: &Path) -> Result<Vec<Line>, Problem> {
    let mut found = Vec::new();
    for path in parquet_files(&data_set.join("meta/episodes"))? {
        let mut rows = rows(&path, |name| !name.starts_with("stats/"))?;
        while let Some(row) = rows.next().map_err(damaged(&path))? {
            let mut line = Line { episode: -1, ..Line::default() };
            for (name, cell) in &row {
                let place = match &**name {
                    "episode_index" => &mut line.episode,
                    "data/chunk_index" => &mut line.chunk,
                    "data/file_index" => &mut line.file,
                    "length" => &mut line.length,
                    _ => continue,
                };
                *place = int(cell).ok_or_else(|| {
                    let found = shown(cell);
                    Problem::input(&path, "", format!("{name}: expected a number, found {found}"))
                })?;
            }
            found.push(line);
        }
    }
    found.sort_by_key(|line| line.episode);
    Ok(found)
}

/// `chunk-*/file-*.parquet` in `directory`, in order.
fn parquet_files(directory: &Path) -> Result<Vec<PathBuf>, Problem> {
    let mut files = Vec::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in std::fs::read_dir(&directory).map_err(Problem::read(&directory))? {
            let entry = entry.map_err(Problem::read(&directory))?;
            let kind = entry.file_type().map_err(Problem::read(&directory))?;
            if kind.is_dir() {
                waiting.push(entry.path());
            } else if entry.path().extension().is_some_and(|extension| extension == "parquet") {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}

/// The rows of a file, with the columns whose names are `wanted`.
fn rows(path: &Path, wanted: fn(&str) -> bool) -> Result<Table, Problem> {
    let file = File::open(path).map_err(Problem::read(path))?;
    Table::of(file, wanted).map_err(damaged(path))
}

fn damaged(path: &Path) -> impl FnOnce(String) -> Problem {
    let path = path.to_owned();
    move |what| Problem::input(path, "", format!("expected a Parquet file, found {what}"))
}

/// The tasks by their numbers.
fn tasks(data_set: &Path) -> Result<BTreeMap<i64, String>, Problem> {
    let path = data_set.join("meta/tasks.parquet");
    let mut tasks = BTreeMap::new();
    let mut rows = rows(&path, |_| true)?;
    while let Some(row) = rows.next().map_err(damaged(&path))? {
        let (mut index, mut task) = (None, None);
        for (name, cell) in &row {
            match (&**name, cell) {
                ("task_index", cell) => index = int(cell),
                // pandas calls an index without a name so.
                ("task" | "__index_level_0__", Cell::Text(text)) => task = Some(text.clone()),
                _ => {}
            }
        }
        if let (Some(index), Some(task)) = (index, task) {
            tasks.insert(index, task);
        }
    }
    Ok(tasks)
}

/// An episode that is being read.
pub(super) struct Episode {
    data_set: PathBuf,
    file: PathBuf,
    episode: i64,
    length: i64,
    info: Info,
    tasks: BTreeMap<i64, String>,
    rows: Table,
    metadata: Metadata,
    index: u64,
    task: Option<i64>,
    last_ns: i64,
}

impl Episode {
    pub(super) fn open(data_set: &Path, episode: i64) -> Result<Self, Problem> {
        let info = Info::read(data_set)?;
        let line = lines(data_set)?.into_iter().find(|line| line.episode == episode);
        let line = line.ok_or_else(|| {
            Problem::input(
                data_set,
                "",
                format!("meta/episodes: expected episode {episode}, found none"),
            )
        })?;
        let file = info.data_file(data_set, line.chunk, line.file)?;
        let name = crate::canonical::real(data_set);
        let name = name.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = format!("{}_episode_{episode:06}", name.unwrap_or_default());
        let mut metadata = normalise::blank_metadata(&name, "lerobot-v3");
        metadata.robot_model.clone_from(&info.robot);
        Ok(Self {
            data_set: data_set.to_owned(),
            rows: rows(&file, |_| true)?,
            tasks: tasks(data_set)?,
            file,
            episode,
            length: line.length,
            info,
            metadata,
            index: 0,
            task: None,
            last_ns: i64::MIN,
        })
    }

    fn wrong(&self, what: impl Into<String>) -> Problem {
        let at = format!(": episode {} frame {}", self.episode, self.index);
        Problem::input(&self.file, at, what)
    }

    fn sample(&mut self, row: &Row) -> Result<Sample, Problem> {
        let mut step = normalise::blank_step();
        let (mut seconds, mut original_ns, mut picture, mut task) = (None, None, None, None);
        for (name, cell) in row {
            let numbers = || {
                floats(cell).ok_or_else(|| {
                    self.wrong(format!("{name}: expected numbers, found {}", shown(cell)))
                })
            };
            match &**name {
                "action" => step.action.command = numbers()?,
                "observation.state" => set_state(&mut step, &self.info.state_names, &numbers()?),
                "timestamp" => seconds = double(cell),
                "original_timestamp_ns" => original_ns = int(cell),
                "next.reward" => {
                    if let Some(reward) = double(cell).filter(|reward| *reward != 0.0) {
                        step.step_metadata.insert(REWARD.to_owned(), reward.to_string());
                    }
                }
                "next.done" => step.is_terminal = *cell == Cell::Bool(true),
                "task_index" => task = Some(int(cell)),
                "frame_index" | "episode_index" | "index" => {}
                other => match self.info.picture_part(other) {
                    Some("bytes") => picture = Some(self.picture(cell)?),
                    // Where it lay when it was a file.
                    Some(_) => {}
                    None => {
                        step.step_metadata.insert(other.to_owned(), shown(cell));
                    }
                },
            }
        }
        if self.info.picture.is_some() && picture.is_none() {
            return Err(self.wrong("picture: expected bytes, found none"));
        }
        if let Some(task) = task
            && task != self.task
        {
            self.task = task;
            if let Some(words) = task.and_then(|task| self.tasks.get(&task)) {
                step.step_metadata.insert(LANGUAGE.to_owned(), words.clone());
            }
        }
        if step.action.command.is_empty() {
            return Err(self.wrong("action: expected numbers, found none"));
        }
        "human_supervisor".clone_into(&mut step.action.source);
        #[expect(clippy::cast_possible_truncation, reason = "seconds of an episode, in ns")]
        let ns = original_ns.or(seconds.map(|seconds| (seconds * NS_PER_S).round() as i64));
        let ns = ns.ok_or_else(|| self.wrong("timestamp: expected a number, found none"))?;
        if ns < self.last_ns {
            let what = format!("timestamp: expected at least {} ns, found {ns}", self.last_ns);
            return Err(self.wrong(format!("{what}: time goes backwards")));
        }
        self.last_ns = ns;
        let index = self.index;
        name_frame(&mut step, index, ns, picture.is_some());
        self.index = index.saturating_add(1);
        Ok(Sample { index, step, picture })
    }

    fn picture(&self, cell: &Cell) -> Result<Picture, Problem> {
        let Cell::Bytes(bytes) = cell else {
            return Err(self.wrong(format!("picture: expected bytes, found {}", shown(cell))));
        };
        Picture::new(bytes.clone()).map_err(|what| self.wrong(format!("picture: {what}")))
    }
}

impl Source for Episode {
    fn name(&self) -> String {
        format!("{} episode {}", self.data_set.display(), self.episode)
    }

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn next_sample(&mut self) -> Result<Option<Sample>, Problem> {
        loop {
            let row = match self.rows.next().map_err(|what| self.wrong(what))? {
                Some(row) => row,
                None if i64::try_from(self.index) == Ok(self.length) => return Ok(None),
                None => {
                    let what = format!("expected {} frames, found {}", self.length, self.index);
                    return Err(self.wrong(what));
                }
            };
            let of = row.iter().find(|(name, _)| &**name == "episode_index");
            if of.and_then(|(_, cell)| int(cell)) == Some(self.episode) {
                return self.sample(&row).map(Some);
            }
            // An episode's rows lie together.
            if self.index > 0 && i64::try_from(self.index) == Ok(self.length) {
                return Ok(None);
            }
        }
    }

    fn remarks(&self) -> Vec<(String, u64)> {
        if self.info.videos == 0 {
            return Vec::new();
        }
        let frames = self.info.videos.saturating_mul(self.index);
        vec![("pictures in video files".to_owned(), frames)]
    }
}

fn name_frame(step: &mut Step, index: u64, ns: i64, has_picture: bool) {
    let frame_id = format!("frame-{index}");
    let observation = &mut step.observation;
    observation.robot_state.timestamp_nanos = ns;
    observation.glove.timestamp_nanos = ns;
    observation.robot_state.frame_id.clone_from(&frame_id);
    observation.depth_frame_id.clone_from(&frame_id);
    observation.video_frame_id.clone_from(&frame_id);
    if has_picture {
        let rgb = MediaRef { frame_id, timestamp_ns: ns, ..MediaRef::default() };
        observation.media = Some(MediaBundle { rgb: Some(rgb), ..MediaBundle::default() });
    }
}

/// Puts the numbers where their names say; all into the joints where they say nothing that we know.
fn set_state(step: &mut Step, names: &[String], numbers: &[f32]) {
    let robot = &mut step.observation.robot_state;
    let is_ours = names.len() == numbers.len()
        && names.len() >= 13
        && names.iter().rev().take(13).eq(crate::vector::PLACE_AND_TWIST.iter().rev());
    if !is_ours {
        robot.joint_positions = numbers.to_vec();
        return;
    }
    let starting = |prefix: &str| -> Vec<f32> {
        let named = names.iter().zip(numbers).filter(|(name, _)| name.starts_with(prefix));
        named.map(|(_, number)| *number).collect()
    };
    robot.joint_positions = starting("joint_position_");
    robot.joint_velocities = starting("joint_velocity_");
    let tail = numbers.get(numbers.len().saturating_sub(13)..).unwrap_or_default();
    let position = tail.first_chunk::<3>().copied();
    let orientation_quat = tail.get(3..7).and_then(|part| part.first_chunk::<4>()).copied();
    robot.end_effector_pose = Pose {
        valid: position != Some([0.0; 3]) || orientation_quat != Some([0.0, 0.0, 0.0, 1.0]),
        position,
        orientation_quat,
    };
    robot.end_effector_twist = tail.get(7..).and_then(|part| part.first_chunk::<6>()).copied();
}

fn int(cell: &Cell) -> Option<i64> {
    match cell {
        Cell::Int(value) => Some(*value),
        _ => None,
    }
}

fn double(cell: &Cell) -> Option<f64> {
    match cell {
        Cell::Number(value) => Some(*value),
        #[expect(clippy::cast_precision_loss, reason = "a number of a data set")]
        other => int(other).map(|value| value as f64),
    }
    .filter(|value| value.is_finite())
}

/// A number, or a list of them.
#[expect(clippy::cast_possible_truncation, reason = "the contract's numbers are floats")]
fn floats(cell: &Cell) -> Option<Vec<f32>> {
    match cell {
        Cell::List(list) => {
            list.iter().map(|cell| double(cell).map(|value| value as f32)).collect()
        }
        other => Some(vec![double(other)? as f32]),
    }
}

/// A value in a few words; a text whole.
fn shown(cell: &Cell) -> String {
    let mut text = cell.to_string();
    if !matches!(cell, Cell::Text(_))
        && let Some((end, _)) = text.char_indices().nth(500)
    {
        text.truncate(end);
    }
    text
}
