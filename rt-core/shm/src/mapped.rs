//! A ring or slot together with the mapping it stands in, so that the one never outlives the other.
//!
//! `rt-ring` borrows its memory; a process that attached wants to own it and to hand it to another
//! thread. These three types do nothing but that. Shown by: tests/attach.rs.

use rt_ring::{AttachError, Newest, Read, Record, RingReader, SlotReader, SlotWriter};

use crate::mapping::Mapping;

/// Declares an owner. The inner value never leaves it: its lifetime is a lie outside.
macro_rules! owner {
    ($(#[$meta:meta])* $name:ident owns $inner:ident as $field:ident, $visible:vis attach
    ) => {
        $(#[$meta])*
        #[derive(Debug)]
        pub struct $name<T> {
            // Dropped first: fields go in order.
            $field: $inner<'static, T>,
            mapping: Mapping,
        }

        impl<T: Record> $name<T> {
            /// Attaches to an initialised segment and takes its mapping over.
            ///
            /// # Errors
            /// What `rt-ring` finds wrong with the memory.
            $visible fn attach(mapping: Mapping, layout_hash: u64) -> Result<Self, AttachError> {
                Self::attach_by(mapping, |mem| $inner::attach(mem, layout_hash))
            }

            fn attach_by(
                mapping: Mapping,
                attach: impl FnOnce(
                    &'static [rt_ring::sync::AtomicU64],
                ) -> Result<$inner<'static, T>, AttachError>,
            ) -> Result<Self, AttachError> {
                // SAFETY: the words go into the private field only; it is dropped before the
                // mapping, no method gives it out, and moving a Mapping does not move its memory.
                let words = unsafe { mapping.words_unbound() };
                Ok(Self { $field: attach(words)?, mapping })
            }

            /// The memory itself.
            #[must_use]
            pub const fn mapping(&self) -> &Mapping {
                &self.mapping
            }
        }
    };
}

owner! {
    /// A [`RingReader`] that owns its mapping.
    MappedRingReader owns RingReader as reader, pub attach
}
owner! {
    /// A [`SlotReader`] that owns its mapping.
    MappedSlotReader owns SlotReader as reader, pub attach
}
owner! {
    /// A [`SlotWriter`] that owns its mapping. Only [`Client`](crate::Client) makes one: the mapping
    /// must be writable.
    MappedSlotWriter owns SlotWriter as writer, pub(crate) attach
}

impl<T: Record> MappedRingReader<T> {
    /// Attaches as [`attach`](Self::attach), but begins with the oldest record still there.
    ///
    /// # Errors
    /// What `rt-ring` finds wrong with the memory.
    pub fn attach_from_oldest(mapping: Mapping, layout_hash: u64) -> Result<Self, AttachError> {
        Self::attach_by(mapping, |mem| RingReader::attach_from_oldest(mem, layout_hash))
    }

    /// See [`RingReader::read`].
    #[inline]
    pub fn read(&mut self) -> Read<T> {
        self.reader.read()
    }

    /// See [`RingReader::lag`].
    #[must_use]
    pub fn lag(&self) -> u64 {
        self.reader.lag()
    }

    /// See [`RingReader::lost`].
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.reader.lost()
    }

    /// See [`RingReader::next_sequence`].
    #[must_use]
    pub const fn next_sequence(&self) -> u64 {
        self.reader.next_sequence()
    }

    /// See [`RingReader::generation`].
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.reader.generation()
    }
}

impl<T: Record> MappedSlotReader<T> {
    /// See [`SlotReader::read`].
    #[inline]
    pub fn read(&mut self) -> Newest<T> {
        self.reader.read()
    }

    /// See [`SlotReader::peek`].
    #[must_use]
    pub fn peek(&self) -> Option<T> {
        self.reader.peek()
    }

    /// See [`SlotReader::sequence`].
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.reader.sequence()
    }

    /// See [`SlotReader::generation`].
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.reader.generation()
    }
}

impl<T: Record> MappedSlotWriter<T> {
    /// See [`SlotWriter::write`].
    #[inline]
    pub fn write(&mut self, record: &T) {
        self.writer.write(record);
    }

    /// See [`SlotWriter::sequence`].
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.writer.sequence()
    }
}
