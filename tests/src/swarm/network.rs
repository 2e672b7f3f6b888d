//! The network between a person and teleop: frames get lost, come late, several times or out of
//! order, or nothing comes for a while and then all of it.
//!
//! Decides which frame comes out at teleop's end, and when. Teleop here passes on whatever comes,
//! but for frames of a session before its own: what a real one refuses besides (old, repeated or
//! overtaken frames) the kernel must not rely on. It must never change what a frame says. Beside the
//! frames it keeps the one figure that the oracle of a command's life goes by, made of its own
//! numbers of the frames and not of the commands' sequences. Tests: here, tests/swarm.rs.

use super::dice::Dice;
use super::faults::{FaultClass, Faults};
use super::marks::Frames;
use super::seen::TELEOP_AGE_NS;
use rt_wire::Command;

/// Frames that are on their way at most; a router has no more room either.
const ROOM: usize = 256;
/// What a network that is well again still holds comes out one a millisecond.
const BACKLOG_GAP_NS: u64 = 1_000_000;

/// A command of the person's device on its way.
#[derive(Clone, Copy, Debug)]
struct Frame {
    /// Counted over the whole run, unlike a session's sequence.
    number: u64,
    due_at: u64,
    command: Command,
}

/// The way from the person's device to teleop.
#[derive(Clone, Debug)]
pub(super) struct Network {
    /// When a frame last came for the first time in this loop's life, and young enough to count; 0
    /// before the first.
    pub(super) heard_at: u64,
    /// What happened to frames.
    pub(super) happened: Frames,
    dice: Dice,
    on_its_way: Vec<Frame>,
    next_due_at: u64,
    numbers: u64,
    /// The newest frame that came, and which of the 128 up to it did.
    newest: u64,
    came: u128,
    lost_share: f64,
    delay_ns: u64,
    /// A partition holds what it does not let through, instead of losing it.
    holds: bool,
}

impl Network {
    /// A network in which nothing is on its way.
    #[must_use]
    pub(super) fn new(seed: u64) -> Self {
        Self {
            heard_at: 0,
            happened: Frames::default(),
            dice: Dice::new(seed, 13),
            on_its_way: Vec::with_capacity(ROOM),
            next_due_at: u64::MAX,
            numbers: 0,
            newest: 0,
            came: 0,
            lost_share: 0.0,
            delay_ns: 0,
            holds: false,
        }
    }

    /// What begins gets its size; what has ended lets go of what it holds.
    pub(super) fn live(&mut self, now_ns: u64, faults: &Faults) {
        if faults.began.has(FaultClass::NetLoss) {
            self.lost_share = self.dice.pick(&[0.01, 0.1, 0.5]);
        }
        if faults.began.has(FaultClass::NetDelay) {
            let longest_ms = self.dice.pick(&[100, 240, 260, 400, 2000]);
            self.delay_ns = self.dice.between_ms(0, longest_ms);
        }
        if faults.began.has(FaultClass::NetPartition) {
            self.holds = self.dice.chance(0.6);
        }
        let over = faults.ended.has(FaultClass::NetDelay)
            || faults.ended.has(FaultClass::NetReorder)
            || faults.ended.has(FaultClass::NetPartition)
            || faults.ended.has(FaultClass::NetDuplicate);
        if over && !self.on_its_way.is_empty() {
            let dues = (1..).map(|place| now_ns + place * BACKLOG_GAP_NS);
            for (frame, due_at) in self.on_its_way.iter_mut().zip(dues) {
                frame.due_at = frame.due_at.min(due_at);
            }
            self.next_due_at = now_ns;
        }
    }

