//! What a hostile peer tries on memory that the loop reads or writes: every way is refused.

mod common;

use std::ffi::c_void;
use std::fs::OpenOptions;
use std::io::IoSlice;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr::NonNull;

use common::{RawGuest, TestLoop, client, run_dir};
use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, FcntlArg, SealFlag, fallocate, fcntl};
use nix::libc;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mmap, mprotect, munmap};
use nix::sys::socket::{
    AddressFamily, Backlog, ControlMessage, MsgFlags, SockFlag, SockType, UnixAddr, accept, bind,
    listen, recv, sendmsg, socket,
};
use nix::sys::stat::fstat;
use nix::unistd::{ftruncate, write};
use rt_ring::{Newest, Read, SlotReader};
use rt_shm::protocol::{Code, Op, REQUEST_BYTES, Reply, Request, SEGMENTS_SOCKET};
use rt_shm::{Client, ShmError};
use rt_wire::topics::{self, COMMANDS, HEALTH, KEYFRAME, SIM_PINS, TELEMETRY, Topic};
use rt_wire::{Command, Telemetry};
use zerocopy::IntoBytes;

const PILOT_COMMAND: &Topic = &COMMANDS[2];

/// A mapping made by hand, as a hostile peer makes one.
struct RawMapping {
    start: NonNull<c_void>,
    bytes: usize,
}

impl RawMapping {
    fn new(fd: BorrowedFd<'_>, bytes: usize, protection: ProtFlags) -> nix::Result<Self> {
        let len = NonZeroUsize::new(bytes).expect("not empty");
        // SAFETY: the kernel chooses the address; the memory is touched through `words` only.
        let start = unsafe { mmap(None, len, protection, MapFlags::MAP_SHARED, fd, 0) }?;
        Ok(Self { start, bytes })
    }

    fn words(&self) -> &[rt_ring::sync::AtomicU64] {
        // SAFETY: page-aligned, mapped for as long as self lives, and seen as atomics only.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr().cast(), self.bytes / 8) }
    }
}

impl Drop for RawMapping {
    fn drop(&mut self) {
        // SAFETY: our own mapping, unmapped once.
        unsafe { munmap(self.start, self.bytes) }.expect("munmap");
    }
}

fn size(fd: BorrowedFd<'_>) -> usize {
    usize::try_from(fstat(fd).expect("fstat").st_size).expect("a size")
}

/// Tries everything on one descriptor, and demands that everything is refused.
fn attack(fd: BorrowedFd<'_>, via: &str) {
    let bytes = size(fd);
    let len = i64::try_from(bytes).unwrap();
    let punch = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
    let zero = FallocateFlags::FALLOC_FL_ZERO_RANGE;
    let read_write = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    let refused = |what: &str, result: nix::Result<()>| {
        let error = result.expect_err(&format!("{what} through {via} must be refused"));
        let is_no = matches!(
            error,
            Errno::EPERM | Errno::EACCES | Errno::EBADF | Errno::EINVAL | Errno::EOPNOTSUPP
        );
        assert!(is_no, "{what} through {via}: {error}");
    };
    refused("shrinking", ftruncate(fd, 0));
    refused("growing", ftruncate(fd, len * 2));
    refused("growing by fallocate", fallocate(fd, FallocateFlags::empty(), 0, len * 2));
    refused("punching a hole", fallocate(fd, punch, 0, len));
    refused("zeroing", fallocate(fd, zero, 0, len));
    refused("write(2)", write(fd, &[0xff; 64]).map(drop));
    refused("pwrite(2)", nix::sys::uio::pwrite(fd, &[0xff; 64], 0).map(drop));
    refused("mapping writable", RawMapping::new(fd, bytes, read_write).map(drop));
    refused("more seals", fcntl(fd, FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_WRITE)).map(drop));

    let mapping = RawMapping::new(fd, bytes, ProtFlags::PROT_READ).expect("reading is allowed");
    // SAFETY: asks for more rights on our own mapping; nothing is written.
    let made_writable = unsafe { mprotect(mapping.start, bytes, read_write) };
    refused("making a mapping writable", made_writable);
    // SAFETY: would drop the pages of our own shared mapping, which nothing refers to.
    let removed = unsafe { madvise(mapping.start, bytes, MmapAdvise::MADV_REMOVE) };
    refused("removing pages", removed);
    assert_eq!(size(fd), bytes);
}

/// Opens the same memory once more through /proc, as its own user or root may.
fn reopen(fd: BorrowedFd<'_>) -> std::io::Result<OwnedFd> {
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    OpenOptions::new().read(true).write(true).open(path).map(OwnedFd::from)
}

