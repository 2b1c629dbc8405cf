//! Console sessions. They live in memory: a restart logs everyone off.

use crate::random_text;
use base::Timestamp;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use subtle::ConstantTimeEq;

/// The lifetime of sessions.
#[derive(Clone, Copy, Debug)]
pub struct SessionsPolicy {
    /// Maximum time without a request (HIPAA § 164.312(a)(2)(iii), automatic logoff).
    pub idle: Duration,
    /// Maximum total lifetime.
    pub absolute: Duration,
}

impl Default for SessionsPolicy {
    fn default() -> Self {
        Self {
            idle: Duration::from_mins(30),
            absolute: Duration::from_hours(12),
        }
    }
}

/// All sessions of this process.
#[derive(Debug)]
pub struct Sessions {
    policy: SessionsPolicy,
    open: Mutex<HashMap<[u8; 32], State>>,
}

/// A newly opened session: its cookie, and the token for its forms.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The cookie's value, which is stored nowhere else.
    pub cookie: String,
    /// The CSRF token.
    pub csrf: String,
}

/// A session that is valid now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The name of the logged-in user.
    pub user: String,
    /// The CSRF token that the forms of this session carry.
    pub csrf: String,
    /// The time at which the session ends without another request.
    pub ends: Timestamp,
    /// True if the login used the first-login secret and a password has yet to be chosen.
    pub must_choose_password: bool,
}

/// An open session as shown in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenSession {
    /// An id that can end the session but not use it.
    pub id: String,
    /// The name of the logged-in user.
    pub user: String,
    /// The address of the client.
    pub source: String,
    /// The time of the login.
    pub opened: Timestamp,
    /// The time of the last request made by a person.
    pub last_seen: Timestamp,
    /// The time at which the session ends without another request.
    pub ends: Timestamp,
    /// True for the caller's own session.
    pub is_own: bool,
}

#[derive(Debug)]
struct State {
    user: String,
    source: String,
    csrf: String,
    opened: Timestamp,
    last_seen: Timestamp,
    must_choose_password: bool,
}

// === impl Sessions ===

impl Sessions {
    /// Creates a store without open sessions.
    pub fn new(policy: SessionsPolicy) -> Self {
        Self {
            policy,
            open: Mutex::default(),
        }
    }

    /// Opens a session for a user at address `source`.
    pub fn open(
        &self,
        (user, source): (&str, &str),
        must_choose_password: bool,
        now: Timestamp,
    ) -> Opened {
        let opened = Opened {
            cookie: random_text::<32>(),
            csrf: random_text::<32>(),
        };
        let state = State {
            user: user.to_owned(),
            source: source.to_owned(),
            csrf: opened.csrf.clone(),
            opened: now,
            last_seen: now,
            must_choose_password,
        };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, state| self.ends(state) > now.micros());
        open.insert(digest(&opened.cookie), state);
        opened
    }

    /// Returns the session of that cookie and renews it as of `now`.
    pub fn find(&self, cookie: &str, now: Timestamp) -> Option<Session> {
        self.look_up(cookie, now, true)
    }

    /// Returns the session like [`Sessions::find`], for requests that the page makes on its own:
    /// they do not keep an unattended session alive.
    pub fn peek(&self, cookie: &str, now: Timestamp) -> Option<Session> {
        self.look_up(cookie, now, false)
    }

    /// Ends the session of that cookie.
    pub fn close(&self, cookie: &str) {
        self.open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&digest(cookie));
    }

    /// Returns every session open at `now`, most recently used first; `cookie` is the caller's own.
    pub fn list(&self, cookie: &str, now: Timestamp) -> Vec<OpenSession> {
        let own = digest(cookie);
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let mut listed: Vec<OpenSession> = open
            .iter()
            .filter(|(_, state)| now.micros() < self.ends(state))
            .map(|(key, state)| OpenSession {
                id: id_of(key),
                user: state.user.clone(),
                source: state.source.clone(),
                opened: state.opened,
                last_seen: state.last_seen,
                ends: Timestamp::from_micros(self.ends(state)),
                is_own: *key == own,
            })
            .collect();
        listed.sort_by_key(|session| std::cmp::Reverse((session.last_seen, session.opened)));
        listed
    }

    /// Ends the session with that id, if it is open; returns its user.
    pub fn end(&self, id: &str) -> Option<String> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let key = *open.keys().find(|key| id_of(key) == id)?;
        open.remove(&key).map(|state| state.user)
    }

    /// Records that the password is chosen: the user's other sessions end, this one continues.
    pub fn password_chosen(&self, cookie: &str) {
        let own = digest(cookie);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let user = open.get(&own).map(|state| state.user.clone());
        open.retain(|key, state| *key == own || Some(&state.user) != user.as_ref());
        if let Some(state) = open.get_mut(&own) {
            state.must_choose_password = false;
        }
    }

    fn look_up(&self, cookie: &str, now: Timestamp, touch: bool) -> Option<Session> {
        if cookie.is_empty() {
            return None;
        }
        let key = digest(cookie);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let state = open.get_mut(&key)?;
        if self.ends(state) <= now.micros() {
            open.remove(&key);
            return None;
        }
        if touch {
            state.last_seen = now;
        }
        Some(Session {
            user: state.user.clone(),
            csrf: state.csrf.clone(),
            ends: Timestamp::from_micros(self.ends(state)),
            must_choose_password: state.must_choose_password,
        })
    }

    fn ends(&self, state: &State) -> i64 {
        let after = |start: Timestamp, span: Duration| {
            start
                .micros()
                .saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX))
        };
        after(state.last_seen, self.policy.idle).min(after(state.opened, self.policy.absolute))
    }
}

