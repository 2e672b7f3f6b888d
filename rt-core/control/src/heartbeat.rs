//! Heartbeats: is each sidecar still speaking, and what follows if it is not.
//!
//! Every sidecar writes a counter to its heartbeat slot. A counter that has not moved for
//! `heartbeat_late_ns` is *late*: its commands are ignored. After `heartbeat_lost_ns` it is *lost*: if
//! the sidecar is required, the car stops. A late heartbeat never trips the e-stop latch. This module
//! never reads a clock; `now` comes in. Shown by: `tests/control/kernel.rs`.

use rt_wire::{
    Fault, FaultSet, HEARTBEAT_SOURCES, Heartbeat, HeartbeatFlags, Limits, LimitsFlags, Monitors,
    MonoNs, Sign, topics,
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

/// What follows from sidecars that must be there and are not: lost, or never heard.
///
/// The camera has a cause of its own. It must be there if it is required, or if it once was heard
/// and `policy_owns`: a policy that needs no camera is never kept from driving by the lack of one.
pub(crate) fn causes(
    signs: &[Sign; HEARTBEAT_SOURCES.len()],
    policy_owns: bool,
    limits: &Limits,
) -> FaultSet {
    let mut causes = FaultSet::EMPTY;
    for ((sign, name), bit) in signs.iter().zip(HEARTBEAT_SOURCES).zip(0_u32..) {
        let required = limits.heartbeats_required.wrapping_shr(bit) & 1 != 0;
        let gone = required && matches!(sign, Sign::Lost | Sign::Never);
        if name == topics::CAMERA {
            let needed = policy_owns && *sign == Sign::Lost;
            causes = causes.and(Fault::CameraLost, gone || needed);
        } else {
            causes = causes.and(Fault::HeartbeatLost, gone);
        }
    }
    causes
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
