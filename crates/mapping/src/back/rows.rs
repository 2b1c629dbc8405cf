//! Runs the rows of a body from the resource to the message.

use super::Back;
use super::out::OutCell;
use super::scope::OutScope;
use crate::program::{
    Body, Convert, Hop, MapRow, Op, ReferenceSpec, Repeat, ResourceCondition, ResourceOp, Row,
    Source,
};
use crate::syntax::Place;
use fhir::build::Value;
use std::collections::HashSet;

/// Elements that rows of this body have claimed: the element and the type map that claimed it.
pub(super) type Claims = HashSet<(*const Value, Option<usize>)>;

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
        constants(body, out);
    }

    /// Runs one row and returns whether it wrote something.
    pub(super) fn map_row(
        &self,
        body: &Body,
        row: &MapRow,
        here: &Value,
        out: &mut OutScope<'_>,
        claims: &mut Claims,
    ) -> bool {
        if let Convert::Authority { first, .. } = row.convert {
            return self.authority(row, first, here, out);
        }
        if let Some(place) = row.place {
            return Self::items(body, row, place, here, out);
        }
        let Some(first) = row.sources.first() else {
            return false;
        };
        // One line is not a text of lines if another row takes it.
        let is_line = |row: &MapRow| {
            let mut texts = elements(here, &row.target.hops).into_iter();
            texts.all(|text| !text.as_str().unwrap_or_default().contains('\n'))
        };
        if row.convert == Convert::Lines && is_line(row) && has_rival(body, row) {
            return false;
        }
        // A row that does not see all parts adds its own to what others wrote.
        if row.hidden == 0 && out.is_written(*first) {
            return false;
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
            let cell = match &row.reference {
                Some(spec) => self.referred(spec, leaf, out),
                None => self.convert(row, leaf),
            };
            let Some(mut cell) = cell else {
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
        0 < repeat
    }

    /// Returns the resource that a reference leads to, determined by its type map, then by the rows
    /// below.
    fn referred(
        &self,
        spec: &ReferenceSpec,
        leaf: &Value,
        out: &mut OutScope<'_>,
    ) -> Option<OutCell> {
        let resource = self.resolve(leaf.text("reference")?)?;
        if resource.resource_type() != Some(spec.resource_type) || !has_constants(spec, resource) {
            return None;
        }
        let cell = match spec.type_map {
            Some(map) => self.typed(map, resource)?,
            None => OutCell::default(),
        };
        let outer = std::mem::replace(&mut out.cell, cell);
        self.rows(&spec.body, resource, out);
        Some(std::mem::replace(&mut out.cell, outer))
    }

    fn items(
        body: &Body,
        row: &MapRow,
        place: Place,
        here: &Value,
        out: &mut OutScope<'_>,
    ) -> bool {
        let list = elements(here, &row.target.hops).into_iter().next();
        let Some(Value::Array(items)) = list else {
            return false;
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
        let Some(source) = row.sources.first().filter(|_| !text.is_empty()) else {
            return false;
        };
        out.write(*source, 1, OutCell::of(text));
        true
    }

    fn authority(&self, row: &MapRow, first: u8, here: &Value, out: &mut OutScope<'_>) -> bool {
        let depth = row.target.hops.len().saturating_sub(1);
        let parent_hops = row.target.hops.get(..depth).unwrap_or_default();
        let Some(parent) = elements(here, parent_hops).into_iter().next() else {
            return false;
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
        let Some(source) = row.sources.first().filter(|_| !cell.is_empty()) else {
            return false;
        };
        out.write(*source, 1, cell);
        true
    }
}

/// Returns whether another row takes the same element.
fn has_rival(body: &Body, own: &MapRow) -> bool {
    let names = |row: &MapRow| row.target.hops.iter().map(Hop::name).collect::<Vec<_>>();
    body.rows.iter().any(|row| match row {
        Row::Map(row) => row.id != own.id && row.arrow.back() && names(row) == names(own),
        Row::Set(_) | Row::Drop(_) | Row::Each(_) => false,
    })
}

/// Returns whether the resource has what the rows below always set.
fn has_constants(spec: &ReferenceSpec, resource: &Value) -> bool {
    spec.body.rows.iter().all(|row| match row {
        Row::Set(row) if row.when.is_none() => {
            let value = row.value.to_value();
            let found = elements(resource, &row.target.hops);
            found.into_iter().any(|element| *element == value)
        }
        Row::Set(_) | Row::Map(_) | Row::Drop(_) | Row::Each(_) => true,
    })
}

/// Writes the constants of a body into the empty places of segments that its rows made.
pub(super) fn constants(body: &Body, out: &mut OutScope<'_>) {
    for constant in &body.written {
        let when = constant.when.as_ref();
        let due = out.has_segment(constant.source)
            && !out.is_written(constant.source)
            && when.is_none_or(|when| out.holds(when));
        if due {
            out.write(constant.source, 1, OutCell::of(&*constant.value));
        }
    }
}

fn type_of(convert: Convert) -> Option<usize> {
    match convert {
        Convert::Type { map, .. } => Some(map),
        _ => None,
    }
}

/// Returns everything that the hops lead to.
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

/// Writes what the condition requires; returns false if something else is there.
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
        // The source that the row writes is judged by what is written.
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

/// Returns whether a test of emptiness or of other values can still hold, given what is written.
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
        // No null is written going back.
        Op::Null => false,
        Op::Valued
        | Op::HasTime
        | Op::HasNumber
        | Op::HasCheckDigit
        | Op::HasWord(_)
        | Op::Count(..)
        | Op::In(_) => true,
    }
}

fn part_of(source: Source, cell: &OutCell) -> Option<&OutCell> {
    match source {
        Source::Cell { component, sub } => cell.part(component)?.part(sub),
        Source::This => Some(cell),
        Source::Field { .. } | Source::Member(_) => None,
    }
}

/// Returns whether the condition holds for the element.
pub(crate) fn resource_holds(condition: &ResourceCondition, base: &Value) -> bool {
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
