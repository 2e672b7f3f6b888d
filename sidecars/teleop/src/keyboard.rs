//! Keys as a driver's hands: what a terminal tells, and for how long it counts.
//!
//! A terminal tells no release, and repeats only the key that was pressed last. So a key counts as
//! held for `key_first_hold_ms` after its first press (a terminal waits before it repeats) and for
//! `key_hold_ms` after each repeat; a release, where one is told, ends it early and never late. Any
//! driving key that counts as held is the dead-man switch. Nothing is held by memory alone: beside a
//! steering key, where the terminal tells no more of the throttle key, the throttle fades (after its
//! key's own time, to nothing within `FADES_WITHIN_NS`, until that key is heard again), and it dies
//! with the last key. Only where the terminal has shown that it tells the arrows' releases does it
//! stay until one comes. Tests: below.
//!
//! | key | means |
//! |---|---|
//! | arrows, or `i` `k` `j` `l` | forward, backward, left, right |
//! | `h` | held: the switch without throttle |
//! | `a` | arm; held, it is the switch too |
//! | `d`, `x` | disarm |
//! | space | e-stop |
//! | `r` | reset |
//! | `q`, Ctrl-D, Ctrl-\ | ends teleop |

use crate::Intent;
use rt_config::Teleop;
use rt_wire::MonoNs;
use terminal::{Act, Key, KeyEvent};

/// A key that asks once is told for this long, so that no single lost command loses it.
const TOLD_FOR_NS: u64 = 200_000_000;
/// A throttle of whose key nothing is heard any more: long enough for a bend, too short to circle on.
const FADES_WITHIN_NS: u64 = 2_000_000_000;

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Does {
    /// Throttle forward.
    Forward,
    /// Throttle backward.
    Backward,
    /// Steering to the left.
    Left,
    /// Steering to the right.
    Right,
    /// The dead-man switch alone.
    Hold,
    /// Asks to arm.
    Arm,
    /// Asks to disarm.
    Disarm,
    /// E-stop.
    Estop,
    /// Leaves a latched e-stop; asked over the operator socket.
    Reset,
    /// Ends teleop.
    Quit,
}

/// What `key` does; nothing for most.
#[must_use]
pub fn meaning(key: Key) -> Option<Does> {
    Some(match key {
        Key::Up | Key::Char('i') => Does::Forward,
        Key::Down | Key::Char('k') => Does::Backward,
        Key::Left | Key::Char('j') => Does::Left,
        Key::Right | Key::Char('l') => Does::Right,
        Key::Char('h') => Does::Hold,
        Key::Char('a') => Does::Arm,
        // Caps Lock keeps nobody from a stop.
        Key::Char('d' | 'D' | 'x' | 'X') => Does::Disarm,
        Key::Char(' ') => Does::Estop,
        Key::Char('r') => Does::Reset,
        Key::Char('q' | '\u{4}' | '\u{1c}') => Does::Quit,
        Key::Char(_) | Key::Escape => return None,
    })
}

/// One key that was heard.
#[derive(Clone, Copy, Debug)]
struct Heard {
    at: MonoNs,
    repeats: bool,
}

/// Everything that the keys come to.
#[derive(Clone, Debug)]
pub struct Keyboard {
    hold_ns: u64,
    first_hold_ns: u64,
    /// In the order of [`HELD`].
    heard: [Option<Heard>; HELD.len()],
    throttle: f32,
    /// When a throttle key was last heard, and whether it was an arrow.
    throttle_at: MonoNs,
    throttle_by_arrow: bool,
    /// The terminal has told a repeat or a release as such: it will tell an arrow's release.
    arrows_tell: bool,
    steering: f32,
    disarm_at: Option<MonoNs>,
    estop_at: Option<MonoNs>,
}

/// Keys that count as held.
const HELD: [Does; 6] =
    [Does::Forward, Does::Backward, Does::Left, Does::Right, Does::Hold, Does::Arm];

