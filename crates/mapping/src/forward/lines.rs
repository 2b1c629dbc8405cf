//! Determines which OBX segments are lines of one text.
//!
//! Senders of narrative write each line into its own OBX with the same OBX-3 and the same OBX-4
//! (HL7 v2 7.4.2.4: OBX-4 distinguishes what OBX-3 does not); some leave OBX-3 out of all of them.
//! Together they are one result. Serial results are not: a number is not a line, nor is a value with
//! another time (OBX-14).

use super::cell::{Cell, Origin, Reading};
use super::scope::Bound;
use crate::values::number;
use crate::values::observed::Observed;
use hl7v2::{Message, Segment};

/// The lines of a message's texts: the index of a line, and that of its text's first line.
#[derive(Debug, Default)]
pub(super) struct Texts(Vec<(u32, u32)>);

// === impl Texts ===

impl Texts {
    pub(super) fn of(message: &Message, reading: &Reading) -> Self {
        let mut lines = Vec::new();
        let mut before: Option<(Segment<'_>, u32)> = None;
        for segment in message.segments() {
            let index = segment.index() as u32;
            match segment.raw().get(..3) {
                Some(b"OBX") => {
                    let first = before
                        .filter(|(line, _)| continues(*line, segment, reading))
                        .map(|(_, first)| first);
                    lines.extend(first.map(|first| (index, first)));
                    before = Some((segment, first.unwrap_or(index)));
                }
                // A segment that accompanies a line does not end the text.
                Some(b"NTE" | b"PRT" | [b'Z', ..]) => {}
                _ => before = None,
            }
        }
        Self(lines)
    }

    /// Returns whether the segment is a later line of a text.
    pub(super) fn is_further(&self, index: u32) -> bool {
        self.0.iter().any(|(line, _)| *line == index)
    }

    /// Returns the lines after the first.
    pub(super) fn further(&self, first: u32) -> impl Iterator<Item = u32> + '_ {
        let own = self.0.iter().filter(move |(_, own)| *own == first);
        own.map(|(line, _)| *line)
    }
}

/// Returns whether the second segment is a line of the first one's text.
fn continues(one: Segment<'_>, other: Segment<'_>, reading: &Reading) -> bool {
    let [a, b] = [one, other].map(|segment| move |n| segment.field_bytes(n).0);
    let may_differ = |n| a(n) == b(n) || a(n).is_empty() || b(n).is_empty();
    if a(3) != b(3) || a(4) != b(4) || !may_differ(14) {
        return false;
    }
    let [first, second] =
        [&a, &b].map(|field| Observed::of(reading.first_part(field(2)), field(5), reading).kind);
    let is_text = |kind: &[u8]| matches!(kind, b"ST" | b"TX" | b"FT");
    if !is_text(first) || !is_text(second) || withdrawn(a(11)) != withdrawn(b(11)) {
        return false;
    }
    let are_bare = || is_bare(one, reading) && is_bare(other, reading) && !a(3).is_empty();
    (first != b"ST" && second != b"ST") || are_bare()
}

/// Returns whether a string (ST) has no unit, range or flag and is not a number. A string that has
/// one of these may be a result by itself.
fn is_bare(segment: Segment<'_>, reading: &Reading) -> bool {
    let value = segment.field_bytes(5).0;
    let text = Cell::new(value, Origin::default()).whole(reading);
    let is_number = number::is_number(&text, reading.decimals)
        || number::split_comparator(&text, reading.decimals).is_some();
    let alone = [6, 7, 8]
        .into_iter()
        .all(|n| segment.field_bytes(n).0.is_empty());
    alone && !is_number && !value.contains(&reading.delimiters.repeat)
}

fn withdrawn(status: &[u8]) -> bool {
    matches!(status, b"D" | b"W")
}

/// Adds the later lines of a text to what its first line has, with the segments that follow each of
/// them.
pub(super) fn bind(
    bound: &mut Bound,
    message: &Message,
    (first, texts): (u32, &Texts),
    named: impl Fn([u8; 3]) -> bool,
) {
    for line in texts.further(first) {
        super::message::bind(bound, *b"OBX", line);
        for segment in message.segments().skip(line as usize + 1) {
            let name: Option<[u8; 3]> =
                segment.raw().get(..3).and_then(|name| name.try_into().ok());
            match name {
                Some(name @ ([b'N', b'T', b'E'] | [b'P', b'R', b'T'])) => {
                    if named(name) {
                        super::message::bind(bound, name, segment.index() as u32);
                    }
                }
                Some([b'Z', ..]) => {}
                _ => break,
            }
        }
    }
}
