//! `lerobot`: a LeRobot data set, version 3.
//!
//! *What it decides.* Which of a step's blocks become columns, and that time is a fixed rate, since
//! LeRobot knows no other: `timestamp` is `frame_index / fps`, and the step's own time stands beside
//! it in `original_timestamp_ns`. *What it must never do.* Show a data set before it is whole: it is
//! made in `.lerobot.part` and put in its place last. One that was broken off is made anew.
//!
//! ```text
//! <to>/data/chunk-000/file-000.parquet              a row a frame, pictures in it as JPEG
//!      meta/info.json  stats.json  tasks.parquet
//!      meta/episodes/chunk-000/file-000.parquet     a row an episode
//! ```
//!
//! Shown by: tests/formats/lerobot.rs, tests/readers/lerobot.py.

mod grid;
mod stats;
mod table;

use super::{Fate, Names, Options, Ticker, Told};
use crate::atomic::{self, Unfinished};
use crate::canonical::CanonicalSource;
use crate::jpeg::JpegSize;
use crate::problem::Problem;
use crate::sample::{self, Sample, Source};
use crate::vector::{self, Shape};
use grid::{Grid, at};
use serde_json::{Map, Value, json};
use stats::Stats;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use table::{Cell, Kind, Table};

/// Name of the picture's column.
pub(crate) const PICTURE: &str = "observation.images.front";
/// Files in a folder.
const CHUNK_FILES: usize = 1000;
/// Pictures of an episode that are looked at for the statistics.
const PICTURES_LOOKED_AT: u64 = 100;
/// A picture is looked at in every n-th row and column, so that about this many are left.
const PIXELS_ACROSS: usize = 150;

