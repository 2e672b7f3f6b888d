//! The operator's socket: stopping is for everybody and comes first, moving is not.

mod common;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use common::{RawGuest, as_uid, run_dir};
use rt_shm::operator::{OperatorReply, Refusal, ReplyMessage, RequestMessage, request};
use rt_shm::protocol::OPERATOR_SOCKET;
use rt_shm::{OperatorServer, RunDir, ShmError};
use rt_wire::{FaultSet, Interlock, InterlockSet, Mode, OperatorKind, Raw};
use zerocopy::{FromBytes, IntoBytes};

const NOBODY: u32 = 65534;
const PATIENCE: Duration = Duration::from_secs(5);

fn bind(dir: &Path, operators: &[u32]) -> OperatorServer {
    let lock = RunDir::create(dir).expect("run dir").lock().expect("lock");
    OperatorServer::bind(&lock, operators).expect("bind")
}

fn done(mode: Mode) -> OperatorReply {
    OperatorReply::accepted(mode, FaultSet::EMPTY, InterlockSet::EMPTY)
}

/// A guest that has just asked for something.
fn asking(dir: &Path, kind: OperatorKind, id: u32) -> RawGuest {
    let guest = RawGuest::connect(dir, OPERATOR_SOCKET);
    ask(&guest, kind, id);
    guest
}

fn ask(guest: &RawGuest, kind: OperatorKind, id: u32) {
    guest.send(RequestMessage::new(kind, id).as_bytes(), &[]).expect("sent");
}

fn heard(guest: &RawGuest) -> (u32, OperatorReply) {
    let (bytes, _) = guest.receive();
    let message = ReplyMessage::read_from_bytes(&bytes).expect("a reply");
    (message.id, message.reply().expect("of this build"))
}

/// A loop that carries everything out at once.
struct Obedient {
    seen: Arc<Mutex<Vec<(OperatorKind, u32)>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Obedient {
    fn start(dir: &Path, operators: &[u32]) -> Self {
        let mut server = bind(dir, operators);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (log, until) = (Arc::clone(&seen), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            while !until.load(Ordering::Relaxed) {
                server.poll(5).expect("poll never fails");
                while let Some(pending) = server.take() {
                    log.lock().unwrap().push((pending.kind, pending.uid));
                    server.answer(pending.token, &done(Mode::Disarmed));
                }
            }
        });
        Self { seen, stop, thread: Some(thread) }
    }
}

impl Drop for Obedient {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && !thread::panicking()
        {
            thread.join().expect("the server does not panic");
        }
    }
}

#[test]
fn a_request_is_carried_out_and_answered() {
    let dir = run_dir();
    let test_loop = Obedient::start(dir.path(), &[]);
    let reply = request(dir.path(), OperatorKind::Arm, PATIENCE).expect("an answer");
    assert_eq!(reply, done(Mode::Disarmed));
    let us = nix::unistd::geteuid().as_raw();
    assert_eq!(*test_loop.seen.lock().unwrap(), [(OperatorKind::Arm, us)]);
}

#[test]
fn a_refusal_carries_the_mode_and_the_interlocks() {
    let dir = run_dir();
    let mut server = bind(dir.path(), &[]);
    let guest = asking(dir.path(), OperatorKind::Arm, 5);
    server.poll(1000).expect("poll");
    let pending = server.take().expect("taken");
    let interlocks = InterlockSet::EMPTY.with(InterlockSet(1 << Interlock::ALL[0] as u32), true);
    let reply = OperatorReply::refused(
        Refusal::Interlocked,
        Raw::new(Mode::Disarmed),
        FaultSet(1 << 3),
        interlocks,
    );
    server.answer(pending.token, &reply);
    assert_eq!(heard(&guest), (5, reply));
    // Answering twice does nothing.
    server.answer(pending.token, &reply);
}

