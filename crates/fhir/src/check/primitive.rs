//! The syntax of primitives (R4, data types, 2.24.0.1).

use super::narrative::is_inert;
use super::terms::Finding;
use crate::json::{Kind, Node};
use crate::reference::is_id;

/// Maximum length of a string (R4: 1 MB).
const MAX_STRING: usize = 1024 * 1024;

/// Checks that the JSON value is a valid value of the primitive type.
pub(super) fn check(node: Node<'_>, type_name: &str) -> Result<(), Finding> {
    let (kind, noun) = match type_name {
        "boolean" => (Kind::Bool, "`true` or `false`"),
        "integer" | "positiveInt" | "unsignedInt" | "decimal" => (Kind::Number, "a number"),
        _ => (Kind::String, "a string"),
    };
    if node.kind() != kind {
        return Err(("structure", format!("expected {noun} ({type_name})")));
    }
    if let Some(number) = node.number_text() {
        return whole_number(number, type_name);
    }
    let Some(text) = node.as_str() else {
        return Ok(());
    };
    if text.is_empty() {
        return Err(("value", "a string must not be empty; omit it".to_owned()));
    }
    let (valid, form) = match type_name {
        "string" | "markdown" => (
            text.len() <= MAX_STRING && no_controls(&text),
            "text of at most 1 MB without control characters",
        ),
        "id" => (is_id(&text), "1 to 64 letters, digits, `-` or `.`"),
        "code" => (is_code(&text), "no white space except single spaces inside"),
        "uri" | "url" | "canonical" => (
            !text.contains(char::is_whitespace),
            "a URI without white space",
        ),
        "oid" => (is_oid(&text), "urn:oid:1.2.3"),
        "uuid" => (is_uuid(&text), "urn:uuid: and a UUID"),
        "base64Binary" => (is_base64(text.as_bytes()), "base64 with its padding"),
        "date" => (is_date(&text), "YYYY, YYYY-MM or YYYY-MM-DD"),
        "dateTime" => (
            is_date_time(&text),
            "YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss+zz:zz",
        ),
        "instant" => (is_instant(&text), "YYYY-MM-DDThh:mm:ss.sss+zz:zz"),
        "time" => (time(&text) == Some(""), "hh:mm:ss"),
        "xhtml" => (
            is_div(&text) && is_inert(&text),
            "a `<div>` element without scripts, forms, frames, objects or event attributes",
        ),
        _ => (true, ""),
    };
    if valid {
        Ok(())
    } else {
        Err(("value", format!("not a valid {type_name}: {form}")))
    }
}

fn whole_number(number: &str, type_name: &str) -> Result<(), Finding> {
    let least = match type_name {
        "integer" => i64::from(i32::MIN),
        "unsignedInt" => 0,
        "positiveInt" => 1,
        _ => return Ok(()),
    };
    let range = least..=i64::from(i32::MAX);
    let valid = number
        .parse()
        .is_ok_and(|number: i64| range.contains(&number))
        && number != "-0";
    if valid {
        return Ok(());
    }
    let text = format!("expected an integer from {least} to {}", i32::MAX);
    Err(("value", format!("not a valid {type_name}: {text}")))
}

fn no_controls(text: &str) -> bool {
    text.bytes()
        .all(|b| 0x20 <= b || matches!(b, b'\t' | b'\r' | b'\n'))
}

fn is_code(text: &str) -> bool {
    text.split(' ')
        .all(|word| !word.is_empty() && !word.contains(char::is_whitespace))
}

fn is_oid(text: &str) -> bool {
    let arc = |arc: &str| {
        let digits = !arc.is_empty() && arc.bytes().all(|b| b.is_ascii_digit());
        digits && (arc == "0" || !arc.starts_with('0'))
    };
    let Some(oid) = text.strip_prefix("urn:oid:") else {
        return false;
    };
    oid.contains('.') && oid.starts_with(['0', '1', '2']) && oid.split('.').all(arc)
}

