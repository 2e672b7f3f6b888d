//! What the heartbeat says, for each thing that can happen to the recorder.

use rlds_logger::{Observed, Progress, judge};
use rt_wire::{HeartbeatFlags, MonoNs, SidecarState};

const S: u64 = 1_000_000_000;

fn progress(at: u64) -> Progress {
    Progress { looked_at: MonoNs(at), last_sequence: 42, is_whole: true, ..Progress::default() }
}

#[test]
fn recorder_that_does_its_work_is_running_and_recording() {
    let said = judge(&mut Observed::default(), &progress(10 * S), MonoNs(10 * S));
    assert_eq!(said.state, SidecarState::Running);
    assert_eq!(said.flags, HeartbeatFlags::RECORDING);
    assert_eq!((said.last_sequence_read, said.lost_records), (42, 0));
}

#[test]
fn disk_that_failed_is_degraded_for_good_and_no_longer_recording() {
    let mut observed = Observed::default();
    for at in [10, 11, 100] {
        let failed = Progress { is_whole: false, lost_disk: 5, ..progress(at * S) };
        let said = judge(&mut observed, &failed, MonoNs(at * S));
        assert_eq!(said.state, SidecarState::Degraded);
        assert_eq!(said.flags, HeartbeatFlags::LOG_DEGRADED);
        assert_eq!(said.lost_records, 5);
    }
}

#[test]
fn loss_is_told_for_a_second_and_its_count_for_good() {
    let mut observed = Observed::default();
    let lost = |at| Progress { lost_ring: 7, ..progress(at) };
    let now = judge(&mut observed, &lost(10 * S), MonoNs(10 * S));
    assert!(now.flags.has(HeartbeatFlags::LOG_DEGRADED));
    assert!(now.flags.has(HeartbeatFlags::RECORDING));
    let later = judge(&mut observed, &lost(11 * S - 1), MonoNs(11 * S - 1));
    assert_eq!(later.state, SidecarState::Degraded);
    let after = judge(&mut observed, &lost(11 * S), MonoNs(11 * S));
    assert_eq!((after.state, after.lost_records), (SidecarState::Running, 7));
}

#[test]
fn writer_that_stands_still_for_a_second_is_degraded_until_it_moves() {
    let mut observed = Observed::default();
    let stuck = judge(&mut observed, &progress(10 * S), MonoNs(11 * S));
    assert_eq!(stuck.state, SidecarState::Degraded);
    let moving = judge(&mut observed, &progress(11 * S), MonoNs(11 * S));
    assert_eq!(moving.state, SidecarState::Running);
}
