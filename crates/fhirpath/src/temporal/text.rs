//! Parsing and formatting of dates and times.

use super::{Date, DateTime, Time};
use base::Precision;
use std::fmt;

/// Cursor over fixed-width numbers and marks.
struct Scan<'t>(&'t [u8]);

impl Date {
    /// Parses `2024`, `2024-05` or `2024-05-17`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut scan = Scan(text.as_bytes());
        let date = scan.date()?;
        scan.is_done().then_some(date)
    }
}

impl Time {
    /// Parses `14`, `14:30`, `14:30:05` or `14:30:05.120`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut scan = Scan(text.as_bytes());
        let time = scan.time()?;
        scan.is_done().then_some(time)
    }
}

impl DateTime {
    /// Parses a date, or a date with `T`, a time of any precision, and an offset.
    pub fn parse(text: &str) -> Option<Self> {
        let mut scan = Scan(text.as_bytes());
        let date = scan.date()?;
        let mut value = Self::from(date);
        if scan.take(b'T') && !scan.is_done() {
            if date.precision != Precision::Day {
                return None;
            }
            value.time = Some(scan.time()?);
            if !scan.is_done() {
                value.offset = Some(scan.offset()?);
            }
        }
        scan.is_done().then_some(value)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.year)?;
        if Precision::Month <= self.precision {
            write!(f, "-{:02}", self.month)?;
        }
        if Precision::Day <= self.precision {
            write!(f, "-{:02}", self.day)?;
        }
        Ok(())
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}", self.hour)?;
        if Precision::Minute <= self.precision {
            write!(f, ":{:02}", self.minute)?;
        }
        if Precision::Second <= self.precision {
            write!(f, ":{:02}", self.second)?;
        }
        if let Precision::Fraction(n_digits) = self.precision {
            let digits = format!("{:09}", self.nanos);
            write!(
                f,
                ".{}",
                digits.get(..usize::from(n_digits)).unwrap_or(&digits)
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.date)?;
        if let Some(time) = self.time {
            write!(f, "T{time}")?;
        }
        match self.offset {
            None => Ok(()),
            Some(0) => f.write_str("Z"),
            Some(minutes) => {
                let sign = if minutes < 0 { '-' } else { '+' };
                write!(
                    f,
                    "{sign}{:02}:{:02}",
                    minutes.abs() / 60,
                    minutes.abs() % 60
                )
            }
        }
    }
}

// === impl Scan ===

impl Scan<'_> {
    fn is_done(&self) -> bool {
        self.0.is_empty()
    }

    fn take(&mut self, mark: u8) -> bool {
        match self.0.split_first() {
            Some((&first, rest)) if first == mark => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    fn number(&mut self, width: usize) -> Option<u32> {
        let (digits, rest) = self.0.split_at_checked(width)?;
        let mut value = 0;
        for digit in digits {
            value = value * 10 + u32::from(digit.is_ascii_digit().then(|| digit - b'0')?);
        }
        self.0 = rest;
        Some(value)
    }

    fn date(&mut self) -> Option<Date> {
        let year = self.number(4)? as i16;
        if !self.take(b'-') {
            return Date::new(year, 1, 1, Precision::Year);
        }
        let month = self.number(2)? as u8;
        if !self.take(b'-') {
            return Date::new(year, month, 1, Precision::Month);
        }
        Date::new(year, month, self.number(2)? as u8, Precision::Day)
    }

    fn time(&mut self) -> Option<Time> {
        let hour = self.number(2)? as u8;
        if !self.take(b':') {
            return Time::new((hour, 0, 0), 0, Precision::Hour);
        }
        let minute = self.number(2)? as u8;
        if !self.take(b':') {
            return Time::new((hour, minute, 0), 0, Precision::Minute);
        }
        let clock = (hour, minute, self.number(2)? as u8);
        if !self.take(b'.') {
            return Time::new(clock, 0, Precision::Second);
        }
        let n_digits = self.0.iter().take_while(|b| b.is_ascii_digit()).count();
        let kept = n_digits.min(9);
        let nanos = self.number(kept)? * 10_u32.pow(9 - kept as u32);
        // Digits past the ninth are beyond any clock.
        self.0 = self.0.get(n_digits - kept..)?;
        (0 < n_digits).then_some(())?;
        Time::new(clock, nanos, Precision::Fraction(kept as u8))
    }

    /// Reads the minutes east of UTC, if an offset begins here.
    fn offset(&mut self) -> Option<i16> {
        if self.take(b'Z') {
            return Some(0);
        }
        let sign = if self.take(b'-') {
            -1
        } else {
            i16::from(self.take(b'+'))
        };
        let hours = self.number(2)? as i16;
        self.take(b':').then_some(())?;
        let minutes = self.number(2)? as i16;
        let is_real = sign != 0 && hours <= 14 && minutes < 60;
        is_real.then_some(sign * (hours * 60 + minutes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written() {
        for text in [
            "2015",
            "2015-02",
            "2015-02-04",
            "2015-02-04T14",
            "2015-02-04T14:34",
            "2015-02-04T14:34:28",
            "2015-02-04T14:34:28.123",
            "2015-02-04T14:34:28Z",
            "2015-02-04T14:34:28.10+10:00",
        ] {
            assert_eq!(DateTime::parse(text).unwrap().to_string(), text);
        }
        for text in ["14", "14:34", "14:34:28", "14:34:28.120"] {
            assert_eq!(Time::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn text_that_is_not_a_date_or_time() {
        for text in [
            "",
            "15",
            "2015-13",
            "2015-02-29",
            "2015-02T14",
            "2015-02-04T25",
            "2015-02-04T14:34+1",
            "2015-02-04T14:60",
            "20150204",
        ] {
            assert!(DateTime::parse(text).is_none(), "{text}");
        }
        for text in ["", "1", "24", "14:3", "14:34:28.", "14:34Z"] {
            assert!(Time::parse(text).is_none(), "{text}");
        }
    }
}
