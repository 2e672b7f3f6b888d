//! TFRecords and steps into the page cache: ours, TensorFlow's writer and the `tfrecord` crate.
//!
//! The same records on the same core and the same file system, from the open file to the flushed one;
//! the file is made anew for each turn.

use super::Bench;
use super::python::Writer;
use crate::report::{Goal, Pairs, Row};
use anyhow::{Context as _, Result, ensure};
use rlds_formats::example::ExampleEncoder;
use rlds_formats::framing::RecordWriter;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::Instant;

/// Of one record.
const RECORD_BYTES: usize = 64;
/// Numbers of a step's list.
const LIST: usize = 64;

/// Every row of the framing.
///
/// # Errors
/// A file cannot be written, or the peer does not answer.
pub(super) fn framing(bench: &Bench) -> Result<Vec<Row>> {
    let count = bench.pick(100_000, 500_000);
    let path = bench.folder.join("records.tfrecord");
    let (mut tensorflow, mut tfrecord) = (Pairs::rates(), Pairs::rates());
    let name = bench.on_one_core(|| {
        let mut python = Writer::start(&bench.python, &bench.folder)?;
        for turn in 1..=bench.alternations {
            let record = [7; RECORD_BYTES];
            let ours = rate(count, ours(&path, count, |writer, _| writer.write(&record)))?;
            let bytes = bytes_each(&path, count)?;
            let theirs = rate(count, python.framing(count, RECORD_BYTES, &path))?;
            ensure!(bytes_each(&path, count)? == bytes, "the two wrote records of other sizes");
            let crate_s = rate(count, with_the_crate(&path, count, &record))?;
            tensorflow.add(ours, theirs, count);
            tfrecord.add(ours, crate_s, count);
            eprintln!(
                "bench: framing {turn}/{}: {ours:.2} M/s, tensorflow {theirs:.2}, tfrecord {crate_s:.2}",
                bench.alternations
            );
        }
        Ok(python.name.clone())
    })?;
    fs::remove_file(&path).ok();
    let what = |beside: &str| format!("TFRecord framing, {RECORD_BYTES} B records{beside}");
    let alone = Pairs { peer: Vec::new(), ..tensorflow.clone() };
    Ok(vec![
        Row::new("framing", what(""), "M/s", &alone, None, Goal::AtLeast(4.0)).note(
            "written to the page cache, flushed, not synced; checksums included; one core for all",
        ),
        Row::new(
            "framing",
            what(" (Python)"),
            "M/s",
            &tensorflow,
            Some("tf.io"),
            Goal::TimesBetter(4.0),
        )
        .note(format!("tf.io.TFRecordWriter.write of bytes that are there: {name}")),
        Row::new(
            "framing",
            what(" (Rust)"),
            "M/s",
            &tfrecord,
            Some("tfrecord 0.15"),
            Goal::TimesBetter(5.0),
        )
        .note("its BytesWriter::create; a record is handed over as a Vec, made for each"),
    ])
}

/// Every row of the steps.
///
/// # Errors
/// As [`framing`].
pub(super) fn steps(bench: &Bench) -> Result<Vec<Row>> {
    let (count, theirs_count) = (bench.pick(50_000, 250_000), bench.pick(2_000, 10_000));
    let path = bench.folder.join("steps.tfrecord");
    let mut pairs = Pairs::rates();
    let name = bench.on_one_core(|| {
        let mut python = Writer::start(&bench.python, &bench.folder)?;
        for turn in 1..=bench.alternations {
            let (mut encoder, mut list) = (ExampleEncoder::new(), [0.5_f32; LIST]);
            let ours = rate(
                count,
                ours(&path, count, |writer, number| {
                    let value = number as f32;
                    list[0] = value;
                    encoder.clear();
                    encoder.floats("reward", &[value]);
                    encoder.floats("discount", &[1.0]);
                    encoder.floats("steering", &[value]);
                    encoder.floats("observation", &list);
                    writer.write_parts(&encoder.parts())
                }),
            )?;
            let bytes = bytes_each(&path, count)?;
            let theirs = rate(theirs_count, python.steps(theirs_count, &path))?;
            ensure!(bytes_each(&path, theirs_count)? == bytes, "the two wrote other steps");
            pairs.add(ours, theirs, count);
            eprintln!(
                "bench: steps {turn}/{}: {ours:.2} M/s, Python {theirs:.4}",
                bench.alternations
            );
        }
        Ok(python.name.clone())
    })?;
    fs::remove_file(&path).ok();
    let what = format!("step encoded and written, 3 floats and a list of {LIST}");
    Ok(vec![
        Row::new("steps", what, "M/s", &pairs, Some("tf.train.Example"), Goal::TimesBetter(50.0))
            .note(format!("SerializeToString and tf.io.TFRecordWriter.write: {name}")),
    ])
}

/// Bytes of one record of the file, its frame included.
fn bytes_each(path: &Path, count: u64) -> Result<f64> {
    Ok(fs::metadata(path).context("what was written")?.len() as f64 / count as f64)
}

/// Millions a second.
fn rate(count: u64, seconds: Result<f64>) -> Result<f64> {
    Ok(count as f64 / seconds?.max(1e-9) * 1e-6)
}

fn ours(
    path: &Path,
    count: u64,
    mut write: impl FnMut(&mut RecordWriter<File>, u64) -> io::Result<()>,
) -> Result<f64> {
    let mut writer = RecordWriter::new(File::create(path).context("a file")?);
    let begin = Instant::now();
    for number in 0..count {
        write(&mut writer, number)?;
    }
    let file = writer.finish()?;
    let seconds = begin.elapsed().as_secs_f64();
    drop(file);
    Ok(seconds)
}

fn with_the_crate(path: &Path, count: u64, record: &[u8]) -> Result<f64> {
    let mut writer = tfrecord::BytesWriter::create(path)?;
    let begin = Instant::now();
    for _ in 0..count {
        writer.send(record.to_vec())?;
    }
    writer.flush()?;
    Ok(begin.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::{ours, with_the_crate};
    use std::fs;

    #[test]
    fn both_writers_write_the_same_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let [a, b] = ["a", "b"].map(|name| folder.path().join(name));
        ours(&a, 3, |writer, _| writer.write(&[7; 64])).expect("ours");
        with_the_crate(&b, 3, &[7; 64]).expect("theirs");
        assert_eq!(fs::read(a).expect("a"), fs::read(b).expect("b"));
    }
}
