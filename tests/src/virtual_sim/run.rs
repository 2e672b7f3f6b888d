//! A whole run: self-test, arm, drive, disarm, stand; and its report.

use super::hash::WordHash;
use super::world::{Options, VirtualRobot};
use hil::bridge::seconds;
use hil::plant::TrackError;
use rt_wire::{Mode, OperatorKind};
use serde::Serialize;
use std::time::Instant;
use zerocopy::IntoBytes;

/// How long the operator tries to arm.
const ARM_WITHIN_NS: u64 = 5_000_000_000;
/// After the end of a drive the car stands within this.
const STANDS_WITHIN_NS: u64 = 4_000_000_000;
/// Slower than this it stands.
const STANDING_M_PER_S: f64 = 0.05;

/// Why a drive ended before it was told to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stopped {
    /// The mode that it fell to.
    pub mode: &'static str,
    /// Names of the causes of that cycle.
    pub causes: Vec<&'static str>,
}

/// What the car did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlantReport {
    /// Complete laps.
    pub laps: u32,
    /// Time of each.
    pub lap_times_s: Vec<f64>,
    /// Time of the last.
    pub lap_time_s: Option<f64>,
    /// Time of the best.
    pub best_lap_s: Option<f64>,
    /// Road covered.
    pub distance_m: f64,
    /// Length of the track.
    pub track_length_m: f64,
    /// Times that any wheel went outside.
    pub off_track_count: u32,
    /// Time outside.
    pub off_track_s: f64,
    /// Closest that any wheel came to the border, from inside; negative outside.
    pub border_margin_m_min: f64,
    /// Highest speed.
    pub top_speed_m_per_s: f64,
    /// Names the car's parameters.
    pub plant_hash: String,
    /// Names the car's last state to the bit.
    pub state_hash: String,
}

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Robot's name.
    pub robot: String,
    /// Track's name.
    pub track: String,
    /// Seed of the car.
    pub seed: u64,
    /// Cycles run.
    pub cycles: u64,
    /// Nominal time between two releases.
    pub period_us: u64,
    /// Whether the car became Active at all.
    pub armed: bool,
    /// Why the run is no success, in sentences; empty if it is one.
    pub reasons: Vec<String>,
    /// Why arming was refused, if it was.
    pub interlocks: Vec<&'static str>,
    /// Time in Active.
    pub driven_s: f64,
    /// Mode at the end.
    pub mode_final: &'static str,
    /// Why the drive ended, if not because its time was over.
    pub stopped: Option<Stopped>,
    /// Time from the end of Active until the car stood; absent if it never did.
    pub stood_after_s: Option<f64>,
    /// What the car did.
    pub plant: PlantReport,
    /// Hash of all telemetry records, whole.
    pub telemetry_hash: String,
    /// Time in the run's world.
    pub virtual_s: f64,
    /// Time of the computer. This and the next are the only values that differ between two runs.
    pub wall_s: f64,
    /// Cycles a second of computer time.
    pub cycles_per_s: f64,
}

impl Report {
    /// Whether the car was armed, drove on the track for as long as was asked, and came to rest.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.reasons.is_empty()
    }

    /// The sentences of `reasons`, from all the rest.
    fn judged(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if !self.armed {
            reasons.push(format!("not armed: {}", self.interlocks.join(", ")));
        }
        if let Some(Stopped { mode, causes }) = &self.stopped {
            reasons.push(format!("stopped early: {mode} because of {}", causes.join(", ")));
        }
        if self.armed && self.stood_after_s.is_none() {
            reasons.push("the car did not come to rest".to_owned());
        }
        let PlantReport { off_track_count, off_track_s, .. } = self.plant;
        if off_track_count > 0 {
            reasons.push(format!(
                "a wheel left the track ({off_track_count} ×, {off_track_s:.1} s outside)"
            ));
        }
        reasons
    }
}

/// The operator's part of a run, and what it sees.
struct Run {
    robot: VirtualRobot,
    hash: WordHash,
    cycles: u64,
}

impl Run {
    fn cycle(&mut self) -> Mode {
        let record = self.robot.cycle();
        self.hash.add(record.as_bytes());
        self.cycles += 1;
        // The kernel writes this field itself: a number without meaning is its own end.
        record.outcome.mode.get().unwrap_or(Mode::Fault)
    }

    fn now_ns(&self) -> u64 {
        self.robot.newest().mono_ns.0
    }

