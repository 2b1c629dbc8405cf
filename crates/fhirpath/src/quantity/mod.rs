//! Numbers with units (FHIRPath N1 §Quantity).
//!
//! Invariant: two quantities are equal or ordered only if both units are known and have the same
//! dimension; otherwise the answer is `None`. For the supported part of UCUM see [`ucum`].

mod ucum;

use crate::number;
use crate::temporal::Duration;
use rust_decimal::Decimal;
use std::cmp::Ordering;
use std::fmt;
use ucum::Measure;

/// A number with a unit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Quantity {
    value: Decimal,
    unit: Unit,
}

/// The unit of a quantity.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// A calendar unit: `3 months`.
    Calendar(CalendarUnit),
    /// A UCUM code: `3 'mo'`.
    Ucum(Box<str>),
}

/// The time units that may follow a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CalendarUnit {
    /// `year`
    Year,
    /// `month`
    Month,
    /// `week`
    Week,
    /// `day`
    Day,
    /// `hour`
    Hour,
    /// `minute`
    Minute,
    /// `second`
    Second,
    /// `millisecond`
    Millisecond,
}

// === impl Quantity ===

impl Quantity {
    /// Creates a quantity.
    pub fn new(value: Decimal, unit: Unit) -> Self {
        Self { value, unit }
    }

    /// Creates a plain number: its unit is `'1'`.
    pub fn number(value: Decimal) -> Self {
        Self {
            value,
            unit: Unit::Ucum("1".into()),
        }
    }

    /// Returns the number.
    pub fn value(&self) -> Decimal {
        self.value
    }

    /// Returns the unit.
    pub fn unit(&self) -> &Unit {
        &self.unit
    }

    /// Parses `1`, `4.5 'mg'` or `2 days`.
    pub fn parse(text: &str) -> Option<Self> {
        let split = text.find(|c: char| !matches!(c, '0'..='9' | '.' | '+' | '-'));
        let (number, rest) = text.split_at(split.unwrap_or(text.len()));
        let value = number::parse(number)?;
        let rest = rest.trim();
        if rest.is_empty() {
            return Some(Self::number(value));
        }
        let quoted = rest
            .strip_prefix('\'')
            .and_then(|rest| rest.strip_suffix('\''));
        let unit = match quoted {
            Some("") => return None,
            Some(code) => Unit::Ucum(code.into()),
            None => Unit::Calendar(CalendarUnit::named(rest)?),
        };
        Some(Self { value, unit })
    }

    /// Returns the quantity with the same unit and another number.
    pub(crate) fn with_value(&self, value: Decimal) -> Self {
        Self {
            value,
            unit: self.unit.clone(),
        }
    }

