//! The run directory of one robot, and the lock that says which process serves it.
//!
//! The lock is the truth: it is the kernel's, so it ends with its process and needs no cleaning up.
//! Whoever holds it may remove sockets that lie there, because their owner is dead. The directory
//! may be entered by everybody, because everybody may e-stop, and listed by its group only; the
//! sockets have their own modes. Shown by: tests/dir.rs.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{
    DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, symlink,
};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc::{O_DIRECTORY, O_PATH};
use nix::sys::socket::sockopt::SendTimeout;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, connect, listen, setsockopt, socket,
};
use nix::sys::time::TimeVal;
use nix::unistd::geteuid;

use crate::ShmError;
use crate::error::errno;
use crate::protocol::LOOP_PROGRAM;

/// The lock file's name.
const LOCK_FILE: &str = "fast-loop.lock";
/// Entered by all, listed by its group, written by its owner.
const DIR_MODE: u32 = 0o751;
/// Guests that may wait to be accepted.
const BACKLOG: i32 = 64;
/// How long a guest waits to be let in line.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// A directory that one robot's sockets may stand in.
#[derive(Clone, Debug)]
pub struct RunDir {
    path: PathBuf,
}

impl RunDir {
    /// Makes the directory if it is not there, and checks it.
    ///
    /// # Errors
    /// [`ShmError::RunDir`] if it cannot be made, is no directory, belongs to another user, or can
    /// be written by everybody.
    pub fn create(path: &Path) -> Result<Self, ShmError> {
        let problem = |problem| ShmError::RunDir { dir: path.to_owned(), problem };
        let cannot = |what, error| {
            problem(format!(
                "cannot {what} it: {} (let systemd make it, or name a directory of yours)",
                errno(&error)
            ))
        };
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|error| cannot("make", error))?;
        }
        match DirBuilder::new().mode(DIR_MODE).create(path) {
            // The umask may have taken bits away.
            Ok(()) => fs::set_permissions(path, Permissions::from_mode(DIR_MODE))
                .map_err(|error| cannot("chmod", error))?,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(cannot("make", error)),
        }
        let metadata = fs::metadata(path).map_err(|error| cannot("look at", error))?;
        let us = geteuid().as_raw();
        if !metadata.is_dir() {
            return Err(problem("not a directory".to_owned()));
        }
        if metadata.uid() != us && metadata.uid() != 0 {
            return Err(problem(format!(
                "belongs to uid {}, expected {us} or 0: chown it",
                metadata.uid()
            )));
        }
        if metadata.mode() & 0o002 != 0 {
            return Err(problem(format!(
                "mode {:04o}: everybody could put sockets there: chmod o-w",
                metadata.mode() & 0o7777
            )));
        }
        Ok(Self { path: path.to_owned() })
    }

    /// Becomes the one process that serves this directory, until the lock and every server made
    /// with it are dropped.
    ///
    /// # Errors
    /// [`ShmError::AnotherLoop`] with the pid of the process that does.
    pub fn lock(&self) -> Result<RunLock, ShmError> {
        let path = self.path.join(LOCK_FILE);
        let cannot = |error| ShmError::io(format!("lock {}", path.display()), &error);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o644)
            .open(&path)
            .map_err(cannot)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let pid =
                    file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
                let holder =
                    pid.map_or_else(|| "pid not known".to_owned(), |pid: u32| format!("pid {pid}"));
                return Err(ShmError::AnotherLoop { holder, dir: self.path.clone() });
            }
            Err(TryLockError::Error(error)) => return Err(cannot(error)),
        }
        file.set_len(0).map_err(cannot)?;
        file.write_all(format!("{}\n", process::id()).as_bytes()).map_err(cannot)?;
        Ok(RunLock(Arc::new(Locked { file, dir: self.path.clone() })))
    }
}

#[derive(Debug)]
struct Locked {
    #[expect(dead_code, reason = "held for its lock, which closing ends")]
    file: File,
    dir: PathBuf,
}

/// Proof that this process serves the run directory. Clones share the lock.
#[derive(Clone, Debug)]
pub struct RunLock(Arc<Locked>);

