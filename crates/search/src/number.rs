//! Numbers as written in a search, where significant digits count (search.html#number).

use base::Decimal;

/// Returns the range of numbers that are equal to `text` at its significant digits: low included,
/// high not. `100` is 99.5 to 100.5, `5.40e-3` is 0.005395 to 0.005405.
pub(crate) fn implicit_range(text: &Decimal) -> (f64, f64) {
    let written = text.as_str();
    let (mantissa, exponent) = match written.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().unwrap_or(0)),
        None => (written, 0),
    };
    let negative = mantissa.starts_with('-');
    let mantissa = mantissa.trim_start_matches(['+', '-']);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    // The specification gives `1e2` as 95 to 105, as if its one digit were two.
    let has_exponent = written.contains(['e', 'E']);
    let extra = usize::from(has_exponent && whole.len() + fraction.len() == 1);
    let digits = format!("{whole}{fraction}{}", "0".repeat(extra));
    let scale = exponent - (fraction.len() + extra) as i64;
    // Half a unit of the last digit, as one more digit: 100 → 995 and 1005 with scale -1.
    let tenfold = format!("{digits}0");
    let (below, above) = (step(&tenfold, false), step(&tenfold, true));
    let read = |digits: &str| {
        format!("{digits}e{}", scale - 1)
            .parse()
            .unwrap_or(f64::NAN)
    };
    let (near, far): (f64, f64) = (read(&below), read(&above));
    let (low, high) = if negative { (-far, -near) } else { (near, far) };
    // If the text has more digits than a float, the range must still contain the number itself.
    let value = text.to_f64();
    (low.min(value), high.max(value.next_up()))
}

/// Adds or subtracts five in a string of decimal digits; a result below zero gets a minus.
fn step(digits: &str, up: bool) -> String {
    let mut out: Vec<u8> = digits.bytes().collect();
    if !up && out.iter().all(|&digit| digit == b'0') {
        return "-5".to_owned();
    }
    if up {
        // The last digit is zero, so nothing carries.
        out.pop();
        out.push(b'5');
        return String::from_utf8(out).unwrap_or_default();
    }
    out.pop();
    for digit in out.iter_mut().rev() {
        if *digit == b'0' {
            *digit = b'9';
        } else {
            *digit -= 1;
            break;
        }
    }
    out.push(b'5');
    String::from_utf8(out).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(text: &str, low: f64, high: f64) {
        assert_eq!(
            implicit_range(&text.parse().unwrap()),
            (low, high),
            "{text}"
        );
    }

    #[test]
    fn significant_digits() {
        // search.html#number, the table of examples
        check("100", 99.5, 100.5);
        check("100.00", 99.995, 100.005);
        check("1e2", 95.0, 105.0);
        check("5.4", 5.35, 5.45);
        check("5.40e-3", 0.005_395, 0.005_405);
        check("0", -0.5, 0.5);
        check("0.0", -0.05, 0.05);
        check("-7", -7.5, -6.5);
        check("1000", 999.5, 1000.5);
    }

    proptest! {
        #[test]
        fn holds_the_number(text in "-?[0-9]{1,12}(\\.[0-9]{1,6})?(e-?[0-9]{1,2})?") {
            let decimal: Decimal = text.parse().unwrap();
            let (low, high) = implicit_range(&decimal);
            let value = decimal.to_f64();
            prop_assert!(low <= value && value < high, "{low} {value} {high}");
        }
    }
}
