//! `continuon rlds ls`, `info`, `show` and `plot`: what is told is what is there, losses first.

mod made;

use made::{Drive, UNIX_MS, about, cycle, jpeg};
use rlds::{About, Closing};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn run(arguments: &[&str], path: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_continuon"));
    command.arg("rlds").args(arguments).arg(path).output().expect("it runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs it, and wants this exit code and one JSON object.
fn told(arguments: &[&str], path: &Path, code: i32) -> Value {
    let output = run(&[&["--json"], arguments].concat(), path);
    let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{said}");
    serde_json::from_slice(&output.stdout).expect(&said)
}

/// Runs it, and wants this exit code and words without escapes: stdout is no terminal.
fn said(arguments: &[&str], path: &Path, code: i32) -> String {
    let output = run(arguments, path);
    let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(!said.contains('\u{1b}'), "{said:?}");
    said
}

/// A second later, or so many.
fn later(seconds: i64) -> About {
    About { start_unix_ms: UNIX_MS + seconds * 1000, ..about() }
}

#[test]
fn ls_tells_each_episode_newest_last_its_state_and_what_it_lost() {
    let dir = tempfile::tempdir().expect("a folder");
    // Made in another order than that of their times.
    let newest = Drive { about: later(30), ..Drive::default() }.open(dir.path());
    let kept = Drive { lost: Some((720, 727)), picture_every: 100, ..Drive::default() };
    let kept = kept.write(dir.path());
    fs::write(kept.join("keep"), "").expect("written");
    let lost = Drive { about: later(10), ..Drive::default() }.open(dir.path());
    lost.finish(Closing::LoopLost, "the loop died");
    let killed = Drive { about: later(20), ..Drive::default() }.open(dir.path());
    drop(killed);

    let answer = told(&["ls"], dir.path(), 0);
    let row = |n: usize, key: &str| answer["episodes"][n][key].clone();
    let states: Vec<Value> = (0..4).map(|n| row(n, "state")).collect();
    assert_eq!(states, ["whole", "loop_lost", "left_open", "running"]);
    let records: Vec<Value> = (0..4).map(|n| row(n, "records")).collect();
    // Of what is open, what has reached the disk: all but the last 200 ms.
    assert_eq!(records, [json!(1993), json!(2000), json!(1800), json!(1800)]);
    assert_eq!(
        (row(0, "lost"), row(0, "frames"), row(0, "steps")),
        (json!(7), json!(20), json!(40))
    );
    assert_eq!((row(0, "kept"), row(1, "kept")), (json!(true), json!(false)));
    assert_eq!(row(0, "duration_s"), 1.999);
    assert_eq!(answer["total"]["records"], 1993 + 2000 + 1800 + 1800);
    assert_eq!(answer["total"]["lost"], 7);

    let table = said(&["ls"], dir.path(), 0);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 6, "{table}");
    assert!(
        lines[1].contains("2026-11-18 11:06:40") && lines[1].ends_with("whole, kept"),
        "{table}"
    );
    assert!(lines[3].ends_with("left open") && lines[4].ends_with("running"), "{table}");
    assert!(lines[5].starts_with("4 episodes, 7.6 s, ") && lines[5].contains(" 7 lost"), "{table}");
    newest.finish(Closing::Clean, "");
}

#[test]
fn info_counts_anew_and_tells_what_is_lost_and_where() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = Drive { lost: Some((720, 727)), ..Drive::default() }.write(dir.path());
    let answer = told(&["info"], &path, 0);
    assert_eq!(answer["problems"], json!([]), "{answer:#}");
    let recording = &answer["recording"];
    assert_eq!(recording["telemetry_records"], 1993);
    assert_eq!(answer["lost"]["telemetry"], 7);
    assert_eq!(answer["lost"]["telemetry_lapped"], 7);
    assert_eq!(answer["steps"]["telemetry_lost"], 7);
    assert_eq!(recording["missing_at"][0]["lost"], 7);
    assert_eq!(recording["missing_at"][0]["at_ns"], 718_000_000_u64, "after cycle 719");
    let modes: Vec<(u64, String)> = recording["modes"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|change| {
            let (cycle, to) = (change["cycle_index"].as_u64(), change["to"].as_str());
            (cycle.expect("a number"), to.expect("a name").to_owned())
        })
        .collect();
    let expected = [(1, "Disarmed"), (501, "Active"), (1500, "SafeStop"), (1501, "Active")];
    assert_eq!(modes, expected.map(|(cycle, to)| (cycle, to.to_owned())));
    let share = recording["authority_share"]["pilot"].as_f64().expect("a share");
    assert!((share - 1493.0 / 1993.0).abs() < 1e-9, "{share}");
    let cause = json!({"name": "OwnerStale", "first_ns": 1_499_000_000_u64,
        "last_ns": 1_499_000_000_u64, "cycles": 1});
    assert_eq!(recording["causes"], json!([cause]));
    let rate = answer["rates_hz"]["telemetry"].as_f64().expect("a rate");
    assert!((rate - 1992.0 / 1.999).abs() < 1e-6, "{rate}");
    assert_eq!(answer["rates_hz"]["steps"], 20.0);
    let channels = recording["channels"].as_array().expect("a list");
    let telemetry =
        channels.iter().find(|channel| channel["topic"] == "sim-donkey.fast-loop.telemetry.ring");
    let telemetry = telemetry.expect("it is there");
    assert_eq!(telemetry["messages"], 1993);
    assert_eq!(telemetry["bytes"], 1993 * size_of_val(&cycle(1)));

    let words = said(&["info"], &path, 0);
    for part in [
        ": whole, ",
        ", 7 LOST",
        "1 993 records in 2.00 s",
        "20.00 a second (nominal 20)",
        "7 (7 overwritten in the ring, 0 not on the disk)",
        "pilot 74.9 %",
        "OwnerStale            at 1.499 s, in 1 cycle",
    ] {
        assert!(words.contains(part), "{part} in {words}");
    }
}

