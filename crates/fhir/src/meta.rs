//! Writes the server's `id` and `meta` into a resource's bytes.
//!
//! Invariant: every byte outside the values of `id`, `meta.versionId` and `meta.lastUpdated` stays
//! unchanged; a missing field is inserted next to related ones.

use crate::json::{Document, JsonError, Node, write_string};
use base::Timestamp;
use std::ops::Range;

/// The server's metadata for a version.
#[derive(Clone, Copy, Debug)]
pub struct Stamp<'a> {
    /// The logical id.
    pub id: &'a str,
    /// `meta.versionId`.
    pub version: &'a str,
    /// `meta.lastUpdated`.
    pub last_updated: Timestamp,
}

/// The error for bytes that cannot be stamped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpliceError {
    /// The bytes are not JSON.
    #[error("not JSON")]
    Json(#[from] JsonError),
    /// The JSON is not an object.
    #[error("not an object")]
    NotAnObject,
}

/// New bytes for a range of the source.
type Edit = (Range<usize>, Vec<u8>);

/// Returns the resource's bytes with `id`, `meta.versionId` and `meta.lastUpdated` from the stamp.
pub fn splice(source: &[u8], stamp: &Stamp<'_>) -> Result<Vec<u8>, SpliceError> {
    splice_document(&Document::parse(source)?, stamp)
}

/// Stamps a document that is already parsed, like [`splice`].
pub fn splice_document(document: &Document, stamp: &Stamp<'_>) -> Result<Vec<u8>, SpliceError> {
    let root = document.root();
    if !root.is_object() {
        return Err(SpliceError::NotAnObject);
    }
    let mut edits: Vec<Edit> = Vec::with_capacity(4);
    let last_updated = stamp.last_updated.to_fhir();
    let meta_fields = [
        ("versionId", stamp.version),
        ("lastUpdated", last_updated.as_str()),
    ];
    let mut fresh = set(root, &[("id", stamp.id)], &mut edits);
    match root.get("meta") {
        Some(meta) if meta.is_object() => {
            let missing = set(meta, &meta_fields, &mut edits);
            insert(meta, meta.get("id"), &missing, &mut edits);
        }
        Some(wrong) => edits.push((wrong.span(), object(&meta_fields))),
        None => {
            if !fresh.is_empty() {
                fresh.push(b',');
            }
            fresh.extend_from_slice(b"\"meta\":");
            fresh.extend_from_slice(&object(&meta_fields));
        }
    }
    insert(
        root,
        root.get("id").or(root.get("resourceType")),
        &fresh,
        &mut edits,
    );
    edits.sort_by_key(|(range, _)| range.start);
    Ok(apply(document.source().as_bytes(), &edits))
}

/// Sets string fields that an object has; returns the missing ones, to be inserted.
fn set(object: Node<'_>, fields: &[(&str, &str)], edits: &mut Vec<Edit>) -> Vec<u8> {
    let mut missing = Vec::new();
    for (name, text) in fields {
        match object.get(name) {
            Some(there) => {
                let mut value = Vec::new();
                write_string(text, &mut value);
                edits.push((there.span(), value));
            }
            None => missing.push((*name, *text)),
        }
    }
    inside(&missing)
}

/// Inserts fields, if there are any, after another field or first.
fn insert(object: Node<'_>, after: Option<Node<'_>>, fields: &[u8], edits: &mut Vec<Edit>) {
    if fields.is_empty() {
        return;
    }
    let (at, bytes) = if let Some(after) = after {
        (after.span().end, [b",", fields].concat())
    } else {
        let comma: &[u8] = if object.is_empty() { b"" } else { b"," };
        (object.span().start + 1, [fields, comma].concat())
    };
    edits.push((at..at, bytes));
}

fn object(fields: &[(&str, &str)]) -> Vec<u8> {
    [b"{".as_slice(), &inside(fields), b"}"].concat()
}

fn inside(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, text) in fields {
        if !out.is_empty() {
            out.push(b',');
        }
        write_string(name, &mut out);
        out.push(b':');
        write_string(text, &mut out);
    }
    out
}

/// Applies edits, which must be in order and disjoint; of two at one position, the earlier comes
/// first.
fn apply(source: &[u8], edits: &[Edit]) -> Vec<u8> {
    let n_new: usize = edits.iter().map(|(_, bytes)| bytes.len()).sum();
    let mut out = Vec::with_capacity(source.len() + n_new);
    let mut from = 0;
    for (range, bytes) in edits {
        out.extend_from_slice(source.get(from..range.start).unwrap_or_default());
        out.extend_from_slice(bytes);
        from = range.end;
    }
    out.extend_from_slice(source.get(from..).unwrap_or_default());
    out
}
