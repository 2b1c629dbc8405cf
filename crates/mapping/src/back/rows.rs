//! Runs the rows of a body from the resource to the message.

use super::Back;
use super::out::{OutCell, OutScope, OutSegment};
use crate::program::{
    Body, Condition, Convert, EachRow, Hop, MapRow, Op, Over, Repeat, ResourceCondition,
    ResourceOp, Row, Source,
};
use crate::syntax::Place;
use fhir::build::Value;
use std::collections::HashSet;

/// Elements that rows of this body have taken: the element and the type map that took it.
type Claims = HashSet<(*const Value, Option<usize>)>;

// === impl Back ===

impl Back<'_> {
    pub(super) fn rows(&self, body: &Body, here: &Value, out: &mut OutScope<'_>) {
        let mut claims = Claims::new();
        for row in &body.rows {
            match row {
                Row::Map(row) if row.arrow.back() => {
                    self.map_row(body, row, here, out, &mut claims);
                }
                Row::Each(row) if row.arrow.back() => self.each_row(row, here, out, &mut claims),
                Row::Map(_) | Row::Each(_) | Row::Set(_) | Row::Drop(_) => {}
            }
        }
    }

    fn map_row(
        &self,
        body: &Body,
        row: &MapRow,
        here: &Value,
        out: &mut OutScope<'_>,
        claims: &mut Claims,
    ) {
        if let Convert::Authority { first, .. } = row.convert {
            return self.authority(row, first, here, out);
        }
        if let Some(place) = row.place {
            return Self::items(body, row, place, here, out);
        }
        let Some(first) = row.sources.first() else {
            return;
        };
        if out.is_written(*first) {
            return;
        }
        let base_hops = row.target.hops.get(..row.resource_base).unwrap_or_default();
        let each = matches!(
            first,
            Source::Field {
                repeat: Repeat::All,
                ..
            }
        );
        let mut repeat = 0;
        for leaf in elements(here, &row.target.hops) {
            let base = elements(here, base_hops).into_iter().next().unwrap_or(here);
            let base = if row.resource_base == row.target.hops.len() {
                leaf
            } else {
                base
            };
            let holds = row
                .when_resource
                .as_ref()
                .is_none_or(|when| resource_holds(when, base));
            let claim = (std::ptr::from_ref(leaf), type_of(row.convert));
            if !holds || claims.contains(&claim) {
                continue;
            }
            let Some(mut cell) = self.convert(row, leaf) else {
                continue;
            };
            if cell.is_empty() || !assign(row, &mut cell, out) {
                continue;
            }
            claims.insert(claim);
            repeat += 1;
            if row.convert == Convert::Lines {
                let text = leaf.as_str().unwrap_or_default();
                for (repeat, line) in (1..).zip(text.split('\n')) {
                    out.write(*first, repeat, OutCell::of(line));
                }
                break;
            }
            for source in &row.sources {
                out.write(*source, repeat, cell.clone());
            }
            if !each {
                break;
            }
        }
    }

    fn items(body: &Body, row: &MapRow, place: Place, here: &Value, out: &mut OutScope<'_>) {
        let Some(list) = elements(here, &row.target.hops).into_iter().next() else {
            return;
        };
        let Some(Value::Array(items)) = Some(list) else {
            return;
        };
        let text = |item: &Value| item.as_str().unwrap_or_default().to_owned();
        let text = match place {
            Place::At(at) => items.get(usize::from(at)).map(text).unwrap_or_default(),
            Place::Rest => {
                let taken = body.rows.iter().filter(|other| match other {
                    Row::Map(other) => {
                        matches!(other.place, Some(Place::At(_)))
                            && other.target.hops.last().map(Hop::name)
                                == row.target.hops.last().map(Hop::name)
                    }
                    Row::Set(_) | Row::Drop(_) | Row::Each(_) => false,
                });
                let rest: Vec<String> = items.iter().skip(taken.count()).map(text).collect();
                rest.join(" ")
            }
        };
        if let Some(source) = row.sources.first().filter(|_| !text.is_empty()) {
            out.write(*source, 1, OutCell::of(text));
        }
    }

    fn authority(&self, row: &MapRow, first: u8, here: &Value, out: &mut OutScope<'_>) {
        let depth = row.target.hops.len().saturating_sub(1);
        let parent_hops = row.target.hops.get(..depth).unwrap_or_default();
        let Some(parent) = elements(here, parent_hops).into_iter().next() else {
            return;
        };
        let uri = elements(here, &row.target.hops)
            .into_iter()
            .next()
            .and_then(Value::as_str);
        let name = parent
            .get("assigner")
            .and_then(|assigner| assigner.text("display"));
        let name = name.filter(|_| row.assigner.is_some());
        let (name, id, kind) = crate::values::authority::back(uri, name, &self.authorities);
        let mut cell = OutCell::default();
        for (n, text) in [(first, name), (first + 1, id), (first + 2, kind)] {
            if !text.is_empty() {
                cell.part_mut(n).text = text;
            }
        }
        if let Some(source) = row.sources.first().filter(|_| !cell.is_empty()) {
            out.write(*source, 1, cell);
        }
    }

    fn each_row(&self, row: &EachRow, here: &Value, out: &mut OutScope<'_>, claims: &mut Claims) {
        let found = elements(here, &row.target.hops);
        let many = found.len();
        let mut repeat = 0;
        for element in found {
            let holds = row
                .when_resource
                .as_ref()
                .is_none_or(|when| resource_holds(when, element));
            let claim = (std::ptr::from_ref(element), None);
            if !holds || !claims.insert(claim) {
                continue;
            }
            repeat += 1;
            match &row.over {
                Over::Repeats(source) => {
                    // One alone would be read by another row going forward.
                    if row
                        .when
                        .as_ref()
                        .is_some_and(|when| !counts(when, many as u32))
                    {
                        return;
                    }
                    let outer = std::mem::take(&mut out.cell);
                    self.rows(&row.body, element, out);
                    let cell = std::mem::replace(&mut out.cell, outer);
                    out.write(*source, repeat, cell);
                }
                Over::Segment(name) => {
                    let outer = out.current;
                    out.segments.push(OutSegment::new(*name));
                    out.current = Some(out.segments.len() - 1);
                    self.rows(&row.body, element, out);
                    out.current = outer;
                }
                Over::Groups(groups) => {
                    if let Some(group) = groups.get(usize::from(repeat) - 1) {
                        let mut inner = OutScope {
                            segments: std::mem::take(&mut out.segments),
                            current: out.current,
                            cell: std::mem::take(&mut out.cell),
                            members: group,
                        };
                        self.rows(&row.body, element, &mut inner);
                        out.segments = inner.segments;
                        out.cell = inner.cell;
                    }
                }
            }
        }
    }
}