#[test]
fn info_says_where_episode_and_recording_do_not_agree() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = Drive { lost: Some((720, 727)), ..Drive::default() }.write(dir.path());
    for (file, from, to, problem) in [
        (
            "episode.json",
            "\"telemetry_lost_ring\": 7",
            "\"telemetry_lost_ring\": 0",
            "telemetry lost",
        ),
        (
            "episode.json",
            "\"telemetry_records\": 1993",
            "\"telemetry_records\": 2000",
            "says 2000, found 1993",
        ),
        (
            "metadata.json",
            "telemetry_lost:7",
            "telemetry_lost:0",
            "metadata.json says 0, episode.json 7",
        ),
        ("steps/000000.jsonl", "{\"observation\"", "{\"observatio\"", "000000.jsonl:1:"),
    ] {
        let whole = fs::read_to_string(path.join(file)).expect("read");
        let changed = whole.replacen(from, to, 1);
        assert_ne!(whole, changed, "{from}");
        fs::write(path.join(file), changed).expect("written");
        let words = said(&["info"], &path, 1);
        assert!(words.contains("Problems") && words.contains(problem), "{problem} in {words}");
        // What is missing is told whoever keeps silent about it.
        assert!(words.contains(", 7 LOST"), "{words}");
        fs::write(path.join(file), whole).expect("written");
    }
}

#[test]
fn info_puts_pictures_into_the_bins_of_their_distance() {
    let dir = tempfile::tempdir().expect("a folder");
    let camera = About { frames_per_step: 1, ..about() };
    // A picture each 50 ms, 0.3 ms after a record; three of them in a hole of telemetry: 4.3 ms after
    // its begin, in the middle, 2.7 ms before its end.
    let lost = Some((1047, 1153));
    let path =
        Drive { about: camera, lost, picture_every: 50, ..Drive::default() }.write(dir.path());
    let answer = told(&["info"], &path, 0);
    let steps = &answer["steps"];
    assert_eq!((steps["with_picture"].clone(), steps["blocks"].clone()), (json!(40), json!(40)));
    let counts: Vec<u64> = steps["alignment"]
        .as_array()
        .expect("bins")
        .iter()
        .map(|bin| bin["count"].as_u64().expect("a count"))
        .collect();
    // Worked out by hand from the steps themselves, in microseconds.
    let lines = fs::read_to_string(path.join("steps/000000.jsonl")).expect("read");
    let mut expected = vec![0_u64; 12];
    for line in lines.lines() {
        let step: Value = serde_json::from_str(line).expect("a step");
        let stamp = |pointer| step.pointer(pointer).and_then(Value::as_i64).expect(pointer);
        let apart = stamp("/observation/media/rgb/timestamp_ns")
            - stamp("/observation/robot_state/timestamp_nanos");
        let bin = match apart {
            apart if apart < -5_000_000 => 0,
            apart if apart > 5_000_000 => 11,
            5_000_000 => 10,
            apart => {
                usize::try_from((apart + 5_000_000).div_euclid(1_000_000)).expect("inside") + 1
            }
        };
        expected[bin] += 1;
    }
    assert_eq!(counts, expected);
    let of = [(3, 1), (6, 37), (10, 1)].map(|(bin, count)| (counts[bin], count));
    assert!(of.iter().all(|(found, count)| found == count), "{counts:?}");
    assert_eq!(counts.iter().sum::<u64>(), 40);
    assert_eq!(steps["blocks_outside"], counts[0] + counts[11]);
    let words = said(&["info"], &path, 0);
    assert!(words.contains("39 of 40 blocks within ± 5 ms, 1 outside"), "{words}");
}

