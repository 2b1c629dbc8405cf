//! Converts resources to a message.
//!
//! Invariants:
//! - a row is used only if its resource side holds, and what its message side requires is written;
//! - what was written is read forward again, and every element that does not come back unchanged is
//!   reported as lost (law 2b): nothing is guessed.

mod compare;
mod convert;
mod each;
mod message;
mod order;
mod out;
mod rows;
mod scope;

use crate::program::Program;
use fhir::build::Value;
use out::{OutSegment, Pen};
use scope::OutScope;
use std::sync::Arc;

pub(crate) use compare::differences;
pub(crate) use message::message;
pub(crate) use rows::resource_holds;

/// The known facts about the receiver of a message.
#[derive(Clone, Debug)]
pub struct Target {
    /// MSH-7.
    pub at: base::Timestamp,
    /// MSH-10.
    pub control_id: String,
    /// MSH-12.
    pub version: String,
    /// The assigning authorities: name and URI.
    pub authorities: Vec<(String, String)>,
    /// The dialect; `None` means the base maps.
    pub dialect: Option<String>,
}

/// An element that the message does not carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The resource's full URL, or its type if it has none.
    pub resource: String,
    /// The element: `name[0].family`.
    pub element: String,
}

/// A message made from resources.
#[derive(Clone)]
pub struct Backward {
    /// The message; segments end in CR.
    pub message: Vec<u8>,
    /// The parts of the resources that the message does not carry.
    pub lost: Vec<Loss>,
}

pub(crate) struct Back<'p> {
    pub(crate) program: &'p Arc<Program>,
    pub(crate) authorities: Vec<(String, String)>,
    /// The full URL of each resource, and the resource.
    pub(crate) resources: Vec<(String, &'p Value)>,
}

// === impl Back ===

impl<'p> Back<'p> {
    pub(crate) fn new(program: &'p Arc<Program>, authorities: &[(String, String)]) -> Self {
        let mut all = program.authorities.clone();
        all.extend(authorities.iter().cloned());
        Self {
            program,
            authorities: all,
            resources: Vec::new(),
        }
    }

    fn resolve(&self, reference: &str) -> Option<&'p Value> {
        let by_url = self.resources.iter().find(|(url, _)| url == reference);
        let by_id = || {
            let (resource_type, id) = reference.rsplit_once('/')?;
            self.resources.iter().find(|(_, resource)| {
                resource.resource_type() == Some(resource_type) && resource.text("id") == Some(id)
            })
        };
        by_url.or_else(by_id).map(|(_, resource)| *resource)
    }

    /// Returns the segments that the maps of a type make of one resource. Used by tests and laws.
    pub(crate) fn segments(&self, resource: &Value, maps: &[usize]) -> Vec<Vec<u8>> {
        let mut out = OutScope::default();
        for map in maps
            .iter()
            .filter_map(|map| self.program.segments.get(*map))
        {
            self.rows(&map.body, resource, &mut out);
        }
        let pen = Pen::new(hl7v2::Delimiters::default());
        out.segments
            .iter()
            .map(|segment: &OutSegment| pen.segment(segment))
            .collect()
    }
}

// === impl Target ===

impl Default for Target {
    fn default() -> Self {
        Self {
            at: base::Timestamp::from_micros(0),
            control_id: "1".to_owned(),
            version: "2.5.1".to_owned(),
            authorities: Vec::new(),
            dialect: None,
        }
    }
}

impl std::fmt::Debug for Backward {
    /// Omits the message, which is PHI.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Backward({} bytes, lost: {:?})",
            self.message.len(),
            self.lost
        )
    }
}
