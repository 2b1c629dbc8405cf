//! Resolution of a search's names to numbers.

use crate::backend::check::{Check, System, Unit};
use crate::backend::persons::{self, Persons};
use crate::backend::plan::{Exact, Rows};
use crate::backend::stored::{Res, Stored};
use crate::backend::{Fault, Session, key};
use access::{RowFilter, Types};
use search::{Prefix, Quantity, ReferenceTest, StringMode, SystemTest, Target, Test, Text, Token};
use search::{UnitTest, Value};
use std::collections::HashSet;

/// Resolves the rows that a permit covers.
pub(crate) fn rows(session: &dyn Session, filter: &RowFilter) -> Result<Rows, Fault> {
    Ok(match filter {
        RowFilter::Everything => Rows::Everything,
        RowFilter::Nothing => Rows::Nothing,
        RowFilter::Types(types) => match types_in_numbers(session, types) {
            Some(types) => Rows::Types(types),
            None => Rows::Everything,
        },
        RowFilter::Patients { patients, types } => {
            let mut numbers = Vec::new();
            for patient in patients {
                let Some(res) = session.resource("Patient", patient)? else {
                    continue;
                };
                numbers.push(res);
                // A permit for a person covers all its records.
                if let Some(person) = persons::living(session, res)? {
                    numbers.extend(persons::whole(session, person)?);
                }
            }
            Rows::Patients {
                patients: numbers,
                types: types_in_numbers(session, types),
            }
        }
    })
}

fn types_in_numbers(session: &dyn Session, types: &Types) -> Option<HashSet<i64>> {
    match types {
        Types::All => None,
        Types::Only(names) => Some(
            names
                .iter()
                .filter_map(|name| session.type_number(name))
                .collect(),
        ),
    }
}

/// Resolves the names in one test to numbers.
pub(crate) fn check(persons: &Persons<'_>, test: &Test) -> Result<Check, Fault> {
    let session = persons.session;
    Ok(match test {
        Test::Token(token) => Check::Token {
            system: match &token.system {
                SystemTest::Any => System::Any,
                SystemTest::Absent => System::Absent,
                SystemTest::Is(uri) => System::Is(session.system(uri)?.unwrap_or(-1)),
            },
            code: token.code.as_deref().map(Box::from),
        },
        Test::String(test) => Check::String(test.clone()),
        Test::Date(test) => Check::Date(*test),
        Test::Number(test) => Check::Number(*test),
        Test::Quantity(test) => Check::Quantity {
            number: test.number,
            unit: match &test.unit {
                UnitTest::Any => Unit::Any,
                UnitTest::Code { system, code } => Unit::Code {
                    system: session.system(system)?.unwrap_or(-1),
                    code: code.as_str().into(),
                },
                UnitTest::CodeOrUnit(text) => Unit::Either(text.as_str().into()),
            },
        },
        Test::Reference(reference) => reference_check(persons, reference)?,
        Test::Uri(uri) => Check::Uri(uri.as_str().into()),
        Test::Composite(parts) => {
            let parts: Result<_, _> = parts.iter().map(|part| check(persons, part)).collect();
            Check::Composite(parts?)
        }
    })
}

fn reference_check(persons: &Persons<'_>, test: &ReferenceTest) -> Result<Check, Fault> {
    let mut found = match test {
        ReferenceTest::Url { url, version } => {
            return Ok(Check::Url {
                url: url.as_str().into(),
                version: version.as_deref().map(Box::from),
            });
        }
        ReferenceTest::Local { resource_type, id } => targets(persons, resource_type, id)?,
        ReferenceTest::Id { types, id } => {
            let mut found = Vec::new();
            for resource_type in types {
                found.extend(targets(persons, resource_type, id)?);
            }
            found
        }
    };
    found.sort_unstable();
    found.dedup();
    Ok(Check::Local(found))
}

fn targets(persons: &Persons<'_>, resource_type: &str, id: &str) -> Result<Vec<Res>, Fault> {
    match persons.session.resource(resource_type, id)? {
        Some(res) if resource_type == "Patient" => persons.patients(res),
        Some(res) => Ok(vec![res]),
        None => Ok(Vec::new()),
    }
}

