//! The parameters that shape the response, not the result.

use super::split::split;
use crate::error::QueryError;
use crate::param::ParamKind;
use crate::query::{Include, Query, Sort, SortBy, Summary, Total};
use crate::registry::Registry;

/// Maximum number of includes in one search.
const MAX_INCLUDES: usize = 100;

/// Consumes the pair if it is one of these parameters.
pub(super) fn read(query: &mut Query, name: &str, value: &str) -> Result<bool, QueryError> {
    let pair = Pair { name, value };
    let (plain, modifier) = match name.split_once(':') {
        Some((plain, modifier)) => (plain, Some(modifier)),
        None => (name, None),
    };
    match (plain, modifier) {
        ("_include", _) => query
            .includes
            .extend(pair.includes(query, modifier, false)?),
        ("_revinclude", _) => query
            .revincludes
            .extend(pair.includes(query, modifier, true)?),
        (
            "_sort" | "_count" | "_summary" | "_elements" | "_total" | "_person" | "_cursor",
            Some(modifier),
        ) => return Err(bad_modifier(plain, modifier, "none")),
        ("_sort", None) => pair
            .once(query.sort.is_empty())
            .and_then(|()| pair.sort(query))?,
        ("_count", None) => {
            pair.once(query.count.is_none())?;
            let read = value
                .parse()
                .map_err(|_| pair.bad("not a whole number", "0, 1, 2 …"))?;
            query.count = Some(read);
        }
        ("_summary", None) => query.summary = pair.summary()?,
        ("_elements", None) => pair.elements(query)?,
        ("_total", None) => {
            query.total = Some(match value {
                "none" => Total::None,
                "estimate" => Total::Estimate,
                "accurate" => Total::Accurate,
                _ => return Err(pair.bad("not one of its codes", "none, estimate, accurate")),
            });
        }
        ("_person", None) => {
            query.person = match value {
                "true" => true,
                "false" => false,
                _ => return Err(pair.bad("not a boolean", "true, false")),
            };
        }
        ("_cursor", None) => {
            pair.once(query.cursor.is_none())?;
            query.cursor = Some(value.to_owned());
        }
        _ => return Ok(false),
    }
    if MAX_INCLUDES < query.includes.len() + query.revincludes.len() {
        return Err(QueryError::TooLarge {
            what: "the number of includes",
            limit: MAX_INCLUDES,
        });
    }
    Ok(true)
}

struct Pair<'a> {
    name: &'a str,
    value: &'a str,
}

// === impl Pair ===

impl Pair<'_> {
    fn sort(&self, query: &mut Query) -> Result<(), QueryError> {
        for key in split(self.value, ',') {
            let (code, descending) = match key.strip_prefix('-') {
                Some(code) => (code, true),
                None => (key, false),
            };
            let by = match code {
                "_id" => SortBy::Id,
                "_lastUpdated" => SortBy::LastUpdated,
                _ => SortBy::Param(self.sort_param(query.resource_type, code)?),
            };
            query.sort.push(Sort { by, descending });
        }
        Ok(())
    }

    fn sort_param(
        &self,
        resource_type: &str,
        code: &str,
    ) -> Result<&'static crate::Param, QueryError> {
        let accepted =
            "search parameters of the type, _id, _lastUpdated, each with - for descending";
        let param = Registry::r4()
            .param(resource_type, code)
            .filter(|param| param.is_indexed)
            .ok_or_else(|| self.bad("a key is not a search parameter of the type", accepted))?;
        match param.kind {
            ParamKind::Composite | ParamKind::Special => {
                Err(self.bad("a composite has no order", accepted))
            }
            ParamKind::Token
            | ParamKind::String
            | ParamKind::Date
            | ParamKind::Number
            | ParamKind::Quantity
            | ParamKind::Reference
            | ParamKind::Uri => Ok(param),
        }
    }

    fn summary(&self) -> Result<Summary, QueryError> {
        Ok(match self.value {
            "true" => Summary::True,
            "false" => Summary::False,
            "text" => Summary::Text,
            "data" => Summary::Data,
            "count" => Summary::Count,
            _ => return Err(self.bad("not one of its codes", "true, false, text, data, count")),
        })
    }

    fn elements(&self, query: &mut Query) -> Result<(), QueryError> {
        let accepted = "names of top-level elements, such as status,code";
        for element in self.value.split(',') {
            // `Patient.name` is the form for a search over several types.
            let own = element
                .split_once('.')
                .filter(|(first, _)| *first == query.resource_type);
            let element = own.map_or(element, |(_, rest)| rest);
            let known = fhir::definitions::type_named(query.resource_type)
                .is_some_and(|def| def.element(element).is_some());
            if !known {
                return Err(self.bad("the type has no such element", accepted));
            }
            query.elements.push(element.to_owned());
        }
        Ok(())
    }

    /// Parses `Type:param[:target]`, `Type:*`; search.html#revinclude.
    fn includes(
        &self,
        query: &Query,
        modifier: Option<&str>,
        reverse: bool,
    ) -> Result<Vec<Include>, QueryError> {
        let iterate = match modifier {
            None => false,
            // `recurse` is the name in releases before R4.
            Some("iterate" | "recurse") => true,
            Some(modifier) => {
                let plain = if reverse { "_revinclude" } else { "_include" };
                return Err(bad_modifier(plain, modifier, "iterate"));
            }
        };
        let accepted = "Type:parameter, Type:parameter:TargetType, Type:*";
        let (source, code, target) = match self.value.split(':').collect::<Vec<_>>()[..] {
            ["*"] if !reverse => (query.resource_type, "*", None),
            ["*"] => return Err(self.bad("all references to a type cannot be followed", accepted)),
            [source, code] => (source, code, None),
            [source, code, target] => (source, code, Some(target)),
            _ => return Err(self.bad("not in that form", accepted)),
        };
        let registry = Registry::r4();
        let type_named = |name: &str| {
            let known = registry.resource_type(name);
            known.ok_or_else(|| self.bad("not a resource type", accepted))
        };
        let source_type = type_named(source)?;
        let target_type = target.map(type_named).transpose()?;
        let include = |param| Include {
            source_type,
            param,
            target_type,
            iterate,
        };
        let points_here = |param: &&'static crate::Param| {
            !reverse || param.targets.contains(&query.resource_type)
        };
        let all = registry.params(source_type).iter();
        let mut links = all.filter(|param| param.kind == ParamKind::Reference && param.is_indexed);
        if code == "*" {
            return Ok(links.filter(points_here).map(include).collect());
        }
        let Some(param) = links.find(|param| param.code == code) else {
            return Err(self.bad("the type has no such reference parameter", accepted));
        };
        // An iterated include may start from an included resource, which need not be of this type.
        let is_possible = (iterate || points_here(&param))
            && target_type.is_none_or(|target| param.targets.contains(&target));
        if !is_possible {
            return Err(self.bad("the parameter does not point to that type", accepted));
        }
        Ok(vec![include(param)])
    }

    fn once(&self, is_first: bool) -> Result<(), QueryError> {
        if is_first {
            Ok(())
        } else {
            Err(self.bad("given twice", "one"))
        }
    }

    fn bad(&self, why: &'static str, accepted: &'static str) -> QueryError {
        QueryError::BadValue {
            name: self.name.to_owned(),
            value: self.value.to_owned(),
            why,
            accepted,
        }
    }
}

fn bad_modifier(plain: &str, modifier: &str, accepted: &str) -> QueryError {
    QueryError::UnsupportedModifier {
        name: plain.to_owned(),
        modifier: modifier.to_owned(),
        accepted: accepted.to_owned(),
    }
}
