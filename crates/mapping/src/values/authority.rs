//! The assigning authority of an identifier: an HD and a URI.

use crate::forward::cell::{Cell, Reading};

/// What an HD says in FHIR.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) uri: Option<String>,
    /// The name, where the URI does not say it.
    pub(crate) name: Option<String>,
    /// Bits of the parts that the URI stands for.
    pub(crate) used: u64,
}

/// The registered authorities: those of the maps, then those of the source.
#[derive(Clone, Copy)]
pub(crate) struct Registered<'a> {
    pub(crate) program: &'a [(String, String)],
    pub(crate) source: &'a [(String, String)],
}

// === impl Registered ===

impl<'a> Registered<'a> {
    /// The URI of a name.
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
    let uri = if id.is_empty() {
        None
    } else {
        universal(&id, &kind)
    };
    if let Some(uri) = uri {
        let name = (!name.is_empty()).then(|| name.into_owned());
        return Found {
            uri: Some(uri),
            name,
            used: 0b110,
        };
    }
    match registered.uri(&name) {
        Some(uri) if id.is_empty() => Found {
            uri: Some(uri.to_owned()),
            name: None,
            used: 1,
        },
        _ if name.is_empty() => Found::default(),
        _ => Found {
            uri: None,
            name: Some(name.into_owned()),
            used: 0,
        },
    }
}

fn universal(id: &str, kind: &str) -> Option<String> {
    // No URI holds white space.
    if id.contains(char::is_whitespace) {
        return None;
    }
    let oid = id.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    match kind {
        "ISO" if oid => Some(format!("urn:oid:{id}")),
        "UUID" | "GUID" => Some(format!("urn:uuid:{id}")),
        "DNS" => Some(format!("urn:dns:{id}")),
        "URI" | "URL" if id.contains(':') => Some(id.to_owned()),
        _ => None,
    }
}

/// Name, id and type of an HD, from a URI and a name.
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
    let (id, kind) = if let Some(oid) = uri.strip_prefix("urn:oid:") {
        (oid, "ISO")
    } else if let Some(uuid) = uri.strip_prefix("urn:uuid:") {
        (uuid, "UUID")
    } else if let Some(host) = uri.strip_prefix("urn:dns:") {
        (host, "DNS")
    } else {
        (uri, "URI")
    };
    (given, id.to_owned(), kind.to_owned())
}
