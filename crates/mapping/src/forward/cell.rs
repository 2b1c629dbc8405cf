//! The current value of the message: a repeat, a component or a subcomponent, as bytes and a
//! position.

use super::build::Span;
use crate::program::part_bit;
use crate::values::number::Decimals;
use hl7v2::{Charset, Delimiters, escape};
use std::borrow::Cow;

/// The position of a value in the message. Zero means the whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The segment's index in the message, from zero; [`Origin::NOWHERE`] for constants.
    pub(crate) segment: u32,
    pub(crate) field: u16,
    pub(crate) repeat: u16,
    pub(crate) component: u8,
    pub(crate) sub: u8,
}

/// The settings for reading bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    pub(crate) delimiters: Delimiters,
    pub(crate) charset: Charset,
    /// The meaning of a comma in a number.
    pub(crate) decimals: Decimals,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell<'m> {
    pub(crate) raw: &'m [u8],
    pub(crate) origin: Origin,
    /// A bit for each part that a row leaves out (`this without (.3)`): such parts read as absent.
    pub(crate) hidden: u64,
}

// === impl Origin ===

impl Origin {
    pub(crate) const NOWHERE: Self = Self {
        segment: u32::MAX,
        field: 0,
        repeat: 0,
        component: 0,
        sub: 0,
    };

    /// Returns 0 for a repeat of a field, 1 for a component, 2 for a subcomponent: the separators
    /// differ.
    pub(crate) fn level(self) -> u8 {
        u8::from(self.component != 0) + u8::from(self.sub != 0)
    }

    pub(crate) fn is_field(self) -> bool {
        self.component == 0
    }
}

// === impl Reading ===

impl Reading {
    /// Returns whether the byte divides a value into parts.
    fn divides(&self, byte: u8) -> bool {
        byte == self.delimiters.component || byte == self.delimiters.subcomponent
    }

    /// Returns a code without what follows it: `NM` of `NM^Numeric`, `TS~`.
    pub(crate) fn first_part<'m>(&self, raw: &'m [u8]) -> &'m [u8] {
        let is_end = |byte: &u8| self.divides(*byte) || *byte == self.delimiters.repeat;
        let end = raw.iter().position(is_end).unwrap_or(raw.len());
        raw.get(..end).unwrap_or_default()
    }
}

// === impl Cell ===

impl<'m> Cell<'m> {
    /// Returns the separator between the parts of this value; `None` inside a subcomponent.
    fn separator(self, reading: &Reading) -> Option<u8> {
        match (self.origin.component, self.origin.sub) {
            (0, _) => Some(reading.delimiters.component),
            (_, 0) => Some(reading.delimiters.subcomponent),
            _ => None,
        }
    }

    pub(crate) fn new(raw: &'m [u8], origin: Origin) -> Self {
        Self {
            raw,
            origin,
            hidden: 0,
        }
    }

    /// Returns the value without some of its parts.
    pub(crate) fn without(self, parts: u64) -> Self {
        Self {
            hidden: self.hidden | parts,
            ..self
        }
    }

    fn hides(self, n: u8) -> bool {
        self.hidden != 0 && self.hidden & part_bit(n) != 0
    }

