//! Fuzzer entry point: every reader of the crate on arbitrary bytes.

use crate::build::Value;
use crate::json::Document;
use crate::{bundle, check, meta, ndjson, reference};
use base::Timestamp;
use std::hint::black_box;

/// Reads the bytes in every way and returns whether the laws hold: written output parses to the
/// same value again, and stamping keeps it JSON.
pub fn fuzz(bytes: &[u8]) -> bool {
    black_box(ndjson::documents(bytes).count());
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = black_box(reference::Reference::parse(text));
    }
    let Ok(document) = Document::parse(bytes) else {
        return true;
    };
    black_box(check::structure(&document));
    for entry in bundle::entries(document.root()) {
        black_box((entry.full_url(), entry.resource(), entry.request()));
    }
    for index in 0..document.node_count() as u32 {
        if let Some(node) = document.node(index) {
            black_box((node.as_str(), node.name(), node.extension_sibling()));
            black_box(document.path_of(node));
        }
    }
    let value = Value::from(&document);
    let again = Value::parse(value.to_bytes());
    again.is_ok_and(|again| again.is_same_json(&value)) && stamp_holds(&document)
}

fn stamp_holds(document: &Document) -> bool {
    let stamp = meta::Stamp {
        id: "x",
        version: "1",
        last_updated: Timestamp::from_micros(0),
    };
    let Ok(stamped) = meta::splice_document(document, &stamp) else {
        return !document.root().is_object();
    };
    Value::parse(&stamped)
        .is_ok_and(|value| value.text("id") == Some("x") && value.at("meta.versionId").is_some())
}
