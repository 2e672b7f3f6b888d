//! One pass over a recording: counts, losses, modes, causes, who drove, pictures.
//!
//! *What it decides.* What is missing: what the recorder said, and the gaps in the records' own
//! sequence, whichever is more. *What it must never do.* Hold more than a chunk, a few pictures, and
//! lists whose lengths have a limit; stop being useful because the recording is torn. Tests:
//! tests/rlds_look.rs.

use super::strip::{Shot, Strip};
use crate::exit::Failure;
use crate::recorded::{notes_of, refused};
use rlds::{About, Closing, Entry, Event, Loss, RecordingReader, Sizes};
use rt_wire::topics::{KEYFRAME, LOG, TELEMETRY};
use rt_wire::{Fault, FaultSet, Mode, MonoNs, Raw, RawEnum, Source, Telemetry};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::{Debug, Display};
use std::path::Path;

/// Changes that are told one by one; more are counted.
const CHANGES_MAX: usize = 100;
/// Places of losses that are told one by one.
const PLACES_MAX: usize = 20;

/// What is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Missing {
    /// Telemetry records: told by the recorder, or missing in their sequence.
    pub(super) telemetry: u64,
    /// Of these, told by the recorder: the ring was lapped.
    pub(super) telemetry_lapped: u64,
    pub(super) keyframes: u64,
    pub(super) log_frames: u64,
    pub(super) frames: u64,
}

impl Missing {
    pub(super) fn total(&self) -> u64 {
        [self.telemetry, self.keyframes, self.log_frames, self.frames]
            .into_iter()
            .fold(0, u64::saturating_add)
    }
}

/// Where something is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Place {
    /// Since the first record.
    pub(super) at_ns: u64,
    pub(super) what: String,
    pub(super) lost: u64,
}

/// A change of mode or authority.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Change {
    /// Since the first record.
    pub(super) at_ns: u64,
    pub(super) cycle_index: u64,
    pub(super) to: String,
}

/// A cause that was there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Cause {
    pub(super) name: &'static str,
    /// First seen, since the first record.
    pub(super) first_ns: u64,
    /// Last seen.
    pub(super) last_ns: u64,
    /// In so many cycles.
    pub(super) cycles: u64,
}

/// Pictures of the camera.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Frames {
    pub(super) count: u64,
    pub(super) bytes: u64,
    pub(super) bytes_min: u64,
    pub(super) bytes_max: u64,
    pub(super) width: u32,
    pub(super) height: u32,
    /// From the first to the last.
    pub(super) span_ns: u64,
}

/// What a recording holds.
#[derive(Debug, Default)]
pub(super) struct Survey {
    pub(super) about: About,
    pub(super) telemetry: u64,
    pub(super) keyframes: u64,
    pub(super) log_frames: u64,
    pub(super) first_at: Option<MonoNs>,
    pub(super) last_at: MonoNs,
    pub(super) missing: Missing,
    pub(super) places: Vec<Place>,
    pub(super) modes: Vec<Change>,
    pub(super) authorities: Vec<Change>,
    /// Changes beyond those that are listed.
    pub(super) more_changes: u64,
    pub(super) mode_cycles: BTreeMap<String, u64>,
    pub(super) authority_cycles: BTreeMap<String, u64>,
    pub(super) causes: Vec<Cause>,
    pub(super) frames: Frames,
    pub(super) shots: Vec<Shot>,
    pub(super) closed: Option<Closing>,
    pub(super) sizes: Sizes,
    pub(super) bytes_read: u64,
    /// What is wrong with the file, in sentences.
    pub(super) notes: Vec<String>,
}

impl Survey {
    /// Reads the recording to its end, or as far as it makes sense. Keeps `shots` pictures.
    ///
    /// # Errors
    /// It is no recording, or another build's.
    pub(super) fn of(recording: &Path, shots: usize) -> Result<Self, Failure> {
        Self::with(recording, Strip::new(shots, SHOT_BYTES_MAX), |_| {})
    }

