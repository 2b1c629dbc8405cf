//! Parses the target of a reference.

use crate::posting::Target;
use crate::registry::Registry;

/// Parses `Type/id`, `Type/id/_history/v`, either of them absolute on `base`, or any URL. A
/// fragment (`#…`) points into the document itself and gives nothing.
pub(crate) fn target(text: &str, base: Option<&str>) -> Option<Target> {
    if text.is_empty() || text.starts_with('#') {
        return None;
    }
    let relative = base.and_then(|base| text.strip_prefix(base)?.strip_prefix('/'));
    if let Some((resource_type, id)) = typed_id(relative.unwrap_or(text)) {
        return Some(Target::Local {
            resource_type,
            id: id.into(),
        });
    }
    let (url, version) = match text.split_once('|') {
        Some((url, version)) if !version.is_empty() => (url, Some(version)),
        _ => (text, None),
    };
    Some(Target::Url {
        url: url.into(),
        version: version.map(Into::into),
    })
}

/// Returns the type and id of `Type/id` or `Type/id/_history/v`.
pub(crate) fn typed_id(text: &str) -> Option<(&'static str, &str)> {
    let (name, rest) = text.split_once('/')?;
    let id = match rest.split_once('/') {
        Some((id, version)) if version.starts_with("_history/") => id,
        Some(_) => return None,
        None => rest,
    };
    is_id(id).then_some((Registry::r4().resource_type(name)?, id))
}

/// Returns the type that the text names, even in another server's URL (`…/Patient/1`).
pub(crate) fn type_in(text: &str) -> Option<&'static str> {
    let text = text
        .split_once("/_history/")
        .map_or(text, |(before, _)| before);
    let mut parts = text.rsplit('/');
    let id = parts.next()?;
    let name = parts.next()?;
    if is_id(id) {
        Registry::r4().resource_type(name)
    } else {
        None
    }
}

/// Returns whether the text is a FHIR `id`: 1 to 64 letters, digits, `-` and `.`.
pub(crate) fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_each_form() {
        let local = |id: &str| {
            Some(Target::Local {
                resource_type: "Patient",
                id: id.into(),
            })
        };
        let url = |url: &str, version: Option<&str>| {
            Some(Target::Url {
                url: url.into(),
                version: version.map(Into::into),
            })
        };
        let base = Some("http://here/fhir");
        for (text, expected) in [
            ("Patient/1", local("1")),
            ("Patient/1/_history/2", local("1")),
            ("http://here/fhir/Patient/1", local("1")),
            (
                "http://there/fhir/Patient/1",
                url("http://there/fhir/Patient/1", None),
            ),
            ("urn:uuid:0", url("urn:uuid:0", None)),
            (
                "http://x/ValueSet/v|2",
                url("http://x/ValueSet/v", Some("2")),
            ),
            ("Patience/1", url("Patience/1", None)),
            ("#p", None),
            ("", None),
        ] {
            assert_eq!(target(text, base), expected, "{text}");
        }
        assert_eq!(type_in("http://there/fhir/Patient/1"), Some("Patient"));
        assert_eq!(type_in("urn:uuid:0"), None);
    }
}
