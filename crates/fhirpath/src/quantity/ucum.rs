//! The supported part of UCUM: products, quotients and integer powers of the units below, with
//! metric prefixes. Special units (`Cel`, `[pH]`), arbitrary ones (`[IU]`) and all others have no
//! measure here, and are comparable only with themselves. A terminology service may support more.

use rust_decimal::Decimal;

/// Exponents of length, mass, time, amount, plane angle or temperature, and calendar months.
pub(super) type Dimension = [i8; 6];

/// The size of a unit in base units (m, g, s, mol, K, month): a fraction, so that `/min` is exact.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measure {
    times: Decimal,
    over: Decimal,
    dimension: Dimension,
}

const NONE: Dimension = [0; 6];
const LENGTH: Dimension = [1, 0, 0, 0, 0, 0];
const AREA: Dimension = [2, 0, 0, 0, 0, 0];
const VOLUME: Dimension = [3, 0, 0, 0, 0, 0];
const MASS: Dimension = [0, 1, 0, 0, 0, 0];
const TIME: Dimension = [0, 0, 1, 0, 0, 0];
const PER_TIME: Dimension = [0, 0, -1, 0, 0, 0];
const AMOUNT: Dimension = [0, 0, 0, 1, 0, 0];
const TEMPERATURE: Dimension = [0, 0, 0, 0, 1, 0];
const CALENDAR: Dimension = [0, 0, 0, 0, 0, 1];
const PRESSURE: Dimension = [-1, 1, -2, 0, 0, 0];
const ENERGY: Dimension = [2, 1, -2, 0, 0, 0];
const FORCE: Dimension = [1, 1, -2, 0, 0, 0];
const POWER: Dimension = [2, 1, -3, 0, 0, 0];

/// Code, factor, dimension, and whether the unit takes a metric prefix (UCUM tables 1–10).
const ATOMS: &[(&str, Decimal, Dimension, bool)] = &[
    ("m", dec(1, 0), LENGTH, true),
    ("g", dec(1, 0), MASS, true),
    ("s", dec(1, 0), TIME, true),
    ("mol", dec(1, 0), AMOUNT, true),
    ("K", dec(1, 0), TEMPERATURE, true),
    ("min", dec(60, 0), TIME, false),
    ("h", dec(3_600, 0), TIME, false),
    ("d", dec(86_400, 0), TIME, false),
    ("wk", dec(604_800, 0), TIME, false),
    ("mo", dec(2_629_800, 0), TIME, false),
    ("a", dec(31_557_600, 0), TIME, false),
    ("L", dec(1, 3), VOLUME, true),
    ("l", dec(1, 3), VOLUME, true),
    ("t", dec(1_000_000, 0), MASS, true),
    ("eq", dec(1, 0), AMOUNT, true),
    ("Hz", dec(1, 0), PER_TIME, true),
    ("Pa", dec(1_000, 0), PRESSURE, true),
    ("bar", dec(100_000_000, 0), PRESSURE, true),
    ("m[Hg]", dec(133_322_000, 0), PRESSURE, true),
    ("m[H2O]", dec(9_806_650, 0), PRESSURE, true),
    ("N", dec(1_000, 0), FORCE, true),
    ("J", dec(1_000, 0), ENERGY, true),
    ("W", dec(1_000, 0), POWER, true),
    ("cal", dec(4_184, 0), ENERGY, true),
    ("[in_i]", dec(254, 4), LENGTH, false),
    ("[ft_i]", dec(3_048, 4), LENGTH, false),
    ("[yd_i]", dec(9_144, 4), LENGTH, false),
    ("[mi_i]", dec(1_609_344, 3), LENGTH, false),
    ("[sft_i]", dec(9_290_304, 8), AREA, false),
    ("[lb_av]", dec(45_359_237, 5), MASS, false),
    ("[oz_av]", dec(28_349_523_125, 9), MASS, false),
    ("%", dec(1, 2), NONE, false),
    ("[ppth]", dec(1, 3), NONE, false),
    ("[ppm]", dec(1, 6), NONE, false),
];

