//! Maps between HL7 v2 and FHIR R4: parsing, checking, conversion in both directions, lineage.
//!
//! The language is described in `docs/reference/maps.md`; the maps are in `maps/`.
//!
//! Invariants:
//! - nothing here does I/O or reads a clock: the same message with the same map always gives the
//!   same resources;
//! - parsing a map and converting a message never fail: what could not be understood is a
//!   [`Diagnostic`] or an entry in the [`Report`];
//! - every field of a message appears in the report, every value of a resource in its lineage;
//! - what a message does not state stays unchanged; nothing is invented.

mod back;
mod builtin;
mod bundle;
mod check;
mod compile;
mod coverage;
mod diagnostic;
mod draft;
mod forward;
pub mod fuzz;
pub mod lifecycle;
mod list;
mod missing;
mod program;
mod received;
mod report;
mod script;
mod set;
mod syntax;
mod trial;
mod values;
mod visits;

pub use back::{Backward, Loss, Target};
pub use coverage::{Coverage, FieldCoverage};
pub use diagnostic::{Diagnostic, Spot};
pub use draft::{Applied, BusinessKey, Draft, Lineage, Names};
pub use forward::identifier_keys;
pub use list::{List, Listed, Part};
pub use program::{RowId, RowInfo};
pub use report::{Entry, FieldPlace, Report, Unusable};
pub use set::{Conversion, MapSet, NoMap, Source};
pub use syntax::Ownership;
pub use trial::Trial;
pub use visits::Visits;
