//! Checks on a posting set: the search crate's rules, with names as numbers.

use crate::backend::stored::{Res, Set, Stored};
use search::{DateTest, NumberTest, Quantity, StringTest, Text};
use search::{QuantityTest, UnitTest};

/// A test of one value of a parameter, with names as numbers. A name that does not occur is number
/// -1.
#[derive(Clone, Debug)]
pub(crate) enum Check {
    Token {
        system: System,
        code: Option<Box<str>>,
    },
    String(StringTest),
    Date(DateTest),
    Number(NumberTest),
    Quantity {
        number: NumberTest,
        unit: Unit,
    },
    /// A reference to one of these resources, sorted.
    Local(Vec<Res>),
    Url {
        url: Box<str>,
        version: Option<Box<str>>,
    },
    Uri(Box<str>),
    Composite(Vec<Check>),
}

/// The required system of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum System {
    Any,
    Absent,
    Is(i64),
}

/// The required unit of a quantity: any, a code, or a code or unit.
#[derive(Clone, Debug)]
pub(crate) enum Unit {
    Any,
    Code { system: i64, code: Box<str> },
    Either(Box<str>),
}

// === impl Check ===

impl Check {
    /// Returns true if some value of the parameter passes.
    pub(crate) fn any(checks: &[Self], set: &Set<'_>, param: u32) -> bool {
        set.values(param)
            .any(|value| checks.iter().any(|check| check.holds(&value)))
    }

    /// Returns true if the value passes. A value of another kind never does.
    pub(crate) fn holds(&self, value: &Stored<'_>) -> bool {
        match (self, value) {
            (
                Self::Token { system, code },
                Stored::Token {
                    system: found,
                    code: text,
                },
            ) => system.holds(*found) && code.as_deref().is_none_or(|code| code == *text),
            (Self::String(test), Stored::String { folded, exact }) => test.holds(&Text {
                folded: (*folded).into(),
                exact: (*exact).into(),
            }),
            (Self::Date(test), Stored::Date(span)) => test.holds(*span),
            (Self::Number(test), Stored::Number(range)) => test.holds(*range),
            (
                Self::Quantity { number, unit },
                Stored::Quantity {
                    range,
                    system,
                    code,
                    unit: text,
                },
            ) => {
                let unit_ok = match unit {
                    Unit::Any => true,
                    Unit::Code {
                        system: wanted,
                        code: asked,
                    } => wanted == system && *code == Some(&**asked),
                    Unit::Either(asked) => *code == Some(&**asked) || *text == Some(&**asked),
                };
                unit_ok && quantity_holds(*number, *range)
            }
            (Self::Local(targets), Stored::Local(target)) => targets.binary_search(target).is_ok(),
            (
                Self::Url { url, version },
                Stored::Url {
                    url: found,
                    version: own,
                },
            ) => **url == **found && (version.is_none() || version.as_deref() == *own),
            (Self::Uri(uri), Stored::Uri(found)) => **uri == **found,
            (Self::Composite(checks), Stored::Composite(parts)) => {
                checks.len() == parts.len()
                    && checks
                        .iter()
                        .zip(parts)
                        .all(|(check, part)| check.holds(part))
            }
            (
                Self::Token { .. }
                | Self::String(_)
                | Self::Date(_)
                | Self::Number(_)
                | Self::Quantity { .. }
                | Self::Local(_)
                | Self::Url { .. }
                | Self::Uri(_)
                | Self::Composite(_),
                _,
            ) => false,
        }
    }
}

/// Applies the search crate's rule for the number of a quantity; the unit is not checked here.
fn quantity_holds(number: NumberTest, range: search::Range) -> bool {
    let quantity = Quantity {
        range,
        system: None,
        code: None,
        unit: None,
    };
    QuantityTest {
        number,
        unit: UnitTest::Any,
    }
    .holds(&quantity)
}

// === impl System ===

impl System {
    pub(crate) fn holds(self, number: i64) -> bool {
        match self {
            Self::Any => true,
            Self::Absent => number == 0,
            Self::Is(wanted) => wanted == number,
        }
    }
}
