//! Signed heads of the audit chain: the position of the chain at a time, signed with the key of the
//! data directory. A copy kept elsewhere shows whether the log has since been rewritten, rolled
//! back or truncated.

use crate::keys::{KeyError, read_or_create};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The key that signs heads: `security/audit.key`, created at the first start.
#[derive(Clone)]
pub struct HeadKey(SigningKey);

/// The key that verifies signatures. It is not secret; keep a copy off the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadPublicKey(VerifyingKey);

/// The position of a chain at a time. A head names no person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The chain's name.
    pub log: [u8; 16],
    /// The position of the last entry.
    pub position: u64,
    /// The hash of the last entry.
    pub hash: [u8; 32],
    /// The time of the head.
    pub at: String,
}

/// A head with its signature: one line of JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedHead {
    log: String,
    position: u64,
    hash: String,
    at: String,
    key: String,
    signature: String,
}

/// The error for a line that is not a head signed with the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// The line cannot be parsed.
    #[error("not a signed head")]
    NotAHead,
    /// The head was signed with another key.
    #[error("signed with another key")]
    OtherKey,
    /// The content is not what was signed.
    #[error("the signature is wrong")]
    Signature,
}

// === impl HeadKey ===

impl HeadKey {
    /// Returns the path of the key in a data directory.
    pub fn path(data_dir: &Path) -> PathBuf {
        data_dir.join("security").join("audit.key")
    }

    /// Reads the key of a data directory, or creates it durably.
    pub fn load_or_create(data_dir: &Path) -> Result<Self, KeyError> {
        let seed = read_or_create(&Self::path(data_dir))?;
        Ok(Self(SigningKey::from_bytes(&seed)))
    }

    /// Returns the key that verifies signatures.
    pub fn public(&self) -> HeadPublicKey {
        HeadPublicKey(self.0.verifying_key())
    }

    /// Signs a head.
    pub fn sign(&self, head: &Head) -> SignedHead {
        SignedHead {
            log: hex(&head.log),
            position: head.position,
            hash: hex(&head.hash),
            at: head.at.clone(),
            key: self.public().to_string(),
            signature: STANDARD.encode(self.0.sign(&head.signed_bytes()).to_bytes()),
        }
    }
}

// === impl HeadPublicKey ===

impl HeadPublicKey {
    /// Parses the output of [`Display`](std::fmt::Display). `None` if the text is not a key.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text.trim()).ok()?;
        let key = VerifyingKey::from_bytes(&bytes.try_into().ok()?).ok()?;
        Some(Self(key))
    }
}

impl std::fmt::Display for HeadPublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&STANDARD.encode(self.0.as_bytes()))
    }
}

// === impl Head ===

impl Head {
    /// Returns the bytes to sign. Every field has a fixed length or ends the text, so that no two
    /// heads have the same bytes.
    fn signed_bytes(&self) -> Vec<u8> {
        let mut bytes = b"causeway audit head 1\n".to_vec();
        bytes.extend_from_slice(&self.log);
        bytes.extend_from_slice(&self.position.to_be_bytes());
        bytes.extend_from_slice(&self.hash);
        bytes.extend_from_slice(self.at.as_bytes());
        bytes
    }
}

// === impl SignedHead ===

impl SignedHead {
    /// Returns the line.
    pub fn to_line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Returns the head in a line, if that key signed it. Text before the first brace is skipped: a
    /// syslog server writes its own prefix there.
    pub fn read(line: &str, key: &HeadPublicKey) -> Result<Head, HeadError> {
        let json = line
            .find('{')
            .and_then(|at| line.get(at..))
            .ok_or(HeadError::NotAHead)?;
        let signed: Self = serde_json::from_str(json).map_err(|_| HeadError::NotAHead)?;
        let head = signed.head().ok_or(HeadError::NotAHead)?;
        if HeadPublicKey::parse(&signed.key) != Some(*key) {
            return Err(HeadError::OtherKey);
        }
        let signature = STANDARD
            .decode(&signed.signature)
            .ok()
            .and_then(|bytes| Signature::from_slice(&bytes).ok())
            .ok_or(HeadError::Signature)?;
        // Strict: a weak key, or a signature with two valid forms, is rejected.
        key.0
            .verify_strict(&head.signed_bytes(), &signature)
            .map_err(|_| HeadError::Signature)?;
        Ok(head)
    }

    fn head(&self) -> Option<Head> {
        Some(Head {
            log: from_hex(&self.log)?,
            position: self.position,
            hash: from_hex(&self.hash)?,
            at: self.at.clone(),
        })
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let is_hex = text.len() == 2 * N && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut bytes = [0; N];
    for (idx, byte) in bytes.iter_mut().enumerate() {
        let digits = text.get(2 * idx..2 * idx + 2).filter(|_| is_hex)?;
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> HeadKey {
        HeadKey::load_or_create(tempfile::tempdir().unwrap().path()).unwrap()
    }

    fn head() -> Head {
        Head {
            log: [7; 16],
            position: 4711,
            hash: [9; 32],
            at: "2024-05-17T12:00:00Z".to_owned(),
        }
    }

    #[test]
    fn the_key_stays_and_what_it_signed_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let first = HeadKey::load_or_create(dir.path()).unwrap();
        let again = HeadKey::load_or_create(dir.path()).unwrap();
        let line = first.sign(&head()).to_line();
        assert_eq!(SignedHead::read(&line, &again.public()), Ok(head()));
        let by_syslog = format!("<109>1 2024-05-17T12:00:00Z host causeway 1 audit-head - {line}");
        assert_eq!(SignedHead::read(&by_syslog, &again.public()), Ok(head()));
        let text = first.public().to_string();
        assert_eq!(HeadPublicKey::parse(&text), Some(first.public()));
    }

    #[test]
    fn no_changed_character_is_read_as_a_head() {
        let key = key();
        let line = key.sign(&head()).to_line();
        for at in 0..line.len() {
            let mut changed = line.clone().into_bytes();
            changed[at] = if changed[at] == b'1' { b'2' } else { b'1' };
            let changed = String::from_utf8(changed).unwrap();
            let read = SignedHead::read(&changed, &key.public());
            assert!(read.is_err() || read == Ok(head()), "{at}: {read:?}");
        }
    }

    #[test]
    fn another_key_and_a_malformed_head_are_distinguished() {
        let line = key().sign(&head()).to_line();
        let other = key().public();
        assert_eq!(SignedHead::read(&line, &other), Err(HeadError::OtherKey));
        for junk in ["", "{}", "x", "{\"log\":1}"] {
            assert_eq!(SignedHead::read(junk, &other), Err(HeadError::NotAHead));
        }
    }
}
