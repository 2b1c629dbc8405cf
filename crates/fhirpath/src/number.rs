//! Decimals: exact, with up to 28 digits, trailing zeros kept.

use rust_decimal::{Decimal, MathematicalOps, RoundingStrategy};

/// Parses `-12`, `1.50` or `1e3`; `None` for text that is not a number or has too many digits.
pub(crate) fn parse(text: &str) -> Option<Decimal> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit()) || digits.ends_with('.') {
        return None;
    }
    if digits.contains(['e', 'E']) {
        return Decimal::from_scientific(text).ok();
    }
    let plain = digits.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    plain.then(|| text.parse().ok())?
}

/// Returns whether both are equal when rounded to the precision of the coarser one, ignoring
/// trailing zeros (FHIRPath N1 §Equivalent).
pub(crate) fn is_equivalent(a: Decimal, b: Decimal) -> bool {
    let scale = a.normalize().scale().min(b.normalize().scale());
    round(a, scale) == round(b, scale)
}

/// Rounds half away from zero.
pub(crate) fn round(value: Decimal, scale: u32) -> Decimal {
    value.round_dp_with_strategy(scale, RoundingStrategy::MidpointAwayFromZero)
}

/// Converts from an `f64`, to 15 digits: those that an `f64` holds reliably.
pub(crate) fn from_f64(value: f64) -> Option<Decimal> {
    if !value.is_finite() {
        return None;
    }
    Decimal::from_scientific(&format!("{value:.14e}"))
        .ok()
        .map(|value| value.normalize())
}

/// Returns the nearest `f64`.
pub(crate) fn to_f64(value: Decimal) -> f64 {
    value.to_string().parse().unwrap_or(f64::NAN)
}

/// Converts to a 32-bit integer, if the value is one.
pub(crate) fn to_integer(value: Decimal) -> Option<i32> {
    let whole = value.trunc();
    (whole == value).then(|| i32::try_from(whole.normalize().mantissa()).ok())?
}

pub(crate) fn sqrt(value: Decimal) -> Option<Decimal> {
    value.sqrt().map(|root| root.normalize())
}

/// Computes a power, exactly for integer exponents as long as the digits fit.
pub(crate) fn power(base: Decimal, exponent: Decimal) -> Option<Decimal> {
    if let Some(whole) = to_integer(exponent) {
        let result = base.checked_powi(i64::from(whole))?;
        return Some(if whole < 0 {
            result.normalize()
        } else {
            result
        });
    }
    from_f64(to_f64(base).powf(to_f64(exponent)))
}
