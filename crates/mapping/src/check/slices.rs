//! Checks the slices of one list: an element may belong to only one of them.
//!
//! The data type of one row may write the values by which another row's elements are distinguished:
//! `identifier[*] : CX` makes an identifier of any type, so that a row on `identifier{type = SS}`
//! would write into it. See [`overwrites`].

mod overwrites;

use super::{Checker, source_text};
use crate::program::{Body, Discriminator, Hop, Literal, Row, RowId, Slice, Target};
use std::collections::BTreeMap;

/// A slice, its row and what distinguishes it.
struct Own<'p> {
    id: RowId,
    name: String,
    list: String,
    slice: &'p Slice,
}

// === impl Checker ===

impl Checker<'_> {
    pub(super) fn slices(&mut self) {
        let program = self.program;
        let mut by_type: BTreeMap<&str, Vec<Own<'_>>> = BTreeMap::new();
        for map in &program.segments {
            collect(&map.body, by_type.entry(map.body.fhir_type).or_default());
        }
        for own in by_type.into_values() {
            self.overlaps(&own);
        }
        for map in &program.types {
            let mut own = Vec::new();
            collect(&map.body, &mut own);
            self.overlaps(&own);
        }
    }

    fn overlaps(&mut self, all: &[Own<'_>]) {
        for (place, one) in all.iter().enumerate() {
            for other in all.iter().skip(place + 1) {
                if one.list != other.list {
                    continue;
                }
                if let Some(shared) = shared(&one.slice.discriminators, &other.slice.discriminators)
                {
                    let message = format!(
                        "slices of {} overlap: {} (line {}) and {} both take {shared}",
                        one.list,
                        one.name,
                        self.line(one.id),
                        other.name
                    );
                    self.error(other.id, message, "each value in one of them");
                }
            }
        }
    }
}

fn collect<'p>(body: &'p Body, found: &mut Vec<Own<'p>>) {
    for row in &body.rows {
        let (id, name, target) = match row {
            Row::Map(row) => {
                let name = row.sources.first().map(|source| source_text(*source));
                (row.id, name.unwrap_or_default(), &row.target)
            }
            Row::Each(row) => (row.id, "each".to_owned(), &row.target),
            Row::Set(row) => (row.id, "set".to_owned(), &row.target),
            Row::Drop(_) => continue,
        };
        found.extend(sliced(target).map(|(list, slice)| Own {
            id,
            name: name.clone(),
            list,
            slice,
        }));
    }
}

/// Returns the first sliced list on the row's path.
fn sliced(target: &Target) -> Option<(String, &Slice)> {
    let mut list = String::new();
    for hop in &target.hops {
        if !list.is_empty() {
            list.push('.');
        }
        list.push_str(hop.name());
        match hop {
            Hop::One(_, slice) | Hop::Many(_, slice) if !slice.discriminators.is_empty() => {
                return Some((list, slice));
            }
            Hop::Field(_) | Hop::One(..) | Hop::Many(..) => {}
        }
    }
    None
}

/// Returns what two slices that are distinguished by the same paths both take. Equal slices count
/// as one slice.
fn shared(one: &[Discriminator], other: &[Discriminator]) -> Option<String> {
    if one.len() != other.len() || same(one, other) {
        return None;
    }
    let mut first = None;
    for discriminator in one {
        let against = other
            .iter()
            .find(|other| other.path == discriminator.path)?;
        let value = discriminator
            .values
            .iter()
            .find(|value| against.values.contains(value));
        let taken = match value {
            Some(value) => words(value),
            None if discriminator.absent && against.absent => "none".to_owned(),
            None => return None,
        };
        first.get_or_insert(format!("{} {taken}", discriminator.path.join(".")));
    }
    first
}

fn same(one: &[Discriminator], other: &[Discriminator]) -> bool {
    one.iter().zip(other).all(|(one, other)| {
        one.path == other.path && one.values == other.values && one.absent == other.absent
    })
}

fn words(value: &Literal) -> String {
    match value {
        Literal::Text(text) | Literal::Number(text) => text.to_string(),
        Literal::Bool(truth) => truth.to_string(),
        Literal::Coding { code, .. } | Literal::Concept { code, .. } => code.to_string(),
        Literal::Absent => "none".to_owned(),
    }
}
