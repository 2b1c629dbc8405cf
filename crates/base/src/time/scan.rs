//! Cursor for reading dates from the front of a text.

use super::{InvalidDateTime, UtcOffset};

/// Cursor over fixed-width numbers and marks.
pub(super) struct Scan<'a>(pub(super) &'a [u8]);

impl Scan<'_> {
    pub(super) fn is_done(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn at_digit(&self) -> bool {
        self.0.first().is_some_and(u8::is_ascii_digit)
    }

    pub(super) fn take(&mut self, mark: u8) -> bool {
        match self.0.split_first() {
            Some((&first, rest)) if first == mark => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    pub(super) fn expect(&mut self, mark: u8) -> Result<(), InvalidDateTime> {
        if self.take(mark) {
            Ok(())
        } else {
            Err(InvalidDateTime)
        }
    }

    pub(super) fn number(&mut self, width: usize) -> Result<u32, InvalidDateTime> {
        let (digits, rest) = self.0.split_at_checked(width).ok_or(InvalidDateTime)?;
        let mut value = 0;
        for &digit in digits {
            if !digit.is_ascii_digit() {
                return Err(InvalidDateTime);
            }
            value = value * 10 + u32::from(digit - b'0');
        }
        self.0 = rest;
        Ok(value)
    }

    pub(super) fn offset(&mut self, fhir: bool) -> Result<Option<UtcOffset>, InvalidDateTime> {
        if fhir && self.take(b'Z') {
            return Ok(Some(UtcOffset::Zulu));
        }
        let sign = match self.0.first() {
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return Ok(None),
        };
        self.0 = self.0.get(1..).unwrap_or(&[]);
        let hours = self.number(2)? as i16;
        if fhir {
            self.expect(b':')?;
        }
        let minutes = self.number(2)? as i16;
        if 59 < minutes {
            return Err(InvalidDateTime);
        }
        Ok(Some(UtcOffset::Minutes(sign * (hours * 60 + minutes))))
    }

    /// Reads the offset of an HL7 v2 time in the forms of FHIR and ISO 8601 that some senders use:
    /// `Z`, `+00`, `+05:30`. The standard allows only `+ZZZZ`, but their meaning is unambiguous.
    pub(super) fn loose_offset(&mut self) -> Result<Option<UtcOffset>, InvalidDateTime> {
        if self.take(b'Z') || self.take(b'z') {
            return Ok(Some(UtcOffset::Zulu));
        }
        if let [sign @ (b'+' | b'-'), hours @ ..] = self.0
            && let [tens, ones] = *hours
            && tens.is_ascii_digit()
            && ones.is_ascii_digit()
        {
            let minutes = i16::from(tens - b'0') * 600 + i16::from(ones - b'0') * 60;
            let minutes = if *sign == b'-' { -minutes } else { minutes };
            self.0 = &[];
            return Ok(Some(UtcOffset::Minutes(minutes)));
        }
        let with_colon = self.0.get(3) == Some(&b':');
        self.offset(with_colon)
    }

    /// Consumes a blank or a `T` before a time of day; returns whether there was one.
    pub(super) fn take_gap(&mut self) -> bool {
        self.take(b' ') || self.take(b'T')
    }
}
