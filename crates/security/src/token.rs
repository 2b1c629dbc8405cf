//! Bearer tokens for the API: signed, with scopes and an expiry, and not stored.
//!
//! A token is `cw1.<claims>.<signature>`: claims are base64url JSON, the signature is HMAC-SHA-256
//! over the part before its dot, with the data directory's key. Anyone with write access to the
//! data directory can create one; no one else can.

use crate::SigningKey;
use base::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::time::Duration;

const PREFIX: &str = "cw1";
const MAX_CHARS: usize = 4096;

/// Issues and verifies tokens with one key.
#[derive(Clone)]
pub struct Tokens {
    key: SigningKey,
}

/// The claims of a valid token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bearer {
    /// The token's own id, for the audit log.
    #[serde(rename = "jti")]
    pub id: String,
    /// Space-separated scopes, such as `system/*.rs`.
    pub scope: String,
    /// The ids of the patients that the token's `patient/` scopes are bound to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patients: Vec<String>,
    /// Issued at, in microseconds since 1970.
    iat: i64,
    /// Valid before, in microseconds since 1970.
    exp: i64,
}

/// The reason why a token is refused. The caller learns only that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The token was not issued here, or was modified.
    #[error("the bearer token is not valid on this server")]
    Invalid,
    /// The token was valid, but has expired.
    #[error("the bearer token has expired; create another with `causeway token`")]
    Expired,
}

// === impl Tokens ===

impl Tokens {
    /// Creates an issuer with the data directory's key.
    pub fn new(key: SigningKey) -> Self {
        Self { key }
    }

    /// Issues a token that expires `ttl` after `now`.
    pub fn issue(&self, scope: &str, ttl: Duration, now: Timestamp) -> String {
        self.issue_for(scope, &[], ttl, now)
    }

    /// Issues a token bound to the patients of its `patient/` scopes.
    pub fn issue_for(
        &self,
        scope: &str,
        patients: &[String],
        ttl: Duration,
        now: Timestamp,
    ) -> String {
        let ttl = i64::try_from(ttl.as_micros()).unwrap_or(i64::MAX);
        let bearer = Bearer {
            id: crate::random_text::<12>(),
            scope: scope.to_owned(),
            patients: patients.to_vec(),
            iat: now.micros(),
            exp: now.micros().saturating_add(ttl),
        };
        let claims = serde_json::to_vec(&bearer).unwrap_or_default();
        let signed = format!("{PREFIX}.{}", URL_SAFE_NO_PAD.encode(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.mac(&signed).finalize().into_bytes());
        format!("{signed}.{signature}")
    }

    /// Returns the token's claims, if it was issued here and is still valid.
    pub fn check(&self, token: &str, now: Timestamp) -> Result<Bearer, TokenError> {
        if MAX_CHARS < token.len() {
            return Err(TokenError::Invalid);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Invalid)?;
        let signature = URL_SAFE_NO_PAD
            .decode(signature)
            .map_err(|_| TokenError::Invalid)?;
        // Compares in constant time.
        self.mac(signed)
            .verify_slice(&signature)
            .map_err(|_| TokenError::Invalid)?;
        let (prefix, claims) = signed.split_once('.').ok_or(TokenError::Invalid)?;
        if prefix != PREFIX {
            return Err(TokenError::Invalid);
        }
        let claims = URL_SAFE_NO_PAD
            .decode(claims)
            .map_err(|_| TokenError::Invalid)?;
        let bearer: Bearer = serde_json::from_slice(&claims).map_err(|_| TokenError::Invalid)?;
        if now.micros() < bearer.exp {
            Ok(bearer)
        } else {
            Err(TokenError::Expired)
        }
    }

    fn mac(&self, signed: &str) -> Hmac<Sha256> {
        // HMAC pads a key with zeros to the hash's block of 64 bytes (RFC 2104); done here, it cannot fail.
        let mut block = [0_u8; 64];
        for (to, from) in block.iter_mut().zip(self.key.bytes()) {
            *to = *from;
        }
        let mut mac = <Hmac<Sha256> as KeyInit>::new(&block.into());
        mac.update(signed.as_bytes());
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> Tokens {
        let dir = tempfile::tempdir().unwrap();
        Tokens::new(SigningKey::load_or_create(dir.path()).unwrap())
    }

    const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

    #[test]
    fn what_was_issued_is_accepted_until_it_ends() {
        let tokens = tokens();
        let token = tokens.issue("system/*.rs", Duration::from_mins(1), NOW);
        assert_eq!(tokens.check(&token, NOW).unwrap().scope, "system/*.rs");
        let later = Timestamp::from_micros(NOW.micros() + 60_000_000);
        assert_eq!(tokens.check(&token, later), Err(TokenError::Expired));
    }

    #[test]
    fn every_changed_character_is_refused() {
        let tokens = tokens();
        let token = tokens.issue("system/*.rs", Duration::from_mins(1), NOW);
        for at in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            // The last character of base64 may have unused bits; changes there are refused too.
            assert!(tokens.check(&changed, NOW).is_err(), "position {at}");
        }
    }

    #[test]
    fn another_directory_s_token_is_refused() {
        let token = tokens().issue("system/*.rs", Duration::from_mins(1), NOW);
        assert_eq!(tokens().check(&token, NOW), Err(TokenError::Invalid));
        for junk in ["", ".", "cw1..", "a.b.c", "cw1.e30.e30"] {
            assert_eq!(tokens().check(junk, NOW), Err(TokenError::Invalid));
        }
    }
}