impl Keyboard {
    /// A keyboard that nobody has touched.
    #[must_use]
    pub fn new(teleop: &Teleop) -> Self {
        let hold_ns = u64::from(teleop.key_hold_ms) * 1_000_000;
        Self {
            hold_ns,
            first_hold_ns: hold_ns.max(u64::from(teleop.key_first_hold_ms) * 1_000_000),
            heard: [None; HELD.len()],
            throttle: 0.0,
            throttle_at: MonoNs(0),
            throttle_by_arrow: false,
            arrows_tell: false,
            steering: 0.0,
            disarm_at: None,
            estop_at: None,
        }
    }

    /// A key, heard at `now`.
    pub fn key(&mut self, event: KeyEvent, now: MonoNs) {
        let Some(does) = meaning(event.key) else { return };
        self.forget(now);
        let is_arrow = matches!(event.key, Key::Up | Key::Down | Key::Left | Key::Right);
        self.arrows_tell |= is_arrow && event.act != Act::Press;
        if matches!(does, Does::Forward | Does::Backward) {
            (self.throttle_at, self.throttle_by_arrow) = (now, is_arrow);
        }
        match (does, event.act) {
            (Does::Disarm, Act::Press | Act::Repeat) => self.disarm_at = Some(now),
            (Does::Estop, Act::Press | Act::Repeat) => self.estop_at = Some(now),
            (Does::Disarm | Does::Estop | Does::Reset | Does::Quit, _) => {}
            (_, Act::Press | Act::Repeat) => self.press(does, event.act, now),
            (_, Act::Release) => self.release(does),
        }
    }

    fn press(&mut self, does: Does, act: Act, now: MonoNs) {
        if let Some(heard) = self.place(does) {
            let repeats = act == Act::Repeat || heard.is_some();
            *heard = Some(Heard { at: now, repeats });
        }
        match does {
            Does::Forward => self.throttle = 1.0,
            Does::Backward => self.throttle = -1.0,
            Does::Left => self.steering = 1.0,
            Does::Right => self.steering = -1.0,
            Does::Hold | Does::Arm => self.throttle = 0.0,
            Does::Disarm | Does::Estop | Does::Reset | Does::Quit => {}
        }
    }

    fn release(&mut self, does: Does) {
        if let Some(heard) = self.place(does) {
            *heard = None;
        }
        match does {
            Does::Forward | Does::Backward => self.throttle = 0.0,
            Does::Left if self.is_held(Does::Right) => self.steering = -1.0,
            Does::Right if self.is_held(Does::Left) => self.steering = 1.0,
            Does::Left | Does::Right => self.steering = 0.0,
            Does::Hold | Does::Arm | Does::Disarm | Does::Estop | Does::Reset | Does::Quit => {}
        }
    }

    fn place(&mut self, does: Does) -> Option<&mut Option<Heard>> {
        let index = HELD.iter().position(|held| *held == does)?;
        self.heard.get_mut(index)
    }

    fn is_held(&self, does: Does) -> bool {
        HELD.iter().zip(&self.heard).any(|(held, heard)| *held == does && heard.is_some())
    }

    /// Lets go of every key that was not heard for too long.
    fn forget(&mut self, now: MonoNs) {
        for heard in &mut self.heard {
            let limit_ns = match heard {
                Some(Heard { repeats: false, .. }) => self.first_hold_ns,
                Some(_) | None => self.hold_ns,
            };
            *heard = heard.filter(|heard| now.since(heard.at) <= limit_ns);
        }
        let moves = [Does::Forward, Does::Backward, Does::Left, Does::Right];
        if !moves.into_iter().any(|does| self.is_held(does)) {
            self.throttle = 0.0;
        }
        if !self.is_held(Does::Left) && !self.is_held(Does::Right) {
            self.steering = 0.0;
        }
    }

