//! References between entries become references to what they are stored as.

use fhir::json::{Kind, Node};
use std::collections::HashMap;

/// The resource's bytes with a new `id` and every known reference replaced; all else as sent.
///
/// `known` maps full URLs (`urn:uuid:…`, absolute URLs) to `Type/id`. What is not known stays.
pub(crate) fn rewrite(resource: Node<'_>, known: &HashMap<String, String>) -> Vec<u8> {
    let document = resource.document();
    let source = document.source().as_bytes();
    let mut out = Vec::with_capacity(resource.raw().len());
    let mut at = resource.span().start;
    for index in resource.index()..resource.subtree_end() {
        let Some(node) = document.node(index) else {
            continue;
        };
        let holds_reference = node.kind() == Kind::String
            // `url` and `uri` values too, as http.html#trules asks.
            && matches!(node.name(), Some("reference" | "url" | "uri" | "valueUri" | "valueUrl"));
        if !holds_reference {
            continue;
        }
        let Some(text) = node.as_str() else { continue };
        let (url, fragment) = match text.split_once('#') {
            Some((url, fragment)) if !url.is_empty() => (url, Some(fragment)),
            _ => (text.as_ref(), None),
        };
        let Some(target) = known.get(url) else {
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
        let out = String::from_utf8(rewrite(document.root(), &known)).unwrap();
        assert_eq!(
            out,
            text.replace(
                r#"{"reference":"urn:uuid:1"}"#,
                r#"{"reference":"Patient/a"}"#
            )
        );
    }
}
