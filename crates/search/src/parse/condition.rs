//! Parses one pair into a condition: a parameter with its modifier, a chain, or a reverse chain.

use super::split::split;
use super::values::Values;
use crate::error::QueryError;
use crate::param::{Param, ParamKind};
use crate::query::{Branch, Filter, StringMode};
use crate::reference::is_id;
use crate::registry::Registry;

/// Maximum number of links in one chain.
const MAX_DEPTH: usize = 4;

/// Maximum number of target types that one link of a chain may fan out to; with more, the type must
/// be named.
const MAX_BRANCHES: usize = 12;

/// Maximum number of alternatives of one parameter.
const MAX_ALTERNATIVES: usize = 1_000;

/// The pair being parsed.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) base: Option<&'a str>,
    /// The whole name, for errors.
    pub(super) name: &'a str,
    /// The number of links followed so far.
    pub(super) depth: usize,
}

// === impl Scope ===

impl Scope<'_> {
    /// Parses the condition that `name=value` puts on a resource of that type.
    pub(super) fn filter(
        self,
        resource_type: &'static str,
        name: &str,
        value: &str,
    ) -> Result<Filter, QueryError> {
        if let Some(rest) = name.strip_prefix("_has:") {
            return self.has(resource_type, rest, value);
        }
        if let Some((link, rest)) = name.split_once('.') {
            return self.chain(resource_type, link, rest, value);
        }
        let (code, modifier) = match name.split_once(':') {
            Some((code, modifier)) => (code, Some(modifier)),
            None => (name, None),
        };
        match code {
            "_id" => self.id(modifier, value),
            "_lastUpdated" => self.last_updated(resource_type, modifier, value),
            _ => self.leaf(self.param(resource_type, code)?, modifier, value),
        }
    }

    fn leaf(
        self,
        param: &'static Param,
        modifier: Option<&str>,
        value: &str,
    ) -> Result<Filter, QueryError> {
        let values = Values {
            base: self.base,
            name: self.name,
            param,
        };
        let any = |tests| Filter::Any {
            param,
            key: param.key,
            tests,
        };
        match (modifier, param.kind) {
            (None, _) => Ok(any(alternatives(value, |one| values.plain(one))?)),
            (Some("missing"), _) => self.missing(param, value),
            (Some("not"), ParamKind::Token) => {
                let tests = alternatives(value, |one| values.plain(one))?;
                Ok(Filter::None {
                    param,
                    key: param.key,
                    tests,
                })
            }
            (Some("exact"), ParamKind::String) => Ok(any(alternatives(value, |one| {
                values.text(StringMode::Exact, one)
            })?)),
            (Some("contains"), ParamKind::String) => Ok(any(alternatives(value, |one| {
                values.text(StringMode::Contains, one)
            })?)),
            (Some("identifier"), ParamKind::Reference) => {
                let tests = alternatives(value, |one| values.token(one))?;
                Ok(Filter::Any {
                    param,
                    key: param.identifier_key,
                    tests,
                })
            }
            (Some(modifier), ParamKind::Reference) => {
                match Registry::r4().resource_type(modifier) {
                    Some(target) if points_to(param, target) => {
                        Ok(any(alternatives(value, |one| {
                            values.reference_to(target, one)
                        })?))
                    }
                    _ => Err(unsupported(param, modifier)),
                }
            }
            (Some(modifier), _) => Err(unsupported(param, modifier)),
        }
    }

    fn missing(self, param: &'static Param, value: &str) -> Result<Filter, QueryError> {
        let missing = match value {
            "true" => true,
            "false" => false,
            _ => return Err(self.bad_value(value, "not a boolean", "true, false")),
        };
        let mut keys = vec![param.key];
        if param.kind == ParamKind::Reference {
            keys.push(param.identifier_key);
        }
        Ok(Filter::Missing {
            param,
            keys,
            missing,
        })
    }

    fn id(self, modifier: Option<&str>, value: &str) -> Result<Filter, QueryError> {
        if let Some(modifier) = modifier {
            return Err(QueryError::UnsupportedModifier {
                name: "_id".to_owned(),
                modifier: modifier.to_owned(),
                accepted: "none".to_owned(),
            });
        }
        let ids = alternatives(value, |one| {
            let accepted = "an id: 1 to 64 letters, digits, - and .";
            if is_id(one) {
                Ok(one.to_owned())
            } else {
                Err(self.bad_value(one, "not an id", accepted))
            }
        })?;
        Ok(Filter::Id(ids))
    }

    fn last_updated(
        self,
        resource_type: &'static str,
        modifier: Option<&str>,
        value: &str,
    ) -> Result<Filter, QueryError> {
        if let Some(modifier) = modifier {
            return Err(QueryError::UnsupportedModifier {
                name: "_lastUpdated".to_owned(),
                modifier: modifier.to_owned(),
                accepted: "none".to_owned(),
            });
        }
        let param = self.param(resource_type, "_lastUpdated")?;
        let values = Values {
            base: self.base,
            name: self.name,
            param,
        };
        Ok(Filter::LastUpdated(alternatives(value, |one| {
            values.date(one)
        })?))
    }

    /// Parses `link[:Type].rest`; search.html#chaining.
    fn chain(
        self,
        resource_type: &'static str,
        link: &str,
        rest: &str,
        value: &str,
    ) -> Result<Filter, QueryError> {
        let next = self.deeper()?;
        let (code, wanted) = match link.split_once(':') {
            Some((code, wanted)) => (code, Some(wanted)),
            None => (link, None),
        };
        let link = self.link(resource_type, code)?;
        let targets = match wanted {
            Some(wanted) => {
                let target = Registry::r4().resource_type(wanted);
                let target = target.filter(|target| points_to(link, target));
                vec![target.ok_or_else(|| {
                    self.bad_chain(format!("`{code}` does not point to `{wanted}`"))
                })?]
            }
            None => link.targets.clone(),
        };
        let mut branches = Vec::new();
        let mut failure = None;
        for target in targets {
            match next.filter(target, rest, value) {
                Ok(filter) => branches.push(Branch {
                    resource_type: target,
                    filter,
                }),
                // This target has no such parameter, or parses the value differently; another may
                // accept it. The most informative error is kept.
                Err(error) => match &failure {
                    Some(known) if !matches!(known, QueryError::UnknownParameter { .. }) => {}
                    _ => failure = Some(error),
                },
            }
        }
        match (branches.len(), failure) {
            (0, Some(error)) => Err(error),
            (n, _) if n == 0 || MAX_BRANCHES < n => Err(self.bad_chain(format!(
                "`{code}` may point to many types; name one, as in `{code}:Patient.{rest}`"
            ))),
            _ => Ok(Filter::Chain { link, branches }),
        }
    }

    /// Parses `_has:Type:link:rest`; search.html#has.
    fn has(
        self,
        resource_type: &'static str,
        rest: &str,
        value: &str,
    ) -> Result<Filter, QueryError> {
        let next = self.deeper()?;
        let mut parts = rest.splitn(3, ':');
        let (Some(source), Some(code), Some(rest)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(self.bad_chain("expected `_has:Type:reference:parameter`".to_owned()));
        };
        let source_type = Registry::r4()
            .resource_type(source)
            .ok_or_else(|| self.bad_chain(format!("`{source}` is not a resource type")))?;
        let link = self.link(source_type, code)?;
        if !points_to(link, resource_type) {
            let why = format!("`{code}` of {source_type} does not point to {resource_type}");
            return Err(self.bad_chain(why));
        }
        let filter = next.filter(source_type, rest, value)?;
        Ok(Filter::Has {
            source_type,
            link,
            filter: Box::new(filter),
        })
    }

    fn deeper(self) -> Result<Self, QueryError> {
        if MAX_DEPTH <= self.depth {
            return Err(QueryError::TooLarge {
                what: "the depth of a chain",
                limit: MAX_DEPTH,
            });
        }
        Ok(Self {
            depth: self.depth + 1,
            ..self
        })
    }

    fn link(self, resource_type: &'static str, code: &str) -> Result<&'static Param, QueryError> {
        let param = self.param(resource_type, code)?;
        if param.kind == ParamKind::Reference {
            Ok(param)
        } else {
            let why = format!(
                "`{code}` of {resource_type} is a {}, not a reference",
                param.kind.code()
            );
            Err(self.bad_chain(why))
        }
    }

    fn param(self, resource_type: &'static str, code: &str) -> Result<&'static Param, QueryError> {
        let registry = Registry::r4();
        match registry.param(resource_type, code) {
            Some(param) if param.is_indexed => Ok(param),
            Some(_) => Err(QueryError::UnsupportedParameter {
                name: self.name.to_owned(),
                why: "the index does not support its expression",
            }),
            None => {
                let params = registry.params(resource_type).iter();
                let accepted: Vec<&str> = params
                    .filter(|param| param.is_indexed)
                    .map(|param| param.code)
                    .collect();
                Err(QueryError::UnknownParameter {
                    name: self.name.to_owned(),
                    resource_type: resource_type.to_owned(),
                    accepted: accepted.join(", "),
                })
            }
        }
    }

    fn bad_value(self, value: &str, why: &'static str, accepted: &'static str) -> QueryError {
        let (name, value) = (self.name.to_owned(), value.to_owned());
        QueryError::BadValue {
            name,
            value,
            why,
            accepted,
        }
    }

    fn bad_chain(self, why: String) -> QueryError {
        QueryError::BadChain {
            name: self.name.to_owned(),
            why,
        }
    }
}

/// Parses each of the comma-separated alternatives.
fn alternatives<T>(
    value: &str,
    read: impl Fn(&str) -> Result<T, QueryError>,
) -> Result<Vec<T>, QueryError> {
    let parts = split(value, ',');
    if MAX_ALTERNATIVES < parts.len() {
        let what = "the number of alternatives of one parameter";
        return Err(QueryError::TooLarge {
            what,
            limit: MAX_ALTERNATIVES,
        });
    }
    parts.into_iter().map(read).collect()
}

fn points_to(param: &Param, resource_type: &str) -> bool {
    param.targets.contains(&resource_type)
}

fn unsupported(param: &Param, modifier: &str) -> QueryError {
    let own = match param.kind {
        ParamKind::Token => ", not",
        ParamKind::String => ", exact, contains",
        ParamKind::Reference => ", identifier, [type] of its targets",
        ParamKind::Date
        | ParamKind::Number
        | ParamKind::Quantity
        | ParamKind::Uri
        | ParamKind::Composite
        | ParamKind::Special => "",
    };
    QueryError::UnsupportedModifier {
        name: param.code.to_owned(),
        modifier: modifier.to_owned(),
        accepted: format!("missing{own}"),
    }
}
