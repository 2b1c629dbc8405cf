//! Evaluation of a compiled expression.
//!
//! Invariants: every step burns fuel; recursion is at most as deep as the expression; along a path,
//! items are passed on, never collected.
//!
//! Layout: this file has the operations that return collections, `test` those that return booleans,
//! `walk` the steps of a path, and one file per chapter of functions follows.

mod arithmetic;
mod call;
mod codec;
mod collection;
mod conversion;
mod equality;
mod fhir_functions;
mod html;
mod math;
mod order;
mod precision;
mod string;
mod test;
mod walk;

use crate::ast::Literal;
use crate::context::Context;
use crate::error::EvaluationError;
use crate::item::{Item, Items};
use crate::program::{Op, Variable};
use std::borrow::Cow;
use std::cell::Cell;

pub(crate) use walk::field_elements;

/// One evaluation.
pub(crate) struct Evaluator<'e, 'a> {
    pub(crate) context: &'e Context<'a>,
    fuel: Cell<u64>,
}

/// The values of `$this`, `$index` and `$total` at a place in the expression.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'s, 'a> {
    pub(crate) this: Option<&'s Item<'a>>,
    pub(crate) index: Option<usize>,
    pub(crate) total: Option<&'s Items<'a>>,
}

/// Reason for stopping the flow of items.
pub(crate) enum Stop {
    /// The consumer needs no more items.
    Enough,
    Failed(EvaluationError),
}

/// Consumer that takes items one by one.
pub(crate) type Sink<'k, 'a> = &'k mut dyn FnMut(Item<'a>) -> Result<(), Stop>;

/// A single item, or none.
pub(crate) type Single<'a> = Result<Option<Item<'a>>, EvaluationError>;

impl From<EvaluationError> for Stop {
    fn from(error: EvaluationError) -> Self {
        Self::Failed(error)
    }
}

/// Converts a stopped walk: one that stopped because the consumer had enough is not a failure.
pub(crate) fn settle(walked: Result<(), Stop>) -> Result<(), EvaluationError> {
    match walked {
        Ok(()) | Err(Stop::Enough) => Ok(()),
        Err(Stop::Failed(error)) => Err(error),
    }
}

// === impl Scope ===

impl<'s, 'a> Scope<'s, 'a> {
    /// Returns the scope with another `$this`.
    pub(crate) fn with_this(self, this: &'s Item<'a>, index: usize) -> Self {
        Self {
            this: Some(this),
            index: Some(index),
            ..self
        }
    }
}

// === impl Evaluator ===

impl<'e, 'a> Evaluator<'e, 'a> {
    pub(crate) fn new(context: &'e Context<'a>) -> Self {
        Self {
            context,
            fuel: Cell::new(context.fuel),
        }
    }

    /// Returns the scope of the whole expression.
    pub(crate) fn scope(&self) -> Scope<'e, 'a> {
        Scope {
            this: Some(&self.context.focus),
            index: None,
            total: None,
        }
    }

    pub(crate) fn burn(&self, n_steps: u64) -> Result<(), EvaluationError> {
        let left = self
            .fuel
            .get()
            .checked_sub(n_steps)
            .ok_or(EvaluationError::OutOfFuel)?;
        self.fuel.set(left);
        Ok(())
    }

    /// Burns fuel for text before it is built, so that no expression can fill memory.
    pub(crate) fn burn_bytes(&self, n_bytes: usize) -> Result<(), EvaluationError> {
        self.burn(n_bytes as u64 / 8)
    }

    /// Evaluates into a collection. Growth of the collection burns fuel, too.
    pub(crate) fn eval(
        &self,
        op: &'a Op,
        scope: Scope<'_, 'a>,
        out: &mut Items<'a>,
    ) -> Result<(), EvaluationError> {
        let n_before = out.len();
        self.eval_op(op, scope, out)?;
        self.burn(1 + 4 * out.len().saturating_sub(n_before) as u64)
    }

    fn eval_op(
        &self,
        op: &'a Op,
        scope: Scope<'_, 'a>,
        out: &mut Items<'a>,
    ) -> Result<(), EvaluationError> {
        match op {
            Op::Literal(literal) => out.extend(literal_item(literal)),
            Op::This => out.extend(scope.this.cloned()),
            Op::Index => out.extend(scope.index.map(|index| Item::Integer(index as i32))),
            Op::Total => out.extend(scope.total.into_iter().flatten().cloned()),
            Op::Variable(variable) => self.variable(variable, out)?,
            Op::Path(start, steps) => {
                settle(self.path(start, steps, scope, &mut |item| {
                    out.push(item);
                    Ok(())
                }))?;
            }
            Op::Call(call) => self.call(call, scope, out)?,
            Op::Indexer(input, index) => {
                let Some(index) = self.integer(index, scope, "[]")? else {
                    return Ok(());
                };
                let items = self.items(input, scope)?;
                out.extend(
                    usize::try_from(index)
                        .ok()
                        .and_then(|i| items.into_iter().nth(i)),
                );
            }
            Op::Union(operands) => {
                let mut union = Items::new();
                for operand in operands {
                    let items = self.items(operand, scope)?;
                    self.add_distinct(items, &mut union)?;
                }
                out.append(&mut union);
            }
            Op::Arithmetic(operator, left, right) => {
                out.extend(self.arithmetic(*operator, left, right, scope)?);
            }
            Op::Negate(operand) => out.extend(self.negate(operand, scope)?),
            Op::Plus(operand) => out.extend(self.number(operand, scope)?),
            Op::As(input, spec) => {
                let item = self.single(input, scope, "as")?;
                out.extend(item.filter(|item| spec.selects(item)));
            }
            Op::Test(test) => out.extend(self.test(test, scope)?.map(Item::Boolean)),
        }
        Ok(())
    }

