//! Whose the person's terminal is during a run: the driver's, the run's own screen's, or nobody's.
//!
//! Decides by what was asked: a person who drives needs it in `teleop`; otherwise its keys serve the
//! run's screen. Never with `--json`, and never where standard input is no terminal. Whoever had it,
//! it is given back as it was found, even if the one who had it was killed.

use crate::sim::keys::RunKeys;
use crate::sim::plan::Plan;
use crate::sim::process::Hands;
use std::io::{IsTerminal, stderr};
use terminal::Found;

/// The terminal of one run; dropped, it is as it was found.
#[derive(Debug)]
pub enum Terminal {
    /// The one who drives has it.
    Drivers(Found),
    /// Its keys are the run's.
    Ours(RunKeys),
    /// There is none, or nobody asked for it.
    Nobodys,
}

impl Terminal {
    /// Whose it is in this run.
    #[must_use]
    pub fn of(plan: &Plan, json: bool) -> Self {
        if json {
            return Self::Nobodys;
        }
        if plan.person_drives() {
            return Found::remember().map_or(Self::Nobodys, Self::Drivers);
        }
        // Without the moving line there is no screen that could name the keys.
        let keys = if stderr().is_terminal() { RunKeys::take(&plan.run_dir) } else { None };
        keys.map_or(Self::Nobodys, Self::Ours)
    }

    /// Whether the driver is given it.
    #[must_use]
    pub fn hands(&self) -> Hands {
        match self {
            Self::Drivers(_) => Hands::OnTheTerminal,
            Self::Ours(_) | Self::Nobodys => Hands::Off,
        }
    }

    /// The driver was killed: it has given nothing back.
    pub fn driver_was_killed(&mut self) {
        if let Self::Drivers(found) = self {
            found.taker_was_killed();
        }
    }

    /// The keys, if they are the run's.
    #[must_use]
    pub fn keys(&self) -> Option<&RunKeys> {
        match self {
            Self::Ours(keys) => Some(keys),
            Self::Drivers(_) | Self::Nobodys => None,
        }
    }
}
