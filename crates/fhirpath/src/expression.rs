//! One compiled expression.

use crate::check::check;
use crate::compile::{Dialect, compile};
use crate::context::Context;
use crate::error::{EvaluationError, SyntaxError, SyntaxErrorKind};
use crate::evaluate::Evaluator;
use crate::item::Items;
use crate::parser;
use crate::program::Op;
use fhir::definitions::type_named;

/// A compiled expression: immutable, shared between threads.
#[derive(Debug)]
pub struct Expression {
    program: Op,
}

impl Expression {
    /// Compiles an expression.
    pub fn compile(text: &str) -> Result<Self, SyntaxError> {
        Ok(Self {
            program: compile(&parser::parse(text)?, Dialect::Normative)?,
        })
    }

    /// Compiles an expression for one type and rejects what can never be right on it: an unknown
    /// element, `valueQuantity` for `value`, order on an unordered collection.
    pub fn compile_strict(text: &str, root_type: &str) -> Result<Self, SyntaxError> {
        let tree = parser::parse(text)?;
        let Some(root) = type_named(root_type) else {
            let kind = SyntaxErrorKind::UnknownType(root_type.to_owned());
            return Err(SyntaxError { offset: 0, kind });
        };
        let program = compile(&tree, Dialect::Normative)?;
        check(&tree, root)?;
        Ok(Self { program })
    }

    /// Evaluates the expression.
    pub fn evaluate<'a>(&'a self, context: &Context<'a>) -> Result<Items<'a>, EvaluationError> {
        let evaluator = Evaluator::new(context);
        evaluator.items(&self.program, evaluator.scope())
    }
}

/// Compiles arbitrary bytes, which must neither panic nor run away.
pub fn fuzz(bytes: &[u8]) {
    let _ = Expression::compile(&String::from_utf8_lossy(bytes));
}
