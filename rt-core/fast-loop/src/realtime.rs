//! What makes a thread real-time on Linux: its core, its priority, memory that is there.
//!
//! It decides what can be had here and says what could not; whether the car may then arm is the
//! kernel's (the housekeeping word carries the facts). Everything here runs before the seal.

use crate::proc_file;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::mman::{MlockAllFlags, MmapAdvise, madvise, mlockall};
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
use nix::unistd::Pid;
use std::fs::File;
use std::io::{self, ErrorKind, Write as _};
use std::ptr::NonNull;
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

/// Stack that a real-time thread may use, touched once so that it never faults.
const STACK_PREFAULT_BYTES: usize = 128 * 1024;

/// Stack of a real-time thread: what is touched, and room for what the compiler adds.
pub const STACK_BYTES: usize = 512 * 1024;

/// Locks all present and future memory of the process, or says why it does not.
///
/// As an ordinary user with a small `RLIMIT_MEMLOCK` `mlockall(MCL_FUTURE)` succeeds and the next
/// large allocation fails: so look first, and then rather do not lock.
///
/// # Errors
/// A sentence that says what limits it and how to mend it.
pub fn lock_memory(needed_bytes: u64) -> Result<(), String> {
    let (soft, _hard) = getrlimit(Resource::RLIMIT_MEMLOCK).unwrap_or((0, 0));
    if soft != RLIM_INFINITY && soft < needed_bytes {
        let limit =
            format!("RLIMIT_MEMLOCK is {} KiB, needed {} KiB", soft / 1024, needed_bytes / 1024);
        match proc_file::has_capability(proc_file::CAP_IPC_LOCK) {
            Ok(true) => {}
            Ok(false) => {
                return Err(format!(
                    "memory not locked: {limit}: raise it (`ulimit -l`, or LimitMEMLOCK= in the unit)"
                ));
            }
            Err(error) => {
                return Err(format!(
                    "memory not locked: {limit}, and whether CAP_IPC_LOCK lifts that is not known: \
                     /proc/self/status: {}",
                    rt_shm::in_words(error)
                ));
            }
        }
    }
    mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE)
        .map_err(|error| format!("memory not locked: mlockall: {error}"))
}

