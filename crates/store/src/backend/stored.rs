//! The posting set: everything that the index knows about one resource, stored as bytes beside it.
//!
//! Invariants:
//! - texts of systems and references are numbers ([`Numbers`]), so that sets are small and quick to
//!   compare;
//! - a set equals the rows in the tables: an update reads the old set and writes only the
//!   difference;
//! - reading never panics: damaged bytes end the iteration.
//!
//! Layout: `flags`, type number, patients (count, then numbers), then for each posting its
//! parameter (4 bytes, little endian), its length and its value. Numbers are LEB128.

use base::Timestamp;
use search::{Extraction, Posting, Range, Span, Target, Value};

/// The permanent number of a resource.
pub(crate) type Res = i64;

/// The flag on the set of a person.
pub(crate) const PERSON: u8 = 1;
/// The additional flag of a person that became part of another one.
pub(crate) const RETIRED: u8 = 2;

/// A mapping from names to numbers.
pub(crate) trait Numbers {
    /// The error of a lookup.
    type Error;
    /// Returns the number of a code system; never 0.
    fn system(&mut self, uri: &str) -> Result<i64, Self::Error>;
    /// Returns the number of a resource.
    fn resource(&mut self, resource_type: &'static str, id: &str) -> Result<Res, Self::Error>;
    /// Returns the number of a type.
    fn resource_type(&mut self, resource_type: &'static str) -> Result<i64, Self::Error>;
}

/// A set in its stored form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Set<'a> {
    pub(crate) flags: u8,
    pub(crate) type_number: i64,
    patients: &'a [u8],
    n_patients: u64,
    postings: &'a [u8],
}

/// A value in a set.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Stored<'a> {
    /// A token; system 0 means none.
    Token {
        system: i64,
        code: &'a str,
    },
    String {
        folded: &'a str,
        exact: &'a str,
    },
    Date(Span),
    Number(Range),
    Quantity {
        range: Range,
        system: i64,
        code: Option<&'a str>,
        unit: Option<&'a str>,
    },
    Local(Res),
    Url {
        url: &'a str,
        version: Option<&'a str>,
    },
    Uri(&'a str),
    Composite(Vec<Stored<'a>>),
}

/// A reader of a set, from front to back.
#[derive(Clone, Copy)]
struct Cursor<'a>(&'a [u8]);

/// Iterator over the postings of a set.
pub(crate) struct Postings<'a>(Cursor<'a>);

/// Iterator over the patients of a set.
pub(crate) struct Patients<'a>(Cursor<'a>, u64);

mod tag {
    pub(super) const TOKEN: u8 = 1;
    pub(super) const STRING: u8 = 2;
    pub(super) const DATE: u8 = 3;
    pub(super) const NUMBER: u8 = 4;
    pub(super) const POINT: u8 = 5;
    pub(super) const QUANTITY: u8 = 6;
    pub(super) const LOCAL: u8 = 7;
    pub(super) const URL: u8 = 8;
    pub(super) const URI: u8 = 9;
    pub(super) const COMPOSITE: u8 = 10;
}

/// Encodes a set in the compartments of `patients`. Reference targets without a number are assigned
/// one.
pub(crate) fn encode<N: Numbers>(
    extraction: &Extraction,
    patients: &[&str],
    flags: u8,
    numbers: &mut N,
) -> Result<Vec<u8>, N::Error> {
    let mut out = Vec::with_capacity(256);
    out.push(flags);
    put_number(
        &mut out,
        numbers.resource_type(extraction.resource_type)? as u64,
    );
    put_number(&mut out, patients.len() as u64);
    for patient in patients {
        put_number(&mut out, numbers.resource("Patient", patient)? as u64);
    }
    let mut value = Vec::with_capacity(64);
    for Posting {
        param,
        value: posted,
    } in &extraction.postings
    {
        value.clear();
        encode_value(&mut value, posted, numbers)?;
        out.extend_from_slice(&param.0.to_le_bytes());
        put_number(&mut out, value.len() as u64);
        out.extend_from_slice(&value);
    }
    Ok(out)
}

