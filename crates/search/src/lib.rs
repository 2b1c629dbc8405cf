//! FHIR R4 search without I/O: the parameters, index extraction, query parsing, and a plain matcher
//! that decides whether a resource matches a query.
//!
//! Invariants:
//! - [`Value`]s and [`Test`]s meet only through the rules in [`Test::holds`]; the store's SQL
//!   implements the same rules, and a property test compares the two;
//! - a parameter that is not understood is never silently ignored;
//! - nothing here panics on any document or any query.
//!
//! A resource becomes an [`Extraction`] in one walk: all parameters of its type are merged into a
//! plan of typed places, built from FHIR's definitions on first use of the type. R4 writes its
//! parameters in a small part of FHIRPath that this covers; a test compares the walk with the real
//! evaluator. A query becomes a [`Query`] of checked parts; [`Matcher`] defines what the query
//! finds.
//!
//! Deliberately absent: conversion of units (`1 g` is not `1000 mg`), `near`, full-text search
//! (`_text`, `_content`, `_filter`), and the modifiers `:text`, `:in`, `:not-in`, `:above`,
//! `:below`, `:of-type`. Each is refused with a specific error. The index keeps the first 1,000
//! characters of a text.

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
