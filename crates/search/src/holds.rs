//! The complete rules by which a value passes a test. The reference matcher and the store's SQL
//! both implement exactly these.
//!
//! For spans and ranges, with the resource's value as `low..high` and the search's as `LOW..HIGH`
//! (search.html#prefix):
//!
//! | prefix | holds if |
//! |---|---|
//! | eq | the search's range contains the value's: `LOW <= low && high <= HIGH` |
//! | ne | eq does not hold |
//! | gt | part of the value lies above: `high > HIGH` |
//! | lt | part of the value lies below: `low < LOW` |
//! | ge | gt or eq |
//! | le | lt or eq |
//! | sa | all of the value lies above: `low > HIGH` |
//! | eb | all of the value lies below: `high < LOW` |
//! | ap | the two overlap, after the search's range is widened |
//!
//! For numbers, the implicit range of the significant digits counts only for eq and ne ("the
//! implicit precision of the number is ignored" for the others): gt, lt, ge, le, sa, eb compare
//! with the number itself.

use crate::posting::{Quantity, Range, Span, Target, Text, Token, Value};
use crate::query::{
    DateTest, NumberTest, Prefix, QuantityTest, ReferenceTest, StringMode, StringTest, SystemTest,
    Test, TokenTest, UnitTest,
};

impl Test {
    /// Returns true if the value passes. A value of another kind never does.
    pub fn holds(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Token(test), Value::Token(token)) => test.holds(token),
            (Self::String(test), Value::String(text)) => test.holds(text),
            (Self::Date(test), Value::Date(span)) => test.holds(*span),
            (Self::Number(test), Value::Number(range)) => test.holds(*range),
            (Self::Quantity(test), Value::Quantity(quantity)) => test.holds(quantity),
            (Self::Reference(test), Value::Reference(target)) => test.holds(target),
            (Self::Uri(uri), Value::Uri(value)) => uri.as_str() == &**value,
            (Self::Composite(tests), Value::Composite(values)) => {
                tests.len() == values.len()
                    && tests
                        .iter()
                        .zip(values)
                        .all(|(test, value)| test.holds(value))
            }
            (
                Self::Token(_)
                | Self::String(_)
                | Self::Date(_)
                | Self::Number(_)
                | Self::Quantity(_)
                | Self::Reference(_)
                | Self::Uri(_)
                | Self::Composite(_),
                _,
            ) => false,
        }
    }
}

impl TokenTest {
    /// Returns true if the token passes: system and code are compared as written.
    pub fn holds(&self, token: &Token) -> bool {
        let system_ok = match &self.system {
            SystemTest::Any => true,
            SystemTest::Absent => token.system.is_none(),
            SystemTest::Is(system) => token.system.as_deref() == Some(system),
        };
        system_ok && self.code.as_deref().is_none_or(|code| *code == *token.code)
    }
}

impl StringTest {
    /// Returns true if the text passes.
    pub fn holds(&self, text: &Text) -> bool {
        match self.mode {
            StringMode::Starts => text.folded.starts_with(&self.text),
            StringMode::Contains => text.folded.contains(&self.text),
            StringMode::Exact => *text.exact == self.text,
        }
    }
}

impl DateTest {
    /// Returns true if the span passes; see the table in the module documentation.
    pub fn holds(self, value: Span) -> bool {
        let Span { low, high } = self.span;
        let equal = low <= value.low && value.high <= high;
        match self.prefix {
            Prefix::Eq => equal,
            Prefix::Ne => !equal,
            Prefix::Gt => high < value.high,
            Prefix::Lt => value.low < low,
            Prefix::Ge => high < value.high || equal,
            Prefix::Le => value.low < low || equal,
            Prefix::Sa => high < value.low,
            Prefix::Eb => value.high < low,
            Prefix::Ap => value.low <= high && low <= value.high,
        }
    }
}

impl NumberTest {
    /// Returns true if the range passes; see the table in the module documentation.
    pub fn holds(self, value: Range) -> bool {
        let equal = self.low <= value.low && value.high < self.high;
        match self.prefix {
            Prefix::Eq => equal,
            Prefix::Ne => !equal,
            Prefix::Gt => self.value < value.high,
            Prefix::Lt => value.low < self.value,
            Prefix::Ge => self.value <= value.high,
            Prefix::Le => value.low <= self.value,
            Prefix::Sa => self.value < value.low,
            Prefix::Eb => value.high < self.value,
            Prefix::Ap => value.low <= self.high && self.low <= value.high,
        }
    }
}

impl QuantityTest {
    /// Returns true if the number passes and the unit is the requested one.
    pub fn holds(&self, quantity: &Quantity) -> bool {
        let unit_ok = match &self.unit {
            UnitTest::Any => true,
            UnitTest::Code { system, code } => {
                quantity.system.as_deref() == Some(system) && quantity.code.as_deref() == Some(code)
            }
            UnitTest::CodeOrUnit(text) => {
                quantity.code.as_deref() == Some(text) || quantity.unit.as_deref() == Some(text)
            }
        };
        unit_ok && self.number.holds(quantity.range)
    }
}

impl ReferenceTest {
    /// Returns true if the reference points to the requested target.
    pub fn holds(&self, target: &Target) -> bool {
        match (self, target) {
            (Self::Id { types, id: wanted }, Target::Local { resource_type, id }) => {
                types.contains(resource_type) && **id == **wanted
            }
            (
                Self::Local {
                    resource_type: wanted_type,
                    id: wanted,
                },
                Target::Local { resource_type, id },
            ) => wanted_type == resource_type && **id == **wanted,
            (
                Self::Url {
                    url: wanted,
                    version: asked,
                },
                Target::Url { url, version },
            ) => **url == **wanted && (asked.is_none() || asked.as_deref() == version.as_deref()),
            (Self::Id { .. } | Self::Local { .. }, Target::Url { .. })
            | (Self::Url { .. }, Target::Local { .. }) => false,
        }
    }
}
