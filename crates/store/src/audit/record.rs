//! Encodes one entry as bytes, with its link in the chain.
//!
//! | bytes | holds |
//! |---|---|
//! | 4 | length of the payload, big-endian |
//! | n | payload: kind, time, relay number, outcome, flags, then texts with their lengths |
//! | 32 | SHA-256 over the hash before, the length and the payload |

use super::entry::{Entry, Outcome};
use base::Timestamp;
use sha2::{Digest, Sha256};

/// A link in the chain.
pub(super) type Hash = [u8; 32];

/// The largest payload.
pub(super) const MAX_PAYLOAD: usize = 1 << 20;
/// The bytes of a record besides its payload.
pub(super) const FRAME: usize = 4 + 32;

const KIND_ENTRY: u8 = 1;
const EMERGENCY: u8 = 1;
/// The place of the time in a payload.
const TIME: std::ops::Range<usize> = 1..9;

/// The content of a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decoded {
    pub(super) at: Timestamp,
    pub(super) relay: u64,
    pub(super) entry: Entry,
}

/// Encodes the payload of an entry, with the time still zero. None if it is too large.
pub(super) fn encode(entry: &Entry, relay: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(256);
    bytes.push(KIND_ENTRY);
    bytes.extend_from_slice(&[0; 8]);
    bytes.extend_from_slice(&relay.to_be_bytes());
    bytes.push(match entry.outcome {
        Outcome::Success => 0,
        Outcome::Refused => 1,
        Outcome::Failed => 2,
        Outcome::Error => 3,
    });
    bytes.push(if entry.emergency { EMERGENCY } else { 0 });
    for text in texts(entry) {
        put(&mut bytes, text);
    }
    bytes.extend_from_slice(&(entry.patients.len() as u32).to_be_bytes());
    for patient in &entry.patients {
        put(&mut bytes, patient);
    }
    (bytes.len() <= MAX_PAYLOAD).then_some(bytes)
}

/// Sets the time: the writer knows it once the order of entries is known.
pub(super) fn set_time(payload: &mut [u8], at: Timestamp) {
    if let Some(place) = payload.get_mut(TIME) {
        place.copy_from_slice(&at.micros().to_be_bytes());
    }
}

/// Returns the hash of a record that follows `before`.
pub(super) fn link(before: &Hash, payload: &[u8]) -> Hash {
    let mut hash = Sha256::new();
    hash.update(before);
    hash.update((payload.len() as u32).to_be_bytes());
    hash.update(payload);
    hash.finalize().into()
}

/// Decodes a payload. None if it is not one of this version's.
pub(super) fn decode(payload: &[u8]) -> Option<Decoded> {
    let mut rest = payload;
    if take::<1>(&mut rest)? != [KIND_ENTRY] {
        return None;
    }
    let at = Timestamp::from_micros(i64::from_be_bytes(take(&mut rest)?));
    let relay = u64::from_be_bytes(take(&mut rest)?);
    let [outcome, flags] = take::<2>(&mut rest)?;
    let mut entry = Entry {
        outcome: match outcome {
            0 => Outcome::Success,
            1 => Outcome::Refused,
            2 => Outcome::Failed,
            3 => Outcome::Error,
            _ => return None,
        },
        emergency: flags & EMERGENCY != 0,
        ..Entry::default()
    };
    for text in texts_mut(&mut entry) {
        *text = get(&mut rest)?;
    }
    let n_patients = u32::from_be_bytes(take(&mut rest)?);
    for _ in 0..n_patients {
        entry.patients.push(get(&mut rest)?);
    }
    rest.is_empty().then_some(Decoded { at, relay, entry })
}

fn texts(entry: &Entry) -> [&String; 7] {
    [
        &entry.actor,
        &entry.action,
        &entry.resource_type,
        &entry.target,
        &entry.purpose,
        &entry.source,
        &entry.request_id,
    ]
}

fn texts_mut(entry: &mut Entry) -> [&mut String; 7] {
    [
        &mut entry.actor,
        &mut entry.action,
        &mut entry.resource_type,
        &mut entry.target,
        &mut entry.purpose,
        &mut entry.source,
        &mut entry.request_id,
    ]
}

fn put(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend_from_slice(&(text.len() as u32).to_be_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

fn get(rest: &mut &[u8]) -> Option<String> {
    let length = u32::from_be_bytes(take(rest)?) as usize;
    let (text, after) = rest.split_at_checked(length)?;
    *rest = after;
    String::from_utf8(text.to_vec()).ok()
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (chunk, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*chunk)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(texts in proptest::collection::vec(".{0,20}", 7), patients in proptest::collection::vec(".{0,20}", 0..5), relay: u64, emergency: bool, micros: i64) {
            let mut entry = Entry { patients, emergency, outcome: Outcome::Refused, ..Entry::default() };
            for (place, text) in texts_mut(&mut entry).into_iter().zip(texts) {
                *place = text;
            }
            let at = Timestamp::from_micros(micros);
            let mut payload = encode(&entry, relay).unwrap();
            set_time(&mut payload, at);
            prop_assert_eq!(decode(&payload), Some(Decoded { at, relay, entry }));
            for cut in 0..payload.len() {
                prop_assert_eq!(decode(&payload[..cut]), None, "no part of an entry is an entry");
            }
        }

        #[test]
        fn takes_any_bytes(bytes: Vec<u8>) {
            let _ = decode(&bytes);
        }
    }
}
