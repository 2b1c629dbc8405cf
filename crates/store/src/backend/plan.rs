//! What an engine is asked to do: numbers and bytes, no FHIR.
//!
//! Invariants:
//! - a [`Plan`] names its driving index; the engine chooses nothing;
//! - the order of results is total: sort keys, then the resource's number; so a page starts where
//!   the last ended whatever index drives it.

use crate::backend::check::{Check, System};
use crate::backend::stored::Res;
use search::DateTest;
use std::collections::HashSet;

/// Which resources, in which order, from where on.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The number of the type.
    pub(crate) type_number: i64,
    /// Candidates come from here.
    pub(crate) drive: Drive,
    /// Exact rows that each candidate must also have: the engine's semi-joins.
    pub(crate) probes: Vec<Probe>,
    /// What its posting set must pass.
    pub(crate) nodes: Vec<Node>,
    /// Which rows may be seen.
    pub(crate) rows: Rows,
    /// Patients only: the persons or the sources' records.
    pub(crate) persons: Option<bool>,
    /// In the person view ([`crate::backend::persons`]).
    pub(crate) by_person: bool,
    pub(crate) order: Vec<OrderBy>,
    /// Start after this.
    pub(crate) after: Option<After>,
    /// At most so many.
    pub(crate) limit: usize,
}

/// The driving index.
#[derive(Clone, Debug)]
pub(crate) enum Drive {
    /// All of the type, by number.
    Type,
    /// All of the type in commit order; only where that is the order asked for.
    Commits { descending: bool },
    /// By a date parameter's index; only where that is the order asked for.
    Dates { param: u32, descending: bool },
    /// Rows with one of these exact keys.
    Exact(Vec<Exact>),
    /// Folded texts that start so.
    Prefixes { param: u32, prefixes: Vec<Box<str>> },
    /// Spans that begin within one of these.
    DateRanges { param: u32, ranges: Vec<(i64, i64)> },
    /// Numbers that begin within one of these.
    NumberRanges { param: u32, ranges: Vec<(i64, i64)> },
    /// These, sorted.
    These(Vec<Res>),
}

/// The head of a row up to the resource: all rows with it lie in order of their resources.
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

/// One of these rows must exist for the candidate.
#[derive(Clone, Debug)]
pub(crate) struct Probe(pub(crate) Vec<Exact>);

/// A condition on a resource.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    /// Some value passes some check.
    Any { param: u32, checks: Vec<Check> },
    /// No value passes any check.
    None { param: u32, checks: Vec<Check> },
    /// There is no value under any parameter, or there is one.
    Missing { params: Vec<u32>, missing: bool },
    /// Points under `param` to a resource that passes a branch of its type.
    Chain {
        param: u32,
        branches: Vec<(i64, Self)>,
    },
    /// A visible resource of the type points here under `param` and passes.
    Has {
        param: u32,
        type_number: i64,
        node: Box<Self>,
    },
    /// Is one of these.
    These(HashSet<Res>),
    /// The time of its newest version passes one.
    Updated(Vec<DateTest>),
}

/// Which rows may be seen, in numbers.
#[derive(Clone, Debug)]
pub(crate) enum Rows {
    Everything,
    /// Of these types.
    Types(HashSet<i64>),
    /// In these compartments; of these types, if given.
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

/// What to sort by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// The place of the newest version in the order of commits.
    Commit,
    /// The logical id.
    Id,
    /// The least or greatest value of a parameter; none comes last.
    Param(u32),
}

/// Where a page ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct After {
    /// One for each sort key.
    pub(crate) keys: Vec<SortKey>,
    pub(crate) res: Res,
}

/// A value to sort by. `None` sorts last in both directions; see [`crate::backend::order`].
pub(crate) type SortKey = Option<SortValue>;

/// A value to sort by.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum SortValue {
    Number(i64),
    Id(Box<str>),
    Value(search::Value),
}

/// What an engine found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    pub(crate) hits: Vec<Hit>,
    /// There are more.
    pub(crate) more: bool,
}

/// One resource found, with the keys by which it was sorted.
#[derive(Clone, Debug)]
pub(crate) struct Hit {
    pub(crate) res: Res,
    pub(crate) keys: Vec<SortKey>,
}

// === impl Drive ===

impl Drive {
    /// True where it gives its resources in order of their numbers without sorting.
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
    /// True where rows of the type may be seen at all.
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
