//! What a tfds data set says of itself: `features.json` and `dataset_info.json`.
//!
//! It decides names and types of the features; both files have the form that `tensorflow_datasets`
//! writes, so that `builder_from_directory` needs nothing else. Shown by: tests/formats/tfds.rs (snapshot),
//! tests/readers/tfds.py.

use crate::example::ListKind;
use crate::jpeg::JpegSize;
use crate::vector::Shape;
use serde_json::{Map, Value, json};

/// Version of the features' layout.
pub(super) const VERSION: &str = "1.0.0";

/// What the steps of a data set hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) shape: Shape,
    /// Size of every picture; `None` for a data set without.
    pub(super) picture: Option<JpegSize>,
}

impl Layout {
    /// Columns of an episode, in the order in which they are filled: of a step, then of the episode.
    pub(super) fn columns(&self) -> Vec<(String, ListKind)> {
        use ListKind::{Bytes, Floats, Ints};
        let mut columns = Vec::new();
        if self.picture.is_some() {
            columns.push(("steps/observation/image", Bytes));
        }
        columns.extend([
            ("steps/observation/state", Floats),
            ("steps/observation/timestamp_ns", Ints),
            ("steps/observation/wall_time_ms", Ints),
            ("steps/observation/frame_id", Bytes),
            ("steps/observation/json", Bytes),
            ("steps/action", Floats),
            ("steps/action_json", Bytes),
            ("steps/reward", Floats),
            ("steps/discount", Floats),
            ("steps/is_first", Ints),
            ("steps/is_last", Ints),
            ("steps/is_terminal", Ints),
            ("steps/language_instruction", Bytes),
            ("steps/step_metadata", Bytes),
            ("episode_metadata/episode_id", Bytes),
            ("episode_metadata/json", Bytes),
            ("episode_metadata/part", Ints),
            ("episode_metadata/first_step", Ints),
        ]);
        columns.into_iter().map(|(name, kind)| (name.to_owned(), kind)).collect()
    }

    /// `features.json`.
    pub(super) fn features(&self) -> Value {
        let mut observation = Map::new();
        if let Some(picture) = self.picture {
            observation.insert("image".to_owned(), image(picture));
        }
        for (name, feature) in [
            ("state", tensor("float32", &[self.shape.state()])),
            ("timestamp_ns", tensor("int64", &[])),
            ("wall_time_ms", tensor("int64", &[])),
            ("frame_id", text()),
            ("json", text()),
        ] {
            observation.insert(name.to_owned(), feature);
        }
        let step = json!({
            "observation": dict(Value::Object(observation)),
            "action": tensor("float32", &[self.shape.command]),
            "action_json": text(),
            "reward": tensor("float32", &[]),
            "discount": tensor("float32", &[]),
            "is_first": tensor("bool", &[]),
            "is_last": tensor("bool", &[]),
            "is_terminal": tensor("bool", &[]),
            "language_instruction": text(),
            "step_metadata": text(),
        });
        let episode = json!({
            "episode_id": text(),
            "json": text(),
            "part": tensor("int64", &[]),
            "first_step": tensor("int64", &[]),
        });
        dict(json!({
            "steps": {
                "pythonClassName": "tensorflow_datasets.core.features.dataset_feature.Dataset",
                "sequence": { "feature": dict(step), "length": "-1" },
            },
            "episode_metadata": dict(episode),
        }))
    }
}

/// A split as `dataset_info.json` tells it.
pub(super) struct Split<'a> {
    pub(super) name: &'a str,
    /// Episodes in each of its files.
    pub(super) shard_lengths: Vec<u64>,
    pub(super) bytes: u64,
}

/// `dataset_info.json`.
pub(super) fn dataset_info(name: &str, gzip: bool, splits: &[Split<'_>]) -> Value {
    let extension = if gzip { ".gz" } else { "" };
    let template = format!("{{DATASET}}-{{SPLIT}}.{{FILEFORMAT}}-{{SHARD_X_OF_Y}}{extension}");
    let splits: Vec<Value> = splits
        .iter()
        .map(|split| {
            let lengths: Vec<String> = split.shard_lengths.iter().map(u64::to_string).collect();
            json!({
                "name": split.name,
                "filepathTemplate": template,
                "numBytes": split.bytes.to_string(),
                "shardLengths": lengths,
            })
        })
        .collect();
    json!({
        "name": name,
        "version": VERSION,
        "description": "Episodes of a Continuon robot, in RLDS. `observation/state` is named in \
                        continuon_export.json; `action` is what was driven.",
        "fileFormat": "tfrecord",
        "releaseNotes": { VERSION: "First layout." },
        "splits": splits,
    })
}

fn dict(features: Value) -> Value {
    json!({
        "pythonClassName": "tensorflow_datasets.core.features.features_dict.FeaturesDict",
        "featuresDict": { "features": features },
    })
}

fn tensor(dtype: &str, shape: &[usize]) -> Value {
    let dimensions: Vec<String> = shape.iter().map(usize::to_string).collect();
    let (class, shape) = if dimensions.is_empty() {
        ("tensorflow_datasets.core.features.scalar.Scalar", json!({}))
    } else {
        (
            "tensorflow_datasets.core.features.tensor_feature.Tensor",
            json!({ "dimensions": dimensions }),
        )
    };
    json!({
        "pythonClassName": class,
        "tensor": { "shape": shape, "dtype": dtype, "encoding": "none" },
    })
}

fn text() -> Value {
    json!({
        "pythonClassName": "tensorflow_datasets.core.features.text_feature.Text",
        "text": {},
    })
}

fn image(size: JpegSize) -> Value {
    let dimensions = [size.height.to_string(), size.width.to_string(), size.components.to_string()];
    json!({
        "pythonClassName": "tensorflow_datasets.core.features.image_feature.Image",
        "image": {
            "shape": { "dimensions": dimensions },
            "dtype": "uint8",
            "encodingFormat": "jpeg",
        },
    })
}
