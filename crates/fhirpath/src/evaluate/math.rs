//! Numeric functions (FHIRPath N1 §Math). A call without a real result gives an empty result.

use super::order::number;
use super::{Evaluator, Scope};
use crate::error::EvaluationError;
use crate::function::Function as F;
use crate::item::{Item, Items};
use crate::number::{self, from_f64, to_f64, to_integer};
use crate::program::Call;
use rust_decimal::Decimal;

impl<'a> Evaluator<'_, 'a> {
    pub(super) fn math(
        &self,
        call: &'a Call,
        scope: Scope<'_, 'a>,
        out: &mut Items<'a>,
    ) -> Result<(), EvaluationError> {
        let name = call.function.name();
        let wrong = EvaluationError::WrongType(name);
        let Some(value) = self.value(&call.input, scope, name)? else {
            return Ok(());
        };
        let argument = match call.arguments.first() {
            None => None,
            Some(argument) => match self.value(argument, scope, name)? {
                None => return Ok(()),
                Some(argument) => Some(number(&argument).ok_or(EvaluationError::WrongType(name))?),
            },
        };
        if let (F::Abs, Item::Quantity(quantity)) = (call.function, &value) {
            out.push(Item::Quantity(Box::new(
                quantity.with_value(quantity.value().abs()),
            )));
            return Ok(());
        }
        let is_whole = matches!(value, Item::Integer(_));
        let Some(value) = number(&value) else {
            return Err(wrong);
        };
        let result = match call.function {
            F::Abs => Some(value.abs()),
            F::Ceiling => Some(value.ceil()),
            F::Floor => Some(value.floor()),
            F::Truncate => Some(value.trunc()),
            F::Exp => from_f64(to_f64(value).exp()),
            F::Ln => positive(value).and_then(|value| from_f64(value.ln())),
            F::Log => {
                let base = argument.and_then(positive);
                positive(value)
                    .zip(base)
                    .and_then(|(value, base)| from_f64(value.ln() / base.ln()))
            }
            F::Power => argument.and_then(|exponent| number::power(value, exponent)),
            F::Sqrt => number::sqrt(value),
            _ => {
                let digits = argument.unwrap_or_default();
                let Some(digits) = to_integer(digits).and_then(|d| u32::try_from(d).ok()) else {
                    return Err(wrong);
                };
                Some(number::round(value, digits))
            }
        };
        let wants_integer = match call.function {
            F::Ceiling | F::Floor | F::Truncate => true,
            F::Abs => is_whole,
            F::Power => is_whole && argument.is_some_and(|argument| argument.scale() == 0),
            _ => false,
        };
        out.extend(result.map(
            |result| match to_integer(result).filter(|_| wants_integer) {
                Some(integer) => Item::Integer(integer),
                None => Item::Decimal(result),
            },
        ));
        Ok(())
    }
}

fn positive(value: Decimal) -> Option<f64> {
    (Decimal::ZERO < value).then(|| to_f64(value))
}
