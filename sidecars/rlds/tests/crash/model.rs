//! A disk in memory that remembers every call, so that what lies on it after a power cut can be
//! enumerated.
//!
//! *What it decides.* What a cut may leave: what was synced, whole; of everything else each call kept,
//! dropped, torn at its head or tail, with a flipped bit or garbage in its place; each name that was
//! not synced there or not; a file of any length that it had meanwhile. *What it must never do.* Lose
//! what was synced.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Cursor, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rlds::{FileSystem, Storage};

use super::dice::Dice;

type Inode = usize;

/// One call.
#[derive(Clone, Debug)]
pub(crate) enum Call {
    Write { inode: Inode, at: usize, bytes: Vec<u8> },
    Truncate { inode: Inode, bytes: usize },
    Sync { inode: Inode },
    MakeDir { path: PathBuf },
    Create { path: PathBuf, inode: Inode },
    Rename { from: PathBuf, to: PathBuf },
    Remove { path: PathBuf },
    SyncDir { path: PathBuf },
}

/// What can be seen.
#[derive(Clone, Default)]
struct State {
    files: BTreeMap<PathBuf, Inode>,
    dirs: BTreeSet<PathBuf>,
    content: Vec<Vec<u8>>,
}

#[derive(Default)]
struct Disk {
    /// What has been on it for long.
    before: State,
    calls: Vec<Call>,
    now: State,
}

/// The disk.
#[derive(Clone, Default)]
pub(crate) struct Model(Rc<RefCell<Disk>>);

pub(crate) struct OpenFile {
    model: Model,
    inode: Inode,
    at: usize,
    /// Nobody reads what it holds: a few bytes stand for all of them.
    is_reserve: bool,
}

impl Model {
    pub(crate) fn new(root: &Path) -> Self {
        let mut state = State::default();
        state.dirs.insert(root.to_owned());
        Self::holding(state)
    }

    /// A disk that has held this for long.
    fn holding(state: State) -> Self {
        let disk = Disk { before: state.clone(), calls: Vec::new(), now: state };
        Self(Rc::new(RefCell::new(disk)))
    }

    /// Calls so far.
    pub(crate) fn calls(&self) -> usize {
        self.0.borrow().calls.len()
    }

    /// What may lie on the disk if the power goes after `calls` of them.
    pub(crate) fn image(&self, calls: usize, dice: &mut Dice) -> Self {
        let disk = self.0.borrow();
        Self::holding(image(&disk.before, &disk.calls[..calls], dice))
    }

    pub(crate) fn read(&self, path: &Path) -> Option<Vec<u8>> {
        let state = &self.0.borrow().now;
        state.files.get(path).map(|inode| state.content[*inode].clone())
    }

    /// Puts bytes in the place of a file's.
    pub(crate) fn put(&self, path: &Path, bytes: Vec<u8>) {
        let state = &mut self.0.borrow_mut().now;
        let inode = state.files[path];
        state.content[inode] = bytes;
    }

    fn call(&self, call: Call) -> io::Result<()> {
        let mut disk = self.0.borrow_mut();
        disk.now.apply(&call)?;
        disk.calls.push(call);
        Ok(())
    }
}

impl State {
    fn apply(&mut self, call: &Call) -> io::Result<()> {
        let there = |dirs: &BTreeSet<PathBuf>, path: &Path| {
            let parent = path.parent().unwrap_or(path);
            if dirs.contains(parent) {
                Ok(())
            } else {
                Err(io::Error::from(io::ErrorKind::NotFound))
            }
        };
        match call {
            Call::Write { inode, at, bytes } => {
                let content = &mut self.content[*inode];
                content.resize(content.len().max(at + bytes.len()), 0);
                content[*at..at + bytes.len()].copy_from_slice(bytes);
            }
            Call::Truncate { inode, bytes } => self.content[*inode].resize(*bytes, 0),
            Call::Sync { .. } | Call::SyncDir { .. } => {}
            Call::MakeDir { path } => {
                if self.dirs.contains(path) {
                    return Err(io::ErrorKind::AlreadyExists.into());
                }
                there(&self.dirs, path)?;
                self.dirs.insert(path.clone());
            }
            Call::Create { path, inode } => {
                there(&self.dirs, path)?;
                if self.content.len() <= *inode {
                    self.content.resize(inode + 1, Vec::new());
                }
                self.files.insert(path.clone(), *inode);
            }
            Call::Rename { from, to } => {
                let inode = self.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
                self.files.insert(to.clone(), inode);
            }
            Call::Remove { path } => {
                self.files.remove(path).ok_or(io::ErrorKind::NotFound)?;
            }
        }
        Ok(())
    }
}

