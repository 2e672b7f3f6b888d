//! A gamepad's buttons and sticks, as the robot file lays them out, without any device.
//!
//! Decides what a raw event of the kernel's input layer means. It must never call a button held that
//! it has not heard of. Tests: below; the device itself is pad_reader.rs.

use crate::Intent;
use evdev::{AbsoluteAxisCode, KeyCode};
use rt_config::{PadAxis, PadButton, TeleopPad};
use rt_wire::MonoNs;

/// A button that asks once is told for this long, even if it was held for less.
const TOLD_FOR_NS: u64 = 200_000_000;

/// One stick: where it is, and how far it goes.
#[derive(Clone, Copy, Debug)]
struct Axis {
    code: AbsoluteAxisCode,
    min: i32,
    max: i32,
    value: i32,
}

impl Axis {
    fn new(axis: PadAxis) -> Self {
        Self { code: axis_code(axis), min: 0, max: 0, value: 0 }
    }

    /// In [-1, 1]; the middle, as long as the pad has not said how far it goes.
    fn place(self) -> f32 {
        let (min, max) = (f64::from(self.min), f64::from(self.max));
        let half = (max - min) / 2.0;
        if half <= 0.0 {
            return 0.0;
        }
        ((f64::from(self.value) - (min + half)) / half).clamp(-1.0, 1.0) as f32
    }
}

/// One gamepad.
#[derive(Clone, Debug)]
pub struct Pad {
    layout: TeleopPad,
    steering: Axis,
    throttle: Axis,
    dead_man: bool,
    arm: bool,
    disarm: bool,
    estop: bool,
    estop_at: Option<MonoNs>,
}

impl Pad {
    /// A pad of which nothing has been heard.
    #[must_use]
    pub fn new(layout: &TeleopPad) -> Self {
        Self {
            steering: Axis::new(layout.steering_axis),
            throttle: Axis::new(layout.throttle_axis),
            layout: layout.clone(),
            dead_man: false,
            arm: false,
            disarm: false,
            estop: false,
            estop_at: None,
        }
    }

    /// The buttons it needs.
    #[must_use]
    pub fn buttons(&self) -> [KeyCode; 4] {
        let layout = &self.layout;
        [layout.dead_man_button, layout.estop_button, layout.arm_button, layout.disarm_button]
            .map(button_code)
    }

    /// The sticks it needs.
    #[must_use]
    pub fn axes(&self) -> [AbsoluteAxisCode; 2] {
        [self.steering.code, self.throttle.code]
    }

    /// How far a stick goes, and where it is.
    pub fn set_range(&mut self, code: AbsoluteAxisCode, min: i32, max: i32, value: i32) {
        for axis in [&mut self.steering, &mut self.throttle] {
            if axis.code == code {
                *axis = Axis { code, min, max, value };
            }
        }
    }

    /// A stick has moved.
    pub fn moved(&mut self, code: AbsoluteAxisCode, value: i32) {
        for axis in [&mut self.steering, &mut self.throttle] {
            if axis.code == code {
                axis.value = value;
            }
        }
    }

    /// A button is down or up. Says whether this is an e-stop that begins.
    pub fn pressed(&mut self, code: KeyCode, down: bool, now: MonoNs) -> bool {
        let [dead_man, estop, arm, disarm] = self.buttons();
        let begins = code == estop && down && !self.estop;
        for (button, state) in [
            (dead_man, &mut self.dead_man),
            (estop, &mut self.estop),
            (arm, &mut self.arm),
            (disarm, &mut self.disarm),
        ] {
            if button == code {
                *state = down;
            }
        }
        if begins {
            self.estop_at = Some(now);
        }
        begins
    }

    /// What the person wants at `now`, at which the pad was known to be there.
    #[must_use]
    pub fn intent(&self, now: MonoNs) -> Intent {
        let pressed_just_now = self.estop_at.is_some_and(|at| now.since(at) <= TOLD_FOR_NS);
        Intent {
            seen_at: now,
            // The kernel counts to the right and downwards.
            steering: -self.steering.place(),
            throttle: -self.throttle.place(),
            dead_man: self.dead_man,
            arm: self.arm,
            disarm: self.disarm,
            estop: self.estop || pressed_just_now,
        }
    }
}

