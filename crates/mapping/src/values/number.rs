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

/// Digits, a hyphen and their check digit (modulus 10), as LOINC and the CDC's race and ethnicity codes have it: `2106-3`.
pub(crate) fn has_check_digit(code: &str) -> bool {
    let Some((number, &[b'-', check])) = code.as_bytes().split_last_chunk() else {
        return false;
    };
    let is_number = !number.is_empty() && number.iter().all(u8::is_ascii_digit);
    let double = |digit: u32| digit * 2 / 10 + digit * 2 % 10;
    let digits = number.iter().rev().map(|byte| u32::from(byte - b'0'));
    let sum = |(place, digit): (usize, u32)| if place % 2 == 0 { double(digit) } else { digit };
    is_number
        && check.is_ascii_digit()
        && (digits.enumerate().map(sum).sum::<u32>() + u32::from(check - b'0')) % 10 == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_with_their_check_digit() {
        for code in [
            "1002-5", "2106-3", "2028-9", "2135-2", "2186-5", "2345-7", "30963-3",
        ] {
            assert!(has_check_digit(code), "{code}");
        }
        for code in [
            "U", "", "-", "-5", "1002-6", "1002", "10-025", "1002-5 ", "ab-0", "é-3",
        ] {
            assert!(!has_check_digit(code), "{code}");
        }
    }
}
