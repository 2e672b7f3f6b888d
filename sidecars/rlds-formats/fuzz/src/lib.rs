//! Any bytes for every reader and importer of episodes: what each target does with an input.
//!
//! *What it decides.* What must hold of any bytes: no panic, bounded memory, and what is said beside
//! each target. Checksums of the input are put right first (repair.rs), so that what is behind them is
//! reached, and the product has no branch for tests. *What it must never do.* Hang on anything but the
//! input.
//!
//! An input of several files has them one after the other, with [`SEPARATOR`] between. The same
//! functions run under libFuzzer (fuzz_targets/), for coverage (bin/replay.rs), and over all seeds in
//! `cargo test` (tests/fuzz_seeds.rs of rlds-formats, which includes this file).

pub mod import;
pub mod reading;
pub mod repair;

/// Stands between two files of an input.
pub const SEPARATOR: &[u8] = b"\n--8<--\n";

/// A file that is this and nothing else stands for one of [`LONG_BYTES`].
pub const LONG: &[u8] = b"--longer than any--";
/// More than any limit of a line or a file.
const LONG_BYTES: u64 = 65 << 20;

/// One reader or importer.
pub struct Target {
    /// Its name: of its program, and of the folder of its seeds.
    pub name: &'static str,
    /// What is done with an input.
    pub run: fn(&[u8]),
    /// The sources that it is to reach, from the folder `sidecars`.
    pub parser: &'static [&'static str],
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target {
        name: "recording",
        run: reading::recording,
        parser: &[
            "rlds/src/reader.rs",
            "rlds/src/container/take.rs",
            "rlds/src/container/chunk.rs",
            "rlds/src/batch.rs",
            "rlds/src/frame.rs",
        ],
    },
    Target { name: "lz4", run: reading::lz4, parser: &["rlds/src/container/lz4.rs"] },
    Target {
        name: "fsck",
        run: reading::fsck,
        parser: &[
            "rlds/src/fsck/scan.rs",
            "rlds/src/fsck/mod.rs",
            "rlds/src/fsck/derive.rs",
            "rlds/src/fsck/repair.rs",
            "rlds/src/container/index.rs",
        ],
    },
    Target { name: "note", run: reading::note, parser: &["rlds/src/validate/note.rs"] },
    Target {
        name: "validate",
        run: reading::validate,
        parser: &[
            "rlds/src/validate/parse.rs",
            "rlds/src/validate/json.rs",
            "rlds/src/validate/shape.rs",
            "rlds/src/validate/values.rs",
            "rlds/src/validate/sequence.rs",
            "rlds/src/validate/metadata.rs",
            "rlds/src/validate/media.rs",
            "rlds/src/validate/recorded.rs",
            "rlds/src/validate/jpeg.rs",
            "rlds/src/validate/note.rs",
            "rlds/src/validate/mod.rs",
            "rlds/src/episode_reader.rs",
            "rlds/src/lines.rs",
        ],
    },
    Target { name: "proto", run: reading::proto, parser: &["rlds/src/proto/convert.rs"] },
    Target { name: "tfrecord", run: reading::tfrecord, parser: &["rlds-formats/src/framing.rs"] },
    Target { name: "jpeg", run: reading::jpeg, parser: &["rlds-formats/src/jpeg.rs"] },
    Target { name: "import_tub", run: import::tub, parser: &["rlds-formats/src/import/tub.rs"] },
    Target {
        name: "import_lerobot",
        run: import::lerobot,
        parser: &[
            "rlds-formats/src/import/lerobot.rs",
            "rlds-formats/src/import/sizes.rs",
            "rlds-formats/src/import/table.rs",
            "rlds-formats/src/import/thrift.rs",
        ],
    },
    Target {
        name: "import_tfrecord",
        run: import::tfrecord,
        parser: &["rlds-formats/src/import/tfrecord.rs"],
    },
    Target {
        name: "import_lines",
        run: import::lines,
        parser: &["rlds-formats/src/import/lines.rs", "rlds-formats/src/normalise.rs"],
    },
    Target {
        name: "import_object",
        run: import::object,
        parser: &["rlds-formats/src/normalise.rs"],
    },
    Target {
        name: "import_arm",
        run: import::arm,
        parser: &["rlds-formats/src/import/variants.rs"],
    },
    Target {
        name: "import_directory",
        run: import::directory,
        parser: &["rlds-formats/src/import/variants.rs", "rlds-formats/src/pictures.rs"],
    },
];

/// Does with `data` what the target called `name` does.
///
/// # Panics
/// If there is no such target, or what must hold does not.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.unwrap_or_else(|| panic!("no target `{name}`")).run)(data);
}

/// The files of an input, as many as are wanted; what is missing is empty.
pub(crate) fn sections<const N: usize>(data: &[u8]) -> [&[u8]; N] {
    let mut sections = [&[][..]; N];
    let mut rest = data;
    for (index, section) in sections.iter_mut().enumerate() {
        let end = if index + 1 == N {
            None
        } else {
            rest.windows(SEPARATOR.len()).position(|window| window == SEPARATOR)
        };
        match end {
            Some(end) => {
                *section = &rest[..end];
                rest = &rest[end + SEPARATOR.len()..];
            }
            None => {
                *section = rest;
                break;
            }
        }
    }
    sections
}

/// A file with this content; one that is longer than any reader takes, and takes no room, where it says so.
pub(crate) fn put(path: &std::path::Path, content: &[u8]) {
    if content == LONG {
        let file = std::fs::File::create(path).expect("a file");
        file.set_len(LONG_BYTES).expect("a file");
    } else {
        std::fs::write(path, content).expect("a file");
    }
}

/// A folder in memory where there is one.
pub(crate) fn folder() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    let made = tempfile::Builder::new().prefix("rlds-fuzz-").tempdir_in(memory);
    made.or_else(|_| tempfile::tempdir()).expect("a folder")
}
