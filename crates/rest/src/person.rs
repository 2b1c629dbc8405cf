//! The person view in responses, and its reversal in writes.
//!
//! Invariants:
//! - in a response, every unversioned reference to a person's record names the person, and the
//!   extension [`SOURCE_REFERENCE`] keeps the record;
//! - a body that comes back with that extension is stored with the record again; if the two do not
//!   belong together, or the record is ambiguous, nothing is stored.

use access::Permit;
use axum::http::StatusCode;
use base::Issue;
use fhir::build::Value;
use fhir::json::{Document, Kind, Node};
use std::collections::{BTreeMap, BTreeSet};
use store::chart::{Chart, ReadError};
use web::Failure;

/// The extension of a reference that keeps the record by which the source knows the patient.
const SOURCE_REFERENCE: &str = "urn:causeway:source-reference";

/// The tag of a person's Patient.
const PERSON_TAG: (&str, &str) = ("urn:causeway:tag", "person");

/// Returns the body with persons in place of their records; `None` if it names none of them.
pub(crate) fn answered(body: &[u8], persons: &BTreeMap<String, String>) -> Option<Vec<u8>> {
    if persons.is_empty() {
        return None;
    }
    let document = Document::parse(body).ok()?;
    if !document
        .resource_type()
        .is_some_and(store::chart::names_persons)
    {
        return None;
    }
    // Start, end and replacement of each edit, in order.
    let mut edits: Vec<(usize, usize, String)> = Vec::new();
    for holder in holders(&document) {
        let Some(node) = holder.get("reference") else {
            continue;
        };
        let Some(text) = node.as_str() else { continue };
        let Some(id) = text.strip_prefix("Patient/") else {
            continue;
        };
        let Some(person) = persons.get(id) else {
            continue;
        };
        let kept = format!(
            r#"{{"url":"{SOURCE_REFERENCE}","valueReference":{{"reference":"Patient/{id}"}}}}"#
        );
        let extension = holder
            .get("extension")
            .filter(|node| node.is_array() && !node.is_empty());
        let (at, text) = match extension {
            Some(others) => (others.span().start + 1, format!("{kept},")),
            None => (holder.span().start + 1, format!(r#""extension":[{kept}],"#)),
        };
        edits.push((at, at, text));
        let span = node.span();
        edits.push((span.start, span.end, format!(r#""Patient/{person}""#)));
    }
    if edits.is_empty() {
        return None;
    }
    edits.sort_unstable();
    let mut out = Vec::with_capacity(body.len() + 128 * edits.len());
    let mut copied = 0;
    for (start, end, text) in edits {
        out.extend_from_slice(body.get(copied..start)?);
        out.extend_from_slice(text.as_bytes());
        copied = end;
    }
    out.extend_from_slice(body.get(copied..)?);
    Some(out)
}

/// Restores the sources' references that a response in the person view replaced, and returns the
/// body to store. `current` is the body that it replaces.
pub(crate) fn restored(
    chart: &Chart,
    permit: &Permit,
    document: Document,
    current: Option<&[u8]>,
) -> Result<Document, Failure> {
    refuse_person(&document)?;
    let mut kept: Vec<(String, String)> = Vec::new();
    let mut bare: BTreeSet<String> = BTreeSet::new();
    let mut issues = Vec::new();
    for holder in holders(&document) {
        let reference = holder.text("reference").unwrap_or_default();
        match source(holder) {
            Some(record) if stands_for(chart, permit, &reference, &record)? => {
                kept.push((reference.into_owned(), record));
            }
            Some(_) => issues.push(Issue::error(
                "business-rule",
                document.path_of(holder),
                format!(
                    "the extension {SOURCE_REFERENCE} names a record that does not belong to the \
                     person referred to; leave it unchanged, or remove it and refer to the \
                     intended patient"
                ),
            )),
            None => bare.extend(patient_id(&reference).map(str::to_owned)),
        }
    }
    if !issues.is_empty() {
        return Err(Failure::of(StatusCode::UNPROCESSABLE_ENTITY, issues));
    }
    let lost = match current {
        Some(current) => lost(chart, permit, &bare, current)?,
        None => BTreeMap::new(),
    };
    if kept.is_empty() && lost.is_empty() {
        return Ok(document);
    }
    let mut body = Value::parse(document.source())?;
    put_back(&mut body, &lost);
    Ok(Document::parse(body.to_bytes())?)
}

/// Maps persons to records for clients that drop extensions and send only the person. The stored
/// body tells which record was meant.
fn lost(
    chart: &Chart,
    permit: &Permit,
    bare: &BTreeSet<String>,
    current: &[u8],
) -> Result<BTreeMap<String, String>, Failure> {
    let mut lost = BTreeMap::new();
    if bare.is_empty() {
        return Ok(lost);
    }
    let current = Document::parse(current)?;
    let stored: BTreeSet<String> = holders(&current)
        .filter_map(|holder| patient_id(&holder.text("reference")?).map(str::to_owned))
        .collect();
    for id in bare.difference(&stored) {
        let person = chart
            .person_of(permit, id)?
            .filter(|person| person.id == **id);
        let Some(person) = person else { continue };
        let mut records = person
            .members
            .into_iter()
            .filter(|record| stored.contains(record));
        match (records.next(), records.next()) {
            (Some(record), None) => {
                lost.insert(id.clone(), record);
            }
            (None, _) => {}
            (Some(_), Some(_)) => {
                return Err(Failure::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "business-rule",
                    format!(
                        "the stored resource refers to several records of the person Patient/{id}, \
                         and the body only to the person; keep the extension {SOURCE_REFERENCE}, \
                         or refer to the records"
                    ),
                ));
            }
        }
    }
    Ok(lost)
}

fn put_back(value: &mut Value, lost: &BTreeMap<String, String>) {
    if let Some(items) = value.as_array_mut() {
        for item in items {
            put_back(item, lost);
        }
        return;
    }
    let Some(object) = value.as_object_mut() else {
        return;
    };
    for inner in object.values_mut() {
        put_back(inner, lost);
    }
    let record = object.get("extension").and_then(|extensions| {
        let mut items = extensions.as_array()?.iter();
        let own = items.find(|item| item.text("url") == Some(SOURCE_REFERENCE))?;
        Some(own.get("valueReference")?.text("reference")?.to_owned())
    });
    let person = object
        .get("reference")
        .and_then(Value::as_str)
        .and_then(patient_id);
    let record = record.or_else(|| {
        let record = lost.get(person?)?;
        Some(format!("Patient/{record}"))
    });
    let Some(record) = record.filter(|_| object.contains("reference")) else {
        return;
    };
    object.set("reference", record);
    if let Some(items) = object.get_mut("extension").and_then(Value::as_array_mut) {
        items.retain(|item| item.text("url") != Some(SOURCE_REFERENCE));
    }
    if object.get("extension").is_some_and(Value::is_empty) {
        object.remove("extension");
    }
}

/// Refuses a copy of a person: a person consists of records, and the copy would be a record that no
/// source has.
fn refuse_person(document: &Document) -> Result<(), Failure> {
    let tags = document.root().get("meta").and_then(|meta| meta.get("tag"));
    let is_person = document.resource_type() == Some("Patient")
        && tags.into_iter().flat_map(Node::items).any(|tag| {
            (tag.text("system").as_deref(), tag.text("code").as_deref())
                == (Some(PERSON_TAG.0), Some(PERSON_TAG.1))
        });
    if !is_person {
        return Ok(());
    }
    Err(Failure::at(
        StatusCode::CONFLICT,
        "business-rule",
        "Patient.meta.tag",
        "a person is created by linking the sources' records and cannot be written; correct the \
         record that is wrong, or remove the tag to store a record of your own",
    ))
}

/// Returns every object with a `reference`.
fn holders(document: &Document) -> impl Iterator<Item = Node<'_>> {
    (0..document.node_count() as u32)
        .filter_map(|index| document.node(index))
        .filter(|node| node.kind() == Kind::Object && node.get("reference").is_some())
}

/// Returns the source's own reference, if a response kept it.
fn source(holder: Node<'_>) -> Option<String> {
    let mut extensions = holder.get("extension")?.items();
    let own = extensions.find(|item| item.text("url").as_deref() == Some(SOURCE_REFERENCE))?;
    let reference = own
        .get("valueReference")
        .and_then(|value| value.text("reference"));
    Some(reference.unwrap_or_default().into_owned())
}

fn stands_for(
    chart: &Chart,
    permit: &Permit,
    reference: &str,
    record: &str,
) -> Result<bool, ReadError> {
    let (Some(shown), Some(record)) = (patient_id(reference), patient_id(record)) else {
        return Ok(false);
    };
    // A merge may have happened in between: both sides resolve to the current person.
    let person = chart.person_of(permit, record)?;
    let shown = chart.person_of(permit, shown)?;
    Ok(person.is_some() && person.map(|person| person.id) == shown.map(|person| person.id))
}

fn patient_id(reference: &str) -> Option<&str> {
    reference
        .strip_prefix("Patient/")
        .filter(|id| fhir::reference::is_id(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_names_a_record_changes() {
        let persons = BTreeMap::from([("a".to_owned(), "p".to_owned())]);
        let text = |body: &str| {
            answered(body.as_bytes(), &persons).map(|out| String::from_utf8(out).unwrap())
        };
        let kept =
            r#"{"url":"urn:causeway:source-reference","valueReference":{"reference":"Patient/a"}}"#;
        assert_eq!(
            text(r#"{"resourceType":"Observation", "subject" : { "reference":"Patient/a","display":"x"},"valueQuantity":{"value":1.00}}"#).unwrap(),
            format!(r#"{{"resourceType":"Observation", "subject" : {{"extension":[{kept}], "reference":"Patient/p","display":"x"}},"valueQuantity":{{"value":1.00}}}}"#)
        );
        assert_eq!(
            text(r#"{"resourceType":"Observation","subject":{"reference":"Patient/a","extension":[{"url":"x"}]}}"#).unwrap(),
            format!(r#"{{"resourceType":"Observation","subject":{{"reference":"Patient/p","extension":[{kept},{{"url":"x"}}]}}}}"#)
        );
        for same in [
            r#"{"resourceType":"Observation","subject":{"reference":"Patient/b"}}"#,
            r#"{"resourceType":"Observation","subject":{"reference":"Patient/a/_history/1"}}"#,
            r#"{"resourceType":"Observation","note":[{"text":"Patient/a"}]}"#,
            r#"{"resourceType":"Patient","link":[{"other":{"reference":"Patient/a"}}]}"#,
            r#"{"resourceType":"Provenance","target":[{"reference":"Patient/a"}]}"#,
        ] {
            assert_eq!(text(same), None, "{same}");
        }
    }
}
