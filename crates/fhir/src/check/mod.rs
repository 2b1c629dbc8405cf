//! What the definitions alone can tell of a resource.

use crate::json::Document;
use base::Issue;

/// Every finding, each with its FHIRPath location. No issue of severity error means that the
/// resource has the shape that FHIR R4 asks for; it does not mean that it keeps the invariants.
pub fn structure(document: &Document) -> Vec<Issue> {
    document.issues().to_vec()
}
