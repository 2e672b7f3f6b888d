//! Limits that are reached: an error with a name, at the start and while serving, and no signal.
//!
//! These tests lower the limits of the whole process, so they take turns.

mod common;

use std::io::IoSlice;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::sync::Mutex;

use common::{ROBOT, TestLoop, client, run_dir};
use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{
    AddressFamily, Backlog, ControlMessage, MsgFlags, SockFlag, SockType, UnixAddr, accept, bind,
    listen, recv, sendmsg, socket,
};
use rt_shm::protocol::{Code, Reply, SEGMENTS_SOCKET};
use rt_shm::{Segments, ShmError};
use rt_wire::topics::{self, COMMANDS, TELEMETRY};
use rt_wire::{Command, Telemetry};
use zerocopy::IntoBytes;

/// Whose turn it is.
static TURN: Mutex<()> = Mutex::new(());

/// Runs `act` under a lower soft limit.
fn under<T>(resource: Resource, limit: u64, act: impl FnOnce() -> T) -> T {
    let (soft, hard) = getrlimit(resource).expect("the limit");
    setrlimit(resource, limit.min(hard), hard).expect("a lower one");
    let result = act();
    setrlimit(resource, soft, hard).expect("the old one");
    result
}

fn open_files() -> u64 {
    std::fs::read_dir("/proc/self/fd").expect("proc").count() as u64
}

#[test]
fn a_limit_that_is_reached_is_an_error_that_names_it() {
    let _turn = TURN.lock();
    let dir = run_dir();
    let test_loop = TestLoop::start(dir.path());
    let mut pilot = client(dir.path(), topics::PILOT);

    let create = || Segments::create(ROBOT, true, false).expect_err("too little");
    let error = under(Resource::RLIMIT_FSIZE, 4096, create);
    assert!(matches!(error, ShmError::NoMemory { .. }), "{error}");
    let text = error.to_string();
    assert!(text.starts_with("segment sim-donkey.fast-loop.telemetry.ring: no memory"), "{text}");
    assert!(text.contains("RLIMIT_FSIZE is 4096 bytes: raise it with `ulimit -f`"), "{text}");

    // The lowest free descriptor is the first above the limit.
    let files = open_files();
    let error = under(Resource::RLIMIT_NOFILE, files - 1, create);
    let text = error.to_string();
    let named = format!("RLIMIT_NOFILE is {} open files: raise it with `ulimit -n`", files - 1);
    assert!(text.contains(": no descriptor: EMFILE") && text.contains(&named), "{text}");

    // A peer that attaches when there is nothing left hears of it, and the server lives on.
    let attach = || pilot.slot_writer::<Command>(&COMMANDS[2]).expect_err("too little");
    let error = under(Resource::RLIMIT_FSIZE, 8, attach);
    assert!(matches!(error, ShmError::NoMemory { .. }), "{error}");
    let text = error.to_string();
    assert!(text.starts_with("segment sim-donkey.pilot.command.slot: no memory for"), "{text}");
    assert!(text.contains("RLIMIT_FSIZE is 8 bytes"), "{text}");
    // The limit that was met is the loop's: this side may have another.
    pilot.slot_writer::<Command>(&COMMANDS[2]).expect("there is room again");
    pilot.ring_reader::<Telemetry>(&TELEMETRY).expect("undisturbed");
    assert_eq!(test_loop.world.lock().unwrap().installed.len(), 1);

    // Nothing of a failed attempt is left open.
    let files = open_files();
    for _ in 0..3 {
        under(Resource::RLIMIT_FSIZE, 4096, create);
    }
    assert_eq!(open_files(), files);
}

