//! The reset button: a press counts when it ends, and only if it was as long as a person's.
//!
//! A press that was there from power-up, or began while the lines could not be read, never began: it
//! must first be released. So a stuck button never resets anything; it is told.

use rt_wire::{Limits, LineSet, Lines, MonoNs, Validity};

/// The memory of a press that nobody saw begin.
pub const UNSEEN: MonoNs = MonoNs(u64::MAX);

/// What the button says in this cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Press {
    /// Nothing that counts.
    None,
    /// A press of the right length has just ended: true for this one cycle.
    Ended,
    /// It is held for longer than a person presses, or since before anybody looked.
    Stuck,
}

/// Follows the button; `pressed_since` is 0 while it is released.
pub fn press(pressed_since: &mut MonoNs, lines: &Lines, now: MonoNs, limits: &Limits) -> Press {
    if lines.validity.get() != Some(Validity::Valid) {
        *pressed_since = UNSEEN;
        return Press::None;
    }
    let since = *pressed_since;
    let unseen = since == UNSEEN;
    let held_ns = now.since(since);
    if lines.set.has(LineSet::RESET_PRESSED) {
        if since == MonoNs(0) {
            *pressed_since = MonoNs(now.0.clamp(1, u64::MAX - 1));
            return Press::None;
        }
        return if unseen || held_ns > limits.reset_press_max_ns {
            Press::Stuck
        } else {
            Press::None
        };
    }
    *pressed_since = MonoNs(0);
    let human = (limits.reset_press_min_ns..=limits.reset_press_max_ns).contains(&held_ns);
    if since != MonoNs(0) && !unseen && human { Press::Ended } else { Press::None }
}
