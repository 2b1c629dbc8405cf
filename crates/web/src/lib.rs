//! The foundation of every HTTP surface: the listener, authentication, permits, failures and the
//! audit trail.
//!
//! Invariants:
//! - only health, metadata and login respond without a [`caller::Caller`];
//! - every access to patient data is durable in the audit log before the first byte of the response
//!   is sent ([`trail`]); if the log cannot be written, the request is not answered;
//! - this crate knows no surface: `rest` and `console` are independent of each other and built on
//!   it, and `server` mounts them.

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
