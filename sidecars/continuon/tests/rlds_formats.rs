//! `continuon rlds export` and `import` as a shell sees them: exit codes, words, JSON.

mod support;

use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use support::{Installed, stderr, stdout};

/// Five steps as a recorder of lines writes them; the last one broken if so wanted.
fn logged(path: &Path, broken: bool) {
    let line = |n: u64| {
        let command =
            if broken && n == 4 { json!(["left"]) } else { json!([0.1 * n as f64, 0.25]) };
        let state = json!({ "timestamp_nanos": (n + 1) * 50_000_000, "joint_positions": [0.5],
                            "wall_time_millis": 1_795_000_000_000_u64 + n * 50 });
        json!({ "observation": { "robot_state": state }, "action": { "command": command } })
    };
    let text: String = (0..5).map(|n| format!("{}\n", line(n))).collect();
    fs::write(path, text).expect("written");
}

#[test]
fn what_is_imported_is_exported_and_broken_inputs_are_named() {
    let installed = Installed::new();
    let path = |name: &str| installed.path(name).display().to_string();
    fs::create_dir(installed.path("logs")).expect("made");
    logged(&installed.path("logs/good.jsonl"), false);
    let output = installed.run(&["rlds", "import", &path("logs"), "--to", &path("episodes")]);
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    assert!(stdout(&output).contains("good: 5 steps"), "{}", stdout(&output));
    logged(&installed.path("logs/wrong.jsonl"), true);
    let output = installed.run(&["rlds", "import", &path("logs"), "--to", &path("episodes")]);
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    let said = stdout(&output);
    assert!(said.contains("wrong.jsonl:5: action.command"), "{said}");
    assert!(said.contains("0 episodes written, 1 kept, 1 skipped"), "{said}");
    let output = installed.run(&["rlds", "import", &path("logs/wrong.jsonl"), "--to", &path("x")]);
    assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
    for format in ["tfds", "tfrecord", "lerobot", "dir", "bundle"] {
        let to = path(format);
        let output = installed.run(&[
            "rlds",
            "export",
            &path("episodes"),
            "--to",
            &to,
            "--format",
            format,
            "--json",
        ]);
        assert_eq!(output.status.code(), Some(0), "{format}: {}", stdout(&output));
        let told: Value = serde_json::from_str(&stdout(&output)).expect("one JSON object");
        assert_eq!(told["episodes"][0]["fate"], "written", "{told}");
        assert_eq!(told["episodes"][0]["steps"], 5, "{told}");
    }
    let there_is_none = installed.run(&[
        "rlds",
        "export",
        &path("episodes"),
        "--to",
        &path("m"),
        "--format",
        "mcap",
    ]);
    assert_eq!(there_is_none.status.code(), Some(2), "{}", stdout(&there_is_none));
}

#[test]
fn help_says_what_each_format_loses() {
    let help = stdout(&Installed::new().run(&["rlds", "export", "--help"]));
    for part in
        ["What each format loses", "tfds ", "tfrecord ", "lerobot ", "dir ", "mcap ", "bundle "]
    {
        assert!(help.contains(part), "{part} in {help}");
    }
    let help = stdout(&Installed::new().run(&["rlds", "import", "--help"]));
    assert!(help.contains("Lost:") && help.contains("tub"), "{help}");
}
