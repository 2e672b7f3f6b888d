//! The contract's TFRecord: one `tf.train.Example` a step, plain or gzip.
//!
//! *What it decides.* Which features a record needs, and that one file is one episode. *What it must
//! never do.* Believe a length, however little of the file backs it; a small file that unpacks into a
//! large record is refused by the record's limit.
//!
//! Shown by: tests/formats/tfrecord.rs, tests/formats/import.rs, tests/formats/bad_input.rs.

use crate::example::Example;
use crate::framing::RecordReader;
use crate::normalise::{self, Normaliser};
use crate::problem::Problem;
use crate::sample::{REWARD, Sample, Source};
use flate2::read::MultiGzDecoder;
use prost::Message;
use rlds::schema::{Metadata, Step};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// A step's record is not larger: it is two lines of JSON.
const RECORD_BYTES_MAX: u64 = 32 << 20;
/// What a gzip file begins with.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// An episode that is being read.
pub(super) struct TfrecordSource {
    path: PathBuf,
    reader: RecordReader<Box<dyn Read>>,
    metadata: Metadata,
    episode_id: Option<String>,
    normaliser: Normaliser,
    record: Vec<u8>,
    last_index: Option<i64>,
    last_ns: i64,
    index: u64,
}

/// Opens the file in `path`.
pub(super) fn open(path: &Path) -> Result<TfrecordSource, Problem> {
    let mut file = File::open(path).map_err(Problem::read(path))?;
    let mut magic = [0; 2];
    let is_gzip = match file.read_exact(&mut magic) {
        Ok(()) => magic == GZIP,
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => false,
        Err(error) => return Err(Problem::read(path)(error)),
    };
    file.seek(SeekFrom::Start(0)).map_err(Problem::read(path))?;
    let input = BufReader::with_capacity(1 << 17, file);
    let input: Box<dyn Read> = if is_gzip {
        Box::new(BufReader::with_capacity(1 << 17, MultiGzDecoder::new(input)))
    } else {
        Box::new(input)
    };
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name = name.trim_end_matches(".gz").trim_end_matches(".tfrecord");
    let mut source = TfrecordSource {
        path: path.to_owned(),
        reader: RecordReader::new(input, RECORD_BYTES_MAX),
        metadata: normalise::blank_metadata(name, "tfrecord"),
        episode_id: None,
        normaliser: Normaliser::default(),
        record: Vec::new(),
        last_index: None,
        last_ns: i64::MIN,
        index: 0,
    };
    // The first record says whose steps these are.
    if source.read()? {
        let example = source.example()?;
        if let Some(id) = example.bytes("episode_id") {
            source.metadata.episode_id = normalise::fit_name(&String::from_utf8_lossy(id));
        }
    }
    Ok(source)
}

impl TfrecordSource {
    fn read(&mut self) -> Result<bool, Problem> {
        let read = self.reader.read(&mut self.record);
        read.map_err(|source| Problem::Framing { path: self.path.clone(), source })
    }

    fn example(&self) -> Result<Example, Problem> {
        Example::decode(self.record.as_slice())
            .map_err(|error| self.wrong(format!("expected a tf.train.Example, found {error}")))
    }

    fn wrong(&self, what: impl Into<String>) -> Problem {
        Problem::input(&self.path, format!(": record {}", self.index), what)
    }

    fn step(&mut self, example: &Example) -> Result<Step, Problem> {
        let id = example.bytes("episode_id").ok_or_else(|| self.missing("episode_id"))?;
        let id = self.text("episode_id", id)?;
        let expected = self.episode_id.get_or_insert_with(|| id.clone()).clone();
        if id != expected {
            return Err(self.wrong(format!("episode_id: expected `{expected}`, found `{id}`")));
        }
        let index = example.ints("step_index").first().copied();
        let index = index.ok_or_else(|| self.missing("step_index"))?;
        if let Some(last) = self.last_index.filter(|last| index <= *last) {
            return Err(self.wrong(format!("step_index: expected more than {last}, found {index}")));
        }
        self.last_index = Some(index);
        let reward = example.floats("reward").first().copied();
        let reward = reward.ok_or_else(|| self.missing("reward"))?;
        let is_terminal = example.ints("is_terminal").first().copied();
        let is_terminal = is_terminal.ok_or_else(|| self.missing("is_terminal"))?;
        let value = json!({
            "observation": self.json(example, "observation")?.ok_or_else(|| self.missing("observation"))?,
            "action": self.json(example, "action")?.ok_or_else(|| self.missing("action"))?,
            "is_terminal": is_terminal != 0,
            "step_metadata": self.json(example, "step_metadata")?.unwrap_or(json!({})),
        });
        let step = self.normaliser.step(self.index, value);
        let mut step = step.map_err(|what| self.wrong(what))?;
        // 0 is also what a step without a reward says.
        if reward != 0.0 && !step.step_metadata.contains_key(REWARD) {
            step.step_metadata.insert(REWARD.to_owned(), reward.to_string());
        }
        let now = step.observation.robot_state.timestamp_nanos;
        if now < self.last_ns {
            return Err(self.wrong(format!(
                "observation.robot_state.timestamp_nanos: expected at least {}, found {now}: time goes \
                 backwards",
                self.last_ns
            )));
        }
        self.last_ns = now;
        Ok(step)
    }

    fn json(&self, example: &Example, name: &str) -> Result<Option<Value>, Problem> {
        let Some(bytes) = example.bytes(name) else {
            return Ok(None);
        };
        serde_json::from_slice(bytes)
            .map(Some)
            .map_err(|error| self.wrong(format!("{name}: expected JSON, found {error}")))
    }

    fn text(&self, name: &str, bytes: &[u8]) -> Result<String, Problem> {
        String::from_utf8(bytes.to_vec())
            .map_err(|error| self.wrong(format!("{name}: expected UTF-8, found {error}")))
    }

    fn missing(&self, name: &str) -> Problem {
        self.wrong(format!("expected the feature `{name}`, found none"))
    }
}

impl Source for TfrecordSource {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn next_sample(&mut self) -> Result<Option<Sample>, Problem> {
        // The first record was read when the file was opened.
        if (self.index > 0 || self.reader.records() == 0) && !self.read()? {
            return Ok(None);
        }
        let example = self.example()?;
        let step = self.step(&example)?;
        let index = self.index;
        self.index = index.saturating_add(1);
        Ok(Some(Sample { index, step, picture: None }))
    }

    fn remarks(&self) -> Vec<(String, u64)> {
        self.normaliser.remarks()
    }
}
