//! The local clock of the simulated town: seconds of local time, without a zone until written.

use base::{DateTime, Timestamp, Zone};

/// A local time, in seconds since 1970-01-01T00:00 local time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(i64);

pub(crate) const MINUTE: i64 = 60;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;

/// The town's time zone, whose clock changes on 2025-03-09.
pub(crate) const ZONE: &str = "America/Chicago";

// === impl Moment ===

impl Moment {
    /// Returns midnight of the day of `at` in UTC.
    pub(crate) fn day_of(at: Timestamp) -> Self {
        Self(at.micros().div_euclid(1_000_000 * DAY) * DAY)
    }

    pub(crate) fn plus(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    pub(crate) fn days_since(self, earlier: Self) -> f64 {
        (self.0 - earlier.0) as f64 / DAY as f64
    }

    /// Formats as `20250106`.
    pub(crate) fn date(self) -> String {
        let (year, month, day) = civil(self.0.div_euclid(DAY));
        format!("{year:04}{month:02}{day:02}")
    }

    /// Formats as `20250106101500`.
    pub(crate) fn local(self) -> String {
        let second = self.0.rem_euclid(DAY);
        format!(
            "{}{:02}{:02}{:02}",
            self.date(),
            second / HOUR,
            second % HOUR / MINUTE,
            second % MINUTE
        )
    }

    /// Formats as `202501061015`.
    pub(crate) fn minute(self) -> String {
        let mut text = self.local();
        text.truncate(12);
        text
    }

    /// Formats as `20250106101500-0600`.
    pub(crate) fn with_offset(self, zone: &Zone) -> String {
        let text = self.local();
        let Ok(local) = DateTime::parse_hl7(&text) else {
            return text;
        };
        local.with_offset(zone.offset_at(&local).0).to_hl7()
    }

    /// Converts to the instant in the zone.
    pub(crate) fn timestamp(self, zone: &Zone) -> Timestamp {
        DateTime::parse_hl7(&self.local()).map_or(
            Timestamp::from_micros(self.0.saturating_mul(1_000_000)),
            |local| local.timestamp(zone),
        )
    }
}

/// Returns year, month and day of a day number since 1970-01-01 (Hinnant, "chrono-compatible
/// low-level date algorithms").
fn civil(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day_of_month = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (
        year_of_era + era * 400 + i64::from(month <= 2),
        month,
        day_of_month,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_their_dates() {
        for (day, date) in [
            (0, "19700101"),
            (19_782, "20240229"),
            (20_094, "20250106"),
            (-1, "19691231"),
        ] {
            assert_eq!(Moment(day * DAY).date(), date);
        }
    }

    #[test]
    fn the_offset_follows_the_clock_change() {
        let zone = Zone::named(ZONE).unwrap();
        let winter = Moment(20_094 * DAY + 10 * HOUR);
        assert_eq!(winter.with_offset(&zone), "20250106100000-0600");
        let summer = winter.plus(70 * DAY);
        assert_eq!(summer.with_offset(&zone), "20250317100000-0500");
        assert_eq!(winter.minute(), "202501061000");
        assert_eq!(
            winter.timestamp(&zone).to_fhir(),
            "2025-01-06T16:00:00.000Z"
        );
    }
}
