//! Parses the target of a `Reference.reference`, `canonical` or url.

use crate::definitions::is_resource_type;

/// A parsed reference that borrows the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reference<'a> {
    /// `Patient/1`, `Patient/1/_history/2`
    Relative(Target<'a>),
    /// `https://example.org/fhir/Patient/1`
    Absolute {
        /// The part before the type, without the slash.
        base: &'a str,
        /// The part after the base.
        target: Target<'a>,
    },
    /// `urn:uuid:…`, `urn:oid:…`
    Urn(&'a str),
    /// `#x`: contained under this id; empty for the container itself.
    Contained(&'a str),
    /// `Patient?identifier=…`: to be resolved by search, in a transaction.
    Conditional {
        /// The type.
        resource_type: &'a str,
        /// The part after the `?`.
        query: &'a str,
    },
    /// Any other url, such as a profile's.
    Canonical {
        /// The url without version and fragment.
        url: &'a str,
        /// The part after `|`.
        version: Option<&'a str>,
        /// The part after `#`.
        fragment: Option<&'a str>,
    },
}

/// A resource by type and id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Target<'a> {
    /// A FHIR R4 resource type.
    pub resource_type: &'a str,
    /// The logical id.
    pub id: &'a str,
    /// The part after `_history`.
    pub version: Option<&'a str>,
}

/// The error for text that is not a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a reference: expected Type/id, an absolute url, urn:uuid:, urn:oid: or #id")]
pub struct InvalidReference;

// === impl Reference ===

impl<'a> Reference<'a> {
    /// Parses any form.
    pub fn parse(text: &'a str) -> Result<Self, InvalidReference> {
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(InvalidReference);
        }
        if let Some(id) = text.strip_prefix('#') {
            let valid = id.is_empty() || is_id(id);
            return if valid {
                Ok(Self::Contained(id))
            } else {
                Err(InvalidReference)
            };
        }
        if let Some((before, query)) = text.split_once('?') {
            let conditional = Self::Conditional {
                resource_type: before,
                query,
            };
            if is_resource_type(before) {
                return Ok(conditional);
            }
        }
        let Some(scheme) = scheme(text) else {
            let target = Target::parse(text).filter(|(before, _)| before.is_empty());
            let relative = target.filter(|_| !text.starts_with('/'));
            return relative
                .map(|(_, target)| Self::Relative(target))
                .ok_or(InvalidReference);
        };
        match scheme {
            "urn" => Ok(Self::Urn(text)),
            "http" | "https" => Ok(Target::parse(text).map_or_else(
                || Self::canonical(text),
                |(base, target)| Self::Absolute { base, target },
            )),
            _ => Ok(Self::canonical(text)),
        }
    }

    /// Returns type and id, if the reference names them.
    pub fn target(&self) -> Option<Target<'a>> {
        match self {
            Self::Relative(target) | Self::Absolute { target, .. } => Some(*target),
            Self::Urn(_)
            | Self::Contained(_)
            | Self::Conditional { .. }
            | Self::Canonical { .. } => None,
        }
    }

    fn canonical(text: &'a str) -> Self {
        let (text, fragment) = halves(text, '#');
        let (url, version) = halves(text, '|');
        Self::Canonical {
            url,
            version,
            fragment,
        }
    }
}

// === impl Target ===

impl<'a> Target<'a> {
    /// Returns the target at the end of a url, and the part before it without its slash.
    fn parse(text: &'a str) -> Option<(&'a str, Self)> {
        let (current, version) = match text.rsplit_once("/_history/") {
            Some((current, version)) if is_id(version) => (current, Some(version)),
            Some(_) => return None,
            None => (text, None),
        };
        let (before, id) = current.rsplit_once('/')?;
        let (base, resource_type) = before.rsplit_once('/').unwrap_or(("", before));
        let valid = is_id(id) && is_resource_type(resource_type);
        valid.then_some((
            base,
            Self {
                resource_type,
                id,
                version,
            },
        ))
    }

    /// Returns `Type/id`, without version.
    pub fn relative(&self) -> String {
        format!("{}/{}", self.resource_type, self.id)
    }
}

/// Returns whether the text is a FHIR id: 1 to 64 letters, digits, `-` or `.`.
pub fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
}

/// Returns the part before the first `:` if it is a URI scheme.
fn scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once(':')?;
    let mut bytes = scheme.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_alphabetic());
    let valid = first && bytes.all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    valid.then_some(scheme)
}

fn halves(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at)
        .map_or((text, None), |(before, after)| (before, Some(after)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn target<'a>(resource_type: &'a str, id: &'a str, version: Option<&'a str>) -> Target<'a> {
        Target {
            resource_type,
            id,
            version,
        }
    }

    #[test]
    fn forms_of_r4_references_2_3_0_1() {
        let base = "https://example.org/fhir";
        for (text, reference) in [
            (
                "Patient/1",
                Reference::Relative(target("Patient", "1", None)),
            ),
            (
                "Patient/1/_history/2",
                Reference::Relative(target("Patient", "1", Some("2"))),
            ),
            (
                "https://example.org/fhir/Observation/a.b-C",
                Reference::Absolute {
                    base,
                    target: target("Observation", "a.b-C", None),
                },
            ),
            ("urn:uuid:0f0", Reference::Urn("urn:uuid:0f0")),
            ("#p1", Reference::Contained("p1")),
            ("#", Reference::Contained("")),
            (
                "Patient?identifier=urn:x|1",
                Reference::Conditional {
                    resource_type: "Patient",
                    query: "identifier=urn:x|1",
                },
            ),
            (
                "http://example.org/StructureDefinition/x#y",
                Reference::Canonical {
                    url: "http://example.org/StructureDefinition/x",
                    version: None,
                    fragment: Some("y"),
                },
            ),
            (
                "http://example.org/q|1.0",
                Reference::Canonical {
                    url: "http://example.org/q",
                    version: Some("1.0"),
                    fragment: None,
                },
            ),
        ] {
            assert_eq!(Reference::parse(text), Ok(reference), "{text}");
        }
    }

    #[test]
    fn text_that_is_not_a_reference() {
        for text in [
            "",
            "Patient",
            "Patient/",
            "/Patient/1",
            "Foo/1",
            "Patient/a b",
            "#a b",
            "1",
            "Patient/1/2",
        ] {
            assert_eq!(Reference::parse(text), Err(InvalidReference), "{text}");
        }
    }

    proptest! {
        #[test]
        fn takes_any_text(text in "\\PC{0,40}|(Patient|http://a)[/#?|_history0-9]{0,20}") {
            let _ = Reference::parse(&text);
        }
    }
}