#[test]
fn an_estop_overtakes_everything_that_waits() {
    let dir = run_dir();
    let mut server = bind(dir.path(), &[]);
    let _waiting: Vec<RawGuest> = (0..20)
        .map(|id| {
            let kind = if id % 2 == 0 { OperatorKind::Arm } else { OperatorKind::Disarm };
            asking(dir.path(), kind, id)
        })
        .collect();
    let _estop = asking(dir.path(), OperatorKind::Estop, 99);
    server.poll(1000).expect("poll");
    let order: Vec<OperatorKind> =
        std::iter::from_fn(|| server.take()).map(|pending| pending.kind).collect();
    assert_eq!(order.len(), 21);
    assert_eq!(order[0], OperatorKind::Estop);
    // The others keep their order.
    assert_eq!(order[1..4], [OperatorKind::Arm, OperatorKind::Disarm, OperatorKind::Arm]);
}

#[test]
fn the_same_connection_can_estop_while_its_arm_waits() {
    let dir = run_dir();
    let mut server = bind(dir.path(), &[]);
    let guest = asking(dir.path(), OperatorKind::Arm, 1);
    ask(&guest, OperatorKind::Reset, 2);
    ask(&guest, OperatorKind::Estop, 3);
    server.poll(1000).expect("poll");
    let (id, reply) = heard(&guest);
    assert_eq!((id, reply.refusal), (2, Refusal::Busy), "one request to move at a time");
    let estop = server.take().expect("the e-stop");
    assert_eq!(estop.kind, OperatorKind::Estop);
    server.answer(estop.token, &done(Mode::EStopLatched));
    assert_eq!(heard(&guest).0, 3);
}

#[test]
fn an_estop_whose_sender_has_gone_still_stops_the_car_and_an_arm_does_not_arm_it() {
    let dir = run_dir();
    let mut server = bind(dir.path(), &[]);
    for kind in [OperatorKind::Arm, OperatorKind::Reset, OperatorKind::Disarm, OperatorKind::Estop]
    {
        drop(asking(dir.path(), kind, 1));
    }
    let mut left = Vec::new();
    server.poll(1000).expect("the messages, and the first closings");
    server.poll(10).expect("all closings");
    while let Some(pending) = server.take() {
        left.push(pending.kind);
    }
    assert_eq!(left, [OperatorKind::Estop, OperatorKind::Disarm]);
}

#[test]
fn a_request_that_timed_out_moves_nothing_later_but_still_stops() {
    let dir = run_dir();
    let mut server = bind(dir.path(), &[]);
    let arm = asking(dir.path(), OperatorKind::Arm, 1);
    let estop = asking(dir.path(), OperatorKind::Estop, 2);
    let disarm = asking(dir.path(), OperatorKind::Disarm, 3);
    server.poll(1000).expect("poll");
    // The loop is stuck: it takes nothing for longer than the server lets people wait.
    thread::sleep(Duration::from_millis(1001));
    server.poll(0).expect("poll");
    for guest in [&arm, &estop, &disarm] {
        assert_eq!(heard(guest).1.refusal, Refusal::Timeout);
    }
    let left: Vec<_> = std::iter::from_fn(|| server.take()).map(|pending| pending.kind).collect();
    assert_eq!(left, [OperatorKind::Estop, OperatorKind::Disarm]);
}

#[test]
fn any_user_may_stop_the_car_and_only_operators_may_move_it() {
    let dir = run_dir();
    let path = dir.path().to_owned();
    let test_loop = Obedient::start(dir.path(), &[]);
    let Some(replies) = as_uid(NOBODY, move || {
        [OperatorKind::Estop, OperatorKind::Disarm, OperatorKind::Arm, OperatorKind::Reset]
            .map(|kind| request(&path, kind, PATIENCE).expect("an answer"))
    }) else {
        return;
    };
    let refusals = replies.map(|reply| reply.refusal);
    let no = Refusal::NotPermitted;
    assert_eq!(refusals, [Refusal::None, Refusal::None, no, no]);
    let seen = test_loop.seen.lock().unwrap().clone();
    assert_eq!(seen, [(OperatorKind::Estop, NOBODY), (OperatorKind::Disarm, NOBODY)]);
}

