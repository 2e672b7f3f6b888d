//! The sidecars: three sources of commands, and all six hearts.
//!
//! Each is a small state machine with its own pace: it drives, claims, hangs, dies and comes back with
//! a new attach, writes garbage. In front of teleop is a network, behind the logger a disk. Decides
//! what the loop finds in its slots, never what it makes of it. Tests: tests/swarm.rs.

use super::dice::Dice;
use super::faults::{FaultClass, Faults};
use super::network::Network;
use super::recorder::Recorder;
use rt_wire::{
    Arrival, Command, CommandFlags, Inbox, InboxCommand, Mode, MonoNs, POINTS_MAX, Point, Raw,
};
use zerocopy::IntoBytes;

const TELEOP: usize = 0;
const LOGGER: usize = 3;
const CAMERA: usize = 4;
const BEAT_NS: u64 = 100_000_000;

/// What the person with the pad does.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pad {
    /// The arm button of the pad is held.
    pub(super) arm: bool,
}

/// One source of commands.
#[derive(Clone, Debug)]
struct Source {
    place: usize,
    dice: Dice,
    period_ns: u64,
    command_due_at: u64,
    beat_due_at: u64,
    sequence: u64,
    generation: u32,
    /// When the command that it is about to write was composed; set while it hangs.
    composed_at: Option<u64>,
    claims: bool,
    claims_change_at: u64,
    throttle: f32,
    steering: f32,
    drive_changes_at: u64,
}

/// Every sidecar.
#[derive(Clone, Debug)]
pub(super) struct Sources {
    /// The way from the person to teleop.
    pub(super) network: Network,
    /// The logger.
    pub(super) recorder: Recorder,
    sources: [Source; 3],
    beats_due_at: [u64; 3],
}

/// What a cycle is for everybody but the loop.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene<'a> {
    /// Now.
    pub(super) now_ns: u64,
    /// Now, by the clock for people: it may jump.
    pub(super) wall_ns: i64,
    /// What the newest telemetry says.
    pub(super) mode: Mode,
    /// What the person holds.
    pub(super) pad: Pad,
    /// What is wrong.
    pub(super) faults: &'a Faults,
    /// Nothing is, and everybody does the right thing.
    pub(super) calm: bool,
}

impl Sources {
    /// Sidecars that start at `now_ns`.
    #[must_use]
    pub(super) fn new(seed: u64, rate_hz: [u64; 3], now_ns: u64, wall_ns: i64) -> Self {
        let source = |place: usize| Source {
            place,
            dice: Dice::new(seed, 10 + place as u64),
            period_ns: 1_000_000_000 / rate_hz[place],
            command_due_at: now_ns + place as u64 * 3_000_000,
            beat_due_at: now_ns + 1_000_000,
            sequence: 0,
            generation: 1,
            composed_at: None,
            claims: false,
            claims_change_at: now_ns,
            throttle: 0.0,
            steering: 0.0,
            drive_changes_at: now_ns,
        };
        Self {
            network: Network::new(seed),
            recorder: Recorder::new(now_ns, wall_ns),
            sources: [0, 1, 2].map(source),
            beats_due_at: [now_ns; 3],
        }
    }

    /// The loop was restarted: everybody attaches anew, and the logger begins another episode.
    pub(super) fn attach_anew(&mut self, now_ns: u64, wall_ns: i64) {
        for source in &mut self.sources {
            source.generation += 1;
        }
        self.recorder = Recorder::new(now_ns, wall_ns);
        self.network.new_loop();
    }

    /// The others fall silent for good.
    pub(super) fn leave_only(&mut self, place: usize) {
        for source in self.sources.iter_mut().filter(|source| source.place != place) {
            source.command_due_at = u64::MAX;
        }
    }