/// Do the tests of a number of repeats hold for that many?
fn counts(when: &Condition, many: u32) -> bool {
    when.conjuncts().iter().all(|(_, op)| match op {
        Op::Count(compare, n) => compare.holds(many, *n),
        Op::Empty | Op::Valued | Op::HasTime | Op::In(_) | Op::NotIn(_) => true,
    })
}

fn type_of(convert: Convert) -> Option<usize> {
    match convert {
        Convert::Type { map, .. } => Some(map),
        _ => None,
    }
}

/// Everything that the hops lead to.
pub(super) fn elements<'v>(here: &'v Value, hops: &[Hop]) -> Vec<&'v Value> {
    let mut found = vec![here];
    for hop in hops {
        let mut next = Vec::new();
        for value in found {
            match hop {
                Hop::Field(name) => next.extend(value.get(name)),
                Hop::One(name, slice) => {
                    next.extend(value.each(name).find(|item| slice.holds(item)));
                }
                Hop::Many(name, slice) => {
                    next.extend(value.each(name).filter(|item| slice.holds(item)));
                }
            }
        }
        found = next;
    }
    found
}

/// Writes what the condition says must stand there; false if something else does.
fn assign(row: &MapRow, cell: &mut OutCell, out: &mut OutScope<'_>) -> bool {
    let Some(when) = &row.when else { return true };
    let conjuncts = when.conjuncts();
    let own = row.reads_field();
    let mut writes: Vec<(Source, String)> = Vec::new();
    for (source, op) in conjuncts {
        let Op::In(values) = op else {
            if !allows(row, *source, op, cell, out) {
                return false;
            }
            continue;
        };
        let relative = matches!(source, Source::Cell { .. } | Source::This);
        // The very source that the row writes is judged by what is written.
        let itself = row.sources.contains(source);
        let text = if itself {
            cell.plain().to_owned()
        } else if relative && own {
            let at = part_of(*source, cell);
            at.map(|cell| cell.plain().to_owned()).unwrap_or_default()
        } else {
            out.read(*source)
                .map(|cell| cell.plain().to_owned())
                .unwrap_or_default()
        };
        if text.is_empty() {
            if let Some(first) = values.first() {
                writes.push((*source, first.to_string()));
            }
        } else if !values.iter().any(|value| **value == text) {
            return false;
        }
    }
    for (source, text) in writes {
        match source {
            Source::Cell { component, sub } if own => {
                cell.part_mut(component)
                    .part_mut(sub)
                    .merge(OutCell::of(text));
            }
            other => out.write(other, 1, OutCell::of(text)),
        }
    }
    true
}

/// Can a test of emptiness or of other values still hold, as far as its place is written?
fn allows(row: &MapRow, source: Source, op: &Op, cell: &OutCell, out: &OutScope<'_>) -> bool {
    let relative = matches!(source, Source::Cell { .. } | Source::This);
    let at = if row.sources.contains(&source) {
        Some(cell)
    } else if relative && row.reads_field() {
        part_of(source, cell)
    } else {
        out.read(source)
    };
    let text = at.map(OutCell::plain).unwrap_or_default();
    match op {
        Op::Empty => text.is_empty(),
        Op::NotIn(values) => !values.iter().any(|value| **value == *text),
        Op::Valued | Op::HasTime | Op::Count(..) | Op::In(_) => true,
    }
}

fn part_of(source: Source, cell: &OutCell) -> Option<&OutCell> {
    match source {
        Source::Cell { component, sub } => cell.part(component)?.part(sub),
        Source::This => Some(cell),
        Source::Field { .. } | Source::Member(_) => None,
    }
}

/// Does the condition hold of the element?
pub(super) fn resource_holds(condition: &ResourceCondition, base: &Value) -> bool {
    match condition {
        ResourceCondition::All(parts) => parts.iter().all(|part| resource_holds(part, base)),
        ResourceCondition::Any(parts) => parts.iter().any(|part| resource_holds(part, base)),
        ResourceCondition::Not(part) => !resource_holds(part, base),
        ResourceCondition::Test { path, op } => {
            let found = elements(base, path);
            let has = |values: &[Box<str>]| {
                found
                    .iter()
                    .filter_map(|value| value.as_str())
                    .any(|text| values.iter().any(|value| **value == *text))
            };
            match op {
                ResourceOp::Absent => found.is_empty(),
                ResourceOp::Exists => !found.is_empty(),
                ResourceOp::In(values) => has(values),
                ResourceOp::NotIn(values) => !has(values),
                ResourceOp::Count(compare, number) => compare.holds(found.len() as u32, *number),
                ResourceOp::SameAs(other) => found
                    .first()
                    .is_some_and(|one| elements(base, other).first() == Some(one)),
            }
        }
    }
}