impl RunLock {
    /// Puts a link to `program` into the directory, in place of one that an earlier loop left.
    ///
    /// # Errors
    /// What the file system says.
    pub fn link_program(&self, program: &Path) -> Result<(), ShmError> {
        let link = self.0.dir.join(LOOP_PROGRAM);
        let cannot = |error| ShmError::io(format!("link {}", link.display()), &error);
        match fs::remove_file(&link) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(cannot(error)),
            Ok(()) | Err(_) => symlink(program, &link).map_err(cannot),
        }
    }

    /// Listens on a socket of this name and mode. One that a dead process left is removed.
    pub(crate) fn listen(&self, name: &str, mode: u32) -> Result<(OwnedFd, PathBuf), ShmError> {
        let path = self.0.dir.join(name);
        let cannot = |source| ShmError::system(format!("listen on {}", path.display()), source);
        match fs::symlink_metadata(&path) {
            Ok(found) if found.file_type().is_socket() => {
                fs::remove_file(&path).map_err(|error| cannot(errno(&error)))?;
            }
            Ok(_) => {
                let problem = format!("{name} is there and is no socket: remove it");
                return Err(ShmError::RunDir { dir: self.0.dir.clone(), problem });
            }
            Err(_) => {}
        }
        let listener = new_socket(SockFlag::SOCK_NONBLOCK).map_err(cannot)?;
        let address = Address::new(&self.0.dir, name).map_err(cannot)?;
        bind(listener.as_raw_fd(), &address.unix).map_err(cannot)?;
        // Nobody can connect before `listen`, so no mode is too wide for a moment.
        fs::set_permissions(&path, Permissions::from_mode(mode))
            .map_err(|error| cannot(errno(&error)))?;
        listen(&listener, Backlog::new(BACKLOG).map_err(cannot)?).map_err(cannot)?;
        Ok((listener, path))
    }
}

/// Connects to a socket of a run directory. `place` says whose it should be, for the message.
pub(crate) fn connect_to(dir: &Path, name: &str, place: &str) -> Result<OwnedFd, ShmError> {
    let path = dir.join(name);
    let cannot = |source| ShmError::system(format!("connect to {}", path.display()), source);
    let not_served = |found: &str| ShmError::NotServed { place: format!("{place}{found}") };
    let socket = new_socket(SockFlag::empty()).map_err(cannot)?;
    // A stopped loop with many waiting would otherwise make us wait for ever.
    let patience = TimeVal::new(CONNECT_TIMEOUT.as_secs().cast_signed(), 0);
    setsockopt(&socket, SendTimeout, &patience).map_err(cannot)?;
    let connected =
        Address::new(dir, name).and_then(|address| connect(socket.as_raw_fd(), &address.unix));
    match connected {
        Ok(()) => Ok(socket),
        Err(Errno::ENOENT | Errno::ENOTDIR) if !dir.is_dir() => {
            Err(not_served(" (no such directory)"))
        }
        Err(Errno::ENOENT) => Err(not_served(&format!(" (no {name})"))),
        Err(Errno::ECONNREFUSED) => Err(not_served(&format!(" (a dead one left its {name})"))),
        Err(Errno::EAGAIN) => {
            Err(ShmError::Timeout { socket: path, timeout_ms: CONNECT_TIMEOUT.as_millis() })
        }
        Err(Errno::EACCES) => Err(ShmError::Permission { socket: path, uid: geteuid().as_raw() }),
        Err(source) => Err(cannot(source)),
    }
}

fn new_socket(flags: SockFlag) -> Result<OwnedFd, Errno> {
    let flags = flags | SockFlag::SOCK_CLOEXEC;
    socket(AddressFamily::Unix, SockType::SeqPacket, flags, None)
}

/// Where a socket stands. The kernel takes 107 bytes; a longer path goes by way of its directory's
/// descriptor.
struct Address {
    unix: UnixAddr,
    #[expect(dead_code, reason = "held open while its number stands in the address")]
    dir: Option<File>,
}

impl Address {
    fn new(dir: &Path, name: &str) -> Result<Self, Errno> {
        if let Ok(unix) = UnixAddr::new(&dir.join(name)) {
            return Ok(Self { unix, dir: None });
        }
        let dir = OpenOptions::new()
            .read(true)
            .custom_flags(O_PATH | O_DIRECTORY)
            .open(dir)
            .map_err(|error| errno(&error))?;
        let unix = UnixAddr::new(format!("/proc/self/fd/{}/{name}", dir.as_raw_fd()).as_str())?;
        Ok(Self { unix, dir: Some(dir) })
    }
}
