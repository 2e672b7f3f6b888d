//! A sidecar against the loop's side of the run directory: it waits, attaches, beats, notices that
//! the loop has gone, attaches again, and ends when told.

mod common;

use common::{NAME, ROBOT, TestLoop, args, block_on};
use rt_wire::topics::TELEMETRY;
use rt_wire::{SidecarState, Telemetry};
use sidecar::{CommonArgs, End, Failure, Outcome, Sidecar};
use std::time::Duration;

#[test]
fn attached_sidecar_beats_and_says_what_it_does() {
    let dir = tempfile::tempdir().unwrap();
    let the_loop = TestLoop::start(dir.path());
    block_on(async {
        let sidecar = Sidecar::start(NAME, &args(dir.path(), 10)).await.unwrap();
        let first = the_loop.heartbeat(NAME, |_| true).await;
        assert_eq!(first.state.get(), Some(SidecarState::Starting));
        assert_eq!(first.pid, std::process::id());
        sidecar.report().set(|report| {
            report.state = SidecarState::Running;
            report.lost_records = 5;
        });
        let later = the_loop.heartbeat(NAME, |beat| beat.lost_records == 5).await;
        assert_eq!(later.state.get(), Some(SidecarState::Running));
        assert!(later.sequence > first.sequence);
        assert!(later.mono_ns > first.mono_ns);
        let next = the_loop.heartbeat(NAME, |beat| beat.sequence > later.sequence).await;
        assert!(next.mono_ns > later.mono_ns);
        sidecar.stopping();
        the_loop.heartbeat(NAME, |beat| beat.state.get() == Some(SidecarState::Stopping)).await;
    });
    the_loop.end();
}

#[test]
fn sidecar_that_comes_first_waits_for_the_loop() {
    let dir = tempfile::tempdir().unwrap();
    block_on(async {
        let args = args(dir.path(), 10);
        let start_loop = async {
            tokio::time::sleep(Duration::from_millis(60)).await;
            TestLoop::start(dir.path())
        };
        let (sidecar, the_loop) = tokio::join!(Sidecar::start(NAME, &args), start_loop);
        assert_eq!(sidecar.unwrap().robot().name(), ROBOT);
        the_loop.end();
    });
}

#[test]
fn sidecar_without_a_loop_gives_up_and_says_where_it_looked() {
    let dir = tempfile::tempdir().unwrap();
    let failure = block_on(async { Sidecar::start(NAME, &args(dir.path(), 0)).await.err() });
    let failure = failure.unwrap();
    assert_eq!(failure.code(), 3);
    assert!(failure.to_string().contains(&dir.path().display().to_string()), "{failure}");
}

#[test]
fn user_that_the_loop_does_not_know_is_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let the_loop = TestLoop::start(dir.path());
    the_loop.refuse_everybody();
    let failure = block_on(async { Sidecar::start(NAME, &args(dir.path(), 600)).await.err() });
    let failure = failure.unwrap();
    assert_eq!(failure.code(), 3);
    assert!(failure.to_string().contains("uid"), "{failure}");
    the_loop.end();
}

#[test]
fn robot_file_that_is_not_there_is_misuse() {
    let dir = tempfile::tempdir().unwrap();
    let wrong = CommonArgs { robot: "./nowhere.json".to_owned(), ..args(dir.path(), 10) };
    let failure = block_on(async { Sidecar::start(NAME, &wrong).await.err() }).unwrap();
    assert_eq!(failure.code(), 2);
    assert!(failure.to_string().contains("nowhere.json"), "{failure}");
}

#[test]
fn sidecar_notices_that_the_loop_has_gone_and_attaches_to_the_next_one() {
    let dir = tempfile::tempdir().unwrap();
    let the_loop = TestLoop::start(dir.path());
    block_on(async {
        let mut sidecar = Sidecar::start(NAME, &args(dir.path(), 10)).await.unwrap();
        the_loop.end();
        assert_eq!(sidecar.until_end().await, End::LoopGone);
        let next_loop = TestLoop::start(dir.path());
        sidecar.attach_again().await.unwrap();
        next_loop.heartbeat(NAME, |beat| beat.sequence >= 1).await;
        assert!(sidecar.client().is_open());
        next_loop.end();
    });
}

#[test]
fn segment_of_a_loop_that_has_gone_meanwhile_is_no_segment_and_costs_no_patience() {
    let dir = tempfile::tempdir().unwrap();
    let the_loop = TestLoop::start(dir.path());
    block_on(async {
        let mut sidecar = Sidecar::start(NAME, &args(dir.path(), 600)).await.unwrap();
        the_loop.end();
        let get = sidecar.patiently(|client| client.ring_reader::<Telemetry>(&TELEMETRY));
        let got = tokio::time::timeout(Duration::from_secs(20), get).await;
        assert!(got.expect("it does not wait for this one").unwrap().is_none());
        assert_eq!(sidecar.until_end().await, End::LoopGone);
    });
}

#[test]
fn process_without_a_heartbeat_may_attach_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let the_loop = TestLoop::start(dir.path());
    block_on(async {
        let sidecar = Sidecar::start("continuon", &args(dir.path(), 10)).await.unwrap();
        sidecar.stopping();
    });
    the_loop.end();
}

#[test]
fn what_a_main_comes_to_is_its_exit_code() {
    let code =
        |ended: Result<Outcome, Failure>| format!("{:?}", sidecar::run("pilot", async { ended }));
    let number = |code: u8| format!("{:?}", std::process::ExitCode::from(code));
    assert_eq!(code(Ok(Outcome::Done)), number(0));
    assert_eq!(code(Ok(Outcome::No("the disk was full".to_owned()))), number(1));
    assert_eq!(code(Err(Failure::misuse("wrong"))), number(2));
    assert_eq!(code(Err(Failure::not_possible("no loop"))), number(3));
}
