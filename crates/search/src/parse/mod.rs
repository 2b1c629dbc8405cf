//! Parses the pairs of a query string into a [`Query`].
//!
//! Invariants:
//! - each pair ends up in the query or in [`Query::unknown`], is one of the few deliberately
//!   ignored (`_format`, `_pretty`), or is an error: none is silently dropped;
//! - a modifier or parameter that FHIR defines and that is not supported here is an error of its
//!   own even under lenient handling, because ignoring it would silently widen the search
//!   (search.html#modifiers).

mod condition;
mod result;
mod split;
mod values;

use crate::error::QueryError;
use crate::query::{Handling, Query, Summary, Unknown};
use crate::registry::Registry;

/// Maximum number of parameters in one search.
const MAX_PARAMETERS: usize = 200;

/// Query parser for one server.
#[derive(Clone, Debug, Default)]
pub struct Parser {
    base: Option<String>,
}

/// Parameters that FHIR defines for the response rather than for the search, and that are ignored.
const IGNORED: [&str; 2] = ["_format", "_pretty"];

/// Parameters that FHIR defines but that are not supported yet; ignoring them would change the
/// result.
const UNSUPPORTED: [(&str, &str); 9] = [
    ("_content", "there is no full-text search over resources"),
    ("_text", "there is no full-text search over narratives"),
    ("_filter", "the filter language is not supported"),
    ("_list", "lists are not supported"),
    ("_query", "there are no named queries"),
    ("_type", "searches over several types are not supported"),
    ("_contained", "contained resources are not searched"),
    ("_containedType", "contained resources are not searched"),
    ("_score", "matches are not scored"),
];

/// Parses a search on a server with an unknown base URL; the names and values are percent-decoded.
pub fn parse(
    resource_type: &str,
    pairs: &[(String, String)],
    handling: Handling,
) -> Result<Query, QueryError> {
    Parser::default().parse(resource_type, pairs, handling)
}

// === impl Parser ===

impl Parser {
    /// Creates a parser for a server at this base URL (no trailing slash): absolute references to
    /// it are local.
    pub fn at(base: impl Into<String>) -> Self {
        let base = base.into().trim_end_matches('/').to_owned();
        Self {
            base: Some(base).filter(|base| !base.is_empty()),
        }
    }

    /// Parses a search. The names and values are percent-decoded.
    pub fn parse(
        &self,
        resource_type: &str,
        pairs: &[(String, String)],
        handling: Handling,
    ) -> Result<Query, QueryError> {
        let resource_type = Registry::r4()
            .resource_type(resource_type)
            .ok_or_else(|| QueryError::UnknownType(resource_type.to_owned()))?;
        if MAX_PARAMETERS < pairs.len() {
            let what = "the number of parameters";
            return Err(QueryError::TooLarge {
                what,
                limit: MAX_PARAMETERS,
            });
        }
        let mut query = Query::all_of(resource_type);
        for (name, value) in pairs {
            if IGNORED.contains(&name.as_str()) {
                continue;
            }
            match self.one(&mut query, name, value) {
                Ok(()) => query.used.push((name.clone(), value.clone())),
                Err(error @ QueryError::UnknownParameter { .. }) => match handling {
                    Handling::Strict => return Err(error),
                    Handling::Lenient => {
                        query.unknown.push(Unknown {
                            name: name.clone(),
                            value: value.clone(),
                        });
                    }
                },
                Err(error) => return Err(error),
            }
        }
        if query.count == Some(0) {
            query.summary = Summary::Count;
        }
        Ok(query)
    }

    fn one(&self, query: &mut Query, name: &str, value: &str) -> Result<(), QueryError> {
        let plain = name.split([':', '.']).next().unwrap_or_default();
        if let Some((_, why)) = UNSUPPORTED.iter().find(|(known, _)| *known == plain) {
            return Err(QueryError::UnsupportedParameter {
                name: name.to_owned(),
                why,
            });
        }
        if result::read(query, name, value)? {
            return Ok(());
        }
        let scope = condition::Scope {
            base: self.base.as_deref(),
            name,
            depth: 0,
        };
        query
            .filters
            .push(scope.filter(query.resource_type, name, value)?);
        Ok(())
    }
}
