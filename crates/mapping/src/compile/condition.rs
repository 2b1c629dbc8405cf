//! Binds conditions to the definitions.

use super::{Binder, source};
use crate::program::{Condition, Hop, Op, ResourceCondition, ResourceOp};
use crate::syntax::{self, At};

// === impl Binder ===

impl Binder<'_> {
    pub(super) fn condition(&mut self, condition: &syntax::Condition) -> Option<Condition> {
        use syntax::Condition as Text;
        Some(match condition {
            Text::All(parts) => Condition::All(self.conditions(parts)?),
            Text::Any(parts) => Condition::Any(self.conditions(parts)?),
            Text::Not(part) => Condition::Not(Box::new(self.condition(part)?)),
            Text::Choice { spot, name, option } => {
                let Some((options, chosen)) = self.choices.get(name) else {
                    let message = format!("there is no choice {name}");
                    self.error_with(*spot, message, format!("choice {name} = {option} | …"));
                    return None;
                };
                if !options.contains(option) {
                    let known = options.join(" or ");
                    self.error_with(
                        *spot,
                        format!("choice {name} has no option {option}"),
                        known,
                    );
                    return None;
                }
                Condition::Is(chosen == option)
            }
            Text::Test { at, op } => match at {
                At::Source(at) => Condition::Test {
                    source: source(at),
                    op: message_op(op)?,
                },
                At::Path(path) => {
                    self.error(path.spot, "a path belongs right of `|`");
                    return None;
                }
            },
        })
    }

    fn conditions(&mut self, parts: &[syntax::Condition]) -> Option<Vec<Condition>> {
        parts.iter().map(|part| self.condition(part)).collect()
    }

    pub(super) fn resource_condition(
        &mut self,
        base: &'static str,
        condition: &syntax::Condition,
    ) -> Option<ResourceCondition> {
        use syntax::Condition as Text;
        let all = |binder: &mut Self, parts: &[syntax::Condition]| -> Option<Vec<_>> {
            parts
                .iter()
                .map(|part| binder.resource_condition(base, part))
                .collect()
        };
        Some(match condition {
            Text::All(parts) => ResourceCondition::All(all(self, parts)?),
            Text::Any(parts) => ResourceCondition::Any(all(self, parts)?),
            Text::Not(part) => {
                ResourceCondition::Not(Box::new(self.resource_condition(base, part)?))
            }
            Text::Choice { spot, .. } => {
                self.error(*spot, "a choice belongs left of `|`");
                return None;
            }
            Text::Test {
                at: At::Path(path),
                op,
            } => {
                let hops = self.target(base, path)?.hops;
                let op = self.resource_op(base, op)?;
                ResourceCondition::Test { path: hops, op }
            }
            Text::Test {
                at: At::Source(source),
                ..
            } => {
                self.error(source.spot(), "a field belongs left of `|`");
                return None;
            }
        })
    }

    fn resource_op(&mut self, base: &'static str, op: &syntax::Op) -> Option<ResourceOp> {
        Some(match op {
            syntax::Op::Empty => ResourceOp::Absent,
            syntax::Op::Valued => ResourceOp::Exists,
            syntax::Op::In(values) => ResourceOp::In(boxed(values)),
            syntax::Op::NotIn(values) => ResourceOp::NotIn(boxed(values)),
            syntax::Op::Count(compare, number) => ResourceOp::Count(*compare, *number),
            syntax::Op::SameAs(path) => {
                let hops: Vec<Hop> = self.target(base, path)?.hops;
                ResourceOp::SameAs(hops)
            }
            syntax::Op::Null
            | syntax::Op::HasTime
            | syntax::Op::HasNumber
            | syntax::Op::HasCheckDigit
            | syntax::Op::HasWord(_) => return None,
        })
    }
}

fn message_op(op: &syntax::Op) -> Option<Op> {
    Some(match op {
        syntax::Op::Empty => Op::Empty,
        syntax::Op::Valued => Op::Valued,
        syntax::Op::Null => Op::Null,
        syntax::Op::HasTime => Op::HasTime,
        syntax::Op::HasNumber => Op::HasNumber,
        syntax::Op::HasCheckDigit => Op::HasCheckDigit,
        syntax::Op::HasWord(word) => Op::HasWord(word.to_ascii_uppercase().into()),
        syntax::Op::In(values) => Op::In(boxed(values)),
        syntax::Op::NotIn(values) => Op::NotIn(boxed(values)),
        syntax::Op::Count(compare, number) => Op::Count(*compare, *number),
        syntax::Op::SameAs(_) => return None,
    })
}

fn boxed(values: &[String]) -> Vec<Box<str>> {
    values.iter().map(|value| value.as_str().into()).collect()
}
