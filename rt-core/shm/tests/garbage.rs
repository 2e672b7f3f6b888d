//! Guests that do not keep to the protocol: closed or answered, and nobody else notices.

mod common;

use std::os::fd::AsRawFd;

use common::{RawGuest, TestLoop, client, run_dir};
use rt_shm::protocol::{Code, Op, Reply, Request, SEGMENTS_SOCKET, VERSION, text};
use rt_wire::topics::{self, COMMANDS, TELEMETRY};
use rt_wire::{Command, Telemetry};
use zerocopy::{FromBytes, IntoBytes};

/// Shows that the server still serves others.
fn still_serves(dir: &std::path::Path) {
    let mut pilot = client(dir, topics::PILOT);
    pilot.ring_reader::<Telemetry>(&TELEMETRY).expect("served");
}

/// A small, seeded source of bytes (xorshift).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// Whether the guest is told that this is no message, and is closed.
fn is_closed(guest: &RawGuest) -> bool {
    loop {
        let (bytes, _) = guest.receive();
        if bytes.is_empty() {
            return true;
        }
        let reply = Reply::read_from_bytes(&bytes).expect("a reply");
        if !matches!(Code::from_raw(reply.code), Some(Code::BadRequest | Code::Version)) {
            return false;
        }
    }
}

#[test]
fn what_is_no_message_closes_the_connection() {
    let dir = run_dir();
    let _loop = TestLoop::start(dir.path());
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    let whole = size_of::<Request>();
    for len in [1, 4, whole - 1, whole, whole + 1, 255, 256, 4096] {
        let guest = RawGuest::connect(dir.path(), SEGMENTS_SOCKET);
        let bytes: Vec<u8> = (0..len).map(|_| noise.next().to_le_bytes()[0]).collect();
        guest.send(&bytes, &[]).expect("sent");
        assert!(is_closed(&guest), "{len} bytes");
    }
    still_serves(dir.path());
}

#[test]
fn requests_out_of_order_or_of_no_kind_close_the_connection() {
    let dir = run_dir();
    let _loop = TestLoop::start(dir.path());
    let read = Request::about(Op::Read, &TELEMETRY, TELEMETRY.layout_hash).unwrap();
    let hello = Request {
        process: text(topics::PILOT).unwrap(),
        robot: text(common::ROBOT).unwrap(),
        ..Request::new(Op::Hello)
    };
    let before_hello = [read, Request::new(Op::Mapped), Request { op: 99, ..hello }];
    let nameless =
        [Request { process: [0; 16], ..hello }, Request { process: [b'x'; 16], ..hello }];
    for request in before_hello.into_iter().chain(nameless) {
        let guest = RawGuest::connect(dir.path(), SEGMENTS_SOCKET);
        guest.send(request.as_bytes(), &[]).expect("sent");
        assert!(is_closed(&guest), "{request:?}");
    }
    let guest = RawGuest::hello(dir.path(), topics::PILOT);
    guest.send(hello.as_bytes(), &[]).expect("sent");
    assert!(is_closed(&guest), "hello twice");
    still_serves(dir.path());
}

#[test]
fn another_version_is_told_ours() {
    let dir = run_dir();
    let _loop = TestLoop::start(dir.path());
    let guest = RawGuest::connect(dir.path(), SEGMENTS_SOCKET);
    let (reply, _) =
        guest.ask(&Request { version: 7, ..Request::new(Op::Hello) }).expect("an answer");
    let told = (reply.code, reply.expected, reply.found);
    assert_eq!(told, (Code::Version as u32, u64::from(VERSION), 7));
}

#[test]
fn every_single_flipped_bit_of_a_request_is_answered_or_closed() {
    let dir = run_dir();
    let test_loop = TestLoop::start(dir.path());
    let whole = Request::about(Op::Write, &COMMANDS[2], COMMANDS[2].layout_hash).unwrap();
    for bit in 0..size_of::<Request>() * 8 {
        let guest = RawGuest::hello(dir.path(), topics::PILOT);
        let mut request = whole;
        request.as_mut_bytes()[bit / 8] ^= 1 << (bit % 8);
        // An answer or the end; never silence, which would end this test by its receive timeout.
        let answer = guest.ask(&request);
        let is_offer = answer.is_some_and(|(reply, _)| reply.code == Code::Offered as u32);
        // Bits of fields that a Write does not use change nothing.
        let (token, process, robot) = (16 * 8..24 * 8, 32 * 8..48 * 8, 80 * 8..128 * 8);
        let is_unused = token.contains(&bit) || process.contains(&bit) || robot.contains(&bit);
        assert_eq!(is_offer, is_unused, "bit {bit}");
    }
    assert!(test_loop.world.lock().unwrap().installed.is_empty());
    still_serves(dir.path());
}

#[test]
fn descriptors_that_a_guest_sends_are_dropped() {
    let dir = run_dir();
    let _loop = TestLoop::start(dir.path());
    let guest = RawGuest::hello(dir.path(), topics::PILOT);
    let (ours, theirs) = std::io::pipe().expect("a pipe");
    let read = Request::about(Op::Read, &TELEMETRY, TELEMETRY.layout_hash).unwrap();
    guest.send(read.as_bytes(), &[theirs.as_raw_fd()]).expect("sent");
    drop(theirs);
    let (bytes, fd) = guest.receive();
    assert_eq!(Reply::read_from_bytes(&bytes).expect("a reply").code, Code::Granted as u32);
    assert!(fd.is_some());
    // Were the writing end still open in the server, this would wait for ever.
    assert_eq!(std::io::read_to_string(ours).expect("closed"), "");
}

#[test]
fn a_guest_that_never_reads_its_answers_is_closed_and_stalls_nobody() {
    let dir = run_dir();
    let _loop = TestLoop::start(dir.path());
    let guest = RawGuest::hello(dir.path(), topics::PILOT);
    let read = Request::about(Op::Read, &TELEMETRY, TELEMETRY.layout_hash).unwrap();
    // Ends when the server has closed the connection, because its answers found no room.
    while guest.send(read.as_bytes(), &[]).is_ok() {}
    still_serves(dir.path());
}

#[test]
fn a_crowd_that_holds_nothing_gives_way_to_those_who_come() {
    let dir = run_dir();
    let _loop = TestLoop::start(dir.path());
    let mut attached = client(dir.path(), topics::RLDS_LOGGER);
    attached.ring_reader::<Telemetry>(&TELEMETRY).expect("attached before the crowd");
    let crowd: Vec<RawGuest> =
        (0..200).map(|_| RawGuest::connect(dir.path(), SEGMENTS_SOCKET)).collect();
    still_serves(dir.path());
    assert!(attached.is_open(), "who holds something is never pushed out");
    attached.ring_reader::<Telemetry>(&TELEMETRY).expect("and still served");
    drop(crowd);
}

#[test]
fn a_full_house_of_attached_peers_is_an_error_and_not_a_wait() {
    let dir = run_dir();
    let _loop = TestLoop::start(dir.path());
    let mut house: Vec<_> = (0..64).map(|_| client(dir.path(), topics::PILOT)).collect();
    for peer in &mut house {
        peer.ring_reader::<Telemetry>(&TELEMETRY).expect("attached");
    }
    let error = rt_shm::Client::connect(dir.path(), common::ROBOT, topics::PILOT)
        .expect_err("there are 64 already");
    assert!(matches!(error, rt_shm::ShmError::Closed { .. }), "{error}");
    house.pop();
    house[0].slot_writer::<Command>(&COMMANDS[2]).expect("those who are in are served");
}
