//! The tables beside the data: tasks, and a row an episode.
//!
//! It decides how pandas and LeRobot find them; what stands in them, the data set knows. Shown by:
//! tests/formats/lerobot.rs, tests/readers/lerobot.py.

use super::features::features;
use super::table::{Cell, Kind};
use super::{CHUNK_FILES, DataSet, PICTURE, create, parquet, place};
use crate::problem::Problem;
use serde_json::json;

impl DataSet<'_> {
    pub(super) fn write_tasks(&self) -> Result<(), Problem> {
        let path = self.directory.join("meta/tasks.parquet");
        let columns = [("task_index".to_owned(), Kind::Int), ("task".to_owned(), Kind::Text)];
        // pandas looks here for which column names the rows.
        let pandas = json!({
            "index_columns": ["task"],
            "column_indexes": [],
            "columns": [
                { "name": "task_index", "field_name": "task_index", "pandas_type": "int64",
                  "numpy_type": "int64", "metadata": null },
                { "name": "task", "field_name": "task", "pandas_type": "unicode",
                  "numpy_type": "object", "metadata": null },
            ],
            "pandas_version": "2.2.0",
        });
        let mut table = create(&path, &columns, &[("pandas", pandas.to_string())])?;
        let mut write = || {
            for (index, task) in self.tasks.iter().enumerate() {
                table.put(&Cell::Int(index as i64))?;
                table.put(&Cell::Text(task))?;
            }
            Ok(())
        };
        write().and_then(|()| table.finish()).map_err(parquet(&path))
    }

    /// When a frame of a video is.
    #[expect(clippy::cast_precision_loss, reason = "LeRobot wants seconds as a float")]
    fn seconds(&self, frame: u64) -> f64 {
        frame as f64 / f64::from(self.frames_per_s)
    }

    pub(super) fn write_episodes(&self) -> Result<(), Problem> {
        let path = self.directory.join(format!("meta/episodes/{}.parquet", place(0)));
        let ints =
            ["data/chunk_index", "data/file_index", "dataset_from_index", "dataset_to_index"];
        let mut columns = vec![
            ("episode_index".to_owned(), Kind::Int),
            ("tasks".to_owned(), Kind::Texts),
            ("length".to_owned(), Kind::Int),
        ];
        columns.extend(ints.map(|name| (name.to_owned(), Kind::Int)));
        if self.layout.is_video {
            for (name, kind) in [
                ("chunk_index", Kind::Int),
                ("file_index", Kind::Int),
                ("from_timestamp", Kind::Double),
                ("to_timestamp", Kind::Double),
            ] {
                columns.push((format!("videos/{PICTURE}/{name}"), kind));
            }
        }
        let features = features(&self.layout);
        for feature in &features {
            let kind = match feature.kind {
                Kind::Picture => Kind::DoublesNested,
                _ => Kind::Doubles,
            };
            for figure in ["min", "max", "mean", "std", "count"] {
                let kind = if figure == "count" { Kind::Doubles } else { kind.clone() };
                columns.push((format!("stats/{}/{figure}", feature.name), kind));
            }
        }
        columns.push(("meta/episodes/chunk_index".to_owned(), Kind::Int));
        columns.push(("meta/episodes/file_index".to_owned(), Kind::Int));
        let mut table = create(&path, &columns, &[])?;
        let mut write = || {
            for episode in &self.episodes {
                table.put(&Cell::Int(episode.index))?;
                table.put(&Cell::Texts(&episode.tasks))?;
                table.put(&Cell::Int(episode.length))?;
                table.put(&Cell::Int((episode.file / CHUNK_FILES) as i64))?;
                table.put(&Cell::Int((episode.file % CHUNK_FILES) as i64))?;
                table.put(&Cell::Int(episode.from))?;
                table.put(&Cell::Int(episode.from.saturating_add(episode.length)))?;
                if let Some(film) = episode.film {
                    table.put(&Cell::Int((film.file / CHUNK_FILES) as i64))?;
                    table.put(&Cell::Int((film.file % CHUNK_FILES) as i64))?;
                    let to = film.from.saturating_add_signed(episode.length);
                    table.put(&Cell::Double(self.seconds(film.from)))?;
                    table.put(&Cell::Double(self.seconds(to)))?;
                }
                for stats in &episode.stats {
                    table.put(&Cell::Doubles(&stats.min))?;
                    table.put(&Cell::Doubles(&stats.max))?;
                    table.put(&Cell::Doubles(&stats.mean))?;
                    table.put(&Cell::Doubles(&stats.std()))?;
                    #[expect(clippy::cast_precision_loss, reason = "a count of frames")]
                    table.put(&Cell::Doubles(&[stats.count as f64]))?;
                }
                table.put(&Cell::Int(0))?;
                table.put(&Cell::Int(0))?;
            }
            Ok(())
        };
        write().and_then(|()| table.finish()).map_err(parquet(&path))
    }
}
