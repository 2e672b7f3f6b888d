//! `lerobot`: a LeRobot data set, version 3.
//!
//! *What it decides.* Which of a step's blocks become columns, and that time is a fixed rate, since
//! LeRobot knows no other: `timestamp` is `frame_index / fps`, and the step's own time stands beside
//! it in `original_timestamp_ns`. *What it must never do.* Show a data set before it is whole: it is
//! made in `.lerobot.part` and put in its place last. One that was broken off is made anew.
//!
//! ```text
//! <to>/data/chunk-000/file-000.parquet              a row a frame, pictures in it as JPEG
//!      videos/<camera>/chunk-000/file-000.mp4       or here, where a video was asked for
//!      meta/info.json  stats.json  tasks.parquet
//!      meta/episodes/chunk-000/file-000.parquet     a row an episode
//! ```
//!
//! Shown by: tests/formats/lerobot.rs, tests/formats/lerobot_video.rs, tests/readers/lerobot.py.

mod features;
mod figures;
mod grid;
mod meta;
mod stats;
mod table;
mod video;

use super::{Fate, Names, Options, Ticker, Told};
use crate::atomic::{self, Unfinished};
use crate::canonical::CanonicalSource;
use crate::jpeg::JpegSize;
use crate::problem::Problem;
use crate::sample::{self, Sample, Source};
use crate::vector::{self, Shape};
use features::{Feature, features, hub_features, info_features};
use figures::count;
use grid::{Grid, at};
use serde_json::{Map, Value, json};
use stats::Stats;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use table::{Cell, Kind, Table};
use video::Video;

/// Name of the picture's column.
pub(crate) const PICTURE: &str = "observation.images.front";
/// Files in a folder.
const CHUNK_FILES: usize = 1000;
/// Folders of a data set; the one without which it is none comes last.
const PARTS: [&str; 3] = ["videos", "data", "meta"];
/// Pictures of an episode that are looked at for the statistics.
const PICTURES_LOOKED_AT: u64 = 100;

/// Writes `episodes` as a data set into `to`.
pub(super) fn export(
    episodes: &[PathBuf],
    to: &Path,
    options: &Options,
    ticker: &mut Ticker<'_>,
) -> Result<Vec<Told>, Problem> {
    for taken in PARTS {
        let path = to.join(taken);
        if path.exists() {
            let found = "expected a directory without a data set, found one";
            return Err(Problem::write(&path)(io::Error::other(found)));
        }
    }
    let mut names = Names::default();
    let mut told = Vec::new();
    let mut out: Option<DataSet<'_>> = None;
    let unfinished = Unfinished::directory(&to.join(".lerobot"))?;
    for path in episodes {
        let written = look(path, options, &mut names).and_then(|looked| {
            let set = match &mut out {
                Some(set) => set,
                none => none.insert(DataSet::new(unfinished.beside(), options, &looked)),
            };
            set.episode(path, &looked, ticker)
        });
        told.push(match written {
            Ok(told) => told,
            Err(problem) if problem.is_of_the_output() => return Err(problem),
            Err(problem) => Told::skipped(path, &problem),
        });
        ticker.episode();
    }
    if let Some(set) = out.filter(|set| !set.episodes.is_empty()) {
        set.finish()?;
        for part in PARTS {
            let (made, place) = (unfinished.beside().join(part), to.join(part));
            if made.is_dir() {
                fs::rename(made, &place).map_err(Problem::write(&place))?;
            }
        }
    }
    Ok(told)
}

