//! Makes `configs/tracks/{oval,twisty}.csv`: `cargo run --release -p rt-config --example
//! make_tracks`.
//!
//! Each track is half a lap of straights and bends that together turn by 180°, driven twice: the
//! second half is the first one turned by half a turn, so that the line closes by symmetry.
//! Curvature rises and falls linearly at both ends of a bend (a clothoid), so that steering never
//! has to jump. A test compares the files with what this makes.

use std::f64::consts::PI;
use std::path::Path;

/// A straight, then a bend; a positive angle turns left.
struct Bend {
    straight_m: f64,
    angle_deg: f64,
    /// At the tightest point.
    radius_m: f64,
}

/// One track: half a lap, how long the curvature takes to build up, and the width to each side.
struct Design {
    half: &'static [Bend],
    clothoid_m: f64,
    half_width_m: f64,
}

const fn bend(straight_m: f64, angle_deg: f64, radius_m: f64) -> Bend {
    Bend { straight_m, angle_deg, radius_m }
}

/// Two straights and two wide bends: the first thing to drive.
const OVAL: Design = Design { half: &[bend(5.0, 180.0, 2.0)], clothoid_m: 1.0, half_width_m: 0.6 };

/// Sixteen bends, eight to each side. A car with 0.33 m between its axles and 24° of steering turns
/// within a radius of 0.74 m, so 0.92 m asks for most of the lock and leaves some to correct with.
const TWISTY: Design = Design {
    half: &[
        bend(0.4, 65.0, 1.1),
        bend(0.1, -70.0, 0.95),
        bend(0.2, 85.0, 1.0),
        bend(0.0, -50.0, 1.0),
        bend(0.1, 120.0, 0.92),
        bend(0.0, -30.0, 0.95),
        bend(0.1, 90.0, 0.92),
        bend(0.1, -30.0, 0.95),
    ],
    clothoid_m: 0.4,
    half_width_m: 0.55,
};

const POINT_SPACING_M: f64 = 0.1;
/// Integration steps between two points.
const STEPS: u32 = 200;

impl Design {
    fn half_length_m(&self) -> f64 {
        self.half.iter().map(|bend| bend.straight_m + self.bend_length_m(bend)).sum()
    }

    /// Both clothoids turn as much as one clothoid's length of the tightest curvature.
    fn bend_length_m(&self, bend: &Bend) -> f64 {
        bend.angle_deg.abs().to_radians() * bend.radius_m + self.clothoid_m
    }

    /// Curvature at an arc length within the first half.
    fn curvature_per_m(&self, mut at_m: f64) -> f64 {
        for bend in self.half {
            let length_m = self.bend_length_m(bend);
            if at_m < bend.straight_m {
                return 0.0;
            }
            at_m -= bend.straight_m;
            if at_m < length_m {
                let from_end_m = at_m.min(length_m - at_m);
                let built_up = (from_end_m / self.clothoid_m).min(1.0);
                return built_up / bend.radius_m * bend.angle_deg.signum();
            }
            at_m -= length_m;
        }
        0.0
    }

    /// The file's text.
    fn csv(&self) -> String {
        let half_m = self.half_length_m();
        let points = (half_m / POINT_SPACING_M).round() as u32;
        let step_m = half_m / f64::from(points * STEPS);
        let (mut x_m, mut y_m, mut heading_rad) = (0.0_f64, 0.0_f64, 0.0_f64);
        let mut text = String::from("# x_m,y_m,w_tr_right_m,w_tr_left_m\n");
        for step in 0..2 * points * STEPS {
            if step % STEPS == 0 {
                let width = format!("{:.3}", self.half_width_m);
                text.push_str(&format!("{x_m:.6},{y_m:.6},{width},{width}\n"));
            }
            let middle_m = (f64::from(step % (points * STEPS)) + 0.5) * step_m;
            let turn_rad = self.curvature_per_m(middle_m) * step_m;
            let along_rad = heading_rad + turn_rad / 2.0;
            x_m += step_m * along_rad.cos();
            y_m += step_m * along_rad.sin();
            heading_rad += turn_rad;
        }
        assert!(
            (heading_rad - 2.0 * PI).abs() < 1e-3 && x_m.hypot(y_m) < 1e-3,
            "the line does not close: off by {x_m:.6}, {y_m:.6} m"
        );
        text.replace("-0.000000", "0.000000")
    }
}

/// (name, text of the file) of each track.
pub(crate) fn files() -> [(&'static str, String); 2] {
    [("oval", OVAL.csv()), ("twisty", TWISTY.csv())]
}

fn main() -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/tracks");
    for (name, text) in files() {
        let path = folder.join(name).with_extension("csv");
        println!("{}: {} points", path.display(), text.lines().count() - 1);
        std::fs::write(path, text)?;
    }
    Ok(())
}