#[test]
fn nothing_can_be_done_to_what_the_loop_writes() {
    let dir = run_dir();
    let mut test_loop = TestLoop::start(dir.path());
    let mut logger = client(dir.path(), topics::RLDS_LOGGER);
    let mut plant = client(dir.path(), topics::PLANT);
    let mut telemetry = logger.ring_reader::<Telemetry>(&TELEMETRY).expect("attach");
    for topic in [&TELEMETRY, &KEYFRAME, &HEALTH] {
        let (fd, _) = logger.descriptor(topic).expect("granted");
        attack(fd.as_fd(), "its own descriptor");
        let again = reopen(fd.as_fd()).expect("its own user may open it");
        attack(again.as_fd(), "a reopened descriptor");
    }
    let (fd, _) = plant.descriptor(&SIM_PINS).expect("granted");
    attack(fd.as_fd(), "its own descriptor");

    test_loop.writers.telemetry.publish(&Telemetry::default());
    assert!(matches!(telemetry.read(), Read::Record { sequence: 1, .. }), "the loop still writes");
}

#[test]
fn a_handed_out_descriptor_cannot_write_by_itself() {
    let dir = run_dir();
    let _loop = TestLoop::start(dir.path());
    let (fd, _) = client(dir.path(), topics::RLDS_LOGGER).descriptor(&TELEMETRY).expect("granted");
    let flags = fcntl(fd.as_fd(), FcntlArg::F_GETFL).expect("flags");
    assert_eq!(flags & libc::O_ACCMODE, libc::O_RDONLY);
    let seals = fcntl(fd.as_fd(), FcntlArg::F_GET_SEALS).expect("seals");
    let expected = SealFlag::F_SEAL_SHRINK
        | SealFlag::F_SEAL_GROW
        | SealFlag::F_SEAL_FUTURE_WRITE
        | SealFlag::F_SEAL_SEAL;
    assert_eq!(SealFlag::from_bits_truncate(seals), expected);
}

/// A pilot by hand, up to the point where it was offered memory.
fn offered(guest: &RawGuest) -> (Reply, OwnedFd) {
    let request = Request::about(Op::Write, PILOT_COMMAND, PILOT_COMMAND.layout_hash).unwrap();
    let (reply, fd) = guest.ask(&request).expect("an answer");
    assert_eq!(reply.code, Code::Offered as u32);
    (reply, fd.expect("a descriptor"))
}

fn mapped(guest: &RawGuest, offer: &Reply) -> Reply {
    let request = Request { token: offer.token, ..Request::new(Op::Mapped) };
    guest.ask(&request).expect("an answer").0
}

#[test]
fn a_peers_slot_is_sealed_before_the_loop_reads_it_and_its_mapping_still_writes() {
    let dir = run_dir();
    let test_loop = TestLoop::start(dir.path());
    let guest = RawGuest::hello(dir.path(), topics::PILOT);
    let (offer, fd) = offered(&guest);
    let read_write = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    let mapping = RawMapping::new(fd.as_fd(), size(fd.as_fd()), read_write).expect("map");
    let hash = PILOT_COMMAND.layout_hash;
    let mut writer =
        rt_ring::SlotWriter::<Command>::attach(mapping.words(), hash).expect("initialised");
    assert_eq!(mapped(&guest, &offer).code, Code::Installed as u32);

    attack(fd.as_fd(), "the writer's descriptor");
    attack(reopen(fd.as_fd()).expect("its own user may").as_fd(), "a reopened descriptor");
    // A hole through the mapping that may write is a hole all the same.
    // SAFETY: would drop the pages of our own shared mapping, which holds atomics only.
    let removed = unsafe { madvise(mapping.start, mapping.bytes, MmapAdvise::MADV_REMOVE) };
    assert_eq!(removed, Err(Errno::EPERM));

    let command = Command { sequence: 9, ..Command::default() };
    writer.write(&command);
    let world = test_loop.world.lock().unwrap();
    let (_, installed, _) = world.installed.last().expect("installed");
    let mut reader = SlotReader::<Command>::attach(installed.words(), hash).expect("a slot");
    assert_eq!(reader.read(), Newest::New { sequence: 1, record: command });
    assert_eq!(installed.access(), rt_shm::Access::ReadOnly);
}

#[test]
fn memory_truncated_before_the_seal_is_refused_without_being_touched() {
    let dir = run_dir();
    let test_loop = TestLoop::start(dir.path());
    let guest = RawGuest::hello(dir.path(), topics::PILOT);
    for len in [0, 4096 * 16] {
        let (offer, fd) = offered(&guest);
        ftruncate(&fd, len).expect("not sealed yet");
        assert_eq!(mapped(&guest, &offer).code, Code::Tampered as u32, "{len} bytes");
    }
    assert!(test_loop.world.lock().unwrap().installed.is_empty());
    test_loop.end();
}

#[test]
fn memory_with_a_hole_or_another_header_is_refused() {
    let dir = run_dir();
    let test_loop = TestLoop::start(dir.path());
    let guest = RawGuest::hello(dir.path(), topics::PILOT);
    let punch = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;

    let (offer, fd) = offered(&guest);
    fallocate(&fd, punch, 0, i64::try_from(size(fd.as_fd())).unwrap()).expect("not sealed yet");
    assert_eq!(mapped(&guest, &offer).code, Code::Tampered as u32, "a hole where the header was");

    let (offer, fd) = offered(&guest);
    write(&fd, &[0xff; 64]).expect("not sealed yet");
    assert_eq!(mapped(&guest, &offer).code, Code::Tampered as u32, "another header");
    assert!(test_loop.world.lock().unwrap().installed.is_empty());
}

