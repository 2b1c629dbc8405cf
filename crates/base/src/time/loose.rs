//! Malformed HL7 v2 times with an unambiguous meaning.
//!
//! Invariants: the day read is the day sent; nothing is added; a text with more than one possible
//! reading (`01/02/2024`) is not read.

use super::scan::Scan;
use super::{DateTime, InvalidDateTime, Precision};

/// The extent to which a text was read as a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// The whole text, in standard form or nearly so.
    Whole,
    /// The whole text, in the form of FHIR and ISO 8601: `2024-01-05T09:30:00Z`.
    Iso,
    /// The date only; the rest is not a time of day.
    DateOnly,
    /// The year, or the year and the month; zeros stand for the rest: `19800000`.
    ZerosForUnknown,
}

// === impl DateTime ===

impl DateTime {
    /// Reads a sender's HL7 v2 time if it has only one possible meaning.
    pub fn read_hl7(text: &str) -> Result<(Self, Reading), InvalidDateTime> {
        if let Ok(value) = Self::parse_hl7(text) {
            return Ok((value, Reading::Whole));
        }
        let iso = text.as_bytes().get(4) == Some(&b'-');
        if iso && let Some(value) = Self::iso(text) {
            return Ok((value, Reading::Iso));
        }
        if let Some((date, rest)) = text.split_at_checked(8)
            && let Some(time) = rest.strip_prefix([' ', 'T'])
            && let Ok(value) = Self::parse_hl7(&format!("{date}{time}"))
            && value.has_time()
        {
            return Ok((value, Reading::Iso));
        }
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        match text.split_at_checked(8) {
            Some((date, _)) if 8 <= digits => Self::from_date(date),
            _ if digits == 6 && text.len() == 6 && text.ends_with("00") => {
                let value = Self::parse_hl7(text.get(..4).unwrap_or_default())?;
                Ok((value, Reading::ZerosForUnknown))
            }
            _ => Err(InvalidDateTime),
        }
    }

    /// Reads an eight-digit date: a valid one, or one whose day, or month and day, is `00`.
    fn from_date(date: &str) -> Result<(Self, Reading), InvalidDateTime> {
        if let Ok(value) = Self::parse_hl7(date) {
            return Ok((value, Reading::DateOnly));
        }
        let known = match date.get(4..) {
            Some("0000") => date.get(..4),
            Some(rest) if rest.ends_with("00") => date.get(..6),
            _ => None,
        };
        let value = Self::parse_hl7(known.ok_or(InvalidDateTime)?)?;
        Ok((value, Reading::ZerosForUnknown))
    }

    /// Reads `2024-01-05`, `2024-01-05T09:30:00Z`, `2024-01-05 09:30`.
    fn iso(text: &str) -> Option<Self> {
        if let Ok(value) = Self::parse_fhir(text) {
            return Some(value);
        }
        let (date, _) = text.split_at_checked(10)?;
        let mut value = Self::parse_fhir(date).ok()?;
        let mut scan = Scan(text.as_bytes().get(10..)?);
        if value.precision != Precision::Day || !scan.take_gap() {
            return None;
        }
        value.hour = scan.number(2).ok()? as i8;
        scan.expect(b':').ok()?;
        value.minute = scan.number(2).ok()? as i8;
        value.precision = Precision::Minute;
        if scan.take(b':') {
            value.second = scan.number(2).ok()? as i8;
            value.precision = Precision::Second;
            if scan.take(b'.') {
                value.fraction(&mut scan).ok()?;
            }
        }
        value.offset = scan.loose_offset().ok()?;
        if scan.is_done() {
            value.checked().ok()
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Zone;
    use proptest::prelude::*;

    fn read(text: &str) -> Option<(String, Reading)> {
        let (value, reading) = DateTime::read_hl7(text).ok()?;
        Some((value.to_fhir(&Zone::utc()), reading))
    }

    #[track_caller]
    fn reads(text: &str, fhir: &str, reading: Reading) {
        assert_eq!(read(text), Some((fhir.to_owned(), reading)), "{text}");
    }

    #[test]
    fn offsets_of_other_standards() {
        reads("200902250930Z", "2009-02-25T09:30:00Z", Reading::Whole);
        reads("200902250930z", "2009-02-25T09:30:00Z", Reading::Whole);
        reads(
            "20180703212010+00",
            "2018-07-03T21:20:10+00:00",
            Reading::Whole,
        );
        reads(
            "20180703212010-06",
            "2018-07-03T21:20:10-06:00",
            Reading::Whole,
        );
        reads(
            "20180703212010+05:30",
            "2018-07-03T21:20:10+05:30",
            Reading::Whole,
        );
        reads(
            "20180703212010.5-0600",
            "2018-07-03T21:20:10.5-06:00",
            Reading::Whole,
        );
    }

    #[test]
    fn iso_8601() {
        reads("2024-01-05", "2024-01-05", Reading::Iso);
        reads("2024-01-05T09:30:00Z", "2024-01-05T09:30:00Z", Reading::Iso);
        reads(
            "2024-01-05 09:30",
            "2024-01-05T09:30:00+00:00",
            Reading::Iso,
        );
        reads("20240105 0930", "2024-01-05T09:30:00+00:00", Reading::Iso);
        reads("20240105T093010Z", "2024-01-05T09:30:10Z", Reading::Iso);
        reads(
            "2024-01-05 09:30:10+01",
            "2024-01-05T09:30:10+01:00",
            Reading::Iso,
        );
    }

    #[test]
    fn a_date_survives_what_follows_it() {
        reads("20240105240000", "2024-01-05", Reading::DateOnly);
        reads("2024010509:30", "2024-01-05", Reading::DateOnly);
        reads("20240105 930", "2024-01-05", Reading::DateOnly);
        reads("202401050930+9", "2024-01-05", Reading::DateOnly);
        reads("19800000", "1980", Reading::ZerosForUnknown);
        reads("19800500", "1980-05", Reading::ZerosForUnknown);
        reads("198000", "1980", Reading::ZerosForUnknown);
    }

    #[test]
    fn an_ambiguous_date_is_not_read() {
        for text in [
            "01/02/2024",
            "05012024",
            "20241332",
            "20240230",
            "00000000",
            "5 Jan",
            "",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    proptest! {
        /// Whatever follows eight digits that are a date, the date is the one sent, and only the
        /// sender's own offset moves it.
        #[test]
        fn the_day_stays(
            year in 1900..2100_u32,
            month in 1..13_u32,
            day in 1..29_u32,
            rest in "([0-2][0-9]([0-5][0-9]([0-5][0-9](\\.[0-9]{1,6})?)?)?)?(Z|z|[+-][01][0-9](:?[0-5][0-9])?| ?[A-Z]{0,4}| [0-9:]{0,8})?",
        ) {
            let text = format!("{year:04}{month:02}{day:02}{rest}");
            let found = read(&text);
            prop_assert!(found.is_some(), "{text}");
            let (fhir, _) = found.unwrap();
            prop_assert_eq!(&fhir[..10], format!("{year:04}-{month:02}-{day:02}"), "{}", text);
        }

        #[test]
        fn takes_any_text(text in "[0-9TZ:+. \\-]{0,30}") {
            let _ = DateTime::read_hl7(&text);
        }
    }
}
