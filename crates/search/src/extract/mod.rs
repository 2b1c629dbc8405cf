//! What the index keeps of a resource: one walk over the document, postings at each place that a
//! parameter's path ends.

mod path;
mod plan;
mod values;
mod walk;

pub(crate) use plan::{Plan, compile};
pub(crate) use values::date_span;
pub use walk::{Extractor, places};

use crate::posting::Extraction;
use fhir::json::Document;

/// The postings of a resource on a server whose base URL is not known: absolute references stay
/// absolute. Never fails: what cannot be indexed is among the issues.
pub fn extract(document: &Document) -> Extraction {
    Extractor::default().extract(document)
}
