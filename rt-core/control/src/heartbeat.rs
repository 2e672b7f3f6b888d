//! Heartbeats: is each sidecar still speaking, and what follows if it is not.
//!
//! Every sidecar writes a counter to its heartbeat slot. A counter that has not moved for
//! `heartbeat_late_ns` is *late*: its commands are ignored. After `heartbeat_lost_ns` it is *lost*: if
//! the sidecar is required, the car stops. A late heartbeat never trips the e-stop latch. This module
//! never reads a clock; `now` comes in. Shown by: `tests/control/kernel.rs`.

use rt_wire::{
    HEARTBEAT_SOURCES, Heartbeat, HeartbeatFlags, Limits, LimitsFlags, Monitors, MonoNs, Sign,
    topics,
};

/// Judges every heartbeat, in the order of [`HEARTBEAT_SOURCES`].
pub(crate) fn judge(
    monitors: &mut Monitors,
    heartbeats: &[Heartbeat; HEARTBEAT_SOURCES.len()],
    now: MonoNs,
    limits: &Limits,
) -> [Sign; HEARTBEAT_SOURCES.len()] {
    let mut signs = [Sign::Never; HEARTBEAT_SOURCES.len()];
    let memory = monitors.heartbeat_moved_at.iter_mut().zip(&mut monitors.heartbeat_sequence);
    for ((sign, heartbeat), (moved_at, sequence)) in signs.iter_mut().zip(heartbeats).zip(memory) {
        // A sidecar that restarts counts anew, so any change is a sign of life.
        if heartbeat.sequence != *sequence {
            *sequence = heartbeat.sequence;
            *moved_at = now;
        }
        let silent_ns = now.since(*moved_at);
        *sign = if *moved_at == MonoNs(0) {
            Sign::Never
        } else if silent_ns >= limits.heartbeat_lost_ns {
            Sign::Lost
        } else if silent_ns >= limits.heartbeat_late_ns {
            Sign::Late
        } else {
            Sign::OnTime
        };
    }
    signs
}

/// Whether a sidecar that must be there is not: lost, or never heard.
pub(crate) fn required_lost(signs: &[Sign; HEARTBEAT_SOURCES.len()], limits: &Limits) -> bool {
    signs.iter().zip(0_u32..).any(|(sign, bit)| {
        let required = limits.heartbeats_required.wrapping_shr(bit) & 1 != 0;
        required && matches!(sign, Sign::Lost | Sign::Never)
    })
}

/// Whether a log is required and nothing records: the logger is silent, has no episode open, or says
/// that it loses records.
pub(crate) fn log_missing(
    signs: &[Sign; HEARTBEAT_SOURCES.len()],
    heartbeats: &[Heartbeat; HEARTBEAT_SOURCES.len()],
    limits: &Limits,
) -> bool {
    let records =
        HEARTBEAT_SOURCES.iter().zip(signs).zip(heartbeats).any(|((name, sign), heartbeat)| {
            *name == topics::RLDS_LOGGER
                && *sign == Sign::OnTime
                && heartbeat.flags.has(HeartbeatFlags::RECORDING)
                && !heartbeat.flags.has(HeartbeatFlags::LOG_DEGRADED)
        });
    limits.flags.has(LimitsFlags::REQUIRE_LOG) && !records
}