impl Session {
    /// Returns whether a form's token is this session's.
    pub fn csrf_matches(&self, given: &str) -> bool {
        !given.is_empty() && bool::from(self.csrf.as_bytes().ct_eq(given.as_bytes()))
    }
}

/// Derives the id from the cookie's digest, so that it reveals nothing about the cookie.
fn id_of(key: &[u8; 32]) -> String {
    use std::fmt::Write as _;
    key.iter().take(8).fold(String::new(), |mut id, byte| {
        let _ = write!(id, "{byte:02x}");
        id
    })
}

fn digest(cookie: &str) -> [u8; 32] {
    Sha256::digest(cookie.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_micros(secs * 1_000_000)
    }

    #[test]
    fn lives_while_used_and_ends_in_any_case() {
        let policy = SessionsPolicy {
            idle: Duration::from_secs(10),
            absolute: Duration::from_secs(25),
        };
        let sessions = Sessions::new(policy);
        let opened = sessions.open(("admin", "127.0.0.1"), false, at(0));
        assert_eq!(sessions.find(&opened.cookie, at(9)).unwrap().user, "admin");
        assert!(sessions.peek(&opened.cookie, at(15)).is_some());
        assert!(sessions.find(&opened.cookie, at(18)).is_some());
        assert_eq!(sessions.find(&opened.cookie, at(25)), None);

        let idle = sessions.open(("admin", "127.0.0.1"), false, at(100));
        assert_eq!(sessions.find(&idle.cookie, at(110)), None);
        assert_eq!(sessions.find("", at(100)), None);
        assert_eq!(sessions.find("guess", at(100)), None);
    }

    #[test]
    fn a_session_is_listed_and_ended_by_an_id_that_opens_nothing() {
        let sessions = Sessions::new(SessionsPolicy::default());
        let own = sessions.open(("ann", "127.0.0.1"), false, at(0));
        let other = sessions.open(("bo", "127.0.0.2"), false, at(5));
        let listed = sessions.list(&own.cookie, at(6));
        let seen: Vec<_> = listed
            .iter()
            .map(|one| (one.user.as_str(), one.is_own))
            .collect();
        assert_eq!(seen, [("bo", false), ("ann", true)]);
        let id = listed[0].id.clone();
        assert_eq!(sessions.find(&id, at(6)), None);
        assert_eq!(sessions.end(&id).as_deref(), Some("bo"));
        assert_eq!(sessions.end(&id), None);
        assert_eq!(sessions.find(&other.cookie, at(7)), None);
        assert!(sessions.find(&own.cookie, at(7)).is_some());
        assert!(sessions.list(&own.cookie, at(86_400 * 2)).is_empty());
    }

    #[test]
    fn a_form_of_another_session_is_refused() {
        let sessions = Sessions::new(SessionsPolicy::default());
        let (one, two) = (
            sessions.open(("a", "127.0.0.1"), false, at(0)),
            sessions.open(("b", "127.0.0.1"), false, at(0)),
        );
        let session = sessions.find(&one.cookie, at(1)).unwrap();
        assert!(session.csrf_matches(&one.csrf));
        assert!(!session.csrf_matches(&two.csrf));
        assert!(!session.csrf_matches(""));
    }

    #[test]
    fn a_new_password_ends_the_user_s_other_sessions() {
        let sessions = Sessions::new(SessionsPolicy::default());
        let (one, two) = (
            sessions.open(("admin", "127.0.0.1"), true, at(0)),
            sessions.open(("admin", "127.0.0.1"), true, at(0)),
        );
        sessions.password_chosen(&one.cookie);
        assert!(
            !sessions
                .find(&one.cookie, at(1))
                .unwrap()
                .must_choose_password
        );
        assert_eq!(sessions.find(&two.cookie, at(1)), None);
    }
}
