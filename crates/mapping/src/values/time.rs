//! Dates and times: precision is preserved, and an offset is added where FHIR requires one.

use super::Converted;
use base::{DateTime, Precision, TimeReading, UtcOffset, Zone};
use fhir::build::Value;

/// The sources of the offset for a value that has none.
#[derive(Clone, Debug)]
pub(crate) struct Times {
    /// The offset of MSH-7.
    pub(crate) header: Option<UtcOffset>,
    /// The source's time zone.
    pub(crate) zone: Zone,
}

const NO_DATE: &str = "not a date or time";

pub(crate) fn read(text: &str) -> Converted<DateTime> {
    let (time, _) = DateTime::read_hl7(text.trim()).map_err(|_| NO_DATE)?;
    Ok(time)
}

/// Returns what is wrong with the notation of an accepted time.
pub(crate) fn notation_issue(text: &str) -> Option<&'static str> {
    let (_, reading) = DateTime::read_hl7(text.trim()).ok()?;
    match reading {
        TimeReading::Whole => None,
        TimeReading::Iso => Some("an ISO 8601 time: HL7 v2 has no marks between the digits"),
        TimeReading::DateOnly => {
            Some("the text after the date is not a time of day: the date was kept")
        }
        TimeReading::ZerosForUnknown => Some("zeros for unknown parts: the rest was kept"),
    }
}

pub(crate) fn date(text: &str) -> Converted<Value> {
    let time = read(text)?;
    Ok(Value::from(time.date_only().to_fhir(&Zone::utc())))
}

pub(crate) fn date_time(text: &str, times: &Times) -> Converted<Value> {
    Ok(Value::from(
        with_offset(read(text)?, times).to_fhir(&times.zone),
    ))
}

pub(crate) fn instant(text: &str, times: &Times) -> Converted<Value> {
    let time = read(text)?;
    if time.precision() < Precision::Minute {
        return Err("an instant needs a time of day");
    }
    Ok(Value::from(with_offset(time, times).to_fhir(&times.zone)))
}

/// Converts `HHMM[SS[.S…]]`; a FHIR time cannot carry an offset.
pub(crate) fn time(text: &str) -> Converted<Value> {
    let stamp = format!("20000101{}", text.trim());
    let parsed = DateTime::parse_hl7(&stamp).map_err(|_| "not a time of day")?;
    if parsed.precision() < Precision::Minute || parsed.offset().is_some() {
        return Err("not a time of day that FHIR can represent");
    }
    let whole = parsed.with_offset(UtcOffset::Zulu).to_fhir(&Zone::utc());
    let time = whole
        .split('T')
        .nth(1)
        .and_then(|time| time.strip_suffix('Z'));
    time.map(Value::from).ok_or("not a time of day")
}

/// Returns what is doubtful about an accepted value.
pub(crate) fn ambiguity(text: &str, times: &Times) -> Option<&'static str> {
    let time = read(text).ok()?;
    if time.precision() == Precision::Hour {
        return Some("an hour without minutes: FHIR keeps only the date");
    }
    let floating = time.has_time() && time.offset().is_none() && times.header.is_none();
    (floating && times.zone.offset_at(&time).1)
        .then_some("a time made doubtful by a daylight saving change: the earlier reading was used")
}

fn with_offset(time: DateTime, times: &Times) -> DateTime {
    match (time.offset(), times.header) {
        (None, Some(offset)) => time.with_offset(offset),
        _ => time,
    }
}

/// Formats a FHIR date, dateTime or instant as HL7 v2.
pub(crate) fn back(text: &str) -> Option<String> {
    DateTime::parse_fhir(text).ok().map(|time| time.to_hl7())
}

/// Formats a FHIR time as HL7 v2.
pub(crate) fn time_back(text: &str) -> Option<String> {
    let time = DateTime::parse_fhir(&format!("2000-01-01T{text}Z"))
        .ok()?
        .to_hl7();
    time.strip_prefix("20000101")
        .and_then(|time| time.strip_suffix("+0000"))
        .map(str::to_owned)
}
