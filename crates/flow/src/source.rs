//! Sources of messages.

pub(crate) mod answer;
pub(crate) mod connection;
pub(crate) mod mllp;
pub(crate) mod room;
pub(crate) mod writer;
