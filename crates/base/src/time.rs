//! Instants, and dates with the precision that the sender gave.

mod loose;
mod scan;

pub use loose::Reading as TimeReading;

use jiff::civil;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use scan::Scan;
use std::fmt;

/// An instant in UTC, in microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The precision of a date and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Precision {
    /// `2024`
    Year,
    /// `2024-05`
    Month,
    /// `2024-05-17`
    Day,
    /// HL7 v2 only: `2024051714`
    Hour,
    /// `2024-05-17T14:30`, HL7 v2 `202405171430`
    Minute,
    /// `2024-05-17T14:30:05`
    Second,
    /// `2024-05-17T14:30:05.120`; the number of digits is kept.
    Fraction(u8),
}

/// An offset from UTC as the sender wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UtcOffset {
    /// `Z`
    Zulu,
    /// `+HH:MM` or `-HH:MM`, in minutes.
    Minutes(i16),
}

/// A date or date and time with the precision that the sender gave. A year is not the first of
/// January.
///
/// Invariant: every part present is valid in the Gregorian calendar; a part is present only if all
/// larger parts are; an offset is present only with an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DateTime {
    precision: Precision,
    year: i16,
    month: i8,
    day: i8,
    hour: i8,
    minute: i8,
    second: i8,
    nanos: i32,
    offset: Option<UtcOffset>,
}

/// The error for text that is not a date or date and time. The text is not included: a date may be
/// PHI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a date or time")]
pub struct InvalidDateTime;

/// A time zone by its IANA name, such as `America/Chicago`.
#[derive(Clone, Debug)]
pub struct Zone(TimeZone);

// === impl Timestamp ===

impl Timestamp {
    /// Creates an instant from microseconds since 1970-01-01T00:00:00Z.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Returns the microseconds since 1970-01-01T00:00:00Z.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Formats as a FHIR `instant` in UTC with milliseconds: `2024-05-17T14:30:05.120Z`.
    pub fn to_fhir(self) -> String {
        let at = self.civil();
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            at.year(),
            at.month(),
            at.day(),
            at.hour(),
            at.minute(),
            at.second(),
            at.subsec_nanosecond() / 1_000_000
        )
    }

    /// Formats as an HL7 v2 `DTM` in UTC: `20240517143005.120+0000`.
    pub fn to_hl7(self) -> String {
        let at = self.civil();
        format!(
            "{:04}{:02}{:02}{:02}{:02}{:02}.{:03}+0000",
            at.year(),
            at.month(),
            at.day(),
            at.hour(),
            at.minute(),
            at.second(),
            at.subsec_nanosecond() / 1_000_000
        )
    }

    fn civil(self) -> civil::DateTime {
        let at = jiff::Timestamp::from_microsecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        Offset::UTC.to_datetime(at)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_fhir())
    }
}

// === impl Zone ===

impl Zone {
    /// Returns UTC.
    pub fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// Returns the zone with that IANA name, from the database built into the program.
    pub fn named(name: &str) -> Option<Self> {
        TimeZone::get(name).ok().map(Self)
    }

    /// Returns the offset at that local time, and whether a DST change makes the time ambiguous or
    /// skips it.
    pub fn offset_at(&self, local: &DateTime) -> (UtcOffset, bool) {
        let ambiguous = self.0.to_ambiguous_timestamp(local.civil());
        let (offset, doubtful) = match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { offset } => (offset, false),
            // The earlier reading in both cases; the caller marks it.
            AmbiguousOffset::Gap { before, .. } | AmbiguousOffset::Fold { before, .. } => {
                (before, true)
            }
        };
        (UtcOffset::Minutes((offset.seconds() / 60) as i16), doubtful)
    }
}

// === impl UtcOffset ===

impl UtcOffset {
    /// Returns the minutes east of UTC.
    pub fn minutes(self) -> i16 {
        match self {
            Self::Zulu => 0,
            Self::Minutes(minutes) => minutes,
        }
    }
}

// === impl DateTime ===

impl DateTime {
    /// Parses a FHIR `date`, `dateTime` or `instant`.
    pub fn parse_fhir(text: &str) -> Result<Self, InvalidDateTime> {
        let mut scan = Scan(text.as_bytes());
        let mut value = Self::year_only(scan.number(4)?);
        if scan.is_done() {
            return value.checked();
        }
        scan.expect(b'-')?;
        value.month = scan.number(2)? as i8;
        value.precision = Precision::Month;
        if scan.is_done() {
            return value.checked();
        }
        scan.expect(b'-')?;
        value.day = scan.number(2)? as i8;
        value.precision = Precision::Day;
        if scan.is_done() {
            return value.checked();
        }
        scan.expect(b'T')?;
        value.hour = scan.number(2)? as i8;
        scan.expect(b':')?;
        value.minute = scan.number(2)? as i8;
        value.precision = Precision::Minute;
        if scan.take(b':') {
            value.second = scan.number(2)? as i8;
            value.precision = Precision::Second;
            if scan.take(b'.') {
                value.fraction(&mut scan)?;
            }
        }
        value.offset = scan.offset(true)?;
        if scan.is_done() {
            value.checked()
        } else {
            Err(InvalidDateTime)
        }
    }

