//! What every HTTP surface stands on: the listener, who calls, who may, failures, the audit trail.
//!
//! Invariants:
//! - nothing but health, metadata and login answers without a [`caller::Caller`];
//! - every access to patient data is in the audit log, durably, before the first byte of the answer
//!   ([`trail`]); where the log cannot be written, nothing is answered;
//! - this crate knows no surface: `rest` and `console` stand beside each other upon it, and `server`
//!   mounts them.

mod app;
pub mod caller;
mod damage;
mod failure;
mod listen;
pub mod measure;
pub mod parameters;
mod permit;
mod searching;
pub mod secure;
pub mod trail;

pub use app::{App, BundleLimits, Parts};
pub use caller::{ADMINISTRATOR_SCOPE, Caller};
pub use damage::damages;
pub use failure::{FHIR_JSON, Failure, is_acceptable, outcome};
pub use listen::{Listener, ServeError, serve};
pub use measure::Measures;
pub use permit::{audited_failure, permit};
