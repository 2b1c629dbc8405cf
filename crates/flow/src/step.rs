//! What happens to a journaled message on its way to the destination.

pub mod board;
pub mod schedule;