    /// Returns less, equal or greater; `None` if the units cannot be compared.
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        let (a, b) = self.both_in_base(other)?;
        Some(a.cmp(&b))
    }

    /// Compares to the precision of the coarser number, in the larger of the two units.
    pub(crate) fn is_equivalent(&self, other: &Self) -> bool {
        let measures = self.measure_loosely().zip(other.measure_loosely());
        let Some((a, b)) = measures.and_then(|(a, b)| a.factors(&b)) else {
            return self.unit == other.unit && number::is_equivalent(self.value, other.value);
        };
        let (kept, moved, ratio) = if b <= a {
            (self.value, other.value, b.checked_div(a))
        } else {
            (other.value, self.value, a.checked_div(b))
        };
        let moved = ratio.and_then(|ratio| moved.checked_mul(ratio));
        moved.is_some_and(|moved| number::is_equivalent(kept, moved))
    }

    /// Returns whether both have the same dimension.
    pub(crate) fn is_comparable(&self, other: &Self) -> bool {
        self.unit == other.unit || self.both_in_base(other).is_some()
    }

    /// Converts to another unit, if it has the same dimension.
    pub(crate) fn in_unit(self, unit: &str) -> Option<Self> {
        let unit = match CalendarUnit::named(unit) {
            Some(word) => Unit::Calendar(word),
            None => Unit::Ucum(unit.into()),
        };
        if self.unit == unit {
            return Some(self);
        }
        let one = Self {
            value: Decimal::ONE,
            unit,
        };
        let (value, factor) = self.both_in_base(&one)?;
        Some(one.with_value(value.checked_div(factor)?))
    }

    pub(crate) fn plus(&self, other: &Self) -> Option<Self> {
        if self.unit == other.unit {
            return Some(self.with_value(self.value.checked_add(other.value)?));
        }
        // In the finer unit, so that no digit is lost.
        let (a, b) = self.measure()?.factors(&other.measure()?)?;
        let (finer, coarser, ratio) = if a <= b {
            (self, other, b.checked_div(a)?)
        } else {
            (other, self, a.checked_div(b)?)
        };
        let sum = coarser.value.checked_mul(ratio)?.checked_add(finer.value)?;
        Some(finer.with_value(sum))
    }

    pub(crate) fn times(&self, other: &Self) -> Option<Self> {
        let value = self.value.checked_mul(other.value)?;
        Some(Self {
            value,
            unit: self.unit.joined('.', &other.unit),
        })
    }

    pub(crate) fn over(&self, other: &Self) -> Option<Self> {
        let value = self.value.checked_div(other.value)?;
        Some(Self {
            value,
            unit: self.unit.joined('/', &other.unit),
        })
    }

    /// Converts to a duration that can be added to a date; `None` if the unit is not a time, or is
    /// a UCUM unit without a calendar equivalent (`'a'`, `'mo'`).
    pub(crate) fn duration(&self) -> Option<Duration> {
        const SECOND: i128 = 1_000_000_000;
        // The official suite adds only whole units, even of seconds.
        let count =
            i64::try_from(self.value.trunc().mantissa() / 10_i128.pow(self.value.trunc().scale()))
                .ok()?;
        let unit = match &self.unit {
            Unit::Calendar(unit) => *unit,
            Unit::Ucum(code) => {
                CalendarUnit::of_ucum(code).or_else(|| CalendarUnit::named(code))?
            }
        };
        let nanos = match unit {
            CalendarUnit::Year => return Some(Duration::Months(count.checked_mul(12)?)),
            CalendarUnit::Month => return Some(Duration::Months(count)),
            CalendarUnit::Week => 7 * 86_400 * SECOND,
            CalendarUnit::Day => 86_400 * SECOND,
            CalendarUnit::Hour => 3_600 * SECOND,
            CalendarUnit::Minute => 60 * SECOND,
            CalendarUnit::Second => SECOND,
            CalendarUnit::Millisecond => SECOND / 1_000,
        };
        Some(Duration::Nanos(i128::from(count) * nanos))
    }

    fn both_in_base(&self, other: &Self) -> Option<(Decimal, Decimal)> {
        if self.unit == other.unit {
            return Some((self.value, other.value));
        }
        let (a, b) = self.measure()?.factors(&other.measure()?)?;
        Some((self.value.checked_mul(a)?, other.value.checked_mul(b)?))
    }

    fn measure(&self) -> Option<Measure> {
        match &self.unit {
            Unit::Calendar(unit) => unit.measure(),
            Unit::Ucum(code) => ucum::measure(code),
        }
    }

    /// Measures for equivalence, which equates a calendar year with UCUM's.
    fn measure_loosely(&self) -> Option<Measure> {
        match &self.unit {
            Unit::Calendar(CalendarUnit::Year) => ucum::measure("a"),
            Unit::Calendar(CalendarUnit::Month) => ucum::measure("mo"),
            Unit::Calendar(_) | Unit::Ucum(_) => self.measure(),
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.unit {
            Unit::Calendar(unit) if self.value.abs() == Decimal::ONE => {
                write!(f, "{} {}", self.value, unit.name())
            }
            Unit::Calendar(unit) => write!(f, "{} {}s", self.value, unit.name()),
            Unit::Ucum(code) => write!(f, "{} '{code}'", self.value),
        }
    }
}

// === impl Unit ===

impl Unit {
    /// Returns the text of the unit: a UCUM code or the word.
    pub fn code(&self) -> &str {
        match self {
            Self::Calendar(unit) => unit.name(),
            Self::Ucum(code) => code,
        }
    }

    fn joined(&self, mark: char, other: &Self) -> Self {
        let (a, b) = (self.ucum_code(), other.ucum_code());
        match (a, mark, b) {
            (_, _, "1") => self.clone(),
            ("1", '.', _) => other.clone(),
            (a, '/', b) if a == b => Self::Ucum("1".into()),
            // UCUM reads from the left: `a/b.c` is `(a/b).c`.
            (a, '/', b) if b.contains(['.', '/']) => Self::Ucum(format!("{a}/({b})").into()),
            (a, mark, b) => Self::Ucum(format!("{a}{mark}{b}").into()),
        }
    }

