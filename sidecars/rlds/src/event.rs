//! What happened in a drive, in words: mode, authority, causes, and how the recording ended.
//!
//! It decides which changes are events; everything in them stands in the telemetry too, but for the
//! end. Shown by: tests/recording.rs, tests/episode.rs.

use rt_wire::{FaultSet, Mode, Raw, RawEnum, Source, Telemetry};
use serde::{Deserialize, Serialize};

use crate::note::Closing;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// The mode changed: arming and every stop among it.
    Mode {
        /// Cycle in which it did.
        cycle_index: u64,
        /// Before; the first record tells of `none`.
        from: String,
        /// From this cycle on.
        to: String,
    },
    /// Somebody else drives.
    Authority {
        /// Cycle in which it changed.
        cycle_index: u64,
        /// Before.
        from: String,
        /// From this cycle on.
        to: String,
    },
    /// Causes to stop, or not to move, that were not there in the cycle before.
    Causes {
        /// Cycle in which they appeared.
        cycle_index: u64,
        /// Their names.
        causes: Vec<String>,
    },
    /// The recording ended, and so.
    Closed {
        /// How.
        closing: Closing,
        /// Why, as in `episode.json`.
        reason: String,
    },
}

/// Finds events in telemetry as it goes by.
#[derive(Clone, Copy, Default)]
pub(crate) struct Events {
    last: Option<(Raw<Mode>, Raw<Source>, FaultSet)>,
}

impl Events {
    /// Hands over what `record` changes.
    pub(crate) fn push(&mut self, record: &Telemetry, mut emit: impl FnMut(&Event)) {
        let outcome = &record.outcome;
        let now = (outcome.mode, outcome.owner, outcome.causes);
        let before = self.last.replace(now);
        let cycle_index = record.cycle_index;
        let before_mode = before.map_or_else(|| "none".to_owned(), |(mode, ..)| name_of(mode));
        if before.is_none_or(|(mode, ..)| mode != now.0) {
            emit(&Event::Mode { cycle_index, from: before_mode, to: name_of(now.0) });
        }
        let before_owner = before.map_or_else(|| "none".to_owned(), |(_, owner, _)| name_of(owner));
        if name_of(now.1) != before_owner {
            emit(&Event::Authority { cycle_index, from: before_owner, to: name_of(now.1) });
        }
        let known = before.map_or(0, |(.., causes)| causes.0);
        let new = FaultSet(now.2.0 & !known);
        if new.0 != 0 {
            let causes = new.faults().map(|fault| fault.name().to_owned()).collect();
            emit(&Event::Causes { cycle_index, causes });
        }
    }
}

/// The name of a raw value; of an unknown one, what it is.
pub(crate) fn name_of<E: RawEnum + std::fmt::Debug + std::fmt::Display>(raw: Raw<E>) -> String {
    raw.get().map_or_else(|| format!("{raw:?}"), |value| value.to_string())
}
