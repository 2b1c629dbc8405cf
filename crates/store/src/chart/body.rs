//! Bodies: stored as sent, and returned with `id`, `meta.versionId` and `meta.lastUpdated`
//! inserted.
//!
//! Invariants:
//! - every byte outside of `id` and `meta` is returned as it was sent;
//! - the inserted values are the store's own: a sender's `versionId` and `lastUpdated` are
//!   replaced;
//! - no input causes a panic: a body that cannot be parsed is returned unchanged.

use crate::backend::sqlite::digest;
use crate::chart::batch::{Compressed, Prepared};
use crate::chart::error::PrepareError;
use crate::chart::person;
use base::Timestamp;
use fhir::json::Document;
use search::{Extraction, Extractor};
use std::cell::RefCell;
use std::ops::Range;
use zstd::bulk::{Compressor, Decompressor};

/// Level 3 is zstd's default; level 6 saves 2 % more and takes twice the time.
const LEVEL: i32 = 3;
/// The size from which a body counts as large. Such a body holds many similar items, for example
/// the links of a record that many were merged into. For a thousand links, and for a person of a
/// thousand records, level 1 produces 5 to 7 % less in a half to a third of the time.
const LARGE: usize = 32 << 10;
const LEVEL_OF_LARGE: i32 = 1;
/// The largest plausible body. One that claims to be larger is damaged.
const MAX_BODY: usize = 256 << 20;

