//! Tracks: the two that we ship, real circuits where they are at hand, and what is refused.

use rt_config::{ConfigErrors, Track};
use std::path::{Path, PathBuf};

#[path = "../examples/make_tracks.rs"]
#[expect(dead_code, reason = "its main is for the command line")]
mod make_tracks;

fn builtin(name: &str) -> Track {
    Track::builtin(name).unwrap_or_else(|errors| panic!("{errors}"))
}

/// Bends of at least `degrees`, as signed angles: stretches between two sign changes of the
/// curvature.
fn bends_deg(track: &Track, degrees: f64) -> Vec<f64> {
    let step_m = track.length_m() / track.points().len() as f64;
    let curvature = track.curvature_per_m();
    // Begin in a straight, so that no bend is cut in two.
    let start = curvature.iter().position(|k| k.abs() < 1e-3).expect("a straight");
    let mut bends = vec![0.0_f64];
    for i in 0..curvature.len() {
        let k = curvature[(start + i) % curvature.len()];
        let turned_deg = (k * step_m).to_degrees();
        let current = bends.last_mut().expect("never empty");
        if k.abs() < 1e-3 || *current * k < 0.0 {
            bends.push(if k.abs() < 1e-3 { 0.0 } else { turned_deg });
        } else {
            *current += turned_deg;
        }
    }
    bends.retain(|bend| bend.abs() >= degrees);
    bends
}

/// Smallest distance between two points of the centre line that lie at least `apart_m` apart along
/// it.
fn clearance_m(track: &Track, apart_m: f64) -> f64 {
    let (points, arc_m) = (track.points(), track.arc_m());
    let mut least_m = f64::INFINITY;
    for i in 0..points.len() {
        for j in 0..i {
            if track.arc_between_m(arc_m[j], arc_m[i]).abs() >= apart_m {
                let (a, b) = (points[i], points[j]);
                least_m = least_m.min((a.x_m - b.x_m).hypot(a.y_m - b.y_m));
            }
        }
    }
    least_m
}

#[test]
fn shipped_files_are_what_the_generator_makes() {
    for (name, text) in make_tracks::files() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../configs/tracks")
            .join(name)
            .with_extension("csv");
        let shipped = std::fs::read_to_string(&path).expect("the file");
        assert!(
            shipped == text,
            "{}: `cargo run --release -p rt-config --example make_tracks` writes it anew",
            path.display()
        );
    }
}

#[test]
fn twisty_is_long_bends_both_ways_and_is_narrow_and_tight_yet_drivable() {
    let track = builtin("twisty");
    assert!(track.length_m() >= 25.0, "{} m", track.length_m());
    let bends = bends_deg(&track, 20.0);
    let left = bends.iter().filter(|bend| **bend > 0.0).count();
    assert!(left >= 8 && bends.len() - left >= 8, "{bends:.0?}");
    assert!((0.75..=1.0).contains(&track.radius_m_min()), "{} m", track.radius_m_min());
    for point in track.points() {
        assert!(point.w_left_m + point.w_right_m <= 1.2);
    }
    // The curvature builds up over several points: no jump that a servo could not follow.
    let curvature = track.curvature_per_m();
    for i in 0..curvature.len() {
        let jump = (curvature[i] - curvature[(i + 1) % curvature.len()]).abs();
        assert!(jump < 0.35, "point {i}: {jump} 1/m within 0.1 m");
    }
    assert!(clearance_m(&track, 3.0) > 1.3, "{} m", clearance_m(&track, 3.0));
}

#[test]
fn oval_bends_one_way_only() {
    let track = builtin("oval");
    let bends = bends_deg(&track, 20.0);
    assert_eq!(bends.len(), 2, "{bends:?}");
    assert!(bends.iter().all(|bend| (bend - 180.0).abs() < 1.0), "{bends:?}");
    assert!((track.radius_m_min() - 2.0).abs() < 0.01, "{} m", track.radius_m_min());
}

