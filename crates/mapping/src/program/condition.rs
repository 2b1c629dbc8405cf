//! Bound conditions.

use super::{Hop, Source};
use crate::syntax::Compare;

/// A test of the message.
#[derive(Clone, Debug)]
pub(crate) enum Condition {
    Is(bool),
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Test { source: Source, op: Op },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Empty,
    Valued,
    /// `""`: known to be empty (HL7 v2 2.5.3).
    Null,
    HasTime,
    HasNumber,
    HasCheckDigit,
    /// The text contains the letters, ignoring case.
    HasWord(Box<str>),
    In(Vec<Box<str>>),
    NotIn(Vec<Box<str>>),
    Count(Compare, u32),
}

/// A test of the resource, read from the row's element.
#[derive(Clone, Debug)]
pub(crate) enum ResourceCondition {
    All(Vec<ResourceCondition>),
    Any(Vec<ResourceCondition>),
    Not(Box<ResourceCondition>),
    Test { path: Vec<Hop>, op: ResourceOp },
}

#[derive(Clone, Debug)]
pub(crate) enum ResourceOp {
    Absent,
    Exists,
    In(Vec<Box<str>>),
    NotIn(Vec<Box<str>>),
    Count(Compare, u32),
    SameAs(Vec<Hop>),
}

// === impl Condition ===

impl Condition {
    /// Returns the tests that must all hold, if the condition consists only of such tests.
    pub(crate) fn conjuncts(&self) -> Vec<(&Source, &Op)> {
        match self {
            Self::All(parts) => parts.iter().flat_map(Self::conjuncts).collect(),
            Self::Test { source, op } => vec![(source, op)],
            Self::Is(_) | Self::Any(_) | Self::Not(_) => Vec::new(),
        }
    }

    /// Collects every source that the condition reads.
    pub(crate) fn sources(&self, found: &mut Vec<Source>) {
        match self {
            Self::Is(_) => {}
            Self::All(parts) | Self::Any(parts) => {
                for part in parts {
                    part.sources(found);
                }
            }
            Self::Not(part) => part.sources(found),
            Self::Test { source, .. } => found.push(*source),
        }
    }
}

impl Compare {
    pub(crate) fn holds(self, left: u32, right: u32) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Less => left < right,
            Self::LessEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterEqual => left >= right,
        }
    }
}