/// Encodes one value.
pub(crate) fn encode_value<N: Numbers>(
    out: &mut Vec<u8>,
    value: &Value,
    numbers: &mut N,
) -> Result<(), N::Error> {
    match value {
        Value::Token(token) => {
            out.push(tag::TOKEN);
            put_system(out, token.system.as_deref(), numbers)?;
            put_text(out, &token.code);
        }
        Value::String(text) => {
            out.push(tag::STRING);
            put_text(out, &text.folded);
            put_text(out, &text.exact);
        }
        Value::Date(span) => {
            out.push(tag::DATE);
            out.extend_from_slice(&span.low.micros().to_le_bytes());
            out.extend_from_slice(&span.high.micros().to_le_bytes());
        }
        Value::Number(range) => put_range(out, *range),
        Value::Quantity(quantity) => {
            out.push(tag::QUANTITY);
            put_range(out, quantity.range);
            put_system(out, quantity.system.as_deref(), numbers)?;
            put_optional(out, quantity.code.as_deref());
            put_optional(out, quantity.unit.as_deref());
        }
        Value::Reference(Target::Local { resource_type, id }) => {
            out.push(tag::LOCAL);
            put_number(out, numbers.resource(resource_type, id)? as u64);
        }
        Value::Reference(Target::Url { url, version }) => {
            out.push(tag::URL);
            put_text(out, url);
            put_optional(out, version.as_deref());
        }
        Value::Uri(uri) => {
            out.push(tag::URI);
            put_text(out, uri);
        }
        Value::Composite(parts) => {
            out.push(tag::COMPOSITE);
            put_number(out, parts.len() as u64);
            for part in parts {
                encode_value(out, part, numbers)?;
            }
        }
    }
    Ok(())
}

/// Decodes one value.
pub(crate) fn decode_value(bytes: &[u8]) -> Option<Stored<'_>> {
    Cursor(bytes).value(0)
}

/// Appends a number as LEB128.
pub(crate) fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while 0x80 <= number {
        out.push((number as u8) | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends a length and the bytes of a text.
pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_number(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

fn put_optional(out: &mut Vec<u8>, text: Option<&str>) {
    out.push(u8::from(text.is_some()));
    if let Some(text) = text {
        put_text(out, text);
    }
}

fn put_range(out: &mut Vec<u8>, range: Range) {
    if range.low.total_cmp(&range.high).is_eq() {
        out.push(tag::POINT);
        out.extend_from_slice(&range.low.to_le_bytes());
    } else {
        out.push(tag::NUMBER);
        out.extend_from_slice(&range.low.to_le_bytes());
        out.extend_from_slice(&range.high.to_le_bytes());
    }
}

fn put_system<N: Numbers>(
    out: &mut Vec<u8>,
    system: Option<&str>,
    numbers: &mut N,
) -> Result<(), N::Error> {
    let number = match system {
        Some(uri) => numbers.system(uri)?,
        None => 0,
    };
    put_number(out, number as u64);
    Ok(())
}

/// Maps a float to an integer that sorts the same way.
pub(crate) fn sortable(value: f64) -> i64 {
    // -0 and 0 are equal and must be stored together.
    let bits = (value + 0.0).to_bits() as i64;
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

// === impl Stored ===

impl Stored<'_> {
    /// Returns the resource to which the value refers.
    pub(crate) fn local(&self) -> Option<Res> {
        match self {
            Self::Local(target) => Some(*target),
            Self::Token { .. }
            | Self::String { .. }
            | Self::Date(_)
            | Self::Number(_)
            | Self::Quantity { .. }
            | Self::Url { .. }
            | Self::Uri(_)
            | Self::Composite(_) => None,
        }
    }
}

// === impl Set ===

impl<'a> Set<'a> {
    /// Reads the head of a set. Returns `None` if the bytes are damaged.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor(bytes);
        let flags = cursor.byte()?;
        let type_number = cursor.number()? as i64;
        let n_patients = cursor.number()?;
        let patients = cursor.0;
        for _ in 0..n_patients {
            cursor.number()?;
        }
        Some(Self {
            flags,
            type_number,
            patients,
            n_patients,
            postings: cursor.0,
        })
    }

    /// Returns the patients in whose compartments the resource is.
    pub(crate) fn patients(&self) -> Patients<'a> {
        Patients(Cursor(self.patients), self.n_patients)
    }

    /// Returns all postings, ordered by parameter.
    pub(crate) fn postings(&self) -> Postings<'a> {
        Postings(Cursor(self.postings))
    }

    /// Returns the values of a parameter.
    pub(crate) fn values(&self, param: u32) -> impl Iterator<Item = Stored<'a>> {
        self.raw(param).filter_map(decode_value)
    }

    /// Returns the bytes of the values of a parameter.
    pub(crate) fn raw(&self, param: u32) -> impl Iterator<Item = &'a [u8]> {
        self.postings()
            .filter(move |(found, _)| *found == param)
            .map(|(_, value)| value)
    }
}

