//! Numbers: the digits stay.

use super::Made;
use base::Decimal;
use fhir::build::Value;

pub(crate) fn decimal(text: &str) -> Made<Value> {
    let number: Decimal = text.trim().parse().map_err(|_| "not a number")?;
    Ok(Value::from(&number))
}

pub(crate) fn integer(text: &str, fhir_type: &str) -> Made<Value> {
    let number: i32 = text.trim().parse().map_err(|_| "not a whole number")?;
    let least = match fhir_type {
        "positiveInt" => 1,
        "unsignedInt" => 0,
        _ => i32::MIN,
    };
    if number < least {
        return Err("a whole number that FHIR does not allow here");
    }
    Ok(Value::from(i64::from(number)))
}
