//! Fuzzer entry point: every reader of the crate on arbitrary bytes.

use crate::{Handling, Matcher, Nothing, extract, parse};
use fhir::json::Document;
use std::hint::black_box;

/// Reads the bytes as a resource and as a query string. Returns true if the laws hold: postings are
/// sorted without duplicates, and each pair of a query is used, unknown or deliberately ignored.
pub fn fuzz(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let found = Document::parse(bytes)
        .map(|document| extract(&document))
        .unwrap_or_default();
    let sorted = found
        .postings
        .iter()
        .zip(found.postings.iter().skip(1))
        .all(|(a, b)| a < b);
    let pairs: Vec<(String, String)> = text
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let is_left = |(name, _): &&(String, String)| name == "_format" || name == "_pretty";
    let n_left = pairs.iter().filter(is_left).count();
    ["Patient", "Observation"].iter().all(|resource_type| {
        parse(resource_type, &pairs, Handling::Lenient).map_or(true, |query| {
            black_box(Matcher::new(&Nothing).matches(&query, &found));
            black_box(query.link(Some("x")));
            query.used().len() + query.unknown.len() + n_left == pairs.len()
        })
    }) && sorted
}
