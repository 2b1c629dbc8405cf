//! The stored bytes of lineage and audit entries.
//!
//! Invariant: reading never panics; damaged bytes read as `None`.

use crate::audit;
use crate::chart::batch::Origin;

/// The size from which lineage is compressed. Shorter lineage does not benefit.
const PACK_ABOVE: usize = 256;
const PLAIN: u8 = 0;
const PACKED: u8 = 1;

/// Encodes the lineage of a version. One message yields many values, so they are stored together.
pub(crate) fn origins(origins: &[Origin]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(origins.len() * 80);
    for origin in origins {
        for text in [&origin.element, &origin.source, &origin.value, &origin.row] {
            put(&mut plain, text);
        }
    }
    let packed = (PACK_ABOVE < plain.len())
        .then(|| crate::chart::body::pack(&plain))
        .flatten();
    match packed {
        Some(packed) => [&[PACKED], &*packed].concat(),
        None => [&[PLAIN], &*plain].concat(),
    }
}

/// Decodes lineage.
pub(crate) fn read_origins(bytes: &[u8]) -> Option<Vec<Origin>> {
    let (kind, rest) = bytes.split_first()?;
    let unpacked;
    let mut rest = match *kind {
        PLAIN => rest,
        PACKED => {
            unpacked = crate::chart::body::decompress(0, rest)?;
            &unpacked
        }
        _ => return None,
    };
    let mut origins = Vec::new();
    while !rest.is_empty() {
        origins.push(Origin {
            element: get(&mut rest)?,
            source: get(&mut rest)?,
            value: get(&mut rest)?,
            row: get(&mut rest)?,
        });
    }
    Some(origins)
}

/// Encodes an audit entry for the relay to the audit log.
pub(crate) fn audit(entry: &audit::Entry) -> Vec<u8> {
    let mut bytes = vec![
        match entry.outcome {
            audit::Outcome::Success => 0,
            audit::Outcome::Refused => 1,
            audit::Outcome::Failed => 2,
            audit::Outcome::Error => 3,
        },
        u8::from(entry.emergency),
    ];
    let texts = [
        &entry.actor,
        &entry.action,
        &entry.resource_type,
        &entry.target,
        &entry.purpose,
        &entry.source,
        &entry.request_id,
    ];
    for text in texts.into_iter().chain(&entry.patients) {
        put(&mut bytes, text);
    }
    bytes
}

/// Decodes an audit entry.
pub(crate) fn read_audit(bytes: &[u8]) -> Option<audit::Entry> {
    let ([outcome, emergency], mut rest) = bytes.split_first_chunk::<2>()?;
    let outcome = match outcome {
        0 => audit::Outcome::Success,
        1 => audit::Outcome::Refused,
        2 => audit::Outcome::Failed,
        3 => audit::Outcome::Error,
        _ => return None,
    };
    let mut entry = audit::Entry {
        actor: get(&mut rest)?,
        action: get(&mut rest)?,
        resource_type: get(&mut rest)?,
        target: get(&mut rest)?,
        purpose: get(&mut rest)?,
        source: get(&mut rest)?,
        request_id: get(&mut rest)?,
        outcome,
        emergency: *emergency != 0,
        ..audit::Entry::default()
    };
    while !rest.is_empty() {
        entry.patients.push(get(&mut rest)?);
    }
    Some(entry)
}

fn put(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

fn get(rest: &mut &[u8]) -> Option<String> {
    let (length, tail) = rest.split_first_chunk::<4>()?;
    let (text, tail) = tail.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    *rest = tail;
    String::from_utf8(text.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn origins_come_back(texts in proptest::collection::vec("\\PC{0,30}", 0..40)) {
            let of = |chunk: &[String]| Origin {
                element: chunk[0].clone(),
                source: chunk[1].clone(),
                value: chunk[2].clone(),
                row: chunk[3].clone(),
            };
            let all: Vec<Origin> = texts.chunks_exact(4).map(of).collect();
            prop_assert_eq!(read_origins(&origins(&all)), Some(all));
        }

        #[test]
        fn entries_come_back(texts in proptest::collection::vec("\\PC{0,9}", 4), emergency: bool) {
            let entry = audit::Entry {
                actor: texts[0].clone(),
                target: texts[1].clone(),
                patients: texts[2..].to_vec(),
                outcome: audit::Outcome::Refused,
                emergency,
                ..audit::Entry::default()
            };
            prop_assert_eq!(read_audit(&audit(&entry)), Some(entry));
        }

        #[test]
        fn reading_takes_any_bytes(bytes: Vec<u8>) {
            let _ = (read_origins(&bytes), read_audit(&bytes));
        }
    }
}
