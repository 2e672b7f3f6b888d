//! The person at the car: presses the mushroom, releases it, resets, arms, presses wrongly, leaves.
//!
//! Decides what the buttons and the operator socket carry. In a storm it does what people do; in calm
//! it does what the handbook says, so that the car must drive again. It must never look at anything
//! but what a person sees: the mode and the interlocks. Tests: tests/swarm.rs.

use super::dice::Dice;
use super::faults::{FaultClass, Faults};
use super::sources::Pad;
use rt_wire::{EstopRequest, Inbox, Mode, MonoNs, OperatorKind, Raw};

/// The buttons.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Buttons {
    /// The mushroom is down.
    pub(super) mushroom: bool,
    /// Reset is held.
    pub(super) reset: bool,
    /// Arm is held.
    pub(super) arm: bool,
    /// Disarm is held.
    pub(super) disarm: bool,
}

/// The operator.
#[derive(Clone, Debug)]
pub(super) struct Operator {
    /// What the hands hold.
    pub(super) buttons: Buttons,
    /// What the pad holds.
    pub(super) pad: Pad,
    dice: Dice,
    acts_at: u64,
    lets_go_at: u64,
    mushroom_down_at: u64,
    mushroom_up_at: u64,
    drives_until: u64,
}

impl Operator {
    /// A person who has just come.
    #[must_use]
    pub(super) fn new(seed: u64) -> Self {
        Self {
            buttons: Buttons::default(),
            pad: Pad::default(),
            dice: Dice::new(seed, 20),
            acts_at: 0,
            lets_go_at: 0,
            mushroom_down_at: u64::MAX,
            mushroom_up_at: 0,
            drives_until: 0,
        }
    }

    /// What the hands do now. In calm (`Some`) they first hold disarm, and nothing else, until every
    /// window is over (`true`).
    pub(super) fn act(
        &mut self,
        now_ns: u64,
        mode: Mode,
        faults: &Faults,
        calm: Option<bool>,
        inbox: &mut Inbox,
    ) {
        if now_ns >= self.lets_go_at {
            self.buttons = Buttons { mushroom: self.buttons.mushroom, ..Buttons::default() };
            self.pad.arm = false;
        }
        if let Some(hands_off) = calm {
            if hands_off {
                // Disarmed by hand: an ESC that has missed its neutral must see it anew.
                self.buttons = Buttons { disarm: true, ..Buttons::default() };
                self.lets_go_at = now_ns;
                self.mushroom_down_at = u64::MAX;
                self.pad.arm = false;
                self.acts_at = now_ns;
            } else if now_ns >= self.acts_at {
                self.by_the_book(now_ns, mode);
            }
            return;
        }
        if faults.began.has(FaultClass::PressesEstop) || now_ns >= self.mushroom_down_at {
            self.mushroom_down_at = u64::MAX;
            self.buttons.mushroom = true;
            self.mushroom_up_at = now_ns + self.dice.between_ms(20, 500);
        }
        if self.buttons.mushroom && now_ns >= self.mushroom_up_at {
            self.buttons.mushroom = false;
        }
        if faults.began.has(FaultClass::AsksEstop) {
            let EstopRequest { sequence, .. } = inbox.estop;
            inbox.estop.sequence = sequence + 1;
            inbox.estop.mono_ns = MonoNs(now_ns);
        }
        if faults.began.has(FaultClass::AsksWrongly) {
            self.ask_wrongly(now_ns, inbox);
        } else if now_ns >= self.acts_at && !faults.is(FaultClass::OperatorLeaves) {
            if faults.is(FaultClass::PressesWrongly) {
                self.acts_at = now_ns + self.dice.between_ms(40, 300);
                self.press_wrongly(now_ns);
            } else {
                // One press after the other, never a second one over the first.
                self.lets_go_at = now_ns + self.dice.between_ms(55, 150);
                self.acts_at = self.lets_go_at + self.dice.between_ms(10, 80);
                self.go_on(now_ns, mode, inbox);
            }
        }
    }

    /// One deliberate act after the other, long enough and never at once.
    fn by_the_book(&mut self, now_ns: u64, mode: Mode) {
        self.acts_at = now_ns + 400_000_000;
        self.lets_go_at = now_ns + 150_000_000;
        match mode {
            Mode::EStopLatched => self.buttons.reset = true,
            Mode::Disarmed => self.buttons.arm = true,
            Mode::Boot
            | Mode::SelfTest
            | Mode::Arming
            | Mode::Active
            | Mode::SafeStop
            | Mode::Fault => {}
        }
    }

    /// The next thing that brings the car to drive, or stops it when it has driven for long enough.
    fn go_on(&mut self, now_ns: u64, mode: Mode, inbox: &mut Inbox) {
        let by_socket = self.dice.chance(0.3);
        match mode {
            Mode::EStopLatched if by_socket => ask(now_ns, OperatorKind::Reset, inbox),
            Mode::EStopLatched => self.buttons.reset = true,
            Mode::Disarmed => {
                self.drives_until = now_ns + self.dice.between_ms(500, 6000);
                if by_socket {
                    ask(now_ns, OperatorKind::Arm, inbox);
                } else if self.dice.chance(0.3) {
                    self.pad.arm = true;
                } else {
                    self.buttons.arm = true;
                }
            }
            Mode::Active if now_ns >= self.drives_until => {
                if by_socket {
                    ask(now_ns, OperatorKind::Disarm, inbox);
                } else {
                    self.buttons.disarm = true;
                }
                if self.dice.chance(0.2) {
                    // Second thoughts: the mushroom, while the car still slows down.
                    self.mushroom_down_at = now_ns + self.dice.between_ms(1, 100);
                }
            }
            Mode::Boot
            | Mode::SelfTest
            | Mode::Arming
            | Mode::Active
            | Mode::SafeStop
            | Mode::Fault => {}
        }
    }

    fn press_wrongly(&mut self, now_ns: u64) {
        let longest_ms = self.dice.pick(&[20, 49, 60, 2500]);
        self.lets_go_at = now_ns + self.dice.between_ms(1, longest_ms);
        match self.dice.between(0, 3) {
            0 => self.buttons.arm = true,
            1 => self.buttons.disarm = true,
            2 => self.pad.arm = true,
            _ => self.buttons.reset = true,
        }
    }

    fn ask_wrongly(&mut self, now_ns: u64, inbox: &mut Inbox) {
        let kinds = [
            OperatorKind::Arm,
            OperatorKind::Reset,
            OperatorKind::None,
            OperatorKind::Disarm,
            OperatorKind::Estop,
        ];
        let kind = self.dice.pick(&kinds);
        ask(now_ns, kind, inbox);
        let request = &mut inbox.operator;
        match self.dice.between(0, 4) {
            0 => request.mono_ns = MonoNs(now_ns.saturating_sub(self.dice.between_ms(900, 5000))),
            1 => request.kind = Raw::from_bits(self.dice.bits() as u32),
            2 => request.sequence = self.dice.bits() >> 1,
            3 => request.mono_ns = MonoNs(self.dice.bits()),
            _ => {}
        }
    }
}

fn ask(now_ns: u64, kind: OperatorKind, inbox: &mut Inbox) {
    let request = &mut inbox.operator;
    request.sequence += 1;
    request.mono_ns = MonoNs(now_ns);
    request.kind = Raw::new(kind);
}