    /// What the loop finds in this cycle.
    pub(super) fn cycle(&mut self, scene: &Scene<'_>, inbox: &mut Inbox) {
        let Scene { now_ns, faults, .. } = *scene;
        self.network.live(now_ns, faults);
        for (source, slot) in self.sources.iter_mut().zip(&mut inbox.commands) {
            slot.arrival = Raw::new(Arrival::Absent);
            if source.live(now_ns, faults) && source.place == TELEOP {
                self.network.forget();
            }
            let up = source.is_up(faults);
            if now_ns >= source.beat_due_at && up {
                source.beat_due_at = now_ns + BEAT_NS;
                let mute = faults.hits(FaultClass::HeartStops, source.place);
                let heartbeat = &mut inbox.heartbeats[source.place];
                if !mute {
                    heartbeat.sequence += 1;
                    heartbeat.mono_ns = MonoNs(now_ns);
                }
            }
            let composed = (now_ns >= source.command_due_at && up).then(|| source.compose(scene));
            let (written, count) = if source.place == TELEOP {
                if let Some(command) = &composed {
                    self.network.send(now_ns, command, faults);
                }
                // A teleop that hangs reads later what has come meanwhile.
                up.then(|| self.network.receive(now_ns)).flatten().unzip()
            } else {
                (composed, Some(1))
            };
            let (Some(command), Some(count)) = (written, count) else { continue };
            source.write(&command, count, slot);
            let garbage = faults.hits(FaultClass::SourceGarbage, source.place);
            if garbage && source.dice.chance(0.7) {
                spoil(&mut source.dice, now_ns, slot);
                if source.place == TELEOP {
                    self.network.garbage(now_ns);
                }
            }
        }
        self.other_hearts(scene, inbox);
    }

    fn other_hearts(&mut self, scene: &Scene<'_>, inbox: &mut Inbox) {
        let Scene { now_ns, faults, .. } = *scene;
        self.recorder.cycle(now_ns, scene.wall_ns, faults);
        for (place, due_at) in (LOGGER..).zip(&mut self.beats_due_at) {
            let dead = (place == LOGGER && faults.is(FaultClass::LoggerDead))
                || (place == CAMERA && faults.is(FaultClass::CameraDead));
            if now_ns < *due_at || dead {
                continue;
            }
            *due_at = now_ns + BEAT_NS;
            let heartbeat = &mut inbox.heartbeats[place];
            let sequence = heartbeat.sequence + 1;
            if place == LOGGER {
                *heartbeat = *self.recorder.says();
            }
            heartbeat.sequence = sequence;
            heartbeat.mono_ns = MonoNs(now_ns);
        }
    }
}

impl Source {
    fn is_up(&self, faults: &Faults) -> bool {
        !faults.hits(FaultClass::SourceCrashes, self.place)
            && !faults.hits(FaultClass::SourceStalls, self.place)
    }

    /// Births and awakenings; whether this is a new process.
    fn live(&mut self, now_ns: u64, faults: &Faults) -> bool {
        let hit = |class| faults.hits(class, self.place);
        // Whoever wrote garbage is started anew too: a sequence of 2^64 − 1 is the last one.
        let over = |class| faults.ended.has(class) && faults.victim(class) == self.place;
        let is_new = over(FaultClass::SourceCrashes) || over(FaultClass::SourceGarbage);
        if is_new {
            // A new process attaches anew and counts from the beginning.
            self.generation += 1;
            self.sequence = 0;
        }
        if faults.began.has(FaultClass::SourceStalls) && hit(FaultClass::SourceStalls) {
            self.composed_at = Some(now_ns);
        }
        is_new
    }

    /// Whether it wants to drive, and where.
    fn decide(&mut self, now_ns: u64, calm: bool) {
        if now_ns >= self.claims_change_at {
            self.claims_change_at = now_ns + self.dice.between_ms(300, 6000);
            // Most of the time somebody wants to drive; a person with a pad wants it less often.
            self.claims = self.dice.chance(if self.place == TELEOP { 0.4 } else { 0.7 });
        }
        if calm {
            self.claims = true;
        }
        if now_ns >= self.drive_changes_at {
            self.drive_changes_at = now_ns + self.dice.between_ms(100, 4000);
            let any = self.dice.unit() as f32 * 2.0 - 1.0;
            self.throttle = self
                .dice
                .pick(&[0.0, 0.0, any, any, 1.0, 1.0, 1.0, 1.0, 1.0, -1.0, 0.1, 1e-40, -0.05]);
            self.steering = self.dice.pick(&[0.0, 1.0, -1.0, any, -any, 1.04]);
        }
    }

