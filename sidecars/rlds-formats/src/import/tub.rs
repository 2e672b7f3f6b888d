//! Donkeycar tub, version 2: `manifest.json`, `catalog_N.catalog`, `images/`.
//!
//! *What it decides.* That each session of a tub is an episode; what was driven (the person's or the
//! pilot's wish, as `user/mode` says); and which way is left: a donkey's angle is positive to the
//! right, the contract's steering to the left. *What it must never do.* Give up a tub for one broken
//! record: it is skipped by name, and the next step says `frame_drop`.
//!
//! A tub knows wall-clock time only: that becomes the episode's clock, and a tag says so.
//!
//! Shown by: tests/formats/import.rs, tests/formats/bad_input.rs.

use super::lines::JsonLines;
use crate::blob;
use crate::normalise;
use crate::problem::Problem;
use crate::sample::{Picture, Sample, Source};
use rlds::schema::{ControlRole, MediaBundle, MediaRef, Metadata, Step};
use serde_json::{Map, Value};
use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

/// Line of `manifest.json` that names the catalogs.
const CATALOGS_LINE: u64 = 5;
/// Broken records that are told one by one.
const BROKEN_MAX: usize = 100;

/// Whether the directory is a tub.
pub(super) fn is_one(path: &Path) -> bool {
    Manifest::read(path).is_ok()
}

struct Manifest {
    catalogs: VecDeque<PathBuf>,
    deleted: BTreeSet<i64>,
}

impl Manifest {
    fn read(tub: &Path) -> Result<Self, Problem> {
        let path = tub.join("manifest.json");
        let mut lines = JsonLines::open(&path)?;
        while let Some(value) = lines.next()? {
            if lines.number() < CATALOGS_LINE {
                continue;
            }
            let names = value.get("paths").and_then(Value::as_array);
            let names =
                names.ok_or_else(|| lines.wrong("expected `paths` of catalogs, found none"))?;
            let mut catalogs = VecDeque::new();
            for name in names {
                let name = name.as_str().unwrap_or_default();
                let catalog = blob::resolve(tub, name);
                catalogs.push_back(catalog.map_err(|what| lines.wrong(format!("paths: {what}")))?);
            }
            let deleted = value.get("deleted_indexes").and_then(Value::as_array);
            let deleted = deleted.into_iter().flatten().filter_map(Value::as_i64).collect();
            return Ok(Self { catalogs, deleted });
        }
        Err(lines.wrong(format!("expected {CATALOGS_LINE} lines, found fewer")))
    }
}

/// Records of a tub, one after the other.
struct Records {
    manifest: Manifest,
    current: Option<JsonLines>,
}

/// A record, or what is wrong with it.
enum Record {
    Good(Map<String, Value>, String),
    Broken(String),
}

impl Records {
    fn open(tub: &Path) -> Result<Self, Problem> {
        Ok(Self { manifest: Manifest::read(tub)?, current: None })
    }

    fn next(&mut self) -> Result<Option<Record>, Problem> {
        loop {
            let Some(lines) = &mut self.current else {
                let Some(path) = self.manifest.catalogs.pop_front() else {
                    return Ok(None);
                };
                self.current = Some(JsonLines::open(&path)?);
                continue;
            };
            let before = lines.number();
            match lines.next() {
                Ok(None) => self.current = None,
                Ok(Some(Value::Object(record))) => {
                    let index = record.get("_index").and_then(Value::as_i64);
                    if index.is_some_and(|index| self.manifest.deleted.contains(&index)) {
                        continue;
                    }
                    let at = format!("{}:{}", lines.path().display(), lines.number());
                    return Ok(Some(Record::Good(record, at)));
                }
                Ok(Some(other)) => {
                    let what = format!("expected an object, found {}", normalise::kind(&other));
                    return Ok(Some(Record::Broken(lines.wrong(what).to_string())));
                }
                // A line that is too long is not read to its end; the rest of it would be no record.
                Err(problem) if lines.number() == before => return Err(problem),
                Err(problem) => return Ok(Some(Record::Broken(problem.to_string()))),
            }
        }
    }
}

fn session_of(record: &Map<String, Value>) -> String {
    match record.get("_session_id") {
        Some(Value::String(session)) => session.clone(),
        Some(other) => other.to_string(),
        None => "0".to_owned(),
    }
}

/// The sessions of the tub, in the order in which they were recorded.
pub(super) fn sessions(tub: &Path) -> Result<Vec<String>, Problem> {
    let mut records = Records::open(tub)?;
    let mut sessions: Vec<String> = Vec::new();
    while let Some(record) = records.next()? {
        if let Record::Good(record, _) = record {
            let session = session_of(&record);
            if !sessions.contains(&session) {
                sessions.push(session);
            }
        }
    }
    Ok(sessions)
}

/// A session that is being read.
pub(super) struct Session {
    tub: PathBuf,
    session: String,
    records: Records,
    metadata: Metadata,
    index: u64,
    last_ms: i64,
    dropped: bool,
    broken: Vec<String>,
    broken_count: u64,
}

impl Session {
    pub(super) fn open(tub: &Path, session: &str) -> Result<Self, Problem> {
        let tub_name = crate::canonical::real(tub);
        let tub_name = tub_name.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = format!("{}_{session}", tub_name.unwrap_or_default());
        let mut metadata = normalise::blank_metadata(&name, "donkeycar-tub-v2");
        metadata.control_role = ControlRole::HumanTeleop;
        metadata.robot_model = "donkeycar".to_owned();
        metadata.tags.push(format!("imported.session:{session}"));
        metadata.tags.push("imported.clock:wall".to_owned());
        Ok(Self {
            tub: tub.to_owned(),
            session: session.to_owned(),
            records: Records::open(tub)?,
            metadata,
            index: 0,
            last_ms: i64::MIN,
            dropped: false,
            broken: Vec::new(),
            broken_count: 0,
        })
    }

