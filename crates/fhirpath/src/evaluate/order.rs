//! Ordering of values (FHIRPath N1 §Comparison).

use crate::error::EvaluationError;
use crate::item::Item;
use crate::quantity::Quantity;
use crate::temporal::DateTime;
use rust_decimal::Decimal;
use std::cmp::Ordering;

/// Returns less, equal, greater, or unknown; values without an order between them are an error.
pub(super) fn compare(
    left: &Item<'_>,
    right: &Item<'_>,
    name: &'static str,
) -> Result<Option<Ordering>, EvaluationError> {
    Ok(match (left, right) {
        (Item::Integer(a), Item::Integer(b)) => Some(a.cmp(b)),
        (Item::String(a), Item::String(b)) => Some(a.cmp(b)),
        (Item::Time(a), Item::Time(b)) => a.compare(b),
        _ => {
            if let (Some(a), Some(b)) = (number(left), number(right)) {
                Some(a.cmp(&b))
            } else if let (Some(a), Some(b)) = (moment(left), moment(right)) {
                a.compare(&b)
            } else if let (Some(a), Some(b)) = (quantity(left), quantity(right)) {
                a.compare(&b)
            } else {
                return Err(EvaluationError::WrongType(name));
            }
        }
    })
}

/// Returns an integer or decimal.
pub(super) fn number(item: &Item<'_>) -> Option<Decimal> {
    match item {
        Item::Integer(integer) => Some(Decimal::from(*integer)),
        Item::Decimal(decimal) => Some(*decimal),
        _ => None,
    }
}

/// Returns a date, or a date and time.
pub(super) fn moment(item: &Item<'_>) -> Option<DateTime> {
    match item {
        Item::Date(date) => Some(DateTime::from(*date)),
        Item::DateTime(date_time) => Some(*date_time),
        _ => None,
    }
}

/// Returns a quantity, or a number as one.
pub(super) fn quantity(item: &Item<'_>) -> Option<Quantity> {
    match item {
        Item::Quantity(quantity) => Some(Quantity::clone(quantity)),
        item => number(item).map(Quantity::number),
    }
}