    /// Evaluates item by item; the consumer may stop it.
    pub(crate) fn each(
        &self,
        op: &'a Op,
        scope: Scope<'_, 'a>,
        sink: Sink<'_, 'a>,
    ) -> Result<(), Stop> {
        match op {
            Op::Path(start, steps) => self.path(start, steps, scope, sink),
            Op::This => scope.this.map_or(Ok(()), |item| sink(item.clone())),
            op => self.items(op, scope)?.into_iter().try_for_each(sink),
        }
    }

    /// Evaluates into a new collection.
    pub(crate) fn items(
        &self,
        op: &'a Op,
        scope: Scope<'_, 'a>,
    ) -> Result<Items<'a>, EvaluationError> {
        let mut out = Items::new();
        self.eval(op, scope, &mut out)?;
        Ok(out)
    }

    /// Evaluates to at most one item.
    pub(crate) fn single(
        &self,
        op: &'a Op,
        scope: Scope<'_, 'a>,
        name: &'static str,
    ) -> Single<'a> {
        let mut items = self.items(op, scope)?;
        if 1 < items.len() {
            return Err(EvaluationError::NotSingle(name));
        }
        Ok(items.pop())
    }

    /// Evaluates to at most one value of FHIRPath's own types.
    pub(crate) fn value(&self, op: &'a Op, scope: Scope<'_, 'a>, name: &'static str) -> Single<'a> {
        match self.single(op, scope, name)? {
            None => Ok(None),
            Some(Item::Element(element)) => match element.value() {
                Some(value) => Ok(Some(value)),
                None if element.is_primitive() => Ok(None),
                None => Err(EvaluationError::WrongType(name)),
            },
            value => Ok(value),
        }
    }

    /// Evaluates to at most one text.
    pub(crate) fn text(
        &self,
        op: &'a Op,
        scope: Scope<'_, 'a>,
        name: &'static str,
    ) -> Result<Option<Cow<'a, str>>, EvaluationError> {
        match self.single(op, scope, name)? {
            None => Ok(None),
            Some(Item::String(text)) => Ok(Some(text)),
            // A FHIR date is written as text and may be used as text.
            Some(Item::Element(element)) if element.is_primitive() => match element.text() {
                Some(text) => Ok(Some(text)),
                None if !element.has_value() => Ok(None),
                None => Err(EvaluationError::WrongType(name)),
            },
            Some(_) => Err(EvaluationError::WrongType(name)),
        }
    }

    /// Evaluates to at most one integer.
    pub(crate) fn integer(
        &self,
        op: &'a Op,
        scope: Scope<'_, 'a>,
        name: &'static str,
    ) -> Result<Option<i32>, EvaluationError> {
        match self.value(op, scope, name)? {
            None => Ok(None),
            Some(Item::Integer(integer)) => Ok(Some(integer)),
            Some(_) => Err(EvaluationError::WrongType(name)),
        }
    }

    fn variable(&self, variable: &'a Variable, out: &mut Items<'a>) -> Result<(), EvaluationError> {
        match variable {
            Variable::Resource => out.push(Item::Element(self.context.resource)),
            Variable::RootResource => out.push(Item::Element(self.context.root_resource)),
            Variable::Context => out.push(self.context.focus.clone()),
            Variable::Url(url) => out.push(Item::String(Cow::Borrowed(url))),
            Variable::Named(name) => {
                let known = self
                    .context
                    .variables
                    .iter()
                    .rfind(|(known, _)| known == name);
                let Some((_, items)) = known else {
                    return Err(EvaluationError::UndefinedVariable(name.clone()));
                };
                out.extend(items.iter().cloned());
            }
        }
        Ok(())
    }
}

fn literal_item(literal: &Literal) -> Option<Item<'_>> {
    Some(match literal {
        Literal::Empty => return None,
        Literal::Boolean(value) => Item::Boolean(*value),
        Literal::Integer(value) => Item::Integer(*value),
        Literal::Decimal(value) => Item::Decimal(*value),
        Literal::Text(text) => Item::String(Cow::Borrowed(text)),
        Literal::Date(date) => Item::Date(*date),
        Literal::DateTime(date_time) => Item::DateTime(*date_time),
        Literal::Time(time) => Item::Time(*time),
        Literal::Quantity(quantity) => Item::Quantity(Box::new(quantity.clone())),
    })
}
