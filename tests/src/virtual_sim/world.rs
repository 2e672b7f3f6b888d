//! One cycle at a time: the robot and its world, with every hand on it that a test needs.

use hil::bridge::{self, Truth};
use hil::plant::track::Projection;
use hil::plant::{Inputs, Plant, PlantParams, TrackError};
use pilot::Pilot;
use rt_config::{Robot, Track};
use rt_control::Kernel;
use rt_wire::topics::{PILOT, RLDS_LOGGER};
use rt_wire::{
    Arrival, Command, HEARTBEAT_SOURCES, HeartbeatFlags, HousekeepingFlags, KernelState, MonoNs,
    OperatorKind, PlantStatus, PulseFlags, Raw, Release, SidecarState, SimPins, Source, Telemetry,
};
use std::collections::VecDeque;

/// The first release: well after 0, which in a record means "never".
const START_NS: u64 = 1_000_000_000;
/// Sidecars give a sign of life, and housekeeping its word, this often.
const HEARTBEAT_PERIOD_NS: u64 = 100_000_000;
/// The car is looked at this often: it moves centimetres in between.
const LOOK_PERIOD_NS: u64 = 10_000_000;
/// How far around the last place the next one is looked for.
const WINDOW_M: f64 = 0.75;

/// What a virtual robot is made of.
#[derive(Clone, Debug)]
pub struct Options {
    /// The robot; its board must be `sim` for the calibration to fit the car.
    pub robot: Robot,
    /// The track.
    pub track: Track,
    /// The car.
    pub params: PlantParams,
    /// Seed of everything random in the car.
    pub seed: u64,
    /// Cycles from the record that the pilot saw to the one whose inbox holds its answer.
    pub command_delay_cycles: u64,
}

impl Options {
    /// The documented car, and a command that arrives in the cycle after the one it answers.
    #[must_use]
    pub fn new(robot: Robot, track: Track, seed: u64) -> Self {
        let params = PlantParams::donkey_1_10();
        Self { robot, track, params, seed, command_delay_cycles: 1 }
    }
}

/// The robot and its world.
#[derive(Clone, Debug)]
pub struct VirtualRobot {
    /// The car; a test may press its buttons or break it.
    pub plant: Plant,
    /// Whether the pilot lives: false stops commands and heartbeats, as a kill would.
    pub pilot_lives: bool,
    /// Whether the pilot's process runs: false is a stall, after which it goes on with the newest.
    pub pilot_runs: bool,
    /// Cycles from a record to the inbox that holds the answer to it.
    pub command_delay_cycles: u64,
    kernel: Kernel,
    pilot: Pilot,
    pins: SimPins,
    inputs: Inputs,
    record: Telemetry,
    truth: Truth,
    place: Projection,
    margin_m_min: f64,
    pilot_period_ns: u64,
    pilot_due_at: MonoNs,
    on_the_way: VecDeque<(u64, Command)>,
    command_count: u64,
    heartbeat_due_at: MonoNs,
    pilot_heartbeat_due_at: MonoNs,
    look_due_at: MonoNs,
}

impl VirtualRobot {
    /// A robot that stands on the start line, before its first cycle.
    ///
    /// # Errors
    /// A track that the plant refuses.
    pub fn new(options: &Options) -> Result<Self, TrackError> {
        let track = bridge::track(&options.track)?;
        let (x_m, y_m, _) = track.start();
        let place = track.project(x_m, y_m);
        let plant = Plant::new(options.params, track, options.seed, START_NS);
        let rate_hz = u64::from(options.robot.file().pilot.rate_hz);
        Ok(Self {
            plant,
            pilot_lives: true,
            pilot_runs: true,
            command_delay_cycles: options.command_delay_cycles,
            kernel: Kernel::new(&options.robot.limits(), 0),
            pilot: Pilot::new(&options.robot, &options.track),
            pins: SimPins::default(),
            inputs: Inputs::default(),
            record: Telemetry::default(),
            truth: Truth::default(),
            place,
            margin_m_min: f64::INFINITY,
            pilot_period_ns: 1_000_000_000 / rate_hz.max(1),
            pilot_due_at: MonoNs(START_NS),
            on_the_way: VecDeque::new(),
            command_count: 0,
            heartbeat_due_at: MonoNs(START_NS),
            pilot_heartbeat_due_at: MonoNs(START_NS),
            look_due_at: MonoNs(START_NS),
        })
    }

    /// Asks as a local operator would; the next cycle finds it in its inbox.
    pub fn ask(&mut self, kind: OperatorKind) {
        let inbox = &mut self.record.inbox;
        let now = self.record.mono_ns;
        if kind == OperatorKind::Estop {
            inbox.estop.sequence += 1;
            inbox.estop.mono_ns = now;
        } else {
            inbox.operator.sequence += 1;
            inbox.operator.mono_ns = now;
            inbox.operator.kind = Raw::new(kind);
        }
    }

    /// One cycle, at its release and without a nanosecond's latency.
    pub fn cycle(&mut self) -> &Telemetry {
        let period_ns = self.kernel.limits().period_ns;
        let index = self.record.sequence;
        let now = MonoNs(START_NS + index * period_ns);
        self.plant.step(now.0, &self.inputs);
        self.release(index, now);
        let drive_error_count = self.record.observation.drive_error_count;
        self.record.observation = bridge::observation(&self.plant.sensors());
        self.record.observation.drive_error_count = drive_error_count;
        self.deliver(index);
        self.give_signs_of_life(now);

        let record = &mut self.record;
        record.outcome = self.kernel.step(&record.release, &record.observation, &record.inbox);
        record.sequence = index + 1;
        record.cycle_index = index;
        record.mono_ns = now;
        self.drive(index, now);
        self.let_pilot_answer(index, now);
        self.look_on(now);
        &self.record
    }

