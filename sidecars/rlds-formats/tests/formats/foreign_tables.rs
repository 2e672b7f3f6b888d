//! LeRobot data sets whose tables other programs wrote: other types than ours, and schemas and sizes
//! that nobody can mean.

use crate::common::steps_of;
use crate::import::import_one;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::{ByteArray, FixedLenByteArray, Int96};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::SchemaDescriptor;
use rlds_formats::export::Fate;
use serde_json::json;
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// A table of two rows, a list being two values; `whole` says what a whole number of a row is.
fn table(schema: &str, whole: fn(&str, usize) -> i32) -> Vec<u8> {
    let schema = parse_message_type(&format!("message schema {{ {schema} }}")).expect("a schema");
    let schema = Arc::new(schema);
    let columns = SchemaDescriptor::new(Arc::clone(&schema));
    let mut columns = columns.columns().iter();
    let properties = WriterProperties::builder().set_dictionary_enabled(false).build();
    let mut file = Vec::new();
    let writer = SerializedFileWriter::new(&mut file, schema, Arc::new(properties));
    let mut writer = writer.expect("memory");
    let mut group = writer.next_row_group().expect("memory");
    while let Some(mut column) = group.next_column().expect("memory") {
        let told = columns.next().expect("a column");
        let rows: &[usize] = if told.max_rep_level() > 0 { &[0, 0, 1, 1] } else { &[0, 1] };
        let whole = |row: &usize| whole(&told.path().string(), *row);
        let depths = vec![told.max_def_level(); rows.len()];
        let repeats: &[i16] = &[0, 1, 0, 1];
        let (depths, repeats) = (Some(&depths[..]), repeats.get(..rows.len()));
        let written = match column.untyped() {
            ColumnWriter::BoolColumnWriter(it) => {
                let values: Vec<bool> = rows.iter().map(|row| *row == 1).collect();
                it.write_batch(&values, depths, repeats)
            }
            ColumnWriter::Int32ColumnWriter(it) => {
                let values: Vec<i32> = rows.iter().map(whole).collect();
                it.write_batch(&values, depths, repeats)
            }
            ColumnWriter::Int64ColumnWriter(it) => {
                let values: Vec<i64> = rows.iter().map(|row| i64::from(whole(row))).collect();
                it.write_batch(&values, depths, repeats)
            }
            ColumnWriter::Int96ColumnWriter(it) => {
                let values: Vec<Int96> = rows.iter().map(|_| Int96::new()).collect();
                it.write_batch(&values, depths, repeats)
            }
            ColumnWriter::FloatColumnWriter(it) => {
                let values: Vec<f32> = rows.iter().map(|row| *row as f32 / 4.0).collect();
                it.write_batch(&values, depths, repeats)
            }
            ColumnWriter::DoubleColumnWriter(it) => {
                let values: Vec<f64> = rows.iter().map(|row| *row as f64 / 2.0).collect();
                it.write_batch(&values, depths, repeats)
            }
            ColumnWriter::ByteArrayColumnWriter(it) => {
                let values: Vec<ByteArray> = rows.iter().map(|_| ByteArray::from("note")).collect();
                it.write_batch(&values, depths, repeats)
            }
            ColumnWriter::FixedLenByteArrayColumnWriter(it) => {
                let bytes = || FixedLenByteArray::from(b"hash".to_vec());
                let values: Vec<FixedLenByteArray> = rows.iter().map(|_| bytes()).collect();
                it.write_batch(&values, depths, repeats)
            }
        };
        written.expect("memory");
        column.close().expect("memory");
    }
    group.close().expect("memory");
    writer.close().expect("memory");
    file
}

