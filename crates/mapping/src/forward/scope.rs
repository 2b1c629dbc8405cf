//! The segments that a row can read, and how conditions read them.

use super::cell::{Cell, Origin, Reading};
use crate::program::{Condition, Op, Repeat, SegmentName, Source, bit};
use crate::values::number;
use crate::values::observed::Observed;
use hl7v2::Message;
use smallvec::SmallVec;

/// The segments of one name that belong to the resource being made.
pub(crate) type Bound = SmallVec<[(SegmentName, SmallVec<[u32; 2]>); 4]>;

/// The part of a message that a row can read.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a, 'm> {
    pub(crate) message: &'m Message,
    pub(crate) reading: &'a Reading,
    pub(crate) bound: &'a Bound,
    /// The current segment, in an `each` over segments.
    pub(crate) current: Option<(SegmentName, u32)>,
    /// The current value, in a type map or an `each` over repeats.
    pub(crate) cell: Option<Cell<'m>>,
    /// The parts of the current value, if they were split already.
    pub(crate) parts: Option<&'a [&'m [u8]]>,
    /// A bit for each of those parts that has a value; all bits if this was not determined.
    pub(crate) valued: u64,
    /// The current group, in an `each` over groups.
    pub(crate) members: &'a [Source],
    /// How the first OBX is read, if known: its index in the message first.
    pub(crate) observed: Option<(u32, Observed<'m>)>,
}

pub(crate) type Cells<'m> = SmallVec<[Cell<'m>; 2]>;

// === impl Scope ===

