//! The abstract syntax tree.
//!
//! Invariant: no tree is deeper than [`MAX_DEPTH`], so walking one never exhausts the stack.

use crate::quantity::Quantity;
use crate::temporal::{Date, DateTime, Time};
use rust_decimal::Decimal;
use std::cmp::Ordering;

/// Maximum depth of a tree.
pub(crate) const MAX_DEPTH: u16 = 100;

/// A node of the tree.
#[derive(Clone, Debug)]
pub(crate) struct Ast {
    pub(crate) kind: AstKind,
    /// Byte offset of the node in the text.
    pub(crate) offset: usize,
    pub(crate) depth: u16,
}

/// The kinds of node.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum AstKind {
    Literal(Literal),
    /// `$this`
    This,
    /// `$index`
    Index,
    /// `$total`
    Total,
    /// `%name`
    Variable(String),
    /// A name at the start of a path: an element of the focus, or the root's type.
    Name(String),
    /// `input.name`
    Member(Box<Ast>, String),
    /// `function(…)` or `input.function(…)`
    Call {
        input: Option<Box<Ast>>,
        name: String,
        arguments: Vec<Ast>,
    },
    /// `input[index]`
    Indexer(Box<Ast>, Box<Ast>),
    /// `-operand`, `+operand`
    Negate(Box<Ast>),
    Plus(Box<Ast>),
    /// A run of the same operator is one node if the order of its operands does not matter.
    Binary(Operator, Box<Ast>, Box<Ast>),
    Chain(Chain, Vec<Ast>),
    /// `operand is Type`
    Is(Box<Ast>, TypeName),
    /// `operand as Type`
    As(Box<Ast>, TypeName),
}

/// A literal value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Literal {
    Empty,
    Boolean(bool),
    Integer(i32),
    Decimal(Decimal),
    Text(String),
    Date(Date),
    DateTime(DateTime),
    Time(Time),
    Quantity(Quantity),
}

/// Binary operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Arithmetic(Arithmetic),
    Compare(Comparison),
    Equal,
    NotEqual,
    Equivalent,
    NotEquivalent,
    In,
    Contains,
    Xor,
    Implies,
}

/// Operators that compute a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Multiply,
    Divide,
    Div,
    Mod,
    Add,
    Subtract,
    Concatenate,
}

/// Operators that require an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Associative operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chain {
    Union,
    And,
    Or,
}

/// `FHIR.Patient`, `Patient`
#[derive(Clone, Debug)]
pub(crate) struct TypeName {
    pub(crate) namespace: Option<String>,
    pub(crate) name: String,
    pub(crate) offset: usize,
}

/// Compares trees regardless of their positions in the text.
impl PartialEq for Ast {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

impl PartialEq for TypeName {
    fn eq(&self, other: &Self) -> bool {
        (&self.namespace, &self.name) == (&other.namespace, &other.name)
    }
}

// === impl AstKind ===

impl AstKind {
    /// Returns the depth of the node: one more than its deepest child.
    pub(crate) fn depth(&self) -> u16 {
        let deepest = match self {
            Self::Literal(_)
            | Self::This
            | Self::Index
            | Self::Total
            | Self::Variable(_)
            | Self::Name(_) => 0,
            // The length of a path does not add depth: it compiles to a list of steps.
            Self::Member(input, _) => return input.depth,
            Self::Call {
                input, arguments, ..
            } => {
                let input = input.as_ref().map_or(0, |input| input.depth);
                arguments
                    .iter()
                    .map(|argument| argument.depth)
                    .fold(input, u16::max)
            }
            Self::Indexer(a, b) | Self::Binary(_, a, b) => a.depth.max(b.depth),
            Self::Negate(operand)
            | Self::Plus(operand)
            | Self::Is(operand, _)
            | Self::As(operand, _) => operand.depth,
            Self::Chain(_, operands) => operands.iter().map(|o| o.depth).max().unwrap_or(0),
        };
        deepest.saturating_add(1)
    }
}

// === impl Arithmetic ===

impl Arithmetic {
    /// Returns the operator as written, for errors.
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Div => "div",
            Self::Mod => "mod",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Concatenate => "&",
        }
    }
}

// === impl Comparison ===

impl Comparison {
    /// Returns the operator as written, for errors.
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }

    /// Returns whether the comparison holds for two values in that order.
    pub(crate) fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}