    fn skip(&mut self, what: String) {
        self.dropped = true;
        self.broken_count = self.broken_count.saturating_add(1);
        if self.broken.len() < BROKEN_MAX {
            self.broken.push(what);
        }
    }

    fn sample(&mut self, record: &Map<String, Value>) -> Result<Sample, String> {
        let ms = record
            .get("_timestamp_ms")
            .and_then(Value::as_i64)
            .ok_or("_timestamp_ms: expected a whole number, found none")?;
        if ms < self.last_ms {
            return Err(format!(
                "_timestamp_ms: expected at least {}, found {ms}: time goes backwards",
                self.last_ms
            ));
        }
        let [steering, throttle] = driven(record)?;
        let picture = match record.get("cam/image_array").and_then(Value::as_str) {
            Some(name) => {
                let jpeg = blob::read(&self.tub, &format!("images/{name}"));
                let picture = jpeg.and_then(Picture::new);
                Some(picture.map_err(|what| format!("cam/image_array: {what}"))?)
            }
            None => None,
        };
        let mut step = normalise::blank_step();
        let frame_id = format!("record-{}", record.get("_index").unwrap_or(&Value::Null));
        let timestamp_ns = ms.saturating_mul(1_000_000);
        let observation = &mut step.observation;
        observation.robot_state.timestamp_nanos = timestamp_ns;
        observation.robot_state.wall_time_millis = ms;
        observation.robot_state.joint_positions = vec![steering];
        observation.glove.timestamp_nanos = timestamp_ns;
        observation.robot_state.frame_id.clone_from(&frame_id);
        observation.depth_frame_id.clone_from(&frame_id);
        if picture.is_some() {
            let rgb = MediaRef { frame_id: frame_id.clone(), timestamp_ns, ..MediaRef::default() };
            observation.media = Some(MediaBundle { rgb: Some(rgb), ..MediaBundle::default() });
        }
        observation.video_frame_id = frame_id;
        step.action.command = vec![steering, throttle];
        "human_teleop_xr".clone_into(&mut step.action.source);
        self.rest(record, &mut step);
        self.last_ms = ms;
        let index = self.index;
        self.index = index.saturating_add(1);
        Ok(Sample { index, step, picture })
    }

    /// Everything else of a record, as text.
    fn rest(&mut self, record: &Map<String, Value>, step: &mut Step) {
        let taken = ["_timestamp_ms", "cam/image_array", "_session_id"];
        for (key, value) in record.iter().filter(|(key, _)| !taken.contains(&key.as_str())) {
            let text = match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            step.step_metadata.insert(key.clone(), text);
        }
        let mode = mode(record);
        if mode != "user" {
            "human_supervisor".clone_into(&mut step.action.source);
        }
        if std::mem::take(&mut self.dropped) {
            step.step_metadata.insert("frame_drop".to_owned(), "true".to_owned());
        }
        if self.index == 0 {
            self.metadata.start_time_unix_ms = step.observation.robot_state.wall_time_millis;
            if mode != "user" {
                self.metadata.control_role = ControlRole::HumanSupervisor;
            }
        }
    }
}

fn mode(record: &Map<String, Value>) -> &str {
    record.get("user/mode").and_then(Value::as_str).unwrap_or("user")
}

/// Steering (positive left) and throttle that the car got.
fn driven(record: &Map<String, Value>) -> Result<[f32; 2], String> {
    let (angle, throttle) = match mode(record) {
        "local" | "pilot" => ("pilot/angle", "pilot/throttle"),
        "local_angle" => ("pilot/angle", "user/throttle"),
        _ => ("user/angle", "user/throttle"),
    };
    let number = |key: &str, fallback: &str| {
        let value = record.get(key).or_else(|| record.get(fallback));
        #[expect(clippy::cast_possible_truncation, reason = "the contract's numbers are floats")]
        let number = value.and_then(Value::as_f64).map(|number| number as f32);
        number.filter(|number| number.is_finite()).ok_or_else(|| {
            format!("{key}: expected a number, found {}", value.unwrap_or(&Value::Null))
        })
    };
    // 0 minus it, so that straight ahead has no sign.
    Ok([0.0 - number(angle, "user/angle")?, number(throttle, "user/throttle")?])
}

impl Source for Session {
    fn name(&self) -> String {
        format!("{} session {}", self.tub.display(), self.session)
    }

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn next_sample(&mut self) -> Result<Option<Sample>, Problem> {
        while let Some(record) = self.records.next()? {
            match record {
                Record::Broken(what) => self.skip(what),
                Record::Good(record, _) if session_of(&record) != self.session => {}
                Record::Good(record, at) => match self.sample(&record) {
                    Ok(sample) => return Ok(Some(sample)),
                    Err(what) => self.skip(format!("{at}: {what}")),
                },
            }
        }
        Ok(None)
    }

    fn broken(&self) -> Vec<String> {
        let mut broken = self.broken.clone();
        let untold = self.broken_count.saturating_sub(broken.len() as u64);
        if untold > 0 {
            broken.push(format!("{}: {untold} more broken records", self.tub.display()));
        }
        broken
    }
}
