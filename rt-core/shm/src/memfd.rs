//! One sealed memfd: memory that cannot shrink, whose writers are known.
//!
//! The order is the whole point: allocate (a full machine is an error here, and SIGBUS later), map
//! what has to be writable, then add every seal in one call, so that there is no moment with some of
//! them. Until the seal is on, nobody here touches memory whose descriptor a peer has.
//! Shown by: tests/seals.rs, tests/limits.rs.

use std::fs::{File, OpenOptions, Permissions};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, SealFlag, fcntl, posix_fallocate};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::stat::fstat;
use nix::unistd::{SysconfVar, sysconf};

use crate::error::errno;
use crate::mapping::{Access, Mapping};
use crate::{Lack, ShmError};

/// No shrinking, no growing, no write(2), hole or new writable mapping, and no change of this.
pub(crate) const SEALS: SealFlag = SealFlag::F_SEAL_SHRINK
    .union(SealFlag::F_SEAL_GROW)
    .union(SealFlag::F_SEAL_FUTURE_WRITE)
    .union(SealFlag::F_SEAL_SEAL);

/// Memory that this process created.
#[derive(Debug)]
pub(crate) struct Memfd {
    segment: String,
    file: File,
    bytes: usize,
}

impl Memfd {
    /// Creates and allocates memory for `words`, rounded up to whole pages, all zero, no seal yet.
    pub(crate) fn create(segment: &str, words: usize) -> Result<Self, ShmError> {
        let bytes = words.saturating_mul(size_of::<u64>()).next_multiple_of(page_bytes());
        let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
        let fd =
            memfd_create(segment, flags).map_err(|source| no_memory(segment, bytes, source))?;
        let memfd = Self { segment: segment.to_owned(), file: File::from(fd), bytes };
        // Its reopening through /proc is for its own user, and the seals bind that one too.
        memfd
            .file
            .set_permissions(Permissions::from_mode(0o600))
            .map_err(|error| ShmError::io(format!("chmod segment {segment}"), &error))?;
        memfd.allocate()?;
        Ok(memfd)
    }

    /// Gives every page memory, those of a hole included. Allowed under the seals.
    pub(crate) fn allocate(&self) -> Result<(), ShmError> {
        let refused = |source| no_memory(&self.segment, self.bytes, source);
        // Beyond this limit the kernel would send SIGXFSZ, which ends the process without a word.
        let (limit, _) = getrlimit(Resource::RLIMIT_FSIZE).map_err(refused)?;
        let bytes = i64::try_from(self.bytes).map_err(|_too_large| refused(Errno::EFBIG))?;
        if self.bytes as u64 > limit {
            return Err(refused(Errno::EFBIG));
        }
        posix_fallocate(&self.file, 0, bytes).map_err(refused)
    }

    /// Maps all of it.
    pub(crate) fn map(&self, access: Access) -> Result<Mapping, ShmError> {
        Mapping::new(self.file.as_fd(), self.bytes, access)
            .map_err(|source| no_memory(&self.segment, self.bytes, source))
    }

    /// Adds every seal in one call, then makes sure that nobody changed the size before.
    pub(crate) fn seal(&self) -> Result<(), ShmError> {
        fcntl(&self.file, FcntlArg::F_ADD_SEALS(SEALS)).map_err(|source| ShmError::NotTrusted {
            segment: self.segment.clone(),
            problem: format!("cannot be sealed ({source})"),
        })?;
        check_size(&self.segment, self.file.as_fd(), self.bytes)
    }

    /// A descriptor that cannot write at all, for those who read.
    pub(crate) fn reader(&self) -> Result<OwnedFd, ShmError> {
        let path = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        OpenOptions::new()
            .read(true)
            .open(path)
            .map(OwnedFd::from)
            .map_err(|error| no_memory(&self.segment, self.bytes, errno(&error)))
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Whether a descriptor from another process is sealed as promised: only then can memory behind it
/// not vanish under its reader.
pub(crate) fn check_seals(segment: &str, fd: BorrowedFd<'_>) -> Result<(), ShmError> {
    let untrusted = |problem| Err(ShmError::NotTrusted { segment: segment.to_owned(), problem });
    match fcntl(fd, FcntlArg::F_GET_SEALS).map(SealFlag::from_bits_truncate) {
        Ok(found) if found.contains(SEALS) => Ok(()),
        Ok(found) => untrusted(format!("seals {:#x}, expected {:#x}", found.bits(), SEALS.bits())),
        Err(source) => untrusted(format!("not a memfd ({source})")),
    }
}

/// Whether the file behind `fd` has the promised size.
pub(crate) fn check_size(
    segment: &str,
    fd: BorrowedFd<'_>,
    expected: usize,
) -> Result<(), ShmError> {
    let found = fstat(fd)
        .map_err(|source| ShmError::system(format!("look at segment {segment}"), source))?
        .st_size;
    if i64::try_from(expected) == Ok(found) && expected > 0 {
        return Ok(());
    }
    let problem = format!("{found} bytes, expected {expected}");
    Err(ShmError::NotTrusted { segment: segment.to_owned(), problem })
}

/// Bytes of a page: 4 KiB on most machines, 16 KiB on a Raspberry Pi 5.
fn page_bytes() -> usize {
    let bytes = sysconf(SysconfVar::PAGE_SIZE).ok().flatten();
    bytes.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(4096)
}

pub(crate) fn no_memory(segment: &str, bytes: usize, source: Errno) -> ShmError {
    ShmError::NoMemory { segment: segment.to_owned(), lack: Lack::of_memory(bytes, source) }
}

pub(crate) fn cannot_lock(segment: &str, bytes: usize, source: Errno) -> ShmError {
    ShmError::NoMemory { segment: segment.to_owned(), lack: Lack::of_lock(bytes, source) }
}
