//! Checks for rows that claim one another's elements, and for rows that cannot run back.

use super::{Checker, absolute, source_text};
use crate::program::{Body, Condition, Convert, Hop, MapRow, Op, Row, Source};

// === impl Checker ===

impl Checker<'_> {
    pub(super) fn inverse(&mut self) {
        let program = self.program;
        let bodies = program.segments.iter().map(|map| &map.body);
        for body in bodies.chain(program.types.iter().map(|map| &map.body)) {
            self.body(body);
        }
    }

    fn body(&mut self, body: &Body) {
        let rows: Vec<&MapRow> = body
            .rows
            .iter()
            .filter_map(|row| match row {
                Row::Map(row) => Some(row),
                Row::Set(_) | Row::Drop(_) | Row::Each(_) => None,
            })
            .collect();
        for (place, row) in rows.iter().enumerate() {
            if row.arrow.back() {
                self.one_way(row);
            }
            for other in rows.iter().skip(place + 1) {
                self.pair(row, other);
            }
        }
        for row in &body.rows {
            if let Row::Each(row) = row {
                self.body(&row.body);
            }
        }
        for reference in rows.iter().filter_map(|row| row.reference.as_ref()) {
            self.body(&reference.body);
        }
    }

    fn one_way(&mut self, row: &MapRow) {
        let name = match row.convert {
            Convert::Phone => "phone",
            Convert::Place => "place",
            Convert::Names => "names",
            Convert::Media => "media",
            Convert::Content => "content",
            Convert::Readable => "readable",
            Convert::Comparator => "comparator",
            Convert::Compared => "comparand",
            Convert::Endpoint => "endpoint",
            Convert::Function(place) => {
                let function = self.program.functions.get(place);
                if let Some(function) = function.filter(|function| function.back.is_none()) {
                    let message =
                        format!("cannot run back: function {} has no `back`", function.name);
                    self.error(
                        row.id,
                        message,
                        "-> on this row, or: back \"…\" after its script",
                    );
                }
                return;
            }
            _ => return,
        };
        self.error(
            row.id,
            format!("cannot run back: {name} only goes forward"),
            "-> on this row",
        );
    }

    fn pair(&mut self, one: &MapRow, other: &MapRow) {
        let is_same = places(one) == places(other) && one.place == other.place;
        if !is_same || one.sources == other.sources && one.convert == other.convert {
            return;
        }
        let into_new = matches!(one.target.hops.last(), Some(Hop::Many(..)));
        let both_back = one.arrow.back() && other.arrow.back();
        // Several lines are distinguished from one line.
        let lines = [one, other].map(|row| row.convert == Convert::Lines);
        let apart_back = one.when_resource.is_some()
            || other.when_resource.is_some()
            || lines.contains(&true) && lines.contains(&false);
        let parts = type_map(one) != type_map(other) && type_map(one).is_some();
        let line = self.line(one.id);
        let last = one.target.hops.last().map_or("this", Hop::name);
        let names = |row: &MapRow| {
            row.sources
                .first()
                .map(|source| source_text(*source))
                .unwrap_or_default()
        };
        if both_back && !apart_back && !parts && one.sources != other.sources {
            let message = format!(
                "cannot run back: {} (line {line}) and {} both take {last}.",
                names(one),
                names(other)
            );
            self.error(other.id, message, "-> on one, or tell them apart");
            return;
        }
        let both_forward = one.arrow.forward() && other.arrow.forward();
        if both_forward && !into_new && !parts && !exclude(one, other) && one.place.is_none() {
            let message = format!(
                "{} (line {line}) and {} can both write {last}; the later one wins",
                names(one),
                names(other)
            );
            self.warning(other.id, message);
        }
    }
}

fn type_map(row: &MapRow) -> Option<usize> {
    match row.convert {
        Convert::Type { map, .. } => Some(map),
        _ => None,
    }
}

fn places(row: &MapRow) -> String {
    format!("{:?}", row.target.hops)
}

/// Returns whether the rows' conditions can never hold together. True only if that is evident.
pub(super) fn exclude(one: &MapRow, other: &MapRow) -> bool {
    let (Some(first), Some(second)) = (&one.when, &other.when) else {
        return same_source_splits(one, other);
    };
    let tests = |row: &MapRow, when: &Condition| -> Vec<(Source, Op)> {
        let conjuncts = when.conjuncts().into_iter();
        conjuncts
            .map(|(source, op)| (own_place(row, *source), op.clone()))
            .collect()
    };
    let (first, second) = (tests(one, first), tests(other, second));
    if first.is_empty() || second.is_empty() {
        return true; // `or` and `not` are not judged
    }
    first.iter().any(|(source, op)| {
        second
            .iter()
            .any(|(other, against)| source == other && contradict(op, against))
    })
}

/// Returns whether one row on a field has a condition and the other has none: the later one is a
/// refinement.
fn same_source_splits(one: &MapRow, other: &MapRow) -> bool {
    one.sources == other.sources && (one.when.is_some() || other.when.is_some())
}

fn own_place(row: &MapRow, source: Source) -> Source {
    row.sources
        .first()
        .map_or(source, |own| absolute(*own, source))
}

fn contradict(one: &Op, other: &Op) -> bool {
    let disjoint = |a: &[Box<str>], b: &[Box<str>]| !a.iter().any(|value| b.contains(value));
    match (one, other) {
        (Op::Empty, Op::Valued | Op::In(_) | Op::HasTime | Op::HasNumber | Op::HasCheckDigit)
        | (Op::Valued | Op::In(_) | Op::HasTime | Op::HasNumber | Op::HasCheckDigit, Op::Empty) => {
            true
        }
        (Op::In(a), Op::In(b)) => disjoint(a, b),
        (Op::In(a), Op::NotIn(b)) | (Op::NotIn(b), Op::In(a)) => {
            a.iter().all(|value| b.contains(value))
        }
        (Op::Count(a, n), Op::Count(b, m)) => {
            !(0..=100).any(|count| a.holds(count, *n) && b.holds(count, *m))
        }
        _ => false,
    }
}
