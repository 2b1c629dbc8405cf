//! Units in which the sender wrote the component separator: `10^3/uL`, `m^2`.
//!
//! A coded unit (`mL^milliliter^UCUM`) has a code, a name and a coding system; a power has an
//! exponent after the separator. So two components are one unit if the second begins with a number
//! and either there is no coding system or the first is the base of a power, ten: no coded unit has
//! that code.

use smallvec::SmallVec;

/// Joins the base and the exponent of a power, also if the unit's name repeats the power
/// (`10^9/L^10^9/L^UCUM`), and returns whether there was one. `parts` are the parts of `raw`.
pub(crate) fn join_power<'m, const N: usize>(
    raw: &'m [u8],
    parts: &mut SmallVec<[&'m [u8]; N]>,
) -> bool {
    let [base, exponent, rest @ ..] = parts.as_slice() else {
        return false;
    };
    let system = rest.first().is_some_and(|system| !system.is_empty());
    if base.is_empty() || !is_exponent(exponent) || (system && !is_ten(base)) {
        return false;
    }
    if !join_at(0, raw, parts) {
        return false;
    }
    let named = match parts.get(1..3) {
        Some([base, exponent]) if is_ten(base) && is_exponent(exponent) => join_at(1, raw, parts),
        _ => false,
    };
    // `10^3/uL^UCUM`: the name is omitted.
    if system && !named && parts.len() == 2 {
        parts.insert(1, &[]);
    }
    true
}

/// Joins the part at that index with the next one, with the separator between them.
fn join_at<'m, const N: usize>(
    place: usize,
    raw: &'m [u8],
    parts: &mut SmallVec<[&'m [u8]; N]>,
) -> bool {
    let start: usize = parts.iter().take(place).map(|part| part.len() + 1).sum();
    let len: usize = parts
        .iter()
        .skip(place)
        .take(2)
        .map(|part| part.len())
        .sum();
    let Some(whole) = raw.get(start..=start + len) else {
        return false;
    };
    parts.remove(place + 1);
    if let Some(part) = parts.get_mut(place) {
        *part = whole;
    }
    true
}

/// Returns whether the part starts with an exponent: `3/uL`, `-1`.
fn is_exponent(part: &[u8]) -> bool {
    let digits = part.strip_prefix(b"-").or(part.strip_prefix(b"+"));
    digits
        .unwrap_or(part)
        .first()
        .is_some_and(u8::is_ascii_digit)
}

/// Returns whether the part is ten: `10`, `x10`, `X 10`, `*10`.
fn is_ten(part: &[u8]) -> bool {
    let sign = part.strip_suffix(b"10").map(<[u8]>::trim_ascii);
    matches!(sign, Some(b"" | b"x" | b"X" | b"*"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_power_is_one_unit_and_a_code_is_not() {
        let joined = |raw: &'static str| -> String {
            let mut parts: SmallVec<[&[u8]; 16]> = raw.as_bytes().split(|b| *b == b'^').collect();
            join_power(raw.as_bytes(), &mut parts);
            let texts = parts.iter().map(|part| String::from_utf8_lossy(part));
            texts.collect::<Vec<_>>().join("|")
        };
        for (raw, expected) in [
            ("10^3/uL", "10^3/uL"),
            ("x10^9/L", "x10^9/L"),
            ("10^-3", "10^-3"),
            ("m^2", "m^2"),
            ("mL/min/1.73 m^2", "mL/min/1.73 m^2"),
            ("s^-1", "s^-1"),
            ("10^3/uL^^UCUM", "10^3/uL||UCUM"),
            ("10^3/uL^UCUM", "10^3/uL||UCUM"),
            (
                "10^6/uL^million per microliter^UCUM",
                "10^6/uL|million per microliter|UCUM",
            ),
            ("10^9/L^10^9/L^UCUM", "10^9/L|10^9/L|UCUM"),
            ("10^9/L^x10^9/L^L", "10^9/L|x10^9/L|L"),
            ("10^9/L^10^9/L", "10^9/L|10^9/L"),
            (
                "10^9/L^10 to the 9 per L^UCUM",
                "10^9/L|10 to the 9 per L|UCUM",
            ),
            ("mL^milliliter^UCUM", "mL|milliliter|UCUM"),
            ("mg/dL^^UCUM", "mg/dL||UCUM"),
            ("K/uL^1000/uL^L", "K/uL|1000/uL|L"),
            (
                "mg/dL^milligram per deciliter",
                "mg/dL|milligram per deciliter",
            ),
            ("mg/dL", "mg/dL"),
            ("^mg/dL", "|mg/dL"),
        ] {
            assert_eq!(joined(raw), expected, "{raw}");
        }
    }
}