#[test]
fn torn_recording_is_told_as_far_as_it_goes() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = Drive::default().write(dir.path());
    let recording = rlds::recording_path(&path);
    let bytes = fs::read(&recording).expect("read");
    fs::write(&recording, &bytes[..bytes.len() / 2]).expect("written");
    let words = said(&["info"], &path, 1);
    assert!(words.contains("bytes are torn"), "{words}");
    let answer = told(&["info"], &path, 1);
    let records = answer["recording"]["telemetry_records"].as_u64().expect("a count");
    assert!((200..2000).contains(&records), "{records}");
    let page = dir.path().join("page.html");
    let page_text = page.display().to_string();
    let words = said(&["plot", "--out", &page_text], &path, 1);
    assert!(words.contains("records of"), "{words}");
    assert!(fs::read_to_string(&page).expect("read").contains("bytes are torn"));
    // Steps do not need it.
    assert!(said(&["show", "39", "--episode"], &path, 0).contains("step 39"));
}

#[test]
fn show_tells_one_step_its_neighbours_and_what_was_lost_before_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = Drive { lost: Some((720, 727)), ..Drive::default() }.write(dir.path());
    let answer = told(&["show", "15", "--episode"], &path, 0);
    assert_eq!(answer["since_step_before_ns"], 50_000_000);
    assert_eq!(answer["until_step_after_ns"], 50_000_000);
    assert_eq!(answer["since_first_step_ns"], 750_000_000);
    assert_eq!(answer["step"]["step_metadata"]["telemetry_lost"], "7");
    let words = said(&["show", "15", "--episode"], &path, 0);
    for part in [
        "before: -50.000 ms; after: +50.000 ms",
        "LOST                  7 records of telemetry before this step",
        "driven                steering +0.5100, throttle +0.2500",
        "asked                 steering +0.0000, throttle +0.5000",
        "authority             pilot, source human_supervisor",
    ] {
        assert!(words.contains(part), "{part} in {words}");
    }
    let first = said(&["show", "0", "--episode"], &path, 0);
    assert!(
        first.contains("none, it is the first") && first.contains("lost                  nothing")
    );
    let words = said(&["show", "40", "--episode"], &path, 2);
    assert!(words.contains("no step 40; it has 40 steps; nearest: 39"), "{words}");
}

#[test]
fn show_writes_the_picture_that_was_recorded_and_never_over_a_file() {
    let dir = tempfile::tempdir().expect("a folder");
    let camera = About { frames_per_step: 2, ..about() };
    let path = Drive { about: camera, picture_every: 50, ..Drive::default() }.write(dir.path());
    let out = dir.path().join("step.jpg");
    let to = out.display().to_string();
    let words = said(&["show", "7", "--frame-to", &to, "--episode"], &path, 0);
    assert!(words.contains("#frames/14, 32 × 24 pixels"), "{words}");
    assert_eq!(fs::read(&out).expect("read"), jpeg(14));
    let words = said(&["show", "8", "--frame-to", &to, "--episode"], &path, 2);
    assert!(words.contains("is there already"), "{words}");
    assert_eq!(fs::read(&out).expect("read"), jpeg(14));
    let plain = Drive { about: later(9), ..Drive::default() }.write(dir.path());
    let words = said(&["show", "8", "--frame-to", &format!("{to}2"), "--episode"], &plain, 2);
    assert!(words.contains("refers to no picture"), "{words}");
}