/// What was found when an episode was read to its end, before anything of it is written.
struct Looked {
    id: String,
    layout: Layout,
    steps: u64,
    frames_per_s: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Layout {
    shape: Shape,
    picture: Option<JpegSize>,
    /// Its pictures make a video instead of a column.
    is_video: bool,
}

fn look(path: &Path, options: &Options, names: &mut Names) -> Result<Looked, Problem> {
    let mut source = CanonicalSource::open(path, options.with_pictures)?;
    let id = names.take(path, &source.metadata().episode_id)?;
    let (mut layout, mut steps) = (None::<Layout>, 0_u64);
    let (mut first_ns, mut last_ns) = (0, 0);
    while let Some(sample) = source.next_sample()? {
        let wrong = |what| Problem::input(path, format!(": step {}", sample.index), what);
        let size = sample.picture.as_ref().map(|picture| picture.size);
        let expected = layout.get_or_insert_with(|| {
            first_ns = at(&sample);
            let is_video = options.video && size.is_some();
            Layout { shape: Shape::of(&sample.step), picture: size, is_video }
        });
        expected.check(&sample.step, size).map_err(wrong)?;
        last_ns = at(&sample);
        steps = steps.saturating_add(1);
    }
    let layout =
        layout.ok_or_else(|| Problem::input(path, "", "expected at least one step, found none"))?;
    let frames_per_s = options.frames_per_s.unwrap_or_else(|| rate(steps, first_ns, last_ns));
    Ok(Looked { id, layout, steps, frames_per_s })
}

impl Layout {
    fn check(&self, step: &rlds::schema::Step, size: Option<JpegSize>) -> Result<(), String> {
        self.shape.check(step)?;
        match (self.picture, size) {
            (Some(_), None) => {
                Err("observation.media.rgb: expected a picture, found none".to_owned())
            }
            (Some(expected), Some(found)) if found != expected => Err(format!(
                "observation.media.rgb: expected {} x {} pixels, found {} x {}",
                expected.width, expected.height, found.width, found.height
            )),
            (None, _) | (Some(_), Some(_)) => Ok(()),
        }
    }
}

/// Steps a second, rounded.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate for a file, clamped to 1 to 1000"
)]
fn rate(steps: u64, first_ns: i64, last_ns: i64) -> u32 {
    let seconds = last_ns.saturating_sub(first_ns) as f64 / 1e9;
    if seconds <= 0.0 {
        return 1;
    }
    (steps.saturating_sub(1) as f64 / seconds).round().clamp(1.0, 1000.0) as u32
}

/// An episode as `meta/episodes` has it.
struct Episode {
    index: i64,
    tasks: Vec<String>,
    length: i64,
    file: usize,
    from: i64,
    stats: Vec<Stats>,
    film: Option<Film>,
}

/// Where an episode's pictures are in the videos.
#[derive(Clone, Copy)]
struct Film {
    file: usize,
    /// In frames, from the beginning of the file.
    from: u64,
}

struct DataSet<'a> {
    directory: PathBuf,
    options: &'a Options,
    layout: Layout,
    frames_per_s: u32,
    table: Option<Table>,
    files: usize,
    video: Option<Video>,
    videos: usize,
    frames: i64,
    tasks: Vec<String>,
    episodes: Vec<Episode>,
    total: Vec<Stats>,
}

impl<'a> DataSet<'a> {
    fn new(directory: &Path, options: &'a Options, first: &Looked) -> Self {
        let layout = first.layout.clone();
        let total = features(&layout).iter().map(|feature| Stats::new(feature.numbers)).collect();
        Self {
            directory: directory.to_owned(),
            options,
            layout,
            frames_per_s: first.frames_per_s,
            table: None,
            files: 0,
            video: None,
            videos: 0,
            frames: 0,
            tasks: Vec::new(),
            episodes: Vec::new(),
            total,
        }
    }

    fn episode(
        &mut self,
        path: &Path,
        looked: &Looked,
        ticker: &mut Ticker<'_>,
    ) -> Result<Told, Problem> {
        if looked.layout != self.layout {
            let what = format!("expected {:?}, found {:?}", self.layout, looked.layout);
            return Err(Problem::input(path, "", what));
        }
        self.roll_over()?;
        let film = self.roll_over_video()?;
        let mut source = CanonicalSource::open(path, self.options.with_pictures)?;
        let index = self.episodes.len() as i64;
        let mut rows = Rows {
            set: self,
            path,
            index,
            frame: 0,
            task: 0,
            every: looked.steps.div_ceil(PICTURES_LOOKED_AT).max(1),
            tasks: Vec::new(),
            stats: Vec::new(),
            state: Vec::new(),
        };
        rows.begin();
        let mut grid = Grid::new(rows.set.frames_per_s);
        while let Some(sample) = source.next_sample()? {
            ticker.step();
            grid.push(sample, |sample| rows.row(sample))?;
        }
        grid.finish(|sample| rows.row(sample))?;
        let (frames, tasks, stats) = (rows.frame, rows.tasks, rows.stats);
        self.end_group()?;
        for (total, of_episode) in self.total.iter_mut().zip(&stats) {
            total.merge(of_episode);
        }
        let file = self.files.saturating_sub(1);
        let from = self.frames;
        self.frames = self.frames.saturating_add(frames);
        self.episodes.push(Episode { index, tasks, length: frames, file, from, stats, film });
        let left_out = [
            ("steps between two instants of the rate".to_owned(), grid.unused),
            ("instants that repeat the step before".to_owned(), grid.repeated),
        ];
        Ok(Told {
            left_out: left_out.into_iter().filter(|(_, count)| *count > 0).collect(),
            ..Told::new(path, &looked.id, Fate::Written, u64::try_from(frames).unwrap_or(0))
        })
    }

