//! Why a region is refused, in words for the person who has to mend it.
//!
//! The segment's name is not known here: `rt-shm` puts it in front.

use core::fmt;

use crate::header::{RING_MAGIC, SLOT_MAGIC};

/// Why memory cannot be used as the ring or slot that was asked for. Nothing was read beyond its
/// header, and nothing was written.
///
/// ```
/// use rt_ring::{AttachError, RingReader, sync::AtomicU64};
///
/// let empty: [AtomicU64; 0] = [];
/// let error = RingReader::<u64>::attach(&empty, 7).unwrap_err();
/// assert!(matches!(error, AttachError::TooSmall { found_words: 0, .. }));
/// assert_eq!(error.to_string(), "0 words of memory, expected at least 48 (map the whole segment)");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttachError {
    /// Fewer words than header and records need.
    TooSmall {
        /// Words that this record and depth need; for a header that is not all there, of the
        /// smallest ring or slot of this record.
        expected_words: usize,
        /// Words of the memory handed in.
        found_words: usize,
    },
    /// The creator has not initialised the region yet, or never will.
    Uninitialised,
    /// Not a region of this kind.
    Magic {
        /// The first word.
        found: u64,
    },
    /// Records of another shape: one side was built from another version of the words.
    Layout {
        /// Hash of the records that this side knows.
        expected: u64,
        /// Hash that the creator wrote.
        found: u64,
    },
    /// Records of another size under the same layout hash: the header is damaged.
    RecordWords {
        /// Words of this side's record.
        expected: u64,
        /// Words that the creator wrote.
        found: u64,
    },
    /// A depth that is no power of two from 2 up.
    Depth {
        /// The depth asked for, or written by the creator.
        found: u64,
    },
    /// The writer's place cannot be: not a number that a writer reaches, or no such record there.
    Sequence {
        /// The number of the newest record, as written there.
        found: u64,
    },
}

impl fmt::Display for AttachError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::TooSmall { expected_words, found_words } => write!(
                f,
                "{found_words} words of memory, expected at least {expected_words} \
                 (map the whole segment)"
            ),
            Self::Uninitialised => {
                write!(f, "not initialised (its creator has not started, or died while starting)")
            }
            Self::Magic { found: RING_MAGIC } => write!(f, "a ring, expected a slot"),
            Self::Magic { found: SLOT_MAGIC } => write!(f, "a slot, expected a ring"),
            Self::Magic { found } => write!(f, "neither ring nor slot: starts with {found:#018x}"),
            Self::Layout { expected, found } => {
                write!(f, "layout {found:#x}, expected {expected:#x} (rebuild the older side)")
            }
            Self::RecordWords { expected, found } => write!(
                f,
                "records of {found} words, expected {expected} (the header is damaged: restart \
                 its creator)"
            ),
            Self::Depth { found } => {
                write!(f, "depth {found}, expected a power of two, 2 or more")
            }
            Self::Sequence { found } => write!(
                f,
                "newest record {found} is not there (the region is damaged: restart its creator)"
            ),
        }
    }
}

impl core::error::Error for AttachError {}
