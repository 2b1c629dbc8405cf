//! What the definitions alone can tell of a resource.
//!
//! Invariants:
//! - the walk follows the definitions, not the names: what no definition knows is an issue and is
//!   not looked into;
//! - texts never repeat a value, which may be PHI; they name elements, types and allowed codes.

mod contained;
mod narrative;
mod primitive;
mod terms;
mod walk;

use crate::json::{Document, Node};
use base::Issue;

/// A resource with more findings than this is told that there are more.
const MAX_ISSUES: usize = 200;

/// Every finding, each with its FHIRPath location. No issue of severity error means that the
/// resource has the shape that FHIR R4 asks for; it does not mean that it keeps the
/// invariants; of these `ext-1`, what a narrative may not do, and those of contained resources are looked at.
pub fn structure(document: &Document) -> Vec<Issue> {
    resource(document.root())
}

/// [`structure`] for a resource inside a document, such as a Bundle entry's.
pub fn resource(node: Node<'_>) -> Vec<Issue> {
    let mut walk = walk::Walk::new();
    walk.duplicates(node);
    walk.resource(node, walk::Role::Whole);
    walk.finish()
}
