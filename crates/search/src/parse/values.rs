//! Parses the values of a query, by the parameter's type (search.html#ptypes).

use super::split::{split, split_once, unescape};
use crate::error::QueryError;
use crate::extract::date_span;
use crate::fold::fold;
use crate::number::implicit_range;
use crate::param::{Component, Param, ParamKind};
use crate::posting::{Span, Target, Text};
use crate::query::{
    DateTest, NumberTest, Prefix, QuantityTest, ReferenceTest, StringMode, StringTest, SystemTest,
    Test, TokenTest, UnitTest,
};
use crate::reference;
use base::{Decimal, Timestamp};
use fhir::definitions;

/// Parser for the values of one parameter. Each value is one alternative, still escaped.
#[derive(Clone, Copy)]
pub(super) struct Values<'a> {
    pub(super) base: Option<&'a str>,
    /// The whole name, for errors.
    pub(super) name: &'a str,
    pub(super) param: &'static Param,
}

const TOKEN: &str = "code, system|code, |code, system|";
const DATE: &str = "[prefix]date, such as 2024, ge2024-05-17, lt2024-05-17T14:30:00Z";
const NUMBER: &str = "[prefix]number, such as 5.4, gt100, 5.40e-3";
const QUANTITY: &str = "[prefix]number, [prefix]number|system|code, [prefix]number||code";
const REFERENCE: &str = "id, Type/id, a URL";
const TEXT: &str = "text with letters or digits";

// === impl Values ===

