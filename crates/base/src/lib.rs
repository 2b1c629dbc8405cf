//! Words that every crate shares: PHI marker, typed ids, clock, issues, partial dates, exact decimals.
//!
//! Invariants:
//! - nothing here does I/O; the time comes in through [`Clock`];
//! - what a sender wrote is kept: a year stays a year ([`DateTime`]), `1.00` stays `1.00`
//!   ([`Decimal`]);
//! - nothing marked [`Phi`] prints itself.

mod clock;
mod decimal;
mod id;
mod issue;
mod phi;
mod pieces;
mod sparse;
mod time;

pub use clock::{Clock, FixedClock, SystemClock};
pub use decimal::{Decimal, InvalidDecimal};
pub use id::{Id, InvalidId, Kind};
pub use issue::{Issue, Severity};
pub use phi::{Phi, Purpose};
pub use pieces::{Pieces, pieces};
pub use sparse::Sparse;
pub use time::{DateTime, InvalidDateTime, Precision, TimeReading, Timestamp, UtcOffset, Zone};
