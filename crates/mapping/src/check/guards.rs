//! Checks the guards of the rows on one field: together they should leave no case out.
//!
//! The guards are tried on every case that they distinguish: for each place that they test, every
//! value that they name, one other value, and none. If there are too many cases, nothing is
//! reported.

use super::{Checker, absolute, source_text};
use crate::program::{Body, Condition, Op, Over, Row, RowId, SegmentName, Source};
use std::collections::BTreeMap;

const MAX_CASES: usize = 20_000;

/// A row that takes a field if all of its conditions hold.
#[derive(Clone)]
struct GuardedRow<'p> {
    id: RowId,
    /// The source that `.n` in its conditions refers to.
    source: Source,
    guards: Vec<&'p Condition>,
}

/// A value that a test can distinguish from others.
#[derive(Clone, Debug, PartialEq, Eq)]
enum CaseValue<'p> {
    None,
    Named(&'p str),
    Other,
    /// The value contains a time of day.
    Timed,
    Number,
    Checked,
    Worded(&'p str),
    Many(u32),
}

/// A place that guards test, with the values that they distinguish. Counts are places of their own.
struct Tested<'p> {
    source: Source,
    counts: bool,
    values: Vec<CaseValue<'p>>,
}

// === impl Checker ===

impl Checker<'_> {
    /// Reports fields whose rows are all guarded and may all be skipped.
    pub(super) fn guards(&mut self) {
        let program = self.program;
        let mut fields: BTreeMap<(SegmentName, u16), Vec<GuardedRow<'_>>> = BTreeMap::new();
        for map in &program.segments {
            guarded_rows(&map.body, &[], &mut fields);
        }
        for ((segment, field), guarded) in fields {
            if guarded
                .iter()
                .any(|guarded_row| guarded_row.guards.is_empty())
            {
                continue;
            }
            let whole = Source::Field {
                segment,
                field,
                repeat: crate::program::Repeat::At(1),
                component: 0,
                sub: 0,
            };
            let tested = tested(&guarded, whole);
            let Some(case) = uncovered_case(&guarded, &tested, whole) else {
                continue;
            };
            if let Some(first) = guarded.first() {
                let message = format!("no row takes {} where {case}", source_text(whole));
                self.warning(first.id, message);
            }
        }
    }
}

fn guarded_rows<'p>(
    body: &'p Body,
    around: &[&'p Condition],
    fields: &mut BTreeMap<(SegmentName, u16), Vec<GuardedRow<'p>>>,
) {
    for row in &body.rows {
        if let Row::Map(row) = row
            && let Some(reference) = &row.reference
        {
            let mut inner = around.to_vec();
            inner.extend(row.when.as_ref());
            guarded_rows(&reference.body, &inner, fields);
        }
        let (id, sources, when) = match row {
            Row::Map(row) if row.arrow.forward() => (row.id, row.sources.clone(), &row.when),
            Row::Drop(row) => (row.id, vec![row.source], &row.when),
            Row::Each(row) => {
                let mut inner = around.to_vec();
                inner.extend(row.when.as_ref());
                inner.extend(row.filter.as_ref());
                let own = match &row.over {
                    // Rows within a repeat are checked by themselves.
                    Over::Repeats(source) => vec![*source],
                    Over::Segment(_) => {
                        guarded_rows(&row.body, &inner, fields);
                        Vec::new()
                    }
                    Over::Groups(_) => Vec::new(),
                };
                for source in own.into_iter().chain(row.by) {
                    note(fields, (row.id, source), inner.clone());
                }
                continue;
            }
            Row::Map(_) | Row::Set(_) => continue,
        };
        for source in sources {
            let mut guards = around.to_vec();
            guards.extend(when.as_ref());
            note(fields, (id, source), guards);
        }
    }
}

fn note<'p>(
    fields: &mut BTreeMap<(SegmentName, u16), Vec<GuardedRow<'p>>>,
    (id, source): (RowId, Source),
    guards: Vec<&'p Condition>,
) {
    if let Source::Field { segment, field, .. } = source {
        let guarded_row = GuardedRow { id, source, guards };
        fields
            .entry((segment, field))
            .or_default()
            .push(guarded_row);
    }
}

/// Returns the places that the guards test. The field itself is never empty: it is there to be
/// taken.
fn tested<'p>(guarded: &[GuardedRow<'p>], whole: Source) -> Vec<Tested<'p>> {
    let mut found: Vec<Tested<'p>> = Vec::new();
    for guarded_row in guarded {
        for guard in &guarded_row.guards {
            collect(guard, guarded_row.source, &mut found);
        }
    }
    for place in &mut found {
        if place.source == whole && !place.counts {
            place.values.retain(|value| *value != CaseValue::None);
        }
    }
    found
}

