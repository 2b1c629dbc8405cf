//! The compiled form of an expression.
//!
//! Invariant: names of functions, types and variables are resolved, and literal patterns are
//! compiled; evaluation looks up only elements by text, and those once per parent type.

use crate::ast::{Arithmetic, Comparison, Literal};
use crate::function::Function;
use crate::types::{Shape, TypeSpec};
use fhir::definitions::TypeDef;
use regex::Regex;
use std::sync::OnceLock;

/// An operation that returns a collection.
#[derive(Debug)]
pub(crate) enum Op {
    Literal(Literal),
    This,
    Index,
    Total,
    Variable(Variable),
    /// Steps applied to each item of the start; no intermediate collection is built.
    Path(Box<Op>, Vec<Step>),
    Call(Box<Call>),
    Indexer(Box<Op>, Box<Op>),
    Union(Vec<Op>),
    Arithmetic(Arithmetic, Box<Op>, Box<Op>),
    Negate(Box<Op>),
    Plus(Box<Op>),
    As(Box<Op>, TypeSpec),
    /// A test that returns a boolean or nothing.
    Test(Test),
}

/// A function call with its input and arguments.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) function: Function,
    pub(crate) input: Op,
    pub(crate) arguments: Vec<Op>,
    /// The pattern of the first argument, if that is a literal.
    pub(crate) regex: Option<Regex>,
}

/// A test that is true, false or unknown.
#[derive(Debug)]
pub(crate) enum Test {
    And(Vec<Op>),
    Or(Vec<Op>),
    Xor(Box<Op>, Box<Op>),
    Implies(Box<Op>, Box<Op>),
    Compare(Comparison, Box<Op>, Box<Op>),
    Equal {
        negated: bool,
        left: Box<Op>,
        right: Box<Op>,
    },
    Equivalent {
        negated: bool,
        left: Box<Op>,
        right: Box<Op>,
    },
    In(Box<Op>, Box<Op>),
    Is(Box<Op>, TypeSpec),
    /// `resolve() is Type`: the text of a reference also gives its type.
    ResolvesTo(Box<Op>, TypeSpec),
    Exists(Box<Op>, Option<Box<Op>>),
    Empty(Box<Op>),
    All(Box<Op>, Box<Op>),
    Not(Box<Op>),
    HasValue(Box<Op>),
}

/// A step from one item to the next ones.
#[derive(Debug)]
pub(crate) enum Step {
    Member(Member),
    /// A type name at the start of a path: selects the item if it has that type.
    Root(&'static TypeDef),
    /// `where` without `$index`.
    Where(Op),
    OfType(TypeSpec),
    /// `extension('url')`
    Extension(String),
}

/// The elements with one name.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    /// The shape for the first parent type encountered; nearly always the only one.
    pub(crate) shape: OnceLock<Shape>,
}

/// `%name`
#[derive(Debug)]
pub(crate) enum Variable {
    Resource,
    RootResource,
    Context,
    /// The URL that the name stands for.
    Url(String),
    /// A variable given by the context.
    Named(String),
}

// === impl Member ===

impl Member {
    pub(crate) fn new(name: String) -> Self {
        Self {
            name,
            shape: OnceLock::new(),
        }
    }
}

// === impl Variable ===

impl Variable {
    /// Resolves a variable name by FHIR R4 fhirpath.html#variables.
    pub(crate) fn named(name: String) -> Self {
        match name.as_str() {
            "resource" => Self::Resource,
            "rootResource" => Self::RootResource,
            "context" => Self::Context,
            "sct" => Self::Url("http://snomed.info/sct".to_owned()),
            "loinc" => Self::Url("http://loinc.org".to_owned()),
            "ucum" => Self::Url("http://unitsofmeasure.org".to_owned()),
            other => {
                if let Some(id) = other.strip_prefix("vs-") {
                    Self::Url(format!("http://hl7.org/fhir/ValueSet/{id}"))
                } else if let Some(id) = other.strip_prefix("ext-") {
                    Self::Url(format!("http://hl7.org/fhir/StructureDefinition/{id}"))
                } else {
                    Self::Named(name)
                }
            }
        }
    }
}
