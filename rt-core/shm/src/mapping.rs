//! One mapping of one segment: owned, whole pages, populated.
//!
//! A mapping is seen only as atomic words, because another process may be writing them. Whoever
//! makes one has seen to it that the file cannot shrink, or that only a process it trusts could
//! shrink it; see memfd.rs and client.rs. Shown by: tests/seals.rs, tests/attach.rs.

use std::ffi::c_void;
use std::num::NonZeroUsize;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use std::slice;

use nix::errno::Errno;
use nix::sys::mman::{MapFlags, ProtFlags, mlock, mmap, munmap};
use rt_ring::sync::AtomicU64;

/// Whether the words of a mapping may be stored to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Loads only: a store ends the process with SIGSEGV.
    ReadOnly,
    /// Loads and stores.
    ReadWrite,
}

/// Shared memory, mapped until this is dropped.
#[derive(Debug)]
pub struct Mapping {
    start: NonNull<c_void>,
    bytes: NonZeroUsize,
    access: Access,
}

// SAFETY: the memory belongs to the process, not to a thread, and is only ever seen as atomics.
unsafe impl Send for Mapping {}
// SAFETY: as above; `&Mapping` gives out `&[AtomicU64]`, which may be shared.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the first `bytes` of `fd`, all pages present. The caller knows that the file is that
    /// long and stays so.
    pub(crate) fn new(fd: BorrowedFd<'_>, bytes: usize, access: Access) -> Result<Self, Errno> {
        let bytes = NonZeroUsize::new(bytes).ok_or(Errno::EINVAL)?;
        let protection = match access {
            Access::ReadOnly => ProtFlags::PROT_READ,
            Access::ReadWrite => ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
        };
        let flags = MapFlags::MAP_SHARED | MapFlags::MAP_POPULATE;
        // SAFETY: the kernel chooses the address, so nothing that exists is mapped over; the result
        // is seen only through `words`, as atomics.
        let start = unsafe { mmap(None, bytes, protection, flags, fd, 0) }?;
        Ok(Self { start, bytes, access })
    }

    /// Keeps the pages in memory: none is ever reclaimed under the reader.
    pub(crate) fn lock(&self) -> Result<(), Errno> {
        // SAFETY: start and bytes are those of one live mapping, ours.
        unsafe { mlock(self.start, self.bytes.get()) }
    }

    /// The memory. On a [`Access::ReadOnly`] mapping only relaxed loads are allowed, which is all
    /// that the readers of `rt-ring` do.
    #[must_use]
    pub fn words(&self) -> &[AtomicU64] {
        // SAFETY: the words borrow self, and the memory is mapped until self is dropped.
        unsafe { self.words_unbound() }
    }

    /// The memory, without the borrow.
    ///
    /// # Safety
    /// The caller drops the words before it drops the mapping, or forgets the mapping.
    pub(crate) unsafe fn words_unbound<'a>(&self) -> &'a [AtomicU64] {
        let len = self.bytes.get() / size_of::<AtomicU64>();
        // SAFETY: mmap returned whole pages from start on, so they are aligned and `len` words fit;
        // every bit pattern is an AtomicU64, and other processes only matter to atomics.
        unsafe { slice::from_raw_parts(self.start.as_ptr().cast(), len) }
    }

    /// Gives the memory to the rest of the process's life: for segments that live as long as the
    /// loop does.
    #[must_use]
    pub fn into_static(self) -> &'static [AtomicU64] {
        // SAFETY: the mapping is forgotten on the next line, so it is never unmapped.
        let words = unsafe { self.words_unbound() };
        std::mem::forget(self);
        words
    }

    /// Bytes mapped.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes.get()
    }

    /// Whether the words may be stored to.
    #[must_use]
    pub const fn access(&self) -> Access {
        self.access
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: start and bytes are those of one live mapping, ours; nobody borrows its words, by
        // the lifetime of `words` and the promise of `words_unbound`.
        let unmapped = unsafe { munmap(self.start, self.bytes.get()) };
        debug_assert_eq!(unmapped, Ok(()), "a mapping is unmapped once");
    }
}
