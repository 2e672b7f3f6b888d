//! What makes a thread real-time on Linux: its core, its priority, memory that is there.
//!
//! It decides what can be had here and says what could not; whether the car may then arm is the
//! kernel's (the housekeeping word carries the facts). Everything here runs before the seal.

use crate::proc_file;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
use nix::unistd::Pid;
use std::fs::File;
use std::io::Write as _;
use thread_priority::unix::{
    RealtimeThreadSchedulePolicy, ThreadSchedulePolicy, set_thread_priority_and_policy,
    thread_native_id,
};
use thread_priority::{ThreadPriority, ThreadPriorityValue};

/// What could be had, and what not and why.
#[derive(Clone, Debug, Default)]
pub struct Granted {
    /// The core the thread is pinned to.
    pub cpu: Option<u32>,
    /// SCHED_FIFO priority; `None` without it.
    pub priority: Option<u8>,
    /// Whether the kernel keeps the core free of other work.
    pub isolated: bool,
    /// A sentence for each thing that could not be had.
    pub lacks: Vec<String>,
}

/// Stack that the loop may use, touched once so that it never faults.
const STACK_PREFAULT_BYTES: usize = 128 * 1024;

/// Stack of the loop thread: what is touched, and room for what the compiler adds.
pub const LOOP_STACK_BYTES: usize = 512 * 1024;

/// Locks all present and future memory of the process, or says why it does not.
///
/// As an ordinary user with a small `RLIMIT_MEMLOCK` `mlockall(MCL_FUTURE)` succeeds and the next
/// large allocation fails: so look first, and then rather do not lock.
///
/// # Errors
/// A sentence that says what limits it and how to mend it.
pub fn lock_memory(needed_bytes: u64) -> Result<(), String> {
    let may_ignore_limit = proc_file::has_capability(proc_file::CAP_IPC_LOCK);
    let (soft, _hard) = getrlimit(Resource::RLIMIT_MEMLOCK).unwrap_or((0, 0));
    if !may_ignore_limit && soft != RLIM_INFINITY && soft < needed_bytes {
        return Err(format!(
            "memory not locked: RLIMIT_MEMLOCK is {} KiB, needed {} KiB: raise it (`ulimit -l`, \
             or LimitMEMLOCK= in the unit)",
            soft / 1024,
            needed_bytes / 1024
        ));
    }
    mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE)
        .map_err(|error| format!("memory not locked: mlockall: {error}"))
}

/// Touches the stack below the caller once.
#[inline(never)]
pub fn prefault_stack() {
    let mut pages = [0_u8; STACK_PREFAULT_BYTES];
    for page in pages.chunks_mut(4096) {
        if let Some(first) = page.first_mut() {
            *first = 1;
        }
    }
    std::hint::black_box(&mut pages);
}

/// Pins the calling thread to `cpu` (or else to an isolated core, or else to the last one that it
/// may use) and asks for SCHED_FIFO. What fails is told, not fatal.
#[must_use]
pub fn make_realtime(cpu: Option<u32>, priority: u8) -> Granted {
    let mut granted = Granted::default();
    let isolated = proc_file::isolated_cpus();
    let chosen = cpu.or_else(|| isolated.first().copied()).or_else(last_allowed_cpu);
    match chosen {
        None => granted.lacks.push("not pinned: no core may be used".to_owned()),
        Some(cpu) => match pin(cpu) {
            Ok(()) => {
                granted.cpu = Some(cpu);
                granted.isolated = isolated.contains(&cpu);
            }
            Err(why) => granted.lacks.push(why),
        },
    }
    match fifo(priority) {
        Ok(()) => granted.priority = Some(priority),
        Err(why) => granted.lacks.push(why),
    }
    granted
}

fn last_allowed_cpu() -> Option<u32> {
    let set = sched_getaffinity(Pid::from_raw(0)).ok()?;
    let cpus = (0..CpuSet::count()).filter(|cpu| set.is_set(*cpu).unwrap_or(false));
    cpus.max().and_then(|cpu| u32::try_from(cpu).ok())
}

fn pin(cpu: u32) -> Result<(), String> {
    let mut set = CpuSet::new();
    set.set(cpu as usize)
        .and_then(|()| sched_setaffinity(Pid::from_raw(0), &set))
        .map_err(|error| format!("not pinned to core {cpu}: {error}"))
}

fn fifo(priority: u8) -> Result<(), String> {
    let value = ThreadPriorityValue::try_from(priority)
        .map_err(|error| format!("no SCHED_FIFO: priority {priority}: {error}"))?;
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Crossplatform(value), policy)
        .map_err(|error| {
            format!(
                "no SCHED_FIFO: {}: raise the limit (`ulimit -r {priority}`, or \
                 LimitRTPRIO= in the unit)",
                in_words(&error)
            )
        })
}

/// The kernel's number in words.
fn in_words(error: &thread_priority::Error) -> String {
    match error {
        thread_priority::Error::OS(number) => {
            std::io::Error::from_raw_os_error(*number).to_string()
        }
        other => other.to_string(),
    }
}

/// Asks the kernel to keep the cores out of deep sleep for as long as the file stays open.
///
/// # Errors
/// A sentence that says why not.
pub fn hold_dma_latency() -> Result<File, String> {
    let refused = |error| format!("cpu_dma_latency not held: {error}");
    let mut file = File::options().write(true).open("/dev/cpu_dma_latency").map_err(refused)?;
    file.write_all(&0_i32.to_ne_bytes()).map_err(refused)?;
    Ok(file)
}
