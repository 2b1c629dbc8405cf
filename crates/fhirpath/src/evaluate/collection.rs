//! Functions over collections (FHIRPath N1 §Existence, §Filtering and projection, §Subsetting,
//! §Combining, §Aggregates).

use super::{Evaluator, Scope, Stop, settle};
use crate::error::EvaluationError;
use crate::function::Function;
use crate::item::{Item, Items};
use crate::program::{Call, Op};
use std::cmp::Ordering;

type Done = Result<(), EvaluationError>;

impl<'a> Evaluator<'_, 'a> {
    pub(super) fn truths(
        &self,
        call: &'a Call,
        scope: Scope<'_, 'a>,
    ) -> Result<bool, EvaluationError> {
        let function = call.function;
        let wanted = matches!(function, Function::AllTrue | Function::AnyTrue);
        let all = matches!(function, Function::AllTrue | Function::AllFalse);
        let mut result = all;
        for item in self.items(&call.input, scope)? {
            let Some(value) = item.as_bool() else {
                return Err(EvaluationError::WrongType(function.name()));
            };
            let matches = value == wanted;
            result = if all {
                result && matches
            } else {
                result || matches
            };
        }
        Ok(result)
    }

    pub(super) fn subset(&self, call: &'a Call, scope: Scope<'_, 'a>, out: &mut Items<'a>) -> Done {
        let items = self.items(&call.input, scope)?;
        let others = self.argument_items(call, scope)?;
        let (inner, outer) = match call.function {
            Function::SubsetOf => (items, others),
            _ => (others, items),
        };
        let mut contained = true;
        for item in &inner {
            contained = contained && self.contains(&outer, item)?;
        }
        out.push(Item::Boolean(contained));
        Ok(())
    }

    pub(super) fn counting(
        &self,
        call: &'a Call,
        scope: Scope<'_, 'a>,
        out: &mut Items<'a>,
    ) -> Done {
        if call.function == Function::Count {
            let mut count = 0;
            settle(self.each(&call.input, scope, &mut |_| {
                count += 1;
                Ok(())
            }))?;
            out.push(Item::Integer(count));
            return Ok(());
        }
        let items = self.items(&call.input, scope)?;
        let n_items = items.len();
        let mut distinct = Items::new();
        self.add_distinct(items, &mut distinct)?;
        match call.function {
            Function::Distinct => out.extend(distinct),
            _ => out.push(Item::Boolean(distinct.len() == n_items)),
        }
        Ok(())
    }

    pub(super) fn projection(
        &self,
        call: &'a Call,
        scope: Scope<'_, 'a>,
        out: &mut Items<'a>,
    ) -> Done {
        let Some(projection) = call.arguments.first() else {
            return Ok(());
        };
        match call.function {
            Function::Repeat => return self.repeat(call, projection, scope, out),
            Function::Aggregate => return self.aggregate(call, projection, scope, out),
            _ => {}
        }
        let is_where = call.function == Function::Where;
        let mut index = 0;
        settle(self.each(&call.input, scope, &mut |item| {
            let inner = scope.with_this(&item, index);
            index += 1;
            if !is_where {
                self.eval(projection, inner, out)?;
            } else if self.condition(projection, inner, "where")? == Some(true) {
                out.push(item);
            }
            Ok(())
        }))
    }

    fn repeat(
        &self,
        call: &'a Call,
        projection: &'a Op,
        scope: Scope<'_, 'a>,
        out: &mut Items<'a>,
    ) -> Done {
        let mut found = Items::new();
        let mut open = self.items(&call.input, scope)?;
        while !open.is_empty() {
            let mut next = Items::new();
            for (index, item) in open.iter().enumerate() {
                self.eval(projection, scope.with_this(item, index), &mut next)?;
            }
            let first_new = found.len();
            self.add_distinct(next, &mut found)?;
            open = found.iter().skip(first_new).cloned().collect();
        }
        out.extend(found);
        Ok(())
    }

    fn aggregate(
        &self,
        call: &'a Call,
        aggregator: &'a Op,
        scope: Scope<'_, 'a>,
        out: &mut Items<'a>,
    ) -> Done {
        let mut total = match call.arguments.get(1) {
            Some(initial) => self.items(initial, scope)?,
            None => Items::new(),
        };
        for (index, item) in self.items(&call.input, scope)?.iter().enumerate() {
            let inner = Scope {
                this: Some(item),
                index: Some(index),
                total: Some(&total),
            };
            let next = self.items(aggregator, inner)?;
            total = next;
        }
        out.extend(total);
        Ok(())
    }

    pub(super) fn subsetting(
        &self,
        call: &'a Call,
        scope: Scope<'_, 'a>,
        out: &mut Items<'a>,
    ) -> Done {
        match call.function {
            Function::First => {
                return settle(self.each(&call.input, scope, &mut |item| {
                    out.push(item);
                    Err(Stop::Enough)
                }));
            }
            Function::Single => {
                out.extend(self.single(&call.input, scope, "single")?);
                return Ok(());
            }
            _ => {}
        }
        let name = call.function.name();
        let count = match call.arguments.first() {
            Some(argument) => self.integer(argument, scope, name)?,
            None => Some(1),
        };
        let Some(count) = count else { return Ok(()) };
        let count = usize::try_from(count).unwrap_or(0);
        let items = self.items(&call.input, scope)?;
        match call.function {
            Function::Last => out.extend(items.into_iter().next_back()),
            Function::Take => out.extend(items.into_iter().take(count)),
            _ => out.extend(items.into_iter().skip(count)),
        }
        Ok(())
    }

    pub(super) fn combining(
        &self,
        call: &'a Call,
        scope: Scope<'_, 'a>,
        out: &mut Items<'a>,
    ) -> Done {
        let items = self.items(&call.input, scope)?;
        let others = self.argument_items(call, scope)?;
        match call.function {
            Function::Combine => {
                out.extend(items);
                out.extend(others);
            }
            Function::Union => {
                let mut union = Items::new();
                self.add_distinct(items, &mut union)?;
                self.add_distinct(others, &mut union)?;
                out.extend(union);
            }
            Function::Intersect => {
                let mut shared = Items::new();
                for item in items {
                    if self.contains(&others, &item)? && !self.contains(&shared, &item)? {
                        shared.push(item);
                    }
                }
                out.extend(shared);
            }
            _ => {
                for item in items {
                    if !self.contains(&others, &item)? {
                        out.push(item);
                    }
                }
            }
        }
        Ok(())
    }

    /// Evaluates `sort(key, -key)`; an item without a key sorts last, or first if the order is
    /// descending.
    pub(super) fn sort(&self, call: &'a Call, scope: Scope<'_, 'a>, out: &mut Items<'a>) -> Done {
        let mut keyed = Vec::new();
        for (index, item) in self.items(&call.input, scope)?.into_iter().enumerate() {
            let inner = scope.with_this(&item, index);
            let mut keys = Vec::new();
            for argument in &call.arguments {
                let (key, is_turned) = match argument {
                    Op::Negate(key) => (&**key, true),
                    key => (key, false),
                };
                keys.push((self.value(key, inner, "sort")?, is_turned));
            }
            if call.arguments.is_empty() {
                keys.push((item.value(), false));
            }
            keyed.push((keys, item));
        }
        self.burn(keyed.len() as u64)?;
        keyed.sort_by(|(a, _), (b, _)| {
            let orders = a.iter().zip(b).map(|((a, is_turned), (b, _))| {
                let order = key_order(a.as_ref(), b.as_ref());
                if *is_turned { order.reverse() } else { order }
            });
            orders.fold(Ordering::Equal, Ordering::then)
        });
        out.extend(keyed.into_iter().map(|(_, item)| item));
        Ok(())
    }

    pub(super) fn iif(&self, call: &'a Call, scope: Scope<'_, 'a>, out: &mut Items<'a>) -> Done {
        let input = self.single(&call.input, scope, "iif")?;
        let inner = Scope {
            this: input.as_ref(),
            ..scope
        };
        let mut arguments = call.arguments.iter();
        let holds = match arguments.next() {
            Some(Op::Test(test)) => self.test(test, inner)?,
            Some(criterion) => match self.value(criterion, inner, "iif")? {
                None => None,
                Some(Item::Boolean(holds)) => Some(holds),
                Some(_) => return Err(EvaluationError::WrongType("iif")),
            },
            None => None,
        };
        let chosen = if holds == Some(true) {
            arguments.next()
        } else {
            arguments.nth(1)
        };
        chosen.map_or(Ok(()), |chosen| self.eval(chosen, inner, out))
    }

    fn argument_items(
        &self,
        call: &'a Call,
        scope: Scope<'_, 'a>,
    ) -> Result<Items<'a>, EvaluationError> {
        call.arguments
            .first()
            .map_or(Ok(Items::new()), |argument| self.items(argument, scope))
    }
}

fn key_order(a: Option<&Item<'_>>, b: Option<&Item<'_>>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => super::order::compare(a, b, "sort")
            .ok()
            .flatten()
            .unwrap_or(Ordering::Equal),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    }
}