/// A loop of these answers, the second with what it opened long ago: it needs no descriptor to serve
/// one guest. Its own end of the connection comes back open: one that is closed is a free number.
fn answers(listener: &OwnedFd, replies: [Reply; 2], granted: Option<&OwnedFd>) -> OwnedFd {
    let guest = accept(listener.as_raw_fd()).expect("somebody connects");
    // SAFETY: accept just made this descriptor for us; it is owned once, here.
    let guest = unsafe { OwnedFd::from_raw_fd(guest) };
    let granted = granted.map(AsRawFd::as_raw_fd);
    for (reply, fds) in replies.into_iter().zip([&[][..], granted.as_slice()]) {
        let mut request = [0; 512];
        recv(guest.as_raw_fd(), &mut request, MsgFlags::empty()).expect("a request");
        let rights = [ControlMessage::ScmRights(fds)];
        let rights = if fds.is_empty() { &rights[..0] } else { &rights[..] };
        let parts = [IoSlice::new(reply.as_bytes())];
        sendmsg::<()>(guest.as_raw_fd(), &parts, rights, MsgFlags::empty(), None).expect("sent");
    }
    guest
}

fn listening(dir: &Path) -> OwnedFd {
    let (of, kind) = (AddressFamily::Unix, SockType::SeqPacket);
    let listener = socket(of, kind, SockFlag::SOCK_CLOEXEC, None).expect("a socket");
    let address = UnixAddr::new(&dir.join(SEGMENTS_SOCKET)).expect("a short path");
    bind(listener.as_raw_fd(), &address).expect("free");
    listen(&listener, Backlog::new(1).expect("small")).expect("bound");
    listener
}

#[test]
fn a_failed_system_call_of_the_loop_is_told_as_that_and_not_as_a_lack_of_memory() {
    let _turn = TURN.lock();
    let dir = run_dir();
    let listener = listening(dir.path());
    let failed = Reply { found: Errno::EIO as u64, ..Reply::new(Code::System) };
    std::thread::scope(|threads| {
        threads.spawn(|| answers(&listener, [Reply::new(Code::Ok), failed], None));
        let mut pilot = client(dir.path(), topics::PILOT);
        let error = pilot.slot_writer::<Command>(&COMMANDS[2]).expect_err("it failed");
        let expected = "segment sim-donkey.pilot.command.slot: fast-loop could not serve it: EIO";
        assert!(error.to_string().starts_with(expected), "{error}");
    });
}

#[test]
fn a_peer_that_has_no_descriptor_left_hears_of_its_own_limit() {
    let _turn = TURN.lock();
    let dir = run_dir();
    let listener = listening(dir.path());
    let granted = OwnedFd::from(std::fs::File::open("/dev/null").expect("there is one"));
    std::thread::scope(|threads| {
        let replies = [Code::Ok, Code::Granted].map(Reply::new);
        let (listener, granted) = (&listener, &granted);
        let answering = threads.spawn(move || answers(listener, replies, Some(granted)));
        let mut pilot = client(dir.path(), topics::PILOT);
        // There may be holes: the limit stands at the lowest of them.
        let free = std::fs::File::open("/dev/null").expect("there is one").as_raw_fd();
        let limit = u64::try_from(free).expect("no descriptor is negative");
        // In words at once: they name the limit as it is when they are spoken.
        let attach = || match pilot.ring_reader::<Telemetry>(&TELEMETRY) {
            Ok(_) => panic!("there is no room for it"),
            Err(error) => error.to_string(),
        };
        let text = under(Resource::RLIMIT_NOFILE, limit, attach);
        let named = format!("RLIMIT_NOFILE is {limit} open files: raise it with `ulimit -n`");
        assert!(text.starts_with("cannot hear fast-loop: no descriptor: EMFILE"), "{text}");
        assert!(text.contains(&named), "{text}");
        drop(answering.join().expect("it answered"));
    });
}

#[test]
fn locking_is_done_or_refused_with_the_name_of_its_limit() {
    let _turn = TURN.lock();
    match Segments::create(ROBOT, true, true) {
        Ok(_) => {
            let status = std::fs::read_to_string("/proc/self/status").expect("proc");
            let locked = status.lines().find_map(|line| line.strip_prefix("VmLck:"));
            let kib = locked.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
            assert!(kib.expect("VmLck") >= 1024, "the telemetry ring alone is larger: {locked:?}");
        }
        Err(error) => assert!(error.to_string().contains("RLIMIT_MEMLOCK"), "{error}"),
    }
}