    /// Begins a new file where the last one is long enough.
    fn roll_over(&mut self) -> Result<(), Problem> {
        if self.table.as_ref().is_some_and(|table| table.bytes() < self.options.file_bytes) {
            return Ok(());
        }
        self.close_table()?;
        let path = self.directory.join(format!("data/{}.parquet", place(self.files)));
        let columns: Vec<(String, Kind)> = features(&self.layout)
            .into_iter()
            .filter(Feature::is_column)
            .map(|feature| (feature.name.to_owned(), feature.kind))
            .collect();
        let note = json!({ "info": { "features": hub_features(&self.layout) } }).to_string();
        self.table = Some(create(&path, &columns, &[("huggingface", note)])?);
        self.files = self.files.saturating_add(1);
        Ok(())
    }

    /// Begins a new video where the last one is long enough; where the next picture will be.
    fn roll_over_video(&mut self) -> Result<Option<Film>, Problem> {
        let Some(size) = self.layout.picture.filter(|_| self.layout.is_video) else {
            return Ok(None);
        };
        if self.video.as_ref().is_none_or(|video| video.bytes() >= self.options.file_bytes) {
            self.close_video()?;
            let path = self.video_path();
            if let Some(parent) = path.parent() {
                atomic::make_directory(parent)?;
            }
            let video = File::create_new(&path)
                .and_then(|file| Video::create(file, size, self.frames_per_s))
                .map_err(Problem::write(&path))?;
            self.video = Some(video);
            self.videos = self.videos.saturating_add(1);
        }
        let from = self.video.as_ref().map_or(0, Video::frames);
        Ok(Some(Film { file: self.videos.saturating_sub(1), from }))
    }

    /// Of the video that comes next.
    fn video_path(&self) -> PathBuf {
        self.directory.join(format!("videos/{PICTURE}/{}.mp4", place(self.videos)))
    }

    fn close_video(&mut self) -> Result<(), Problem> {
        let closed = self.video.take().map_or(Ok(()), Video::finish);
        closed.map_err(Problem::write(&self.directory))
    }

    fn end_group(&mut self) -> Result<(), Problem> {
        let ended = self.table.as_mut().map_or(Ok(()), Table::end_group);
        ended.map_err(parquet(&self.directory))
    }

    fn close_table(&mut self) -> Result<(), Problem> {
        self.table.take().map_or(Ok(()), Table::finish).map_err(parquet(&self.directory))
    }

    fn task_index(&mut self, task: &str) -> i64 {
        let found = self.tasks.iter().position(|known| known == task);
        let index = found.unwrap_or_else(|| {
            self.tasks.push(task.to_owned());
            self.tasks.len().saturating_sub(1)
        });
        index as i64
    }

    fn finish(mut self) -> Result<(), Problem> {
        self.close_table()?;
        self.close_video()?;
        self.write_tasks()?;
        self.write_episodes()?;
        let mut stats = Map::new();
        for (feature, figures) in features(&self.layout).iter().zip(&self.total) {
            stats.insert(feature.name.to_owned(), figures.as_json(feature.kind == Kind::Picture));
        }
        self.write_json("meta/stats.json", &Value::Object(stats))?;
        let info = json!({
            "codebase_version": "v3.0",
            "robot_type": "continuon",
            "total_episodes": self.episodes.len(),
            "total_frames": self.frames,
            "total_tasks": self.tasks.len(),
            "chunks_size": CHUNK_FILES,
            "data_files_size_in_mb": (self.options.file_bytes >> 20).max(1),
            "video_files_size_in_mb": (self.options.file_bytes >> 20).max(1),
            "fps": self.frames_per_s,
            "splits": { "train": format!("0:{}", self.episodes.len()) },
            "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
            "video_path": self.layout.is_video.then_some(
                "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
            ),
            "features": info_features(&self.layout, self.frames_per_s),
        });
        self.write_json("meta/info.json", &info)
    }

