//! Which source records are one person.

/// What the person of a source Patient is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {}