fn axis_code(axis: PadAxis) -> AbsoluteAxisCode {
    match axis {
        PadAxis::AbsX => AbsoluteAxisCode::ABS_X,
        PadAxis::AbsY => AbsoluteAxisCode::ABS_Y,
        PadAxis::AbsZ => AbsoluteAxisCode::ABS_Z,
        PadAxis::AbsRx => AbsoluteAxisCode::ABS_RX,
        PadAxis::AbsRy => AbsoluteAxisCode::ABS_RY,
        PadAxis::AbsRz => AbsoluteAxisCode::ABS_RZ,
    }
}

fn button_code(button: PadButton) -> KeyCode {
    match button {
        PadButton::BtnSouth => KeyCode::BTN_SOUTH,
        PadButton::BtnEast => KeyCode::BTN_EAST,
        PadButton::BtnNorth => KeyCode::BTN_NORTH,
        PadButton::BtnWest => KeyCode::BTN_WEST,
        PadButton::BtnTl => KeyCode::BTN_TL,
        PadButton::BtnTr => KeyCode::BTN_TR,
        PadButton::BtnTl2 => KeyCode::BTN_TL2,
        PadButton::BtnTr2 => KeyCode::BTN_TR2,
        PadButton::BtnSelect => KeyCode::BTN_SELECT,
        PadButton::BtnStart => KeyCode::BTN_START,
        PadButton::BtnMode => KeyCode::BTN_MODE,
        PadButton::BtnThumbl => KeyCode::BTN_THUMBL,
        PadButton::BtnThumbr => KeyCode::BTN_THUMBR,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: MonoNs = MonoNs(1_000_000_000);

    fn pad() -> Pad {
        let mut pad = Pad::new(&TeleopPad::default());
        pad.set_range(AbsoluteAxisCode::ABS_X, -32_768, 32_767, 0);
        pad.set_range(AbsoluteAxisCode::ABS_RY, 0, 255, 128);
        pad
    }

    #[test]
    fn stick_to_the_left_steers_left_and_stick_up_is_forward_whatever_the_pad_counts_in() {
        let mut pad = pad();
        pad.moved(AbsoluteAxisCode::ABS_X, -32_768);
        pad.moved(AbsoluteAxisCode::ABS_RY, 0);
        let intent = pad.intent(NOW);
        assert_eq!((intent.steering, intent.throttle), (1.0, 1.0));
        pad.moved(AbsoluteAxisCode::ABS_X, 99_999);
        pad.moved(AbsoluteAxisCode::ABS_RY, 255);
        let intent = pad.intent(NOW);
        assert_eq!((intent.steering, intent.throttle), (-1.0, -1.0));
        pad.moved(AbsoluteAxisCode::ABS_Z, 255);
        assert_eq!(pad.intent(NOW), intent, "an axis that nobody named");
    }

    #[test]
    fn nothing_is_held_and_nothing_moves_before_the_pad_has_said_so() {
        let pad = Pad::new(&TeleopPad::default());
        assert_eq!(pad.intent(NOW), Intent { seen_at: NOW, ..Intent::default() });
    }

    #[test]
    fn each_button_does_what_the_robot_file_says() {
        let layout = TeleopPad { dead_man_button: PadButton::BtnTr2, ..TeleopPad::default() };
        let mut pad = Pad::new(&layout);
        pad.pressed(KeyCode::BTN_TL, true, NOW);
        assert!(!pad.intent(NOW).dead_man, "the default's button is another here");
        pad.pressed(KeyCode::BTN_TR2, true, NOW);
        pad.pressed(KeyCode::BTN_START, true, NOW);
        let intent = pad.intent(NOW);
        assert!(intent.dead_man && intent.arm && !intent.disarm && !intent.estop);
        pad.pressed(KeyCode::BTN_TR2, false, NOW);
        pad.pressed(KeyCode::BTN_SELECT, true, NOW);
        assert!(!pad.intent(NOW).dead_man && pad.intent(NOW).disarm);
    }

    #[test]
    fn estop_button_begins_once_and_is_told_even_if_it_was_only_touched() {
        let mut pad = pad();
        assert!(pad.pressed(KeyCode::BTN_EAST, true, NOW));
        assert!(!pad.pressed(KeyCode::BTN_EAST, true, NOW), "it is held");
        assert!(!pad.pressed(KeyCode::BTN_EAST, false, NOW));
        assert!(pad.intent(NOW.plus(TOLD_FOR_NS)).estop);
        assert!(!pad.intent(NOW.plus(TOLD_FOR_NS + 1)).estop);
        pad.pressed(KeyCode::BTN_EAST, true, NOW);
        assert!(pad.intent(NOW.plus(10 * TOLD_FOR_NS)).estop, "for as long as it is held");
    }
}