impl<'a> Iterator for Postings<'a> {
    type Item = (u32, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let param = u32::from_le_bytes(self.0.array()?);
        let length = self.0.number()?;
        Some((param, self.0.take(length)?))
    }
}

impl Iterator for Patients<'_> {
    type Item = Res;

    fn next(&mut self) -> Option<Res> {
        self.1 = self.1.checked_sub(1)?;
        self.0.number().map(|number| number as Res)
    }
}

// === impl Cursor ===

impl<'a> Cursor<'a> {
    fn take(&mut self, length: u64) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = tail;
        Some(head)
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N as u64)?.try_into().ok()
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = self.number()?;
        std::str::from_utf8(self.take(length)?).ok()
    }

    /// Reads an optional text. The outer `None` means damage, the inner one absence.
    #[expect(clippy::option_option, reason = "damaged and absent are two things")]
    fn optional(&mut self) -> Option<Option<&'a str>> {
        match self.byte()? {
            0 => Some(None),
            _ => self.text().map(Some),
        }
    }

    fn timestamp(&mut self) -> Option<Timestamp> {
        self.array()
            .map(|bytes| Timestamp::from_micros(i64::from_le_bytes(bytes)))
    }

    fn float(&mut self) -> Option<f64> {
        self.array().map(f64::from_le_bytes)
    }

    fn range(&mut self) -> Option<Range> {
        let point = self.byte()? == tag::POINT;
        let low = self.float()?;
        let high = if point { low } else { self.float()? };
        Some(Range { low, high })
    }

    fn value(&mut self, depth: u8) -> Option<Stored<'a>> {
        Some(match *self.0.first()? {
            tag::NUMBER | tag::POINT => Stored::Number(self.range()?),
            tag => {
                self.byte()?;
                match tag {
                    tag::TOKEN => Stored::Token {
                        system: self.number()? as i64,
                        code: self.text()?,
                    },
                    tag::STRING => Stored::String {
                        folded: self.text()?,
                        exact: self.text()?,
                    },
                    tag::DATE => Stored::Date(Span {
                        low: self.timestamp()?,
                        high: self.timestamp()?,
                    }),
                    tag::QUANTITY => Stored::Quantity {
                        range: self.range()?,
                        system: self.number()? as i64,
                        code: self.optional()?,
                        unit: self.optional()?,
                    },
                    tag::LOCAL => Stored::Local(self.number()? as Res),
                    tag::URL => Stored::Url {
                        url: self.text()?,
                        version: self.optional()?,
                    },
                    tag::URI => Stored::Uri(self.text()?),
                    // A composite does not contain another composite.
                    tag::COMPOSITE if depth == 0 => {
                        let n_parts = self.number()?;
                        let parts: Option<Vec<_>> =
                            (0..n_parts.min(64)).map(|_| self.value(1)).collect();
                        Stored::Composite(parts?)
                    }
                    _ => return None,
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use search::{ParamKey, Quantity, Text, Token};
    use std::convert::Infallible;

    /// Numbers derived from text lengths, which suffices to recognize a round trip.
    struct Lengths;

    impl Numbers for Lengths {
        type Error = Infallible;
        fn system(&mut self, uri: &str) -> Result<i64, Infallible> {
            Ok(uri.len() as i64)
        }
        fn resource(&mut self, _: &'static str, id: &str) -> Result<Res, Infallible> {
            Ok(1000 + id.len() as i64)
        }
        fn resource_type(&mut self, _: &'static str) -> Result<i64, Infallible> {
            Ok(7)
        }
    }

    #[test]
    fn every_kind_of_value_comes_back() {
        let token = Token {
            system: Some("urn:x".into()),
            code: "8302-2".into(),
        };
        let range = Range {
            low: 1.5,
            high: 2.5,
        };
        let quantity = Quantity {
            range: Range::point(5.4),
            system: None,
            code: Some("mg".into()),
            unit: None,
        };
        let local = Target::Local {
            resource_type: "Patient",
            id: "abc".into(),
        };
        let url = Target::Url {
            url: "http://x".into(),
            version: Some("2".into()),
        };
        let values = vec![
            Value::Token(token.clone()),
            Value::String(Text {
                folded: "muller".into(),
                exact: "Müller".into(),
            }),
            Value::Date(Span {
                low: Span::OPEN_LOW,
                high: Timestamp::from_micros(5),
            }),
            Value::Number(range),
            Value::Quantity(quantity.clone()),
            Value::Reference(local),
            Value::Reference(url),
            Value::Uri("urn:oid:1.2".into()),
            Value::Composite(Box::new([Value::Token(token), Value::Quantity(quantity)])),
        ];
        let postings = (0..)
            .zip(values)
            .map(|(n, value)| Posting::new(ParamKey(n), value));
        let extraction = Extraction {
            resource_type: "Observation",
            postings: postings.collect(),
            ..Extraction::default()
        };
        let bytes = encode(&extraction, &["abc"], PERSON, &mut Lengths).unwrap();
        let set = Set::read(&bytes).unwrap();
        assert_eq!((set.flags, set.type_number), (PERSON, 7));
        assert_eq!(set.patients().collect::<Vec<_>>(), [1003]);
        let found: Vec<_> = set
            .postings()
            .map(|(_, value)| decode_value(value).unwrap())
            .collect();
        assert_eq!(found.len(), 9);
        assert_eq!(
            found[0],
            Stored::Token {
                system: 5,
                code: "8302-2"
            }
        );
        assert_eq!(
            found[1],
            Stored::String {
                folded: "muller",
                exact: "Müller"
            }
        );
        assert_eq!(found[5], Stored::Local(1003));
        assert_eq!(
            set.values(6).next(),
            Some(Stored::Url {
                url: "http://x",
                version: Some("2")
            })
        );
        assert!(matches!(&found[8], Stored::Composite(parts) if parts.len() == 2));
    }

    proptest! {
        #[test]
        fn reading_takes_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Some(set) = Set::read(&bytes) {
                set.patients().take(1000).count();
                for (_, value) in set.postings() {
                    let _ = decode_value(value);
                }
            }
        }

        #[test]
        fn floats_sort_as_integers(a in any::<f64>(), b in any::<f64>()) {
            prop_assume!(!a.is_nan() && !b.is_nan());
            let (left, right) = (sortable(a), sortable(b));
            prop_assert_eq!(a.partial_cmp(&b).unwrap(), left.cmp(&right));
        }
    }
}