    /// Parses an HL7 v2 `DTM`, `TS.1` or `DT`: `YYYY[MM[DD[HH[MM[SS[.S[S[S[S]]]]]]]]][+/-ZZZZ]`
    /// (HL7 v2.8.2 ch. 2A, DTM), also with an offset written as in FHIR and ISO 8601.
    /// [`DateTime::read_hl7`] accepts more.
    pub fn parse_hl7(text: &str) -> Result<Self, InvalidDateTime> {
        let mut scan = Scan(text.as_bytes());
        let value = Self::scan_hl7(&mut scan)?;
        if scan.is_done() {
            value.checked()
        } else {
            Err(InvalidDateTime)
        }
    }

    fn scan_hl7(scan: &mut Scan<'_>) -> Result<Self, InvalidDateTime> {
        let mut value = Self::year_only(scan.number(4)?);
        if scan.at_digit() {
            value.month = scan.number(2)? as i8;
            value.precision = Precision::Month;
        }
        if scan.at_digit() {
            value.day = scan.number(2)? as i8;
            value.precision = Precision::Day;
        }
        if scan.at_digit() {
            value.hour = scan.number(2)? as i8;
            value.precision = Precision::Hour;
        }
        if scan.at_digit() {
            value.minute = scan.number(2)? as i8;
            value.precision = Precision::Minute;
        }
        if scan.at_digit() {
            value.second = scan.number(2)? as i8;
            value.precision = Precision::Second;
            if scan.take(b'.') {
                value.fraction(scan)?;
            }
        }
        if Precision::Hour <= value.precision {
            value.offset = scan.loose_offset()?;
        }
        Ok(value)
    }

    /// Returns the precision that the sender gave.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Returns the sender's offset.
    pub fn offset(&self) -> Option<UtcOffset> {
        self.offset
    }

    /// Returns true from [`Precision::Hour`] on.
    pub fn has_time(&self) -> bool {
        Precision::Hour <= self.precision
    }

    /// Returns the year, and month and day if known.
    pub fn date_parts(&self) -> (i16, Option<i8>, Option<i8>) {
        (
            self.year,
            (Precision::Month <= self.precision).then_some(self.month),
            (Precision::Day <= self.precision).then_some(self.day),
        )
    }

    /// Sets the offset if a time is known; otherwise returns the value unchanged.
    #[must_use]
    pub fn with_offset(mut self, offset: UtcOffset) -> Self {
        if self.has_time() {
            self.offset = Some(offset);
        }
        self
    }

    /// Truncates to the date.
    #[must_use]
    pub fn date_only(mut self) -> Self {
        if self.has_time() {
            self.precision = Precision::Day;
            (self.hour, self.minute, self.second, self.nanos) = (0, 0, 0, 0);
            self.offset = None;
        }
        self
    }

    /// Formats as FHIR. An HL7 v2 hour without minutes becomes a date: FHIR cannot express an hour,
    /// and minutes would be invented. A time without an offset takes `zone`'s.
    pub fn to_fhir(&self, zone: &Zone) -> String {
        let (year, month, day) = (self.year, self.month, self.day);
        match self.precision {
            Precision::Year => format!("{year:04}"),
            Precision::Month => format!("{year:04}-{month:02}"),
            Precision::Day | Precision::Hour => format!("{year:04}-{month:02}-{day:02}"),
            Precision::Minute | Precision::Second | Precision::Fraction(_) => {
                // R4 dateTime: seconds must be given, and may be zero-filled
                // (datatypes.html#dateTime).
                let offset = self.offset.unwrap_or_else(|| zone.offset_at(self).0);
                let mut text = String::with_capacity(32);
                text.extend(two((year / 100) as i8));
                text.extend(two((year % 100) as i8));
                for (before, number) in [
                    ('-', month),
                    ('-', day),
                    ('T', self.hour),
                    (':', self.minute),
                    (':', self.second),
                ] {
                    text.push(before);
                    text.extend(two(number));
                }
                text.push_str(&self.fraction_text());
                text.push_str(&offset_text(offset, true));
                text
            }
        }
    }

