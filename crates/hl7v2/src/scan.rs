//! One pass over the bytes that finds where segments, fields and their parts begin.
//!
//! Layout: `marks` holds the offset of every separator in order (the byte at the offset tells which
//! one), `fields` the indices in `marks` of the field separators, and each [`Line`] its first
//! entries in both. The inner loop writes without branching on the data; rare cases (escapes,
//! non-ASCII bytes, control characters) are collected as flags and examined later.

mod lanes;

use crate::delimiters::Delimiters;
use lanes::{LANES, Lanes};

/// A separator of any kind.
const SEPARATOR: u8 = 1;
/// A field separator.
const FIELD: u8 = 2;
/// An escape character.
pub(crate) const ESCAPE: u8 = 4;
/// A non-ASCII byte.
pub(crate) const HIGH: u8 = 8;
/// A control character other than the terminators and the tab.
pub(crate) const CONTROL: u8 = 16;
/// A line feed that does not end a segment.
pub(crate) const LINE_FEED: u8 = 32;

/// Cap on separators: a message with more is split up to here; the last segment keeps the rest. The
/// cap bounds the memory for a message of nothing but separators, here and in everything derived
/// from its fields. A result with 20 OBX has about 500, a waveform of 12 leads over 10 seconds
/// about 60,000.
const MAX_MARKS: usize = 1 << 18;
/// Cap on segments: a message with more is split up to here; the last one keeps the rest.
const MAX_LINES: usize = u16::MAX as usize;
/// Number of bytes scanned between two checks of the arenas' capacity.
const BLOCK: usize = 1024;

/// One segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// The three letters, or zeros.
    pub(crate) name: [u8; 3],
    /// Flags of the bytes seen in the segment.
    pub(crate) flags: u8,
    pub(crate) first_mark: u32,
    pub(crate) first_field: u32,
}

/// How the segments end.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Endings {
    /// Offset of the first LF or CRLF.
    pub(crate) odd: Option<u32>,
    /// Offset of the first empty line.
    pub(crate) empty: Option<u32>,
    /// The last segment has no terminator.
    pub(crate) unterminated: bool,
}

/// The index of a message.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    pub(crate) lines: Vec<Line>,
    pub(crate) marks: Vec<u32>,
    pub(crate) fields: Vec<u32>,
    pub(crate) flags: u8,
    pub(crate) endings: Endings,
    /// Offset at which indexing stopped because a cap was reached.
    pub(crate) stopped: Option<u32>,
}

/// Scanner for one set of delimiters.
pub(crate) struct Scanner {
    delimiters: Delimiters,
    classes: [u8; 256],
    lanes: Lanes,
}

// === impl Scanner ===

impl Scanner {
    pub(crate) fn new(delimiters: Delimiters) -> Self {
        let mut classes = BASE_CLASSES;
        let mut set = |byte: u8, class: u8| {
            if let Some(slot) = classes.get_mut(usize::from(byte)) {
                *slot = class | (*slot & (HIGH | CONTROL));
            }
        };
        if let Some(escape) = delimiters.escape {
            set(escape, ESCAPE);
        }
        for byte in [
            delimiters.subcomponent,
            delimiters.component,
            delimiters.repeat,
        ] {
            set(byte, SEPARATOR);
        }
        set(delimiters.field, SEPARATOR | FIELD);
        let lanes = Lanes::new(delimiters);
        Self {
            delimiters,
            classes,
            lanes,
        }
    }

    /// Indexes `raw` from `from` on.
    pub(crate) fn scan(&self, raw: &[u8], from: usize) -> Index {
        let raw = raw
            .get(..raw.len().min(u32::MAX as usize - 1))
            .unwrap_or_default();
        let mut index = Index::default();
        index.lines.reserve(raw.len() / 128 + 4);
        let mut fill = Fill {
            marks: 0,
            fields: 0,
        };
        let mut start = from;
        while start < raw.len() {
            if index.lines.len() >= MAX_LINES || fill.marks > MAX_MARKS {
                index.stopped.get_or_insert(start as u32);
                let rest = raw.get(start..).unwrap_or_default();
                index.lines.push(self.new_line(rest, start, &fill));
                break;
            }
            let (end, next) = self.line_end(raw, start, &mut index.endings);
            if end == start {
                index.endings.empty.get_or_insert(start as u32);
            } else {
                self.line(raw, start..end, &mut index, &mut fill);
            }
            index.endings.unterminated = next == end;
            start = next;
        }
        index.marks.truncate(fill.marks);
        index.fields.truncate(fill.fields);
        index
    }