/// Writes `episodes` as a data set into `to`.
pub(super) fn export(
    episodes: &[PathBuf],
    to: &Path,
    options: &Options,
    ticker: &mut Ticker<'_>,
) -> Result<Vec<Told>, Problem> {
    for taken in ["data", "meta"] {
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
        for part in ["data", "meta"] {
            let place = to.join(part);
            fs::rename(unfinished.beside().join(part), &place).map_err(Problem::write(&place))?;
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
            Layout { shape: Shape::of(&sample.step), picture: size }
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
}

struct DataSet<'a> {
    directory: PathBuf,
    options: &'a Options,
    layout: Layout,
    frames_per_s: u32,
    table: Option<Table>,
    files: usize,
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
        self.episodes.push(Episode { index, tasks, length: frames, file, from, stats });
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
            .map(|feature| (feature.name.to_owned(), feature.kind))
            .collect();
        let note = json!({ "info": { "features": hub_features(&self.layout) } }).to_string();
        self.table = Some(create(&path, &columns, &[("huggingface", note)])?);
        self.files = self.files.saturating_add(1);
        Ok(())
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
            "video_files_size_in_mb": 200,
            "fps": self.frames_per_s,
            "splits": { "train": format!("0:{}", self.episodes.len()) },
            "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
            "video_path": null,
            "features": info_features(&self.layout),
        });
        self.write_json("meta/info.json", &info)
    }

    fn write_json(&self, name: &str, value: &Value) -> Result<(), Problem> {
        let mut value = value.clone();
        value.sort_all_objects();
        let text = format!("{value:#}\n");
        atomic::write_file(&self.directory.join(name), text.as_bytes())
    }

    fn write_tasks(&self) -> Result<(), Problem> {
        let path = self.directory.join("meta/tasks.parquet");
        let columns = [("task_index".to_owned(), Kind::Int), ("task".to_owned(), Kind::Text)];
        // pandas looks here for which column names the rows.
        let pandas = json!({
            "index_columns": ["task"],
            "column_indexes": [],
            "columns": [
                { "name": "task_index", "field_name": "task_index", "pandas_type": "int64",
                  "numpy_type": "int64", "metadata": null },
                { "name": "task", "field_name": "task", "pandas_type": "unicode",
                  "numpy_type": "object", "metadata": null },
            ],
            "pandas_version": "2.2.0",
        });
        let mut table = create(&path, &columns, &[("pandas", pandas.to_string())])?;
        let mut write = || {
            for (index, task) in self.tasks.iter().enumerate() {
                table.put(&Cell::Int(index as i64))?;
                table.put(&Cell::Text(task))?;
            }
            Ok(())
        };
        write().and_then(|()| table.finish()).map_err(parquet(&path))
    }

    fn write_episodes(&self) -> Result<(), Problem> {
        let path = self.directory.join(format!("meta/episodes/{}.parquet", place(0)));
        let ints =
            ["data/chunk_index", "data/file_index", "dataset_from_index", "dataset_to_index"];
        let mut columns = vec![
            ("episode_index".to_owned(), Kind::Int),
            ("tasks".to_owned(), Kind::Texts),
            ("length".to_owned(), Kind::Int),
        ];
        columns.extend(ints.map(|name| (name.to_owned(), Kind::Int)));
        let features = features(&self.layout);
        for feature in &features {
            let kind = match feature.kind {
                Kind::Picture => Kind::DoublesNested,
                _ => Kind::Doubles,
            };
            for figure in ["min", "max", "mean", "std", "count"] {
                let kind = if figure == "count" { Kind::Doubles } else { kind.clone() };
                columns.push((format!("stats/{}/{figure}", feature.name), kind));
            }
        }
        columns.push(("meta/episodes/chunk_index".to_owned(), Kind::Int));
        columns.push(("meta/episodes/file_index".to_owned(), Kind::Int));
        let mut table = create(&path, &columns, &[])?;
        let mut write = || {
            for episode in &self.episodes {
                table.put(&Cell::Int(episode.index))?;
                table.put(&Cell::Texts(&episode.tasks))?;
                table.put(&Cell::Int(episode.length))?;
                table.put(&Cell::Int((episode.file / CHUNK_FILES) as i64))?;
                table.put(&Cell::Int((episode.file % CHUNK_FILES) as i64))?;
                table.put(&Cell::Int(episode.from))?;
                table.put(&Cell::Int(episode.from.saturating_add(episode.length)))?;
                for stats in &episode.stats {
                    table.put(&Cell::Doubles(&stats.min))?;
                    table.put(&Cell::Doubles(&stats.max))?;
                    table.put(&Cell::Doubles(&stats.mean))?;
                    table.put(&Cell::Doubles(&stats.std()))?;
                    #[expect(clippy::cast_precision_loss, reason = "a count of frames")]
                    table.put(&Cell::Doubles(&[stats.count as f64]))?;
                }
                table.put(&Cell::Int(0))?;
                table.put(&Cell::Int(0))?;
            }
            Ok(())
        };
        write().and_then(|()| table.finish()).map_err(parquet(&path))
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
        let Some(table) = &mut self.set.table else {
            return Ok(());
        };
        for (cell, stats) in cells.iter().zip(&mut self.stats) {
            table.put(cell).map_err(parquet(&self.set.directory))?;
            let is_looked_at = u64::try_from(frame).unwrap_or(0).is_multiple_of(self.every);
            count(cell, stats, is_looked_at).map_err(|what| {
                Problem::input(self.path, format!(": step {}", sample.index), what)
            })?;
        }
        self.frame = self.frame.saturating_add(1);
        Ok(())
    }
}

/// Takes a value into the statistics.
#[expect(clippy::cast_precision_loss, reason = "statistics are floats")]
fn count(cell: &Cell<'_>, stats: &mut Stats, is_looked_at: bool) -> Result<(), String> {
    match cell {
        Cell::Int(value) => stats.push([*value as f64]),
        Cell::Float(value) => stats.push([f64::from(*value)]),
        Cell::Bool(value) => stats.push([f64::from(u8::from(*value))]),
        Cell::Floats(values) => stats.push(values.iter().map(|value| f64::from(*value))),
        Cell::Doubles(_) | Cell::Texts(_) | Cell::Text(_) => {}
        Cell::Picture { jpeg, .. } => {
            if !is_looked_at {
                return Ok(());
            }
            look_at(jpeg, stats)?;
        }
    }
    stats.frame();
    Ok(())
}

