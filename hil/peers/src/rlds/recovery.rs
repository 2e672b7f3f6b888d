//! `continuon rlds fsck`: how fast a log is looked at, and put in order when its end is torn.
//!
//! The real program, from its start to its end, on an episode with a camera and on one without. In
//! GiB of the recording's file: a recording of telemetry alone is packed, so that a GiB of it is much
//! more to look at. The disk stands beside it: the same file read, or read and written anew, by a
//! program that does nothing else.

use super::Bench;
use super::drive::Made;
use super::measured;
use crate::report::{Goal, Pairs, Row};
use anyhow::{Context as _, Result, ensure};
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Read, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

const NAME: &str = "recovery";
const GIB: f64 = (1_u64 << 30) as f64;
const PIECE_BYTES: usize = 1 << 20;
/// What a power cut takes away, in the middle of a chunk.
const TORN_BYTES: u64 = 5_000;

/// Every row.
///
/// # Errors
/// The program does not say what it should of an episode.
pub(super) fn recovery(bench: &Bench) -> Result<Vec<Row>> {
    let mut rows = of_episode(bench, bench.long()?, "with a camera")?;
    rows.extend(of_episode(bench, bench.hour()?, "without a camera")?);
    Ok(rows)
}

fn of_episode(bench: &Bench, made: &Made, kind: &str) -> Result<Vec<Row>> {
    let recording = made.recording();
    let bytes = fs::metadata(&recording).context("the recording")?.len();
    let plain_bytes = unpacked(&recording)?;
    let rate = |seconds: f64| bytes as f64 / GIB / seconds.max(1e-9);
    let mut scanned = Pairs::rates();
    let (mut warm, mut cold, mut mended) = (Pairs::rates(), Pairs::rates(), Pairs::rates());
    for turn in 1..=bench.alternations {
        read(&recording)?;
        let checked = check(bench, &made.path)?;
        warm.add(rate(checked), rate(read(&recording)?), made.steps);
        scanned.alone(plain_bytes as f64 / GIB / checked.max(1e-9), made.steps);
        forget(&made.path)?;
        let checked = rate(check(bench, &made.path)?);
        forget(&made.path)?;
        cold.add(checked, rate(read(&recording)?), made.steps);
        let (repaired, copied) = repair(bench, made)?;
        mended.add(rate(repaired), rate(copied), made.steps);
        let last = |pairs: &Pairs| pairs.ours.last().copied().unwrap_or(0.0);
        eprintln!(
            "bench: {NAME} {kind} {turn}/{}: {:.2} GiB/s, cold {:.2}, repair {:.2}",
            bench.alternations,
            last(&warm),
            last(&cold),
            last(&mended)
        );
    }
    let mib = bytes as f64 / f64::from(1 << 20);
    let size = format!("a recording of {mib:.0} MiB, {:.0} s", made.seconds);
    let row = |what: &str, pairs: &Pairs, peer, goal| {
        Row::new(NAME, format!("{what}, {kind}"), "GiB/s", pairs, Some(peer), goal)
    };
    let goal = Goal::AtLeastOrAsGood(1.0);
    let what = format!("the same in bytes of its records, unpacked, {kind}");
    Ok(vec![
        row("check of an episode in the page cache", &warm, "read", Goal::AtLeast(1.0)).note(size),
        Row::new(NAME, what, "GiB/s", &scanned, None, Goal::AtLeast(1.0)).note(format!(
            "packed {:.1} times smaller in the file",
            plain_bytes as f64 / bytes as f64
        )),
        row("check of an episode on the disk", &cold, "read", goal)
            .note("the guest's cache emptied; the host's may have it all the same"),
        row("repair of a torn episode on the disk", &mended, "copy + sync", goal)
            .note("checked, written anew and synced; beside it read, written and synced alone"),
    ])
}

/// Bytes of all records of a recording, as they are checked.
fn unpacked(recording: &Path) -> Result<u64> {
    let mut reader = rlds::RecordingReader::open(recording)?;
    while reader.next_entry()?.is_some() {}
    Ok(reader.sizes().plain_bytes)
}

/// Seconds to look at a whole episode.
fn check(bench: &Bench, episode: &Path) -> Result<f64> {
    let arguments = ["rlds".into(), "fsck".into(), OsString::from(episode)];
    Ok(measured::run(&bench.continuon, arguments, &[0])?.wall_s)
}

/// Seconds to put a torn copy in order, and to copy its recording.
fn repair(bench: &Bench, made: &Made) -> Result<(f64, f64)> {
    let name = made.path.file_name().context("an episode's name")?;
    let torn = bench.folder.join("torn").join(name);
    copy_all(&made.path, &torn)?;
    let recording = rlds::recording_path(&torn);
    let file = File::options().write(true).open(&recording).context("the copy")?;
    let whole = file.metadata()?.len();
    file.set_len(whole - torn_bytes(&recording)?)?;
    forget(&torn)?;
    let arguments = ["rlds", "fsck", "--repair"].map(OsString::from);
    let arguments = arguments.into_iter().chain([torn.clone().into_os_string()]);
    let repaired = measured::run(&bench.continuon, arguments, &[0])?.wall_s;
    let closing = rlds::fsck::check(&torn)?;
    ensure!(closing.is_whole(), "not mended: {:?}", closing.findings);
    ensure!(closing.note.closing == rlds::Closing::Recovered, "it was not torn");
    forget(&torn)?;
    let begin = Instant::now();
    let mut copy = File::create(bench.folder.join("copy")).context("a copy")?;
    each_piece(&recording, |piece| copy.write_all(piece))?;
    copy.sync_data()?;
    let copied = begin.elapsed().as_secs_f64();
    fs::remove_file(bench.folder.join("copy"))?;
    fs::remove_dir_all(bench.folder.join("torn"))?;
    Ok((repaired, copied))
}

/// From the end: its summary and a bit of the last chunk.
fn torn_bytes(recording: &Path) -> Result<u64> {
    let mut file = File::open(recording)?;
    let bytes = file.metadata()?.len();
    // The footer says where the summary begins; 20 bytes of it, and the magic, stand at the end.
    let mut start = [0; 8];
    file.seek(SeekFrom::End(-28))?;
    file.read_exact(&mut start)?;
    let start = u64::from_le_bytes(start);
    ensure!(start > TORN_BYTES && start < bytes, "a footer that says {start}");
    Ok(bytes - start + TORN_BYTES)
}

fn copy_all(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| to.display().to_string())?;
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_all(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target).with_context(|| target.display().to_string())?;
        }
    }
    Ok(())
}

/// Seconds to read a file.
fn read(path: &Path) -> Result<f64> {
    let begin = Instant::now();
    let mut sum = 0_u64;
    each_piece(path, |piece| {
        sum += u64::from(piece.first().copied().unwrap_or(0));
        Ok(())
    })?;
    std::hint::black_box(sum);
    Ok(begin.elapsed().as_secs_f64())
}

fn each_piece(path: &Path, mut take: impl FnMut(&[u8]) -> std::io::Result<()>) -> Result<()> {
    let mut file = File::open(path).with_context(|| path.display().to_string())?;
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let found = file.read(&mut piece)?;
        if found == 0 {
            return Ok(());
        }
        take(piece.get(..found).unwrap_or_default())?;
    }
}

/// Takes every file of an episode out of the page cache.
fn forget(folder: &Path) -> Result<()> {
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let file = File::open(&path).with_context(|| path.display().to_string())?;
            // What is not on the disk yet stays.
            file.sync_all()?;
            posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED)?;
        }
    }
    Ok(())
}
