//! Memory that a second process of ours maps too, and how that process is started.
//!
//! The second process is this program once more, with a hidden verb and the number of an inherited
//! descriptor. The first lines of the memory are for the two to steer each other; rings and slots
//! stand behind them. It ends when told to, and by itself when its parent has gone. Shown by: running
//! the `transport` figure.

use anyhow::{Context as _, Result, bail};
use memmap2::{MmapOptions, MmapRaw};
use nix::sys::memfd::{MFdFlags, memfd_create};
use rt_ring::sync::{AtomicU64, Ordering};
use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Words of a pair of cache lines.
const LINE_WORDS: usize = 16;
/// Where rings and slots begin.
const DATA_WORD: usize = 8 * LINE_WORDS;
/// How often a spinning child looks whether its parent is still there.
const LOOK_EVERY: u32 = 1 << 22;
/// A child that takes longer to be ready never will be.
const READY_WITHIN: Duration = Duration::from_secs(10);

/// Shared memory: control words and data.
pub struct Shared {
    map: MmapRaw,
    file: File,
}

impl Shared {
    /// Fresh memory with room for `words` of data. Its descriptor is inherited by children.
    ///
    /// # Errors
    /// The kernel has no memory for it.
    pub fn create(words: usize) -> Result<Self> {
        let fd = memfd_create("peers", MFdFlags::empty()).context("memory to share")?;
        let file = File::from(fd);
        file.set_len(8 * (DATA_WORD + words) as u64).context("memory to share")?;
        Self::map(file)
    }

    /// The memory behind an inherited descriptor.
    ///
    /// # Errors
    /// There is none.
    pub fn inherited(fd: i32) -> Result<Self> {
        let path = format!("/proc/self/fd/{fd}");
        let file = File::options().read(true).write(true).open(&path).context(path)?;
        Self::map(file)
    }

    fn map(file: File) -> Result<Self> {
        let map = MmapOptions::new().populate().map_raw(&file).context("map shared memory")?;
        Ok(Self { map, file })
    }

    fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping is page-aligned and lives as long as self; nobody truncates the file,
        // and both processes look at it through atomics only.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr().cast(), self.map.len() / 8) }
    }

    fn control(&self, line: usize) -> &AtomicU64 {
        &self.words()[line * LINE_WORDS]
    }

    /// Set by the parent when the child shall end.
    pub fn stop(&self) -> &AtomicU64 {
        self.control(0)
    }

    /// Set by the child when it has begun.
    pub fn ready(&self) -> &AtomicU64 {
        self.control(1)
    }

    /// For the parent to write and the child to answer.
    pub fn ping(&self) -> &AtomicU64 {
        self.control(2)
    }

    /// For the child to write.
    pub fn pong(&self) -> &AtomicU64 {
        self.control(3)
    }

    /// Records that the child has read.
    pub fn taken(&self) -> &AtomicU64 {
        self.control(4)
    }

    /// Records that the child has lost.
    pub fn lost(&self) -> &AtomicU64 {
        self.control(5)
    }

    /// Everything behind the control words.
    pub fn data(&self) -> &[AtomicU64] {
        &self.words()[DATA_WORD..]
    }
}

/// A second process that spins on the other core.
pub struct Partner<'a> {
    child: Child,
    shared: &'a Shared,
}

impl<'a> Partner<'a> {
    /// Starts this program once more as `role` on core `cpu`, and waits until it says that it runs.
    ///
    /// # Errors
    /// It does not start, or ends at once.
    pub fn start(shared: &'a Shared, role: &str, cpu: usize, fifo: bool) -> Result<Self> {
        let us = std::env::current_exe().context("our own program")?;
        let child = Command::new(us)
            .arg("partner")
            .arg(role)
            .arg(shared.file.as_raw_fd().to_string())
            .arg(cpu.to_string())
            .args(fifo.then_some("--fifo"))
            .stdin(Stdio::null())
            .spawn()
            .context("start the second process")?;
        let mut partner = Self { child, shared };
        let until = Instant::now() + READY_WITHIN;
        // ORDER: pairs with partner::tell_ready: what the child laid out is visible.
        while shared.ready().load(Ordering::Acquire) == 0 {
            if let Some(status) = partner.child.try_wait().context("the second process")? {
                bail!("the second process ({role}) ended at once: {status}");
            }
            if Instant::now() > until {
                bail!("the second process ({role}) is not ready after {READY_WITHIN:?}");
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(partner)
    }
}

impl Drop for Partner<'_> {
    fn drop(&mut self) {
        // ORDER: a flag alone, which Ends::now reads; nothing is handed over with it.
        self.shared.stop().store(1, Ordering::Relaxed);
        let until = Instant::now() + Duration::from_secs(2);
        while Instant::now() < until {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Tells a spinning child when to end. Asking costs one load of a line that nobody writes.
pub struct Ends<'a> {
    stop: &'a AtomicU64,
    parent: u32,
    asked: u32,
}

impl<'a> Ends<'a> {
    /// Ends with the process that is our parent now.
    pub fn with_parent(shared: &'a Shared) -> Self {
        Self { stop: shared.stop(), parent: std::os::unix::process::parent_id(), asked: 0 }
    }

    /// Whether to end now.
    #[inline]
    pub fn now(&mut self) -> bool {
        self.asked = self.asked.wrapping_add(1);
        if self.asked.is_multiple_of(LOOK_EVERY)
            && std::os::unix::process::parent_id() != self.parent
        {
            return true;
        }
        // ORDER: a flag alone, which Partner::drop sets.
        self.stop.load(Ordering::Relaxed) != 0
    }
}
