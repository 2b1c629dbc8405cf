//! Equality and equivalence (FHIRPath N1 §Equality).

use super::Evaluator;
use super::order::{moment, number, quantity};
use crate::error::EvaluationError;
use crate::item::{Item, Items};
use fhir::json::{Kind, Node};

impl<'a> Evaluator<'_, 'a> {
    /// Evaluates `=` of collections: item by item, in order.
    pub(super) fn all_equal(
        &self,
        left: &[Item<'a>],
        right: &[Item<'a>],
    ) -> Result<Option<bool>, EvaluationError> {
        if left.is_empty() || right.is_empty() {
            return Ok(None);
        }
        if left.len() != right.len() {
            return Ok(Some(false));
        }
        let mut all_known = true;
        for (left, right) in left.iter().zip(right) {
            self.burn(1)?;
            match equal(left, right) {
                Some(true) => {}
                Some(false) => return Ok(Some(false)),
                None => all_known = false,
            }
        }
        Ok(all_known.then_some(true))
    }

    /// Evaluates `~` of collections: the same items in any order.
    pub(super) fn all_equivalent(
        &self,
        left: &[Item<'a>],
        right: &[Item<'a>],
    ) -> Result<bool, EvaluationError> {
        if left.len() != right.len() {
            return Ok(false);
        }
        let mut open: Vec<&Item<'a>> = right.iter().collect();
        for item in left {
            self.burn(open.len() as u64)?;
            let Some(place) = open.iter().position(|other| equivalent(item, other)) else {
                return Ok(false);
            };
            open.swap_remove(place);
        }
        Ok(true)
    }

    /// Returns whether the collection contains an equal item.
    pub(super) fn contains(
        &self,
        items: &[Item<'a>],
        item: &Item<'a>,
    ) -> Result<bool, EvaluationError> {
        self.burn(items.len() as u64)?;
        Ok(items.iter().any(|other| equal(other, item) == Some(true)))
    }

    /// Adds the items that are not yet present.
    pub(super) fn add_distinct(
        &self,
        items: Items<'a>,
        out: &mut Items<'a>,
    ) -> Result<(), EvaluationError> {
        for item in items {
            if !self.contains(out, &item)? {
                out.push(item);
            }
        }
        Ok(())
    }
}

/// Evaluates `=` of two items; `None` if precision or units leave it undecided.
pub(super) fn equal(left: &Item<'_>, right: &Item<'_>) -> Option<bool> {
    if let (Item::Element(a), Item::Element(b)) = (left, right) {
        if a.node() == b.node() {
            return Some(true);
        }
        if !a.has_value() && !b.has_value() {
            return match (left.value(), right.value()) {
                (Some(Item::Quantity(a)), Some(Item::Quantity(b))) => {
                    a.compare(&b).map(std::cmp::Ordering::is_eq)
                }
                _ => Some(same_tree(a.node(), b.node(), false)),
            };
        }
    }
    match (left.value(), right.value()) {
        (Some(left), Some(right)) => equal_values(&left, &right),
        _ => Some(false),
    }
}

fn equal_values(left: &Item<'_>, right: &Item<'_>) -> Option<bool> {
    match (left, right) {
        (Item::String(a), Item::String(b)) => Some(a == b),
        (Item::Boolean(a), Item::Boolean(b)) => Some(a == b),
        (Item::Integer(a), Item::Integer(b)) => Some(a == b),
        (Item::Type(a), Item::Type(b)) => Some(a == b),
        (Item::Time(a), Item::Time(b)) => a.compare(b).map(std::cmp::Ordering::is_eq),
        _ => {
            if let (Some(a), Some(b)) = (number(left), number(right)) {
                Some(a == b)
            } else if let (Some(a), Some(b)) = (moment(left), moment(right)) {
                a.compare(&b).map(std::cmp::Ordering::is_eq)
            } else if let (Some(a), Some(b)) = (quantity(left), quantity(right)) {
                a.compare(&b).map(std::cmp::Ordering::is_eq)
            } else {
                Some(false)
            }
        }
    }
}

/// Evaluates `~` of two items.
pub(super) fn equivalent(left: &Item<'_>, right: &Item<'_>) -> bool {
    let (Some(left_value), Some(right_value)) = (left.value(), right.value()) else {
        return match (left.element(), right.element()) {
            (Some(a), Some(b)) => same_tree(a.node(), b.node(), true),
            _ => false,
        };
    };
    match (&left_value, &right_value) {
        (Item::String(a), Item::String(b)) => same_words(a, b),
        (Item::Time(a), Item::Time(b)) => a.compare(b).is_some_and(std::cmp::Ordering::is_eq),
        (a, b) => {
            if let (Some(a), Some(b)) = (number(a), number(b)) {
                crate::number::is_equivalent(a, b)
            } else if let (Some(a), Some(b)) = (quantity(a), quantity(b)) {
                a.is_equivalent(&b)
            } else {
                equal_values(a, b) == Some(true)
            }
        }
    }
}

/// Compares text ignoring case and the kind of white space.
fn same_words(a: &str, b: &str) -> bool {
    let fold = |text: &str| -> String {
        let spaced = text
            .chars()
            .map(|c| if c.is_whitespace() { ' ' } else { c });
        spaced.flat_map(char::to_lowercase).collect()
    };
    a == b || fold(a) == fold(b)
}

/// Compares JSON, numbers by value, fields in any order; `loosely` compares text as `~` does.
fn same_tree(a: Node<'_>, b: Node<'_>, loosely: bool) -> bool {
    match (a.kind(), b.kind()) {
        (Kind::Object, Kind::Object) => {
            let same_field = |field: Node<'_>| {
                let other = field.name().and_then(|name| b.get(name));
                other.is_some_and(|other| same_tree(field, other, loosely))
            };
            a.len() == b.len() && a.fields().all(same_field)
        }
        (Kind::Array, Kind::Array) => {
            a.len() == b.len()
                && a.items()
                    .zip(b.items())
                    .all(|(a, b)| same_tree(a, b, loosely))
        }
        (Kind::String, Kind::String) => match (a.as_str(), b.as_str()) {
            (Some(a), Some(b)) if loosely => same_words(&a, &b),
            (a, b) => a == b,
        },
        (Kind::Number, Kind::Number) => {
            let value = |node: Node<'_>| node.number_text().and_then(crate::number::parse);
            value(a) == value(b)
        }
        (Kind::Bool, Kind::Bool) => a.as_bool() == b.as_bool(),
        (Kind::Null, Kind::Null) => true,
        _ => false,
    }
}
