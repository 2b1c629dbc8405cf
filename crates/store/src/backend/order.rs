//! The order of results.

use crate::backend::plan::{After, Hit, OrderBy, SortKey, SortValue};
use std::cmp::Ordering;

/// Compares two hits by their sort keys, then by number, which follows the direction of the first
/// key.
pub(crate) fn compare(order: &[OrderBy], a: &Hit, b: &Hit) -> Ordering {
    compare_parts(order, (&a.keys, a.res), (&b.keys, b.res))
}

/// Returns true if the hit lies after the end of the previous page.
pub(crate) fn is_after(order: &[OrderBy], hit: &Hit, after: &After) -> bool {
    compare_parts(order, (&hit.keys, hit.res), (&after.keys, after.res)).is_gt()
}

fn compare_parts(order: &[OrderBy], a: (&[SortKey], i64), b: (&[SortKey], i64)) -> Ordering {
    let keys = order.iter().zip(a.0.iter().zip(b.0));
    let by_keys = keys
        .map(|(by, (left, right))| compare_keys(left, right, by.descending))
        .find(|ordering| ordering.is_ne())
        .unwrap_or(Ordering::Equal);
    by_keys.then_with(|| directed(a.1.cmp(&b.1), order.first().is_some_and(|by| by.descending)))
}

fn compare_keys(a: &SortKey, b: &SortKey, descending: bool) -> Ordering {
    match (a, b) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(a), Some(b)) => directed(compare_values(a, b), descending),
    }
}

/// Compares two values of one sort key.
pub(crate) fn compare_values(a: &SortValue, b: &SortValue) -> Ordering {
    match (a, b) {
        (SortValue::Number(a), SortValue::Number(b)) => a.cmp(b),
        (SortValue::Id(a), SortValue::Id(b)) => a.cmp(b),
        (SortValue::Value(a), SortValue::Value(b)) => a.cmp(b),
        // A sort key has only one kind of value; a forged cursor may claim otherwise.
        (SortValue::Number(_), _) | (SortValue::Id(_), SortValue::Value(_)) => Ordering::Less,
        (SortValue::Id(_) | SortValue::Value(_), _) => Ordering::Greater,
    }
}

fn directed(ordering: Ordering, descending: bool) -> Ordering {
    if descending {
        ordering.reverse()
    } else {
        ordering
    }
}
