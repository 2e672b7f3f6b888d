//! A loop without a loop: a thread that polls a `SegmentServer`, and rules that tests can bend.

#![allow(dead_code, reason = "each test file uses its part of this")]

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::cmsg_space;
use nix::libc;
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, UnixAddr,
    connect, recvmsg, sendmsg, socket,
};
use nix::sys::time::TimeVal;
use rt_ring::{RingWriter, SlotWriter};
use rt_shm::protocol::{Op, Reply, Request, SEGMENTS_SOCKET, text};
use rt_shm::{Client, Mapping, Rules, RunDir, SegmentServer, Segments};
use rt_wire::topics::{self, Topic};
use rt_wire::{Health, KernelState, SimPins, Telemetry};
use tempfile::TempDir;
use zerocopy::{FromBytes, IntoBytes};

/// The robot of every test.
pub(crate) const ROBOT: &str = "sim-donkey";

/// What the rules say, and what they were told.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) refused_uids: Vec<u32>,
    pub(crate) owner: Option<&'static str>,
    pub(crate) installed: Vec<(&'static Topic, Mapping, u64)>,
    pub(crate) detached: Vec<String>,
}

/// Asks the world, and locks it only for that.
pub(crate) struct Shared(pub(crate) Arc<Mutex<World>>);

impl Rules for Shared {
    fn uid_may_attach(&self, _process: &str, uid: u32) -> bool {
        !self.0.lock().unwrap().refused_uids.contains(&uid)
    }

    fn may_swap(&self, topic: &'static Topic) -> bool {
        self.0.lock().unwrap().owner != Some(topic.writer)
    }

    fn install(&mut self, topic: &'static Topic, mapping: Mapping, generation: u64) {
        self.0.lock().unwrap().installed.push((topic, mapping, generation));
    }

    fn detached(&mut self, process: &str) {
        self.0.lock().unwrap().detached.push(process.to_owned());
    }
}

/// What the loop writes.
pub(crate) struct Writers {
    pub(crate) telemetry: RingWriter<'static, Telemetry>,
    pub(crate) keyframe: RingWriter<'static, KernelState>,
    pub(crate) health: SlotWriter<'static, Health>,
    pub(crate) pins: Option<SlotWriter<'static, SimPins>>,
}

impl Writers {
    pub(crate) fn create(segments: &Segments, with_sim: bool) -> Self {
        let words = |topic| segments.words(topic).expect("the loop writes it");
        let id = |topic| segments.identity(topic);
        let depth = |topic: &Topic| topic.depth as usize;
        let (telemetry, keyframe) = (&topics::TELEMETRY, &topics::KEYFRAME);
        let (health, pins) = (&topics::HEALTH, &topics::SIM_PINS);
        Self {
            telemetry: RingWriter::create(words(telemetry), depth(telemetry), id(telemetry))
                .expect("telemetry"),
            keyframe: RingWriter::create(words(keyframe), depth(keyframe), id(keyframe))
                .expect("keyframe"),
            health: SlotWriter::create(words(health), id(health)).expect("health"),
            pins: with_sim.then(|| SlotWriter::create(words(pins), id(pins)).expect("pins")),
        }
    }
}

/// A served run directory.
pub(crate) struct TestLoop {
    pub(crate) world: Arc<Mutex<World>>,
    pub(crate) writers: Writers,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl TestLoop {
    pub(crate) fn start(dir: &Path) -> Self {
        Self::start_with(dir, true)
    }

    pub(crate) fn start_with(dir: &Path, with_sim: bool) -> Self {
        let lock = RunDir::create(dir).expect("run dir").lock().expect("lock");
        let segments = Segments::create(ROBOT, with_sim, false).expect("segments");
        let writers = Writers::create(&segments, with_sim);
        let mut server = SegmentServer::bind(&lock, segments).expect("bind");
        let world = Arc::new(Mutex::new(World::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let mut rules = Shared(Arc::clone(&world));
        let until = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            while !until.load(Ordering::Relaxed) {
                server.poll(5, &mut rules).expect("poll never fails");
            }
        });
        Self { world, writers, stop, thread: Some(thread) }
    }

    /// Ends the loop: its sockets close. Fails if the server panicked.
    pub(crate) fn end(mut self) {
        self.join();
    }

    fn join(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server does not panic");
        }
    }