    /// The same, and hands each entry to `also`.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub(super) fn with(
        recording: &Path,
        strip: Strip,
        mut also: impl FnMut(&Entry),
    ) -> Result<Self, Failure> {
        let mut reader = RecordingReader::open(recording).map_err(refused)?;
        let mut pass = Pass::new(reader.about().clone(), strip);
        loop {
            match reader.next_entry() {
                Ok(Some(entry)) => {
                    also(&entry);
                    pass.entry(entry);
                }
                Ok(None) => break,
                Err(error) => {
                    pass.survey.notes.push(format!("{error}; what follows was not read"));
                    break;
                }
            }
        }
        let mut survey = pass.finish();
        survey.sizes = reader.sizes().clone();
        survey.bytes_read = reader.bytes_read();
        survey.notes.extend(notes_of(&reader));
        Ok(survey)
    }

    /// From the first to the last telemetry record.
    pub(super) fn span_ns(&self) -> u64 {
        self.first_at.map_or(0, |first| self.last_at.since(first))
    }
}

struct Pass {
    survey: Survey,
    strip: Strip,
    topics: [String; 3],
    last_sequence: u64,
    /// Told, and its next record has not come yet.
    told: u64,
    log_lost_by_loop: u64,
    mode: Option<Raw<Mode>>,
    owner: Option<Raw<Source>>,
    first_frame_at: Option<MonoNs>,
    cause_places: [Option<usize>; 64],
}

impl Pass {
    fn new(about: About, strip: Strip) -> Self {
        let name = |topic: &rt_wire::topics::Topic| {
            let mut name = String::new();
            // Writing to a String does not fail.
            topic.write_name(&about.robot, &mut name).ok();
            name
        };
        let topics = [name(&TELEMETRY), name(&KEYFRAME), name(&LOG)];
        Self {
            survey: Survey { about, ..Survey::default() },
            strip,
            topics,
            last_sequence: 0,
            told: 0,
            log_lost_by_loop: 0,
            mode: None,
            owner: None,
            first_frame_at: None,
            cause_places: [None; 64],
        }
    }

    fn entry(&mut self, entry: Entry) {
        match entry {
            Entry::Telemetry(record) => self.telemetry(&record),
            Entry::Keyframe(_) => self.survey.keyframes += 1,
            Entry::Log(frame) => {
                self.survey.log_frames += 1;
                self.log_lost_by_loop = self.log_lost_by_loop.max(frame.lost);
            }
            Entry::Loss(loss) => self.loss(&loss),
            Entry::Event(Event::Closed { closing, .. }) => self.survey.closed = Some(closing),
            // The telemetry says the same, and all of it.
            Entry::Event(Event::Mode { .. } | Event::Authority { .. } | Event::Causes { .. }) => {}
            Entry::Frame(frame) => {
                let frames = &mut self.survey.frames;
                let bytes = frame.jpeg.len() as u64;
                frames.bytes_min =
                    if frames.count == 0 { bytes } else { frames.bytes_min.min(bytes) };
                frames.bytes_max = frames.bytes_max.max(bytes);
                frames.bytes += bytes;
                frames.count += 1;
                (frames.width, frames.height) = (frame.width, frame.height);
                let first = *self.first_frame_at.get_or_insert(frame.mono_ns);
                frames.span_ns = frames.span_ns.max(frame.mono_ns.since(first));
                self.strip.push(frame);
            }
        }
    }