    /// The person's device sends.
    pub(super) fn send(&mut self, now_ns: u64, command: &Command, faults: &Faults) {
        self.numbers += 1;
        let cut = faults.is(FaultClass::NetPartition);
        if (faults.is(FaultClass::NetLoss) && self.dice.chance(self.lost_share))
            || (cut && !self.holds)
        {
            self.happened.lost += 1;
            return;
        }
        let mut due_at = now_ns;
        if faults.is(FaultClass::NetDelay) {
            due_at += self.delay_ns + self.dice.between_ms(0, 10);
        }
        if faults.is(FaultClass::NetReorder) && self.dice.chance(0.4) {
            due_at += self.dice.between_ms(1, 120);
        }
        if cut {
            due_at = u64::MAX;
        }
        let copies = if faults.is(FaultClass::NetDuplicate) { self.dice.between(1, 4) } else { 1 };
        for copy in 0..copies {
            let later_ns = if copy == 0 { 0 } else { self.dice.between_ms(0, 400) };
            let due_at = due_at.saturating_add(later_ns);
            self.put(Frame { number: self.numbers, due_at, command: *command });
        }
    }

    fn put(&mut self, frame: Frame) {
        if self.on_its_way.len() == ROOM {
            self.happened.lost += 1;
            return;
        }
        self.next_due_at = self.next_due_at.min(frame.due_at);
        self.on_its_way.push(frame);
    }

    /// What teleop reads in this cycle, and how many frames that is; the last one stays in its slot.
    pub(super) fn receive(&mut self, now_ns: u64) -> Option<(Command, u64)> {
        if now_ns < self.next_due_at {
            return None;
        }
        let mut last: Option<Frame> = None;
        let mut count = 0;
        self.next_due_at = u64::MAX;
        let next_due_at = &mut self.next_due_at;
        self.on_its_way.retain(|frame| {
            if frame.due_at > now_ns {
                *next_due_at = frame.due_at.min(*next_due_at);
                return true;
            }
            count += 1;
            if last.is_none_or(|last| last.due_at <= frame.due_at) {
                last = Some(*frame);
            }
            false
        });
        let last = last?;
        self.note(now_ns, &last);
        Some((last.command, count))
    }

    /// A new session: frames of the one before are refused at the door.
    pub(super) fn forget(&mut self) {
        self.on_its_way.clear();
        self.next_due_at = u64::MAX;
    }

    /// A loop that is started anew has heard nothing, and cannot know a repeated frame for one: what
    /// a frame is worth to it then is bounded by the frame's own stamp alone.
    pub(super) fn new_loop(&mut self) {
        (self.heard_at, self.newest, self.came) = (0, 0, 0);
    }

    /// Teleop wrote what nobody sent.
    pub(super) fn garbage(&mut self, now_ns: u64) {
        self.heard_at = now_ns;
    }

    /// A frame comes where the loop will find it.
    fn note(&mut self, now_ns: u64, frame: &Frame) {
        let too_old = now_ns - frame.command.mono_ns.0 > TELEOP_AGE_NS;
        let is_first = self.is_first(frame.number);
        self.happened.repeated += u64::from(!is_first);
        self.happened.too_old += u64::from(too_old);
        if is_first && !too_old {
            self.heard_at = now_ns;
        }
    }

    fn is_first(&mut self, number: u64) -> bool {
        if number > self.newest {
            let step = u32::try_from(number - self.newest).unwrap_or(u32::MAX);
            self.came = self.came.checked_shl(step).unwrap_or(0) | 1;
            self.newest = number;
            return true;
        }
        self.happened.overtaken += u64::from(number < self.newest);
        // What is older than the list has come before, for all that it may still do.
        let bit = u32::try_from(self.newest - number).ok().and_then(|age| 1_u128.checked_shl(age));
        let bit = bit.unwrap_or(0);
        let is_first = bit != 0 && self.came & bit == 0;
        self.came |= bit;
        is_first
    }
}

#[cfg(test)]
mod tests {
    use super::{Faults, Network};
    use crate::swarm::{Classes, FaultClass};
    use rt_wire::{Command, MonoNs};

    const MS: u64 = 1_000_000;

    /// A network in which one class strikes all the time, from 1 ms on.
    fn with(class: FaultClass) -> (Network, Faults) {
        let mut faults = Faults::new(1, Classes::default(), 1.0, 0);
        faults.on = Classes::default().with(class);
        faults.began = faults.on;
        let mut network = Network::new(1);
        network.live(MS, &faults);
        faults.began = Classes::default();
        (network, faults)
    }

