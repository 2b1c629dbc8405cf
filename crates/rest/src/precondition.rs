//! Version preconditions of a request: `If-Match` and `If-None-Match` (RFC 9110, 13.1.1 and
//! 13.1.2), and `ifMatch` and `ifNoneMatch` of a bundle's entry.
//!
//! Each is a list of entity tags, or `*`. FHIR's tags are weak and name the version, even if a
//! write depends on them (http.html#concurrency), so weak and strong tags compare alike.

use super::{Failure, answer};
use axum::http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use store::chart::{Expect, Read};

/// The conditions on the current version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Precondition {
    matches: Option<Tags>,
    none_matches: Option<Tags>,
}

/// A list of entity tags.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Tags {
    /// The wildcard `*`: any version.
    Any,
    /// These versions. A tag that this server never issued names none.
    Versions(Vec<u32>),
}

// === impl Precondition ===

impl Precondition {
    /// Parses a request's headers; a list may span several header lines.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Failure> {
        let lines = |name: HeaderName| {
            let lines: Vec<&str> = headers
                .get_all(&name)
                .iter()
                .map(|value| value.to_str().unwrap_or("?"))
                .collect();
            (!lines.is_empty()).then(|| lines.join(","))
        };
        let (matches, none_matches) = (lines(IF_MATCH), lines(IF_NONE_MATCH));
        Ok(Self {
            matches: tags("If-Match", matches.as_deref())?,
            none_matches: tags("If-None-Match", none_matches.as_deref())?,
        })
    }

    /// Parses the preconditions of a bundle's entry.
    pub(crate) fn of_entry(
        if_match: Option<&str>,
        if_none_match: Option<&str>,
    ) -> Result<Self, Failure> {
        Ok(Self {
            matches: tags("ifMatch", if_match)?,
            none_matches: tags("ifNoneMatch", if_none_match)?,
        })
    }

    /// Checks the precondition and returns what the store must verify at the time of the write;
    /// `None` without a precondition.
    pub(crate) fn expect(&self, current: Option<u32>) -> Result<Option<Expect>, Failure> {
        if self.matches.is_none() && self.none_matches.is_none() {
            return Ok(None);
        }
        let is_met = self.matches.as_ref().is_none_or(|tags| tags.hold(current));
        if !is_met {
            return Err(refused(match current {
                Some(version) => {
                    format!("the resource is now at version {version}; read it and try again")
                }
                None => "the resource does not exist".to_owned(),
            }));
        }
        if self.has(current) {
            let version = current.unwrap_or_default();
            return Err(refused(format!(
                "the resource exists at version {version}, which If-None-Match rules out"
            )));
        }
        Ok(Some(current.map_or(Expect::Absent, Expect::Version)))
    }

    /// Returns true if the client already has the current version, so that its read is answered
    /// with 304.
    pub(crate) fn has(&self, current: Option<u32>) -> bool {
        let tags = self.none_matches.as_ref();
        tags.is_some_and(|tags| tags.hold(current))
    }

    /// Returns true if `If-None-Match` is present; `If-Modified-Since` is then ignored (13.1.3).
    pub(crate) fn names_none(&self) -> bool {
        self.none_matches.is_some()
    }
}

/// Returns the current version of a resource, if it exists.
pub(crate) fn version_of(read: &Read) -> Option<u32> {
    match read {
        Read::Found(found) => Some(found.version),
        Read::Gone { .. } | Read::Missing => None,
    }
}

// === impl Tags ===

impl Tags {
    fn hold(&self, current: Option<u32>) -> bool {
        match (self, current) {
            (_, None) => false,
            (Self::Any, Some(_)) => true,
            (Self::Versions(versions), Some(current)) => versions.contains(&current),
        }
    }
}

