//! Index extraction: one walk over the document, with postings at each place where a parameter's
//! path ends.

mod path;
mod plan;
mod values;
mod walk;

pub(crate) use plan::{Plan, compile};
pub(crate) use values::date_span;
pub use walk::{Extractor, places};

use crate::posting::Extraction;
use fhir::json::Document;

/// Returns the postings of a resource on a server with an unknown base URL: absolute references
/// stay absolute. Never fails: values that cannot be indexed are reported as issues.
pub fn extract(document: &Document) -> Extraction {
    Extractor::default().extract(document)
}
