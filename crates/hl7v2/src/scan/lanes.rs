//! Looking at many bytes at once.

use wide::u8x16;

use super::{CONTROL, ESCAPE, HIGH};
use crate::delimiters::Delimiters;

/// How many bytes one look takes in.
pub(super) const LANES: usize = 32;

/// The bytes to look for, each in all lanes.
pub(super) struct Lanes {
    field: u8x16,
    others: [u8x16; 3],
    escape: u8x16,
}

/// What is in the lanes: a bit for each byte, the first one lowest.
pub(super) struct Found {
    pub(super) separators: u32,
    pub(super) fields: u32,
    /// [`CONTROL`] also for tabulators and line feeds.
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