thread_local! {
    // A context is large and takes longer to create than most bodies take to compress.
    static COMPRESSORS: RefCell<[Option<Compressor<'static>>; 2]> =
        const { RefCell::new([None, None]) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// A field of an object: its start, its name and the position of its value.
struct Field<'a> {
    start: usize,
    name: &'a [u8],
    value: Range<usize>,
}

// === impl Prepared ===

impl Prepared {
    /// Prepares a resource for writing: extracts its postings and compresses it.
    pub fn new(document: &Document) -> Result<Self, PrepareError> {
        Self::with(document, Extractor::default().extract(document))
    }

    /// Prepares a resource with an extraction that the caller made, for a server with its own base
    /// URL.
    pub fn with(document: &Document, extraction: Extraction) -> Result<Self, PrepareError> {
        if extraction.resource_type.is_empty() {
            return Err(PrepareError::UnknownType);
        }
        let is_patient = extraction.resource_type == "Patient";
        let identity = is_patient
            .then(|| person::Identity::of(document.root()))
            .flatten();
        let body = compress(document.source().as_bytes()).ok_or(PrepareError::Compress)?;
        Ok(Self {
            extraction,
            body,
            identity,
        })
    }
}

/// Compresses a body.
pub(crate) fn compress(body: &[u8]) -> Option<Compressed> {
    let bytes = pack(body)?;
    let digest = digest(body);
    Some(Compressed {
        dictionary: 0,
        bytes: bytes.into(),
        digest,
    })
}

/// Compresses bytes. Their original length is stored in front, so that the reader allocates only
/// once.
pub(crate) fn pack(body: &[u8]) -> Option<Vec<u8>> {
    let packed = COMPRESSORS.with_borrow_mut(|[usual, of_large]| {
        let (kept, level) = if body.len() <= LARGE {
            (usual, LEVEL)
        } else {
            (of_large, LEVEL_OF_LARGE)
        };
        if kept.is_none() {
            *kept = Compressor::new(level).ok();
        }
        kept.as_mut()?.compress(body).ok()
    })?;
    let mut bytes = Vec::with_capacity(packed.len() + 4);
    bytes.extend_from_slice(&u32::try_from(body.len()).ok()?.to_le_bytes());
    bytes.extend_from_slice(&packed);
    Some(bytes)
}

/// Decompresses a body. Returns `None` if the bytes are damaged.
pub(crate) fn decompress(dictionary: u16, bytes: &[u8]) -> Option<Vec<u8>> {
    if dictionary != 0 {
        return None;
    }
    let (length, packed) = bytes.split_first_chunk::<4>()?;
    let length = u32::from_le_bytes(*length) as usize;
    if MAX_BODY < length {
        return None;
    }
    DECOMPRESSOR.with_borrow_mut(|kept| {
        if kept.is_none() {
            *kept = Decompressor::new().ok();
        }
        kept.as_mut()?.decompress(packed, length).ok()
    })
}

/// Inserts the store's own values into a body.
pub(crate) fn splice(body: &[u8], id: &str, version: u32, updated: Timestamp) -> Vec<u8> {
    let id = format!("\"{id}\"");
    let own_meta = format!(
        "\"versionId\":\"{version}\",\"lastUpdated\":\"{}\"",
        updated.to_fhir()
    );
    let mut out = Vec::with_capacity(body.len() + 128);
    let mut copied = 0;
    let (mut has_id, mut has_meta) = (false, false);
    // Missing values are inserted after the type, which is the conventional position.
    let mut place = None;
    for field in fields(body) {
        let value = field.value;
        match field.name {
            b"id" => {
                has_id = true;
                out.extend_from_slice(body.get(copied..value.start).unwrap_or_default());
                out.extend_from_slice(id.as_bytes());
                copied = value.end;
            }
            b"meta" => {
                has_meta = true;
                out.extend_from_slice(body.get(copied..value.start).unwrap_or_default());
                splice_meta(
                    &mut out,
                    body.get(value.clone()).unwrap_or_default(),
                    &own_meta,
                );
                copied = value.end;
            }
            b"resourceType" => {
                out.extend_from_slice(body.get(copied..value.end).unwrap_or_default());
                copied = value.end;
                place = Some(out.len());
            }
            _ => {}
        }
    }
    out.extend_from_slice(body.get(copied..).unwrap_or_default());
    if let Some(place) = place {
        let mut missing = Vec::new();
        if !has_id {
            missing.extend_from_slice(b",\"id\":");
            missing.extend_from_slice(id.as_bytes());
        }
        if !has_meta {
            missing.extend_from_slice(b",\"meta\":{");
            missing.extend_from_slice(own_meta.as_bytes());
            missing.push(b'}');
        }
        out.splice(place..place, missing);
    }
    out
}

fn splice_meta(out: &mut Vec<u8>, meta: &[u8], own: &str) {
    out.push(b'{');
    out.extend_from_slice(own.as_bytes());
    for field in fields(meta) {
        if !matches!(
            field.name,
            b"versionId" | b"lastUpdated" | b"_versionId" | b"_lastUpdated"
        ) {
            out.push(b',');
            out.extend_from_slice(meta.get(field.start..field.value.end).unwrap_or_default());
        }
    }
    out.push(b'}');
}

/// Iterates over the fields of an object without parsing their values. Stops at the first invalid
/// JSON.
fn fields(object: &[u8]) -> impl Iterator<Item = Field<'_>> {
    let mut at = skip_space(object, 0);
    at = if object.get(at) == Some(&b'{') {
        at + 1
    } else {
        object.len()
    };
    std::iter::from_fn(move || {
        let start = skip_space(object, at);
        let name_end = end_of_string(object, start)?;
        let colon = skip_space(object, name_end);
        (object.get(colon) == Some(&b':')).then_some(())?;
        let value_start = skip_space(object, colon + 1);
        let value_end = end_of_value(object, value_start)?;
        let after = skip_space(object, value_end);
        at = if object.get(after) == Some(&b',') {
            after + 1
        } else {
            object.len()
        };
        let name = object.get(start + 1..name_end - 1)?;
        Some(Field {
            start,
            name,
            value: value_start..value_end,
        })
    })
}

fn skip_space(text: &[u8], from: usize) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    from + rest
        .iter()
        .take_while(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r'))
        .count()
}

/// Returns the position after the closing quote of the string that starts at `from`.
fn end_of_string(text: &[u8], from: usize) -> Option<usize> {
    (text.get(from) == Some(&b'"')).then_some(())?;
    let mut at = from + 1;
    loop {
        let rest = text.get(at..)?;
        at += rest.iter().position(|&b| b == b'"' || b == b'\\')?;
        if text.get(at) == Some(&b'"') {
            return Some(at + 1);
        }
        at += 2;
    }
}

fn end_of_value(text: &[u8], from: usize) -> Option<usize> {
    match text.get(from)? {
        b'"' => end_of_string(text, from),
        b'{' | b'[' => {
            let mut depth = 0usize;
            let mut at = from;
            loop {
                match text.get(at)? {
                    b'"' => {
                        at = end_of_string(text, at)?;
                        continue;
                    }
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth -= 1,
                    _ => {}
                }
                at += 1;
                if depth == 0 {
                    return Some(at);
                }
            }
        }
        _ => {
            let rest = text.get(from..)?;
            let ends = |b: &u8| matches!(b, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r');
            rest.iter().position(ends).map(|length| from + length)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spliced(body: &str) -> String {
        let at = Timestamp::from_micros(1_700_000_000_000_000);
        String::from_utf8(splice(body.as_bytes(), "zz1", 3, at)).unwrap()
    }

    #[test]
    fn id_and_meta_are_put_in() {
        let at = Timestamp::from_micros(1_700_000_000_000_000).to_fhir();
        let own = format!(r#""versionId":"3","lastUpdated":"{at}""#);
        for (body, expected) in [
            (
                r#"{"resourceType":"Patient"}"#,
                format!(r#"{{"resourceType":"Patient","id":"zz1","meta":{{{own}}}}}"#),
            ),
            (
                r#"{ "resourceType" : "Patient" , "id":"old", "x":[1.00,"]}\""] }"#,
                format!(
                    r#"{{ "resourceType" : "Patient","meta":{{{own}}} , "id":"zz1", "x":[1.00,"]}}\""] }}"#
                ),
            ),
            (
                r#"{"meta":{"lastUpdated":"2001","tag":[{"code":"a"}]},"resourceType":"Patient"}"#,
                format!(
                    r#"{{"meta":{{{own},"tag":[{{"code":"a"}}]}},"resourceType":"Patient","id":"zz1"}}"#
                ),
            ),
        ] {
            assert_eq!(spliced(body), expected);
        }
    }

    #[test]
    fn a_body_comes_back() {
        let body = br#"{"resourceType":"Patient","active":true}"#;
        let packed = compress(body).unwrap();
        assert_eq!(
            decompress(packed.dictionary, &packed.bytes).as_deref(),
            Some(&body[..])
        );
        assert_eq!(decompress(0, b"xx"), None);
    }

    proptest! {
        #[test]
        fn splicing_takes_any_bytes(body in proptest::collection::vec(any::<u8>(), 0..80)) {
            splice(&body, "a", 1, Timestamp::from_micros(0));
            decompress(0, &body);
        }

        #[test]
        fn splicing_takes_anything_like_json(body in "[{}\\[\\]\",:a\\\\ ]{0,40}") {
            splice(body.as_bytes(), "a", 1, Timestamp::from_micros(0));
        }
    }
}