/// Returns the exact rows of a check, and whether having one of them satisfies the check. Returns
/// `None` if exact rows do not decide the check.
pub(crate) fn exact(param: u32, check: &Check) -> Option<(Vec<Exact>, bool)> {
    match check {
        Check::Token {
            system,
            code: Some(code),
        } => {
            let whole = code.len() <= key::MAX_TEXT;
            Some((
                vec![Exact::Token {
                    param,
                    code: key::cut(code).into(),
                    system: *system,
                }],
                whole,
            ))
        }
        Check::Local(targets) => {
            let rows = targets
                .iter()
                .map(|&target| Exact::Reference { param, target });
            Some((rows.collect(), true))
        }
        Check::Url { url, version } => {
            let whole = version.is_none() && url.len() <= key::MAX_TEXT;
            // A URI with the same text under the same parameter would not be a reference, but a
            // parameter has only one kind of values.
            Some((
                vec![Exact::Uri {
                    param,
                    uri: key::cut(url).into(),
                }],
                whole,
            ))
        }
        Check::Uri(uri) => {
            let whole = uri.len() <= key::MAX_TEXT;
            Some((
                vec![Exact::Uri {
                    param,
                    uri: key::cut(uri).into(),
                }],
                whole,
            ))
        }
        Check::Composite(parts) => match parts.first() {
            Some(Check::Token {
                code: Some(code), ..
            }) => Some((
                vec![Exact::Composite {
                    param,
                    code: key::cut(code).into(),
                }],
                false,
            )),
            _ => None,
        },
        Check::Token { code: None, .. }
        | Check::String(_)
        | Check::Date(_)
        | Check::Number(_)
        | Check::Quantity { .. } => None,
    }
}

/// Returns the prefix of all folded texts that can pass.
pub(crate) fn prefix(check: &Check) -> Option<Box<str>> {
    let Check::String(test) = check else {
        return None;
    };
    match test.mode {
        StringMode::Starts => Some(key::cut(&test.text).into()),
        StringMode::Exact => Some(key::cut(&search::fold(&test.text)).into()),
        StringMode::Contains => None,
    }
}

/// Returns the range that contains the low end of every span that passes; `None` if the low end
/// does not narrow the search.
pub(crate) fn date_range(check: &Check) -> Option<(i64, i64)> {
    let Check::Date(test) = check else {
        return None;
    };
    let (low, high) = (test.span.low.micros(), test.span.high.micros());
    match test.prefix {
        Prefix::Eq => Some((low, high)),
        Prefix::Lt | Prefix::Eb => Some((i64::MIN, low)),
        Prefix::Le | Prefix::Ap => Some((i64::MIN, high)),
        Prefix::Sa => Some((high, i64::MAX)),
        Prefix::Ne | Prefix::Gt | Prefix::Ge => None,
    }
}

/// Returns the range that contains the low end of every number that passes.
pub(crate) fn number_range(check: &Check) -> Option<(i64, i64)> {
    use crate::backend::stored::sortable;
    let (Check::Number(test) | Check::Quantity { number: test, .. }) = check else {
        return None;
    };
    match test.prefix {
        Prefix::Eq => Some((sortable(test.low), sortable(test.high))),
        Prefix::Lt | Prefix::Le | Prefix::Eb => Some((i64::MIN, sortable(test.value))),
        Prefix::Ap => Some((i64::MIN, sortable(test.high))),
        Prefix::Sa => Some((sortable(test.value), i64::MAX)),
        Prefix::Ne | Prefix::Gt | Prefix::Ge => None,
    }
}

/// Resolves a stored value back to its names, for sorting results.
pub(crate) fn value(session: &dyn Session, stored: &Stored<'_>) -> Result<Value, Fault> {
    let system = |number| match number {
        0 => Ok(None),
        number => session
            .system_uri(number)
            .map(|uri| Some(uri.into_boxed_str())),
    };
    Ok(match stored {
        Stored::Token {
            system: number,
            code,
        } => Value::Token(Token {
            system: system(*number)?,
            code: (*code).into(),
        }),
        Stored::String { folded, exact } => Value::String(Text {
            folded: (*folded).into(),
            exact: (*exact).into(),
        }),
        Stored::Date(span) => Value::Date(*span),
        Stored::Number(range) => Value::Number(*range),
        Stored::Quantity {
            range,
            system: number,
            code,
            unit,
        } => Value::Quantity(Quantity {
            range: *range,
            system: system(*number)?,
            code: code.map(Box::from),
            unit: unit.map(Box::from),
        }),
        Stored::Local(res) => {
            let (resource_type, id) = session.name(*res)?;
            Value::Reference(Target::Local {
                resource_type,
                id: id.into(),
            })
        }
        Stored::Url { url, version } => Value::Reference(Target::Url {
            url: (*url).into(),
            version: version.map(Box::from),
        }),
        Stored::Uri(uri) => Value::Uri((*uri).into()),
        Stored::Composite(parts) => {
            let parts: Result<Vec<_>, _> = parts.iter().map(|part| value(session, part)).collect();
            Value::Composite(parts?.into())
        }
    })
}
