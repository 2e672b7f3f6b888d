//! What the kernel did not give for a segment, which limit stood in the way, and how to lift it.
//!
//! Decides which limit an error number speaks of. A limit belongs to the process that met it, so a
//! peer must never look up its own: the loop's travels to it in the reply. Shown by: the tests below
//! and tests/limits.rs.

use std::fmt;
use std::fs;
use std::io;

use nix::errno::Errno;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};

use crate::protocol::{Code, Reply};

/// What was asked of the kernel; the same number means another limit for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Want {
    /// A descriptor, its memory or a mapping of it.
    Memory,
    /// That its memory stays in RAM.
    Lock,
}

/// Memory, a descriptor or a lock that could not be had, with the limit that was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lack {
    want: Want,
    bytes: usize,
    source: Errno,
    /// In the unit of its limit; 0 where the number speaks of none.
    limit: u64,
}

impl Lack {
    /// `bytes` of memory, or a descriptor for them, were refused to this process.
    pub(crate) fn of_memory(bytes: usize, source: Errno) -> Self {
        let want = Want::Memory;
        Self { want, bytes, source, limit: limit(want, source) }
    }

    /// Locking `bytes` was refused to this process.
    pub(crate) fn of_lock(bytes: usize, source: Errno) -> Self {
        let want = Want::Lock;
        Self { want, bytes, source, limit: limit(want, source) }
    }

    /// The answer to a peer for whom the loop lacks it.
    pub(crate) fn to_reply(self) -> Reply {
        let code = match self.want {
            Want::Memory => Code::NoMemory,
            Want::Lock => Code::CannotLock,
        };
        let (bytes, found) = (self.bytes as u64, u64::from((self.source as i32).unsigned_abs()));
        Reply { bytes, found, expected: self.limit, ..Reply::new(code) }
    }

    /// What the loop lacks, from its answer.
    pub(crate) fn from_reply(reply: &Reply) -> Self {
        let is_lock = Code::from_raw(reply.code) == Some(Code::CannotLock);
        Self {
            want: if is_lock { Want::Lock } else { Want::Memory },
            bytes: usize::try_from(reply.bytes).unwrap_or(usize::MAX),
            source: i32::try_from(reply.found).map_or(Errno::UnknownErrno, Errno::from_raw),
            limit: reply.expected,
        }
    }
}

/// What the kernel said, in words for a person: where it has no more descriptors for this process,
/// with the limit and how to lift it.
#[must_use]
pub fn in_words(error: impl Into<io::Error>) -> String {
    let error = error.into();
    match error.raw_os_error().map(Errno::from_raw) {
        Some(source @ (Errno::EMFILE | Errno::ENFILE)) => Lack::of_memory(0, source).to_string(),
        Some(source) => source.to_string(),
        None => error.to_string(),
    }
}

/// The limit that `source` speaks of, as it is set for this process now.
fn limit(want: Want, source: Errno) -> u64 {
    let resource = match (want, source) {
        (_, Errno::EMFILE) => Resource::RLIMIT_NOFILE,
        (_, Errno::ENFILE) => return files_of_the_machine(),
        (Want::Memory, Errno::EFBIG) => Resource::RLIMIT_FSIZE,
        // A process whose future memory is locked meets it when it maps.
        (Want::Lock, _) | (Want::Memory, Errno::EAGAIN) => Resource::RLIMIT_MEMLOCK,
        (Want::Memory, _) => return 0,
    };
    getrlimit(resource).map_or(0, |(soft, _hard)| soft)
}