/// Makes a mapping of this process resident, as if every page had been touched.
///
/// # Errors
/// The kernel is older than Linux 5.14, or does not want to.
pub fn populate(begin: usize, bytes: usize, is_writable: bool) -> nix::Result<()> {
    let advice =
        if is_writable { MmapAdvise::MADV_POPULATE_WRITE } else { MmapAdvise::MADV_POPULATE_READ };
    let begin =
        NonNull::new(std::ptr::with_exposed_provenance_mut(begin)).ok_or(nix::Error::EFAULT)?;
    // SAFETY: this advice changes no byte of what is mapped and unmaps nothing; where nothing is
    // mapped any more the kernel refuses.
    unsafe { madvise(begin, bytes, advice) }
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

/// The core for the loop thread: `cpu`, or else an isolated core, or else the last one that the
/// calling thread may use.
#[must_use]
pub fn choose_cpu(cpu: Option<u32>) -> Option<u32> {
    cpu.or_else(|| proc_file::isolated_cpus().first().copied()).or_else(last_allowed_cpu)
}

/// Pins the calling thread to the core that [`choose_cpu`] chose and asks for SCHED_FIFO. What fails
/// is told, not fatal.
#[must_use]
pub fn make_realtime(cpu: Option<u32>, priority: u8) -> Granted {
    let mut granted = Granted::default();
    match cpu {
        None => granted.lacks.push("not pinned: no core may be used".to_owned()),
        Some(cpu) => match pin(cpu) {
            Ok(()) => {
                granted.cpu = Some(cpu);
                granted.isolated = proc_file::isolated_cpus().contains(&cpu);
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

/// How far below the loop's priority the bus thread runs.
const BUS_BELOW_LOOP: u8 = 10;

/// SCHED_FIFO priority of the bus thread: 10 below the loop's, at least 1; `None` if nothing lies
/// below the loop's.
#[must_use]
pub const fn bus_priority(loop_priority: u8) -> Option<u8> {
    match loop_priority.saturating_sub(BUS_BELOW_LOOP) {
        0 if loop_priority > 1 => Some(1),
        0 => None,
        priority => Some(priority),
    }
}

/// Takes the calling thread off the loop's core and asks for SCHED_FIFO below the loop. What fails is
/// told, not fatal.
#[must_use]
pub fn make_bus_realtime(loop_cpu: Option<u32>, loop_priority: u8) -> Granted {
    let mut granted = Granted::default();
    // The core first, the priority last: a FIFO thread on the core that its parent spins on would
    // keep that parent from ever going on.
    if let Some(Err(why)) = loop_cpu.map(leave) {
        granted.lacks.push(why);
    }
    let below = bus_priority(loop_priority)
        .ok_or_else(|| format!("no SCHED_FIFO: no priority lies below the loop's {loop_priority}"));
    match below.and_then(|priority| fifo(priority).map(|()| priority)) {
        Ok(priority) => granted.priority = Some(priority),
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

/// Keeps the calling thread off core `cpu`, if it may use any other.
fn leave(cpu: u32) -> Result<(), String> {
    let refused = |error| format!("on the loop's core {cpu}: {error}");
    let mut set = sched_getaffinity(Pid::from_raw(0)).map_err(refused)?;
    set.unset(cpu as usize).map_err(refused)?;
    if !(0..CpuSet::count()).any(|other| set.is_set(other).unwrap_or(false)) {
        return Err(format!("on the loop's core {cpu}: there is no other"));
    }
    sched_setaffinity(Pid::from_raw(0), &set).map_err(refused)
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

/// The kernel's file of who wants shallow sleep.
const DMA_LATENCY: &str = "/dev/cpu_dma_latency";

/// Asks the kernel to keep the cores out of deep sleep for as long as the file stays open.
///
/// # Errors
/// A sentence that says why not.
pub fn hold_dma_latency() -> Result<File, String> {
    let refused = |error: io::Error| {
        let mend = match error.kind() {
            ErrorKind::PermissionDenied => {
                " (give the loop's user write access by a udev rule: KERNEL==\"cpu_dma_latency\", \
                 MODE=\"0660\", GROUP= one of its groups)"
            }
            ErrorKind::NotFound => " (this kernel has none: cores may sleep deeply)",
            _ => "",
        };
        format!("{DMA_LATENCY} not held: {}{mend}", rt_shm::in_words(error))
    };
    let mut file = File::options().write(true).open(DMA_LATENCY).map_err(refused)?;
    file.write_all(&0_i32.to_ne_bytes()).map_err(refused)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bus_thread_is_never_as_urgent_as_the_loop() {
        for loop_priority in 2..=98 {
            let priority = bus_priority(loop_priority).expect("there is one below");
            assert!((1..loop_priority).contains(&priority), "{priority} beside {loop_priority}");
        }
        assert_eq!(bus_priority(80), Some(70));
        assert_eq!(bus_priority(1), None);
    }

    #[test]
    fn thread_leaves_the_loops_core_unless_it_has_no_other() {
        // A thread of its own: the test thread keeps its cores.
        std::thread::spawn(|| {
            let before = sched_getaffinity(Pid::from_raw(0)).expect("this thread lives");
            let cpu = last_allowed_cpu().expect("it runs somewhere");
            let cores = (0..CpuSet::count()).filter(|cpu| before.is_set(*cpu).unwrap_or(false));
            let had_another = cores.count() > 1;
            assert_eq!(leave(cpu).is_ok(), had_another);
            let after = sched_getaffinity(Pid::from_raw(0)).expect("this thread lives");
            assert_eq!(after.is_set(cpu as usize), Ok(!had_another));

            pin(cpu).expect("it may run there");
            let why = leave(cpu).expect_err("there is no other");
            assert_eq!(why, format!("on the loop's core {cpu}: there is no other"));
        })
        .join()
        .expect("no assertion failed");
    }
}