/// Prefix and power of ten.
const PREFIXES: &[(&str, i32)] = &[
    ("da", 1),
    ("h", 2),
    ("k", 3),
    ("M", 6),
    ("G", 9),
    ("d", -1),
    ("c", -2),
    ("m", -3),
    ("u", -6),
    ("n", -9),
    ("p", -12),
    ("f", -15),
];

const fn dec(mantissa: u64, scale: u32) -> Decimal {
    Decimal::from_parts(mantissa as u32, (mantissa >> 32) as u32, 0, false, scale)
}

/// Returns the measure of a UCUM code, if the code is supported.
pub(super) fn measure(code: &str) -> Option<Measure> {
    let mut reader = Reader {
        rest: code,
        depth: 0,
    };
    let measure = reader.term()?;
    reader.rest.is_empty().then_some(measure)
}

struct Reader<'c> {
    rest: &'c str,
    depth: u8,
}

// === impl Measure ===

impl Measure {
    const ONE: Self = Self::new(Decimal::ONE, NONE);

    const fn new(times: Decimal, dimension: Dimension) -> Self {
        Self {
            times,
            over: Decimal::ONE,
            dimension,
        }
    }

    /// Creates a measure of calendar months, which are not a number of seconds.
    pub(super) fn calendar_months(n_months: u64) -> Self {
        Self::new(dec(n_months, 0), CALENDAR)
    }

    /// Returns both factors over a common denominator; `None` if the dimensions differ.
    pub(super) fn factors(&self, other: &Self) -> Option<(Decimal, Decimal)> {
        if self.dimension != other.dimension {
            return None;
        }
        Some((
            self.times.checked_mul(other.over)?,
            other.times.checked_mul(self.over)?,
        ))
    }

    fn power(self, exponent: i8) -> Option<Self> {
        let mut result = Self::ONE;
        for _ in 0..exponent.unsigned_abs() {
            result = result.times(self, exponent.signum())?;
        }
        Some(result)
    }

    /// Multiplies by `other` (`sign` 1) or divides by it (`sign` -1).
    fn times(self, other: Self, sign: i8) -> Option<Self> {
        let (times, over) = if sign < 0 {
            (other.over, other.times)
        } else {
            (other.times, other.over)
        };
        let mut dimension = self.dimension;
        for (own, theirs) in dimension.iter_mut().zip(other.dimension) {
            *own = own.checked_add(theirs.checked_mul(sign)?)?;
        }
        let (times, over) = (self.times.checked_mul(times)?, self.over.checked_mul(over)?);
        Some(Self {
            times,
            over,
            dimension,
        })
    }
}

// === impl Reader ===

