//! Dispatch of function calls to the files that evaluate them.

use super::{Evaluator, Scope};
use crate::error::EvaluationError;
use crate::function::Function as F;
use crate::item::{Item, Items};
use crate::program::Call;
use crate::temporal::DateTime;

impl<'a> Evaluator<'_, 'a> {
    pub(super) fn call(
        &self,
        call: &'a Call,
        scope: Scope<'_, 'a>,
        out: &mut Items<'a>,
    ) -> Result<(), EvaluationError> {
        match call.function {
            F::AllTrue | F::AnyTrue | F::AllFalse | F::AnyFalse => {
                out.push(Item::Boolean(self.truths(call, scope)?));
                Ok(())
            }
            F::SubsetOf | F::SupersetOf => self.subset(call, scope, out),
            F::Count | F::IsDistinct | F::Distinct => self.counting(call, scope, out),
            F::Where | F::Select | F::Repeat | F::Aggregate => self.projection(call, scope, out),
            F::Single | F::First | F::Last | F::Tail | F::Skip | F::Take => {
                self.subsetting(call, scope, out)
            }
            F::Intersect | F::Exclude | F::Union | F::Combine => self.combining(call, scope, out),
            F::Sort => self.sort(call, scope, out),
            F::Iif => self.iif(call, scope, out),
            F::ToBoolean
            | F::ConvertsToBoolean
            | F::ToInteger
            | F::ConvertsToInteger
            | F::ToDecimal
            | F::ConvertsToDecimal
            | F::ToString
            | F::ConvertsToString
            | F::ToDate
            | F::ConvertsToDate
            | F::ToDateTime
            | F::ConvertsToDateTime
            | F::ToTime
            | F::ConvertsToTime
            | F::ToQuantity
            | F::ConvertsToQuantity => self.conversion(call, scope, out),
            F::IndexOf
            | F::LastIndexOf
            | F::Substring
            | F::StartsWith
            | F::EndsWith
            | F::Contains
            | F::Upper
            | F::Lower
            | F::Replace
            | F::Matches
            | F::MatchesFull
            | F::ReplaceMatches
            | F::Length
            | F::ToChars
            | F::Trim
            | F::Split => self.string(call, scope, out),
            F::Join => self.join(call, scope, out),
            F::Encode | F::Decode | F::Escape | F::Unescape => self.codec(call, scope, out),
            F::Abs
            | F::Ceiling
            | F::Exp
            | F::Floor
            | F::Ln
            | F::Log
            | F::Power
            | F::Round
            | F::Sqrt
            | F::Truncate => self.math(call, scope, out),
            F::LowBoundary | F::HighBoundary | F::Precision | F::Comparable => {
                self.precision(call, scope, out)
            }
            F::Children | F::Descendants => self.tree(call, scope, out),
            F::Trace => self.trace(call, scope, out),
            F::Now | F::Today | F::TimeOfDay => {
                let now = self.context.now.ok_or(EvaluationError::NoClock)?;
                out.extend(clock(call.function, now));
                Ok(())
            }
            F::Type => {
                let items = self.items(&call.input, scope)?;
                out.extend(items.iter().map(|item| Item::Type(item.type_info())));
                Ok(())
            }
            F::Extension
            | F::GetValue
            | F::Resolve
            | F::MemberOf
            | F::ConformsTo
            | F::HtmlChecks => self.fhir(call, scope, out),
            F::ElementDefinition | F::Slice | F::CheckModifiers | F::Subsumes | F::SubsumedBy => {
                Err(EvaluationError::NotSupported(call.function.name()))
            }
        }
    }

    fn trace(
        &self,
        call: &'a Call,
        scope: Scope<'_, 'a>,
        out: &mut Items<'a>,
    ) -> Result<(), EvaluationError> {
        let items = self.items(&call.input, scope)?;
        let mut arguments = call.arguments.iter();
        let name = match arguments.next() {
            Some(name) => self.text(name, scope, "trace")?.unwrap_or_default(),
            None => "".into(),
        };
        match arguments.next() {
            None => self.context.host.trace(&name, &items),
            Some(projection) => {
                let mut traced = Items::new();
                for (index, item) in items.iter().enumerate() {
                    self.eval(projection, scope.with_this(item, index), &mut traced)?;
                }
                self.context.host.trace(&name, &traced);
            }
        }
        out.extend(items);
        Ok(())
    }

    fn tree(
        &self,
        call: &'a Call,
        scope: Scope<'_, 'a>,
        out: &mut Items<'a>,
    ) -> Result<(), EvaluationError> {
        super::settle(self.each(&call.input, scope, &mut |item| {
            let Item::Element(element) = &item else {
                return Ok(());
            };
            let mut push = |child| {
                out.push(child);
                Ok(())
            };
            if call.function == F::Children {
                self.children(element, &mut push)
            } else {
                self.descendants(element, &mut push)
            }
        }))
    }
}

fn clock<'a>(function: F, now: DateTime) -> Option<Item<'a>> {
    match function {
        F::Today => Some(Item::Date(now.date())),
        F::TimeOfDay => now.time().map(Item::Time),
        _ => Some(Item::DateTime(now)),
    }
}
