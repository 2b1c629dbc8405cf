//! String functions (FHIRPath N1 §String Manipulation). Positions count characters, from 0.

use super::{Evaluator, Scope};
use crate::compile::{pattern, whole_pattern};
use crate::error::EvaluationError;
use crate::function::Function as F;
use crate::item::{Item, Items};
use crate::program::Call;
use regex::Regex;
use std::borrow::Cow;

type Done = Result<(), EvaluationError>;

impl<'a> Evaluator<'_, 'a> {
    pub(super) fn string(&self, call: &'a Call, scope: Scope<'_, 'a>, out: &mut Items<'a>) -> Done {
        let name = call.function.name();
        let Some(text) = self.text(&call.input, scope, name)? else {
            return Ok(());
        };
        self.burn_bytes(text.len())?;
        if matches!(call.function, F::ToChars | F::Split) {
            // Items take more memory than the text they are made of.
            self.burn(4 * text.len() as u64)?;
        }
        match call.function {
            F::Upper => out.push(owned(text.to_uppercase())),
            F::Lower => out.push(owned(text.to_lowercase())),
            F::Length => out.push(Item::Integer(text.chars().count() as i32)),
            F::Trim => out.push(match text {
                Cow::Borrowed(text) => Item::String(Cow::Borrowed(text.trim())),
                Cow::Owned(text) => owned(text.trim().to_owned()),
            }),
            F::ToChars => out.extend(text.chars().map(|c| owned(c.to_string()))),
            F::Substring => return self.substring(call, &text, scope, out),
            F::Matches | F::MatchesFull | F::ReplaceMatches => {
                return self.matching(call, &text, scope, out);
            }
            _ => {
                let Some(argument) = call.arguments.first() else {
                    return Ok(());
                };
                let Some(argument) = self.text(argument, scope, name)? else {
                    return Ok(());
                };
                return self.with_argument(call, &text, &argument, scope, out);
            }
        }
        Ok(())
    }

    fn with_argument(
        &self,
        call: &'a Call,
        text: &str,
        argument: &str,
        scope: Scope<'_, 'a>,
        out: &mut Items<'a>,
    ) -> Done {
        let place = |found: Option<usize>| {
            let before = found.and_then(|at| text.get(..at));
            Item::Integer(before.map_or(-1, |before| before.chars().count() as i32))
        };
        match call.function {
            F::IndexOf => out.push(place(text.find(argument))),
            F::LastIndexOf => out.push(place(text.rfind(argument))),
            F::StartsWith => out.push(Item::Boolean(text.starts_with(argument))),
            F::EndsWith => out.push(Item::Boolean(text.ends_with(argument))),
            F::Contains => out.push(Item::Boolean(text.contains(argument))),
            F::Split if argument.is_empty() => {
                out.extend(text.chars().map(|c| owned(c.to_string())));
            }
            F::Split => out.extend(text.split(argument).map(|part| owned(part.to_owned()))),
            _ => {
                let Some(replacement) = call.arguments.get(1) else {
                    return Ok(());
                };
                let Some(with) = self.text(replacement, scope, "replace")? else {
                    return Ok(());
                };
                self.burn_bytes(text.matches(argument).count().saturating_mul(with.len()))?;
                out.push(owned(text.replace(argument, &with)));
            }
        }
        Ok(())
    }

    fn substring(
        &self,
        call: &'a Call,
        text: &str,
        scope: Scope<'_, 'a>,
        out: &mut Items<'a>,
    ) -> Done {
        let mut arguments = call.arguments.iter();
        let start = match arguments.next() {
            Some(start) => self.integer(start, scope, "substring")?,
            None => None,
        };
        let length = match arguments.next() {
            Some(length) => self.integer(length, scope, "substring")?,
            None => None,
        };
        let Some(start) = start.and_then(|start| usize::try_from(start).ok()) else {
            return Ok(());
        };
        let Some((at, _)) = text.char_indices().nth(start) else {
            return Ok(());
        };
        let rest = text.get(at..).unwrap_or_default();
        out.push(owned(match length {
            None => rest.to_owned(),
            Some(length) => rest
                .chars()
                .take(usize::try_from(length).unwrap_or(0))
                .collect(),
        }));
        Ok(())
    }

    fn matching(
        &self,
        call: &'a Call,
        text: &str,
        scope: Scope<'_, 'a>,
        out: &mut Items<'a>,
    ) -> Done {
        let name = call.function.name();
        let mut arguments = call.arguments.iter();
        let Some(source) = arguments.next() else {
            return Ok(());
        };
        let Some(source) = self.text(source, scope, name)? else {
            return Ok(());
        };
        let regex = if let Some(regex) = &call.regex {
            Cow::Borrowed(regex)
        } else {
            // Compiling a pattern at run time is expensive.
            self.burn(20_000)?;
            let compile = if call.function == F::MatchesFull {
                whole_pattern
            } else {
                pattern
            };
            Cow::Owned(compile(&source).ok_or(EvaluationError::BadRegex)?)
        };
        match arguments.next() {
            None => out.push(Item::Boolean(regex.is_match(text))),
            Some(substitution) => {
                let Some(with) = self.text(substitution, scope, name)? else {
                    return Ok(());
                };
                // Each match is replaced, and each `$` may repeat the matched text.
                let n_bytes = regex.find_iter(text).count().saturating_mul(with.len());
                let n_repeated = with.matches('$').count().saturating_mul(text.len());
                self.burn_bytes(n_bytes.saturating_add(n_repeated))?;
                out.push(owned(replace_all(&regex, &source, text, &with)));
            }
        }
        Ok(())
    }

    pub(super) fn join(&self, call: &'a Call, scope: Scope<'_, 'a>, out: &mut Items<'a>) -> Done {
        let separator = match call.arguments.first() {
            Some(separator) => self.text(separator, scope, "join")?.unwrap_or_default(),
            None => Cow::Borrowed(""),
        };
        let mut joined: Option<String> = None;
        for item in self.items(&call.input, scope)? {
            let Some(text) = item.as_str() else {
                return Err(EvaluationError::WrongType("join"));
            };
            self.burn_bytes(text.len() + separator.len())?;
            match &mut joined {
                None => joined = Some(text.into_owned()),
                Some(joined) => {
                    joined.push_str(&separator);
                    joined.push_str(&text);
                }
            }
        }
        out.extend(joined.map(owned));
        Ok(())
    }
}

fn owned<'a>(text: String) -> Item<'a> {
    Item::String(Cow::Owned(text))
}

/// Replaces all matches. An empty pattern changes nothing (official suite, testReplaceMatches2).
/// `$1` is the first group even if a letter follows.
fn replace_all(regex: &Regex, source: &str, text: &str, with: &str) -> String {
    if source.is_empty() {
        return text.to_owned();
    }
    let mut template = String::with_capacity(with.len());
    let mut rest = with;
    while let Some((before, after)) = rest.split_once('$') {
        template.push_str(before);
        let n_digits = after.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, tail) = after.split_at(n_digits);
        if digits.is_empty() {
            template.push('$');
        } else {
            template.push_str("${");
            template.push_str(digits);
            template.push('}');
        }
        rest = tail;
    }
    template.push_str(rest);
    regex.replace_all(text, template.as_str()).into_owned()
}