#[test]
fn shipped_tracks_close_evenly_and_without_warnings() {
    for name in Track::builtin_names() {
        let track = builtin(name);
        assert!(track.warnings().is_empty(), "{name}: {:?}", track.warnings());
        let turned: f64 = (0..track.points().len())
            .map(|i| {
                let next = track.arc_m().get(i + 1).copied().unwrap_or(track.length_m());
                let span_m = next - track.arc_m()[i];
                assert!((0.09..0.11).contains(&span_m), "{name}, point {i}: {span_m} m");
                track.curvature_per_m()[i] * span_m
            })
            .sum();
        assert!((turned.to_degrees() - 360.0).abs() < 1.0, "{name}: {}", turned.to_degrees());
    }
}

/// A circle of radius 2 m around (0, 0), counter-clockwise from (2, 0).
fn circle() -> Track {
    let rows: String = (0..100)
        .map(|i| {
            let angle = f64::from(i) * std::f64::consts::TAU / 100.0;
            format!("{:.9},{:.9},0.3,0.4\n", 2.0 * angle.cos(), 2.0 * angle.sin())
        })
        .collect();
    Track::from_csv(&rows, "circle", 1.0).unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn curvature_of_a_circle_is_one_over_its_radius() {
    let circle = circle();
    for curvature in circle.curvature_per_m() {
        assert!((curvature - 0.5).abs() < 1e-6, "{curvature}");
    }
    assert!((circle.length_m() - 4.0 * std::f64::consts::PI).abs() < 0.01);
}

#[test]
fn projection_finds_arc_side_heading_and_width() {
    let circle = circle();
    let quarter_m = circle.length_m() / 4.0;
    let inside = circle.project(0.0, 1.8);
    assert!((inside.line.arc_m - quarter_m).abs() < 0.01, "{inside:?}");
    assert!((inside.lateral_m - 0.2).abs() < 0.01, "the middle is to the left: {inside:?}");
    assert!((inside.line.heading_rad.abs() - std::f64::consts::PI).abs() < 0.01, "{inside:?}");
    assert!(inside.is_inside());
    let outside = circle.project(0.0, 2.35);
    assert!((outside.lateral_m + 0.35).abs() < 0.01, "{outside:?}");
    assert!(!outside.is_inside(), "the right border is at 0.3 m");
}

#[test]
fn projection_near_a_hint_keeps_to_its_own_lane() {
    let track = builtin("oval");
    let across = track.at(track.length_m() / 2.0 + 2.0);
    let here = track.project_near(across.x_m, across.y_m, 2.0, 1.0);
    assert!((0.9..=3.1).contains(&here.line.arc_m), "{here:?}");
    assert!((track.project(across.x_m, across.y_m).line.arc_m - across.arc_m).abs() < 1e-6);
}

#[test]
fn projection_near_the_start_wraps_both_ways() {
    let track = builtin("oval");
    let before = track.at(-0.3);
    assert!((before.arc_m - (track.length_m() - 0.3)).abs() < 1e-9);
    for hint_m in [0.2, track.length_m() - 0.1, -0.1] {
        let found = track.project_near(before.x_m, before.y_m, hint_m, 1.0);
        assert!((found.line.arc_m - before.arc_m).abs() < 1e-6, "{hint_m}: {found:?}");
    }
    assert!((track.arc_between_m(before.arc_m, 0.2) - 0.5).abs() < 1e-9);
    assert!((track.arc_between_m(0.2, before.arc_m) + 0.5).abs() < 1e-9);
}

#[test]
fn every_point_of_the_line_projects_onto_itself() {
    let track = builtin("twisty");
    for i in 0..500 {
        let arc_m = f64::from(i) * track.length_m() / 500.0;
        let point = track.at(arc_m);
        let found = track.project_near(point.x_m, point.y_m, arc_m + 0.3, 1.0);
        assert!(found.lateral_m.abs() < 1e-9, "{arc_m}: {found:?}");
        assert!(track.arc_between_m(arc_m, found.line.arc_m).abs() < 1e-6, "{arc_m}: {found:?}");
    }
}

#[test]
fn odd_arguments_give_a_finite_answer() {
    let track = builtin("oval");
    for arc_m in [f64::NAN, f64::INFINITY, -1e300, -1e-18, 1e300] {
        let point = track.at(arc_m);
        assert!((0.0..track.length_m()).contains(&point.arc_m), "{arc_m}: {point:?}");
        assert!(point.x_m.is_finite() && point.heading_rad.is_finite());
        let found = track.project_near(0.0, 0.0, arc_m, f64::NAN);
        assert!(found.lateral_m.is_finite());
    }
}

#[test]
fn scale_multiplies_all_four_columns() {
    let text = "# any comment\n0,0,1,2\r\n\n10,0,3,4\n0,10,5,6\n";
    let track = Track::from_csv(text, "t", 0.1).unwrap_or_else(|errors| panic!("{errors}"));
    let point = track.points()[1];
    let close = |a: f64, b: f64| (a - b).abs() < 1e-12;
    assert!(close(point.x_m, 1.0) && close(point.w_right_m, 0.3) && close(point.w_left_m, 0.4));
}

/// Two lobes whose lanes come within 0.8 m of each other, left side to left side.
fn peanut(w_left_m: f64) -> Track {
    let rows: String = (0..200)
        .map(|i| {
            let angle = f64::from(i) * std::f64::consts::TAU / 200.0;
            let radius_m = 1.2 + 0.8 * (2.0 * angle).cos();
            format!("{},{},0.02,{w_left_m}\n", radius_m * angle.cos(), radius_m * angle.sin())
        })
        .collect();
    Track::from_csv(&rows, "peanut", 1.0).unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn overlapping_borders_are_a_warning_and_no_error() {
    assert!(peanut(0.3).warnings().is_empty(), "{:?}", peanut(0.3).warnings());
    let warnings = peanut(0.5).warnings().join(" ");
    assert!(warnings.starts_with("the left border meets itself at points "), "{warnings}");
    let warnings = peanut(4.0).warnings().join(" ");
    assert!(warnings.contains("the inner border folds"), "{warnings}");
}

fn refused(text: &str) -> ConfigErrors {
    Track::from_csv(text, "t.csv", 1.0).expect_err(text)
}

#[test]
fn bad_tracks_are_refused_with_line_and_reason() {
    let square = "0,0,1,1\n9,0,1,1\n9,9,1,1\n";
    for (bad, told) in [
        (
            "0,0,1,1\n5,0,1,1\n",
            "t.csv: expected 3 to 100000 points of a closed centre line, found 2",
        ),
        ("", "found 0"),
        (
            &format!("{square}0,NaN,1,1\n"),
            "t.csv:4: y_m: expected a finite number of metres, found `NaN`",
        ),
        (&format!("{square}0,inf,1,1\n"), "found `inf`"),
        (&format!("{square}0,1e999,1,1\n"), "found `1e999`"),
        (&format!("{square}0,abc,1,1\n"), "t.csv:4: y_m: expected a number of metres, found `abc`"),
        (
            &format!("{square}0,9,1\n"),
            "t.csv:4: expected 4 columns x_m,y_m,w_tr_right_m,w_tr_left_m, found 3",
        ),
        (&format!("{square}0,9,1,1,1\n"), "found 5"),
        (&format!("{square}0;9;1;1\n"), "found 1"),
        (
            &format!("{square}0,9,0,1\n"),
            "t.csv:4: w_tr_right_m: expected a width above 0 m, found `0`",
        ),
        (
            &format!("{square}0,9,1,-1\n"),
            "t.csv:4: w_tr_left_m: expected a width above 0 m, found `-1`",
        ),
        (&format!("{square}0,9e9,1,1\n"), "y_m: expected at most 1000000 m"),
        (
            &format!("{square}9,9,1,1\n"),
            "t.csv:4: expected a point that differs from the one before, found the point of line 3 again (remove this row)",
        ),
        (&format!("{square}0,0,1,1\n"), "the line closes by itself: remove this row"),
        (
            "0,0,1,1\n5,5,1,1\n5,0,1,1\n0,5,1,1\n",
            "t.csv:3: expected a centre line that never meets itself, found that the stretch from here crosses the one from line 1",
        ),
        ("0,0,1,1\n5,0,1,1\n2,0,1,1\n2,4,1,1\n", "never meets itself"),
        // The stretch that closes the line counts too.
        (
            "0,0,1,1\n3,-3,1,1\n3,3,1,1\n6,0,1,1\n",
            "t.csv:4: expected a centre line that never meets itself, found that the stretch from here crosses the one from line 2",
        ),
    ] {
        let errors = refused(bad).to_string();
        assert!(errors.contains(told), "{bad}\n  told: {errors}\n  expected: {told}");
    }
}

#[test]
fn all_bad_rows_are_told_at_once() {
    let errors = refused("0,0,1,1\nx,0,1,1\n9,9,1\n0,9,0,1\n");
    let lines: Vec<usize> = errors.iter().map(|error| error.line).collect();
    assert_eq!(lines, [2, 3, 4]);
}

#[test]
fn lines_are_counted_with_comments_and_empty_ones() {
    let errors =
        refused("# x_m,y_m,w_tr_right_m,w_tr_left_m\n\n0,0,1,1\nx,0,1,1\n9,9,1,1\n9,9,1,1\n");
    let lines: Vec<usize> = errors.iter().map(|error| error.line).collect();
    assert_eq!(lines, [4]);
    let errors = refused("# a square\n0,0,1,1\n9,0,1,1\n# again\n9,0,1,1\n0,9,1,1\n");
    assert_eq!(errors.iter().next().map(|error| error.line), Some(5));
}

#[test]
fn columns_that_are_named_must_be_the_four_in_their_order() {
    let square = "0,0,1,1\n9,0,1,1\n9,9,1,1\n";
    for good in
        ["# x_m,y_m,w_tr_right_m,w_tr_left_m", "x_m, y_m, w_tr_right_m, w_tr_left_m", "# a, b"]
    {
        Track::from_csv(&format!("{good}\n{square}"), "t.csv", 1.0).expect(good);
    }
    for bad in ["# y_m,x_m,w_tr_left_m,w_tr_right_m", "x_m,y_m,width_m", "#x_m,y_m,yaw,speed"] {
        let errors = refused(&format!("{bad}\n{square}")).to_string();
        let told = "t.csv:1: expected the columns x_m,y_m,w_tr_right_m,w_tr_left_m, found ";
        assert!(errors.starts_with(told), "{errors}");
        assert!(errors.ends_with(bad.trim_start_matches(['#', ' '])), "{errors}");
    }
}

#[test]
fn a_pipe_or_a_device_is_not_waited_for() {
    let errors = Track::load("/dev/null", 1.0).expect_err("a device").to_string();
    assert!(
        errors.contains("expected a readable track file, found a pipe or a device"),
        "{errors}"
    );
}

#[test]
fn a_scale_that_is_no_scale_is_refused() {
    for scale in [0.0, -0.1, f64::NAN, f64::INFINITY, 1e9] {
        let errors = Track::from_csv("0,0,1,1\n9,0,1,1\n9,9,1,1\n", "t", scale).expect_err("scale");
        assert!(errors.to_string().contains("scale: expected a scale from 0.001 to 1000"));
    }
}

#[test]
fn an_unknown_name_is_told_with_the_nearest_one() {
    let errors = Track::resolve("twisti", 1.0).expect_err("unknown").to_string();
    assert!(errors.contains("expected one of oval, twisty, or a file"), "{errors}");
    assert!(errors.ends_with("nearest valid name: twisty"), "{errors}");
}

#[test]
fn a_missing_file_is_told_with_its_nearest_neighbour() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/tracks");
    let path = folder.join("ovall.csv").display().to_string();
    let errors = Track::resolve(&path, 1.0).expect_err("missing").to_string();
    assert!(errors.contains("expected a readable track file, found no such file"), "{errors}");
    assert!(errors.ends_with("oval.csv"), "{errors}");
}

/// Real circuits lie beside the repository, not in it.
fn circuits() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/tracks");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("SKIPPED: {} is absent, so no real circuit was read", folder.display());
    None
}

#[test]
fn real_circuits_load_at_one_tenth_and_stay_drivable() {
    let Some(folder) = circuits() else { return };
    for (name, length_m) in [("Norisring", 2300.0), ("Spielberg", 4318.0)] {
        let track = Track::load(folder.join(name).with_extension("csv"), 0.1)
            .unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(track.name(), name);
        let off = track.length_m() / (0.1 * length_m) - 1.0;
        assert!(off.abs() < 0.03, "{name}: {} m", track.length_m());
        assert!(track.radius_m_min() > 0.75, "{name}: {} m", track.radius_m_min());
        assert!(track.points().iter().all(|point| point.w_right_m < 2.0));
        let half_way = track.at(track.length_m() / 2.0);
        assert!(track.project(half_way.x_m, half_way.y_m).lateral_m.abs() < 1e-9);
    }
}
