//! One module per command.

pub(crate) mod send;
pub(crate) mod token;
