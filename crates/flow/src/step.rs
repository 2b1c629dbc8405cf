//! What happens to a journaled message on its way to the destination.

pub(crate) mod board;
pub(crate) mod decode;
pub(crate) mod parking;
pub(crate) mod schedule;
pub(crate) mod work;