    fn command(sequence: u64, now_ns: u64) -> Command {
        Command::plain(sequence, MonoNs(now_ns), MonoNs(now_ns + 200 * MS), 0.0, 0.0)
    }

    /// Sends one frame each 20 ms for 4 s; what came, by sequence.
    fn sent(network: &mut Network, faults: &Faults) -> Vec<u64> {
        let mut came = Vec::new();
        for now_ns in (MS..4000 * MS).step_by(MS as usize) {
            if (now_ns / MS) % 20 == 1 {
                network.send(now_ns, &command(now_ns / MS / 20 + 1, now_ns), faults);
            }
            came.extend(network.receive(now_ns).map(|(command, _)| command.sequence));
        }
        came
    }

    #[test]
    fn each_class_does_what_its_name_says_and_nothing_else() {
        let (mut network, quiet) = with(FaultClass::LateWake);
        assert_eq!(sent(&mut network, &quiet), (1..=200).collect::<Vec<u64>>());
        assert_eq!(network.happened, super::Frames::default());

        let (mut network, faults) = with(FaultClass::NetDuplicate);
        let came = sent(&mut network, &faults);
        assert!(came.len() > 300 && network.happened.repeated > 100, "{:?}", network.happened);

        let (mut network, faults) = with(FaultClass::NetReorder);
        let came = sent(&mut network, &faults);
        assert!(!came.is_sorted() && network.happened.overtaken > 10, "{:?}", network.happened);
        assert_eq!(network.happened.repeated, 0);

        let (mut network, faults) = with(FaultClass::NetLoss);
        let came = sent(&mut network, &faults);
        assert_eq!(came.len() as u64 + network.happened.lost, 200);
        assert!(came.is_sorted() && network.happened.lost > 0);

        let (mut network, faults) = with(FaultClass::NetPartition);
        assert!(sent(&mut network, &faults).is_empty());
    }

    #[test]
    fn only_a_frame_that_comes_young_and_for_the_first_time_counts() {
        let mut network = Network::new(1);
        let mut at = |number: u64, sent_at: u64, now_ns: u64| {
            let command = command(number, sent_at);
            network.note(now_ns, &super::Frame { number, due_at: now_ns, command });
            network.heard_at
        };
        assert_eq!(at(1, 10 * MS, 11 * MS), 11 * MS);
        assert_eq!(at(1, 10 * MS, 12 * MS), 11 * MS, "a second time");
        assert_eq!(at(3, 20 * MS, 21 * MS), 21 * MS);
        assert_eq!(at(2, 15 * MS, 22 * MS), 22 * MS, "overtaken, and new");
        assert_eq!(at(2, 15 * MS, 23 * MS), 22 * MS, "overtaken, a second time");
        assert_eq!(at(4, 30 * MS, 281 * MS), 22 * MS, "too old");
        assert_eq!(at(900, 290 * MS, 291 * MS), 291 * MS);
        assert_eq!(at(700, 290 * MS, 292 * MS), 291 * MS, "older than the list");
    }

    #[test]
    fn what_a_partition_holds_comes_when_it_ends_and_a_new_session_drops_it() {
        let (mut network, mut faults) = with(FaultClass::NetPartition);
        network.holds = true;
        for number in 1..=5 {
            network.send(number * MS, &command(number, number * MS), &faults);
        }
        assert_eq!(network.receive(100 * MS), None);
        let mut dropped = network.clone();
        dropped.forget();
        (faults.ended, faults.on) = (faults.on, Classes::default());
        for network in [&mut network, &mut dropped] {
            network.live(100 * MS, &faults);
        }
        let came: Vec<u64> = (100..110)
            .filter_map(|ms| network.receive(ms * MS).map(|(command, _)| command.sequence))
            .collect();
        assert_eq!(came, [1, 2, 3, 4, 5]);
        assert_eq!(dropped.receive(200 * MS), None);
    }
}
