//! Adding calendar durations (FHIRPath N1 §Date/Time Arithmetic).

use super::{DAY_NANOS, Date, DateTime, Time, days_in_month};
use base::Precision;

/// A duration that can be added: whole months, or nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Duration {
    Months(i64),
    Nanos(i128),
}

impl Date {
    /// Adds a duration to the date; `None` outside of the years 1 to 9999. Anything finer than the
    /// date's own precision is truncated: 24 months after `2014` is `2016`.
    pub(crate) fn plus(self, duration: Duration) -> Option<Self> {
        match (duration, self.precision) {
            (Duration::Months(n), Precision::Year) => self.plus_months(n / 12 * 12),
            (Duration::Months(n), _) => self.plus_months(n),
            (Duration::Nanos(n), Precision::Year) => {
                self.plus_months((n / DAY_NANOS / 365 * 12) as i64)
            }
            (Duration::Nanos(n), Precision::Month) => self.plus_months((n / DAY_NANOS / 30) as i64),
            (Duration::Nanos(n), _) => {
                let days = i64::try_from(n / DAY_NANOS).ok()?;
                Self::from_days(self.days().checked_add(days)?)
            }
        }
    }

    /// Adds months; a day that the month does not have becomes its last day.
    fn plus_months(self, n_months: i64) -> Option<Self> {
        let months = i64::from(self.year) * 12 + i64::from(self.month) - 1;
        let months = months.checked_add(n_months)?;
        let year = i16::try_from(months.div_euclid(12)).ok()?;
        let month = (months.rem_euclid(12) + 1) as u8;
        let day = self.day.min(days_in_month(year, month));
        Self::new(year, month, day, self.precision)
    }
}

impl Time {
    /// Adds a duration to the time, wrapping around at midnight.
    pub(crate) fn plus(&self, duration: Duration) -> Option<Self> {
        match duration {
            Duration::Months(_) => None,
            Duration::Nanos(n) => {
                let n = cut(n, self.precision);
                Some(Self::from_day_nanos(
                    self.day_nanos() + n % DAY_NANOS,
                    self.precision,
                ))
            }
        }
    }
}

impl DateTime {
    /// Adds a duration to the moment; `None` outside of the years 1 to 9999.
    pub(crate) fn plus(&self, duration: Duration) -> Option<Self> {
        match (self.time, duration) {
            (None, _) | (_, Duration::Months(_)) => Some(Self {
                date: self.date.plus(duration)?,
                ..*self
            }),
            (Some(time), Duration::Nanos(n)) => {
                let nanos = self.nanos().checked_add(cut(n, time.precision))?;
                Self::from_nanos(nanos, time.precision, self.offset)
            }
        }
    }
}

/// Truncates anything finer than the precision.
fn cut(nanos: i128, precision: Precision) -> i128 {
    let unit = match precision {
        Precision::Year | Precision::Month | Precision::Day => DAY_NANOS,
        Precision::Hour => 3_600_000_000_000,
        Precision::Minute => 60_000_000_000,
        // Seconds and their fraction are one precision.
        Precision::Second | Precision::Fraction(_) => 1,
    };
    nanos / unit * unit
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i128 = 3_600_000_000_000;

    #[track_caller]
    fn check(from: &str, duration: Duration, expected: Option<&str>) {
        let sum = DateTime::parse(from).unwrap().plus(duration);
        assert_eq!(sum.map(|sum| sum.to_string()).as_deref(), expected);
    }

    #[test]
    fn n1_date_time_arithmetic() {
        check("2012-02-29", Duration::Months(12), Some("2013-02-28"));
        check("2014", Duration::Months(24), Some("2016"));
        check("2014", Duration::Months(23), Some("2015"));
        check("2014-01", Duration::Nanos(61 * DAY_NANOS), Some("2014-03"));
        check("2014-01-31", Duration::Nanos(25 * HOUR), Some("2014-02-01"));
        check("2014-01-31", Duration::Months(-11), Some("2013-02-28"));
        check(
            "2014-12-31T23:30:00Z",
            Duration::Nanos(HOUR),
            Some("2015-01-01T00:30:00Z"),
        );
        check(
            "2014-12-31T23",
            Duration::Nanos(HOUR + 1),
            Some("2015-01-01T00"),
        );
        check("9999-12-31", Duration::Nanos(DAY_NANOS), None);
        check("0001-01-01", Duration::Months(-1), None);
    }

    #[test]
    fn a_time_wraps_round() {
        let time = Time::parse("23:30")
            .unwrap()
            .plus(Duration::Nanos(HOUR))
            .unwrap();
        assert_eq!(time.to_string(), "00:30");
    }
}