/// What may be left of `calls`, made on a disk that held `before`.
fn image(before: &State, calls: &[Call], dice: &mut Dice) -> State {
    let mut image = before.clone();
    for (index, call) in calls.iter().enumerate() {
        let later = &calls[index + 1..];
        let is_sure = match call {
            Call::Write { inode, .. } | Call::Truncate { inode, .. } => later
                .iter()
                .any(|call| matches!(call, Call::Sync { inode: synced } if synced == inode)),
            Call::MakeDir { path } | Call::Create { path, .. } | Call::Remove { path } => {
                is_dir_synced(later, path)
            }
            Call::Rename { to, .. } => is_dir_synced(later, to),
            Call::Sync { .. } | Call::SyncDir { .. } => continue,
        };
        if let Call::Create { inode, .. } = call
            && image.content.len() <= *inode
        {
            // The file is there for whoever renames it, even if its first name is not.
            image.content.resize(inode + 1, Vec::new());
        }
        let left = if is_sure { Some(call.clone()) } else { unsure(call, dice) };
        if let Some(call) = left {
            // What stands on a name that is not there is not there either.
            image.apply_leniently(&call, calls);
        }
    }
    image
}

impl State {
    fn apply_leniently(&mut self, call: &Call, calls: &[Call]) {
        if let Call::Rename { from, to } = call
            && !self.files.contains_key(from)
        {
            // The old name was never on the disk; the new one is, and names the same file.
            let inode = calls.iter().rev().find_map(|call| match call {
                Call::Create { path, inode } if path == from => Some(*inode),
                _ => None,
            });
            let parent = to.parent().is_some_and(|parent| self.dirs.contains(parent));
            if let Some(inode) = inode.filter(|_| parent) {
                self.files.insert(to.clone(), inode);
            }
            return;
        }
        self.apply(call).ok();
    }
}

fn is_dir_synced(later: &[Call], path: &Path) -> bool {
    later
        .iter()
        .any(|call| matches!(call, Call::SyncDir { path: dir } if path.parent() == Some(dir)))
}

/// What becomes of a call that nobody waited for.
fn unsure(call: &Call, dice: &mut Dice) -> Option<Call> {
    let Call::Write { inode, at, bytes } = call else {
        return dice.one_in(2).then(|| call.clone());
    };
    let (inode, at, mut bytes) = (*inode, *at, bytes.clone());
    let some = dice.below(bytes.len() + 1);
    match dice.below(8) {
        // Kept, and dropped.
        0 => {}
        1 => return None,
        // Torn at its tail, and at its head.
        2 => bytes.truncate(some),
        3 => bytes[..some].fill(0),
        4 if !bytes.is_empty() => {
            let bit = dice.below(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        // Garbage: all of it, or from somewhere on.
        5 => bytes.iter_mut().for_each(|byte| *byte = dice.byte()),
        6 => bytes[some..].iter_mut().for_each(|byte| *byte = dice.byte()),
        // Dropped, but the file has become longer: zeros.
        _ => bytes.fill(0),
    }
    Some(Call::Write { inode, at, bytes })
}

impl FileSystem for Model {
    type File = OpenFile;
    type Reader = Cursor<Vec<u8>>;

    fn make_dir(&self, path: &Path) -> io::Result<()> {
        self.call(Call::MakeDir { path: path.to_owned() })
    }

    fn create(&self, path: &Path) -> io::Result<OpenFile> {
        let is_reserve = path.ends_with("reserve");
        let known = self.0.borrow().now.files.get(path).copied();
        if let Some(inode) = known {
            self.call(Call::Truncate { inode, bytes: 0 })?;
            return Ok(OpenFile { model: self.clone(), inode, at: 0, is_reserve });
        }
        let inode = self.0.borrow().now.content.len();
        self.call(Call::Create { path: path.to_owned(), inode })?;
        Ok(OpenFile { model: self.clone(), inode, at: 0, is_reserve })
    }

    fn open(&self, path: &Path) -> io::Result<Cursor<Vec<u8>>> {
        self.read(path).map(Cursor::new).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn lock(&self, _reader: &Cursor<Vec<u8>>) -> io::Result<bool> {
        Ok(true)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call(Call::Rename { from: from.to_owned(), to: to.to_owned() })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.call(Call::Remove { path: path.to_owned() })
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.call(Call::SyncDir { path: path.to_owned() })
    }
}

impl Write for OpenFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (inode, at) = (self.inode, self.at);
        let kept = if self.is_reserve { &bytes[..bytes.len().min(64)] } else { bytes };
        self.model.call(Call::Write { inode, at, bytes: kept.to_vec() })?;
        self.at += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Storage for OpenFile {
    fn truncate(&mut self, bytes: u64) -> io::Result<()> {
        let bytes = usize::try_from(bytes).expect("a length");
        self.at = bytes;
        self.model.call(Call::Truncate { inode: self.inode, bytes })
    }

    fn sync(&mut self) -> io::Result<()> {
        self.model.call(Call::Sync { inode: self.inode })
    }
}
