//! What the index keeps of a resource.
//!
//! Invariants:
//! - a posting's [`Value`] variant follows from its parameter's kind; the one exception is the
//!   token under [`crate::Param::identifier_key`];
//! - the postings of one resource are sorted and without repeats, so that two extractions can be
//!   compared in one pass and an update writes only the difference;
//! - numbers are the nearest `f64` and never NaN; `low <= high` always.

use crate::fold::fold;
use crate::param::ParamKey;
use base::Issue;
use base::Timestamp;
use std::cmp::Ordering;

/// One thing to find a resource by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Posting {
    /// Which parameter on which resource type.
    pub param: ParamKey,
    /// The value as the index compares it.
    pub value: Value,
}

/// A value as the index compares it.
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
    /// The values of one instance of a composite, in the order of its components, no composite
    /// among them.
    Composite(Box<[Value]>),
}

/// A code with its system. Both as written; comparison is exact.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token {
    /// The system, if the element names one.
    pub system: Option<Box<str>>,
    /// The code or identifier value; empty where only the system is known.
    pub code: Box<str>,
}

/// A text, folded for search and as it was for `:exact`; of each no more than its first
/// [`Text::MAX_CHARS`] characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text {
    /// By [`crate::fold`]: lower case, no accents, no apostrophes, one space for any other run of
    /// punctuation or space.
    pub folded: Box<str>,
    /// As written.
    pub exact: Box<str>,
}

/// A span of time, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The first microsecond; [`Span::OPEN_LOW`] where there is no start.
    pub low: Timestamp,
    /// The last microsecond; [`Span::OPEN_HIGH`] where there is no end.
    pub high: Timestamp,
}

/// A range of numbers, both ends included.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    /// The least; negative infinity where it is open.
    pub low: f64,
    /// The greatest; infinity where it is open.
    pub high: f64,
}

/// A number with its unit. No conversion of units yet: `1 g` and `1000 mg` differ.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity {
    /// The number, or the range that a comparator or a Range gives.
    pub range: Range,
    /// The system of the unit's code.
    pub system: Option<Box<str>>,
    /// The unit's code.
    pub code: Option<Box<str>>,
    /// The unit as people read it.
    pub unit: Option<Box<str>>,
}

/// What a reference points to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// A resource on this server: relative, or absolute on our own base. A version is left out:
    /// search finds the resource by any of its versions.
    Local {
        /// The resource type.
        resource_type: &'static str,
        /// The logical id.
        id: Box<str>,
    },
    /// Anything else by its URL: another server's resource, `urn:uuid:…`, a canonical.
    Url {
        /// The URL without `|version`.
        url: Box<str>,
        /// The business version of a canonical.
        version: Option<Box<str>>,
    },
}

/// All that the index keeps of one resource.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Extraction {
    /// The type; empty where the document is no resource of a known type.
    pub resource_type: &'static str,
    /// The logical id, if the document has one.
    pub id: Option<String>,
    /// `meta.lastUpdated`, if the document has it; the store knows better.
    pub last_updated: Option<Timestamp>,
    /// Sorted, without repeats.
    pub postings: Vec<Posting>,
    /// The ids of the patients in whose compartment the resource is, sorted, without repeats.
    pub patients: Vec<String>,
    /// What could not be indexed, and why.
    pub issues: Vec<Issue>,
}

// === impl Posting ===

impl Posting {
    /// A posting.
    pub fn new(param: ParamKey, value: Value) -> Self {
        Self { param, value }
    }
}

// === impl Value ===

impl Value {
    /// A code without a system.
    pub(crate) fn code(code: &str) -> Self {
        Self::Token(Token {
            system: None,
            code: code.into(),
        })
    }
}

// === impl Text ===

impl Text {
    /// A report's text may be a page long; what is looked for stands in its beginning. A query's
    /// text is cut at the same place, so that `:exact` still finds the whole.
    pub const MAX_CHARS: usize = 1_000;

    /// A text as the index keeps it.
    pub fn of(text: &str) -> Self {
        Self {
            folded: Self::cut(&fold(text)).into(),
            exact: Self::cut(text).into(),
        }
    }

    /// The first [`Text::MAX_CHARS`] characters.
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
    /// One number. NaN becomes zero: no decimal is NaN, so it cannot come from a resource.
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
