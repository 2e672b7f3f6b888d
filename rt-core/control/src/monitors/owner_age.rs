//! Is the owner's last good command still young enough, by the clock?
//!
//! The machine counts the cycles since it; a loop that skips releases counts too few. This rule
//! looks at the time at which the loop received it, and at the command's own expiry. A sender's stamp
//! can make a command older, never younger.

use rt_wire::{AcceptedCommand, MonoNs};

/// Whether `accepted` has run out at `now`.
#[must_use]
pub fn has_lapsed(accepted: &AcceptedCommand, stale_ns: u64, now: MonoNs) -> bool {
    accepted.command.expires_at <= now || now.since(accepted.received_at) >= stale_ns
}
