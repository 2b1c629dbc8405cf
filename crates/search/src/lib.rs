//! FHIR R4 search without I/O: the parameters, what the index keeps of a resource, what a query
//! asks, and a plain matcher that says whether one answers the other.
//!
//! Invariants:
//! - [`Value`]s and [`Test`]s meet only through the rules in [`Test::holds`]; the store's SQL says
//!   the same, and a property test compares the two;
//! - a parameter that is not understood is never ignored in silence;
//! - nothing here panics on any document or any query.
//!
//! A resource becomes an [`Extraction`] in one walk: all parameters of its type are laid over each
//! other as a plan of typed places, made from FHIR's definitions on first use of the type. R4 writes
//! its parameters in a small part of FHIRPath that this covers; a test holds the walk against the
//! real evaluator. A query becomes a [`Query`] of checked parts; [`Matcher`] is the definition of
//! what it finds.
//!
//! Deliberately absent: conversion of units (`1 g` is not `1000 mg`), `near`, full-text search
//! (`_text`, `_content`, `_filter`), and the modifiers `:text`, `:in`, `:not-in`, `:above`, `:below`,
//! `:of-type`. Each is refused with an error of its own. Of a text the index keeps the first 1,000
//! characters.

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
