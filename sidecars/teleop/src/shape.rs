//! What a stick's place means: dead zone in the middle, gentle around it, all of it at the end.
//!
//! ```text
//!   1 ┤              ╱   x = (|stick| − dead zone) / (1 − dead zone), 0 within the dead zone
//!     │           ╱      y = (1 − expo)·x + expo·x³
//!     │      _–´
//!   0 ┼──────┴───────    expo 0: straight; expo 1: the third power
//!     0    zone     1
//! ```
//!
//! Tests: below.

/// Dead zone and expo of a stick.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    dead_zone: f32,
    expo: f32,
}

impl Shape {
    /// `dead_zone` in [0, 0.5] of the way, `expo` in [0, 1]: the robot file's ranges.
    #[must_use]
    pub fn new(dead_zone: f64, expo: f64) -> Self {
        Self { dead_zone: dead_zone as f32, expo: expo as f32 }
    }

    /// The value in [-1, 1] that a stick at `stick` means; beyond its ends it is at its end, and
    /// what is no number is the middle.
    #[must_use]
    pub fn of(self, stick: f32) -> f32 {
        let way = stick.abs().min(1.0) - self.dead_zone;
        // Asked of the stick itself: `min` makes full throttle of what is no number.
        if stick.is_nan() || way <= 0.0 {
            return 0.0;
        }
        let x = way / (1.0 - self.dead_zone);
        let y = (1.0 - self.expo) * x + self.expo * x * x * x;
        y.min(1.0).copysign(stick)
    }
}

#[cfg(test)]
mod tests {
    use super::Shape;

    #[test]
    fn dead_zone_is_nothing_the_end_is_all_and_between_it_only_rises() {
        for (dead_zone, expo) in [(0.08, 0.3), (0.0, 0.0), (0.5, 1.0), (0.2, 0.0)] {
            let shape = Shape::new(dead_zone, expo);
            assert_eq!(shape.of(dead_zone as f32), 0.0);
            assert_eq!((shape.of(1.0), shape.of(-1.0)), (1.0, -1.0));
            let mut before = 0.0;
            for step in 0..=1000_u16 {
                let stick = f32::from(step) / 1000.0;
                let value = shape.of(stick);
                assert!((before..=1.0).contains(&value), "{value} at {stick}");
                assert_eq!(shape.of(-stick), -value);
                before = value;
            }
        }
    }

    #[test]
    fn expo_makes_the_middle_gentler() {
        assert!(Shape::new(0.0, 0.6).of(0.5) < Shape::new(0.0, 0.3).of(0.5));
        assert_eq!(Shape::new(0.0, 0.0).of(0.5), 0.5);
    }

    #[test]
    fn what_no_stick_can_say_is_the_middle_or_the_end() {
        let shape = Shape::new(0.08, 0.3);
        assert_eq!(shape.of(f32::NAN), 0.0);
        assert_eq!((shape.of(f32::INFINITY), shape.of(-9.0)), (1.0, -1.0));
    }
}