fn is_uuid(text: &str) -> bool {
    let Some(uuid) = text.strip_prefix("urn:uuid:") else {
        return false;
    };
    let groups: Vec<usize> = uuid.split('-').map(str::len).collect();
    groups == [8, 4, 4, 4, 12] && uuid.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
}

fn is_base64(text: &[u8]) -> bool {
    let mut n_bytes = 0_usize;
    let mut n_padding = 0_usize;
    for &b in text {
        match b {
            b'=' => n_padding += 1,
            b' ' | b'\t' | b'\r' | b'\n' => continue,
            _ if b.is_ascii_alphanumeric() || b == b'+' || b == b'/' => {
                if n_padding != 0 {
                    return false;
                }
            }
            _ => return false,
        }
        n_bytes += 1;
    }
    n_bytes != 0 && n_bytes.is_multiple_of(4) && n_padding <= 2
}

fn is_div(text: &str) -> bool {
    let text = text.trim();
    let rest = text.strip_prefix("<div");
    let opened = rest.is_some_and(|rest| rest.starts_with(['>', ' ', '/', '\n', '\r', '\t']));
    opened && (text.ends_with("</div>") || text.ends_with("/>"))
}

// --- dates: each function consumes its part and returns the rest ---

fn is_date(text: &str) -> bool {
    matches!(date(text), Some((_, "")))
}

fn is_date_time(text: &str) -> bool {
    match date(text) {
        Some((_, "")) => true,
        Some((true, rest)) => is_time_with_zone(rest),
        Some((false, _)) | None => false,
    }
}

fn is_instant(text: &str) -> bool {
    matches!(date(text), Some((true, rest)) if is_time_with_zone(rest))
}

fn is_time_with_zone(text: &str) -> bool {
    text.strip_prefix('T').and_then(time).is_some_and(is_zone)
}

/// Reads year, month and day as far as present; returns whether there is a day.
fn date(text: &str) -> Option<(bool, &str)> {
    let (year, rest) = number(text, 4)?;
    if year == 0 {
        return None;
    }
    let Some(month) = rest.strip_prefix('-') else {
        return Some((false, rest));
    };
    let (month, rest) = number(month, 2)?;
    if !(1..=12).contains(&month) {
        return None;
    }
    let Some(day) = rest.strip_prefix('-') else {
        return Some((false, rest));
    };
    let (day, rest) = number(day, 2)?;
    (1..=last_day(year, month))
        .contains(&day)
        .then_some((true, rest))
}

/// Reads `hh:mm:ss` with or without a fraction.
fn time(text: &str) -> Option<&str> {
    let (hour, rest) = number(text, 2)?;
    let (minute, rest) = number(rest.strip_prefix(':')?, 2)?;
    let (second, rest) = number(rest.strip_prefix(':')?, 2)?;
    // 60 is a leap second.
    if 23 < hour || 59 < minute || 60 < second {
        return None;
    }
    let Some(fraction) = rest.strip_prefix('.') else {
        return Some(rest);
    };
    let rest = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
    (rest.len() < fraction.len()).then_some(rest)
}

fn is_zone(text: &str) -> bool {
    if text == "Z" {
        return true;
    }
    let offset = || {
        let (hour, rest) = number(text.strip_prefix(['+', '-'])?, 2)?;
        let (minute, rest) = number(rest.strip_prefix(':')?, 2)?;
        let valid = rest.is_empty() && (hour < 14 && minute < 60 || hour == 14 && minute == 0);
        valid.then_some(())
    };
    offset().is_some()
}

fn number(text: &str, n_digits: usize) -> Option<(u16, &str)> {
    let (digits, rest) = text.split_at_checked(n_digits)?;
    let all = digits.bytes().all(|b| b.is_ascii_digit());
    Some((all.then(|| digits.parse().ok()).flatten()?, rest))
}

fn last_day(year: u16, month: u16) -> u16 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}
