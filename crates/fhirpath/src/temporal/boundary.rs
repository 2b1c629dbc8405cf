//! The first and last value of a finer precision that a coarser one may mean, and the precision of
//! a value, counted in digits: `2014` has 4, `2014-01-05T10:30:00.000` has 17, `10:30` has 4.

use super::{Date, DateTime, EASTMOST, Time, WESTMOST, days_in_month};
use base::Precision;

impl Date {
    /// Returns the number of known digits.
    pub(crate) fn n_digits(self) -> u8 {
        match self.precision {
            Precision::Year => 4,
            Precision::Month => 6,
            _ => 8,
        }
    }

    pub(crate) fn low_boundary(self, n_digits: i32) -> Option<Self> {
        self.with_digits(n_digits, self.month, self.day)
    }

    pub(crate) fn high_boundary(self, n_digits: i32) -> Option<Self> {
        let month = if self.precision == Precision::Year {
            12
        } else {
            self.month
        };
        let known = Precision::Day <= self.precision;
        let day = if known {
            self.day
        } else {
            days_in_month(self.year, month)
        };
        self.with_digits(n_digits, month, day)
    }

    fn with_digits(self, n_digits: i32, month: u8, day: u8) -> Option<Self> {
        match n_digits {
            4 => Self::new(self.year, 1, 1, Precision::Year),
            6 => Self::new(self.year, month, 1, Precision::Month),
            8 => Self::new(self.year, month, day, Precision::Day),
            _ => None,
        }
    }
}

impl Time {
    /// Returns the number of known digits.
    pub(crate) fn n_digits(&self) -> u8 {
        match self.precision {
            Precision::Hour => 2,
            Precision::Minute => 4,
            Precision::Fraction(n) => 6 + n,
            _ => 6,
        }
    }

    pub(crate) fn low_boundary(&self, n_digits: i32) -> Option<Self> {
        Self::cut(n_digits, (self.hour, self.minute, self.second), self.nanos)
    }

    pub(crate) fn high_boundary(&self, n_digits: i32) -> Option<Self> {
        let minute = if self.precision < Precision::Minute {
            59
        } else {
            self.minute
        };
        let second = if self.precision < Precision::Second {
            59
        } else {
            self.second
        };
        let nanos = match self.precision {
            Precision::Fraction(n) => {
                let unit = 10_u32.pow(9_u32.saturating_sub(u32::from(n)));
                self.nanos + (unit - 1)
            }
            _ => 999_999_999,
        };
        Self::cut(n_digits, (self.hour, minute, second), nanos)
    }

    fn cut(n_digits: i32, clock: (u8, u8, u8), nanos: u32) -> Option<Self> {
        let (hour, minute, _) = clock;
        match n_digits {
            2 => Self::new((hour, 0, 0), 0, Precision::Hour),
            4 => Self::new((hour, minute, 0), 0, Precision::Minute),
            6 => Self::new(clock, 0, Precision::Second),
            9 => Self::new(clock, nanos / 1_000_000 * 1_000_000, Precision::Fraction(3)),
            _ => None,
        }
    }
}

impl DateTime {
    /// Returns the number of known digits.
    pub(crate) fn n_digits(&self) -> u8 {
        self.time
            .map_or(self.date.n_digits(), |time| 8 + time.n_digits())
    }

    pub(crate) fn low_boundary(&self, n_digits: i32) -> Option<Self> {
        if n_digits <= 8 {
            return self.date.low_boundary(n_digits).map(Self::from);
        }
        let date = self.date.low_boundary(8)?;
        let midnight = Time::new((0, 0, 0), 0, Precision::Fraction(9))?;
        let time = self.time.unwrap_or(midnight).low_boundary(n_digits - 8)?;
        Some(Self {
            date,
            time: Some(time),
            offset: self.offset.or(Some(EASTMOST)),
        })
    }

    pub(crate) fn high_boundary(&self, n_digits: i32) -> Option<Self> {
        if n_digits <= 8 {
            return self.date.high_boundary(n_digits).map(Self::from);
        }
        let date = self.date.high_boundary(8)?;
        let last = Time::new((23, 59, 59), 999_999_999, Precision::Fraction(9))?;
        let time = match self.time {
            // FHIR has no hour without minutes: the official suite reads `T08` as `T08:00`.
            Some(time) if time.precision == Precision::Hour => Time {
                precision: Precision::Minute,
                ..time
            },
            Some(time) => time,
            None => last,
        };
        let time = time.high_boundary(n_digits - 8)?;
        Some(Self {
            date,
            time: Some(time),
            offset: self.offset.or(Some(WESTMOST)),
        })
    }
}