    /// Asks to arm whenever nothing forbids it, until the car is Active.
    fn arm(&mut self) -> bool {
        let mut mode = self.cycle();
        let until_ns = self.now_ns() + ARM_WITHIN_NS;
        while mode != Mode::Active && self.now_ns() < until_ns {
            if mode == Mode::Disarmed && self.robot.newest().outcome.interlocks.is_empty() {
                self.robot.ask(OperatorKind::Arm);
            }
            mode = self.cycle();
        }
        mode == Mode::Active
    }

    /// Drives for `drive_ns` in Active, lets the pilot park, then asks to disarm; or until Active
    /// ends by itself. Returns the time in Active.
    fn drive(&mut self, drive_ns: u64) -> (u64, Option<Stopped>) {
        let active_ns = self.now_ns();
        let mut asked_to_disarm = false;
        loop {
            let driven_ns = self.now_ns() - active_ns;
            if driven_ns >= drive_ns {
                self.robot.park();
                let waited_ns = driven_ns - drive_ns;
                if !asked_to_disarm && (self.stands() || waited_ns >= STANDS_WITHIN_NS) {
                    asked_to_disarm = true;
                    self.robot.ask(OperatorKind::Disarm);
                }
            }
            let mode = self.cycle();
            if mode != Mode::Active {
                let causes = self.robot.newest().outcome.causes;
                let stopped = Stopped {
                    mode: mode.name(),
                    causes: causes.faults().map(|fault| fault.name()).collect(),
                };
                return (self.now_ns() - active_ns, (!asked_to_disarm).then_some(stopped));
            }
        }
    }

    fn stands(&self) -> bool {
        self.robot.plant.status().motion.speed_m_per_s() < STANDING_M_PER_S
    }

    /// Waits until the car stands and nothing drives it any more.
    fn stand(&mut self) -> Option<u64> {
        let since_ns = self.now_ns();
        while self.now_ns() - since_ns < STANDS_WITHIN_NS {
            let mode = self.cycle();
            if !mode.relay_allowed() && self.stands() {
                return Some(self.now_ns() - since_ns);
            }
        }
        None
    }
}

/// Arms, drives for `seconds_active`, parks, disarms and waits until the car stands.
///
/// # Errors
/// A track that the plant refuses.
pub fn run(options: &Options, seconds_active: f64) -> Result<Report, TrackError> {
    let began = Instant::now();
    let robot = VirtualRobot::new(options)?;
    let mut run = Run { robot, hash: WordHash::default(), cycles: 0 };
    let armed = run.arm();
    let interlocks = match armed {
        true => Vec::new(),
        false => run.robot.newest().outcome.interlocks.interlocks().map(|i| i.name()).collect(),
    };
    let (driven_ns, stopped) =
        if armed { run.drive((seconds_active * 1e9) as u64) } else { (0, None) };
    let stood_after_ns = if armed { run.stand() } else { None };
    let wall_s = began.elapsed().as_secs_f64();

    let period_ns = options.robot.limits().period_ns;
    let mut report = Report {
        robot: options.robot.name().to_owned(),
        track: options.track.name().to_owned(),
        seed: options.seed,
        cycles: run.cycles,
        period_us: period_ns / 1000,
        armed,
        reasons: Vec::new(),
        interlocks,
        driven_s: seconds(driven_ns),
        mode_final: run.robot.newest().outcome.mode.get().map_or("?", Mode::name),
        stopped,
        stood_after_s: stood_after_ns.map(seconds),
        plant: plant_report(&mut run.robot),
        telemetry_hash: hex(run.hash.finish()),
        virtual_s: seconds(run.cycles * period_ns),
        wall_s,
        cycles_per_s: run.cycles as f64 / wall_s,
    };
    report.reasons = report.judged();
    Ok(report)
}

fn plant_report(robot: &mut VirtualRobot) -> PlantReport {
    let status = robot.status();
    let lap_times_s: Vec<f64> = robot.plant.lap_times_ns().iter().map(|ns| seconds(*ns)).collect();
    PlantReport {
        laps: status.laps,
        lap_time_s: lap_times_s.last().copied(),
        best_lap_s: lap_times_s.iter().copied().reduce(f64::min),
        lap_times_s,
        distance_m: status.distance_m,
        track_length_m: status.track_length_m,
        off_track_count: status.off_track_count,
        off_track_s: status.off_track_s,
        border_margin_m_min: robot.margin_m_min(),
        top_speed_m_per_s: status.top_speed_m_per_s,
        plant_hash: hex(status.plant_hash),
        state_hash: hex(robot.plant.state_hash()),
    }
}

fn hex(hash: u64) -> String {
    format!("{hash:016x}")
}