    fn write_json(&self, name: &str, value: &Value) -> Result<(), Problem> {
        let mut value = value.clone();
        value.sort_all_objects();
        let text = format!("{value:#}\n");
        atomic::write_file(&self.directory.join(name), text.as_bytes())
    }
}

/// The rows of one episode.
struct Rows<'a, 'b> {
    set: &'a mut DataSet<'b>,
    path: &'a Path,
    index: i64,
    frame: i64,
    task: i64,
    /// Every n-th picture is looked at.
    every: u64,
    tasks: Vec<String>,
    stats: Vec<Stats>,
    state: Vec<f32>,
}

impl Rows<'_, '_> {
    fn begin(&mut self) {
        let features = features(&self.set.layout);
        self.stats = features.iter().map(|feature| Stats::new(feature.numbers)).collect();
    }

    /// In the order of [`features`].
    fn row(&mut self, sample: &Sample) -> Result<(), Problem> {
        let step = &sample.step;
        let told = sample::language(step).map(str::to_owned);
        if let Some(task) =
            told.or_else(|| (self.frame == 0).then(|| self.set.options.task.clone()))
        {
            self.task = self.set.task_index(&task);
            if !self.tasks.contains(&task) {
                self.tasks.push(task);
            }
        }
        vector::state(step, &mut self.state);
        #[expect(clippy::cast_precision_loss, reason = "LeRobot wants seconds as a float")]
        let timestamp = (self.frame as f64 / f64::from(self.set.frames_per_s)) as f32;
        let path = format!("frame-{:06}.jpg", self.frame);
        let index = self.set.frames.saturating_add(self.frame);
        let frame = self.frame;
        let mut cells = Vec::new();
        if let Some(picture) = &sample.picture
            && self.set.layout.picture.is_some()
        {
            cells.push(Cell::Picture { jpeg: &picture.jpeg, path: &path });
        }
        cells.extend([
            Cell::Floats(&self.state),
            Cell::Floats(&step.action.command),
            Cell::Float(sample::reward(step)),
            Cell::Bool(step.is_terminal),
            Cell::Int(at(sample)),
            Cell::Float(timestamp),
            Cell::Int(frame),
            Cell::Int(self.index),
            Cell::Int(index),
            Cell::Int(self.task),
        ]);
        let DataSet { table, video, directory, .. } = &mut *self.set;
        let Some(table) = table else {
            return Ok(());
        };
        for (cell, stats) in cells.iter().zip(&mut self.stats) {
            match (video.as_mut(), cell) {
                (Some(video), Cell::Picture { jpeg, .. }) => {
                    video.push(jpeg).map_err(Problem::write(directory))?;
                }
                _ => table.put(cell).map_err(parquet(directory))?,
            }
            let is_looked_at = u64::try_from(frame).unwrap_or(0).is_multiple_of(self.every);
            count(cell, stats, is_looked_at).map_err(|what| {
                Problem::input(self.path, format!(": step {}", sample.index), what)
            })?;
        }
        self.frame = self.frame.saturating_add(1);
        Ok(())
    }
}

/// `chunk-000/file-000`.
fn place(file: usize) -> String {
    format!("chunk-{:03}/file-{:03}", file / CHUNK_FILES, file % CHUNK_FILES)
}

fn create(
    path: &Path,
    columns: &[(String, Kind)],
    notes: &[(&str, String)],
) -> Result<Table, Problem> {
    if let Some(parent) = path.parent() {
        atomic::make_directory(parent)?;
    }
    let file = File::create_new(path).map_err(Problem::write(path))?;
    Table::create(file, columns, notes).map_err(parquet(path))
}

fn parquet(path: &Path) -> impl FnOnce(parquet::errors::ParquetError) -> Problem {
    let path = path.to_owned();
    move |error| Problem::Output { path, source: io::Error::other(error) }
}
