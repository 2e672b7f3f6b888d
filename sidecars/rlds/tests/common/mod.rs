//! Records that differ from each other in known ways, and a disk that runs full.

#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod chunks;
pub(crate) mod full;

use rlds::{About, FileSystem, HostFiles, Storage};
use rt_wire::{Fault, FaultSet, KernelState, Mode, MonoNs, RuleSet, Source, Telemetry, Validity};
use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::rc::Rc;

/// One millisecond.
pub(crate) const MS: u64 = 1_000_000;
/// Monotonic time of the first record.
pub(crate) const START: u64 = 5_000 * MS;

pub(crate) fn about() -> About {
    About {
        robot: "donkey".to_owned(),
        robot_model: "donkeycar".to_owned(),
        environment_id: "sim-twisty".to_owned(),
        frame_convention: "base_link".to_owned(),
        build_id: 0xabcd,
        start_mono_ns: MonoNs(START),
        start_unix_ms: 1_795_000_000_123,
        kernel: "6.12.0-rt".to_owned(),
        step_rate_hz: 20,
        ..About::default()
    }
}

/// Cycle `n` (from 1) of a drive at 1 kHz.
pub(crate) fn cycle(n: u64) -> Telemetry {
    let mut record = Telemetry {
        sequence: n,
        cycle_index: n,
        mono_ns: MonoNs(START + (n - 1) * MS),
        ..Telemetry::default()
    };
    record.release.release_time = MonoNs(record.mono_ns.0 - 50_000);
    record.release.woke_at = record.mono_ns;
    record.outcome.mode = Mode::Active.into();
    record.outcome.owner = Source::Pilot.into();
    record.outcome.asked.steering = 0.5;
    record.outcome.asked.throttle = 0.75;
    record.outcome.setpoint.steering = 0.25;
    record.outcome.setpoint.throttle = (n % 100) as f32 / 100.0;
    record.observation.wheel.speed_m_per_s = 1.5;
    record.observation.wheel.validity = Validity::Valid.into();
    record.observation.pose.x_m = 3.0;
    record.observation.pose.validity = Validity::Valid.into();
    record
}

/// As [`cycle`], with a cause and a rule in it.
pub(crate) fn troubled(n: u64) -> Telemetry {
    let mut record = cycle(n);
    record.outcome.causes = FaultSet::of(Fault::Overload);
    record.outcome.latched_causes = FaultSet::of(Fault::Overload);
    record.outcome.rules = RuleSet::RAMP;
    record
}

pub(crate) fn keyframe(after_cycle: u64) -> KernelState {
    KernelState {
        cycle_index: after_cycle,
        mono_ns: MonoNs(START + after_cycle * MS),
        build_id: 0xabcd,
        level: 7,
        ..KernelState::default()
    }
}

pub(crate) const ROBOT_JSON: &[u8] = br#"{"name":"donkey"}"#;

/// A disk in memory that refuses every byte beyond its size.
#[derive(Clone)]
pub(crate) struct Disk {
    pub(crate) bytes: Rc<RefCell<Vec<u8>>>,
    pub(crate) bytes_max: usize,
}

impl Disk {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { bytes: Rc::default(), bytes_max }
    }

    pub(crate) fn content(&self) -> Vec<u8> {
        self.bytes.borrow().clone()
    }
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut disk = self.bytes.borrow_mut();
        let room = self.bytes_max - disk.len();
        if room == 0 && !bytes.is_empty() {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        let taken = room.min(bytes.len());
        disk.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Storage for Disk {
    fn truncate(&mut self, bytes: u64) -> io::Result<()> {
        self.bytes.borrow_mut().truncate(usize::try_from(bytes).unwrap());
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// This machine's files, but recording and steps, which go to disks that run full.
pub(crate) struct SmallDisks {
    pub(crate) recording: Disk,
    pub(crate) steps: Disk,
}

pub(crate) enum OnDisk {
    Small(Disk),
    Host(File),
}

impl FileSystem for SmallDisks {
    type File = OnDisk;
    type Reader = File;

    fn make_dir(&self, path: &Path) -> io::Result<()> {
        HostFiles.make_dir(path)
    }

    fn create(&self, path: &Path) -> io::Result<OnDisk> {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("mcap") => Ok(OnDisk::Small(self.recording.clone())),
            Some("jsonl") => Ok(OnDisk::Small(self.steps.clone())),
            _ => HostFiles.create(path).map(OnDisk::Host),
        }
    }

    fn open(&self, path: &Path) -> io::Result<File> {
        HostFiles.open(path)
    }

    fn lock(&self, reader: &File) -> io::Result<bool> {
        HostFiles.lock(reader)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        HostFiles.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        HostFiles.remove(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        HostFiles.sync_dir(path)
    }
}

impl Write for OnDisk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Small(disk) => disk.write(bytes),
            Self::Host(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Storage for OnDisk {
    fn truncate(&mut self, bytes: u64) -> io::Result<()> {
        match self {
            Self::Small(disk) => disk.truncate(bytes),
            Self::Host(file) => file.truncate(bytes),
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        match self {
            Self::Small(disk) => disk.sync(),
            Self::Host(file) => Storage::sync(file),
        }
    }
}
