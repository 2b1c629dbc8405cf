//! FHIR R4 (4.0.1): a lossless tree, a builder, definition tables, and the checks that need only
//! those tables.
//!
//! Invariants:
//! - nothing here does I/O or fetches anything; the tables are compiled in;
//! - input is preserved: every byte of a [`json::Document`] can be recovered, `1.0` and `1.00` stay
//!   distinct, unknown elements survive into a [`build::Value`] and out again;
//! - no input makes a reader panic; depth is capped here, size by the caller.

pub mod build;
pub mod bundle;
pub mod check;
pub mod definitions;
pub mod fuzz;
pub mod identifier;
pub mod json;
pub mod meta;
pub mod ndjson;
pub mod outcome;
pub mod reference;
