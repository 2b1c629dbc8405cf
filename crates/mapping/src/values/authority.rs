//! The assigning authority of an identifier: an HD and a URI.

use super::universal::Kind;
use crate::forward::cell::{Cell, Reading};

/// The FHIR form of an HD.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) uri: Option<String>,
    /// The name, if the URI does not imply it.
    pub(crate) name: Option<String>,
    /// A bit for each part that the URI represents.
    pub(crate) used: u64,
    /// The reason that the URI is not of the kind that HD.3 names.
    pub(crate) why: Option<&'static str>,
}

/// The registered authorities: those of the maps, then those of the source.
#[derive(Clone, Copy)]
pub(crate) struct Registered<'a> {
    pub(crate) program: &'a [(String, String)],
    pub(crate) source: &'a [(String, String)],
}

// === impl Registered ===

impl<'a> Registered<'a> {
    /// Returns the URI of a name.
    pub(crate) fn uri(self, name: &str) -> Option<&'a str> {
        let mut all = self.program.iter().chain(self.source);
        let found = all.find(|(own, _)| own == name);
        found.map(|(_, uri)| uri.as_str())
    }
}

pub(crate) fn forward(
    cell: Cell<'_>,
    first: u8,
    reading: &Reading,
    registered: Registered<'_>,
) -> Found {
    let text = |n| cell.part(n, reading).plain(reading);
    let (name, id, kind) = (text(first), text(first + 1), text(first + 2));
    let kind = Kind::of(&kind).filter(|_| !id.is_empty());
    if let Some(made) = kind.map(|kind| kind.uri(&id)) {
        let name = (!name.is_empty()).then(|| name.into_owned());
        return Found {
            uri: Some(made.uri),
            name,
            used: 0b110,
            why: made.why,
        };
    }
    match registered.uri(&name) {
        Some(uri) if id.is_empty() => Found {
            uri: Some(uri.to_owned()),
            used: 1,
            ..Found::default()
        },
        _ if name.is_empty() => Found::default(),
        _ => Found {
            name: Some(name.into_owned()),
            ..Found::default()
        },
    }
}

/// Returns the name, ID and type of an HD, from a URI and a name.
pub(crate) fn back(
    uri: Option<&str>,
    name: Option<&str>,
    registered: &[(String, String)],
) -> (String, String, String) {
    let given = name.unwrap_or_default().to_owned();
    let Some(uri) = uri else {
        return (given, String::new(), String::new());
    };
    if name.is_none()
        && let Some((known, _)) = registered.iter().find(|(_, own)| own == uri)
    {
        return (known.clone(), String::new(), String::new());
    }
    let (id, kind) = super::universal::back(uri);
    (given, id, kind.to_owned())
}