    /// Returns part `n`, from 1; the first part of an undivided value is the value itself.
    pub(crate) fn part(self, n: u8, reading: &Reading) -> Self {
        let origin = self.place_of(n);
        let raw: &'m [u8] = match self.separator(reading) {
            _ if self.hides(n) => &[],
            Some(separator) => {
                let mut parts = self.raw.split(move |&byte| byte == separator);
                parts
                    .nth(usize::from(n).wrapping_sub(1))
                    .unwrap_or_default()
            }
            None if n == 1 => self.raw,
            None => &[],
        };
        Self::new(raw, origin)
    }

    pub(crate) fn place_of(self, n: u8) -> Origin {
        match (self.origin.component, self.origin.sub) {
            (0, _) => Origin {
                component: n,
                ..self.origin
            },
            (_, 0) => Origin {
                sub: n,
                ..self.origin
            },
            _ => self.origin,
        }
    }

    pub(crate) fn parts(self, reading: &Reading) -> impl Iterator<Item = Self> + use<'m> {
        let separator = self.separator(reading);
        let parts = self.raw.split(move |&byte| Some(byte) == separator);
        parts.enumerate().map(move |(place, raw)| {
            let n = u8::try_from(place + 1).unwrap_or(u8::MAX);
            let raw = if self.hides(n) { &[][..] } else { raw };
            Self::new(raw, self.place_of(n))
        })
    }

    /// Returns a bit for each part that has a value: bit 0 for part 1.
    pub(crate) fn valued_parts(self, reading: &Reading) -> u64 {
        let mut mask = 0;
        for (place, part) in self.parts(reading).enumerate().take(64) {
            if !part.is_empty(reading) {
                mask |= 1 << place;
            }
        }
        mask
    }

    pub(crate) fn has_parts(self, reading: &Reading) -> bool {
        self.separator(reading)
            .is_some_and(|separator| self.raw.contains(&separator))
    }

    /// Returns whether there is nothing but separators.
    pub(crate) fn is_empty(self, reading: &Reading) -> bool {
        let Delimiters {
            component,
            subcomponent,
            ..
        } = reading.delimiters;
        if self.hidden != 0 {
            return self.parts(reading).all(|part| part.is_empty(reading));
        }
        self.raw
            .iter()
            .all(|&byte| byte == component || byte == subcomponent)
    }

    pub(crate) fn is_null(self) -> bool {
        self.raw == b"\"\""
    }

    /// Returns the bytes of the first component's first subcomponent.
    fn plain_raw(self, reading: &Reading) -> &'m [u8] {
        if self.hides(1) {
            return &[];
        }
        let Delimiters {
            component,
            subcomponent,
            ..
        } = reading.delimiters;
        let end = self
            .raw
            .iter()
            .position(|&byte| byte == component || byte == subcomponent);
        self.raw
            .get(..end.unwrap_or(self.raw.len()))
            .unwrap_or_default()
    }

    /// Returns the text of the first part.
    pub(crate) fn plain(self, reading: &Reading) -> Cow<'m, str> {
        let raw = self.plain_raw(reading);
        if raw == b"\"\"" {
            return Cow::Borrowed("");
        }
        decode(raw, reading)
    }

    /// Returns whether the text of the first part is one of these. Text without escapes is not
    /// decoded.
    pub(crate) fn is_one_of(self, values: &[Box<str>], reading: &Reading) -> bool {
        let raw = self.plain_raw(reading);
        let escape = reading.delimiters.escape;
        let is_plain = |&byte: &u8| (b' '..0x7F).contains(&byte) && Some(byte) != escape;
        if raw.iter().all(is_plain) && raw != b"\"\"" {
            return values.iter().any(|value| value.as_bytes() == raw);
        }
        let text = self.plain(reading);
        values.iter().any(|value| **value == *text)
    }

    /// Returns the text including its separators.
    pub(crate) fn whole(self, reading: &Reading) -> Cow<'m, str> {
        decode(self.raw, reading)
    }

    /// Returns whether the value contains a separator, even at an end.
    pub(crate) fn has_separators(self, reading: &Reading) -> bool {
        self.raw.iter().any(|byte| reading.divides(*byte))
    }

    /// Returns whether separators stand between words: parts to a reader that expects a composite,
    /// text to one that expects a text.
    pub(crate) fn is_divided(self, reading: &Reading) -> bool {
        let raw = self.trimmed(reading);
        raw.iter().any(|byte| reading.divides(*byte))
    }

    /// Returns a text's value without the empty parts around it; what stands between its words
    /// stays.
    pub(crate) fn trimmed(self, reading: &Reading) -> &'m [u8] {
        let mut raw = self.raw;
        while let [first, rest @ ..] = raw
            && reading.divides(*first)
        {
            raw = rest;
        }
        while let [rest @ .., last] = raw
            && reading.divides(*last)
        {
            raw = rest;
        }
        raw
    }

    /// Returns the text of a value that has no parts.
    pub(crate) fn joined(self, reading: &Reading) -> Cow<'m, str> {
        decode(self.trimmed(reading), reading)
    }

    /// Returns the range of the value's bytes in the message.
    pub(crate) fn span(self, message: &hl7v2::Message) -> Span {
        let base = message.body().as_ptr() as usize;
        let start = (self.raw.as_ptr() as usize).checked_sub(base);
        let inside = start.filter(|start| start + self.raw.len() <= message.body().len());
        inside.map_or_else(Span::default, |start| Span {
            start: start as u32,
            len: self.raw.len() as u32,
        })
    }

    /// Returns the bytes as text, including escape sequences: for lineage and reports.
    pub(crate) fn raw_text(self, reading: &Reading) -> Box<str> {
        match std::str::from_utf8(self.raw) {
            Ok(text) => text.into(),
            Err(_) => reading.charset.decode(self.raw).into(),
        }
    }
}

/// Decodes the bytes to text. A FHIR string has no control characters except tabs and line ends (R4
/// datatypes.html, string), so the others are omitted: `\X000D\` is a line end.
fn decode<'m>(raw: &'m [u8], reading: &Reading) -> Cow<'m, str> {
    let text = escape::unescape(raw, &reading.delimiters, reading.charset);
    let is_barred = |byte: u8| byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r');
    if text.bytes().any(is_barred) {
        let is_kept = |letter: &char| !u8::try_from(*letter).is_ok_and(is_barred);
        return text.chars().filter(is_kept).collect();
    }
    text
}