fn tags(name: &'static str, text: Option<&str>) -> Result<Option<Tags>, Failure> {
    let Some(text) = text else { return Ok(None) };
    if text.trim() == "*" {
        return Ok(Some(Tags::Any));
    }
    let (mut versions, mut n_tags, mut rest) = (Vec::new(), 0, text);
    loop {
        // Empty list elements are ignored (5.6.1).
        rest = rest.trim_start_matches([',', ' ', '\t']);
        if rest.is_empty() {
            break;
        }
        let (tag, behind) = first(rest).ok_or_else(|| malformed(name))?;
        versions.extend(tag.parse::<u32>());
        n_tags += 1;
        rest = behind.trim_start();
        if !(rest.is_empty() || rest.starts_with(',')) {
            return Err(malformed(name));
        }
    }
    if n_tags == 0 {
        return Err(malformed(name));
    }
    Ok(Some(Tags::Versions(versions)))
}

/// Returns the first tag's opaque text and the text after the tag. A bare number is accepted too,
/// because some clients send it.
fn first(list: &str) -> Option<(&str, &str)> {
    let tag = list.strip_prefix("W/").unwrap_or(list);
    if let Some(opaque) = tag.strip_prefix('"') {
        return opaque.split_once('"');
    }
    let end = tag.find([',', ' ', '\t']).unwrap_or(tag.len());
    let (bare, behind) = tag.split_at(end);
    let is_number = !bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some((bare, behind))
}

fn malformed(name: &'static str) -> Failure {
    Failure::at(
        StatusCode::BAD_REQUEST,
        "value",
        name,
        format!(
            "{name} accepts versions, such as {} or {}, {}, or *",
            answer::etag(3),
            answer::etag(3),
            answer::etag(4)
        ),
    )
}

fn refused(text: String) -> Failure {
    Failure::new(StatusCode::PRECONDITION_FAILED, "conflict", text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(matches: Option<&str>, none: Option<&str>) -> Precondition {
        Precondition::of_entry(matches, none).unwrap()
    }

    #[test]
    fn lists_of_tags() {
        for (text, expected) in [
            ("W/\"3\"", vec![3]),
            ("\"3\"", vec![3]),
            ("3", vec![3]),
            ("W/3", vec![3]),
            ("W/\"1\", W/\"2\"", vec![1, 2]),
            ("W/\"1\",\"2\" ,, 3", vec![1, 2, 3]),
            // Never issued by this server; a comma inside the quotes belongs to the tag.
            ("\"abc\", \"1,2\", W/\"\", \"7\"", vec![7]),
            ("\"99999999999\"", vec![]),
            ("\"-1\"", vec![]),
        ] {
            let found = tags("If-Match", Some(text)).unwrap();
            assert_eq!(found, Some(Tags::Versions(expected)), "{text}");
        }
        for wrong in [
            "",
            ",",
            "abc",
            "\"1",
            "W/",
            "\"1\" \"2\"",
            "*, \"1\"",
            "w/\"1\"",
        ] {
            assert!(tags("If-Match", Some(wrong)).is_err(), "{wrong}");
        }
        assert_eq!(tags("If-Match", Some(" * ")).unwrap(), Some(Tags::Any));
    }

    #[test]
    fn a_precondition_becomes_what_the_write_expects() {
        let version = |n| Ok(Some(Expect::Version(n)));
        let absent = Ok(Some(Expect::Absent));
        for (matches, none, current, expected) in [
            (None, None, Some(2), Ok(None)),
            (Some("\"1\", \"2\""), None, Some(2), version(2)),
            (Some("\"1\", \"2\""), None, Some(3), Err(())),
            (Some("\"1\""), None, None, Err(())),
            (Some("*"), None, Some(9), version(9)),
            (Some("*"), None, None, Err(())),
            (None, Some("*"), None, absent),
            (None, Some("*"), Some(1), Err(())),
            (None, Some("\"1\", \"2\""), Some(2), Err(())),
            (None, Some("\"1\", \"2\""), Some(3), version(3)),
            (None, Some("\"1\""), None, absent),
            // Both must hold.
            (Some("\"3\""), Some("\"3\""), Some(3), Err(())),
            (Some("\"3\""), Some("\"4\""), Some(3), version(3)),
        ] {
            let found = with(matches, none).expect(current);
            let found = found.map_err(|failure| {
                assert_eq!(failure.status, StatusCode::PRECONDITION_FAILED);
            });
            assert_eq!(found, expected, "{matches:?} {none:?} {current:?}");
        }
    }
}