    /// How much is left of a throttle whose key the terminal tells no more of.
    fn left_of_throttle(&self, now: MonoNs) -> f32 {
        if self.throttle_by_arrow && self.arrows_tell {
            return 1.0;
        }
        let silent_ns = now.since(self.throttle_at).saturating_sub(self.first_hold_ns);
        let left_ns = FADES_WITHIN_NS.saturating_sub(silent_ns);
        (left_ns as f64 / FADES_WITHIN_NS as f64) as f32
    }

    /// What the person wants at `now`.
    pub fn intent(&mut self, now: MonoNs) -> Intent {
        self.forget(now);
        let told = |at: Option<MonoNs>| at.is_some_and(|at| now.since(at) <= TOLD_FOR_NS);
        Intent {
            // How long a key counts is decided above; the terminal itself is here.
            seen_at: now,
            steering: self.steering,
            throttle: self.throttle * self.left_of_throttle(now),
            dead_man: self.heard.iter().any(Option::is_some),
            arm: self.is_held(Does::Arm),
            disarm: told(self.disarm_at),
            estop: told(self.estop_at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn keyboard() -> Keyboard {
        let teleop =
            Teleop { key_hold_ms: 300, key_first_hold_ms: 700, ..rt_config::Teleop::default() };
        Keyboard::new(&teleop)
    }

    fn at(ms: u64) -> MonoNs {
        MonoNs(1_000_000_000 + ms * MS)
    }

    fn press(key: Key) -> KeyEvent {
        KeyEvent { key, act: Act::Press }
    }

    #[test]
    fn a_tap_holds_the_switch_for_the_first_hold_and_not_longer() {
        let mut keyboard = keyboard();
        assert!(!keyboard.intent(at(0)).dead_man);
        keyboard.key(press(Key::Up), at(0));
        assert_eq!(keyboard.intent(at(700)).throttle, 1.0);
        let after = keyboard.intent(at(701));
        assert_eq!((after.dead_man, after.throttle), (false, 0.0));
    }

    #[test]
    fn repeats_hold_it_and_after_the_last_it_is_let_go_sooner() {
        let mut keyboard = keyboard();
        for ms in [0, 500, 533, 566] {
            keyboard.key(press(Key::Up), at(ms));
        }
        assert!(keyboard.intent(at(566 + 300)).dead_man);
        assert!(!keyboard.intent(at(566 + 301)).dead_man);
        assert_eq!(keyboard.intent(at(2000)).throttle, 0.0);
    }

    #[test]
    fn release_ends_a_hold_early_and_a_repeat_that_a_terminal_names_counts_as_one() {
        let mut keyboard = keyboard();
        keyboard.key(press(Key::Up), at(0));
        keyboard.key(KeyEvent { key: Key::Up, act: Act::Release }, at(100));
        assert_eq!(keyboard.intent(at(101)), Intent { seen_at: at(101), ..Intent::default() });
        keyboard.key(KeyEvent { key: Key::Up, act: Act::Repeat }, at(200));
        assert!(!keyboard.intent(at(501)).dead_man, "no release ever came");
    }

    #[test]
    fn released_steering_key_gives_way_to_the_one_that_is_still_held() {
        let mut keyboard = keyboard();
        let release = |key| KeyEvent { key, act: Act::Release };
        keyboard.key(press(Key::Right), at(0));
        keyboard.key(press(Key::Left), at(10));
        assert_eq!(keyboard.intent(at(11)).steering, 1.0);
        keyboard.key(release(Key::Left), at(20));
        assert_eq!(keyboard.intent(at(21)).steering, -1.0);
        keyboard.key(release(Key::Right), at(30));
        assert_eq!(keyboard.intent(at(31)).steering, 0.0);
    }

    #[test]
    fn throttle_lives_on_beside_a_steering_key_and_dies_with_the_last_key() {
        let mut keyboard = keyboard();
        keyboard.key(press(Key::Up), at(0));
        keyboard.key(press(Key::Left), at(600));
        let steers = keyboard.intent(at(700));
        assert_eq!((steers.throttle, steers.steering), (1.0, 1.0));
        keyboard.key(press(Key::Left), at(1200));
        let after = keyboard.intent(at(1501));
        assert_eq!((after.throttle, after.steering, after.dead_man), (0.0, 0.0, false));
    }

    /// Steers to the left from 600 ms on, repeated by the terminal, and tells the throttle at `until`.
    fn throttle_beside_left(keyboard: &mut Keyboard, until: u64) -> f32 {
        for ms in (600..=until).step_by(100) {
            keyboard.key(press(Key::Left), at(ms));
        }
        let steers = keyboard.intent(at(until));
        assert_eq!((steers.dead_man, steers.steering), (true, 1.0), "at {until} ms");
        steers.throttle
    }

    #[test]
    fn throttle_that_is_told_no_more_fades_beside_a_steering_key_until_it_is_pressed_again() {
        let mut keyboard = keyboard();
        keyboard.key(press(Key::Up), at(0));
        assert_eq!(throttle_beside_left(&mut keyboard.clone(), 700), 1.0);
        assert_eq!(throttle_beside_left(&mut keyboard.clone(), 1700), 0.5);
        assert_eq!(throttle_beside_left(&mut keyboard, 2700), 0.0);
        assert_eq!(throttle_beside_left(&mut keyboard, 9000), 0.0);
        keyboard.key(press(Key::Up), at(9010));
        assert_eq!(keyboard.intent(at(9010)).throttle, 1.0);
    }

    #[test]
    fn throttle_stays_beside_a_steering_key_where_its_release_will_be_told() {
        let mut keyboard = keyboard();
        keyboard.key(press(Key::Up), at(0));
        keyboard.key(KeyEvent { key: Key::Up, act: Act::Repeat }, at(500));
        assert_eq!(throttle_beside_left(&mut keyboard, 9000), 1.0);
        keyboard.key(KeyEvent { key: Key::Up, act: Act::Release }, at(9010));
        assert_eq!(keyboard.intent(at(9010)).throttle, 0.0);
        // Of letters no terminal tells it.
        keyboard.key(press(Key::Char('i')), at(9020));
        for ms in (9100..13_000).step_by(100) {
            keyboard.key(press(Key::Left), at(ms));
        }
        assert_eq!(keyboard.intent(at(13_000)).throttle, 0.0);
    }

    #[test]
    fn hold_key_is_the_switch_without_throttle_and_arm_key_both_asks_and_holds() {
        let mut keyboard = keyboard();
        keyboard.key(press(Key::Up), at(0));
        keyboard.key(press(Key::Char('h')), at(100));
        let holds = keyboard.intent(at(110));
        assert_eq!((holds.dead_man, holds.throttle), (true, 0.0));
        keyboard.key(press(Key::Char('a')), at(200));
        let arms = keyboard.intent(at(210));
        assert!(arms.dead_man && arms.arm && arms.throttle == 0.0);
    }

    #[test]
    fn space_is_an_estop_at_once_and_the_other_keys_do_what_the_help_says() {
        let mut keyboard = keyboard();
        keyboard.key(press(Key::Char(' ')), at(0));
        let intent = keyboard.intent(at(0));
        assert!(intent.estop && !intent.dead_man);
        for key in ['d', 'x', 'D', 'X'] {
            let mut keyboard = self::keyboard();
            keyboard.key(press(Key::Char(key)), at(0));
            assert!(keyboard.intent(at(0)).disarm && !keyboard.intent(at(0)).dead_man);
            assert!(!keyboard.intent(at(201)).disarm);
        }
        assert_eq!(meaning(Key::Char('r')), Some(Does::Reset));
        for key in ['q', '\u{4}', '\u{1c}'] {
            assert_eq!(meaning(Key::Char(key)), Some(Does::Quit));
        }
        assert_eq!(meaning(Key::Char('z')), None);
    }
}