    fn ucum_code(&self) -> &str {
        match self {
            Self::Calendar(unit) => unit.ucum(),
            Self::Ucum(code) => code,
        }
    }
}

// === impl CalendarUnit ===

impl CalendarUnit {
    const ALL: [Self; 8] = [
        Self::Year,
        Self::Month,
        Self::Week,
        Self::Day,
        Self::Hour,
        Self::Minute,
        Self::Second,
        Self::Millisecond,
    ];

    /// Returns the unit for the word, singular or plural.
    pub(crate) fn named(word: &str) -> Option<Self> {
        let word = word.strip_suffix('s').unwrap_or(word);
        Self::ALL.into_iter().find(|unit| unit.name() == word)
    }

    fn of_ucum(code: &str) -> Option<Self> {
        let definite =
            |unit: &Self| !matches!(unit, Self::Year | Self::Month) && unit.ucum() == code;
        Self::ALL.into_iter().find(definite)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Year => "year",
            Self::Month => "month",
            Self::Week => "week",
            Self::Day => "day",
            Self::Hour => "hour",
            Self::Minute => "minute",
            Self::Second => "second",
            Self::Millisecond => "millisecond",
        }
    }

    fn ucum(self) -> &'static str {
        match self {
            Self::Year => "a",
            Self::Month => "mo",
            Self::Week => "wk",
            Self::Day => "d",
            Self::Hour => "h",
            Self::Minute => "min",
            Self::Second => "s",
            Self::Millisecond => "ms",
        }
    }

    fn measure(self) -> Option<Measure> {
        match self {
            Self::Year => Some(Measure::calendar_months(12)),
            Self::Month => Some(Measure::calendar_months(1)),
            Self::Week
            | Self::Day
            | Self::Hour
            | Self::Minute
            | Self::Second
            | Self::Millisecond => ucum::measure(self.ucum()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantity(text: &str) -> Quantity {
        Quantity::parse(text).unwrap()
    }

    #[test]
    fn n1_quantity_equality() {
        for (a, b, expected) in [
            ("4.0 'g'", "4000 'mg'", Some(Ordering::Equal)),
            ("7 days", "1 week", Some(Ordering::Equal)),
            ("7 days", "1 'wk'", Some(Ordering::Equal)),
            ("1 year", "12 months", Some(Ordering::Equal)),
            ("1 year", "1 'a'", None),
            ("1 month", "30 days", None),
            ("1 'cm'", "1 's'", None),
            ("1 '{score}'", "2 '{score}'", Some(Ordering::Less)),
            ("1 'furlong'", "1 'furlong'", Some(Ordering::Equal)),
            ("1 'furlong'", "1 'm'", None),
        ] {
            assert_eq!(quantity(a).compare(&quantity(b)), expected, "{a} {b}");
        }
    }

    #[test]
    fn n1_quantity_equivalence() {
        for (a, b, expected) in [
            ("4 'g'", "4000 'mg'", true),
            ("4 'g'", "4040 'mg'", true),
            ("4 'g'", "4600 'mg'", false),
            ("1 year", "1 'a'", true),
            ("1 'cm'", "1 's'", false),
        ] {
            assert_eq!(quantity(a).is_equivalent(&quantity(b)), expected, "{a} {b}");
            assert_eq!(quantity(b).is_equivalent(&quantity(a)), expected, "{b} {a}");
        }
    }

    #[test]
    fn n1_quantity_arithmetic() {
        let area = quantity("2.0 'cm'").times(&quantity("2.0 'm'")).unwrap();
        assert_eq!(area.compare(&quantity("0.040 'm2'")), Some(Ordering::Equal));
        let ratio = quantity("4.0 'g'").over(&quantity("2.0 'm'")).unwrap();
        assert_eq!(ratio.compare(&quantity("2 'g/m'")), Some(Ordering::Equal));
        let sum = quantity("1 'm'").plus(&quantity("3 'cm'")).unwrap();
        assert_eq!(sum.to_string(), "103 'cm'");
    }
}
