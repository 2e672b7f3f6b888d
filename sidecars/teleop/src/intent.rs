//! What a person wants at one instant, whatever they hold in their hands.

use rt_wire::MonoNs;

/// Sticks, buttons, and when the thing in the person's hands was last known to be there.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Intent {
    /// When the source was last known to be there.
    pub seen_at: MonoNs,
    /// Steering stick in [-1, 1], positive left, as it stands.
    pub steering: f32,
    /// Throttle stick in [-1, 1], positive forward, as it stands.
    pub throttle: f32,
    /// The dead-man switch is held.
    pub dead_man: bool,
    /// The arm button is held.
    pub arm: bool,
    /// The disarm button is held.
    pub disarm: bool,
    /// The e-stop button is held.
    pub estop: bool,
}

impl Intent {
    /// Two sources at once: whoever holds a dead-man switch steers, `first` before `second`; a
    /// demand to stop counts from either.
    #[must_use]
    pub fn of(first: Option<Self>, second: Option<Self>) -> Option<Self> {
        let (Some(first), Some(second)) = (first, second) else { return first.or(second) };
        let (steers, other) =
            if first.dead_man || !second.dead_man { (first, second) } else { (second, first) };
        Some(Self {
            disarm: steers.disarm || other.disarm,
            estop: steers.estop || other.estop,
            ..steers
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Intent;

    #[test]
    fn who_holds_the_dead_man_switch_steers_and_either_may_stop() {
        let pad = Intent { throttle: 0.5, dead_man: true, ..Intent::default() };
        let keys = Intent { throttle: 1.0, dead_man: true, estop: true, ..Intent::default() };
        let both = Intent::of(Some(pad), Some(keys)).expect("two");
        assert_eq!((both.throttle, both.estop), (0.5, true));
        let let_go = Intent { dead_man: false, disarm: true, ..pad };
        let both = Intent::of(Some(let_go), Some(keys)).expect("two");
        assert_eq!((both.throttle, both.dead_man, both.disarm), (1.0, true, true));
        assert_eq!(Intent::of(None, Some(keys)), Some(keys));
        assert_eq!(Intent::of(None, None), None);
    }
}
