//! A town of synthetic patients and the HL7 v2 messages that four peers send about them.
//!
//! Invariants:
//! - pure: no sockets, no clock, no files; the same [`Options`] give the same bytes;
//! - no one in it is or resembles a real person: family names begin with [`names::FAMILY_MARKS`],
//!   telephone numbers are 555-01xx, mail goes to example.org, postal codes are not in use, record
//!   numbers begin with Z, and there are no social security numbers;
//! - each message lists its oddities ([`Sent::note`]); a message without a note is clean.

pub mod bench;
mod clinic;
mod draft;
mod event;
mod immunization;
mod laboratory;
mod life;
mod lines;
mod moment;
pub mod names;
mod oddity;
mod person;
mod pharmacy;
mod random;
mod simulation;
mod station;

pub use oddity::Oddity;
pub use simulation::{Options, START, Sent, Simulation};
pub use station::Peer;

/// Frequencies of events and oddities, as named constants.
pub mod shares {
    pub use crate::laboratory::{REMARK, SPARSE_PID};
    pub use crate::life::{
        CANCELLED, CORRECTED, LATE_NEWS, PRELIMINARY_FIRST, REBOOKED, REFUSED, SHOT_CORRECTED,
        WITHDRAWN,
    };
    pub use crate::oddity::{CHARGED, COUNTER_SET_BACK_AFTER, REPEATED, SHARES};
    pub use crate::person::{
        LABORATORY_NUMBER_ONLY, MOVES_HOUSE, REGISTERED_TWICE, TELEPHONE_GONE,
    };
}
