//! Structural checks that need only the definitions.
//!
//! Invariants:
//! - the walk follows the definitions, not the names: an element that no definition has is an issue
//!   and is not descended into;
//! - texts never repeat a value, which may be PHI; they name elements, types and allowed codes.

mod contained;
mod narrative;
mod primitive;
mod terms;
mod walk;

use crate::json::{Document, Node};
use base::Issue;

/// Cap on issues per resource; a further issue says that there are more.
const MAX_ISSUES: usize = 200;

/// Returns every issue, each with its FHIRPath location. No issue of severity error means that the
/// resource has the shape that FHIR R4 requires. It does not mean that all invariants hold: only
/// `ext-1`, the rules for narratives and those for contained resources are checked.
pub fn structure(document: &Document) -> Vec<Issue> {
    resource(document.root())
}

/// Checks a resource inside a document, such as a Bundle entry's, like [`structure`].
pub fn resource(node: Node<'_>) -> Vec<Issue> {
    let mut walk = walk::Walk::new();
    walk.duplicates(node);
    walk.resource(node, walk::Role::Whole);
    walk.finish()
}
