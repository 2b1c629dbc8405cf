//! Types shared by every crate: purposes of use, clock, issues, partial dates, exact decimals.
//!
//! Invariants:
//! - nothing here does I/O; the time comes in through [`Clock`];
//! - values are kept as the sender wrote them: a year stays a year ([`DateTime`]), `1.00` stays
//!   `1.00` ([`Decimal`]).

mod clock;
mod decimal;
mod issue;
mod log_throttle;
mod pieces;
mod purpose;
mod time;

pub use clock::{Clock, FixedClock, SystemClock};
pub use decimal::{Decimal, InvalidDecimal};
pub use issue::{Issue, Severity};
pub use log_throttle::LogThrottle;
pub use pieces::{Pieces, pieces};
pub use purpose::Purpose;
pub use time::{DateTime, InvalidDateTime, Precision, TimeReading, Timestamp, UtcOffset, Zone};
