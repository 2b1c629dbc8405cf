//! FHIRPath (N1, normative release 2.0.0, with FHIR R4's own functions): compiled once, evaluated
//! without copying the tree.
//!
//! Invariants:
//! - nothing here does I/O; anything outside the document comes through [`Host`], the time through
//!   [`Context::with_now`];
//! - neither compilation nor evaluation panics; both are bounded: text and nesting at compile time,
//!   steps ([`Context::with_fuel`]) at evaluation;
//! - an item is a place in the document or a value of FHIRPath's own types; a comparison that
//!   precision or units leave undecided is empty, never a guess.
//!
//! One expression: [`Expression`]. Many expressions on one resource type in one walk: [`Set`].

mod ast;
mod check;
mod compile;
mod context;
mod element;
mod error;
mod evaluate;
mod expression;
mod function;
mod item;
mod lexer;
mod number;
mod parser;
mod program;
mod quantity;
mod set;
mod temporal;
mod types;

pub use context::{Context, Host, NoHost};
pub use element::Element;
pub use error::{EvaluationError, SyntaxError, SyntaxErrorKind};
pub use expression::{Expression, fuzz};
pub use item::{Item, Items, TypeInfo};
pub use quantity::{CalendarUnit, Quantity, Unit};
pub use rust_decimal::Decimal;
pub use set::Set;
pub use temporal::{Date, DateTime, Time};
