//! `lowBoundary`, `highBoundary`, `precision` and `comparable`.

use super::{Evaluator, Scope};
use crate::error::EvaluationError;
use crate::function::Function as F;
use crate::item::{Item, Items};
use crate::number;
use crate::program::Call;
use rust_decimal::Decimal;

/// Maximum number of digits after the decimal point.
const MAX_SCALE: i32 = 28;
/// Default number of digits in a decimal's boundary.
const DEFAULT_SCALE: i32 = 8;

impl<'a> Evaluator<'_, 'a> {
    pub(super) fn precision(
        &self,
        call: &'a Call,
        scope: Scope<'_, 'a>,
        out: &mut Items<'a>,
    ) -> Result<(), EvaluationError> {
        let name = call.function.name();
        let Some(value) = self.value(&call.input, scope, name)? else {
            return Ok(());
        };
        if call.function == F::Comparable {
            let Some(argument) = call.arguments.first() else {
                return Ok(());
            };
            let Some(other) = self.value(argument, scope, name)? else {
                return Ok(());
            };
            let (Item::Quantity(a), Item::Quantity(b)) = (&value, &other) else {
                return Err(EvaluationError::WrongType(name));
            };
            out.push(Item::Boolean(a.is_comparable(b)));
            return Ok(());
        }
        let digits = match call.arguments.first() {
            Some(digits) => self.integer(digits, scope, name)?,
            None => None,
        };
        let result = match call.function {
            F::Precision => precision(&value).map(|n_digits| Item::Integer(n_digits.into())),
            function => boundary(&value, digits, function == F::LowBoundary),
        };
        out.extend(result);
        Ok(())
    }
}

fn precision(value: &Item<'_>) -> Option<u8> {
    match value {
        Item::Integer(_) => Some(0),
        Item::Decimal(decimal) => u8::try_from(decimal.scale()).ok(),
        Item::Date(date) => Some(date.n_digits()),
        Item::DateTime(date_time) => Some(date_time.n_digits()),
        Item::Time(time) => Some(time.n_digits()),
        _ => None,
    }
}

fn boundary<'a>(value: &Item<'a>, digits: Option<i32>, low: bool) -> Option<Item<'a>> {
    match value {
        Item::Integer(_) | Item::Decimal(_) => {
            let decimal = super::order::number(value)?;
            decimal_boundary(decimal, digits, low).map(Item::Decimal)
        }
        Item::Quantity(quantity) => {
            let value = decimal_boundary(quantity.value(), digits, low)?;
            Some(Item::Quantity(Box::new(quantity.with_value(value))))
        }
        Item::Date(date) => {
            let digits = digits.unwrap_or(8);
            let found = if low {
                date.low_boundary(digits)
            } else {
                date.high_boundary(digits)
            };
            found.map(Item::Date)
        }
        Item::DateTime(at) => {
            let digits = digits.unwrap_or(17);
            let found = if low {
                at.low_boundary(digits)
            } else {
                at.high_boundary(digits)
            };
            found.map(Item::DateTime)
        }
        Item::Time(time) => {
            let digits = digits.unwrap_or(9);
            let found = if low {
                time.low_boundary(digits)
            } else {
                time.high_boundary(digits)
            };
            found.map(Item::Time)
        }
        _ => None,
    }
}

/// Returns the value half a unit of the last digit below or above. If fewer digits are requested
/// than that needs, the official suite truncates a boundary towards zero and rounds one away from
/// it.
fn decimal_boundary(value: Decimal, digits: Option<i32>, low: bool) -> Option<Decimal> {
    let digits = digits.unwrap_or(DEFAULT_SCALE);
    let scale = u32::try_from(digits).ok().filter(|_| digits <= MAX_SCALE)?;
    let half = Decimal::try_from_i128_with_scale(5, value.scale().checked_add(1)?).ok()?;
    let edge = if low {
        value.checked_sub(half)?
    } else {
        value.checked_add(half)?
    };
    let is_towards_zero = low != value.is_sign_negative();
    let mut edge = if is_towards_zero {
        edge.trunc_with_scale(scale)
    } else {
        number::round(edge, scale)
    };
    edge.rescale(scale);
    Some(edge)
}