/// Info, episodes, tasks, data: one episode of two frames.
pub(crate) fn foreign() -> [Vec<u8>; 4] {
    let info = json!({ "codebase_version": "v3.1", "robot_type": "so100",
        "features": { "action": { "dtype": "float64" },
                      "observation.images.top": { "dtype": "video" } } });
    // Episode 0 has two frames, episode 1 none.
    let episodes = table(
        "required int32 episode_index (UINT_8); required int32 data/chunk_index;
         required int32 data/file_index; optional int64 length; repeated float stats/x;",
        |column, row| match (column, row) {
            ("length", 0) => 2,
            ("episode_index", row) => row as i32,
            _ => 0,
        },
    );
    let tasks = "required int64 task_index; optional binary __index_level_0__ (UTF8);";
    let tasks = table(tasks, |_, row| row as i32);
    let data = table(
        "required group action (LIST) { repeated group list { required double element; } }
         optional float timestamp; required int32 frame_index (UINT_8);
         required int32 episode_index; required int64 index (UINT_64); required boolean next.done;
         optional double next.reward; optional int96 stamp; repeated int32 flat;
         required fixed_len_byte_array(4) hash; optional int32 task_index;
         optional binary words (UTF8); optional binary raw;
         optional group place { required double x; optional int64 n (UINT_64); }",
        |column, row| match column {
            "place.n" => -1,
            "flat" => row as i32 + 7,
            _ => 0,
        },
    );
    [info.to_string().into_bytes(), episodes, tasks, data]
}

fn write(set: &Path, [info, episodes, tasks, data]: &[Vec<u8>; 4]) {
    let files = [
        ("meta/info.json", info),
        ("meta/episodes/chunk-000/file-000.parquet", episodes),
        ("meta/tasks.parquet", tasks),
        ("data/chunk-000/file-000.parquet", data),
    ];
    for (name, content) in files {
        let path = set.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, content).expect("a file");
    }
}

#[test]
fn tables_of_other_types_are_read() {
    let temp = tempfile::tempdir().expect("a folder");
    write(&temp.path().join("set"), &foreign());
    let to = temp.path().join("out");
    let imported = import_one(&temp.path().join("set"), &to);
    let told = &imported.told[0];
    assert_eq!((told.fate, told.steps), (Fate::Written, 2), "{:?}", imported.told);
    let steps = steps_of(&to.join(&told.episode_id));
    assert_eq!(steps[1].action.command, [0.5, 0.5]);
    assert_eq!(steps[1].observation.robot_state.timestamp_nanos, 250_000_000);
    assert!(steps[1].is_terminal && !steps[0].is_terminal);
    let said = |key: &str| steps[1].step_metadata.get(key).map(String::as_str);
    assert_eq!(said("reward"), Some("0.5"));
    assert_eq!(said("flat"), Some("[8, 8]"));
    assert_eq!((said("hash"), said("raw")), (Some("4 bytes"), Some("4 bytes")));
    assert_eq!((said("words"), said("place.x")), (Some("note"), Some("0.5")));
    assert_eq!(said("place.n"), Some("18446744073709552000"));
    let task = steps[0].step_metadata.get("language_instruction");
    assert_eq!(task.map(String::as_str), Some("note"));
}

/// Each of them ends the process in the library's own reader of rows.
#[test]
fn schemas_that_nobody_can_mean_are_refused_by_name() {
    let columns = "required int32 episode_index; required float timestamp;";
    let none = "action: expected numbers, found none";
    for (action, words) in [
        (
            "required group action (LIST) { repeated group list { required float a; required float b; } }",
            "two columns called action",
        ),
        ("required group action (LIST) { required float a; required float b; }", none),
        ("required group action (MAP) { required float a; }", none),
        ("required group action (LIST) { optional group list { required float element; } }", none),
    ] {
        let temp = tempfile::tempdir().expect("a folder");
        let mut files = foreign();
        files[3] = table(&format!("{columns} {action}"), |_, _| 0);
        write(&temp.path().join("set"), &files);
        let imported = import_one(&temp.path().join("set"), &temp.path().join("out"));
        assert_eq!(imported.told[0].fate, Fate::Skipped, "{action}: {:?}", imported.told);
        let why = &imported.told[0].why;
        assert!(why.contains(words), "{action}: {why}");
    }
}