    fn telemetry(&mut self, record: &Telemetry) {
        let first = *self.survey.first_at.get_or_insert(record.mono_ns);
        let at_ns = record.mono_ns.since(first);
        let told = std::mem::take(&mut self.told);
        let gap = match self.survey.telemetry {
            // Nobody knows what came before the first.
            0 => 0,
            _ => record.sequence.saturating_sub(self.last_sequence.saturating_add(1)),
        };
        self.missing_before(at_ns, told, gap);
        let survey = &mut self.survey;
        survey.telemetry += 1;
        survey.last_at = record.mono_ns;
        self.last_sequence = record.sequence;
        let outcome = &record.outcome;
        let cycle_index = record.cycle_index;
        count(&mut survey.mode_cycles, outcome.mode, &mut self.mode, |to| {
            survey.more_changes += noted(&mut survey.modes, Change { at_ns, cycle_index, to });
        });
        count(&mut survey.authority_cycles, outcome.owner, &mut self.owner, |to| {
            survey.more_changes +=
                noted(&mut survey.authorities, Change { at_ns, cycle_index, to });
        });
        self.causes(outcome.causes, at_ns);
    }

    fn causes(&mut self, causes: FaultSet, at_ns: u64) {
        for fault in causes.faults() {
            let name = Fault::name(fault);
            let Some(place) = self.cause_places.get_mut(fault as usize) else { continue };
            let causes = &mut self.survey.causes;
            let index = *place.get_or_insert_with(|| {
                causes.push(Cause { name, first_ns: at_ns, last_ns: at_ns, cycles: 0 });
                causes.len() - 1
            });
            if let Some(cause) = causes.get_mut(index) {
                cause.last_ns = at_ns;
                cause.cycles += 1;
            }
        }
    }

    /// Of a gap the recorder told, or did not: then a chunk between is missing.
    fn missing_before(&mut self, at_ns: u64, told: u64, gap: u64) {
        let missing = &mut self.survey.missing;
        missing.telemetry += told.max(gap);
        missing.telemetry_lapped += told;
        if gap > told {
            let what = "telemetry that is missing in the recording".to_owned();
            self.place(Place { at_ns, what, lost: gap - told });
        }
    }

    fn loss(&mut self, loss: &Loss) {
        let at_ns = self.survey.span_ns();
        let [telemetry, keyframes, log] = &self.topics;
        let missing = &mut self.survey.missing;
        if loss.topic == *telemetry {
            self.told += loss.lost;
        } else if loss.topic == *keyframes {
            missing.keyframes += loss.lost;
        } else if loss.topic == *log {
            missing.log_frames += loss.lost;
        } else {
            missing.frames += loss.lost;
        }
        self.place(Place { at_ns, what: loss.topic.clone(), lost: loss.lost });
    }

    fn place(&mut self, place: Place) {
        if self.survey.places.len() < PLACES_MAX {
            self.survey.places.push(place);
        }
    }

    fn finish(mut self) -> Survey {
        // A loss at the very end has no record after it.
        let told = std::mem::take(&mut self.told);
        self.survey.missing.telemetry += told;
        self.survey.missing.telemetry_lapped += told;
        self.survey.missing.log_frames += self.log_lost_by_loop;
        self.survey.shots = self.strip.finish();
        self.survey
    }
}

/// Of all pictures that are kept to be shown.
const SHOT_BYTES_MAX: usize = 8 << 20;

/// Counts a cycle of this value, and tells a new one.
fn count<E: RawEnum + Debug + Display>(
    cycles: &mut BTreeMap<String, u64>,
    now: Raw<E>,
    before: &mut Option<Raw<E>>,
    tell: impl FnOnce(String),
) where
    Raw<E>: Copy + PartialEq,
{
    let name = now.get().map_or_else(|| format!("{now:?}"), |value| value.to_string());
    if *before != Some(now) {
        tell(name.clone());
        *before = Some(now);
    }
    *cycles.entry(name).or_default() += 1;
}

/// 1 if there is no room for it.
fn noted(changes: &mut Vec<Change>, change: Change) -> u64 {
    let is_full = changes.len() >= CHANGES_MAX;
    if !is_full {
        changes.push(change);
    }
    u64::from(is_full)
}