    /// Returns where the segment at `start` ends and where the next one begins.
    fn line_end(&self, raw: &[u8], start: usize, endings: &mut Endings) -> (usize, usize) {
        let mut from = start;
        loop {
            let rest = raw.get(from..).unwrap_or_default();
            let Some(at) = memchr::memchr2(b'\r', b'\n', rest).map(|at| at + from) else {
                return (raw.len(), raw.len());
            };
            if raw.get(at) == Some(&b'\r') {
                if raw.get(at + 1) != Some(&b'\n') {
                    return (at, at + 1);
                }
                endings.odd.get_or_insert(at as u32);
                return (at, at + 2);
            }
            if self.begins_segment(raw.get(at + 1..).unwrap_or_default()) || at == start {
                endings.odd.get_or_insert(at as u32);
                return (at, at + 1);
            }
            from = at + 1;
        }
    }

    /// Returns whether a line feed before `rest` ends a segment rather than being part of its text.
    fn begins_segment(&self, rest: &[u8]) -> bool {
        match rest {
            [] | [b'\r' | b'\n' | 0x0B | 0x1C, ..] => true,
            [a, b, c, d, ..] => {
                is_name([*a, *b, *c]) && [self.delimiters.field, b'\r', b'\n'].contains(d)
            }
            [a, b, c] => is_name([*a, *b, *c]),
            _ => false,
        }
    }

    fn line(&self, raw: &[u8], range: std::ops::Range<usize>, index: &mut Index, fill: &mut Fill) {
        let bytes = raw.get(range.clone()).unwrap_or_default();
        let mut line = self.new_line(bytes, range.start, fill);
        for (number, block) in bytes.chunks(BLOCK).enumerate() {
            if fill.marks > MAX_MARKS {
                index.stopped = Some((range.start + number * BLOCK) as u32);
                break;
            }
            make_room(&mut index.marks, fill.marks);
            make_room(&mut index.fields, fill.fields);
            let base = (range.start + number * BLOCK) as u32;
            line.flags |= self.block(block, base, index, fill);
        }
        index.flags |= line.flags;
        index.lines.push(line);
    }

    fn new_line(&self, bytes: &[u8], start: usize, fill: &Fill) -> Line {
        Line {
            start: start as u32,
            end: (start + bytes.len()) as u32,
            name: name_of(bytes, self.delimiters.field),
            flags: 0,
            first_mark: fill.marks as u32,
            first_field: fill.fields as u32,
        }
    }

