//! A car that stands in for plant and pilot: enough for the loop to be Active and busy.
//!
//! What it says is what a quiet straight looks like: every sensor fresh, commands at 50 Hz with four
//! points each, heartbeats at 10 Hz. Used in process by `step`, and over the sockets by the figures
//! that run the real `fast-loop`.

use crate::running_loop::RunningLoop;
use anyhow::{Context as _, Result, anyhow, bail};
use fast_loop::clock::now as mono_now;
use rt_shm::{Client, MappedSlotWriter, operator};
use rt_wire::topics::{COMMANDS, HEARTBEATS, PILOT, PLANT, SIM_OBSERVATION};
use rt_wire::{
    Battery, Command, CommandFlags, Heartbeat, Imu, IntegrityFlags, LineSet, Lines, Mode, MonoNs,
    Observation, OperatorKind, Point, Pose, Power, Raw, SidecarState, Source, Temperature,
    Validity, WheelSpeed,
};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

/// Place of the pilot among the sources of commands and of heartbeats.
pub const PILOT_PLACE: usize = 2;
const _: () = assert!(matches!(Source::Pilot.index(), Some(PILOT_PLACE)));
/// Cycles of 1 ms between two commands.
pub const COMMAND_EVERY: u64 = 20;
/// Cycles of 1 ms between two heartbeats.
pub const HEARTBEAT_EVERY: u64 = 100;
/// How long a command holds.
const VALID_NS: u64 = 80_000_000;

/// What the sensors say at `now`. The wheel turns only where throttle is asked for: a car that rolls
/// by itself has run away.
#[must_use]
pub fn observation(now: MonoNs, active: bool) -> Observation {
    let validity = Raw::new(Validity::Valid);
    let wave = (now.0 % 1_000_000_000) as f32 * 1e-9;
    let speed_m_per_s = if active { 1.5 + wave } else { 0.0 };
    Observation {
        lines: Lines { mono_ns: now, set: LineSet::EMPTY, validity },
        battery: Battery { mono_ns: now, volts: 7.9 - 0.1 * wave, validity },
        temperature: Temperature { mono_ns: now, celsius: 55.0 + wave, validity },
        power: Power { mono_ns: now, throttled: 0, validity },
        imu: Imu {
            mono_ns: now,
            accel_m_per_s2: [0.4 * wave, -0.3 * wave, 9.81],
            gyro_rad_per_s: [0.01, -0.02, 0.3 * wave],
            validity,
            reserved: 0,
        },
        wheel: WheelSpeed { mono_ns: now, speed_m_per_s, validity },
        pose: Pose { mono_ns: now, x_m: wave, y_m: -wave, yaw_rad: wave, validity },
        drive_error_count: 0,
        integrity: IntegrityFlags::EMPTY,
    }
}

/// What the pilot asks for at `now`: nothing while it may not drive.
#[must_use]
pub fn command(sequence: u64, now: MonoNs, active: bool) -> Command {
    let throttle = if active { 0.3 } else { 0.0 };
    let mut command = Command::plain(sequence, now, now.plus(VALID_NS), 0.0, throttle);
    for (place, point) in (0_u32..).zip(&mut command.points).take(4) {
        let steering = 0.1 * place as f32;
        *point = Point { offset_us: place * 5000, steering, throttle, reserved: 0 };
    }
    command.n = 4;
    command.flags = CommandFlags::ASKS_AUTHORITY;
    command
}

/// The pilot's sign of life.
#[must_use]
pub fn heartbeat(sequence: u64, now: MonoNs) -> Heartbeat {
    let state = Raw::new(SidecarState::Running);
    Heartbeat { sequence, mono_ns: now, state, pid: std::process::id(), ..Heartbeat::default() }
}

/// Plant and pilot of a running loop, in a thread of this process.
pub struct Car {
    ends: Arc<AtomicBool>,
    active: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

struct Outlets {
    // Their sockets must stay open.
    _clients: [Client; 2],
    observation: MappedSlotWriter<Observation>,
    command: MappedSlotWriter<Command>,
    heartbeat: MappedSlotWriter<Heartbeat>,
}

impl Car {
    /// Attaches plant and pilot to `running` and arms it; returns once it is Active.
    ///
    /// # Errors
    /// The loop refuses, and what it says to that.
    pub fn drive(running: &mut RunningLoop) -> Result<Self> {
        let connect = |process| Client::connect(running.run_dir(), running.robot_name(), process);
        let (mut plant, mut pilot) = (connect(PLANT)?, connect(PILOT)?);
        let mut outlets = Outlets {
            observation: plant.slot_writer(&SIM_OBSERVATION)?,
            command: pilot.slot_writer(&COMMANDS[PILOT_PLACE])?,
            heartbeat: pilot.slot_writer(&HEARTBEATS[PILOT_PLACE])?,
            _clients: [plant, pilot],
        };
        let (ends, active) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (its_end, is_active) = (Arc::clone(&ends), Arc::clone(&active));
        let thread = spawn(move || {
            let mut millisecond = 0_u64;
            // ORDER: flags alone, here and below; nothing is handed over with them.
            while !its_end.load(Ordering::Relaxed) {
                outlets.tell(millisecond, is_active.load(Ordering::Relaxed));
                millisecond += 1;
                sleep(Duration::from_millis(1));
            }
        });
        let car = Self { ends, active, thread: Some(thread) };
        arm(running.run_dir())?;
        let until = Instant::now() + Duration::from_secs(10);
        while running.newest()?.outcome.mode.get() != Some(Mode::Active) {
            if Instant::now() > until {
                bail!("armed, and not Active after 10 s");
            }
            sleep(Duration::from_millis(20));
        }
        // ORDER: as in the thread above.
        car.active.store(true, Ordering::Relaxed);
        Ok(car)
    }
}

impl Outlets {
    fn tell(&mut self, millisecond: u64, active: bool) {
        let now = mono_now();
        self.observation.write(&observation(now, active));
        // Twice as often as a real one: our millisecond sleeps, and may last two.
        if millisecond.is_multiple_of(COMMAND_EVERY / 2) {
            self.command.write(&command(millisecond + 1, now, active));
        }
        if millisecond.is_multiple_of(HEARTBEAT_EVERY / 2) {
            self.heartbeat.write(&heartbeat(millisecond + 1, now));
        }
    }
}

impl Drop for Car {
    fn drop(&mut self) {
        // ORDER: a flag alone; the thread is joined.
        self.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

/// Asks again until the loop has seen lines, command and heartbeat.
fn arm(run_dir: &Path) -> Result<()> {
    let until = Instant::now() + Duration::from_secs(5);
    loop {
        sleep(Duration::from_millis(100));
        let reply =
            operator::request(run_dir, OperatorKind::Arm, Duration::from_secs(2)).context("arm")?;
        if reply.accepted {
            return Ok(());
        }
        if Instant::now() > until {
            return Err(anyhow!("it does not arm: {reply:?}"));
        }
    }
}