    /// The next command.
    fn compose(&mut self, scene: &Scene<'_>) -> Command {
        let Scene { now_ns, mode, pad, faults, calm, .. } = *scene;
        let place = self.place;
        let slow = faults.hits(FaultClass::SourceSlow, place);
        let periods = if slow { self.dice.between(3, 12) } else { 1 };
        self.command_due_at = now_ns + self.period_ns * periods;
        self.decide(now_ns, calm);
        let hit = |class| faults.hits(class, place);
        let delay_ns = self.dice.between(0, 4_000_000);
        let made_at = MonoNs(self.composed_at.take().unwrap_or(now_ns - delay_ns));
        self.sequence += self.dice.pick(&[1, 1, 1, 2]);
        let eager = hit(FaultClass::SourceEager);
        // In calm forward only: in reverse this car has hardly the force to start.
        let wanted = if calm { self.throttle.abs() } else { self.throttle };
        let throttle = if mode == Mode::Active || eager { wanted } else { 0.0 };
        // In calm no source lets its own command run out.
        let shortest_ns = if calm { 250_000_000 } else { 60_000_000 };
        let valid_ns = self.dice.pick(&[shortest_ns, 250_000_000, 900_000_000]);
        let mut command =
            Command::plain(self.sequence, made_at, made_at.plus(valid_ns), self.steering, throttle);
        if self.dice.chance(0.3) {
            self.plan_ahead(&mut command);
        }
        let teleop = place == TELEOP;
        let dead_man = !(teleop && faults.is(FaultClass::DeadManReleased));
        command.flags = CommandFlags::EMPTY
            .with(CommandFlags::ASKS_AUTHORITY, self.claims && !hit(FaultClass::SourceLetsGo))
            .with(CommandFlags::DEAD_MAN, teleop && dead_man)
            .with(
                CommandFlags::ARM,
                (teleop && pad.arm) || (!teleop && hit(FaultClass::SourceAsksArm)),
            )
            .with(CommandFlags::DISARM, teleop && faults.is(FaultClass::TeleopDisarms))
            .with(CommandFlags::ESTOP, hit(FaultClass::SourceEstop));
        command
    }

    /// Writes the last of `count` commands; nobody ever sees those before it.
    fn write(&self, command: &Command, count: u64, slot: &mut InboxCommand) {
        slot.slot_sequence += count;
        slot.command = *command;
        slot.generation = self.generation;
        slot.arrival = Raw::new(Arrival::New);
    }

    /// A few points after each other instead of one.
    fn plan_ahead(&mut self, command: &mut Command) {
        let n = self.dice.between(1, POINTS_MAX as u64) as usize;
        let throttle = command.points[0].throttle;
        let mut offset_us = self.dice.pick(&[0, 0, 5_000]);
        for point in command.points.iter_mut().take(n) {
            let part = self.dice.unit() as f32;
            *point = Point {
                offset_us,
                steering: self.steering * part,
                throttle: throttle * part,
                reserved: 0,
            };
            offset_us += self.dice.between(1, 20_000) as u32;
        }
        command.n = n as u32;
    }
}

/// Makes something of a good command that no honest source writes.
fn spoil(dice: &mut Dice, now_ns: u64, slot: &mut InboxCommand) {
    let command = &mut slot.command;
    let point = &mut command.points[0];
    match dice.between(0, 17) {
        0 => point.throttle = f32::NAN,
        1 => point.steering = dice.pick(&[f32::INFINITY, f32::NEG_INFINITY, f32::NAN]),
        2 => point.throttle = dice.pick(&[1.06, -1.06, 1e30, f32::MAX]),
        3 => command.sequence = command.sequence.saturating_sub(dice.between(1, 5)),
        4 => command.sequence = dice.pick(&[0, u64::MAX, 1]),
        5 => command.expires_at = MonoNs(dice.pick(&[0, now_ns, now_ns - 1, now_ns - 1_000_000])),
        6 => command.expires_at = MonoNs(now_ns + dice.pick(&[1_050_000_000, 3_600_000_000_000])),
        7 => {
            command.mono_ns =
                MonoNs(dice.pick(&[now_ns + 2_000_000, u64::MAX, now_ns + 1_000_000_000]))
        }
        8 => {
            command.mono_ns = MonoNs(dice.pick(&[
                0,
                now_ns - 95_000_000,
                now_ns - 195_000_000,
                now_ns - 255_000_000,
            ]))
        }
        9 => command.n = dice.pick(&[0, 9, u32::MAX]),
        10 => {
            command.n = 3;
            command.points[1].offset_us = command.points[0].offset_us;
        }
        11 => slot.arrival = Raw::new(Arrival::Corrupt),
        12 => slot.arrival = Raw::new(Arrival::Torn),
        13 => slot.arrival = Raw::from_bits(dice.bits() as u32),
        14 => slot.generation = dice.pick(&[slot.generation, 0, 77, slot.generation + 1]),
        15 => point.steering = f32::from_bits(dice.bits() as u32),
        16 => point.throttle = f32::from_bits(dice.bits() as u32),
        _ => {
            for word in command.as_mut_bytes().chunks_mut(8) {
                word.copy_from_slice(&dice.bits().to_le_bytes()[..word.len()]);
            }
        }
    }
}
