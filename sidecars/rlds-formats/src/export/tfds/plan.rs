//! Which episode goes into which file, known before the first is written.
//!
//! *What it decides.* Split and shard of every episode: the split by a hash of its id, so that an
//! episode never wanders from `train` to `val` as others join; the shard by size. *What it must never
//! do.* Depend on the order in which episodes are named.
//!
//! Shown by: tests/formats/tfds.rs, and the tests below.

use super::features::Layout;
use crate::canonical::CanonicalSource;
use crate::export::{Names, Options, Told};
use crate::problem::Problem;
use crate::sample::Source;
use crate::vector::Shape;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// An episode that can be opened.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    pub(super) path: PathBuf,
    pub(super) id: String,
    /// On the disk.
    pub(super) bytes: u64,
}

/// A file that will be written.
#[derive(Clone, Debug)]
pub(super) struct Shard {
    pub(super) split: &'static str,
    pub(super) file_name: String,
    pub(super) episodes: Vec<Planned>,
}

/// All of it.
pub(super) struct Plan {
    pub(super) layout: Layout,
    pub(super) shards: Vec<Shard>,
    /// Changes with every choice that changes a file.
    pub(super) fingerprint: String,
    /// Episodes that cannot even be opened.
    pub(super) skipped: Vec<Told>,
}

impl Plan {
    /// Looks at the first step of each of `episodes`; what is told of them, if none can be opened.
    pub(super) fn make(episodes: &[PathBuf], options: &Options) -> Result<Self, Vec<Told>> {
        let mut names = Names::default();
        let (mut planned, mut skipped) = (Vec::new(), Vec::new());
        let mut layout: Option<Layout> = None;
        // In the order of their names, so that the layout too does not hang on how they were listed.
        let mut episodes = episodes.to_vec();
        episodes.sort();
        for path in &episodes {
            match look(path, options, &mut names) {
                Ok((episode, found)) => match layout.get_or_insert(found.clone()).check(&found) {
                    Ok(()) => planned.push(episode),
                    Err(what) => {
                        skipped.push(Told::skipped(path, &Problem::input(path, ": step 0", what)));
                    }
                },
                Err(problem) => skipped.push(Told::skipped(path, &problem)),
            }
        }
        planned.sort_by(|a, b| a.id.cmp(&b.id));
        let Some(layout) = layout else {
            return Err(skipped);
        };
        let of = |split| planned.iter().filter(move |one| split_of(&one.id, options) == split);
        let shards: Vec<Shard> = ["train", "val"]
            .into_iter()
            .flat_map(|split| shards(split, of(split).cloned().collect(), options))
            .collect();
        let fingerprint = fingerprint(&layout, &shards, options);
        Ok(Self { layout, shards, fingerprint, skipped })
    }
}

impl Layout {
    fn check(&self, other: &Self) -> Result<(), String> {
        if self.shape != other.shape {
            return Err(format!("expected {:?}, found {:?}", self.shape, other.shape));
        }
        match (self.picture, other.picture) {
            (Some(expected), None) => Err(format!(
                "observation.media.rgb: expected a picture of {} x {}, found none (--no-pictures \
                 exports without)",
                expected.width, expected.height
            )),
            (Some(expected), Some(found)) if expected != found => Err(format!(
                "observation.media.rgb: expected {} x {} pixels, found {} x {}",
                expected.width, expected.height, found.width, found.height
            )),
            _ => Ok(()),
        }
    }
}

fn look(path: &Path, options: &Options, names: &mut Names) -> Result<(Planned, Layout), Problem> {
    let mut source = CanonicalSource::open(path, options.with_pictures)?;
    let id = names.take(path, &source.metadata().episode_id)?;
    let first = source
        .next_sample()?
        .ok_or_else(|| Problem::input(path, "", "expected at least one step, found none"))?;
    let bytes = directory_bytes(path).map_err(Problem::read(path))?;
    let layout = Layout {
        shape: Shape::of(&first.step),
        picture: first.picture.map(|picture| picture.size),
    };
    Ok((Planned { path: path.to_owned(), id, bytes }, layout))
}

/// `val` for about `validation_percent` of all ids.
pub(super) fn split_of(episode_id: &str, options: &Options) -> &'static str {
    let hash = Sha256::digest(episode_id.as_bytes());
    let number = hash.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    if number % 100 < u64::from(options.validation_percent) { "val" } else { "train" }
}

fn shards(split: &'static str, episodes: Vec<Planned>, options: &Options) -> Vec<Shard> {
    let total: u64 = episodes.iter().map(|episode| episode.bytes).sum();
    let wanted = total.div_ceil(options.file_bytes.max(1)).max(1);
    let count = wanted.min(episodes.len() as u64);
    let mut files: Vec<Vec<Planned>> = (0..count).map(|_| Vec::new()).collect();
    let mut before = 0_u64;
    for episode in episodes {
        let place = u128::from(before) * u128::from(count) / u128::from(total.max(1));
        before = before.saturating_add(episode.bytes);
        let place = usize::try_from(place).unwrap_or(usize::MAX).min(files.len().saturating_sub(1));
        if let Some(file) = files.get_mut(place) {
            file.push(episode);
        }
    }
    // An episode larger than a file leaves the next ones empty.
    files.retain(|file| !file.is_empty());
    let count = files.len();
    let extension = if options.gzip { ".gz" } else { "" };
    let name = &options.name;
    let shard = |(index, episodes)| Shard {
        split,
        file_name: format!("{name}-{split}.tfrecord-{index:05}-of-{count:05}{extension}"),
        episodes,
    };
    files.into_iter().enumerate().map(shard).collect()
}

fn directory_bytes(path: &Path) -> std::io::Result<u64> {
    let mut bytes = 0_u64;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        bytes = bytes.saturating_add(if kind.is_dir() {
            directory_bytes(&entry.path())?
        } else {
            entry.metadata()?.len()
        });
    }
    Ok(bytes)
}

fn fingerprint(layout: &Layout, shards: &[Shard], options: &Options) -> String {
    let mut text = format!(
        "{layout:?} {} {} {}\n",
        options.part_bytes,
        options.task,
        super::features::VERSION
    );
    for shard in shards {
        text.push_str(&shard.file_name);
        for episode in &shard.episodes {
            text.push_str(&format!(" {} {}", episode.id, episode.bytes));
        }
        text.push('\n');
    }
    hex(&Sha256::digest(text.as_bytes()))
}

/// Bytes as people and files see them.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a string cannot fail.
        write!(text, "{byte:02x}").ok();
        text
    })
}
