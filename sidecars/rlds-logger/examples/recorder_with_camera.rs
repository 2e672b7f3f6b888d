//! `rlds-logger` with a camera that is none: pictures of a file, at their rate, by the monotonic clock.
//!
//! All else is the process that ships: its threads, its rings in the loop's shared memory, its disk. So
//! that what a recorder costs can be measured before there is a camera (`cargo xtask bench rlds`). It
//! must never write into a robot's own episodes: the pictures are made up.
//!
//! The file: each picture as its length (u32, little-endian) and its bytes; after the last comes the
//! first.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use rlds::Frame;
use rlds_logger::{FrameRead, FrameSource};
use rt_wire::MonoNs;
use sidecar::mono_now;

const NS_PER_S: u64 = 1_000_000_000;

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    logger: rlds_logger::Args,
    /// The pictures
    #[arg(long, value_name = "FILE")]
    pictures: PathBuf,
    /// Pictures a second
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=1000))]
    fps: u64,
}

/// The camera.
struct Pictures {
    jpegs: Vec<Vec<u8>>,
    fps: u64,
    first_at: MonoNs,
    taken: u64,
}

impl FrameSource for Pictures {
    fn read(&mut self) -> FrameRead {
        // On a grid, so that no late look shifts the next picture.
        let at = self.first_at.plus(self.taken.saturating_mul(NS_PER_S) / self.fps);
        let jpeg = self.jpegs.get((self.taken % self.jpegs.len() as u64) as usize);
        let (true, Some(jpeg)) = (at <= mono_now(), jpeg) else {
            return FrameRead::Empty;
        };
        self.taken += 1;
        let name = format!("frame-{}", self.taken);
        match Frame::new(self.taken, at, name, jpeg.clone()) {
            Some(frame) => FrameRead::Frame(frame),
            None => FrameRead::Lost(1),
        }
    }
}

fn pictures(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (mut rest, mut jpegs) = (bytes, Vec::new());
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (jpeg, after) = after.split_at_checked(length)?;
        jpegs.push(jpeg.to_vec());
        rest = after;
    }
    (rest.is_empty() && !jpegs.is_empty()).then_some(jpegs)
}

fn main() -> ExitCode {
    let Args { logger, pictures: path, fps } = Args::parse();
    let jpegs = match std::fs::read(&path).map(|bytes| pictures(&bytes)) {
        Ok(Some(jpegs)) => jpegs,
        Ok(None) => return refuse(&format!("{}: expected pictures, found none", path.display())),
        Err(error) => return refuse(&format!("{}: {error}", path.display())),
    };
    let camera = Pictures { jpegs, fps, first_at: mono_now(), taken: 0 };
    let main = rlds_logger::main_with_camera(logger, camera, 1);
    sidecar::run(rt_wire::topics::RLDS_LOGGER, main)
}

fn refuse(words: &str) -> ExitCode {
    // Nobody there to read it: the exit code tells it too.
    std::io::Write::write_all(&mut std::io::stderr(), format!("{words}\n").as_bytes()).ok();
    ExitCode::from(2)
}