fn collect<'p>(condition: &'p Condition, own: Source, found: &mut Vec<Tested<'p>>) {
    let (source, op) = match condition {
        Condition::Is(_) => return,
        Condition::All(parts) | Condition::Any(parts) => {
            return parts.iter().for_each(|part| collect(part, own, found));
        }
        Condition::Not(part) => return collect(part, own, found),
        Condition::Test { source, op } => (absolute(own, *source), op),
    };
    let counts = matches!(op, Op::Count(..));
    let known = found
        .iter()
        .position(|place| place.source == source && place.counts == counts);
    let at = known.unwrap_or_else(|| {
        found.push(Tested {
            source,
            counts,
            values: if counts {
                vec![CaseValue::Many(1)]
            } else {
                vec![CaseValue::None, CaseValue::Other]
            },
        });
        found.len() - 1
    });
    let Some(place) = found.get_mut(at) else {
        return;
    };
    let mut add = |value: CaseValue<'p>| {
        if !place.values.contains(&value) {
            place.values.push(value);
        }
    };
    match op {
        Op::In(values) | Op::NotIn(values) => {
            for value in values {
                add(CaseValue::Named(value));
            }
        }
        Op::HasTime => add(CaseValue::Timed),
        Op::HasNumber => add(CaseValue::Number),
        Op::HasCheckDigit => add(CaseValue::Checked),
        Op::HasWord(word) => add(CaseValue::Worded(word)),
        Op::Count(_, number) => {
            for many in number.saturating_sub(1).max(1)..=number + 1 {
                add(CaseValue::Many(many));
            }
        }
        Op::Empty | Op::Valued | Op::Null => {}
    }
}

/// Describes the first case in which no row takes the field.
fn uncovered_case(
    guarded: &[GuardedRow<'_>],
    tested: &[Tested<'_>],
    whole: Source,
) -> Option<String> {
    let n_cases = tested.iter().try_fold(1_usize, |all, place| {
        all.checked_mul(place.values.len())
            .filter(|all| *all <= MAX_CASES)
    })?;
    for number in 0..n_cases {
        let case = case(tested, number);
        if is_covered(guarded, tested, &case) {
            continue;
        }
        return Some(words(guarded, tested, &case, whole));
    }
    None
}

/// Returns the values of one case: its number, read as digits whose base is the number of values of
/// each place.
fn case<'p>(tested: &[Tested<'p>], mut number: usize) -> Vec<CaseValue<'p>> {
    let mut values = Vec::new();
    for place in tested {
        let n_values = place.values.len().max(1);
        values.extend(place.values.get(number % n_values).cloned());
        number /= n_values;
    }
    values
}

fn is_covered(guarded: &[GuardedRow<'_>], tested: &[Tested<'_>], case: &[CaseValue<'_>]) -> bool {
    guarded.iter().any(|guarded_row| {
        let mut guards = guarded_row.guards.iter();
        guards.all(|guard| holds(guard, guarded_row.source, tested, case))
    })
}

fn holds(
    condition: &Condition,
    own: Source,
    tested: &[Tested<'_>],
    case: &[CaseValue<'_>],
) -> bool {
    match condition {
        Condition::Is(truth) => *truth,
        Condition::All(parts) => parts.iter().all(|part| holds(part, own, tested, case)),
        Condition::Any(parts) => parts.iter().any(|part| holds(part, own, tested, case)),
        Condition::Not(part) => !holds(part, own, tested, case),
        Condition::Test { source, op } => {
            let source = absolute(own, *source);
            let counts = matches!(op, Op::Count(..));
            let at = tested
                .iter()
                .position(|place| place.source == source && place.counts == counts);
            at.and_then(|at| case.get(at))
                .is_some_and(|value| matches(op, value))
        }
    }
}

fn matches(op: &Op, value: &CaseValue<'_>) -> bool {
    let named = |values: &[Box<str>]| match value {
        CaseValue::Named(own) => values.iter().any(|value| **value == **own),
        CaseValue::None
        | CaseValue::Other
        | CaseValue::Timed
        | CaseValue::Number
        | CaseValue::Checked
        | CaseValue::Worded(_)
        | CaseValue::Many(_) => false,
    };
    match op {
        Op::Empty => *value == CaseValue::None,
        Op::Valued => *value != CaseValue::None,
        // No case here contains a null.
        Op::Null => false,
        Op::HasTime => *value == CaseValue::Timed,
        Op::HasNumber => *value == CaseValue::Number,
        Op::HasCheckDigit => *value == CaseValue::Checked,
        Op::HasWord(word) => *value == CaseValue::Worded(word),
        Op::In(values) => named(values),
        Op::NotIn(values) => !named(values),
        Op::Count(compare, number) => match value {
            CaseValue::Many(many) => compare.holds(*many, *number),
            CaseValue::None
            | CaseValue::Named(_)
            | CaseValue::Other
            | CaseValue::Timed
            | CaseValue::Number
            | CaseValue::Checked
            | CaseValue::Worded(_) => false,
        },
    }
}

/// Describes only what matters: a place is skipped if none of its values leads to a row.
fn words(
    guarded: &[GuardedRow<'_>],
    tested: &[Tested<'_>],
    case: &[CaseValue<'_>],
    whole: Source,
) -> String {
    let mut said = Vec::new();
    for (at, (place, value)) in tested.iter().zip(case).enumerate() {
        let matters = place.values.iter().any(|other| {
            let mut case = case.to_vec();
            if let Some(own) = case.get_mut(at) {
                own.clone_from(other);
            }
            is_covered(guarded, tested, &case)
        });
        if matters {
            let name = if place.source == whole {
                "it".to_owned()
            } else {
                source_text(place.source)
            };
            said.push(match value {
                CaseValue::None => format!("{name} is empty"),
                CaseValue::Named(value) => format!("{name} is {value}"),
                CaseValue::Other => format!("{name} is another value"),
                CaseValue::Number => format!("{name} is a number"),
                CaseValue::Checked => format!("{name} has a check digit"),
                CaseValue::Worded(word) => format!("{name} has the word {word}"),
                CaseValue::Timed => format!("{name} has a time"),
                CaseValue::Many(many) => format!("{name} occurs {many} times"),
            });
        }
    }
    if said.is_empty() {
        return "it has any value: the conditions never hold".to_owned();
    }
    said.join(" and ")
}
