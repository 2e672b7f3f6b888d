//! One line a message, as text or as JSON; and every loss where it happened.

use crate::exit::{Exit, Failure};
use crate::output::print_line;
use loop_log::{Level, Message, MessageTable};
use nix::time::{ClockId, clock_gettime};
use rlds::About;
use rt_wire::{LogFrame, MonoNs};
use serde_json::json;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Wall-clock time of an instant of the loop.
pub(super) enum Clock {
    /// As the recording says.
    Of(About),
    /// Wall clock at monotonic time 0, as this machine says now.
    Since(Duration),
}

impl Clock {
    /// This machine's: for a loop that runs on it.
    pub(super) fn now() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // It fails only for a clock that does not exist.
        let mono = clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default();
        Self::Since(wall.saturating_sub(mono))
    }

    fn utc(&self, at: MonoNs) -> String {
        let since_1970 = match self {
            Self::Of(about) => {
                Duration::from_millis(u64::try_from(about.unix_ms_at(at)).unwrap_or(0))
            }
            Self::Since(wall_at_zero) => *wall_at_zero + Duration::from_nanos(at.0),
        };
        humantime::format_rfc3339_millis(UNIX_EPOCH + since_1970).to_string()
    }
}

/// Prints what it is given, in its order.
pub(super) struct Printer<'a> {
    table: &'a MessageTable,
    least: Level,
    json: bool,
    clock: Clock,
    /// As the frames so far told.
    lost: u64,
    /// Other threads' frames: counted from the first that is seen, for they outlive no process.
    refused: u64,
    unreadable: u64,
}

impl<'a> Printer<'a> {
    pub(super) fn new(table: &'a MessageTable, least: Level, json: bool, clock: Clock) -> Self {
        Self { table, least, json, clock, lost: 0, refused: 0, unreadable: 0 }
    }

    /// One record: first what is missing before it, then its message.
    pub(super) fn frame(&mut self, frame: &LogFrame) -> Result<(), Failure> {
        if frame.lost > self.lost {
            let lost = frame.lost - self.lost;
            self.lost = frame.lost;
            self.missing(lost, "did not fit in the loop's queue")?;
        }
        if frame.refused > self.refused {
            let refused = frame.refused - self.refused;
            self.refused = frame.refused;
            self.missing(refused, "came from a thread that has no log")?;
        }
        let message = match self.table.message(frame) {
            Ok(Some(message)) => message,
            Ok(None) => return Ok(()),
            Err(why) => {
                self.unreadable += 1;
                return self.unreadable(frame, &why);
            }
        };
        if message.level.is_some_and(|level| level < self.least) {
            return Ok(());
        }
        let utc = self.clock.utc(frame.mono_ns);
        if self.json {
            print_line(as_json(frame, &message, &utc))
        } else {
            print_line(as_text(frame, &message, &utc))
        }
    }

    /// Records that the ring overwrote before anybody read them.
    pub(super) fn overwritten(&mut self, lost: u64) -> Result<(), Failure> {
        self.missing(lost, "were overwritten before they were read")
    }

    /// Yes only if every message could be read.
    pub(super) fn verdict(&self) -> Exit {
        if self.unreadable == 0 { Exit::Ok } else { Exit::No }
    }

    fn missing(&self, lost: u64, why: &str) -> Result<(), Failure> {
        if self.json {
            print_line(json!({ "lost": lost, "why": why }))
        } else {
            print_line(format_args!("— {lost} messages lost: they {why}"))
        }
    }

    fn unreadable(&self, frame: &LogFrame, why: &str) -> Result<(), Failure> {
        if self.json {
            print_line(json!({
                "sequence": frame.sequence,
                "cycle_index": frame.cycle_index,
                "unreadable": why,
            }))
        } else {
            print_line(format_args!("— message {} cannot be read: {why}", frame.sequence))
        }
    }
}

fn as_text(frame: &LogFrame, message: &Message, utc: &str) -> String {
    let level = message.level.map_or("-", Level::name);
    let cycle = frame.cycle_index;
    let place = message.place.as_ref().map_or_else(String::new, |place| format!("  ({place})"));
    format!("{utc} #{cycle} {level:<5} {}{place}", message.text)
}

fn as_json(frame: &LogFrame, message: &Message, utc: &str) -> serde_json::Value {
    let place = message.place.as_ref();
    json!({
        "sequence": frame.sequence,
        "cycle_index": frame.cycle_index,
        "mono_ns": frame.mono_ns.0,
        "utc": utc,
        "level": message.level.map(Level::name),
        "message": message.text,
        "file": place.map(|place| place.file.as_str()),
        "line": place.map(|place| place.line),
        "module": place.map(|place| place.module.as_str()),
    })
}

#[cfg(test)]
mod tests {
    use super::{as_json, as_text};
    use loop_log::{Level, Message, Place};
    use rt_wire::{LogFrame, MonoNs};

    const UTC: &str = "2026-11-28T01:02:03.004Z";

    fn frame() -> LogFrame {
        LogFrame { sequence: 7, cycle_index: 12_345, mono_ns: MonoNs(5), ..LogFrame::default() }
    }

    #[test]
    fn a_message_is_one_line_with_its_time_cycle_level_and_place() {
        let place = Place { file: "rt-core/x.rs".to_owned(), line: 3, module: "x".to_owned() };
        let text = "mode Active -> SafeStop".to_owned();
        let mut message = Message { level: Some(Level::Warn), text, place: Some(place) };
        assert_eq!(
            as_text(&frame(), &message, UTC),
            "2026-11-28T01:02:03.004Z #12345 warn  mode Active -> SafeStop  (rt-core/x.rs:3)"
        );
        assert_eq!(as_json(&frame(), &message, UTC)["line"], 3);
        message.place = None;
        assert!(as_text(&frame(), &message, UTC).ends_with("SafeStop"));
        assert!(as_json(&frame(), &message, UTC)["file"].is_null());
    }
}
