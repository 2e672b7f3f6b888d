//! How fast records and steps are written to the page cache: `speed DIR [SECONDS]`.
//!
//! Prints one JSON object; tests/readers/speed.py holds it against TensorFlow's own writer. The step is
//! the contract's RLDS step: three float features and a list of 64 floats.

use rlds_formats::example::ExampleEncoder;
use rlds_formats::framing::RecordWriter;
use std::fs::File;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

const BATCH: u64 = 100_000;
const RECORD_BYTES: usize = 64;

/// Records a second, best of the batches that fit into `time`.
fn rate(
    path: &Path,
    time: Duration,
    mut write: impl FnMut(&mut RecordWriter<File>, u64) -> io::Result<()>,
) -> io::Result<f64> {
    let begin = Instant::now();
    let mut rates = Vec::new();
    while begin.elapsed() < time || rates.len() < 5 {
        let mut writer = RecordWriter::new(File::create(path)?);
        let batch = Instant::now();
        for number in 0..BATCH {
            write(&mut writer, number)?;
        }
        writer.finish()?;
        #[expect(clippy::cast_precision_loss, reason = "a count for a rate")]
        rates.push(BATCH as f64 / batch.elapsed().as_secs_f64());
    }
    rates.sort_by(f64::total_cmp);
    Ok(rates.get(rates.len() / 2).copied().unwrap_or_default())
}

fn main() -> io::Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let directory = arguments.next().unwrap_or_else(|| "/tmp".into());
    let seconds = arguments.next().and_then(|text| text.to_str()?.parse().ok()).unwrap_or(3);
    let path = Path::new(&directory).join("speed.tfrecord");
    let time = Duration::from_secs(seconds);
    let record = [7; RECORD_BYTES];
    let framing = rate(&path, time, |writer, _| writer.write(&record))?;
    let mut encoder = ExampleEncoder::new();
    let mut list = [0.5_f32; 64];
    let steps = rate(&path, time, |writer, number| {
        #[expect(clippy::cast_precision_loss, reason = "any number does")]
        let value = number as f32;
        list[0] = value;
        encoder.clear();
        encoder.floats("reward", &[value]);
        encoder.floats("discount", &[1.0]);
        encoder.floats("steering", &[value]);
        encoder.floats("observation", &list);
        writer.write_parts(&encoder.parts())
    })?;
    std::fs::remove_file(&path)?;
    let words = format!(
        "{{\"record_bytes\": {RECORD_BYTES}, \"records_per_s\": {framing:.0}, \"steps_per_s\": {steps:.0}}}\n"
    );
    io::Write::write_all(&mut io::stdout(), words.as_bytes())
}
