//! Converts a universal ID (HD.2, EI.3) of a type (HD.3, EI.4, table 0301) to a URI and back.
//!
//! Invariants: the result is a URI as FHIR writes one (an OID by its arcs, a UUID in lower case,
//! otherwise RFC 3986); two IDs never share a URI because one of them is malformed: such an ID is
//! kept whole under `urn:x-hl7v2:KIND:` and comes back.

/// The prefix for unregistered names: a URI that carries only what the sender wrote.
pub(crate) const LOCAL: &str = "urn:x-hl7v2:";

/// The types of table 0301 whose IDs are URIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// ISO: an object identifier.
    Oid,
    /// UUID, GUID.
    Uuid,
    /// DNS: the name of a host or a domain.
    Dns,
    /// URI, URL.
    Uri,
}

/// An ID as a URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Universal {
    pub(crate) uri: String,
    /// The reason that the URI is not the one of its type.
    pub(crate) why: Option<&'static str>,
}

// === impl Kind ===

impl Kind {
    const ALL: [Self; 4] = [Self::Oid, Self::Uuid, Self::Dns, Self::Uri];

    /// Returns the type that HD.3 names; `None` for a type that has no URI.
    pub(crate) fn of(name: &str) -> Option<Self> {
        match name {
            "ISO" => Some(Self::Oid),
            "UUID" | "GUID" => Some(Self::Uuid),
            "DNS" => Some(Self::Dns),
            "URI" | "URL" => Some(Self::Uri),
            _ => None,
        }
    }

    /// Returns the name as HD.3 writes it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Oid => "ISO",
            Self::Uuid => "UUID",
            Self::Dns => "DNS",
            Self::Uri => "URI",
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::Oid => "urn:oid:",
            Self::Uuid => "urn:uuid:",
            Self::Dns => "urn:dns:",
            Self::Uri => "",
        }
    }

    fn mismatch(self) -> &'static str {
        match self {
            Self::Oid => "the ID is declared as an OID (ISO) but is not one: kept as it was sent",
            Self::Uuid => "the ID is declared as a UUID but is not one: kept as it was sent",
            Self::Dns => "the ID is declared as a DNS name but is not one: kept as it was sent",
            Self::Uri => "the ID is declared as a URI but is not one: kept as it was sent",
        }
    }

    /// Returns the URI; a local one if the ID is malformed for this type.
    pub(crate) fn uri(self, id: &str) -> Universal {
        let id = id.trim();
        match self.proper(id) {
            Some(uri) => Universal { uri, why: None },
            None => Universal {
                uri: format!("{LOCAL}{}:{}", self.name(), escape(id)),
                why: Some(self.mismatch()),
            },
        }
    }

    fn proper(self, id: &str) -> Option<String> {
        // Senders write the URI in place of its ID.
        let bare = id.strip_prefix(self.prefix()).unwrap_or(id);
        match self {
            Self::Oid => is_oid(bare).then(|| format!("{}{bare}", self.prefix())),
            Self::Uuid => {
                let inner = bare
                    .strip_prefix('{')
                    .and_then(|rest| rest.strip_suffix('}'));
                let uuid = inner.unwrap_or(bare).to_ascii_lowercase();
                is_uuid(&uuid).then(|| format!("{}{uuid}", self.prefix()))
            }
            Self::Dns => is_host(bare).then(|| format!("{}{bare}", self.prefix())),
            Self::Uri => is_absolute(id).then(|| id.to_owned()),
        }
    }

    /// Returns the ID of a URI of this type; the whole URI if it is of another.
    pub(crate) fn id(self, uri: &str) -> String {
        let local = uri
            .strip_prefix(LOCAL)
            .and_then(|rest| rest.strip_prefix(self.name())?.strip_prefix(':'));
        match local {
            Some(local) => unescape(local),
            None => uri.strip_prefix(self.prefix()).unwrap_or(uri).to_owned(),
        }
    }
}

/// Returns HD.2 and HD.3 for a URI.
pub(crate) fn back(uri: &str) -> (String, &'static str) {
    let is_of = |kind: &Kind| match uri.strip_prefix(LOCAL) {
        Some(rest) => rest
            .strip_prefix(kind.name())
            .is_some_and(|rest| rest.starts_with(':')),
        None => uri.starts_with(kind.prefix()),
    };
    let kind = Kind::ALL.into_iter().find(is_of).unwrap_or(Kind::Uri);
    (kind.id(uri), kind.name())
}

/// Returns whether the text is arcs separated by dots; the first is 0, 1 or 2, and none has a
/// leading zero (X.660; the `oid` of FHIR).
pub(crate) fn is_oid(text: &str) -> bool {
    let is_arc = |arc: &str| {
        let digits = !arc.is_empty() && arc.bytes().all(|byte| byte.is_ascii_digit());
        digits && (arc == "0" || !arc.starts_with('0'))
    };
    let mut arcs = text.split('.');
    let first = arcs
        .next()
        .is_some_and(|arc| matches!(arc, "0" | "1" | "2"));
    first && text.contains('.') && arcs.all(is_arc)
}

