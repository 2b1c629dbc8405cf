//! Words that every crate shares: purposes of use, clock, issues, partial dates, exact decimals.
//!
//! Invariants:
//! - nothing here does I/O; the time comes in through [`Clock`];
//! - what a sender wrote is kept: a year stays a year ([`DateTime`]), `1.00` stays `1.00`
//!   ([`Decimal`]).

mod clock;
mod decimal;
mod issue;
mod pieces;
mod purpose;
mod sparse;
mod time;

pub use clock::{Clock, FixedClock, SystemClock};
pub use decimal::{Decimal, InvalidDecimal};
pub use issue::{Issue, Severity};
pub use pieces::{Pieces, pieces};
pub use purpose::Purpose;
pub use sparse::Sparse;
pub use time::{DateTime, InvalidDateTime, Precision, TimeReading, Timestamp, UtcOffset, Zone};
