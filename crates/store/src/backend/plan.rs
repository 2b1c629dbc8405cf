//! The request to an engine: numbers and bytes, no FHIR.
//!
//! Invariants:
//! - a [`Plan`] names its driving index; the engine chooses nothing;
//! - the order of results is total: sort keys, then the resource's number; so a page starts where
//!   the previous one ended, whatever index drives it.

use crate::backend::check::{Check, System};
use crate::backend::stored::Res;
use search::DateTest;
use std::collections::HashSet;

/// The resources to find, their order and the starting point.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The number of the type.
    pub(crate) type_number: i64,
    /// The source of the candidates.
    pub(crate) drive: Drive,
    /// Exact rows that each candidate must also have: the engine's semi-joins.
    pub(crate) probes: Vec<Probe>,
    /// The conditions that the posting set must meet.
    pub(crate) nodes: Vec<Node>,
    /// The rows that may be seen.
    pub(crate) rows: Rows,
    /// For Patients only: persons or the sources' records.
    pub(crate) persons: Option<bool>,
    /// True in the person view ([`crate::backend::persons`]).
    pub(crate) by_person: bool,
    pub(crate) order: Vec<OrderBy>,
    /// The position after which to start.
    pub(crate) after: Option<After>,
    /// The maximum number of hits.
    pub(crate) limit: usize,
}

/// The driving index.
#[derive(Clone, Debug)]
pub(crate) enum Drive {
    /// All resources of the type, by number.
    Type,
    /// All resources of the type in commit order; only if that is the requested order.
    Commits { descending: bool },
    /// The index of a date parameter; only if that is the requested order.
    Dates { param: u32, descending: bool },
    /// Rows with one of these exact keys.
    Exact(Vec<Exact>),
    /// Folded texts with one of these prefixes.
    Prefixes { param: u32, prefixes: Vec<Box<str>> },
    /// Spans that begin within one of these ranges.
    DateRanges { param: u32, ranges: Vec<(i64, i64)> },
    /// Numbers that begin within one of these ranges.
    NumberRanges { param: u32, ranges: Vec<(i64, i64)> },
    /// These resources, sorted.
    These(Vec<Res>),
}

/// The head of a row up to the resource: all rows that share it are in order of their resources.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Exact {
    Token {
        param: u32,
        code: Box<str>,
        system: System,
    },
    Reference {
        param: u32,
        target: Res,
    },
    Uri {
        param: u32,
        uri: Box<str>,
    },
    Composite {
        param: u32,
        code: Box<str>,
    },
    Compartment {
        patient: Res,
        type_number: i64,
    },
}

/// A set of rows, one of which must exist for the candidate.
#[derive(Clone, Debug)]
pub(crate) struct Probe(pub(crate) Vec<Exact>);

/// A condition on a resource.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    /// Some value passes some check.
    Any { param: u32, checks: Vec<Check> },
    /// No value passes any check.
    None { param: u32, checks: Vec<Check> },
    /// No parameter has a value, or one has.
    Missing { params: Vec<u32>, missing: bool },
    /// The resource refers under `param` to one that passes the branch of its type.
    Chain {
        param: u32,
        branches: Vec<(i64, Self)>,
    },
    /// A visible resource of the type refers to this one under `param` and passes.
    Has {
        param: u32,
        type_number: i64,
        node: Box<Self>,
    },
    /// The resource is one of these.
    These(HashSet<Res>),
    /// The time of the newest version passes one of these tests.
    Updated(Vec<DateTest>),
}

/// The rows that may be seen, in numbers.
#[derive(Clone, Debug)]
pub(crate) enum Rows {
    Everything,
    /// Rows of these types.
    Types(HashSet<i64>),
    /// Rows in these compartments; of these types, if given.
    Patients {
        patients: Vec<Res>,
        types: Option<HashSet<i64>>,
    },
    Nothing,
}

/// One sort key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OrderBy {
    pub(crate) by: By,
    pub(crate) descending: bool,
}

/// The criterion of a sort key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// The position of the newest version in commit order.
    Commit,
    /// The logical id.
    Id,
    /// The smallest or greatest value of a parameter; resources without one come last.
    Param(u32),
}

/// The end of a page.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct After {
    /// One key for each sort criterion.
    pub(crate) keys: Vec<SortKey>,
    pub(crate) res: Res,
}

/// A sort key of a hit. `None` sorts last in both directions; see [`crate::backend::order`].
pub(crate) type SortKey = Option<SortValue>;

/// A value to sort by.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum SortValue {
    Number(i64),
    Id(Box<str>),
    Value(search::Value),
}

/// The result of a plan.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    pub(crate) hits: Vec<Hit>,
    /// True if there are more hits.
    pub(crate) more: bool,
}

/// A resource that was found, with the keys by which it was sorted.
#[derive(Clone, Debug)]
pub(crate) struct Hit {
    pub(crate) res: Res,
    pub(crate) keys: Vec<SortKey>,
}

// === impl Drive ===

impl Drive {
    /// Returns true if the drive yields resources in order of their numbers without sorting.
    pub(crate) fn is_by_number(&self) -> bool {
        match self {
            Self::Type | Self::Exact(_) | Self::These(_) => true,
            Self::Commits { .. }
            | Self::Dates { .. }
            | Self::Prefixes { .. }
            | Self::DateRanges { .. }
            | Self::NumberRanges { .. } => false,
        }
    }
}

// === impl Rows ===

impl Rows {
    /// Returns true if rows of the type may be seen at all.
    pub(crate) fn covers_type(&self, type_number: i64) -> bool {
        match self {
            Self::Everything | Self::Patients { types: None, .. } => true,
            Self::Types(types)
            | Self::Patients {
                types: Some(types), ..
            } => types.contains(&type_number),
            Self::Nothing => false,
        }
    }
}
