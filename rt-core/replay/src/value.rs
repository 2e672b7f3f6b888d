//! A scalar's value in words, by the name that its type has in the layout.
//!
//! A type that is not known here is told as its bytes: nothing is left out. Shown by:
//! tests/replay.rs.

use core::fmt;
use rt_wire::{
    Class, CommandFlags, Fault, Interlock, Mode, PulseFlags, RawEnum, Rule, Sign, Source,
};

/// The longest scalar of any record.
const BYTES_MAX: usize = 8;

/// The value of one scalar field; it displays in words, with its unit where the type has one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Value {
    type_name: &'static str,
    bytes: [u8; BYTES_MAX],
    size: usize,
}

impl Value {
    pub(crate) fn new(type_name: &'static str, found: &[u8]) -> Self {
        let mut bytes = [0; BYTES_MAX];
        let size = found.len().min(BYTES_MAX);
        for (to, from) in bytes.iter_mut().zip(found) {
            *to = *from;
        }
        Self { type_name, bytes, size }
    }

    /// The number, if it is an unsigned one; a set of bits and an enum are numbers too.
    #[must_use]
    pub fn unsigned(&self) -> u64 {
        let [a, b, c, d, ..] = self.bytes;
        match self.size {
            1 => u64::from(a),
            2 => u64::from(u16::from_ne_bytes([a, b])),
            4 => u64::from(u32::from_ne_bytes([a, b, c, d])),
            _ => u64::from_ne_bytes(self.bytes),
        }
    }

    fn four(&self) -> [u8; 4] {
        let [a, b, c, d, ..] = self.bytes;
        [a, b, c, d]
    }

    fn fmt_enum<E: RawEnum>(
        &self,
        f: &mut fmt::Formatter<'_>,
        name: impl Fn(E) -> &'static str,
    ) -> fmt::Result {
        match u32::try_from(self.unsigned()).ok().and_then(E::from_raw) {
            Some(value) => f.write_str(name(value)),
            None => write!(f, "{} {} (means nothing)", E::ENUM_NAME, self.unsigned()),
        }
    }

    /// Names of the set bits; what has no name is told by its number.
    fn fmt_bits(
        &self,
        f: &mut fmt::Formatter<'_>,
        name: impl Fn(u32) -> Option<&'static str>,
    ) -> fmt::Result {
        if self.unsigned() == 0 {
            return f.write_str("none");
        }
        let mut comma = "";
        for bit in 0..u64::BITS {
            if self.unsigned().wrapping_shr(bit) & 1 == 0 {
                continue;
            }
            match name(bit) {
                Some(name) => write!(f, "{comma}{name}")?,
                None => write!(f, "{comma}bit {bit}")?,
            }
            comma = " + ";
        }
        Ok(())
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.type_name {
            "u8" | "u16" | "u32" | "u64" => write!(f, "{}", self.unsigned()),
            "i32" => write!(f, "{}", i32::from_ne_bytes(self.four())),
            "i64" => write!(f, "{}", i64::from_ne_bytes(self.bytes)),
            "f32" => {
                let value = f32::from_ne_bytes(self.four());
                // Two floats that read alike may differ in their bits.
                write!(f, "{value} ({:#010x})", value.to_bits())
            }
            "f64" => {
                let value = f64::from_ne_bytes(self.bytes);
                write!(f, "{value} ({:#018x})", value.to_bits())
            }
            "MonoNs" => write!(f, "{} ns", self.unsigned()),
            "Microseconds" => write!(f, "{} µs", self.unsigned()),
            "Mode" => self.fmt_enum(f, Mode::name),
            "Source" => self.fmt_enum(f, Source::name),
            "Class" => self.fmt_enum(f, Class::name),
            "Sign" => self.fmt_enum(f, Sign::name),
            "FaultSet" => self.fmt_bits(f, |bit| {
                Fault::ALL.iter().find(|fault| **fault as u32 == bit).map(|fault| fault.name())
            }),
            "RuleSet" => self.fmt_bits(f, |bit| {
                Rule::ALL.iter().find(|rule| **rule as u32 == bit).map(|rule| rule.name())
            }),
            "InterlockSet" => self.fmt_bits(f, |bit| {
                let mut all = Interlock::ALL.iter();
                all.find(|interlock| **interlock as u32 == bit).map(|interlock| interlock.name())
            }),
            "PulseFlags" => {
                self.fmt_bits(f, |bit| PulseFlags(1_u32.wrapping_shl(bit)).names().next())
            }
            "CommandFlags" => {
                self.fmt_bits(f, |bit| CommandFlags(1_u32.wrapping_shl(bit)).names().next())
            }
            _ => {
                f.write_str("0x")?;
                // The most significant byte first, as people write numbers.
                let bytes = self.bytes.iter().take(self.size);
                if cfg!(target_endian = "little") {
                    bytes.rev().try_for_each(|byte| write!(f, "{byte:02x}"))
                } else {
                    bytes.into_iter().try_for_each(|byte| write!(f, "{byte:02x}"))
                }
            }
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
