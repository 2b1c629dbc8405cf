//! FHIR R4 search without I/O: the parameters, what the index keeps of a resource, what a query
//! asks, and a plain matcher that says whether one answers the other.
//!
//! Invariants:
//! - [`Value`]s and [`Test`]s meet only through the rules in [`Test::holds`]; the store's SQL says
//!   the same, and a property test compares the two;
//! - a parameter that is not understood is never ignored in silence;
//! - nothing here panics on any document or any query.

mod error;
mod extract;
mod fold;
mod fuzz;
mod holds;
mod matcher;
mod number;
mod param;
mod parse;
mod posting;
mod query;
mod reference;
mod registry;

pub use error::QueryError;
pub use extract::{Extractor, extract, places};
pub use fold::fold;
pub use fuzz::fuzz;
pub use matcher::{Matcher, Nothing, World};
pub use param::{Component, Param, ParamKey, ParamKind};
pub use parse::{Parser, parse};
pub use posting::{Extraction, Posting, Quantity, Range, Span, Target, Text, Token, Value};
pub use query::{
    Branch, DateTest, Filter, Handling, Include, NumberTest, Prefix, QuantityTest, Query,
    ReferenceTest, Sort, SortBy, StringMode, StringTest, Summary, SystemTest, Test, TokenTest,
    Total, UnitTest, Unknown,
};
pub use registry::Registry;