impl<'c> Reader<'c> {
    fn take(&mut self, mark: char) -> bool {
        let rest = self.rest.strip_prefix(mark);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn term(&mut self) -> Option<Measure> {
        let mut result = if self.take('/') {
            Measure::ONE.times(self.component()?, -1)?
        } else {
            self.component()?
        };
        loop {
            if self.take('.') {
                result = result.times(self.component()?, 1)?;
            } else if self.take('/') {
                result = result.times(self.component()?, -1)?;
            } else {
                return Some(result);
            }
        }
    }

    fn component(&mut self) -> Option<Measure> {
        if self.take('(') {
            self.depth += 1;
            (self.depth < 8).then_some(())?;
            let inner = self.term()?;
            self.depth -= 1;
            return self.take(')').then_some(inner);
        }
        let unit = self.unit()?;
        let exponent = self.exponent();
        self.annotation()?;
        unit.power(exponent?)
    }

    /// Reads `{anything}`, which UCUM ignores; alone it is the unit 1.
    fn annotation(&mut self) -> Option<()> {
        if self.take('{') {
            let (_, rest) = self.rest.split_once('}')?;
            self.rest = rest;
        }
        Some(())
    }

    fn unit(&mut self) -> Option<Measure> {
        if self.rest.starts_with('{') {
            // An annotation alone (`{score}`) is not treated as a number: scores of different kinds
            // are not comparable.
            return None;
        }
        let n_digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        if 0 < n_digits {
            let (digits, rest) = self.rest.split_at_checked(n_digits)?;
            self.rest = rest;
            if let (Some(power), "10") = (self.power_of_ten(), digits) {
                return Some(Measure::new(power, NONE));
            }
            let number: Decimal = digits
                .parse()
                .ok()
                .filter(|number: &Decimal| !number.is_zero())?;
            return Some(Measure::new(number, NONE));
        }
        let symbol = self.symbol();
        atom(symbol)
    }

    /// Reads `*6`, `*-3` or `^6` after `10`.
    fn power_of_ten(&mut self) -> Option<Decimal> {
        let rest = self.rest.strip_prefix(['*', '^'])?;
        let length = rest
            .bytes()
            .take_while(|b| b.is_ascii_digit() || *b == b'-')
            .count();
        let (exponent, rest) = rest.split_at_checked(length)?;
        self.rest = rest;
        ten_to(exponent.parse().ok()?)
    }

    /// Reads letters, `%`, `'` and complete brackets.
    fn symbol(&mut self) -> &'c str {
        let mut in_brackets = false;
        let end = self.rest.find(|c: char| {
            in_brackets = (in_brackets || c == '[') && c != ']';
            !in_brackets && !c.is_ascii_alphabetic() && !matches!(c, '%' | '\'' | ']' | '_')
        });
        let (symbol, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        symbol
    }

    fn exponent(&mut self) -> Option<i8> {
        let is_negative = self.take('-');
        let _ = is_negative || self.take('+');
        let n_digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.rest.split_at_checked(n_digits)?;
        self.rest = rest;
        if digits.is_empty() {
            return (!is_negative).then_some(1);
        }
        let exponent: i8 = digits.parse().ok().filter(|exponent| *exponent <= 9)?;
        Some(if is_negative { -exponent } else { exponent })
    }
}

fn atom(symbol: &str) -> Option<Measure> {
    let plain = ATOMS.iter().find(|(code, ..)| *code == symbol);
    if let Some(&(_, factor, dimension, _)) = plain {
        return Some(Measure::new(factor, dimension));
    }
    for (prefix, power) in PREFIXES {
        let Some(rest) = symbol.strip_prefix(prefix) else {
            continue;
        };
        let metric = ATOMS
            .iter()
            .find(|(code, _, _, metric)| *metric && *code == rest);
        if let Some(&(_, factor, dimension, _)) = metric {
            return Some(Measure::new(
                factor.checked_mul(ten_to(*power)?)?,
                dimension,
            ));
        }
    }
    None
}

fn ten_to(power: i32) -> Option<Decimal> {
    if power < 0 {
        return Decimal::try_from_i128_with_scale(1, power.unsigned_abs()).ok();
    }
    let power = u32::try_from(power).ok().filter(|power| *power <= 27)?;
    Decimal::try_from_i128_with_scale(10_i128.pow(power), 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_the_same_by_another_name() {
        for (a, b) in [
            ("mg/dL", "g/(100.L)"),
            ("m2", "m.m"),
            ("mm[Hg]", "m[Hg]/1000"),
            ("/min", "60.h-1"),
            ("10*3/uL", "10*9/L"),
            ("mL", "cm3"),
            ("%", "10*-2"),
            ("mg{total}", "mg"),
        ] {
            let (left, right) = measure(a).unwrap().factors(&measure(b).unwrap()).unwrap();
            assert_eq!(left, right, "{a} {b}");
        }
    }

    #[test]
    fn unknown_codes() {
        for code in [
            "",
            "[IU]",
            "Cel",
            "{score}",
            "[s]",
            "furlong",
            "m/",
            "mm[",
            "m99",
            "(((((((((m",
        ] {
            assert!(measure(code).is_none(), "{code}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(code in "[mgsdLk10*/.{}()\\[\\]%+-]{0,24}") {
            let _ = measure(&code);
        }
    }
}