impl<'m> Scope<'_, 'm> {
    /// Returns the same scope with the type of its OBX determined, because many rows ask. Several
    /// OBX segments that are lines make a text.
    pub(crate) fn observing(self, lines: bool) -> Self {
        let all = self.places(*b"OBX");
        let observed = all.first().map(|&index| match all.len() {
            2.. if lines => (index, Observed::TEXT),
            _ => (index, self.observe(index)),
        });
        Self { observed, ..self }
    }

    /// Returns how the OBX with that index is read.
    pub(crate) fn observed(&self, index: u32) -> Observed<'m> {
        match self.observed {
            Some((known, observed)) if known == index => observed,
            _ => self.observe(index),
        }
    }

    fn observe(&self, index: u32) -> Observed<'m> {
        let segment = self.message.segment_at(index as usize);
        let bytes = |n| segment.map_or(&[][..], |segment| segment.field_bytes(n).0);
        Observed::of(self.reading.first_part(bytes(2)), bytes(5), self.reading)
    }

    /// Returns the type that OBX-2 names.
    pub(crate) fn declared(&self) -> &'m [u8] {
        let found = self.first_segment(*b"OBX");
        let segment = found.and_then(|index| self.message.segment_at(index as usize));
        let raw = segment.map_or(&[][..], |segment| segment.field_bytes(2).0);
        self.reading.first_part(raw)
    }

    pub(crate) fn segments(&self, name: SegmentName) -> SmallVec<[u32; 2]> {
        SmallVec::from_slice(self.places(name))
    }

    pub(crate) fn first_segment(&self, name: SegmentName) -> Option<u32> {
        self.places(name).first().copied()
    }

    /// Returns the indices of the segments of a name.
    fn places(&self, name: SegmentName) -> &[u32] {
        match &self.current {
            Some((current, index)) if *current == name => std::slice::from_ref(index),
            _ => {
                let found = self.bound.iter().find(|(bound, _)| *bound == name);
                found.map_or(&[][..], |(_, places)| places.as_slice())
            }
        }
    }

    /// Combines the bits of all segments of a name.
    pub(crate) fn fold(&self, name: SegmentName, bits: impl Fn(u32) -> u64) -> u64 {
        let places = self.places(name);
        places.iter().fold(0, |all, index| all | bits(*index))
    }

    /// Returns the values of a source; empty ones are included only if the source is one value.
    pub(crate) fn cells(&self, source: Source) -> Cells<'m> {
        match source {
            Source::Field {
                segment,
                field,
                repeat: Repeat::All,
                component,
                sub,
            } => {
                let mut cells = Cells::new();
                let Some(index) = self.first_segment(segment) else {
                    return cells;
                };
                let Some(found) = self.message.segment_at(index as usize) else {
                    return cells;
                };
                for (place, repeat) in found.field(usize::from(field)).repeats().enumerate() {
                    let origin = Origin {
                        segment: index,
                        field,
                        repeat: place as u16 + 1,
                        ..Origin::default()
                    };
                    let cell = Cell::new(repeat.raw(), origin);
                    cells.push(self.part(cell, component, sub));
                }
                cells
            }
            other => {
                let mut cells = Cells::new();
                if let Some(cell) = self.cell(other) {
                    cells.push(cell);
                }
                cells
            }
        }
    }

    /// Returns the lines of a text: all repeats in all its segments. An empty field is an empty
    /// line.
    pub(crate) fn lines(&self, source: Source) -> Cells<'m> {
        let Source::Field { segment, field, .. } = source else {
            return self.cells(source);
        };
        let mut cells = Cells::new();
        for index in self.segments(segment) {
            let found = self.message.segment_at(index as usize);
            let repeats = found.map(|found| found.field(usize::from(field)).repeats());
            let before = cells.len();
            for (place, repeat) in repeats.into_iter().flatten().enumerate() {
                let origin = Origin {
                    segment: index,
                    field,
                    repeat: place as u16 + 1,
                    ..Origin::default()
                };
                cells.push(Cell::new(repeat.raw(), origin));
            }
            if cells.len() == before {
                let origin = Origin {
                    segment: index,
                    field,
                    ..Origin::default()
                };
                cells.push(Cell::new(&[], origin));
            }
        }
        cells
    }

    /// Returns the one value of a source; the first repeat if it asks for all.
    pub(crate) fn cell(&self, source: Source) -> Option<Cell<'m>> {
        match source {
            Source::Field {
                segment,
                field,
                repeat,
                component,
                sub,
            } => {
                let index = self.first_segment(segment)?;
                let found = self.message.segment_at(index as usize)?;
                let number = repeat.first();
                let origin = Origin {
                    segment: index,
                    field,
                    repeat: number,
                    ..Origin::default()
                };
                if field == 2 && segment == *b"OBX" {
                    // Rows choose by OBX-2 how OBX-5 is read, and the value decides that.
                    return Some(Cell::new(self.observed(index).kind, origin));
                }
                let (whole, is_divided) = found.field_bytes(usize::from(field));
                let is_one = || !is_divided || !whole.contains(&self.reading.delimiters.repeat);
                // A single repeat is the common case: no search.
                let raw = if number == 1 && (is_one() || self.is_signed(whole, segment, field)) {
                    whole
                } else {
                    let piece = found.field(usize::from(field));
                    piece.repeat(usize::from(number)).raw()
                };
                Some(self.part(Cell::new(raw, origin), component, sub))
            }
            Source::Cell { component, sub } => Some(self.own_part(component, sub)?),
            Source::Member(number) => {
                let member = self.members.get(usize::from(number) - 1)?;
                match member {
                    Source::Member(_) => None,
                    Source::Field { .. } | Source::Cell { .. } | Source::This => self.cell(*member),
                }
            }
            Source::This => self.cell,
        }
    }

    /// Returns whether the field starts with a sign: `~5` in OBX-5 means about five, and the
    /// character separates nothing if nothing precedes it.
    fn is_signed(&self, whole: &[u8], segment: SegmentName, field: u16) -> bool {
        field == 5 && segment == *b"OBX" && whole.first() == Some(&self.reading.delimiters.repeat)
    }

    /// Returns a part of the current value.
    fn own_part(&self, component: u8, sub: u8) -> Option<Cell<'m>> {
        let cell = self.cell?;
        let Some(parts) = self.parts else {
            return Some(self.part(cell, component, sub));
        };
        let raw = parts.get(usize::from(component).wrapping_sub(1)).copied();
        let part = Cell::new(raw.unwrap_or_default(), cell.place_of(component));
        Some(if sub == 0 {
            part
        } else {
            part.part(sub, self.reading)
        })
    }

    /// Returns whether this is the current value.
    fn has_at_hand(&self, cell: Option<Cell<'m>>) -> bool {
        match (self.cell, cell) {
            (Some(own), Some(other)) => {
                std::ptr::eq(own.raw, other.raw)
                    && own.origin == other.origin
                    && own.hidden == other.hidden
            }
            _ => false,
        }
    }

    /// Returns the same scope with another current value.
    pub(crate) fn with_cell(&self, cell: Option<Cell<'m>>) -> Self {
        if self.has_at_hand(cell) {
            return *self;
        }
        Self {
            cell,
            parts: None,
            valued: u64::MAX,
            ..*self
        }
    }

    /// Returns whether there is nothing to read, not even `""`.
    pub(crate) fn is_empty(&self, source: Source) -> bool {
        if let Source::Field {
            repeat,
            segment,
            field,
            component,
            ..
        } = source
        {
            let at = self.first_segment(segment);
            let found = at.and_then(|at| self.message.segment_at(at as usize));
            let Some(found) = found.map(|found| found.field_bytes(usize::from(field)).0) else {
                return true;
            };
            // A whole field is the common case: no repeat and no part is looked for.
            if found.is_empty() || repeat == Repeat::All || component == 0 {
                return found.is_empty();
            }
        }
        self.cell(source)
            .is_none_or(|cell| cell.is_empty(self.reading))
    }

    fn part(&self, cell: Cell<'m>, component: u8, sub: u8) -> Cell<'m> {
        match (component, sub) {
            (0, _) => cell,
            (_, 0) => cell.part(component, self.reading),
            _ => cell.part(component, self.reading).part(sub, self.reading),
        }
    }

    /// Counts the non-empty repeats, or the segments of a name.
    fn count(&self, source: Source) -> u32 {
        self.cells(source.all_repeats())
            .iter()
            .filter(|cell| !cell.is_empty(self.reading))
            .count() as u32
    }

    /// Returns whether the condition holds. `.n` and `this` in it read `base`.
    pub(crate) fn holds(&self, condition: &Condition, base: Option<Cell<'m>>) -> bool {
        match condition {
            Condition::Is(truth) => *truth,
            Condition::All(parts) => parts.iter().all(|part| self.holds(part, base)),
            Condition::Any(parts) => parts.iter().any(|part| self.holds(part, base)),
            Condition::Not(part) => !self.holds(part, base),
            Condition::Test { source, op } => match source {
                Source::Cell { .. } | Source::This => {
                    if self.has_at_hand(base) {
                        self.test(*source, op)
                    } else {
                        self.with_cell(base).test(*source, op)
                    }
                }
                Source::Field { .. } | Source::Member(_) => self.test(*source, op),
            },
        }
    }

    fn test(&self, source: Source, op: &Op) -> bool {
        if let Op::Count(compare, number) = op {
            return compare.holds(self.count(source), *number);
        }
        // An empty part is known by its bit.
        if let Source::Cell { component, .. } = source
            && bit(u16::from(component)).is_some_and(|bit| self.valued & bit == 0)
        {
            return matches!(op, Op::Empty | Op::NotIn(_));
        }
        if let Source::Field {
            repeat: Repeat::All,
            ..
        } = source
        {
            // Over all repeats, one match is enough; for a negative test, there must be none.
            let mut cells = self.cells(source).into_iter();
            return match op {
                Op::Empty | Op::NotIn(_) => cells.all(|cell| self.tells(Some(cell), op)),
                _ => cells.any(|cell| self.tells(Some(cell), op)),
            };
        }
        self.tells(self.cell(source), op)
    }

    /// Tests one value.
    fn tells(&self, cell: Option<Cell<'m>>, op: &Op) -> bool {
        let valued = cell.filter(|cell| !cell.is_empty(self.reading) && !cell.is_null());
        match op {
            Op::Empty => valued.is_none(),
            Op::Valued => valued.is_some(),
            Op::Null => cell.is_some_and(Cell::is_null),
            Op::HasTime => valued.is_some_and(|cell| {
                let text = cell.plain(self.reading);
                crate::values::time::read(&text).is_ok_and(|time| time.has_time())
            }),
            Op::HasNumber => valued.is_some_and(|cell| {
                let text = cell.plain(self.reading);
                number::is_number(&text, self.reading.decimals)
            }),
            Op::HasCheckDigit => valued.is_some_and(|cell| {
                crate::values::number::has_check_digit(cell.plain(self.reading).trim())
            }),
            Op::HasWord(word) => valued.is_some_and(|cell| {
                let text = cell.whole(self.reading);
                text.to_ascii_uppercase().contains(&**word)
            }),
            Op::In(values) => valued.is_some_and(|cell| cell.is_one_of(values, self.reading)),
            Op::NotIn(values) => valued.is_none_or(|cell| !cell.is_one_of(values, self.reading)),
            Op::Count(..) => false,
        }
    }
}