/// Returns whether the text is five groups of hexadecimal digits (RFC 9562).
fn is_uuid(text: &str) -> bool {
    let mut groups = text.split('-');
    let whole = [8, 4, 4, 4, 12].into_iter().all(|length| {
        let group = groups.next().unwrap_or_default();
        group.len() == length && group.bytes().all(|byte| byte.is_ascii_hexdigit())
    });
    whole && groups.next().is_none()
}

fn is_host(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
}

/// Returns whether the text is a scheme and something after it, in the characters of RFC 3986.
fn is_absolute(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let is_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let marks = b"-._~:/?#[]@!$&'()*+,;=%";
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || marks.contains(&byte);
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(is_scheme)
        && !rest.is_empty()
        && rest.bytes().all(is_allowed)
}

/// Percent-encodes the characters that a URI cannot contain.
pub(crate) fn escape(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.extend(hex(byte));
        }
    }
    out
}

fn hex(byte: u8) -> [char; 3] {
    let digit = |half: u8| {
        char::from_digit(u32::from(half), 16)
            .unwrap_or('0')
            .to_ascii_uppercase()
    };
    ['%', digit(byte >> 4), digit(byte & 15)]
}

/// Reverses [`escape`].
pub(crate) fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, more)) = rest.split_first() {
        rest = more;
        let hex = (first == b'%').then(|| more.get(..2)).flatten();
        let byte = hex
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        if byte.is_some() {
            rest = more.get(2..).unwrap_or(&[]);
        }
        bytes.push(byte.unwrap_or(first));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{Just, Strategy, prop_assert, prop_assert_eq, prop_oneof, proptest};

    #[test]
    fn ids_of_their_kind_and_ids_that_are_none() {
        const UUID: &str = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6";
        for (kind, id, expected) in [
            (
                Kind::Oid,
                "2.16.840.1.113883.19",
                "urn:oid:2.16.840.1.113883.19",
            ),
            (Kind::Oid, "urn:oid:1.2.3", "urn:oid:1.2.3"),
            (Kind::Oid, "2.0.1", "urn:oid:2.0.1"),
            (
                Kind::Oid,
                "222.1111.22222",
                "urn:x-hl7v2:ISO:222.1111.22222",
            ),
            (Kind::Oid, "1.2.03", "urn:x-hl7v2:ISO:1.2.03"),
            (Kind::Oid, "1..2", "urn:x-hl7v2:ISO:1..2"),
            (Kind::Oid, "2", "urn:x-hl7v2:ISO:2"),
            (Kind::Oid, "Placer Id", "urn:x-hl7v2:ISO:Placer%20Id"),
            (
                Kind::Uuid,
                UUID,
                "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
            ),
            (
                Kind::Uuid,
                "{F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6}",
                "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
            ),
            (Kind::Uuid, "Assigner", "urn:x-hl7v2:UUID:Assigner"),
            (Kind::Dns, "lab.example", "urn:dns:lab.example"),
            (Kind::Dns, "the lab", "urn:x-hl7v2:DNS:the%20lab"),
            (
                Kind::Uri,
                "http://lab.example/a?b=c",
                "http://lab.example/a?b=c",
            ),
            (Kind::Uri, "lab.example", "urn:x-hl7v2:URI:lab.example"),
        ] {
            assert_eq!(kind.uri(id).uri, expected, "{id}");
        }
    }

    fn kinds() -> impl Strategy<Value = Kind> {
        prop_oneof![
            Just(Kind::Oid),
            Just(Kind::Uuid),
            Just(Kind::Dns),
            Just(Kind::Uri)
        ]
    }

    fn ids() -> impl Strategy<Value = String> {
        prop_oneof![
            "[!-~][ -~é]{0,20}",
            "[0-3](\\.[0-9]{1,4}){0,5}",
            "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
        ]
    }

    proptest! {
        /// For any ID, the result is a URI without a space, and the ID and its type come back from
        /// it.
        #[test]
        fn an_id_comes_back(kind in kinds(), id in ids()) {
            let id = id.trim();
            // A URI of its type comes back without its prefix.
            let bare = id.strip_prefix(kind.prefix()).unwrap_or(id);
            let made = kind.uri(id);
            prop_assert!(is_absolute(&made.uri), "{}", made.uri);
            if made.why.is_some() {
                prop_assert_eq!(back(&made.uri), (id.to_owned(), kind.name()));
            } else {
                prop_assert_eq!(kind.id(&made.uri), bare);
            }
        }
    }
}
