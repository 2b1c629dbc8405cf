//! What must be there before a row can do anything: most rows of most messages find nothing, and
//! that is seen from one bit.
//!
//! Invariant: a row that is passed over would have changed nothing and noted nothing.

use super::{Body, MapRow, Over, ReferenceKeyPart, Row, SegmentName, Source};

/// Something that a row cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// It runs in any case.
    Nothing,
    /// A field of a segment, as a bit of [`bit`].
    Field(SegmentName, u64),
    /// One of these parts of the value at hand, as bits of [`bit`].
    Parts(u64),
}

/// Fields and parts with higher numbers have no bit.
const LAST: u16 = 63;

/// The bit of a field or part by its number from one; none for those far out.
pub(crate) fn bit(number: u16) -> Option<u64> {
    (1..=LAST).contains(&number).then(|| 1 << number)
}

// === impl Body ===

impl Body {
    /// Works out what its rows need. Called once they are all there.
    pub(crate) fn settle(&mut self) {
        self.needs = self.rows.iter().map(Need::of).collect();
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
    fn of(row: &Row) -> Self {
        match row {
            Row::Map(row) => Self::of_map(row),
            Row::Drop(row) => Self::any_of(&[row.source]),
            Row::Each(row) => match &row.over {
                Over::Repeats(source) if source.is_field() => Self::any_of(&[*source]),
                Over::Repeats(_) | Over::Segment(_) | Over::Groups(_) => Self::Nothing,
            },
            Row::Set(_) => Self::Nothing,
        }
    }

    fn of_map(row: &MapRow) -> Self {
        if row.arrow.forward() {
            Self::any_of(&row.sources)
        } else {
            // No part has this bit: it never runs this way.
            Self::Parts(0)
        }
    }

    fn any_of(sources: &[Source]) -> Self {
        if let [Source::Field { segment, field, .. }] = sources {
            return bit(*field).map_or(Self::Nothing, |bit| Self::Field(*segment, bit));
        }
        let bits = |all, source: &Source| {
            let component = source.cell_component()?;
            Some(all | bit(u16::from(component))?)
        };
        sources
            .iter()
            .try_fold(0, bits)
            .map_or(Self::Nothing, Self::Parts)
    }
}
