//! What somebody typed, kept out of addresses.
//!
//! Invariants:
//! - a handle says nothing of its value and is worth something only to the user who made it;
//! - memory is bounded: the oldest handles are forgotten first, and a page then asks to search again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// So many are remembered.
const MAX_KEPT: usize = 4096;

/// Values by their handles.
#[derive(Default)]
pub(super) struct Handles {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// Who typed it, and what.
    by_handle: HashMap<String, (String, String)>,
    by_value: HashMap<(String, String), String>,
    order: VecDeque<String>,
}

// === impl Handles ===

impl Handles {
    /// The handle of a value; the same one for the same user and value.
    pub(super) fn keep(&self, user: &str, value: &str) -> String {
        let key = (user.to_owned(), value.to_owned());
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = kept.by_value.get(&key) {
            return handle.clone();
        }
        let handle = security::random_text::<9>();
        if MAX_KEPT <= kept.order.len()
            && let Some(oldest) = kept.order.pop_front()
            && let Some(gone) = kept.by_handle.remove(&oldest)
        {
            kept.by_value.remove(&gone);
        }
        kept.order.push_back(handle.clone());
        kept.by_handle.insert(handle.clone(), key.clone());
        kept.by_value.insert(key, handle.clone());
        handle
    }

    /// What the handle stands for; none where it is forgotten or somebody else's.
    pub(super) fn find(&self, user: &str, handle: &str) -> Option<String> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (owner, value) = kept.by_handle.get(handle)?;
        (owner == user).then(|| value.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_for_their_user_and_bounded() {
        let handles = Handles::default();
        let handle = handles.keep("admin", "ZZTEST");
        assert_eq!(handles.keep("admin", "ZZTEST"), handle);
        assert_eq!(handles.find("admin", &handle).as_deref(), Some("ZZTEST"));
        assert_eq!(handles.find("other", &handle), None);
        assert!(!handle.contains("ZZTEST"));
        for n in 0..MAX_KEPT {
            handles.keep("admin", &n.to_string());
        }
        assert_eq!(handles.find("admin", &handle), None);
        assert_ne!(handles.keep("admin", "ZZTEST"), handle);
    }
}
