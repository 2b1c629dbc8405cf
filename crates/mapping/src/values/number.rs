//! Numbers: digits are preserved, and the decimal mark is never guessed.

use super::Converted;
use base::Decimal;
use fhir::build::Value;
use std::borrow::Cow;

/// The meaning of a comma in a source's numbers; HL7 v2 (2A, NM) allows only the point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Decimals {
    /// The source has not declared it: a number with a comma is a text.
    #[default]
    Standard,
    /// `decimal point`: `1,234.5` is 1234.5.
    Point,
    /// `decimal comma`: `1.234,5` is 1234.5, `7,2` is 7.2.
    Comma,
}

/// Returns the number as HL7 v2 writes it; `None` if it is ambiguous.
fn plain(text: &str, decimals: Decimals) -> Option<Cow<'_, str>> {
    let text = text.trim();
    let (group, mark) = match decimals {
        _ if !text.contains(',') && decimals != Decimals::Comma => {
            return Some(Cow::Borrowed(text));
        }
        Decimals::Standard => return None,
        Decimals::Point => (',', '.'),
        Decimals::Comma => ('.', ','),
    };
    let (whole, fraction) = match text.split_once(mark) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    if fraction
        .is_some_and(|digits| digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()))
    {
        return None;
    }
    if !whole.contains(group) {
        return Some(match fraction {
            Some(fraction) => Cow::Owned(format!("{whole}.{fraction}")),
            None => Cow::Borrowed(whole),
        });
    }
    let digits = whole.strip_prefix(['+', '-']).unwrap_or(whole);
    let mut groups = digits.split(group);
    let first = groups
        .next()
        .is_some_and(|first| (1..=3).contains(&first.len()));
    let grouped = first && groups.all(|group| group.len() == 3);
    // From a source with decimal commas, `1.5` can only be HL7's own notation; `1.500` could be
    // either.
    if !grouped {
        let standard = decimals == Decimals::Comma && fraction.is_none();
        return standard.then_some(Cow::Borrowed(text));
    }
    if decimals == Decimals::Comma && fraction.is_none() && whole.matches(group).count() == 1 {
        return None;
    }
    let mut number = whole.replace(group, "");
    if let Some(fraction) = fraction {
        number.push('.');
        number.push_str(fraction);
    }
    Some(Cow::Owned(number))
}

fn parse(text: &str, decimals: Decimals) -> Option<Decimal> {
    plain(text, decimals)?.parse().ok()
}

/// Returns whether the text is a number.
pub(crate) fn is_number(text: &str, decimals: Decimals) -> bool {
    plain(text, decimals).is_some_and(|text| Decimal::is_valid(&text))
}

pub(crate) fn decimal(text: &str, decimals: Decimals) -> Converted<Value> {
    let number = parse(text, decimals).ok_or("not a number")?;
    Ok(Value::from(&number))
}

/// Splits a number into its comparator and its text: `<0.01`, `>= 5`, `≤3`.
pub(crate) fn split_comparator(text: &str, decimals: Decimals) -> Option<(&'static str, &str)> {
    const MARKS: [(&str, &str); 8] = [
        ("<=", "<="),
        ("=<", "<="),
        ("\u{2264}", "<="),
        (">=", ">="),
        ("=>", ">="),
        ("\u{2265}", ">="),
        ("<", "<"),
        (">", ">"),
    ];
    let text = text.trim();
    let (mark, number) = MARKS.iter().find_map(|(mark, comparator)| {
        Some((*comparator, text.strip_prefix(mark)?.trim_start()))
    })?;
    is_number(number, decimals).then_some((mark, number))
}

pub(crate) fn integer(text: &str, fhir_type: &str) -> Converted<Value> {
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

/// Returns whether a code is digits, a hyphen and a modulus-10 check digit, as in LOINC and the
/// CDC's race and ethnicity codes: `2106-3`.
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
    fn a_comma_means_what_the_source_says() {
        use Decimals::{Comma, Point, Standard};
        for (text, standard, point, comma) in [
            ("7.2", Some("7.2"), Some("7.2"), Some("7.2")),
            ("7,2", None, None, Some("7.2")),
            ("1,234", None, Some("1234"), Some("1.234")),
            ("1,234.5", None, Some("1234.5"), None),
            ("1.234,5", None, None, Some("1234.5")),
            ("1.234", Some("1.234"), Some("1.234"), None),
            ("1.234.567", None, None, Some("1234567")),
            ("12,34,567", None, None, None),
            ("-1,234", None, Some("-1234"), Some("-1.234")),
            ("1,", None, None, None),
            (",5", None, None, Some(".5")),
            ("HEMOLYZED", None, None, None),
            ("", None, None, None),
        ] {
            for (decimals, expected) in [(Standard, standard), (Point, point), (Comma, comma)] {
                let found = parse(text, decimals).map(|number| number.to_string());
                assert_eq!(found.as_deref(), expected, "{text} {decimals:?}");
            }
        }
    }

    #[test]
    fn comparators() {
        let read = |text| split_comparator(text, Decimals::Standard);
        assert_eq!(read("<0.01"), Some(("<", "0.01")));
        assert_eq!(read(" >= 5 "), Some((">=", "5")));
        assert_eq!(read("\u{2264}3"), Some(("<=", "3")));
        for text in ["5", "<", "<>5", "<5 mg", "<1,234", "< LOD"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

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
