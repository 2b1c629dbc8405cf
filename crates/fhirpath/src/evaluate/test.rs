//! Three-valued tests: true, false or unknown (FHIRPath N1 §Boolean logic, §Equality, §Comparison).

use super::{Evaluator, Scope, Stop, settle};
use crate::ast::Comparison;
use crate::error::EvaluationError;
use crate::item::Item;
use crate::program::{Op, Test};

/// True, false, or unknown.
pub(crate) type Truth = Result<Option<bool>, EvaluationError>;

impl<'a> Evaluator<'_, 'a> {
    /// Evaluates where a boolean is required: a single item that is not a boolean counts as true
    /// (FHIRPath N1 §Singleton Evaluation of Collections).
    pub(crate) fn condition(&self, op: &'a Op, scope: Scope<'_, 'a>, name: &'static str) -> Truth {
        if let Op::Test(test) = op {
            return self.test(test, scope);
        }
        Ok(self.single(op, scope, name)?.and_then(|item| match item {
            Item::Boolean(value) => Some(value),
            Item::Element(element) => match element.value() {
                Some(Item::Boolean(value)) => Some(value),
                None if element.is_primitive() => None,
                _ => Some(true),
            },
            _ => Some(true),
        }))
    }

    pub(super) fn test(&self, test: &'a Test, scope: Scope<'_, 'a>) -> Truth {
        self.burn(1)?;
        match test {
            Test::And(operands) => self.all_of(operands, scope, true, "and"),
            Test::Or(operands) => self.all_of(operands, scope, false, "or"),
            Test::Xor(left, right) => {
                let left = self.condition(left, scope, "xor")?;
                let right = self.condition(right, scope, "xor")?;
                Ok(left.zip(right).map(|(left, right)| left != right))
            }
            Test::Implies(left, right) => match self.condition(left, scope, "implies")? {
                Some(false) => Ok(Some(true)),
                Some(true) => self.condition(right, scope, "implies"),
                None => Ok(self
                    .condition(right, scope, "implies")?
                    .filter(|right| *right)),
            },
            Test::Compare(comparison, left, right) => self.compare(*comparison, left, right, scope),
            Test::Equal {
                negated,
                left,
                right,
            } => {
                let left = self.items(left, scope)?;
                let right = self.items(right, scope)?;
                Ok(self
                    .all_equal(&left, &right)?
                    .map(|equal| equal != *negated))
            }
            Test::Equivalent {
                negated,
                left,
                right,
            } => {
                let left = self.items(left, scope)?;
                let right = self.items(right, scope)?;
                Ok(Some(self.all_equivalent(&left, &right)? != *negated))
            }
            Test::In(item, collection) => {
                let Some(item) = self.single(item, scope, "in")? else {
                    return Ok(None);
                };
                let collection = self.items(collection, scope)?;
                Ok(Some(self.contains(&collection, &item)?))
            }
            Test::Is(input, spec) => Ok(self
                .single(input, scope, "is")?
                .map(|item| spec.holds(&item))),
            Test::ResolvesTo(input, spec) => {
                let Some(item) = self.single(input, scope, "resolve")? else {
                    return Ok(None);
                };
                Ok(self.resolves_to(&item, *spec))
            }
            Test::Exists(input, criteria) => self.exists(input, criteria.as_deref(), scope),
            Test::Empty(input) => Ok(self.exists(input, None, scope)?.map(|exists| !exists)),
            Test::All(input, criteria) => self.all(input, criteria, scope),
            Test::Not(input) => Ok(self.condition(input, scope, "not")?.map(|value| !value)),
            Test::HasValue(input) => {
                let items = self.items(input, scope)?;
                Ok(Some(match items.as_slice() {
                    [Item::Element(element)] => element.has_value(),
                    [_] => true,
                    _ => false,
                }))
            }
        }
    }

    /// Evaluates `and` over all operands if `wanted` is true, `or` if it is false: one operand that
    /// is not `wanted` decides, and the rest are not evaluated.
    fn all_of(
        &self,
        operands: &'a [Op],
        scope: Scope<'_, 'a>,
        wanted: bool,
        name: &'static str,
    ) -> Truth {
        let mut all_known = true;
        for operand in operands {
            match self.condition(operand, scope, name)? {
                Some(value) if value != wanted => return Ok(Some(!wanted)),
                Some(_) => {}
                None => all_known = false,
            }
        }
        Ok(all_known.then_some(wanted))
    }

    fn compare(
        &self,
        comparison: Comparison,
        left: &'a Op,
        right: &'a Op,
        scope: Scope<'_, 'a>,
    ) -> Truth {
        let name = comparison.symbol();
        let left = self.value(left, scope, name)?;
        let right = self.value(right, scope, name)?;
        let (Some(left), Some(right)) = (left, right) else {
            return Ok(None);
        };
        let order = super::order::compare(&left, &right, name)?;
        Ok(order.map(|order| comparison.holds(order)))
    }

    fn exists(&self, input: &'a Op, criteria: Option<&'a Op>, scope: Scope<'_, 'a>) -> Truth {
        let mut found = false;
        let mut index = 0;
        settle(self.each(input, scope, &mut |item| {
            let passes = match criteria {
                None => true,
                Some(criteria) => {
                    let inner = scope.with_this(&item, index);
                    index += 1;
                    self.condition(criteria, inner, "exists")? == Some(true)
                }
            };
            if passes {
                found = true;
                return Err(Stop::Enough);
            }
            Ok(())
        }))?;
        Ok(Some(found))
    }

    fn all(&self, input: &'a Op, criteria: &'a Op, scope: Scope<'_, 'a>) -> Truth {
        let mut all = true;
        let mut index = 0;
        settle(self.each(input, scope, &mut |item| {
            let inner = scope.with_this(&item, index);
            index += 1;
            if self.condition(criteria, inner, "all")? != Some(true) {
                all = false;
                return Err(Stop::Enough);
            }
            Ok(())
        }))?;
        Ok(Some(all))
    }
}
