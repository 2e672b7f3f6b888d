//! A made-up I2C device, its bus task, and a board that has it.

use fast_loop::sealed_alloc;
use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;
use rt_board::{
    Board, BusError, BusTask, Call, DriveError, Opened, ReadingReader, ReadingWriter, Syscall,
    process_slot, reading_slot,
};
use rt_ring::{Newest, SlotReader, SlotWriter};
use rt_wire::{Imu, Microseconds, MonoNs, Observation, PulseFrame, Raw, Validity};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

/// Longer than any test runs: readings here grow old by the `now` that a test makes up.
pub(crate) const STALE_AFTER_NS: u64 = 1 << 50;
pub(crate) const EREMOTEIO: i32 = 121;
/// No robot file's neutral: only the board's `safe` gives it.
pub(crate) const NEUTRAL: Microseconds = Microseconds(1499);

/// What everything made up here calls.
pub(crate) const DEVICE: Call =
    Call { call: Syscall::Futex, why: "the lock around what the device saw" };

/// How the sensor behaves when it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Temper {
    Answers(u16),
    Fails,
    Stalls,
    Panics,
    PanicsInWords,
}

/// The made-up device: what it does next, and what it saw.
pub(crate) struct Wire {
    pub(crate) temper: Temper,
    pub(crate) asked: u64,
    pub(crate) steering: Microseconds,
    pub(crate) sealed: bool,
    /// Whether a run asks for its cores: a system call that the task does not name.
    pub(crate) looks_around: bool,
    pub(crate) cores: Option<CpuSet>,
    pub(crate) thread_name: [u8; 15],
}

#[derive(Clone)]
pub(crate) struct Device(Arc<(Mutex<Wire>, Condvar)>);

impl Device {
    pub(crate) fn new(temper: Temper) -> Self {
        let wire = Wire {
            temper,
            asked: 0,
            steering: Microseconds(0),
            sealed: false,
            looks_around: false,
            cores: None,
            thread_name: [0; 15],
        };
        Self(Arc::new((Mutex::new(wire), Condvar::new())))
    }

    pub(crate) fn wire(&self) -> MutexGuard<'_, Wire> {
        // A task that panicked on purpose did so with the wire in its hand.
        self.0.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Changes how the device behaves; gives the number of runs that saw it otherwise.
    pub(crate) fn becomes(&self, temper: Temper) -> u64 {
        let mut wire = self.wire();
        wire.temper = temper;
        self.0.1.notify_all();
        wire.asked
    }

    /// Waits until the device has been asked `times` times; all runs before that one are over then.
    pub(crate) fn is_asked(&self, times: u64) {
        let mut wire = self.wire();
        while wire.asked < times {
            wire = self.0.1.wait(wire).expect("nobody panics while this test waits");
        }
    }
}

/// The task: asks the device, tells the answer, and hands the newest pulses on.
struct ImuTask {
    device: Device,
    period_us: u32,
    readings: ReadingWriter<Imu>,
    pulses: SlotReader<'static, PulseFrame>,
}

impl BusTask for ImuTask {
    fn name(&self) -> &'static str {
        "imu"
    }

    fn period_us(&self) -> u32 {
        self.period_us
    }

    fn calls(&self) -> &'static [Call] {
        &[DEVICE]
    }

    fn run(&mut self, now: MonoNs) -> Result<(), BusError> {
        let mut wire = self.device.wire();
        wire.asked += 1;
        wire.sealed = sealed_alloc::is_sealed();
        if wire.looks_around {
            wire.cores = sched_getaffinity(Pid::from_raw(0)).ok();
        }
        let name = std::thread::current();
        for (into, byte) in wire.thread_name.iter_mut().zip(name.name().unwrap_or("").bytes()) {
            *into = byte;
        }
        if let Newest::New { record, .. } = self.pulses.read() {
            wire.steering = record.steering;
        }
        self.device.0.1.notify_all();
        while wire.temper == Temper::Stalls {
            wire = self.device.0.1.wait(wire).expect("nobody panics meanwhile");
        }
        match wire.temper {
            Temper::Answers(metres_per_s2) => {
                self.readings.tell(&Imu {
                    mono_ns: now,
                    accel_m_per_s2: [f32::from(metres_per_s2), 0.0, 9.81],
                    validity: Raw::new(Validity::Valid),
                    ..Imu::default()
                });
                Ok(())
            }
            Temper::Fails => {
                self.readings.fail();
                Err(BusError { errno: EREMOTEIO })
            }
            Temper::Panics => panic!("a driver's defect"),
            // Its words need memory.
            Temper::PanicsInWords => panic!("a driver's defect at {now:?}"),
            Temper::Stalls => unreachable!("waited for above"),
        }
    }
}

/// A board with that sensor on its bus, and a servo driver on the same one.
pub(crate) struct BusBoard {
    readings: ReadingReader<Imu>,
    pulses: SlotWriter<'static, PulseFrame>,
}

impl BusBoard {
    pub(crate) fn open(device: &Device, period_us: u32) -> Opened<Self> {
        let (writer, readings) = reading_slot(STALE_AFTER_NS);
        let (pulses, newest) = process_slot();
        let device = device.clone();
        let task = ImuTask { device, period_us, readings: writer, pulses: newest };
        let board = Self { readings, pulses };
        Opened { board, bus_tasks: vec![Box::new(task)], watchdog: None }
    }

    pub(crate) fn imu(&mut self, now: MonoNs) -> Imu {
        let mut observation = Observation::default();
        self.read(now, &mut observation);
        observation.imu
    }
}

impl Board for BusBoard {
    fn read(&mut self, now: MonoNs, observation: &mut Observation) {
        observation.imu = self.readings.at(now);
    }

    fn drive(&mut self, _: u64, _now: MonoNs, frame: &PulseFrame) -> Result<(), DriveError> {
        self.pulses.write(frame);
        Ok(())
    }

    fn safe(&mut self, _now: MonoNs) -> Result<(), DriveError> {
        self.pulses.write(&PulseFrame { steering: NEUTRAL, ..PulseFrame::default() });
        Ok(())
    }
}