#[test]
fn plot_is_one_page_that_asks_for_nothing_and_shows_text_as_text() {
    let dir = tempfile::tempdir().expect("a folder");
    let hostile = "</title><script>alert(1)</script><img src=x onerror=alert(2)>";
    let about =
        About { environment_id: hostile.to_owned(), robot_model: "a&b \"c'".to_owned(), ..about() };
    let drive = Drive { about, picture_every: 20, lost: Some((720, 727)), ..Drive::default() };
    let path = drive.write(dir.path());
    let page = dir.path().join("report.html");
    let out = page.display().to_string();
    let answer = told(&["plot", "--out", &out, "--frames", "12"], &path, 0);
    assert_eq!((answer["frames"].clone(), answer["frames_shown"].clone()), (json!(100), json!(12)));
    assert_eq!(answer["records"], 1993);
    let html = fs::read_to_string(&page).expect("read");
    assert_eq!(html.matches("<script").count(), 2, "the data and ours");
    assert_eq!(html.matches("<img").count(), 12);
    assert!(html.contains("&lt;script&gt;alert(1)") && html.contains("a&amp;b &quot;c&#39;"));
    assert!(html.contains("12 of 100 pictures shown"));
    assert!(html.contains("LOST: 7 records of telemetry"), "losses are told");
    for lane in ["SafeStop", "Disarmed", "OwnerStale", "telemetry lost", "nobody", "pilot"] {
        assert!(html.contains(&format!("title=\"{lane}\"")), "{lane}");
    }
    // No address but those of its own pictures.
    assert!(!html.contains("http://") && !html.contains("https://"));
    assert_eq!(
        html.matches("src=\"data:image/jpeg;base64,").count(),
        html.matches("src=\"").count()
    );
    assert_eq!(html.matches("role=\"img\"").count(), html.matches("aria-label=").count());
    assert!(html.contains("prefers-color-scheme:dark"));
    // A page may be written anew; anything else stays.
    said(&["plot", "--out", &out], &path, 0);
    let note = path.join("episode.json");
    let before = fs::read(&note).expect("read");
    let words = said(&["plot", "--out", &note.display().to_string()], &path, 2);
    assert!(words.contains("left as it is"), "{words}");
    assert_eq!(fs::read(&note).expect("read"), before);
}

#[test]
fn plot_shows_one_late_cycle_of_a_long_drive_and_stays_small() {
    let dir = tempfile::tempdir().expect("a folder");
    let change = |n: u64, record: &mut rt_wire::Telemetry| {
        if n == 23_456 {
            record.release.woke_at = record.release.release_time.plus(7_654_000);
            record.outcome.setpoint.steering = -0.875;
        }
    };
    let path = Drive { cycles: 40_000, change, ..Drive::default() }.write(dir.path());
    let page = dir.path().join("report.html");
    let answer = told(&["plot", "--out", &page.display().to_string()], &path, 0);
    assert!(answer["columns"].as_u64().is_some_and(|columns| (600..=1200).contains(&columns)));
    assert!(answer["bytes"].as_u64().is_some_and(|bytes| bytes < 500_000), "{answer}");
    let html = fs::read_to_string(&page).expect("read");
    assert!(html.contains("release to wake 20 to 7654"), "the late cycle");
    assert!(html.contains("driven −0.875 to 0.99"), "the jerk");
    assert!(html.contains("<td class=\"n\">7654 µs</td><td class=\"n\">23.4"), "and when");
}

#[test]
fn episode_of_another_program_is_told_without_a_recording() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = Drive { picture_every: 50, ..Drive::default() }.write(dir.path());
    fs::remove_dir_all(path.join("blobs")).expect("removed");
    fs::remove_file(path.join("episode.json")).expect("removed");
    let words = said(&["info"], &path, 0);
    assert!(words.contains("foreign") && words.contains("what is lost is not told"), "{words}");
    assert!(words.contains("40 steps"), "{words}");
    assert!(said(&["ls"], dir.path(), 0).contains("foreign"));
    let words = said(&["plot", "--out", "never.html"], &path, 2);
    assert!(words.contains("blobs/recording.mcap"), "{words}");
}

#[test]
fn what_is_no_episode_is_refused_with_what_was_expected() {
    let dir = tempfile::tempdir().expect("a folder");
    let nothing = dir.path().join("none");
    let garbage = dir.path().join("recording.mcap");
    fs::write(&garbage, "no recording").expect("written");
    for arguments in
        [["info"].as_slice(), &["ls"], &["show", "0", "--episode"], &["plot", "--out", "x.html"]]
    {
        let words = said(arguments, &nothing, 2);
        assert!(words.contains("none: expected"), "{words}");
    }
    for arguments in [["info"].as_slice(), &["plot", "--out", "x.html"]] {
        let words = said(arguments, &garbage, 2);
        assert!(words.contains("not an MCAP file"), "{words}");
    }
    let words = said(&["show", "0", "--episode"], &garbage, 2);
    assert!(words.contains("a recording alone"), "{words}");
}

#[test]
fn help_of_each_has_examples_and_exit_codes() {
    for verb in ["ls", "info", "show", "plot", "play"] {
        let help = said(&[verb], Path::new("--help"), 0);
        assert!(help.contains(&format!("continuon rlds {verb}")), "{help}");
        assert!(help.contains("Exit codes:"), "{help}");
    }
}
