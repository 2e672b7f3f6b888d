//! Everything that follows from a recording: steps, counts, how it ended.
//!
//! *What it decides.* What was lost: what the recorder said, and what is missing without a word.
//! *What it must never do.* Look at any file but the recording's records.

use rt_wire::{KernelState, LogFrame, MonoNs, Record, Source, Telemetry};

use crate::about::About;
use crate::channels::{EVENT_ID, FRAME_ID, KEYFRAME_ID, LOG_ID, LOSS_ID, TELEMETRY_ID};
use crate::container::{chunk, op, take};
use crate::episode::{Tally, append_line, loss_topics};
use crate::event::Event;
use crate::frame::Frame;
use crate::note::Closing;
use crate::recording::{Counts, Loss};
use crate::steps::{Steps, StepsError};

/// What follows from the records so far.
pub(crate) struct Derived {
    topics: [String; 4],
    steps: Steps,
    pub(crate) tally: Tally,
    pub(crate) stored: Counts,
    pub(crate) steps_count: u64,
    /// Told by the recorder before it closed the file.
    pub(crate) closed: Option<(Closing, String)>,
    /// Losses that were told and whose next record has not come yet.
    told: u64,
    /// Steps that are sure, until somebody takes them.
    pub(crate) lines: Vec<u8>,
}

impl Derived {
    pub(crate) fn new(about: &About) -> Result<Self, StepsError> {
        Ok(Self {
            topics: loss_topics(&about.robot),
            steps: Steps::new(about.clone())?,
            tally: Tally::default(),
            stored: Counts::default(),
            steps_count: 0,
            closed: None,
            told: 0,
            lines: Vec::new(),
        })
    }

    /// Takes the records of one chunk.
    ///
    /// # Errors
    /// What makes no sense in it, although its CRC is right.
    pub(crate) fn chunk(&mut self, plain: &[u8]) -> Result<(), String> {
        for record in chunk::records(plain) {
            let (opcode, at) = record?;
            if opcode == op::MESSAGE {
                self.message(&take::message(&plain[at]).ok_or("a message that is none")?)?;
            }
        }
        Ok(())
    }

    fn message(&mut self, message: &take::Message<'_>) -> Result<(), String> {
        match message.channel {
            TELEMETRY_ID => self.telemetry(&whole(message.data)?),
            KEYFRAME_ID => {
                whole::<KernelState>(message.data)?;
                self.stored.keyframes += 1;
            }
            LOG_ID => {
                let frame: LogFrame = whole(message.data)?;
                self.stored.log_frames += 1;
                self.tally.log_lost_by_loop = self.tally.log_lost_by_loop.max(frame.lost);
            }
            LOSS_ID => self.loss(&json(message.data)?),
            EVENT_ID => {
                self.stored.events += 1;
                if let Event::Closed { closing, reason } = json(message.data)? {
                    self.closed = Some((closing, reason));
                }
            }
            FRAME_ID => {
                let at = MonoNs(message.at_ns);
                let frame = Frame::decode(message.sequence, at, message.data)?;
                self.stored.frames += 1;
                let (lines, count) = (&mut self.lines, &mut self.steps_count);
                self.steps.frame(&(&frame).into(), |step| append_line(lines, count, step));
            }
            _ => {}
        }
        Ok(())
    }

    fn telemetry(&mut self, record: &Telemetry) {
        self.stored.telemetry += 1;
        if record.outcome.owner.get() == Some(Source::Teleop) {
            self.tally.teleop_cycles += 1;
        }
        let told = std::mem::take(&mut self.told);
        let next = self.tally.last_sequence.saturating_add(1);
        let missing = match self.stored.telemetry {
            // Nobody knows what came before the first.
            1 => told,
            _ => record.sequence.saturating_sub(next),
        };
        self.steps.lost(missing.max(told));
        self.tally.telemetry_lapped = self.tally.telemetry_lapped.saturating_add(told);
        let missing = missing.saturating_sub(told);
        let not_taken = &mut self.tally.not_taken.telemetry;
        *not_taken = not_taken.saturating_add(missing);
        self.tally.seen(record.sequence, record.mono_ns);
        let (lines, count) = (&mut self.lines, &mut self.steps_count);
        self.steps.push(record, |step| append_line(lines, count, step));
    }

    fn loss(&mut self, loss: &Loss) {
        self.stored.losses += 1;
        let [telemetry, keyframes, log, frames] = &self.topics;
        let tally = &mut self.tally;
        let count = if loss.topic == *telemetry {
            &mut self.told
        } else if loss.topic == *keyframes {
            &mut tally.keyframes_lapped
        } else if loss.topic == *log {
            &mut tally.log_lapped
        } else if loss.topic == *frames {
            &mut tally.frames_lost
        } else {
            return;
        };
        *count = count.saturating_add(loss.lost);
    }

    /// The last step, and the end of the counts.
    pub(crate) fn finish(&mut self, closing: Closing) {
        // A loss at the very end has no record after it.
        let told = std::mem::take(&mut self.told);
        self.tally.telemetry_lapped = self.tally.telemetry_lapped.saturating_add(told);
        let (lines, count) = (&mut self.lines, &mut self.steps_count);
        self.steps.finish(closing.is_terminal(), |step| append_line(lines, count, step));
        self.tally.steps_skipped = self.steps.skipped();
    }
}

fn json<'a, T: serde::Deserialize<'a>>(data: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(data).map_err(|error| error.to_string())
}

fn whole<T: Record>(data: &[u8]) -> Result<T, String> {
    T::read_from_bytes(data).map_err(|_error| {
        format!("a {} of {} bytes, expected {}", T::NAME, data.len(), size_of::<T>())
    })
}
