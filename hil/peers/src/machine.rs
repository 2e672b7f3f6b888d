//! The machine we measure on: which cores, which priority, and the conditions of a run.
//!
//! A figure without its conditions is not printed. What the kernel does not tell is `unknown`, never
//! guessed. Shown by: running it.

use anyhow::{Context as _, Result, anyhow, ensure};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::statvfs::statvfs;
use nix::unistd::Pid;
use serde::Serialize;
use std::fmt;
use std::fs;
use std::path::Path;
use std::time::SystemTime;
use thread_priority::unix::{
    NormalThreadSchedulePolicy, RealtimeThreadSchedulePolicy, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};
use thread_priority::{ThreadPriority, ThreadPriorityValue};

/// The two cores that everything is measured on.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Cores {
    /// The loop's, and that of whatever it is held against.
    pub real_time: usize,
    /// Where the other side of an exchange runs.
    pub other: usize,
}

impl Cores {
    /// The last core that we may use, as `fast-loop` chooses by itself, and the first.
    ///
    /// # Errors
    /// There is one core only: two sides of an exchange cannot both run.
    pub fn choose() -> Result<Self> {
        let set = sched_getaffinity(Pid::from_raw(0)).context("which cores may we use")?;
        let mut may = (0..CpuSet::count()).filter(|cpu| set.is_set(*cpu).unwrap_or(false));
        let other = may.next().ok_or_else(|| anyhow!("no core may be used"))?;
        let real_time = may.next_back().unwrap_or(other);
        ensure!(real_time != other, "one core may be used, two are needed");
        Ok(Self { real_time, other })
    }
}

/// Binds the calling thread to one core.
///
/// # Errors
/// The kernel refuses.
pub fn pin(cpu: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu)
        .and_then(|()| sched_setaffinity(Pid::from_raw(0), &set))
        .with_context(|| format!("pin to core {cpu}"))
}

/// SCHED_FIFO for the calling thread; whether it could be had.
#[must_use]
pub fn fifo(priority: u8) -> bool {
    let Ok(value) = ThreadPriorityValue::try_from(priority) else {
        return false;
    };
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Crossplatform(value), policy)
        .is_ok()
}

/// Back to the ordinary scheduler. Always allowed.
pub fn ordinary() {
    let policy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Other);
    set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, policy).ok();
}

/// What stands above every table.
#[derive(Clone, Debug, Serialize)]
pub struct Conditions {
    /// When the bench began, UTC.
    pub date: String,
    /// Release and build line of the kernel.
    pub kernel: String,
    /// How readily the kernel lets one task interrupt another.
    pub preemption: String,
    /// Model of the processor.
    pub cpu: String,
    /// Cores that we may use.
    pub cores: usize,
    /// Which of them were measured on.
    pub measured_on: Cores,
    /// Whether a hypervisor lies beneath.
    pub virtual_machine: bool,
    /// Who sets the cores' frequency.
    pub governor: String,
    /// Cores that the kernel keeps free.
    pub isolated: String,
    /// Where monotonic time comes from.
    pub clock_source: String,
    /// Whether SCHED_FIFO may be had.
    pub fifo: bool,
    /// Load averages (1, 5, 15 minutes) before the first figure.
    pub load_before: String,
    /// The same after the last.
    pub load_after: String,
    /// Windows were shortened: good for checking the harness, not for quoting.
    pub quick: bool,
    /// Alternations of each pair.
    pub alternations: usize,
    /// What else a reader of these figures must know, a line each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
}

impl Conditions {
    /// As they are now.
    #[must_use]
    pub fn now(cores: Cores, quick: bool, alternations: usize) -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let version = line("/proc/sys/kernel/version").unwrap_or_default();
        let release = line("/proc/sys/kernel/osrelease").unwrap_or_default();
        let cpu = cpuinfo
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
            .map(|(_, model)| model.trim().to_owned())
            .or_else(|| line("/proc/device-tree/model"))
            .unwrap_or_else(unknown);
        let had_fifo = fifo(1);
        ordinary();
        Self {
            date: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            kernel: format!("{release} {version}"),
            preemption: preemption(&version),
            cpu,
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            measured_on: cores,
            virtual_machine: cpuinfo.contains(" hypervisor"),
            governor: line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
                .unwrap_or_else(|| "none".to_owned()),
            isolated: line("/sys/devices/system/cpu/isolated").unwrap_or_else(|| "none".to_owned()),
            clock_source: line("/sys/devices/system/clocksource/clocksource0/current_clocksource")
                .unwrap_or_else(unknown),
            fifo: had_fifo,
            load_before: load(),
            load_after: String::new(),
            quick,
            alternations,
            also: Vec::new(),
        }
    }
}

impl fmt::Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let virtual_machine = if self.virtual_machine { ", virtual machine" } else { "" };
        let fifo = if self.fifo { "SCHED_FIFO" } else { "no SCHED_FIFO" };
        let quick = if self.quick { ", QUICK: checks the harness, not to be quoted" } else { "" };
        let Cores { real_time, other } = self.measured_on;
        writeln!(f, "date {}{quick}", self.date)?;
        writeln!(f, "kernel {}, preemption {}", self.kernel, self.preemption)?;
        writeln!(
            f,
            "cpu {}, {} cores{virtual_machine}, governor {}, isolated cores {}, clock {}",
            self.cpu, self.cores, self.governor, self.isolated, self.clock_source
        )?;
        writeln!(f, "{fifo}, loop on core {real_time}, other side on core {other}")?;
        writeln!(
            f,
            "load average {} before, {} after; {} alternations with the peer in the same run",
            self.load_before, self.load_after, self.alternations
        )?;
        self.also.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// The file system that `folder` is on, and what is free there.
#[must_use]
pub fn file_system(folder: &Path) -> String {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let kind = mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ').skip(1);
            Some((words.next()?, words.next()?))
        })
        .filter(|(place, _)| folder.starts_with(place))
        .max_by_key(|(place, _)| place.len())
        .map_or_else(unknown, |(_, kind)| kind.to_owned());
    let free = statvfs(&folder).map(|found| found.blocks_available() * found.fragment_size());
    let free = free.map_or_else(|_| unknown(), |bytes| format!("{} GB", bytes / 1_000_000_000));
    format!("{kind}, {free} free")
}

/// The three load averages.
#[must_use]
pub fn load() -> String {
    let text = line("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

fn preemption(version: &str) -> String {
    if line("/sys/kernel/realtime").as_deref() == Some("1") || version.contains("PREEMPT_RT") {
        return "full real-time (PREEMPT_RT)".to_owned();
    }
    let chosen = line("/sys/kernel/debug/sched/preempt")
        .and_then(|all| Some(all.split_once('(')?.1.split_once(')')?.0.to_owned()));
    match chosen {
        Some(chosen) => format!("{chosen} (chosen at run time)"),
        None if version.contains("PREEMPT_DYNAMIC") => {
            "dynamic, current choice unreadable".to_owned()
        }
        None if version.contains("PREEMPT") => "full, not real-time (PREEMPT)".to_owned(),
        None => "none or voluntary".to_owned(),
    }
}

fn line(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.trim().trim_end_matches('\0').to_owned()).filter(|text| !text.is_empty())
}

fn unknown() -> String {
    "unknown".to_owned()
}
