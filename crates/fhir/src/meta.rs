//! The server's `id` and `meta` put into a resource's bytes.
//!
//! Invariant: every byte outside the values of `id`, `meta.versionId` and `meta.lastUpdated` stays
//! as it was; what was not there is put beside what belongs to it.

use crate::json::{Document, JsonError, Node, write_string};
use base::Timestamp;
use std::ops::Range;

/// What the server says of a version.
#[derive(Clone, Copy, Debug)]
pub struct Stamp<'a> {
    /// The logical id.
    pub id: &'a str,
    /// `meta.versionId`.
    pub version: &'a str,
    /// `meta.lastUpdated`.
    pub last_updated: Timestamp,
}

/// Nothing to put a stamp on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpliceError {
    /// The bytes are no JSON.
    #[error("not JSON")]
    Json(#[from] JsonError),
    /// The JSON is no object.
    #[error("not an object")]
    NotAnObject,
}

/// New bytes for a range of the source.
type Edit = (Range<usize>, Vec<u8>);

/// The resource's bytes with `id`, `meta.versionId` and `meta.lastUpdated` as the stamp says.
pub fn splice(source: &[u8], stamp: &Stamp<'_>) -> Result<Vec<u8>, SpliceError> {
    splice_document(&Document::parse(source)?, stamp)
}

/// [`splice`] for what is parsed already.
pub fn splice_document(document: &Document, stamp: &Stamp<'_>) -> Result<Vec<u8>, SpliceError> {
    let root = document.root();
    if !root.is_object() {
        return Err(SpliceError::NotAnObject);
    }
    let mut edits: Vec<Edit> = Vec::with_capacity(4);
    let last_updated = stamp.last_updated.to_fhir();
    let id_fields = [("id", stamp.id)];
    let meta_fields = [
        ("versionId", stamp.version),
        ("lastUpdated", last_updated.as_str()),
    ];
    set(root, root.get("resourceType"), &id_fields, &mut edits);
    match root.get("meta") {
        Some(meta) if meta.is_object() => set(meta, meta.get("id"), &meta_fields, &mut edits),
        other => {
            let value = object(&meta_fields);
            match other {
                Some(wrong) => edits.push((wrong.span(), value)),
                None => {
                    let field = [b"\"meta\":".as_slice(), &value].concat();
                    insert(
                        root,
                        root.get("id").or(root.get("resourceType")),
                        field,
                        &mut edits,
                    );
                }
            }
        }
    }
    edits.sort_by_key(|(range, _)| range.start);
    Ok(apply(document.source().as_bytes(), &edits))
}

/// Sets string fields of an object; new ones stand after the field `after`, or first.
fn set(object: Node<'_>, after: Option<Node<'_>>, fields: &[(&str, &str)], edits: &mut Vec<Edit>) {
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
    if !missing.is_empty() {
        insert(object, after, inside(&missing), edits);
    }
}

/// Puts a field after another, or first.
fn insert(object: Node<'_>, after: Option<Node<'_>>, field: Vec<u8>, edits: &mut Vec<Edit>) {
    let edit = match after {
        Some(after) => (after.span().end, [b",".as_slice(), &field].concat()),
        None => {
            let comma: &[u8] = if object.is_empty() { b"" } else { b"," };
            (object.span().start + 1, [field.as_slice(), comma].concat())
        }
    };
    edits.push((edit.0..edit.0, edit.1));
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

/// The edits must be in order and apart; of two at one place the earlier comes first.
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
