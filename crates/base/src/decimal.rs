//! Decimals that preserve their digits.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// A decimal as written: `1.0` and `1.00` differ as text and are equal as numbers.
///
/// Invariant: the text is an optional sign, digits with at most one point and at least one digit,
/// and an optional exponent (FHIR R4 `decimal`, JSON number, HL7 v2 `NM`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Decimal(Box<str>);

/// The error for text that is not a decimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a decimal number")]
pub struct InvalidDecimal;

/// The number's parts: value = ± 0.digits × 10^exponent, without leading or trailing zeros.
struct Normal {
    negative: bool,
    digits: Vec<u8>,
    exponent: i64,
}

// === impl Decimal ===

impl Decimal {
    /// Returns whether the text is a decimal.
    pub fn is_valid(text: &str) -> bool {
        let (mantissa, exponent) = match text.find(['e', 'E']) {
            Some(at) => (text.get(..at).unwrap_or(""), text.get(at + 1..)),
            None => (text, None),
        };
        let digits = mantissa.strip_prefix(['+', '-']).unwrap_or(mantissa);
        let n_points = digits.bytes().filter(|&b| b == b'.').count();
        let n_digits = digits.bytes().filter(u8::is_ascii_digit).count();
        let mantissa_ok = n_points <= 1 && 0 < n_digits && n_points + n_digits == digits.len();
        // The exponent is bounded, so that no comparison can run away.
        mantissa_ok && exponent.is_none_or(|e| e.parse::<i16>().is_ok())
    }

    /// Returns the text as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the nearest `f64`.
    pub fn to_f64(&self) -> f64 {
        self.0.parse().unwrap_or(f64::NAN)
    }

    /// Returns the number of digits after the point, minus the exponent: `1.20` has 2.
    pub fn scale(&self) -> i64 {
        let (mantissa, exponent) = split_exponent(&self.0);
        let fraction = mantissa
            .split_once('.')
            .map_or(0, |(_, fraction)| fraction.len());
        fraction as i64 - exponent
    }

    /// Returns a JSON number with the same digits: `+1` becomes `1`, `.5` becomes `0.5`, `007`
    /// becomes `7`.
    pub fn to_json(&self) -> String {
        let (mantissa, exponent) = split_exponent(&self.0);
        let (sign, digits) = match mantissa.as_bytes().first() {
            Some(b'-') => ("-", mantissa.get(1..).unwrap_or("")),
            Some(b'+') => ("", mantissa.get(1..).unwrap_or("")),
            _ => ("", mantissa),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let whole = whole.trim_start_matches('0');
        let whole = if whole.is_empty() { "0" } else { whole };
        let point = if fraction.is_empty() { "" } else { "." };
        let exponent = if exponent == 0 {
            String::new()
        } else {
            format!("e{exponent}")
        };
        format!("{sign}{whole}{point}{fraction}{exponent}")
    }

    /// Compares as numbers, exactly.
    pub fn compare(&self, other: &Self) -> Ordering {
        let (a, b) = (self.normal(), other.normal());
        match (a.negative, b.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (negative, _) => {
                let order = a.magnitude(&b);
                if negative { order.reverse() } else { order }
            }
        }
    }

    fn normal(&self) -> Normal {
        let (mantissa, mut exponent) = split_exponent(&self.0);
        let negative = mantissa.starts_with('-');
        let mantissa = mantissa.trim_start_matches(['+', '-']);
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        exponent = exponent.saturating_add(whole.len() as i64);
        let all: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        let n_leading = all.iter().take_while(|&&b| b == b'0').count();
        exponent = exponent.saturating_sub(n_leading as i64);
        let mut digits: Vec<u8> = all.into_iter().skip(n_leading).collect();
        while digits.last() == Some(&b'0') {
            digits.pop();
        }
        if digits.is_empty() {
            return Normal {
                negative: false,
                digits,
                exponent: 0,
            };
        }
        Normal {
            negative,
            digits,
            exponent,
        }
    }
}

impl Normal {
    fn magnitude(&self, other: &Self) -> Ordering {
        match (self.digits.is_empty(), other.digits.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => self
                .exponent
                .cmp(&other.exponent)
                .then_with(|| self.digits.cmp(&other.digits)),
        }
    }
}

impl FromStr for Decimal {
    type Err = InvalidDecimal;

    fn from_str(text: &str) -> Result<Self, InvalidDecimal> {
        if Self::is_valid(text) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidDecimal)
        }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn split_exponent(text: &str) -> (&str, i64) {
    match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse().unwrap_or(0)),
        None => (text, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn keeps_digits_and_compares_as_number() {
        assert_ne!(decimal("1.0"), decimal("1.00"));
        for (a, b, order) in [
            ("1.0", "1.00", Ordering::Equal),
            ("-0", "0.0", Ordering::Equal),
            ("10", "9.99", Ordering::Greater),
            ("-10", "-9.99", Ordering::Less),
            ("1e2", "100", Ordering::Equal),
            ("0.00012", "1.2e-4", Ordering::Equal),
            ("0.1", "-5", Ordering::Greater),
            ("0", "0.001", Ordering::Less),
        ] {
            assert_eq!(decimal(a).compare(&decimal(b)), order, "{a} {b}");
        }
    }

    #[test]
    fn json_spelling() {
        for (text, json) in [
            ("+1", "1"),
            (".5", "0.5"),
            ("007", "7"),
            ("-00.10", "-0.10"),
            ("5.", "5"),
        ] {
            assert_eq!(decimal(text).to_json(), json);
        }
    }

    #[test]
    fn refuses_text_that_is_not_a_number() {
        for text in [
            "", ".", "+", "1.2.3", "1,2", "1e", "1e99999", "NaN", " 1", "१",
        ] {
            assert_eq!(text.parse::<Decimal>(), Err(InvalidDecimal), "{text}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_integers(a in -1_000_000i64..1_000_000, b in -1_000_000i64..1_000_000) {
            prop_assert_eq!(decimal(&a.to_string()).compare(&decimal(&b.to_string())), a.cmp(&b));
        }

        #[test]
        fn takes_any_text(text in "\\PC*") {
            let _ = text.parse::<Decimal>();
        }
    }
}