#[test]
fn an_operator_of_the_robot_file_may_arm() {
    let dir = run_dir();
    let path = dir.path().to_owned();
    let _loop = Obedient::start(dir.path(), &[NOBODY]);
    let arm = move || request(&path, OperatorKind::Arm, PATIENCE).expect("an answer");
    let Some(reply) = as_uid(NOBODY, arm) else { return };
    assert_eq!(reply, done(Mode::Disarmed));
}

#[test]
fn garbage_closes_its_connection_and_the_next_request_is_served() {
    let dir = run_dir();
    let _loop = Obedient::start(dir.path(), &[]);
    let good = RequestMessage::new(OperatorKind::Estop, 1);
    let mut bad: Vec<Vec<u8>> = [1, 15, 17, 300].map(|len| vec![0xa5; len]).to_vec();
    for request in [
        RequestMessage { magic: 0, ..good },
        RequestMessage { version: good.version + 1, ..good },
        RequestMessage { kind: 0, ..good },
        RequestMessage { kind: 77, ..good },
    ] {
        bad.push(request.as_bytes().to_vec());
    }
    for bytes in bad {
        let guest = RawGuest::connect(dir.path(), OPERATOR_SOCKET);
        guest.send(&bytes, &[]).expect("sent");
        assert_eq!(guest.receive().0, [], "{bytes:?}");
    }
    request(dir.path(), OperatorKind::Estop, PATIENCE).expect("an answer");
}

#[test]
fn an_estop_comes_through_a_crowd_of_idle_connections() {
    let dir = run_dir();
    let _loop = Obedient::start(dir.path(), &[]);
    let _crowd: Vec<RawGuest> =
        (0..300).map(|_| RawGuest::connect(dir.path(), OPERATOR_SOCKET)).collect();
    let reply = request(dir.path(), OperatorKind::Estop, PATIENCE).expect("an answer");
    assert!(reply.accepted);
}

#[test]
fn many_disarms_of_senders_that_have_gone_stay_bounded() {
    let dir = run_dir();
    let mut server = bind(dir.path(), &[]);
    for id in 0..500 {
        drop(asking(dir.path(), OperatorKind::Disarm, id));
        server.poll(1000).expect("poll");
    }
    let count = std::iter::from_fn(|| server.take()).count();
    assert!((1..=128).contains(&count), "{count}");
}

#[test]
fn a_loop_that_does_not_answer_is_a_timeout_and_none_at_all_is_named() {
    let dir = run_dir();
    let error = request(dir.path(), OperatorKind::Estop, PATIENCE).expect_err("no loop");
    assert_eq!(
        error.to_string(),
        format!(
            "no fast-loop runs in {} (no operator.sock): start one with \
             `continuon sim`",
            dir.path().display()
        )
    );
    let _server = bind(dir.path(), &[]);
    let error = request(dir.path(), OperatorKind::Estop, Duration::from_millis(20));
    assert!(matches!(error, Err(ShmError::Timeout { timeout_ms: 20, .. })), "{error:?}");
}

#[test]
fn one_wait_serves_both_sockets() {
    let dir = run_dir();
    let lock = RunDir::create(dir.path()).expect("run dir").lock().expect("lock");
    let segments = rt_shm::Segments::create(common::ROBOT, false, false).expect("segments");
    let segments = rt_shm::SegmentServer::bind(&lock, segments).expect("bind");
    let mut operator = OperatorServer::bind(&lock, &[]).expect("bind");
    let _guest = asking(dir.path(), OperatorKind::Estop, 1);
    rt_shm::wait(&segments, &operator, 60_000).expect("ends at once");
    operator.poll(0).expect("poll");
    assert_eq!(operator.take().map(|pending| pending.kind), Some(OperatorKind::Estop));
}