    /// Formats as HL7 v2, with the offset if there is one.
    pub fn to_hl7(&self) -> String {
        let (year, month, day) = (self.year, self.month, self.day);
        let (hour, minute, second) = (self.hour, self.minute, self.second);
        let text = match self.precision {
            Precision::Year => format!("{year:04}"),
            Precision::Month => format!("{year:04}{month:02}"),
            Precision::Day => format!("{year:04}{month:02}{day:02}"),
            Precision::Hour => format!("{year:04}{month:02}{day:02}{hour:02}"),
            Precision::Minute => format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}"),
            Precision::Second | Precision::Fraction(_) => {
                let fraction = self.fraction_text();
                format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}{fraction}")
            }
        };
        match self.offset {
            Some(offset) => text + &offset_text(offset, false),
            None => text,
        }
    }

    /// Returns the first and the last microsecond that the value may mean, in UTC; a value without
    /// an offset is read in `zone`. Search compares the two ends (FHIR R4 search.html#date).
    pub fn bounds(&self, zone: &Zone) -> (Timestamp, Timestamp) {
        let first = self.civil();
        let span = match self.precision {
            Precision::Year => jiff::Span::new().years(1),
            Precision::Month => jiff::Span::new().months(1),
            Precision::Day => jiff::Span::new().days(1),
            Precision::Hour => jiff::Span::new().hours(1),
            Precision::Minute => jiff::Span::new().minutes(1),
            Precision::Second => jiff::Span::new().seconds(1),
            Precision::Fraction(n_digits) => {
                let nanos = 10_i64.pow(9_u32.saturating_sub(u32::from(n_digits)));
                jiff::Span::new().nanoseconds(nanos.max(1_000))
            }
        };
        let end = first.checked_add(span).unwrap_or(civil::DateTime::MAX);
        let low = self.instant(first, zone);
        let high = self.instant(end, zone);
        (Timestamp(low), Timestamp((high - 1).max(low)))
    }

    /// Returns an instant for ordering events, if a time to the minute is known.
    pub fn timestamp(&self, zone: &Zone) -> Timestamp {
        self.bounds(zone).0
    }

    fn instant(&self, local: civil::DateTime, zone: &Zone) -> i64 {
        let at = match self.offset {
            Some(offset) => Offset::from_seconds(i32::from(offset.minutes()) * 60)
                .and_then(|offset| offset.to_timestamp(local)),
            None => zone.0.to_ambiguous_timestamp(local).compatible(),
        };
        match at {
            Ok(at) => at.as_microsecond(),
            Err(_) if local.year() < 1970 => i64::MIN / 2,
            Err(_) => i64::MAX / 2,
        }
    }

    fn year_only(year: u32) -> Self {
        Self {
            precision: Precision::Year,
            year: year as i16,
            month: 1,
            day: 1,
            hour: 0,
            minute: 0,
            second: 0,
            nanos: 0,
            offset: None,
        }
    }

    fn fraction(&mut self, scan: &mut Scan<'_>) -> Result<(), InvalidDateTime> {
        let mut n_digits = 0_u8;
        let mut nanos = 0_i32;
        while scan.at_digit() {
            let digit = scan.number(1)? as i32;
            n_digits = n_digits.saturating_add(1);
            // Digits past the ninth are beyond any clock.
            if n_digits <= 9 {
                nanos += digit * 10_i32.pow(9 - u32::from(n_digits));
            }
        }
        if n_digits == 0 {
            return Err(InvalidDateTime);
        }
        self.nanos = nanos;
        self.precision = Precision::Fraction(n_digits.min(9));
        Ok(())
    }

    fn fraction_text(&self) -> String {
        match self.precision {
            Precision::Fraction(n_digits) => {
                let digits = format!("{:09}", self.nanos);
                format!(
                    ".{}",
                    digits.get(..usize::from(n_digits)).unwrap_or(&digits)
                )
            }
            _ => String::new(),
        }
    }

    fn civil(&self) -> civil::DateTime {
        // Second 60 is a leap second; jiff clamps what it reads and so do we.
        civil::DateTime::new(
            self.year,
            self.month,
            self.day,
            self.hour,
            self.minute,
            self.second.min(59),
            self.nanos,
        )
        .unwrap_or(civil::DateTime::MIN)
    }

    fn checked(self) -> Result<Self, InvalidDateTime> {
        let date = civil::Date::new(self.year, self.month, self.day);
        let time_ok = self.hour <= 23 && self.minute <= 59 && self.second <= 60;
        let offset_ok = self
            .offset
            .is_none_or(|offset| offset.minutes().abs() <= 14 * 60);
        if date.is_ok() && 1 <= self.year && time_ok && offset_ok {
            Ok(self)
        } else {
            Err(InvalidDateTime)
        }
    }
}

