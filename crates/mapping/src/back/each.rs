//! Runs `each` back: an element becomes a repeat, a segment, several segments with one key, or a
//! group of components.

use super::Back;
use super::out::{OutCell, OutSegment};
use super::rows::{Claims, constants, elements, resource_holds};
use super::scope::OutScope;
use crate::program::{Condition, EachRow, Op, Over, Row, SegmentName, Source};
use fhir::build::Value;

// === impl Back ===

impl Back<'_> {
    pub(super) fn each_row(
        &self,
        row: &EachRow,
        here: &Value,
        out: &mut OutScope<'_>,
        claims: &mut Claims,
    ) {
        let found = elements(here, &row.target.hops);
        let many = found.len();
        let mut repeat = 0;
        for element in found {
            let holds = row
                .when_resource
                .as_ref()
                .is_none_or(|when| resource_holds(when, element));
            let claim = (std::ptr::from_ref(element), None);
            if !holds || claims.contains(&claim) {
                continue;
            }
            let done = match (&row.over, row.by) {
                (Over::Repeats(source), _) => {
                    // A single one would be read by another row going forward.
                    if !row
                        .when
                        .as_ref()
                        .is_none_or(|when| counts(when, many as u32))
                    {
                        return;
                    }
                    self.repeat(row, *source, repeat + 1, element, out)
                }
                (Over::Segment(name), None) => self.segment(row, *name, element, out),
                (Over::Segment(name), Some(by)) => self.grouped(row, (*name, by), element, out),
                (Over::Groups(groups), _) => {
                    let group = groups.get(usize::from(repeat));
                    group.is_some_and(|group| self.group(row, group, element, out))
                }
            };
            if done {
                repeat += 1;
                claims.insert(claim);
            }
        }
    }

    fn repeat(
        &self,
        row: &EachRow,
        source: Source,
        repeat: u16,
        element: &Value,
        out: &mut OutScope<'_>,
    ) -> bool {
        let outer = std::mem::take(&mut out.cell);
        self.rows(&row.body, element, out);
        let fits = !out.cell.is_empty() && satisfy(row.filter.as_ref(), out);
        let cell = std::mem::replace(&mut out.cell, outer);
        if fits {
            out.write(source, repeat, cell);
        }
        fits
    }

    fn segment(
        &self,
        row: &EachRow,
        name: SegmentName,
        element: &Value,
        out: &mut OutScope<'_>,
    ) -> bool {
        let before = out.segments.len();
        let outer = out.current.replace(before);
        out.segments.push(OutSegment::new(name));
        self.rows(&row.body, element, out);
        let fits =
            out.at_hand().is_some_and(|own| !own.is_empty()) && satisfy(row.filter.as_ref(), out);
        if fits {
            constants(&row.body, out);
        } else {
            out.segments.truncate(before);
        }
        out.current = outer;
        fits
    }

    /// Writes the segments that make up one element: rows whose conditions agree share a segment,
    /// and all segments have the same new key.
    fn grouped(
        &self,
        row: &EachRow,
        (name, by): (SegmentName, Source),
        element: &Value,
        out: &mut OutScope<'_>,
    ) -> bool {
        let before = out.segments.len();
        let outer = out.current;
        let key = out.next_number(by);
        let mut claims = Claims::new();
        for own in &row.body.rows {
            let Row::Map(own) = own else { continue };
            if !own.arrow.back() {
                continue;
            }
            let mut line = before;
            while line < out.segments.len() {
                out.current = Some(line);
                if self.map_row(&row.body, own, element, out, &mut claims) {
                    break;
                }
                line += 1;
            }
            if line == out.segments.len() {
                out.segments.push(OutSegment::new(name));
                out.current = Some(line);
                if !self.map_row(&row.body, own, element, out, &mut claims) {
                    out.segments.truncate(line);
                }
            }
        }
        let mut fits = before < out.segments.len();
        for line in before..out.segments.len() {
            out.current = Some(line);
            fits &= satisfy(row.filter.as_ref(), out);
            constants(&row.body, out);
            out.write(by, 1, OutCell::of(key.to_string()));
        }
        if !fits {
            out.segments.truncate(before);
        }
        out.current = outer;
        fits
    }

    fn group(
        &self,
        row: &EachRow,
        group: &[Source],
        element: &Value,
        out: &mut OutScope<'_>,
    ) -> bool {
        let mut inner = OutScope {
            segments: std::mem::take(&mut out.segments),
            current: out.current,
            cell: std::mem::take(&mut out.cell),
            members: group,
        };
        self.rows(&row.body, element, &mut inner);
        out.segments = inner.segments;
        out.cell = inner.cell;
        true
    }
}

/// Writes what `where` requires; returns false if something else is there.
fn satisfy(filter: Option<&Condition>, out: &mut OutScope<'_>) -> bool {
    let Some(filter) = filter else { return true };
    for (source, op) in filter.conjuncts() {
        if let Op::In(values) = op
            && let Some(first) = values.first()
            && !out.is_written(*source)
        {
            out.write(*source, 1, OutCell::of(&**first));
        }
    }
    out.holds(filter)
}

/// Returns whether the tests of a number of repeats hold for that many.
fn counts(when: &Condition, many: u32) -> bool {
    when.conjuncts().iter().all(|(_, op)| match op {
        Op::Count(compare, n) => compare.holds(many, *n),
        Op::Empty
        | Op::Valued
        | Op::Null
        | Op::HasTime
        | Op::HasNumber
        | Op::HasCheckDigit
        | Op::HasWord(_)
        | Op::In(_)
        | Op::NotIn(_) => true,
    })
}
