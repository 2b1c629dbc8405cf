//! The place where the rows of a body write, and what they read back from it.

use super::out::{OutCell, OutSegment};
use crate::program::{Condition, Op, Repeat, SegmentName, Source};

/// The output of rows.
#[derive(Debug, Default)]
pub(crate) struct OutScope<'a> {
    pub(crate) segments: Vec<OutSegment>,
    /// The index of the current segment, in an `each` over segments.
    pub(crate) current: Option<usize>,
    /// The value being written, in a type map or an `each` over repeats.
    pub(crate) cell: OutCell,
    pub(crate) members: &'a [Source],
}

// === impl OutScope ===

impl OutScope<'_> {
    fn find(&self, name: SegmentName) -> Option<usize> {
        let current = self.current.filter(|at| {
            self.segments
                .get(*at)
                .is_some_and(|segment| segment.name == name)
        });
        current.or_else(|| {
            self.segments
                .iter()
                .position(|segment| segment.name == name)
        })
    }

    /// Adds to the content at the source; `repeat` counts from 1 if the source means each repeat.
    pub(crate) fn write(&mut self, source: Source, repeat: u16, cell: OutCell) {
        match source {
            Source::Field {
                segment,
                field,
                repeat: asked,
                component,
                sub,
            } => {
                let at = self.find(segment).unwrap_or_else(|| {
                    self.segments.push(OutSegment::new(segment));
                    self.segments.len() - 1
                });
                let repeat = match asked {
                    Repeat::All => repeat,
                    Repeat::At(number) => number,
                };
                let segment = self.segments.get_mut(at);
                if let Some(place) = segment.and_then(|segment| segment.repeat_mut(field, repeat)) {
                    let place = place.part_mut(component);
                    let place = if component == 0 {
                        place
                    } else {
                        place.part_mut(sub)
                    };
                    place.merge(cell);
                }
            }
            Source::Cell { component, sub } => {
                self.cell.part_mut(component).part_mut(sub).merge(cell);
            }
            Source::Member(number) => {
                let member = self.members.get(usize::from(number) - 1).copied();
                if let Some(member) = member.filter(|member| !matches!(member, Source::Member(_))) {
                    self.write(member, repeat, cell);
                }
            }
            Source::This => self.cell.merge(cell),
        }
    }

    /// Returns the content at the source.
    pub(crate) fn read(&self, source: Source) -> Option<&OutCell> {
        match source {
            Source::Field {
                segment,
                field,
                repeat,
                component,
                sub,
            } => {
                let number = repeat.first();
                let cell = self
                    .segments
                    .get(self.find(segment)?)?
                    .repeat(field, number)?;
                cell.part(component)?.part(sub)
            }
            Source::Cell { component, sub } => self.cell.part(component)?.part(sub),
            Source::Member(number) => {
                let member = self.members.get(usize::from(number) - 1)?;
                match member {
                    Source::Member(_) => None,
                    Source::Field { .. } | Source::Cell { .. } | Source::This => self.read(*member),
                }
            }
            Source::This => Some(&self.cell),
        }
    }

    pub(crate) fn is_written(&self, source: Source) -> bool {
        self.read(source).is_some_and(|cell| !cell.is_empty())
    }

    /// Returns the current segment of the `each`.
    pub(crate) fn at_hand(&self) -> Option<&OutSegment> {
        self.segments.get(self.current?)
    }

    /// Returns whether a row has made the segment that the source names.
    pub(crate) fn has_segment(&self, source: Source) -> bool {
        match source {
            Source::Field { segment, .. } => {
                let found = self.find(segment).and_then(|at| self.segments.get(at));
                found.is_some_and(|found| !found.is_empty())
            }
            Source::Cell { .. } | Source::This => !self.cell.is_empty(),
            Source::Member(_) => false,
        }
    }

    /// Returns one more than the greatest number at that place in the segments of its name.
    pub(crate) fn next_number(&self, source: Source) -> u32 {
        let Source::Field {
            segment,
            field,
            component,
            sub,
            ..
        } = source
        else {
            return 1;
        };
        let own = self.segments.iter().filter(|own| own.name == segment);
        let cells = own.filter_map(|own| own.repeat(field, 1)?.part(component)?.part(sub));
        let numbers = cells.filter_map(|cell| cell.plain().parse::<u32>().ok());
        numbers.max().unwrap_or(0).saturating_add(1)
    }

    /// Returns whether the condition holds for what is written so far.
    pub(crate) fn holds(&self, condition: &Condition) -> bool {
        match condition {
            Condition::Is(truth) => *truth,
            Condition::All(parts) => parts.iter().all(|part| self.holds(part)),
            Condition::Any(parts) => parts.iter().any(|part| self.holds(part)),
            Condition::Not(part) => !self.holds(part),
            Condition::Test { source, op } => {
                let text = self.read(*source).map(OutCell::plain).unwrap_or_default();
                match op {
                    Op::Empty => !self.is_written(*source),
                    Op::Valued => self.is_written(*source),
                    Op::Null => false,
                    Op::HasTime => {
                        base::DateTime::parse_hl7(text).is_ok_and(|time| time.has_time())
                    }
                    Op::HasNumber => text.trim().parse::<base::Decimal>().is_ok(),
                    Op::HasCheckDigit => crate::values::number::has_check_digit(text.trim()),
                    Op::HasWord(word) => text.to_ascii_uppercase().contains(&**word),
                    Op::In(values) => values.iter().any(|value| **value == *text),
                    Op::NotIn(values) => !values.iter().any(|value| **value == *text),
                    Op::Count(compare, number) => compare.holds(self.count(*source), *number),
                }
            }
        }
    }

    fn count(&self, source: Source) -> u32 {
        let Source::Field { segment, field, .. } = source else {
            return u32::from(self.is_written(source));
        };
        let found = self.find(segment).and_then(|at| self.segments.get(at));
        let repeats = found.and_then(|found| found.fields.get(usize::from(field).wrapping_sub(1)));
        let valued = repeats
            .into_iter()
            .flatten()
            .filter(|cell| !cell.is_empty());
        valued.count() as u32
    }
}
