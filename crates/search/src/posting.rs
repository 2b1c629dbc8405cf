//! The index entries of a resource.
//!
//! Invariants:
//! - a posting's [`Value`] variant follows from its parameter's kind; the one exception is the
//!   token under [`crate::Param::identifier_key`];
//! - the postings of one resource are sorted and without duplicates, so that two extractions can be
//!   compared in one pass and an update writes only the difference;
//! - numbers are the nearest `f64` and never NaN; `low <= high` always.

use crate::fold::fold;
use crate::param::ParamKey;
use base::Issue;
use base::Timestamp;
use std::cmp::Ordering;

/// One index entry of a resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Posting {
    /// The parameter on its resource type.
    pub param: ParamKey,
    /// The indexed value.
    pub value: Value,
}

/// A value in the form that the index compares.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// A code or identifier.
    Token(Token),
    /// A text.
    String(Text),
    /// A span of time, both ends included; an open end is the smallest or largest timestamp.
    Date(Span),
    /// A number; a range has two ends.
    Number(Range),
    /// A number with its unit.
    Quantity(Quantity),
    /// A reference to a resource.
    Reference(Target),
    /// A URI as written.
    Uri(Box<str>),
    /// The values of one instance of a composite, in the order of its components, none of which is
    /// a composite.
    Composite(Box<[Value]>),
}

/// A code with its system, both as written; comparison is exact.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token {
    /// The system, if the element names one.
    pub system: Option<Box<str>>,
    /// The code or identifier value; empty if only the system is known.
    pub code: Box<str>,
}

/// A text, folded for search and unchanged for `:exact`; each is limited to its first
/// [`Text::MAX_CHARS`] characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text {
    /// The text folded by [`crate::fold`]: lower case, no accents, no apostrophes, one space for
    /// any other run of punctuation or space.
    pub folded: Box<str>,
    /// The text as written.
    pub exact: Box<str>,
}

/// A span of time, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The first microsecond; [`Span::OPEN_LOW`] if there is no start.
    pub low: Timestamp,
    /// The last microsecond; [`Span::OPEN_HIGH`] if there is no end.
    pub high: Timestamp,
}

/// A range of numbers, both ends included.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    /// The lower bound; negative infinity if open.
    pub low: f64,
    /// The upper bound; infinity if open.
    pub high: f64,
}

/// A number with its unit. Units are not converted yet: `1 g` and `1000 mg` differ.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity {
    /// The number, or the range given by a comparator or a Range.
    pub range: Range,
    /// The system of the unit's code.
    pub system: Option<Box<str>>,
    /// The unit's code.
    pub code: Option<Box<str>>,
    /// The human-readable unit.
    pub unit: Option<Box<str>>,
}

/// The target of a reference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// A resource on this server: relative, or absolute on our own base. The version is dropped:
    /// search finds the resource by any of its versions.
    Local {
        /// The resource type.
        resource_type: &'static str,
        /// The logical id.
        id: Box<str>,
    },
    /// Any other target by its URL: another server's resource, `urn:uuid:…`, a canonical.
    Url {
        /// The URL without `|version`.
        url: Box<str>,
        /// The business version of a canonical.
        version: Option<Box<str>>,
    },
}

/// All index entries of one resource.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Extraction {
    /// The type; empty if the document is not a resource of a known type.
    pub resource_type: &'static str,
    /// The logical id, if the document has one.
    pub id: Option<String>,
    /// `meta.lastUpdated`, if the document has it; the store's own value takes precedence.
    pub last_updated: Option<Timestamp>,
    /// The postings, sorted, without duplicates.
    pub postings: Vec<Posting>,
    /// The ids of the patients whose compartment contains the resource, sorted, without duplicates.
    pub patients: Vec<String>,
    /// The values that could not be indexed, with reasons.
    pub issues: Vec<Issue>,
}

// === impl Posting ===

impl Posting {
    /// Creates a posting.
    pub fn new(param: ParamKey, value: Value) -> Self {
        Self { param, value }
    }
}

// === impl Value ===

impl Value {
    /// Creates a code without a system.
    pub(crate) fn code(code: &str) -> Self {
        Self::Token(Token {
            system: None,
            code: code.into(),
        })
    }
}

// === impl Text ===

impl Text {
    /// Number of characters kept. A report's text may be a page long; search terms occur near its
    /// beginning. A query's text is cut at the same length, so that `:exact` still finds the whole
    /// text.
    pub const MAX_CHARS: usize = 1_000;

    /// Creates a text in the form that the index keeps.
    pub fn of(text: &str) -> Self {
        Self {
            folded: Self::cut(&fold(text)).into(),
            exact: Self::cut(text).into(),
        }
    }

    /// Returns the first [`Text::MAX_CHARS`] characters.
    pub(crate) fn cut(text: &str) -> &str {
        match text.char_indices().nth(Self::MAX_CHARS) {
            Some((end, _)) => text.get(..end).unwrap_or(text),
            None => text,
        }
    }
}

// === impl Span ===

impl Span {
    /// The low end of a period without a start.
    pub const OPEN_LOW: Timestamp = Timestamp::from_micros(i64::MIN);
    /// The high end of a period without an end.
    pub const OPEN_HIGH: Timestamp = Timestamp::from_micros(i64::MAX);
}

// === impl Range ===

impl Range {
    /// Creates a single point. NaN becomes zero: no decimal is NaN, so it cannot come from a
    /// resource.
    pub fn point(value: f64) -> Self {
        let value = if value.is_nan() { 0.0 } else { value };
        Self {
            low: value,
            high: value,
        }
    }
}

impl PartialEq for Range {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Range {}

impl PartialOrd for Range {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Range {
    fn cmp(&self, other: &Self) -> Ordering {
        self.low
            .total_cmp(&other.low)
            .then_with(|| self.high.total_cmp(&other.high))
    }
}