fn look_at(jpeg: &[u8], stats: &mut Stats) -> Result<(), String> {
    use zune_jpeg::zune_core::bytestream::ZCursor;
    use zune_jpeg::zune_core::colorspace::ColorSpace;
    use zune_jpeg::zune_core::options::DecoderOptions;
    let options = DecoderOptions::default().jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(jpeg), options);
    let wrong = |error| format!("observation.media.rgb: a JPEG that cannot be decoded: {error:?}");
    let pixels = decoder.decode().map_err(wrong)?;
    let (width, height) = decoder.dimensions().unwrap_or((1, 1));
    let every = width.max(height).div_ceil(PIXELS_ACROSS * 2).max(1);
    for row in pixels.chunks_exact(width.max(1).saturating_mul(3)).step_by(every) {
        for pixel in row.chunks_exact(3).step_by(every) {
            stats.push(pixel.iter().map(|value| f64::from(*value) / 255.0));
        }
    }
    Ok(())
}

/// A column of the data.
struct Feature {
    name: &'static str,
    kind: Kind,
    dtype: &'static str,
    numbers: usize,
}

fn features(layout: &Layout) -> Vec<Feature> {
    let feature = |name, kind, dtype, numbers| Feature { name, kind, dtype, numbers };
    let mut features = Vec::new();
    if layout.picture.is_some() {
        features.push(feature(PICTURE, Kind::Picture, "image", 3));
    }
    features.extend([
        feature("observation.state", Kind::Floats, "float32", layout.shape.state()),
        feature("action", Kind::Floats, "float32", layout.shape.command),
        feature("next.reward", Kind::Float, "float32", 1),
        feature("next.done", Kind::Bool, "bool", 1),
        feature("original_timestamp_ns", Kind::Int, "int64", 1),
        feature("timestamp", Kind::Float, "float32", 1),
        feature("frame_index", Kind::Int, "int64", 1),
        feature("episode_index", Kind::Int, "int64", 1),
        feature("index", Kind::Int, "int64", 1),
        feature("task_index", Kind::Int, "int64", 1),
    ]);
    features
}

/// `features` of `info.json`.
fn info_features(layout: &Layout) -> Value {
    let of = |feature: &Feature| {
        let (shape, names) = match (&feature.kind, layout.picture) {
            (Kind::Picture, Some(size)) => {
                (json!([size.height, size.width, 3]), json!(["height", "width", "channels"]))
            }
            _ if feature.name == "observation.state" => {
                (json!([feature.numbers]), json!(layout.shape.state_names()))
            }
            _ if feature.name == "action" => {
                (json!([feature.numbers]), json!(layout.shape.command_names()))
            }
            _ => (json!([1]), Value::Null),
        };
        json!({ "dtype": feature.dtype, "shape": shape, "names": names })
    };
    features(layout).iter().map(|feature| (feature.name.to_owned(), of(feature))).collect()
}

/// The same as `datasets` tells it in a file's footer.
fn hub_features(layout: &Layout) -> Value {
    let of = |feature: &Feature| match feature.kind {
        Kind::Picture => json!({ "_type": "Image" }),
        Kind::Floats => json!({
            "_type": "Sequence",
            "feature": { "_type": "Value", "dtype": feature.dtype },
            "length": feature.numbers,
        }),
        _ => json!({ "_type": "Value", "dtype": feature.dtype }),
    };
    features(layout).iter().map(|feature| (feature.name.to_owned(), of(feature))).collect()
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
