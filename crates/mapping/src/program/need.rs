//! Determines what a row needs before it can do anything: most rows of most messages find nothing,
//! and one bit shows that.
//!
//! Invariant: a row that is skipped would have changed nothing and recorded nothing.

use super::{Body, MapRow, Over, ReferenceKeyPart, Row, SegmentName, Source};
use smallvec::SmallVec;

/// A row's precondition: one of these bits at an index of its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Need {
    place: u8,
    bits: u64,
}

/// The bits present for the rows of a body: one that is always set, the parts of the current value,
/// then the fields of each of [`Body::segments`].
pub(crate) struct There(SmallVec<[u64; 10]>);

const ALWAYS: u8 = 0;
const PARTS: u8 = 1;
const FIRST_SEGMENT: usize = 2;

/// The highest field or part number that has a bit.
const LAST: u16 = 63;

/// Returns the bit of a field or part by its number, from 1; `None` for high numbers.
pub(crate) fn bit(number: u16) -> Option<u64> {
    (1..=LAST).contains(&number).then(|| 1 << number)
}

// === impl Body ===

impl Body {
    /// Determines the needs of the rows. Called once all rows are present.
    pub(crate) fn settle(&mut self) {
        let mut segments = Vec::new();
        let needs = self.rows.iter().map(|row| Need::of(row, &mut segments));
        self.needs = needs.collect();
        self.segments = segments;
        for row in &mut self.rows {
            if let Row::Map(row) = row {
                row.when_first = row.when.as_ref().is_some_and(|when| {
                    let mut sources = Vec::new();
                    when.sources(&mut sources);
                    sources.iter().all(|source| source.is_field())
                });
                if let Some(reference) = &mut row.reference {
                    let parts = reference.keys.iter().flatten();
                    let is_field = |part: &ReferenceKeyPart| match part {
                        ReferenceKeyPart::Source(source) => source.is_field(),
                        ReferenceKeyPart::Text(_) => false,
                    };
                    reference.own_key = row.hidden == 0 && !parts.into_iter().any(is_field);
                }
            }
        }
    }
}

// === impl Need ===

impl Need {
    /// The row always runs.
    const NOTHING: Self = Self {
        place: ALWAYS,
        bits: 1,
    };

    /// Returns whether the row runs whatever is present.
    pub(crate) fn is_nothing(self) -> bool {
        self.place == ALWAYS
    }

    fn parts(bits: u64) -> Self {
        Self { place: PARTS, bits }
    }

    fn of(row: &Row, segments: &mut Vec<SegmentName>) -> Self {
        match row {
            Row::Map(row) => Self::of_map(row, segments),
            Row::Drop(row) => Self::any_of(&[row.source], segments),
            Row::Each(row) => match &row.over {
                Over::Repeats(source) if source.is_field() => Self::any_of(&[*source], segments),
                Over::Repeats(_) | Over::Segment(_) | Over::Groups(_) => Self::NOTHING,
            },
            Row::Set(_) => Self::NOTHING,
        }
    }

    fn of_map(row: &MapRow, segments: &mut Vec<SegmentName>) -> Self {
        if row.arrow.forward() {
            Self::any_of(&row.sources, segments)
        } else {
            // No part has this bit, so the row never runs this way.
            Self::parts(0)
        }
    }

    fn any_of(sources: &[Source], segments: &mut Vec<SegmentName>) -> Self {
        if let [Source::Field { segment, field, .. }] = sources {
            return bit(*field)
                .and_then(|bits| Self::field(*segment, bits, segments))
                .unwrap_or(Self::NOTHING);
        }
        let bits = |all, source: &Source| {
            let component = source.cell_component()?;
            Some(all | bit(u16::from(component))?)
        };
        sources
            .iter()
            .try_fold(0, bits)
            .map_or(Self::NOTHING, Self::parts)
    }

    fn field(segment: SegmentName, bits: u64, segments: &mut Vec<SegmentName>) -> Option<Self> {
        let known = segments.iter().position(|own| *own == segment);
        let at = known.unwrap_or_else(|| {
            segments.push(segment);
            segments.len() - 1
        });
        let place = u8::try_from(at + FIRST_SEGMENT).ok()?;
        Some(Self { place, bits })
    }
}

// === impl There ===

impl There {
    /// Collects the bits. `parts` are those of the current value; `fields` returns those of a
    /// segment.
    pub(crate) fn new(body: &Body, parts: u64, fields: impl Fn(SegmentName) -> u64) -> Self {
        let mut there = SmallVec::from_slice(&[1, parts]);
        for segment in &body.segments {
            there.push(fields(*segment));
        }
        Self(there)
    }

    pub(crate) fn has(&self, need: Need) -> bool {
        let there = self.0.get(usize::from(need.place));
        there.is_some_and(|there| there & need.bits != 0)
    }
}
