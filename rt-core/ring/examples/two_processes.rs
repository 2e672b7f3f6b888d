//! Two processes, one ring: a writer publishes a record each millisecond, a reader prints what it
//! gets and what it missed. Run with `cargo run --release -p rt-ring --example two_processes`.
//!
//! It starts itself a second time as the reader and shares a file in the temporary directory. In the
//! robot the memory is a sealed memfd that `rt-shm` passes on (a plain file can be truncated by its
//! peer, which kills whoever reads it); what is done with the memory is the same.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::disallowed_types,
    reason = "whole programs: they allocate, wait and print, as the library must not"
)]

use std::env;
use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::path::Path;
use std::process::Command;
use std::slice;
use std::thread;
use std::time::{Duration, Instant};

use memmap2::{MmapOptions, MmapRaw};
use rt_ring::sync::AtomicU64;
use rt_ring::{Identity, Read, RingReader, RingWriter, ring_words};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What is told: plain numbers, no padding, a whole number of 8-byte words.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct WheelSpeed {
    cycle_index: u64,
    speed_m_per_s: f64,
}

/// Stands for a hash of names, offsets and sizes; it changes with the record.
const LAYOUT_HASH: u64 = 0x51c2;
/// A power of two. A reader that is further behind loses records, and learns how many.
const DEPTH: usize = 64;
const RECORDS: u64 = 200;

fn main() -> Result<(), Box<dyn Error>> {
    if let Some(path) = env::args_os().nth(1) {
        return read(Path::new(&path));
    }
    let path = env::temp_dir().join(format!("two_processes.{}.ring", std::process::id()));
    let told = write(&path);
    fs::remove_file(&path)?;
    told
}

fn write(path: &Path) -> Result<(), Box<dyn Error>> {
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
    file.set_len(u64::try_from(ring_words::<WheelSpeed>(DEPTH) * 8)?)?;
    let map = MmapOptions::new().map_raw(&file)?;
    let identity = Identity { layout_hash: LAYOUT_HASH, generation: 1 };
    let mut writer = RingWriter::<WheelSpeed>::create(words(&map), DEPTH, identity)?;

    let mut reader = Command::new(env::current_exe()?).arg(path).spawn()?;
    for cycle_index in 1..=RECORDS {
        writer.publish(&WheelSpeed { cycle_index, speed_m_per_s: 0.01 * cycle_index as f64 });
        thread::sleep(Duration::from_millis(1));
    }
    let status = reader.wait()?;
    println!("writer: {} records published, reader {status}", writer.published());
    Ok(())
}

fn read(path: &Path) -> Result<(), Box<dyn Error>> {
    // Read-only: a reader cannot disturb the writer, nor other readers.
    let map = MmapOptions::new().map_raw_read_only(&File::open(path)?)?;
    let mut reader = RingReader::<WheelSpeed>::attach_from_oldest(words(&map), LAYOUT_HASH)?;

    let (mut read, mut speed_m_per_s) = (0, 0.0);
    let mut heard_at = Instant::now();
    while reader.next_sequence() <= RECORDS {
        match reader.read() {
            Read::Record { sequence, record } => {
                assert_eq!(sequence, record.cycle_index);
                (read, speed_m_per_s, heard_at) = (read + 1, record.speed_m_per_s, Instant::now());
            }
            // At the reader's own pace: the library never waits for anyone.
            Read::Empty if heard_at.elapsed() < Duration::from_secs(1) => {
                thread::sleep(Duration::from_millis(5));
            }
            Read::Empty => return Err("the writer has been silent for a second".into()),
            Read::Lapped { lost } => println!("reader: too slow, {lost} records lost"),
            Read::Corrupt => return Err("the ring is damaged: attach again".into()),
        }
    }
    println!("reader: {read} records, {} lost, at last {speed_m_per_s:.2} m/s", reader.lost());
    Ok(())
}

/// The whole mapping as words.
fn words(map: &MmapRaw) -> &[AtomicU64] {
    // SAFETY: the mapping is page-aligned, holds this many words for as long as `map` is borrowed,
    // and every process that has it touches it through atomics only; this program sees to that.
    unsafe { slice::from_raw_parts(map.as_ptr().cast::<AtomicU64>(), map.len() / 8) }
}
