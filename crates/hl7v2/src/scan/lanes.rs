//! Examines many bytes at once.

use wide::u8x16;

use super::{CONTROL, ESCAPE, HIGH};
use crate::delimiters::Delimiters;

/// Number of bytes examined at once.
pub(super) const LANES: usize = 32;

/// The bytes to search for, each in all lanes.
pub(super) struct Lanes {
    field: u8x16,
    others: [u8x16; 3],
    escape: u8x16,
}

/// The matches in the lanes: one bit per byte, the first byte lowest.
pub(super) struct Found {
    pub(super) separators: u32,
    pub(super) fields: u32,
    /// Flags; [`CONTROL`] is also set for tabs and line feeds.
    pub(super) flags: u8,
}

// === impl Lanes ===

impl Lanes {
    pub(super) fn new(delimiters: Delimiters) -> Self {
        let Delimiters {
            component,
            repeat,
            subcomponent,
            ..
        } = delimiters;
        Self {
            field: u8x16::splat(delimiters.field),
            others: [component, repeat, subcomponent].map(u8x16::splat),
            escape: u8x16::splat(delimiters.escape.unwrap_or(0)),
        }
    }

    pub(super) fn look(&self, chunk: &[u8; LANES]) -> Found {
        let (low, high) = chunk.split_at(LANES / 2);
        let (low, high) = (self.half(u8x16::from(low)), self.half(u8x16::from(high)));
        Found {
            separators: low.separators | high.separators << 16,
            fields: low.fields | high.fields << 16,
            flags: low.flags | high.flags,
        }
    }

    #[inline]
    fn half(&self, bytes: u8x16) -> Found {
        let fields = bytes.simd_eq(self.field);
        let [component, repeat, subcomponent] = self.others.map(|other| bytes.simd_eq(other));
        let separators = fields | component | repeat | subcomponent;
        let control =
            bytes.min(u8x16::splat(0x1F)).simd_eq(bytes) | bytes.simd_eq(u8x16::splat(0x7F));
        let escape = bytes.simd_eq(self.escape);
        let flag = |lanes: u8x16, flag: u8| if lanes.to_bitmask() == 0 { 0 } else { flag };
        Found {
            separators: separators.to_bitmask(),
            fields: fields.to_bitmask(),
            flags: flag(bytes, HIGH) | flag(control, CONTROL) | flag(escape, ESCAPE),
        }
    }
}