fn files_of_the_machine() -> u64 {
    let text = fs::read_to_string("/proc/sys/fs/file-max").unwrap_or_default();
    text.trim().parse().unwrap_or(0)
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { want, bytes, source, limit } = *self;
        match (want, source) {
            (_, Errno::EMFILE | Errno::ENFILE) => write!(f, "no descriptor: {source} ("),
            (Want::Memory, _) => write!(f, "no memory for {bytes} bytes: {source} ("),
            (Want::Lock, _) => write!(f, "cannot lock {bytes} bytes in memory: {source} ("),
        }?;
        match (want, source) {
            (_, Errno::EMFILE) => write!(
                f,
                "RLIMIT_NOFILE is {limit} open files: raise it with `ulimit -n`, or LimitNOFILE= \
                 in the unit"
            ),
            (_, Errno::ENFILE) => write!(
                f,
                "fs.file-max is {limit} open files on the whole machine: raise it with `sysctl`"
            ),
            (Want::Memory, Errno::EFBIG) => write!(
                f,
                "RLIMIT_FSIZE is {limit} bytes: raise it with `ulimit -f`, or LimitFSIZE= in the \
                 unit"
            ),
            (Want::Memory, Errno::ENOSYS | Errno::EINVAL) => {
                write!(f, "this kernel has no sealed memfd: 5.1 or later is needed")
            }
            (Want::Lock, _) | (Want::Memory, Errno::EAGAIN) if limit == RLIM_INFINITY => {
                write!(f, "RLIMIT_MEMLOCK is unlimited, so the machine is full: free some")
            }
            (Want::Lock, _) | (Want::Memory, Errno::EAGAIN) => write!(
                f,
                "RLIMIT_MEMLOCK is {} KiB: raise it with `ulimit -l`, or LimitMEMLOCK= in the unit",
                limit / 1024
            ),
            (Want::Memory, _) => {
                write!(f, "the machine or its memory limit (cgroup) is full: free some")
            }
        }?;
        write!(f, ")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_names_its_own_limit() {
        let lock = |limit| Lack { limit, ..Lack::of_lock(8192, Errno::ENOMEM) }.to_string();
        let told = lock(64 * 1024);
        assert!(told.starts_with("cannot lock 8192 bytes in memory: ENOMEM"), "{told}");
        assert!(told.contains("RLIMIT_MEMLOCK is 64 KiB: raise it with `ulimit -l`"), "{told}");
        assert!(lock(RLIM_INFINITY).contains("the machine is full"));
        let told = Lack::of_memory(8192, Errno::ENOMEM).to_string();
        assert!(told.starts_with("no memory for 8192 bytes: ENOMEM"), "{told}");
        assert!(told.contains("(cgroup) is full"), "{told}");
        let told = Lack::of_memory(8192, Errno::EAGAIN).to_string();
        assert!(told.contains("RLIMIT_MEMLOCK"), "{told}");
        let whole_machine = Lack::of_memory(8192, Errno::ENFILE);
        assert!(whole_machine.limit > 0, "{whole_machine}");
        assert!(whole_machine.to_string().contains("fs.file-max is"), "{whole_machine}");
    }

    #[test]
    fn a_refused_descriptor_names_its_limit_and_any_other_refusal_itself_only() {
        let told = in_words(Errno::EMFILE);
        assert!(told.contains("no descriptor: EMFILE"), "{told}");
        assert!(told.contains("RLIMIT_NOFILE is") && told.contains("`ulimit -n`"), "{told}");
        assert_eq!(in_words(Errno::ENOSPC), "ENOSPC: No space left on device");
        assert_eq!(in_words(io::Error::other("of no system call")), "of no system call");
    }

    #[test]
    fn a_peer_hears_of_the_limit_of_the_loop_and_not_of_its_own() {
        for lack in [
            Lack { limit: 7, ..Lack::of_memory(4096, Errno::EMFILE) },
            Lack { limit: 7, ..Lack::of_memory(4096, Errno::EFBIG) },
            Lack { limit: 7 << 10, ..Lack::of_lock(4096, Errno::ENOMEM) },
            Lack { limit: 0, ..Lack::of_memory(4096, Errno::ENOMEM) },
        ] {
            assert_eq!(Lack::from_reply(&lack.to_reply()), lack);
        }
    }
}
