//! The only administrator: a name, and an argon2id hash of the password.
//!
//! Until a password is chosen, each start creates a new first-login secret and shows it once on the
//! terminal; the previous one becomes invalid. The secret is not written to disk. It has 96 random
//! bits, so it cannot be guessed from its SHA-256, and no start spends argon2's 19 MiB on it.

use crate::keys::replace_private;
use crate::random_text;
use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};
use subtle::ConstantTimeEq;

/// Minimum length of a chosen password (NIST SP 800-63B requires 15 without a second factor).
pub const MIN_PASSWORD_CHARS: usize = 15;
const MAX_PASSWORD_CHARS: usize = 256;

/// The administrator's account of one data directory.
#[derive(Debug)]
pub struct Administrator {
    path: PathBuf,
    account: RwLock<Account>,
}

#[derive(Debug)]
struct Account {
    name: String,
    secret: Secret,
}

/// The secret that a login is compared with.
#[derive(Clone, Debug)]
enum Secret {
    /// argon2id of the chosen password.
    Password(String),
    /// SHA-256 of the first-login secret.
    FirstLogin([u8; 32]),
}

/// The contents of the file: only a chosen password.
#[derive(Serialize, Deserialize)]
struct Stored {
    name: String,
    hash: String,
}

/// The result of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Login {
    /// The password is right.
    Accepted,
    /// The first-login secret is right; a password must now be chosen.
    FirstLogin,
    /// Name or password is wrong, without telling which.
    Refused,
}

/// The error for an account that could not be read, written or changed.
#[derive(Debug, thiserror::Error)]
pub enum AdministratorError {
    /// A file system error.
    #[error("could not read or write `{path}`")]
    File {
        /// The account's file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file exists, but is not a valid account.
    #[error("`{path}` is damaged; delete it to get a new first-login secret at the next start")]
    Damaged {
        /// The account's file.
        path: PathBuf,
    },
    /// The new password is too short or too long.
    #[error("a password must have {MIN_PASSWORD_CHARS} to {MAX_PASSWORD_CHARS} characters")]
    Length,
    /// Hashing failed.
    #[error("could not hash the password")]
    Hash,
}

// === impl Administrator ===

impl Administrator {
    /// Opens the account. Returns a first-login secret until a password has been chosen.
    pub fn open(data_dir: &Path) -> Result<(Self, Option<String>), AdministratorError> {
        let path = data_dir.join("security").join("administrator.json");
        match fs::read(&path) {
            Ok(bytes) => {
                let Ok(stored) = serde_json::from_slice::<Stored>(&bytes) else {
                    return Err(AdministratorError::Damaged { path });
                };
                let account = Account {
                    name: stored.name,
                    secret: Secret::Password(stored.hash),
                };
                Ok((
                    Self {
                        path,
                        account: RwLock::new(account),
                    },
                    None,
                ))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let secret = random_text::<12>();
                let account = Account {
                    name: "admin".to_owned(),
                    secret: Secret::FirstLogin(Sha256::digest(secret.as_bytes()).into()),
                };
                Ok((
                    Self {
                        path,
                        account: RwLock::new(account),
                    },
                    Some(secret),
                ))
            }
            Err(source) => Err(AdministratorError::File { path, source }),
        }
    }

    /// Returns the administrator's name.
    pub fn name(&self) -> String {
        self.account
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .name
            .clone()
    }

    /// Checks name and password. Checking a chosen password takes tens of milliseconds by design;
    /// call this off the event loop.
    pub fn log_in(&self, name: &str, password: &str) -> Login {
        let (known, secret) = {
            let account = self.account.read().unwrap_or_else(PoisonError::into_inner);
            (account.name == name, account.secret.clone())
        };
        // A wrong name costs the same work, so that the response time reveals nothing.
        let matches = !password.is_empty()
            && password.chars().count() <= MAX_PASSWORD_CHARS
            && secret.is(password);
        match (known && matches, secret) {
            (false, _) => Login::Refused,
            (true, Secret::FirstLogin(_)) => Login::FirstLogin,
            (true, Secret::Password(_)) => Login::Accepted,
        }
    }

    /// Stores the chosen password and invalidates the first-login secret.
    pub fn choose_password(&self, password: &str) -> Result<(), AdministratorError> {
        let n_chars = password.chars().count();
        if !(MIN_PASSWORD_CHARS..=MAX_PASSWORD_CHARS).contains(&n_chars) {
            return Err(AdministratorError::Length);
        }
        let fresh = hash(password)?;
        let mut account = self.account.write().unwrap_or_else(PoisonError::into_inner);
        let stored = Stored {
            name: account.name.clone(),
            hash: fresh.clone(),
        };
        let bytes = serde_json::to_vec_pretty(&stored).unwrap_or_default();
        let fail = |source| AdministratorError::File {
            path: self.path.clone(),
            source,
        };
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder).map_err(fail)?;
        }
        replace_private(&self.path, &bytes).map_err(fail)?;
        account.secret = Secret::Password(fresh);
        Ok(())
    }
}

// === impl Secret ===

impl Secret {
    fn is(&self, given: &str) -> bool {
        match self {
            Self::Password(hash) => PasswordHash::new(hash).is_ok_and(|parsed| {
                Argon2::default()
                    .verify_password(given.as_bytes(), &parsed)
                    .is_ok()
            }),
            Self::FirstLogin(digest) => {
                let given: [u8; 32] = Sha256::digest(given.as_bytes()).into();
                given.ct_eq(digest).into()
            }
        }
    }
}

/// Hashes with argon2id and the crate's defaults (19 MiB, 2 passes: OWASP Password Storage, 2024).
fn hash(password: &str) -> Result<String, AdministratorError> {
    let mut salt = [0_u8; 16];
    getrandom::fill(&mut salt).map_err(|_| AdministratorError::Hash)?;
    let salt = SaltString::encode_b64(&salt).map_err(|_| AdministratorError::Hash)?;
    let hash = Argon2::default()
        .hash_password(password.as_bytes(), &salt)
        .map_err(|_| AdministratorError::Hash)?;
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_login_then_a_chosen_password() {
        let dir = tempfile::tempdir().unwrap();
        let (admin, secret) = Administrator::open(dir.path()).unwrap();
        let secret = secret.unwrap();
        assert_eq!(admin.log_in("admin", &secret), Login::FirstLogin);
        assert_eq!(admin.log_in("admin", ""), Login::Refused);
        assert_eq!(admin.log_in("root", &secret), Login::Refused);
        assert!(matches!(
            admin.choose_password("short"),
            Err(AdministratorError::Length)
        ));

        let chosen = "correct horse battery";
        admin.choose_password(chosen).unwrap();
        assert_eq!(admin.log_in("admin", &secret), Login::Refused);
        assert_eq!(admin.log_in("admin", chosen), Login::Accepted);

        let (reopened, secret) = Administrator::open(dir.path()).unwrap();
        assert_eq!(secret, None);
        assert_eq!(reopened.log_in("admin", chosen), Login::Accepted);
        let file = fs::read_to_string(dir.path().join("security/administrator.json")).unwrap();
        assert!(file.contains("$argon2id$") && !file.contains(chosen));
    }

    #[test]
    fn an_unused_secret_dies_with_the_process() {
        let dir = tempfile::tempdir().unwrap();
        let (_, first) = Administrator::open(dir.path()).unwrap();
        let (admin, second) = Administrator::open(dir.path()).unwrap();
        assert_ne!(first, second);
        assert_eq!(admin.log_in("admin", &first.unwrap()), Login::Refused);
    }
}
