//! The columns of a LeRobot data set, and what its files say of them.
//!
//! It decides names, types and order; the rows are filled in that order. Shown by:
//! tests/formats/lerobot.rs, tests/readers/lerobot.py.

use super::table::Kind;
use super::{Layout, PICTURE};
use serde_json::{Value, json};

/// A column of the data.
pub(super) struct Feature {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) dtype: &'static str,
    pub(super) numbers: usize,
}

impl Feature {
    /// Whether it is a column of the table: a video lies beside it.
    pub(super) fn is_column(&self) -> bool {
        self.dtype != VIDEO
    }
}

const VIDEO: &str = "video";

pub(super) fn features(layout: &Layout) -> Vec<Feature> {
    let feature = |name, kind, dtype, numbers| Feature { name, kind, dtype, numbers };
    let mut features = Vec::new();
    if layout.picture.is_some() {
        let dtype = if layout.is_video { VIDEO } else { "image" };
        features.push(feature(PICTURE, Kind::Picture, dtype, 3));
    }
    features.extend([
        feature("observation.state", Kind::Floats, "float32", layout.shape.state()),
        feature("action", Kind::Floats, "float32", layout.shape.command),
        feature("next.reward", Kind::Float, "float32", 1),
        feature("next.done", Kind::Bool, "bool", 1),
        feature("original_timestamp_ns", Kind::Int, "int64", 1),
        feature("timestamp", Kind::Float, "float32", 1),
        feature("frame_index", Kind::Int, "int64", 1),
        feature("episode_index", Kind::Int, "int64", 1),
        feature("index", Kind::Int, "int64", 1),
        feature("task_index", Kind::Int, "int64", 1),
    ]);
    features
}

/// `features` of `info.json`.
pub(super) fn info_features(layout: &Layout, frames_per_s: u32) -> Value {
    let of = |feature: &Feature| {
        let (shape, names) = match (&feature.kind, layout.picture) {
            (Kind::Picture, Some(size)) => {
                (json!([size.height, size.width, 3]), json!(["height", "width", "channels"]))
            }
            _ if feature.name == "observation.state" => {
                (json!([feature.numbers]), json!(layout.shape.state_names()))
            }
            _ if feature.name == "action" => {
                (json!([feature.numbers]), json!(layout.shape.command_names()))
            }
            _ => (json!([1]), Value::Null),
        };
        let mut told = json!({ "dtype": feature.dtype, "shape": shape, "names": names });
        if let (false, Some(size)) = (feature.is_column(), layout.picture) {
            told["info"] = json!({
                "video.height": size.height,
                "video.width": size.width,
                "video.channels": 3,
                "video.codec": "mjpeg",
                "video.fps": frames_per_s,
                "video.is_depth_map": false,
                "has_audio": false,
            });
        }
        told
    };
    features(layout).iter().map(|feature| (feature.name.to_owned(), of(feature))).collect()
}

/// The same as `datasets` tells it in a file's footer.
pub(super) fn hub_features(layout: &Layout) -> Value {
    let of = |feature: &Feature| match feature.kind {
        Kind::Picture => json!({ "_type": "Image" }),
        Kind::Floats => json!({
            "_type": "Sequence",
            "feature": { "_type": "Value", "dtype": feature.dtype },
            "length": feature.numbers,
        }),
        _ => json!({ "_type": "Value", "dtype": feature.dtype }),
    };
    let features = features(layout);
    let columns = features.iter().filter(|feature| feature.is_column());
    columns.map(|feature| (feature.name.to_owned(), of(feature))).collect()
}