    /// Runs the inner loop: compares 16 bytes at a time, then one step per separator.
    fn block(&self, block: &[u8], base: u32, index: &mut Index, fill: &mut Fill) -> u8 {
        let marks = index
            .marks
            .get_mut(fill.marks..)
            .and_then(<[u32]>::first_chunk_mut::<BLOCK>);
        let fields = index
            .fields
            .get_mut(fill.fields..)
            .and_then(<[u32]>::first_chunk_mut::<BLOCK>);
        let (Some(marks), Some(fields)) = (marks, fields) else {
            return 0;
        };
        let (mut n_marks, mut n_fields, mut flags) = (0, 0, 0);
        let (chunks, tail) = block.as_chunks::<LANES>();
        for (chunk, base) in chunks.iter().zip((base..).step_by(LANES)) {
            let found = self.lanes.look(chunk);
            flags |= match found.flags & CONTROL {
                0 => found.flags,
                // Rare: the table tells tabs and line feeds apart.
                _ => chunk
                    .iter()
                    .fold(0, |flags, &byte| flags | self.class(byte)),
            };
            let mut separators = found.separators;
            while separators != 0 {
                let bit = separators.trailing_zeros();
                // There are fewer marks than bytes, so nothing wraps; the remainder saves a bounds
                // check.
                if let (Some(mark), Some(field)) = (
                    marks.get_mut(n_marks % BLOCK),
                    fields.get_mut(n_fields % BLOCK),
                ) {
                    *mark = base + bit;
                    *field = (fill.marks + n_marks) as u32;
                }
                n_marks += 1;
                n_fields += (found.fields >> bit & 1) as usize;
                separators &= separators - 1;
            }
        }
        let base = base + (block.len() - tail.len()) as u32;
        for (at, &byte) in (base..).zip(tail) {
            let class = self.class(byte);
            if let (Some(mark), Some(field)) = (
                marks.get_mut(n_marks % BLOCK),
                fields.get_mut(n_fields % BLOCK),
            ) {
                *mark = at;
                *field = (fill.marks + n_marks) as u32;
            }
            n_marks += usize::from(class & SEPARATOR);
            n_fields += usize::from((class & FIELD) >> 1);
            flags |= class;
        }
        fill.marks += n_marks;
        fill.fields += n_fields;
        flags
    }

    fn class(&self, byte: u8) -> u8 {
        self.classes
            .get(usize::from(byte))
            .copied()
            .unwrap_or_default()
    }
}

struct Fill {
    marks: usize,
    fields: usize,
}

/// Byte classes before any delimiter is declared.
const BASE_CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    #[expect(
        clippy::indexing_slicing,
        reason = "a constant table, checked by the compiler"
    )]
    while byte < 256 {
        classes[byte] = match byte {
            0x09 | 0x0D => 0,
            0x0A => LINE_FEED,
            0x00..0x20 | 0x7F => CONTROL,
            0x80.. => HIGH,
            _ => 0,
        };
        byte += 1;
    }
    classes
};

/// Makes room for one more block.
fn make_room(arena: &mut Vec<u32>, used: usize) {
    let needed = used + BLOCK + 1;
    if arena.len() < needed {
        arena.resize(needed + used / 2, 0);
    }
}

/// Returns the name of a segment: three capital letters or digits, then a separator or the end.
pub(crate) fn name_of(bytes: &[u8], field: u8) -> [u8; 3] {
    match *bytes {
        [a, b, c] if is_name([a, b, c]) => [a, b, c],
        [a, b, c, d, ..] if d == field && is_name([a, b, c]) => [a, b, c],
        _ => [0; 3],
    }
}

fn is_name([first, second, third]: [u8; 3]) -> bool {
    let fits = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    first.is_ascii_uppercase() && fits(second) && fits(third)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lanes, the tail after them and the table agree at every length and block border.
    #[test]
    fn every_separator_is_marked() {
        let delimiters = Delimiters::default();
        let alphabet = b"|^~&\\ABCDEFGHIJKL \t\x01\xE9|";
        let lengths = (0..140).chain([BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 7]);
        for length in lengths {
            let raw: Vec<u8> = (0..length)
                .map(|at| alphabet[at * at * 31 % 97 % alphabet.len()])
                .collect();
            let index = Scanner::new(delimiters).scan(&raw, 0);
            let is_mark = |at: &u32| b"|^~&".contains(&raw[*at as usize]);
            let expected: Vec<u32> = (0..length as u32).filter(is_mark).collect();
            assert_eq!(index.marks, expected, "{length}");
            let is_field = |mark: &u32| raw[expected[*mark as usize] as usize] == b'|';
            let fields: Vec<u32> = (0..expected.len() as u32).filter(is_field).collect();
            assert_eq!(index.fields, fields, "{length}");
            for (byte, flag) in [(b'\\', ESCAPE), (0xE9, HIGH), (1, CONTROL)] {
                assert_eq!(
                    index.flags & flag != 0,
                    raw.contains(&byte),
                    "{length} {byte}"
                );
            }
        }
    }
}
