//! Dates and times of partial precision (FHIRPath N1 §Date, §DateTime, §Time).
//!
//! Invariants: every part present is valid in the Gregorian calendar; a part is present only if all
//! larger ones are; a comparison that missing parts could change is `None`.

mod arithmetic;
mod boundary;
mod text;

pub(crate) use arithmetic::Duration;

use base::{Precision, Timestamp};
use std::cmp::Ordering;

const DAY_NANOS: i128 = 86_400_000_000_000;
/// The easternmost and westernmost offsets in use, in minutes: the range of a missing offset.
pub(crate) const EASTMOST: i16 = 14 * 60;
pub(crate) const WESTMOST: i16 = -12 * 60;

/// A date to the year, month or day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Date {
    year: i16,
    month: u8,
    day: u8,
    precision: Precision,
}

/// A time of day to the hour, minute, second or a fraction of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Time {
    hour: u8,
    minute: u8,
    second: u8,
    nanos: u32,
    precision: Precision,
}

/// A date, with the time of day and the offset from UTC if known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DateTime {
    date: Date,
    time: Option<Time>,
    /// Minutes east of UTC.
    offset: Option<i16>,
}

// === impl Date ===

impl Date {
    /// Returns the precision: year, month or day.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Returns the year, and month and day if known.
    pub fn parts(&self) -> (i16, Option<u8>, Option<u8>) {
        let month = (Precision::Month <= self.precision).then_some(self.month);
        let day = (Precision::Day <= self.precision).then_some(self.day);
        (self.year, month, day)
    }

    /// Returns less, equal, greater, or `None` if the precisions leave it undecided.
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        DateTime::from(*self).compare(&DateTime::from(*other))
    }

    pub(crate) fn new(year: i16, month: u8, day: u8, precision: Precision) -> Option<Self> {
        let is_real = (1..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=days_in_month(year, month)).contains(&day);
        is_real.then_some(Self {
            year,
            month,
            day,
            precision,
        })
    }

    /// Returns the days since 1970-01-01; missing parts count as their first value.
    fn days(self) -> i64 {
        // Howard Hinnant, "chrono-compatible low-level date algorithms": days_from_civil.
        let (month, day) = (i64::from(self.month), i64::from(self.day));
        let year = i64::from(self.year) - i64::from(month <= 2);
        let era = year.div_euclid(400);
        let of_era = year.rem_euclid(400);
        let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
    }

    /// Returns the date this many days after 1970-01-01.
    fn from_days(days: i64) -> Option<Self> {
        let shifted = days.checked_add(719_468)?;
        let era = shifted.div_euclid(146_097);
        let of_era = shifted.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 {
            shifted_month + 3
        } else {
            shifted_month - 9
        };
        let year = year_of_era + era.checked_mul(400)? + i64::from(month <= 2);
        Self::new(
            i16::try_from(year).ok()?,
            month as u8,
            day as u8,
            Precision::Day,
        )
    }
}

// === impl Time ===

impl Time {
    /// Returns the precision: hour, minute, second or a fraction.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Returns less, equal, greater, or `None` if the precisions leave it undecided.
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        let steps = [
            (Precision::Hour, i64::from(self.hour), i64::from(other.hour)),
            (
                Precision::Minute,
                i64::from(self.minute),
                i64::from(other.minute),
            ),
            // Seconds and their fraction are one precision, compared as a decimal.
            (Precision::Second, self.second_nanos(), other.second_nanos()),
        ];
        compare_steps(&steps, self.precision, other.precision)
    }

    pub(crate) fn new(clock: (u8, u8, u8), nanos: u32, precision: Precision) -> Option<Self> {
        let (hour, minute, second) = clock;
        let is_real = hour < 24 && minute < 60 && second < 60 && nanos < 1_000_000_000;
        is_real.then_some(Self {
            hour,
            minute,
            second,
            nanos,
            precision,
        })
    }

    fn second_nanos(&self) -> i64 {
        i64::from(self.second) * 1_000_000_000 + i64::from(self.nanos)
    }

    /// Returns the nanoseconds since midnight.
    fn day_nanos(&self) -> i128 {
        let minutes = i128::from(self.hour) * 60 + i128::from(self.minute);
        minutes * 60_000_000_000 + i128::from(self.second_nanos())
    }

    /// Returns the time this many nanoseconds after midnight, wrapping around at midnight.
    fn from_day_nanos(nanos: i128, precision: Precision) -> Self {
        let nanos = nanos.rem_euclid(DAY_NANOS);
        let seconds = nanos / 1_000_000_000;
        Self {
            hour: (seconds / 3_600) as u8,
            minute: (seconds / 60 % 60) as u8,
            second: (seconds % 60) as u8,
            nanos: (nanos % 1_000_000_000) as u32,
            precision,
        }
    }
}

// === impl DateTime ===

impl DateTime {
    /// Converts an instant to local time at an offset, in minutes east of UTC.
    pub fn from_timestamp(at: Timestamp, offset_minutes: i16) -> Option<Self> {
        let micros = i128::from(at.micros()) + i128::from(offset_minutes) * 60_000_000;
        // To the millisecond: the finest that FHIRPath can write.
        let nanos = micros.div_euclid(1_000) * 1_000_000;
        Self::from_nanos(nanos, Precision::Fraction(3), Some(offset_minutes))
    }

    /// Returns the precision.
    pub fn precision(&self) -> Precision {
        self.time.map_or(self.date.precision, |time| time.precision)
    }

