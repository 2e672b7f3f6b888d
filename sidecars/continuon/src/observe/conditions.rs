//! The conditions of a run: a number without them is not worth printing.
//!
//! Reads what the kernel says of itself and of the machine; what it does not say is told as
//! `unknown`, never guessed.

use serde::Serialize;
use std::fs;
use std::path::Path;

/// The machine and its kernel.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Machine {
    /// Release of the kernel.
    pub kernel: String,
    /// Its build line, as `uname -v` prints it.
    pub kernel_version: String,
    /// How readily the kernel lets one task interrupt another.
    pub preemption: String,
    /// Model of the processor.
    pub cpu_model: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// Who sets the cores' frequency.
    pub governor: String,
    /// Cores kept free of other tasks by the kernel's command line.
    pub isolated_cpus: String,
    /// Whether a hypervisor lies beneath: then wake-ups wait for another kernel too.
    pub virtual_machine: bool,
}

/// How busy the machine was.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Load {
    /// Mean number of runnable tasks over the last minute.
    pub one_minute: f64,
    /// Over five minutes.
    pub five_minutes: f64,
}

/// Said where the kernel says nothing.
pub const UNKNOWN: &str = "unknown";

fn line(path: &str) -> Option<String> {
    let text = fs::read_to_string(Path::new(path)).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

impl Machine {
    /// This machine, now.
    #[must_use]
    pub fn here() -> Self {
        let unknown = || UNKNOWN.to_owned();
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let version = line("/proc/sys/kernel/version").unwrap_or_else(unknown);
        Self {
            kernel: line("/proc/sys/kernel/osrelease").unwrap_or_else(unknown),
            preemption: preemption(
                line("/sys/kernel/realtime").as_deref(),
                line("/sys/kernel/debug/sched/preempt").as_deref(),
                &version,
            ),
            kernel_version: version,
            cpu_model: cpu_model(&cpuinfo)
                .or_else(|| line("/proc/device-tree/model"))
                .map_or_else(unknown, |model| model.trim_end_matches('\0').to_owned()),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            governor: line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
                .unwrap_or_else(|| "none (no frequency scaling)".to_owned()),
            isolated_cpus: line("/sys/devices/system/cpu/isolated")
                .unwrap_or_else(|| "none".to_owned()),
            virtual_machine: cpuinfo.lines().any(|line| {
                line.starts_with("flags")
                    && line.split_whitespace().any(|flag| flag == "hypervisor")
            }),
        }
    }
}

impl Load {
    /// The load now.
    #[must_use]
    pub fn now() -> Option<Self> {
        Self::parse(&line("/proc/loadavg")?)
    }

    fn parse(loadavg: &str) -> Option<Self> {
        let mut numbers = loadavg.split_whitespace().map(str::parse::<f64>);
        Some(Self { one_minute: numbers.next()?.ok()?, five_minutes: numbers.next()?.ok()? })
    }
}

/// The preemption model from the three places where a kernel may tell it.
fn preemption(realtime: Option<&str>, debug: Option<&str>, version: &str) -> String {
    if realtime == Some("1") || version.contains("PREEMPT_RT") {
        return "full real-time (PREEMPT_RT)".to_owned();
    }
    // As in "none (voluntary) full": the chosen one stands in brackets.
    if let Some(chosen) = debug.and_then(|all| all.split_once('(')?.1.split_once(')')) {
        return format!("{} (chosen at run time)", chosen.0);
    }
    if version.contains("PREEMPT_DYNAMIC") {
        return "dynamic, current choice unreadable (PREEMPT_DYNAMIC)".to_owned();
    }
    if version.contains("PREEMPT") {
        return "full, not real-time (PREEMPT)".to_owned();
    }
    "none or voluntary".to_owned()
}

fn cpu_model(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Load, cpu_model, preemption};

    #[test]
    fn the_preemption_model_is_told_by_the_first_place_that_knows_it() {
        let v = "#1 SMP PREEMPT_DYNAMIC Debian 6.12.9-1 (2026-01-10)";
        assert!(preemption(Some("1"), Some("(full)"), v).contains("PREEMPT_RT"));
        assert!(preemption(None, None, "#1 SMP PREEMPT_RT x").contains("PREEMPT_RT"));
        assert!(preemption(None, Some("none voluntary (full) lazy"), v).starts_with("full"));
        assert!(preemption(Some("0"), None, v).contains("unreadable"));
        assert_eq!(preemption(None, None, "#1 SMP x"), "none or voluntary");
    }

    #[test]
    fn load_and_processor_are_read_from_the_kernels_own_lines() {
        let load = Load::parse("0.52 1.25 0.58 1/467 12345").expect("five fields");
        assert_eq!((load.one_minute, load.five_minutes), (0.52, 1.25));
        assert_eq!(Load::parse(""), None);
        let text = "processor\t: 0\nmodel name\t: Some CPU @ 2.4GHz\n";
        assert_eq!(cpu_model(text).as_deref(), Some("Some CPU @ 2.4GHz"));
        assert_eq!(cpu_model("processor: 0"), None);
    }
}
