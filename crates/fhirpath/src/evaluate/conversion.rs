//! Conversions between FHIRPath's types (FHIRPath N1 §Conversion).

use super::{Evaluator, Scope};
use crate::error::EvaluationError;
use crate::function::Function as F;
use crate::item::{Item, Items};
use crate::number;
use crate::program::Call;
use crate::quantity::Quantity;
use crate::temporal::{DateTime, Time};
use rust_decimal::Decimal;
use std::borrow::Cow;

impl<'a> Evaluator<'_, 'a> {
    pub(super) fn conversion(
        &self,
        call: &'a Call,
        scope: Scope<'_, 'a>,
        out: &mut Items<'a>,
    ) -> Result<(), EvaluationError> {
        let name = call.function.name();
        let Some(item) = self.single(&call.input, scope, name)? else {
            return Ok(());
        };
        let value = item.value();
        let unit = match call.arguments.first() {
            Some(unit) => self.text(unit, scope, name)?,
            None => None,
        };
        let (converted, asks) = match call.function {
            F::ToBoolean | F::ConvertsToBoolean => (
                value.and_then(|value| to_boolean(&value)),
                F::ConvertsToBoolean,
            ),
            F::ToInteger | F::ConvertsToInteger => (
                value.and_then(|value| to_integer(&value)),
                F::ConvertsToInteger,
            ),
            F::ToDecimal | F::ConvertsToDecimal => (
                value.and_then(|value| to_decimal(&value)),
                F::ConvertsToDecimal,
            ),
            F::ToDate | F::ConvertsToDate => {
                (value.and_then(|value| to_date(&value)), F::ConvertsToDate)
            }
            F::ToDateTime | F::ConvertsToDateTime => (
                value.and_then(|value| to_date_time(&value)),
                F::ConvertsToDateTime,
            ),
            F::ToTime | F::ConvertsToTime => {
                (value.and_then(|value| to_time(&value)), F::ConvertsToTime)
            }
            F::ToQuantity | F::ConvertsToQuantity => {
                let quantity = value.and_then(|value| to_quantity(&value));
                (
                    quantity.and_then(|quantity| in_unit(quantity, unit.as_deref())),
                    F::ConvertsToQuantity,
                )
            }
            _ => (value.and_then(to_text), F::ConvertsToString),
        };
        if call.function == asks {
            out.push(Item::Boolean(converted.is_some()));
        } else {
            out.extend(converted);
        }
        Ok(())
    }
}

fn to_boolean<'a>(value: &Item<'a>) -> Option<Item<'a>> {
    let truth = match value {
        Item::Boolean(truth) => *truth,
        Item::Integer(0) => false,
        Item::Integer(1) => true,
        Item::Decimal(decimal) if decimal.is_zero() => false,
        Item::Decimal(decimal) if *decimal == Decimal::ONE => true,
        Item::String(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "1" | "1.0" => true,
            "false" | "f" | "no" | "n" | "0" | "0.0" => false,
            _ => return None,
        },
        _ => return None,
    };
    Some(Item::Boolean(truth))
}

fn to_integer<'a>(value: &Item<'a>) -> Option<Item<'a>> {
    match value {
        Item::Boolean(truth) => Some(Item::Integer(i32::from(*truth))),
        Item::Integer(integer) => Some(Item::Integer(*integer)),
        Item::String(text) => text.parse().ok().map(Item::Integer),
        _ => None,
    }
}

fn to_decimal<'a>(value: &Item<'a>) -> Option<Item<'a>> {
    let decimal = match value {
        Item::Boolean(truth) => Decimal::from(i32::from(*truth)),
        Item::Integer(integer) => Decimal::from(*integer),
        Item::Decimal(decimal) => *decimal,
        Item::String(text) => number::parse(text)?,
        _ => return None,
    };
    Some(Item::Decimal(decimal))
}

fn to_date<'a>(value: &Item<'a>) -> Option<Item<'a>> {
    match value {
        Item::Date(date) => Some(Item::Date(*date)),
        Item::DateTime(date_time) => Some(Item::Date(date_time.date())),
        Item::String(text) => DateTime::parse(text).map(|at| Item::Date(at.date())),
        _ => None,
    }
}

fn to_date_time<'a>(value: &Item<'a>) -> Option<Item<'a>> {
    match value {
        Item::Date(date) => Some(Item::DateTime(DateTime::from(*date))),
        Item::DateTime(date_time) => Some(Item::DateTime(*date_time)),
        Item::String(text) => DateTime::parse(text).map(Item::DateTime),
        _ => None,
    }
}

fn to_time<'a>(value: &Item<'a>) -> Option<Item<'a>> {
    match value {
        Item::Time(time) => Some(Item::Time(*time)),
        Item::String(text) => Time::parse(text).map(Item::Time),
        _ => None,
    }
}

fn to_quantity(value: &Item<'_>) -> Option<Quantity> {
    match value {
        Item::Boolean(truth) => Some(Quantity::number(Decimal::from(i32::from(*truth)))),
        Item::String(text) => Quantity::parse(text),
        value => super::order::quantity(value),
    }
}

fn in_unit<'a>(quantity: Quantity, unit: Option<&str>) -> Option<Item<'a>> {
    let quantity = match unit {
        None => quantity,
        Some(unit) => quantity.in_unit(unit)?,
    };
    Some(Item::Quantity(Box::new(quantity)))
}

fn to_text(value: Item<'_>) -> Option<Item<'_>> {
    let text = match value {
        Item::String(text) => text,
        Item::Boolean(truth) => Cow::Borrowed(if truth { "true" } else { "false" }),
        Item::Integer(integer) => Cow::Owned(integer.to_string()),
        Item::Decimal(decimal) => Cow::Owned(decimal.to_string()),
        Item::Date(date) => Cow::Owned(date.to_string()),
        Item::DateTime(date_time) => Cow::Owned(date_time.to_string()),
        Item::Time(time) => Cow::Owned(time.to_string()),
        Item::Quantity(quantity) => Cow::Owned(quantity.to_string()),
        Item::Element(_) | Item::Type(_) => return None,
    };
    Some(Item::String(text))
}
