//! Who may do what: one pure decision, and the proof of it.
//!
//! Invariants:
//! - a [`Permit`] comes from [`decide`] or, for the system's own work, from [`Permit::system`], and
//!   from nowhere else: its fields are private and it has no other constructor;
//! - a permit says which rows it covers ([`RowFilter`]); the store joins that filter into every
//!   node of a plan, so that chains, `_has`, includes and counts do not leak;
//! - what a scope does not plainly grant is refused: a scope with a condition that cannot be held
//!   yet grants nothing;
//! - no I/O, no clock.

mod decide;
mod permit;
mod principal;
mod scope;

pub use decide::{Refusal, decide};
pub use permit::{Permit, RowFilter, SystemCaller, Types};
pub use principal::{Action, Interaction, Principal};
pub use scope::{Context, InvalidScope, Letter, Scope, Scopes};
