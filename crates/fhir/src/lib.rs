//! FHIR R4 (4.0.1) as a lossless tree, a builder, definition tables and what they alone can check.
//!
//! Invariants:
//! - nothing here does I/O and nothing fetches anything; the tables are compiled in;
//! - what was sent is kept: every byte of a [`json::Document`] can be had back, `1.0` and `1.00`
//!   stay apart, unknown elements survive into a [`build::Value`] and out again;
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
