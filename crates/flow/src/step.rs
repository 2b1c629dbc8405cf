//! The steps that take a journaled message to its destination.

pub(crate) mod board;
pub(crate) mod decode;
pub(crate) mod parking;
pub(crate) mod schedule;
pub(crate) mod work;
