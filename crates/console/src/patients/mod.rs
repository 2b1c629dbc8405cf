//! The patient pages: a list of persons, and one person's chart across all sources.
//!
//! Invariants:
//! - every page of a chart is in the audit log, with all source patients, before its first byte;
//! - every value links to its origin;
//! - a value that a source withdrew is shown as withdrawn, not left out.

mod access;
mod authorities;
mod band;
mod documents;
mod list;
mod origin;
mod record;
mod results;
mod series;
mod sources;
mod summary;
mod timeline;
mod value;

pub(super) use access::access;
pub(super) use documents::{document_page, documents, download, inline};
pub(super) use list::{Person, find, list, persons};
pub(super) use origin::origin;
pub(super) use results::results;
pub(super) use sources::sources;
pub(super) use summary::summary;
pub(super) use timeline::timeline;
pub(super) use value::short;
