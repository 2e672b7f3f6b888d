//! LeRobot, version 3: tables and figures. pyarrow's view is in tests/readers/lerobot.py.

use crate::common::{episode, files, jpeg, run, step};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use rlds_formats::export::{Fate, Format, Options, export};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Every row of a table, as JSON; bytes by their number.
fn rows(path: &Path) -> Vec<Value> {
    let reader = SerializedFileReader::new(File::open(path).expect("a file")).expect("Parquet");
    let rows = reader.get_row_iter(None).expect("rows");
    rows.map(|row| as_json(&Field::Group(row.expect("a row")))).collect()
}

fn as_json(field: &Field) -> Value {
    match field {
        Field::Group(row) => {
            row.get_column_iter().map(|(name, field)| (name.clone(), as_json(field))).collect()
        }
        Field::ListInternal(list) => list.elements().iter().map(as_json).collect(),
        Field::Bytes(bytes) => json!(bytes.len()),
        Field::Str(text) => json!(text),
        Field::Long(value) => json!(value),
        Field::Float(value) => json!(value),
        Field::Double(value) => json!(value),
        Field::Bool(value) => json!(value),
        other => panic!("{other:?}"),
    }
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("a file")).expect("JSON")
}

#[test]
fn rows_and_figures_are_those_of_the_episodes() {
    let temp = tempfile::tempdir().expect("a directory");
    let episodes: Vec<PathBuf> =
        (0..2).map(|n| episode(temp.path(), &format!("ep_{n}"), 4, true)).collect();
    let to = temp.path().join("out");
    let told = run(Format::Lerobot, &episodes, &to, &Options::default());
    assert!(told.iter().all(|one| one.fate == Fate::Written && one.steps == 4), "{told:?}");
    let data = rows(&to.join("data/chunk-000/file-000.parquet"));
    assert_eq!(data.len(), 8);
    let row = &data[6];
    assert_eq!(row["observation.images.front"]["bytes"], jpeg(2).len());
    assert_eq!(row["observation.images.front"]["path"], "frame-000002.jpg");
    assert_eq!(row["action"], json!(step(2, 4, true).action.command));
    assert_eq!(row["observation.state"].as_array().map(Vec::len), Some(15));
    assert_eq!(row["next.reward"], 1.0);
    assert_eq!((&row["next.done"], &data[7]["next.done"]), (&json!(false), &json!(true)));
    assert_eq!(row["original_timestamp_ns"], 7_100_000_000_i64);
    assert_eq!(row["timestamp"], json!(0.1_f32));
    let numbers = ["frame_index", "episode_index", "index", "task_index"].map(|name| &row[name]);
    assert_eq!(numbers, [&json!(2), &json!(1), &json!(6), &json!(0)]);
    let info = read(&to.join("meta/info.json"));
    assert_eq!(info["codebase_version"], "v3.0");
    assert_eq!((&info["fps"], &info["total_frames"]), (&json!(20), &json!(8)));
    assert_eq!(info["features"]["observation.images.front"]["shape"], json!([24, 32, 3]));
    assert_eq!(info["features"]["action"]["names"], json!(["steering", "throttle"]));
    let stats = read(&to.join("meta/stats.json"));
    let mean = stats["action"]["mean"][0].as_f64().expect("a number");
    assert!((mean + 0.485).abs() < 1e-6, "{mean}");
    assert_eq!(stats["action"]["count"], json!([8]));
    let red = stats["observation.images.front"]["mean"][0][0][0].as_f64().expect("a number");
    // Red runs from 0 to 248 across the picture.
    assert!((red - 124.0 / 255.0).abs() < 0.02, "{red}");
    let tasks = rows(&to.join("meta/tasks.parquet"));
    assert_eq!(tasks, [json!({ "task_index": 0, "task": "drive a lap" })]);
    let lines = rows(&to.join("meta/episodes/chunk-000/file-000.parquet"));
    assert_eq!(lines[1]["tasks"], json!(["drive a lap"]));
    let places = ["episode_index", "length", "dataset_from_index", "dataset_to_index"];
    assert_eq!(places.map(|name| lines[1][name].as_i64()), [Some(1), Some(4), Some(4), Some(8)]);
    assert_eq!(lines[1]["stats/next.reward/max"], json!([1.5]));
    assert_eq!(lines[1]["stats/observation.images.front/min"].as_array().map(Vec::len), Some(3));
}

#[test]
fn other_rates_take_the_nearest_steps_and_count_what_they_leave() {
    let temp = tempfile::tempdir().expect("a directory");
    let path = episode(temp.path(), "ep_1", 9, false);
    let to = temp.path().join("out");
    let options = Options { frames_per_s: Some(10), ..Options::default() };
    let told = run(Format::Lerobot, &[path], &to, &options);
    assert_eq!(told[0].steps, 5);
    assert_eq!(told[0].left_out, [("steps between two instants of the rate".to_owned(), 4)]);
    let data = rows(&to.join("data/chunk-000/file-000.parquet"));
    let times: Vec<i64> =
        data.iter().map(|row| row["original_timestamp_ns"].as_i64().expect("ns")).collect();
    assert_eq!(times, (0..5).map(|n| 7_000_000_000 + n * 100_000_000).collect::<Vec<i64>>());
}

#[test]
fn files_roll_over_and_broken_episodes_leave_no_row() {
    let temp = tempfile::tempdir().expect("a directory");
    let episodes: Vec<PathBuf> =
        (0..3).map(|n| episode(temp.path(), &format!("ep_{n}"), 5, true)).collect();
    fs::write(episodes[1].join("blobs/000004.jpg"), b"").expect("a file");
    let to = temp.path().join("out");
    let options = Options { file_bytes: 500, ..Options::default() };
    let told = run(Format::Lerobot, &episodes, &to, &options);
    assert!(told[0].why.contains("step 4") && told[0].why.contains("0 bytes"), "{told:?}");
    let names: Vec<String> = files(&to).into_keys().collect();
    let data: Vec<&String> = names.iter().filter(|name| name.starts_with("data/")).collect();
    assert_eq!(data, ["data/chunk-000/file-000.parquet", "data/chunk-000/file-001.parquet"]);
    let lines = rows(&to.join("meta/episodes/chunk-000/file-000.parquet"));
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1]["data/file_index"], 1);
    assert!(!names.iter().any(|name| name.contains(".part")), "{names:?}");
    let again = export(Format::Lerobot, &episodes, &to, &options, &mut |_| {});
    assert!(again.expect_err("there is one").to_string().contains("without a data set"));
}
