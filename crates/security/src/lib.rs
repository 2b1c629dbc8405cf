//! Authentication: the administrator's login, sessions, CSRF tokens, bearer tokens, keys.
//!
//! Invariants:
//! - a secret is never stored in readable form: passwords as argon2id hashes, session and CSRF
//!   tokens as SHA-256 in memory, bearer tokens not at all (they are signed, and verified by the
//!   signature);
//! - every comparison of secrets takes constant time;
//! - files with secrets are readable only by their owner (mode 0600).
//!
//! This crate establishes *who* is calling; what they may do is decided in `access`.

mod administrator;
mod head;
mod keys;
mod random;
mod session;
mod throttle;
mod token;

pub use administrator::{Administrator, AdministratorError, Login, MIN_PASSWORD_CHARS};
pub use head::{Head, HeadError, HeadKey, HeadPublicKey, SignedHead};
pub use keys::{KeyError, SigningKey};
pub use random::random_text;
pub use session::{OpenSession, Opened, Session, Sessions, SessionsPolicy};
pub use throttle::Throttle;
pub use token::{Bearer, TokenError, Tokens};
