//! References between entries, rewritten to the ids under which the entries are stored.

use fhir::json::{Kind, Node};
use fhir::reference::Reference;
use std::collections::HashMap;

/// Returns the resource's bytes with every known reference replaced and everything else unchanged.
///
/// `known` maps full URLs (`urn:uuid:…`, absolute URLs) to `Type/id`. Unknown references stay. A
/// relative reference is first resolved on the server of the entry's own `full_url`
/// (bundle.html#references).
pub(crate) fn rewrite(
    resource: Node<'_>,
    full_url: Option<&str>,
    known: &HashMap<String, String>,
) -> Vec<u8> {
    let root = full_url.and_then(server_of);
    let document = resource.document();
    let source = document.source().as_bytes();
    let mut out = Vec::with_capacity(resource.raw().len());
    let mut at = resource.span().start;
    for index in resource.index()..resource.subtree_end() {
        let Some(node) = document
            .node(index)
            .filter(|node| node.kind() == Kind::String)
        else {
            continue;
        };
        if node.name() == Some("div") {
            let span = node.span();
            out.extend_from_slice(source.get(at..span.start).unwrap_or(&[]));
            out.extend_from_slice(narrative(node.raw_str(), known).as_bytes());
            at = span.end;
            continue;
        }
        // Values of type `url` and `uri` too, as http.html#trules requires.
        let holds_reference = matches!(
            node.name(),
            Some("reference" | "url" | "uri" | "valueUri" | "valueUrl")
        );
        if !holds_reference {
            continue;
        }
        let Some(text) = node.as_str() else { continue };
        let (url, fragment) = match text.split_once('#') {
            Some((url, fragment)) if !url.is_empty() => (url, Some(fragment)),
            _ => (text.as_ref(), None),
        };
        let there = root.filter(|_| node.name() == Some("reference"));
        let there = there.and_then(|root| known.get(&format!("{root}/{url}")));
        let Some(target) = known.get(url).or(there) else {
            continue;
        };
        let span = node.span();
        out.extend_from_slice(source.get(at..span.start).unwrap_or(&[]));
        out.push(b'"');
        // Type and id need no escaping.
        out.extend_from_slice(target.as_bytes());
        if let Some(fragment) = fragment {
            out.push(b'#');
            out.extend_from_slice(fragment.as_bytes());
        }
        out.push(b'"');
        at = span.end;
    }
    out.extend_from_slice(source.get(at..resource.span().end).unwrap_or(&[]));
    out
}

/// Returns `http://a.example/fhir` for `http://a.example/fhir/Patient/1`.
fn server_of(full_url: &str) -> Option<&str> {
    match Reference::parse(full_url) {
        Ok(Reference::Absolute { base, .. }) => Some(base),
        _ => None,
    }
}

/// Replaces the addresses of links and images in a narrative's JSON text.
fn narrative(raw: &str, known: &HashMap<String, String>) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(start) = ["href=", "src="]
        .iter()
        .filter_map(|name| Some(rest.find(name)? + name.len()))
        .min()
    {
        let (before, value) = rest.split_at(start);
        out.push_str(before);
        rest = value;
        // In JSON text, a double quote is escaped.
        let Some(quote) = ["\\\"", "'"]
            .iter()
            .find(|quote| value.starts_with(**quote))
        else {
            continue;
        };
        let inner = value.get(quote.len()..).unwrap_or("");
        let url = inner.split(quote).next().unwrap_or("");
        if let Some(target) = known.get(url) {
            out.push_str(quote);
            out.push_str(target);
            rest = inner.get(url.len()..).unwrap_or("");
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use fhir::json::Document;

    #[test]
    fn only_known_references_change() {
        let text = r#"{"resourceType":"Observation", "subject" : {"reference":"urn:uuid:1"},
            "encounter":{"reference":"urn:uuid:2"},"note":[{"text":"urn:uuid:1"}], "valueQuantity":{"value":1.00}}"#;
        let document = Document::parse(text).unwrap();
        let known = HashMap::from([("urn:uuid:1".to_owned(), "Patient/a".to_owned())]);
        let out = String::from_utf8(rewrite(document.root(), None, &known)).unwrap();
        assert_eq!(
            out,
            text.replace(
                r#"{"reference":"urn:uuid:1"}"#,
                r#"{"reference":"Patient/a"}"#
            )
        );
    }

    #[test]
    fn links_of_a_narrative_and_references_on_the_entrys_server() {
        let text = r#"{"resourceType":"Observation","text":{"status":"generated",
            "div":"<div><a href=\"urn:uuid:1\">urn:uuid:1</a><img src='urn:uuid:1'/><a href=\"urn:uuid:2\"/></div>"},
            "subject":{"reference":"Patient/7"},"encounter":{"reference":"Encounter/7"}}"#;
        let document = Document::parse(text).unwrap();
        let known = HashMap::from([
            ("urn:uuid:1".to_owned(), "Patient/a".to_owned()),
            (
                "http://a.example/fhir/Patient/7".to_owned(),
                "Patient/b".to_owned(),
            ),
        ]);
        let out = |url| String::from_utf8(rewrite(document.root(), url, &known)).unwrap();
        let linked = text
            .replace(r#"href=\"urn:uuid:1\""#, r#"href=\"Patient/a\""#)
            .replace("src='urn:uuid:1'", "src='Patient/a'");
        assert_eq!(out(Some("urn:uuid:9")), linked);
        assert_eq!(
            out(Some("http://a.example/fhir/Observation/7")),
            linked.replace("Patient/7", "Patient/b")
        );
    }
}