    /// Waits until the world is as wished; housekeeping is another thread.
    pub(crate) fn until(&self, what: &str, mut is_so: impl FnMut(&World) -> bool) {
        let end = Instant::now() + Duration::from_secs(10);
        while !is_so(&self.world.lock().unwrap()) {
            assert!(Instant::now() < end, "waited in vain until {what}");
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for TestLoop {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.join();
        }
    }
}

/// A directory for one test; other users may enter it.
pub(crate) fn run_dir() -> TempDir {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().expect("a temporary directory");
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).expect("chmod");
    dir
}

pub(crate) fn client(dir: &Path, process: &str) -> Client {
    Client::connect(dir, ROBOT, process).expect("the loop is there")
}

/// A guest that says what it likes, for what `Client` would never do.
pub(crate) struct RawGuest(pub(crate) OwnedFd);

impl RawGuest {
    pub(crate) fn connect(dir: &Path, name: &str) -> Self {
        let fd = socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None)
            .expect("socket");
        let patience = TimeVal::new(5, 0);
        nix::sys::socket::setsockopt(&fd, nix::sys::socket::sockopt::ReceiveTimeout, &patience)
            .expect("a limit");
        let address = UnixAddr::new(&dir.join(name)).expect("a short path");
        connect(fd.as_raw_fd(), &address).expect("the loop is there");
        Self(fd)
    }

    /// Connects to `segments.sock` and says Hello.
    pub(crate) fn hello(dir: &Path, process: &str) -> Self {
        let guest = Self::connect(dir, SEGMENTS_SOCKET);
        let request = Request {
            process: text(process).unwrap(),
            robot: text(ROBOT).unwrap(),
            ..Request::new(Op::Hello)
        };
        let (reply, _) = guest.ask(&request).expect("an answer");
        assert_eq!(reply.code, rt_shm::protocol::Code::Ok as u32);
        guest
    }

    pub(crate) fn send(&self, bytes: &[u8], fds: &[i32]) -> nix::Result<usize> {
        let rights = [ControlMessage::ScmRights(fds)];
        let with = if fds.is_empty() { &rights[..0] } else { &rights[..] };
        let parts = [IoSlice::new(bytes)];
        sendmsg::<()>(self.0.as_raw_fd(), &parts, with, MsgFlags::MSG_NOSIGNAL, None)
    }

    /// One message, empty if the other side closed.
    pub(crate) fn receive(&self) -> (Vec<u8>, Option<OwnedFd>) {
        let mut bytes = vec![0; 512];
        let mut control = cmsg_space!([i32; 4]);
        let mut fds = Vec::new();
        let len = {
            let mut parts = [IoSliceMut::new(&mut bytes)];
            let flags = MsgFlags::empty();
            match recvmsg::<()>(self.0.as_raw_fd(), &mut parts, Some(&mut control), flags) {
                Ok(message) => {
                    for part in message.cmsgs().expect("whole") {
                        if let ControlMessageOwned::ScmRights(received) = part {
                            fds.extend(received);
                        }
                    }
                    message.bytes
                }
                Err(nix::errno::Errno::ECONNRESET) => 0,
                Err(error) => panic!("receive: {error}"),
            }
        };
        bytes.truncate(len);
        // SAFETY: the kernel just made this descriptor for us, and nobody else owns it.
        let fd = fds.first().map(|fd| unsafe { OwnedFd::from_raw_fd(*fd) });
        (bytes, fd)
    }

    pub(crate) fn ask(&self, request: &Request) -> Option<(Reply, Option<OwnedFd>)> {
        self.send(request.as_bytes(), &[]).ok()?;
        let (bytes, fd) = self.receive();
        Reply::read_from_bytes(&bytes).ok().map(|reply| (reply, fd))
    }
}

/// Runs `act` in a thread of its own as another user; `None`, loudly, where that is not possible.
/// Raw system calls change this one thread only, unlike libc's wrappers.
pub(crate) fn as_uid<T: Send + 'static>(
    uid: u32,
    act: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let result = thread::spawn(move || {
        // SAFETY: changes the groups of this short-lived thread and touches no memory.
        let groups = unsafe { libc::syscall(libc::SYS_setgroups, 0, 0) };
        // SAFETY: as above.
        let group = unsafe { libc::syscall(libc::SYS_setresgid, uid, uid, uid) };
        // SAFETY: as above, and the user comes last, because it takes the right to do the others.
        let user = unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) };
        (groups == 0 && group == 0 && user == 0).then(act)
    })
    .join()
    .expect("the other user does not panic");
    if result.is_none() {
        eprintln!("SKIPPED: cannot become uid {uid}; run this test as root to see it");
    }
    result
}
