//! Authorization: one pure decision, and the proof of it.
//!
//! Invariants:
//! - a [`Permit`] comes only from [`decide`] or, for the system's own work, from
//!   [`Permit::system`]: its fields are private and it has no other constructor;
//! - a permit states the rows it covers ([`RowFilter`]); the store joins that filter into every
//!   node of a plan, so that chains, `_has`, includes and counts do not leak;
//! - anything that a scope does not explicitly grant is denied: a scope with a condition that
//!   cannot be enforced yet grants nothing;
//! - no I/O, no clock.

mod decide;
mod permit;
mod principal;
mod scope;

pub use decide::{Refusal, decide};
pub use permit::{Permit, RowFilter, SystemCaller, Types};
pub use principal::{Action, Interaction, Principal};
pub use scope::{Context, InvalidScope, Letter, Scope, Scopes};