    /// Returns the date.
    pub fn date(&self) -> Date {
        self.date
    }

    /// Returns the time of day, if known.
    pub fn time(&self) -> Option<Time> {
        self.time
    }

    /// Returns the minutes east of UTC, if known.
    pub fn offset_minutes(&self) -> Option<i16> {
        self.offset
    }

    /// Returns less, equal, greater, or `None` if the precisions or a missing offset leave it
    /// undecided.
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self.offset, other.offset) {
            (Some(_), None) | (None, Some(_)) => self.compare_ranges(other),
            (Some(a), Some(b)) if a != b => self.in_utc()?.compare_parts(&other.in_utc()?),
            (Some(_), Some(_)) | (None, None) => self.compare_parts(other),
        }
    }

    fn compare_parts(&self, other: &Self) -> Option<Ordering> {
        let (a, b) = (self.date, other.date);
        let steps = [
            (Precision::Year, i64::from(a.year), i64::from(b.year)),
            (Precision::Month, i64::from(a.month), i64::from(b.month)),
            (Precision::Day, i64::from(a.day), i64::from(b.day)),
        ];
        let dates = compare_steps(&steps, a.precision, b.precision)?;
        if dates != Ordering::Equal {
            return Some(dates);
        }
        match (&self.time, &other.time) {
            (None, None) => Some(Ordering::Equal),
            (Some(a), Some(b)) => a.compare(b),
            (Some(_), None) | (None, Some(_)) => None,
        }
    }

    /// Compares when only one side has an offset: decided only if every offset in use gives the
    /// same answer.
    fn compare_ranges(&self, other: &Self) -> Option<Ordering> {
        let (a, b) = (self.range()?, other.range()?);
        if a.1 < b.0 {
            Some(Ordering::Less)
        } else if b.1 < a.0 {
            Some(Ordering::Greater)
        } else {
            None
        }
    }

    /// Returns the first and the last nanosecond since 1970 in UTC that the value may mean.
    fn range(&self) -> Option<(i128, i128)> {
        let low = self.low_boundary(17)?.utc_nanos();
        let high = self.high_boundary(17)?.utc_nanos();
        Some((low, high))
    }

    fn in_utc(&self) -> Option<Self> {
        match (self.time, self.offset) {
            (Some(time), Some(_)) => Self::from_nanos(self.utc_nanos(), time.precision, Some(0)),
            _ => Some(*self),
        }
    }

    fn utc_nanos(&self) -> i128 {
        self.nanos() - i128::from(self.offset.unwrap_or(0)) * 60_000_000_000
    }

    fn nanos(&self) -> i128 {
        i128::from(self.date.days()) * DAY_NANOS + self.time.map_or(0, |time| time.day_nanos())
    }

    fn from_nanos(nanos: i128, precision: Precision, offset: Option<i16>) -> Option<Self> {
        let days = i64::try_from(nanos.div_euclid(DAY_NANOS)).ok()?;
        let time = Time::from_day_nanos(nanos, precision);
        Some(Self {
            date: Date::from_days(days)?,
            time: Some(time),
            offset,
        })
    }
}

impl From<Date> for DateTime {
    fn from(date: Date) -> Self {
        Self {
            date,
            time: None,
            offset: None,
        }
    }
}

/// Compares part by part until one differs or one side ends.
fn compare_steps(
    steps: &[(Precision, i64, i64)],
    left: Precision,
    right: Precision,
) -> Option<Ordering> {
    for &(precision, a, b) in steps {
        match (precision <= left, precision <= right) {
            (true, true) if a == b => {}
            (true, true) => return Some(a.cmp(&b)),
            (false, false) => return Some(Ordering::Equal),
            (true, false) | (false, true) => return None,
        }
    }
    Some(Ordering::Equal)
}

fn days_in_month(year: i16, month: u8) -> u8 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(left: &str, right: &str, expected: Option<Ordering>) {
        let (left, right) = (
            DateTime::parse(left).unwrap(),
            DateTime::parse(right).unwrap(),
        );
        assert_eq!(left.compare(&right), expected);
        assert_eq!(right.compare(&left), expected.map(Ordering::reverse));
    }

    #[test]
    fn n1_date_time_comparison() {
        use Ordering::{Equal, Less};
        check("2018-03", "2018-03-01", None);
        check("2018-03", "2018-04-01", Some(Less));
        check("2018-03-01T10:30", "2018-03-01T10:30:00", None);
        check("2018-03-01T10:30:00", "2018-03-01T10:30:00.0", Some(Equal));
        check(
            "2017-11-05T01:30:00.0-04:00",
            "2017-11-05T00:30:00.0-05:00",
            Some(Equal),
        );
        check(
            "2017-11-05T23:30:00-04:00",
            "2017-11-06T03:31:00Z",
            Some(Less),
        );
    }

    #[test]
    fn a_missing_offset_may_mean_any() {
        check("2012-04-15T15:00:00Z", "2012-04-15T10:00:00", None);
        check(
            "2012-04-15T15:00:00Z",
            "2012-04-17T10:00:00",
            Some(Ordering::Less),
        );
        check("2012-04-15T15:00:00Z", "2012-04-15", None);
    }

    #[test]
    fn days_count_both_ways() {
        for days in (-719_162..2_932_896).step_by(97) {
            assert_eq!(Date::from_days(days).unwrap().days(), days);
        }
        assert_eq!(Date::parse("1970-01-01").unwrap().days(), 0);
        assert!(Date::from_days(3_000_000).is_none());
    }
}