    /// The newest record.
    #[must_use]
    pub fn newest(&self) -> &Telemetry {
        &self.record
    }

    /// The kernel's memory after the newest cycle.
    #[must_use]
    pub fn keyframe(&self) -> &KernelState {
        self.kernel.state()
    }

    /// Tells the pilot to roll to a stop on the track, as its process does when it shall end.
    pub fn park(&mut self) {
        self.pilot.park();
    }

    /// The truth about the car.
    pub fn status(&mut self) -> PlantStatus {
        self.truth.status(&self.plant, &self.inputs)
    }

    /// The least that any wheel ever was inside the border; negative where it was outside.
    #[must_use]
    pub fn margin_m_min(&self) -> f64 {
        self.margin_m_min
    }

    fn release(&mut self, index: u64, now: MonoNs) {
        let previous = self.record.release.woke_at;
        self.record.release = Release {
            cycle_index: index,
            release_time: now,
            sleep_ended_at: now,
            woke_at: now,
            previous_woke_at: previous,
            previous_driven_at: previous,
            previous_finished_at: previous,
            missed_releases: 0,
            spin_lead_ns: 0,
        };
    }

    /// The newest command that is due, as the loop copies its slot: what is not new stays.
    fn deliver(&mut self, index: u64) {
        let Some(place) = Source::Pilot.index() else { return };
        let inbox = &mut self.record.inbox.commands[place];
        inbox.arrival = Raw::new(Arrival::Absent);
        while self.on_the_way.front().is_some_and(|(due, _)| *due <= index) {
            let Some((_, command)) = self.on_the_way.pop_front() else { return };
            self.command_count += 1;
            inbox.slot_sequence = self.command_count;
            inbox.command = command;
            inbox.generation = 1;
            inbox.arrival = Raw::new(Arrival::New);
        }
    }

    /// A pilot that stalled speaks as soon as it runs again; a dead one does not.
    fn give_signs_of_life(&mut self, now: MonoNs) {
        if self.pilot_lives && self.pilot_runs && now >= self.pilot_heartbeat_due_at {
            self.pilot_heartbeat_due_at = now.plus(HEARTBEAT_PERIOD_NS);
            self.heartbeat(PILOT, HeartbeatFlags::EMPTY, now);
        }
        if now >= self.heartbeat_due_at {
            self.heartbeat_due_at = now.plus(HEARTBEAT_PERIOD_NS);
            self.heartbeat(RLDS_LOGGER, HeartbeatFlags::RECORDING, now);
            let word = &mut self.record.inbox.housekeeping;
            word.sequence += 1;
            word.mono_ns = now;
            word.flags = HousekeepingFlags::SEALED
                | HousekeepingFlags::REALTIME
                | HousekeepingFlags::MEMORY_LOCKED;
        }
    }

    fn heartbeat(&mut self, source: &str, flags: HeartbeatFlags, now: MonoNs) {
        let last_sequence_read = self.record.sequence;
        let places = HEARTBEAT_SOURCES.into_iter().zip(&mut self.record.inbox.heartbeats);
        for (_, heartbeat) in places.filter(|(name, _)| *name == source) {
            heartbeat.sequence += 1;
            heartbeat.mono_ns = now;
            heartbeat.last_sequence_read = last_sequence_read;
            heartbeat.state = Raw::new(SidecarState::Running);
            heartbeat.flags = flags;
        }
    }

    /// The pins as the `sim` board shows them.
    fn drive(&mut self, index: u64, now: MonoNs) {
        let pulses = self.record.outcome.pulses;
        if pulses.flags.has(PulseFlags::PUMP) {
            self.pins.heartbeat_edges += 1;
            self.pins.heartbeat_level ^= 1;
        }
        self.pins.cycle_index = index;
        self.pins.mono_ns = now;
        self.pins.pulses = pulses;
        self.inputs = bridge::inputs(&self.pins);
    }

    /// The pilot keeps its own absolute pace; what it missed while it did not run is not caught up.
    fn let_pilot_answer(&mut self, index: u64, now: MonoNs) {
        if now < self.pilot_due_at || !self.pilot_runs {
            return;
        }
        while self.pilot_due_at <= now {
            self.pilot_due_at = self.pilot_due_at.plus(self.pilot_period_ns);
        }
        if self.pilot_lives {
            let command = self.pilot.command(now, &self.record);
            self.on_the_way.push_back((index + self.command_delay_cycles.max(1), command));
        }
    }

    /// Top speed and margin: what only an onlooker knows.
    fn look_on(&mut self, now: MonoNs) {
        if now < self.look_due_at {
            return;
        }
        self.look_due_at = self.look_due_at.plus(LOOK_PERIOD_NS);
        let PlantStatus { x_m, y_m, .. } = self.status();
        let track = self.plant.track();
        self.place = track.project_near(&self.place, WINDOW_M, x_m, y_m);
        for (x_m, y_m) in self.plant.wheels() {
            let wheel = track.project_near(&self.place, WINDOW_M, x_m, y_m);
            self.margin_m_min = self.margin_m_min.min(-wheel.beyond_m());
        }
    }
}