impl Values<'_> {
    /// Parses a value without a modifier, or with `:not`.
    pub(super) fn plain(&self, value: &str) -> Result<Test, QueryError> {
        match self.param.kind {
            ParamKind::Composite => self.composite(value),
            ParamKind::Token if !self.param.implicit_sets.is_empty() => self.implicit_token(value),
            ParamKind::Token if self.param.is_caseless => self.token(&value.to_lowercase()),
            kind @ (ParamKind::Token
            | ParamKind::String
            | ParamKind::Date
            | ParamKind::Number
            | ParamKind::Quantity
            | ParamKind::Reference
            | ParamKind::Uri
            | ParamKind::Special) => self.of_kind(kind, &self.param.targets, value),
        }
    }

    /// Parses a text with `:exact` or `:contains`, or without a modifier.
    pub(super) fn text(&self, mode: StringMode, value: &str) -> Result<Test, QueryError> {
        let text = unescape(value);
        let text = match mode {
            StringMode::Exact => text,
            StringMode::Starts | StringMode::Contains => fold(&text),
        };
        if text.is_empty() {
            // Every text starts with the empty string: the search would be wider than it looks.
            return Err(self.bad(value, "nothing to compare is left", TEXT));
        }
        Ok(Test::String(StringTest {
            mode,
            text: Text::cut(&text).to_owned(),
        }))
    }

    /// Parses a token, also for `:identifier`.
    pub(super) fn token(&self, value: &str) -> Result<Test, QueryError> {
        let (system, code) = match split_once(value, '|') {
            None => (SystemTest::Any, unescape(value)),
            Some(("", code)) => (SystemTest::Absent, unescape(code)),
            Some((system, code)) => (SystemTest::Is(unescape(system)), unescape(code)),
        };
        let code = Some(code).filter(|code| !code.is_empty());
        if code.is_none() && !matches!(system, SystemTest::Is(_)) {
            return Err(self.bad(value, "no code and no system", TOKEN));
        }
        Ok(Test::Token(TokenTest { system, code }))
    }

    /// Parses the value of `:[type]`: an id of that type.
    pub(super) fn reference_to(
        &self,
        resource_type: &'static str,
        value: &str,
    ) -> Result<Test, QueryError> {
        let text = unescape(value);
        let test = match reference::target(&text, self.base) {
            Some(Target::Local {
                resource_type: own,
                id,
            }) if own == resource_type => id.into(),
            _ if reference::is_id(&text) => text,
            _ => return Err(self.bad(value, "not an id of that type", REFERENCE)),
        };
        Ok(Test::Reference(ReferenceTest::Local {
            resource_type,
            id: test,
        }))
    }

    /// Parses a date with its prefix.
    pub(super) fn date(&self, value: &str) -> Result<DateTest, QueryError> {
        let (prefix, text) = prefix(value);
        // An unescaped `+` of an offset arrives as a space.
        let text = text.replace(' ', "+");
        let span = date_span(&text).ok_or_else(|| self.bad(value, "not a date or time", DATE))?;
        let span = if prefix == Prefix::Ap {
            widened(span)
        } else {
            span
        };
        Ok(DateTest { prefix, span })
    }

    fn of_kind(
        &self,
        kind: ParamKind,
        targets: &[&'static str],
        value: &str,
    ) -> Result<Test, QueryError> {
        match kind {
            ParamKind::Token => self.token(value),
            ParamKind::String => self.text(StringMode::Starts, value),
            ParamKind::Date => self.date(value).map(Test::Date),
            ParamKind::Number => self.number(value, value, NUMBER).map(Test::Number),
            ParamKind::Quantity => self.quantity(value),
            ParamKind::Reference => self.reference(targets, value),
            ParamKind::Uri => match unescape(value) {
                uri if uri.is_empty() => Err(self.bad(value, "empty", "a URI")),
                uri => Ok(Test::Uri(uri)),
            },
            ParamKind::Composite | ParamKind::Special => {
                Err(self.bad(value, "a composite within a composite", "no value"))
            }
        }
    }

    /// Parses a token for a `code` element, which names no system: its value set implies one. A
    /// search with the right system, or with none, finds the code; one with another system finds
    /// nothing.
    fn implicit_token(&self, value: &str) -> Result<Test, QueryError> {
        let Test::Token(TokenTest {
            system: SystemTest::Is(system),
            code,
        }) = self.token(value)?
        else {
            return self.token(value);
        };
        let sets = self.param.implicit_sets.iter();
        let codes = sets.filter_map(|url| definitions::value_set(url)).flatten();
        let is_right = codes
            .filter(|known| known.system == system)
            .any(|known| code.as_deref().is_none_or(|code| known.code == code));
        let system = match (is_right, &code) {
            (true, Some(_)) => SystemTest::Any,
            (true, None) => {
                let why = "the system alone does not narrow this parameter";
                return Err(self.bad(value, why, "code, system|code"));
            }
            (false, _) => SystemTest::Is(system),
        };
        Ok(Test::Token(TokenTest { system, code }))
    }

    fn number(
        &self,
        number: &str,
        value: &str,
        accepted: &'static str,
    ) -> Result<NumberTest, QueryError> {
        let (prefix, text) = prefix(number);
        let bad = || self.bad(value, "not a number", accepted);
        let decimal: Decimal = text.parse().map_err(|_| bad())?;
        let number = decimal.to_f64();
        let (low, high) = match prefix {
            // search.html#prefix: ten per cent is the recommended approximation.
            Prefix::Ap => (number - number.abs() * 0.1, number + number.abs() * 0.1),
            Prefix::Eq
            | Prefix::Ne
            | Prefix::Gt
            | Prefix::Lt
            | Prefix::Ge
            | Prefix::Le
            | Prefix::Sa
            | Prefix::Eb => implicit_range(&decimal),
        };
        if !number.is_finite() || low.is_nan() || high.is_nan() {
            return Err(bad());
        }
        Ok(NumberTest {
            prefix,
            value: number,
            low,
            high,
        })
    }

    fn quantity(&self, value: &str) -> Result<Test, QueryError> {
        let parts: Vec<String> = split(value, '|').into_iter().map(unescape).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let (number, unit) = match parts[..] {
            [number] | [number, "", ""] => (number, UnitTest::Any),
            [number, "", code] => (number, UnitTest::CodeOrUnit(code.to_owned())),
            [_, _, ""] => return Err(self.bad(value, "a system without a code", QUANTITY)),
            [number, system, code] => (
                number,
                UnitTest::Code {
                    system: system.to_owned(),
                    code: code.to_owned(),
                },
            ),
            _ => return Err(self.bad(value, "not in that form", QUANTITY)),
        };
        let number = self.number(number, value, QUANTITY)?;
        Ok(Test::Quantity(QuantityTest { number, unit }))
    }

    fn reference(&self, targets: &[&'static str], value: &str) -> Result<Test, QueryError> {
        let text = unescape(value);
        if reference::is_id(&text) {
            return Ok(Test::Reference(ReferenceTest::Id {
                types: targets.to_vec(),
                id: text,
            }));
        }
        let test = match reference::target(&text, self.base) {
            Some(Target::Local { resource_type, id }) => ReferenceTest::Local {
                resource_type,
                id: id.into(),
            },
            Some(Target::Url { url, version }) if url.contains(':') => ReferenceTest::Url {
                url: url.into(),
                version: version.map(Into::into),
            },
            _ => return Err(self.bad(value, "not a reference", REFERENCE)),
        };
        Ok(Test::Reference(test))
    }

    fn composite(&self, value: &str) -> Result<Test, QueryError> {
        let parts = split(value, '$');
        let components = &self.param.components;
        if parts.len() != components.len() {
            let accepted = "one value for each component, separated by $";
            return Err(self.bad(value, "wrong number of parts", accepted));
        }
        let read = |(part, component): (&str, &Component)| {
            self.of_kind(component.kind, &component.targets, part)
        };
        let tests: Result<Vec<Test>, QueryError> =
            parts.into_iter().zip(components).map(read).collect();
        Ok(Test::Composite(tests?))
    }

    fn bad(&self, value: &str, why: &'static str, accepted: &'static str) -> QueryError {
        let (name, value) = (self.name.to_owned(), value.to_owned());
        QueryError::BadValue {
            name,
            value,
            why,
            accepted,
        }
    }
}

/// Returns the prefix and the rest; without a prefix it is `eq`.
fn prefix(text: &str) -> (Prefix, &str) {
    let prefix = match text.get(..2) {
        Some("eq") => Prefix::Eq,
        Some("ne") => Prefix::Ne,
        Some("gt") => Prefix::Gt,
        Some("lt") => Prefix::Lt,
        Some("ge") => Prefix::Ge,
        Some("le") => Prefix::Le,
        Some("sa") => Prefix::Sa,
        Some("eb") => Prefix::Eb,
        Some("ap") => Prefix::Ap,
        _ => return (Prefix::Eq, text),
    };
    (prefix, text.get(2..).unwrap_or_default())
}

/// Widens a span for `ap`: longer on each side by its own length. The specification recommends a
/// tenth of the time between the date and now, and leaves the choice to the server; this one does
/// not change as time passes.
fn widened(span: Span) -> Span {
    let length = span
        .high
        .micros()
        .saturating_sub(span.low.micros())
        .saturating_add(1);
    Span {
        low: Timestamp::from_micros(span.low.micros().saturating_sub(length)),
        high: Timestamp::from_micros(span.high.micros().saturating_add(length)),
    }
}