/// Formats two digits. The standard number formatting costs more than the rest of a conversion.
fn two(number: i8) -> [char; 2] {
    let digit = |number: u8| char::from(b'0' + number % 10);
    let number = number.unsigned_abs();
    [digit(number / 10), digit(number)]
}

fn offset_text(offset: UtcOffset, colon: bool) -> String {
    match offset {
        UtcOffset::Zulu if colon => "Z".to_owned(),
        UtcOffset::Zulu => "+0000".to_owned(),
        UtcOffset::Minutes(minutes) => {
            let sign = if minutes < 0 { '-' } else { '+' };
            let (hours, rest) = (minutes.abs() / 60, minutes.abs() % 60);
            let colon = if colon { ":" } else { "" };
            let mut text = String::with_capacity(6);
            text.push(sign);
            text.extend(two(hours as i8));
            text.push_str(colon);
            text.extend(two(rest as i8));
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn hl7_to_fhir(hl7: &str, fhir: &str) {
        let zone = Zone::named("America/Chicago").unwrap();
        assert_eq!(DateTime::parse_hl7(hl7).unwrap().to_fhir(&zone), fhir);
    }

    #[test]
    fn precision_stays_as_it_was() {
        hl7_to_fhir("2024", "2024");
        hl7_to_fhir("202405", "2024-05");
        hl7_to_fhir("20240517", "2024-05-17");
        hl7_to_fhir("2024051714", "2024-05-17");
        hl7_to_fhir("202405171430", "2024-05-17T14:30:00-05:00");
        hl7_to_fhir("20240517143005-0400", "2024-05-17T14:30:05-04:00");
        hl7_to_fhir("20240117143005.1200", "2024-01-17T14:30:05.1200-06:00");
    }

    #[test]
    fn no_date_is_invented() {
        for bad in [
            "",
            "20241301",
            "20240230",
            "202405171460",
            "2024051724",
            "2024-05-17",
            "0000",
            "20240517+2500",
        ] {
            assert_eq!(DateTime::parse_hl7(bad), Err(InvalidDateTime), "{bad}");
        }
        for bad in [
            "",
            "2024-13",
            "2023-02-29",
            "2024-05-17T",
            "2024-05-17T14",
            "20240517",
            "2024-05-17T14:30+5",
        ] {
            assert_eq!(DateTime::parse_fhir(bad), Err(InvalidDateTime), "{bad}");
        }
    }

    #[test]
    fn bounds_cover_what_the_value_may_mean() {
        let zone = Zone::utc();
        let bounds = |text: &str| {
            let (low, high) = DateTime::parse_fhir(text).unwrap().bounds(&zone);
            (low.to_fhir(), high.to_fhir())
        };
        assert_eq!(
            bounds("2024"),
            (
                "2024-01-01T00:00:00.000Z".to_owned(),
                "2024-12-31T23:59:59.999Z".to_owned()
            )
        );
        assert_eq!(
            bounds("2024-02"),
            (
                "2024-02-01T00:00:00.000Z".to_owned(),
                "2024-02-29T23:59:59.999Z".to_owned()
            )
        );
        assert_eq!(
            bounds("2024-05-17T14:30:05+02:00").0,
            "2024-05-17T12:30:05.000Z"
        );
    }

    #[test]
    fn a_time_in_a_dst_fold_is_marked() {
        let zone = Zone::named("America/Chicago").unwrap();
        let fold = DateTime::parse_hl7("202411030130").unwrap();
        assert_eq!(zone.offset_at(&fold), (UtcOffset::Minutes(-300), true));
        let plain = DateTime::parse_hl7("202411040130").unwrap();
        assert_eq!(zone.offset_at(&plain), (UtcOffset::Minutes(-360), false));
    }

    proptest! {
        #[test]
        fn takes_any_text(text in "[0-9TZ:+.\\-]{0,30}") {
            for parsed in [DateTime::parse_fhir(&text), DateTime::parse_hl7(&text)].into_iter().flatten() {
                let (low, high) = parsed.bounds(&Zone::utc());
                prop_assert!(low <= high);
            }
        }

        #[test]
        fn hl7_comes_back(text in "(19|20)[0-9]{2}((0[1-9]|1[0-2])((0[1-9]|1[0-9]|2[0-8])(([01][0-9]|2[0-3])([0-5][0-9]([0-5][0-9](\\.[0-9]{1,4})?)?)?([+-]0[0-9]00)?)?)?)?") {
            // `-0000` and `+0000` are one offset; the sign of zero is not kept.
            prop_assume!(!text.ends_with("-0000"));
            prop_assert_eq!(DateTime::parse_hl7(&text).unwrap().to_hl7(), text);
        }
    }
}
