//! The end of a page, encoded as opaque text.
//!
//! Invariant: a cursor from a different search is refused, and no input causes a panic. The text
//! starts with a digest of the search, so that it cannot be used with another one by mistake.

use crate::backend::plan::{After, SortKey, SortValue};
use crate::backend::stored::{Numbers, Res, decode_value, encode_value, put_number, put_text};
use crate::backend::{Fault, Session, resolve};

const NONE: u8 = 0;
const NUMBER: u8 = 1;
const ID: u8 = 2;
const VALUE: u8 = 3;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Names that the chart already has.
struct Known<'a>(&'a dyn Session);

impl Numbers for Known<'_> {
    type Error = Fault;

    fn system(&mut self, uri: &str) -> Result<i64, Fault> {
        Ok(self.0.system(uri)?.unwrap_or(0))
    }

    fn resource(&mut self, resource_type: &'static str, id: &str) -> Result<Res, Fault> {
        Ok(self.0.resource(resource_type, id)?.unwrap_or(0))
    }

    fn resource_type(&mut self, resource_type: &'static str) -> Result<i64, Fault> {
        Ok(self.0.type_number(resource_type).unwrap_or(0))
    }
}

/// Encodes the end of a page.
pub(crate) fn write(session: &dyn Session, search: u32, after: &After) -> Result<String, Fault> {
    let mut bytes = search.to_le_bytes().to_vec();
    put_number(&mut bytes, after.res as u64);
    put_number(&mut bytes, after.keys.len() as u64);
    for key in &after.keys {
        write_key(&mut bytes, key, session)?;
    }
    Ok(base64(&bytes))
}

fn write_key(bytes: &mut Vec<u8>, key: &SortKey, session: &dyn Session) -> Result<(), Fault> {
    match key {
        None => bytes.push(NONE),
        Some(SortValue::Number(number)) => {
            bytes.push(NUMBER);
            put_number(bytes, *number as u64);
        }
        Some(SortValue::Id(id)) => {
            bytes.push(ID);
            put_text(bytes, id);
        }
        Some(SortValue::Value(value)) => {
            let mut encoded = Vec::new();
            encode_value(&mut encoded, value, &mut Known(session))?;
            bytes.push(VALUE);
            put_number(bytes, encoded.len() as u64);
            bytes.extend_from_slice(&encoded);
        }
    }
    Ok(())
}

/// Decodes the end of a page.
pub(crate) fn read(session: &dyn Session, search: u32, text: &str) -> Result<After, Fault> {
    let bytes = from_base64(text).ok_or(Fault::Cursor)?;
    let (head, mut rest) = bytes.split_at_checked(4).ok_or(Fault::Cursor)?;
    if head != search.to_le_bytes() {
        return Err(Fault::Cursor);
    }
    let res = number(&mut rest)? as Res;
    let n_keys = number(&mut rest)?;
    let mut keys = Vec::new();
    for _ in 0..n_keys.min(16) {
        keys.push(read_key(&mut rest, session)?);
    }
    Ok(After { keys, res })
}

fn read_key(rest: &mut &[u8], session: &dyn Session) -> Result<SortKey, Fault> {
    Ok(match *take(rest, 1)?.first().ok_or(Fault::Cursor)? {
        NONE => None,
        NUMBER => Some(SortValue::Number(number(rest)? as i64)),
        ID => {
            let length = number(rest)?;
            let id = std::str::from_utf8(take(rest, length)?).map_err(|_| Fault::Cursor)?;
            Some(SortValue::Id(id.into()))
        }
        VALUE => {
            let length = number(rest)?;
            let stored = decode_value(take(rest, length)?).ok_or(Fault::Cursor)?;
            Some(SortValue::Value(resolve::value(session, &stored)?))
        }
        _ => return Err(Fault::Cursor),
    })
}

fn take<'a>(rest: &mut &'a [u8], length: u64) -> Result<&'a [u8], Fault> {
    let length = usize::try_from(length).map_err(|_| Fault::Cursor)?;
    let (head, tail) = rest.split_at_checked(length).ok_or(Fault::Cursor)?;
    *rest = tail;
    Ok(head)
}

fn number(rest: &mut &[u8]) -> Result<u64, Fault> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = *take(rest, 1)?.first().ok_or(Fault::Cursor)?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(Fault::Cursor)
}

/// Encodes bytes as URL-safe base64 without padding (RFC 4648 section 5).
pub(crate) fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = (0..3).fold(0, |word, place| {
            word << 8 | u32::from(chunk.get(place).copied().unwrap_or(0))
        });
        for place in 0..=chunk.len() {
            let index = (word >> (18 - 6 * place)) & 63;
            text.extend(ALPHABET.get(index as usize).map(|&b| char::from(b)));
        }
    }
    text
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut word, mut n_bits) = (0u32, 0u32);
    for letter in text.bytes() {
        let index = ALPHABET.iter().position(|&known| known == letter)?;
        word = (word << 6 | index as u32) & 0xffff;
        n_bits += 6;
        if 8 <= n_bits {
            n_bits -= 8;
            bytes.push((word >> n_bits) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn base64_comes_back(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(from_base64(&base64(&bytes)), Some(bytes));
        }

        #[test]
        fn base64_takes_any_text(text in "\\PC*") {
            let _ = from_base64(&text);
        }
    }
}
