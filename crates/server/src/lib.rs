//! HTTP: FHIR REST under `/fhir`, the console under `/`, metrics, health.
//!
//! Invariants:
//! - nothing but health, metadata and login answers without a [`caller::Caller`];
//! - every access to patient data is in the audit log, durably, before the first byte of the answer
//!   ([`trail`]); where the log cannot be written, nothing is answered;
//! - a 2xx to a write means on disk;
//! - every failure under `/fhir` is an OperationOutcome; nothing of a request's content is logged.

mod api;
pub mod app;
mod caller;
mod console;
mod fhir;
mod findings;
pub mod import;
mod listen;
pub mod measure;
mod operate;
mod searching;
mod secure;
mod trail;

pub use app::{App, BundleLimits, Parts};
pub use caller::ADMINISTRATOR_SCOPE;
pub use fhir::capability_statement;
pub use listen::{Listener, ServeError, serve};
pub use measure::Measures;