#[test]
fn memory_that_the_peer_sealed_itself_is_refused() {
    let dir = run_dir();
    let test_loop = TestLoop::start(dir.path());
    let guest = RawGuest::hello(dir.path(), topics::PILOT);
    let (offer, fd) = offered(&guest);
    // Now the loop could never add its own.
    fcntl(&fd, FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_SEAL)).expect("seal the seals");
    assert_eq!(mapped(&guest, &offer).code, Code::Tampered as u32);
    assert!(test_loop.world.lock().unwrap().installed.is_empty());
}

#[test]
fn a_token_of_somebody_elses_offer_is_worth_nothing() {
    let dir = run_dir();
    let test_loop = TestLoop::start(dir.path());
    let guest = RawGuest::hello(dir.path(), topics::PILOT);
    let (offer, _fd) = offered(&guest);
    let other = RawGuest::hello(dir.path(), topics::TELEOP);
    assert_eq!(mapped(&other, &offer).code, Code::NoOffer as u32);
    let forged = Reply { token: offer.token.wrapping_add(1), ..offer };
    assert_eq!(mapped(&guest, &forged).code, Code::NoOffer as u32);
    assert_eq!(mapped(&guest, &offer).code, Code::Installed as u32, "the right one still is");
    assert_eq!(test_loop.world.lock().unwrap().installed.len(), 1);
}

#[test]
fn those_who_look_on_at_a_peers_slot_can_do_nothing_to_it() {
    let dir = run_dir();
    let _loop = TestLoop::start(dir.path());
    let mut plant = client(dir.path(), topics::PLANT);
    let _status = plant
        .slot_writer::<rt_wire::PlantStatus>(&topics::SIM_STATUS)
        .expect("the plant writes it");
    let (fd, _) =
        client(dir.path(), topics::CONTINUON).descriptor(&topics::SIM_STATUS).expect("granted");
    attack(fd.as_fd(), "its own descriptor");
    attack(reopen(fd.as_fd()).expect("its own user may").as_fd(), "a reopened descriptor");
}

/// A loop that answers Hello, then one `Read` with whatever it was given.
fn serve_once(dir: &std::path::Path, handed: OwnedFd) -> std::thread::JoinHandle<()> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let listener = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None).expect("a socket");
    let address = UnixAddr::new(&dir.join(SEGMENTS_SOCKET)).expect("a short path");
    bind(listener.as_raw_fd(), &address).expect("bind");
    listen(&listener, Backlog::new(1).expect("small")).expect("listen");
    std::thread::spawn(move || {
        // SAFETY: the kernel just made this descriptor for us, and nobody else owns it.
        let guest = unsafe { OwnedFd::from_raw_fd(accept(listener.as_raw_fd()).expect("a guest")) };
        let bytes = size(handed.as_fd()) as u64;
        let granted = Reply { bytes, generation: 1, ..Reply::new(Code::Granted) };
        for (reply, fds) in [(Reply::new(Code::Ok), &[][..]), (granted, &[handed.as_raw_fd()][..])]
        {
            let mut request = [0; REQUEST_BYTES];
            recv(guest.as_raw_fd(), &mut request, MsgFlags::empty()).expect("a request");
            let rights = [ControlMessage::ScmRights(fds)];
            let with = if fds.is_empty() { &rights[..0] } else { &rights[..] };
            let parts = [IoSlice::new(reply.as_bytes())];
            sendmsg::<()>(guest.as_raw_fd(), &parts, with, MsgFlags::empty(), None).expect("sent");
        }
    })
}

#[test]
fn a_client_believes_no_descriptor_that_is_not_wholly_sealed() {
    let all = SealFlag::F_SEAL_SHRINK
        | SealFlag::F_SEAL_GROW
        | SealFlag::F_SEAL_FUTURE_WRITE
        | SealFlag::F_SEAL_SEAL;
    for missing in [
        all,
        SealFlag::F_SEAL_SHRINK,
        SealFlag::F_SEAL_GROW,
        SealFlag::F_SEAL_FUTURE_WRITE,
        SealFlag::F_SEAL_SEAL,
    ] {
        let dir = run_dir();
        let memfd = memfd_create("not-sealed", MFdFlags::MFD_ALLOW_SEALING).expect("a memfd");
        ftruncate(&memfd, 1 << 20).expect("a size");
        fcntl(&memfd, FcntlArg::F_ADD_SEALS(all.difference(missing))).expect("sealed in part");
        let served = serve_once(dir.path(), memfd);
        let mut logger =
            Client::connect(dir.path(), common::ROBOT, topics::RLDS_LOGGER).expect("Ok");
        let error = logger.ring_reader::<Telemetry>(&TELEMETRY).expect_err("not sealed");
        assert!(matches!(error, ShmError::NotTrusted { .. }), "without {missing:?}: {error}");
        served.join().expect("served");
    }
}
