//! Operators that compute a value (FHIRPath N1 §Math, §Date/Time Arithmetic).
//!
//! Overflow, underflow and division by zero give an empty result.

use super::order::number;
use super::{Evaluator, Scope, Single};
use crate::ast::Arithmetic;
use crate::error::EvaluationError;
use crate::item::Item;
use crate::number::to_integer;
use crate::program::Op;
use crate::quantity::Quantity;
use rust_decimal::Decimal;
use std::borrow::Cow;

impl<'a> Evaluator<'_, 'a> {
    pub(super) fn arithmetic(
        &self,
        operator: Arithmetic,
        left: &'a Op,
        right: &'a Op,
        scope: Scope<'_, 'a>,
    ) -> Single<'a> {
        let name = operator.symbol();
        if operator == Arithmetic::Concatenate {
            let left = self.text(left, scope, name)?.unwrap_or_default();
            let right = self.text(right, scope, name)?.unwrap_or_default();
            self.burn_bytes(left.len() + right.len())?;
            return Ok(Some(Item::String(Cow::Owned(format!("{left}{right}")))));
        }
        let left = self.value(left, scope, name)?;
        let right = self.value(right, scope, name)?;
        let (Some(left), Some(right)) = (left, right) else {
            return Ok(None);
        };
        if let (Item::String(left), Item::String(right)) = (&left, &right) {
            self.burn_bytes(left.len() + right.len())?;
        }
        match operator {
            Arithmetic::Add => add(left, right, name),
            Arithmetic::Subtract => match negated(&right) {
                Some(right) => add(left, right, name),
                None => Err(EvaluationError::WrongType(name)),
            },
            Arithmetic::Multiply => multiply(&left, &right, name),
            Arithmetic::Divide => divide(&left, &right, name),
            Arithmetic::Div | Arithmetic::Mod => whole_division(operator, &left, &right, name),
            Arithmetic::Concatenate => Ok(None),
        }
    }

    pub(super) fn negate(&self, operand: &'a Op, scope: Scope<'_, 'a>) -> Single<'a> {
        match self.value(operand, scope, "-")? {
            None => Ok(None),
            Some(value) => negated(&value)
                .map(Some)
                .ok_or(EvaluationError::WrongType("-")),
        }
    }

    /// Returns the operand of `+`: a number or quantity.
    pub(super) fn number(&self, operand: &'a Op, scope: Scope<'_, 'a>) -> Single<'a> {
        match self.value(operand, scope, "+")? {
            Some(value) if negated(&value).is_none() => Err(EvaluationError::WrongType("+")),
            value => Ok(value),
        }
    }
}

fn negated<'a>(value: &Item<'a>) -> Option<Item<'a>> {
    match value {
        Item::Integer(i) => i.checked_neg().map(Item::Integer),
        Item::Decimal(d) => Some(Item::Decimal(-*d)),
        Item::Quantity(q) => Some(Item::Quantity(Box::new(q.with_value(-q.value())))),
        _ => None,
    }
}

fn add<'a>(left: Item<'a>, right: Item<'a>, name: &'static str) -> Single<'a> {
    let wrong = EvaluationError::WrongType(name);
    Ok(match (left, right) {
        (Item::Integer(a), Item::Integer(b)) => a.checked_add(b).map(Item::Integer),
        (Item::String(a), Item::String(b)) => Some(Item::String(Cow::Owned(format!("{a}{b}")))),
        (Item::Quantity(a), Item::Quantity(b)) => {
            a.plus(&b).map(|sum| Item::Quantity(Box::new(sum)))
        }
        (
            moment @ (Item::Date(_) | Item::DateTime(_) | Item::Time(_)),
            Item::Quantity(quantity),
        ) => {
            let duration = quantity.duration().ok_or(wrong)?;
            match moment {
                Item::Date(date) => date.plus(duration).map(Item::Date),
                Item::DateTime(date_time) => date_time.plus(duration).map(Item::DateTime),
                Item::Time(time) => time.plus(duration).map(Item::Time),
                _ => None,
            }
        }
        (left, right) => match (number(&left), number(&right)) {
            (Some(a), Some(b)) => a.checked_add(b).map(Item::Decimal),
            _ => return Err(wrong),
        },
    })
}

fn multiply<'a>(left: &Item<'a>, right: &Item<'a>, name: &'static str) -> Single<'a> {
    Ok(match (left, right) {
        (Item::Integer(a), Item::Integer(b)) => a.checked_mul(*b).map(Item::Integer),
        (Item::Quantity(_), _) | (_, Item::Quantity(_)) => {
            let (a, b) = quantities(left, right, name)?;
            a.times(&b).map(|product| Item::Quantity(Box::new(product)))
        }
        _ => {
            let (a, b) = numbers(left, right, name)?;
            a.checked_mul(b).map(Item::Decimal)
        }
    })
}

fn divide<'a>(left: &Item<'a>, right: &Item<'a>, name: &'static str) -> Single<'a> {
    if matches!(
        (left, right),
        (Item::Quantity(_), _) | (_, Item::Quantity(_))
    ) {
        let (a, b) = quantities(left, right, name)?;
        return Ok(a.over(&b).map(|ratio| Item::Quantity(Box::new(ratio))));
    }
    let (a, b) = numbers(left, right, name)?;
    Ok(a.checked_div(b).map(Item::Decimal))
}

fn whole_division<'a>(
    operator: Arithmetic,
    left: &Item<'a>,
    right: &Item<'a>,
    name: &'static str,
) -> Single<'a> {
    let is_div = operator == Arithmetic::Div;
    if let (Item::Integer(a), Item::Integer(b)) = (left, right) {
        let result = if is_div {
            a.checked_div(*b)
        } else {
            a.checked_rem(*b)
        };
        return Ok(result.map(Item::Integer));
    }
    let (a, b) = numbers(left, right, name)?;
    Ok(if is_div {
        a.checked_div(b)
            .and_then(|ratio| to_integer(ratio.trunc()))
            .map(Item::Integer)
    } else {
        a.checked_rem(b).map(Item::Decimal)
    })
}

fn numbers(
    left: &Item<'_>,
    right: &Item<'_>,
    name: &'static str,
) -> Result<(Decimal, Decimal), EvaluationError> {
    number(left)
        .zip(number(right))
        .ok_or(EvaluationError::WrongType(name))
}

fn quantities(
    left: &Item<'_>,
    right: &Item<'_>,
    name: &'static str,
) -> Result<(Quantity, Quantity), EvaluationError> {
    let (a, b) = (super::order::quantity(left), super::order::quantity(right));
    a.zip(b).ok_or(EvaluationError::WrongType(name))
}
