//! The body of a person's own resource, assembled from the contributions of its records.
//!
//! Invariants:
//! - demographics come from the newest record that has them, identifiers from all records, and a
//!   link leads to each record;
//! - each record is parsed once, into its [`Part`]: a person of a thousand records is assembled
//!   from existing texts and postings, and its postings are those of its body.

use super::batch::Prepared;
use super::body::compress;
use super::person::{Identity, SHOWN, head};
use fhir::json::{Document, Node};
use search::{Extraction, Posting, extract};
use std::collections::HashSet;
use std::fmt::Write;

/// The contribution of one record to its person.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Part {
    id: String,
    /// The elements of [`SHOWN`], as the source wrote them.
    shown: [Option<Box<str>>; SHOWN.len()],
    identifiers: Vec<Box<str>>,
    /// The postings of its identifiers and of the link to it.
    postings: Vec<Posting>,
}

// === impl Part ===

impl Part {
    /// Returns the part of the record with that id.
    pub(crate) fn of(id: &str, identity: &Identity) -> Self {
        let mut part = Self {
            id: id.to_owned(),
            ..Self::default()
        };
        if let Ok(document) = Document::parse(identity.without_links()) {
            let root = document.root();
            for (place, name) in part.shown.iter_mut().zip(SHOWN) {
                *place = root.get(name).map(|element| element.raw_str().into());
            }
            let identifiers = root.get("identifier").into_iter().flat_map(Node::items);
            part.identifiers = identifiers.map(|item| item.raw_str().into()).collect();
        }
        let mut text = String::from(r#"{"resourceType":"Patient""#);
        push_list(&mut text, "identifier", &part.identifiers);
        push_links(&mut text, &[id]);
        text.push('}');
        part.postings = found_by(&text).postings;
        // Postings that every Patient has, whatever its content, are determined by the person's own
        // elements.
        let of_all = found_by(r#"{"resourceType":"Patient"}"#).postings;
        part.postings.retain(|posting| !of_all.contains(posting));
        part
    }
}

/// Prepares the person of these records, given the newest first. Returns `None` if what a source
/// sent cannot be assembled.
pub(crate) fn prepare(parts: &[&Part]) -> Option<Prepared> {
    let mut shown = String::new();
    for (place, name) in SHOWN.into_iter().enumerate() {
        let mut told = parts
            .iter()
            .filter_map(|part| part.shown.get(place)?.as_ref());
        if let Some(element) = told.next() {
            let _ = write!(shown, ",\"{name}\":{element}");
        }
    }
    let mut extraction = found_by(&format!("{}{shown}}}", head("true")));
    if extraction.resource_type.is_empty() {
        return None;
    }
    let all = parts.iter().flat_map(|part| &part.postings);
    extraction.postings.extend(all.cloned());
    extraction.postings.sort_unstable();
    extraction.postings.dedup();
    Some(Prepared {
        extraction,
        body: compress(body(&shown, parts).as_bytes())?,
        identity: None,
    })
}

/// Returns the text of the body, with the person's own elements in it.
fn body(shown: &str, parts: &[&Part]) -> String {
    let mut seen = HashSet::new();
    let identifiers = parts.iter().flat_map(|part| &part.identifiers);
    let distinct: Vec<&str> = identifiers
        .map(|text| &**text)
        .filter(|text| seen.insert(*text))
        .collect();
    let mut ids: Vec<&str> = parts.iter().map(|part| part.id.as_str()).collect();
    ids.sort_unstable();
    let mut text = head("true");
    let length = distinct.iter().map(|text| text.len() + 1).sum::<usize>();
    text.reserve(shown.len() + length + ids.len() * 96 + 64);
    push_list(&mut text, "identifier", &distinct);
    text.push_str(shown);
    push_links(&mut text, &ids);
    text.push('}');
    text
}

fn push_list(text: &mut String, name: &str, items: &[impl AsRef<str>]) {
    for (place, item) in items.iter().enumerate() {
        if place == 0 {
            let _ = write!(text, ",\"{name}\":[");
        } else {
            text.push(',');
        }
        text.push_str(item.as_ref());
    }
    if !items.is_empty() {
        text.push(']');
    }
}

fn push_links(text: &mut String, ids: &[&str]) {
    text.push_str(",\"link\":[");
    for (place, id) in ids.iter().enumerate() {
        let comma = if place == 0 { "" } else { "," };
        let _ = write!(
            text,
            r#"{comma}{{"other":{{"reference":"Patient/{id}"}},"type":"seealso"}}"#
        );
    }
    text.push(']');
}

fn found_by(text: &str) -> Extraction {
    Document::parse(text).map_or_else(|_| Extraction::default(), |document| extract(&document))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::body::decompress;
    use proptest::prelude::*;

    fn part(id: &str, text: &str) -> Part {
        Part::of(id, &Identity::stored(text.as_bytes().to_vec()))
    }

    fn text_of(parts: &[&Part]) -> String {
        let prepared = prepare(parts).unwrap();
        let plain = decompress(prepared.body.dictionary, &prepared.body.bytes);
        String::from_utf8(plain.unwrap()).unwrap()
    }

    #[test]
    fn the_newest_record_shows() {
        let newest = part("b", r#"{"gender":"female","identifier":[{"value":"2"}]}"#);
        let older = part(
            "a",
            r#"{"gender":"male","birthDate":"1980","identifier":[{"value":"1"}]}"#,
        );
        let body = text_of(&[&newest, &older]);
        assert!(
            body.contains(
                r#""identifier":[{"value":"2"},{"value":"1"}],"gender":"female","birthDate":"1980""#
            ),
            "{body}"
        );
        assert!(body.find("Patient/a") < body.find("Patient/b"), "{body}");
        Document::parse(&body).unwrap();
    }

    fn identity() -> impl Strategy<Value = String> {
        let element = prop_oneof![
            "[a-c]{1}".prop_map(|name| format!(r#""name":[{{"family":"{name}"}}]"#)),
            "(fe)?male".prop_map(|code| format!(r#""gender":"{code}""#)),
            (1980..1983).prop_map(|year| format!(r#""birthDate":"{year}""#)),
            any::<bool>().prop_map(|dead| format!(r#""deceasedBoolean":{dead}"#)),
            "[a-b]{1}".prop_map(|city| format!(r#""address":[{{"city":"{city}"}}]"#)),
        ];
        let number = (0..4, 0..6).prop_map(|(system, value)| {
            format!(r#"{{"system":"urn:zz{system}","value":"{value}"}}"#)
        });
        (
            prop::collection::vec(element, 0..3),
            prop::collection::vec(number, 0..4),
        )
            .prop_map(|(mut elements, numbers)| {
                elements.sort();
                elements.dedup_by(|a, b| a.split(':').next() == b.split(':').next());
                if !numbers.is_empty() {
                    elements.push(format!(r#""identifier":[{}]"#, numbers.join(",")));
                }
                format!("{{{}}}", elements.join(","))
            })
    }

    proptest! {
        #[test]
        fn it_is_found_by_what_its_body_says(records in prop::collection::vec(identity(), 1..6)) {
            let parts: Vec<Part> = records
                .iter()
                .enumerate()
                .map(|(n, text)| part(&format!("r{n}"), text))
                .collect();
            let parts: Vec<&Part> = parts.iter().collect();
            let body = text_of(&parts);
            let document = Document::parse(&body).unwrap();
            let told = Prepared::new(&document).unwrap();
            let joined = prepare(&parts).unwrap();
            prop_assert_eq!(&joined.extraction.postings, &told.extraction.postings, "{}", body);
            prop_assert_eq!(joined.body.digest, told.body.digest);
        }
    }
}
