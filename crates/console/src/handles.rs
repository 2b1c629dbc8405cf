//! Handles for what people type, which keep it out of addresses.
//!
//! Invariants:
//! - a handle reveals nothing about its value and works only for the user who created it;
//! - memory is bounded: the oldest handles are forgotten first, and a page then asks to search
//!   again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// The number of handles that are kept.
const MAX_KEPT: usize = 4096;

/// A store of values by handle.
#[derive(Default)]
pub(super) struct Handles {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// The user and the value of each handle.
    by_handle: HashMap<String, (String, String)>,
    by_value: HashMap<(String, String), String>,
    order: VecDeque<String>,
}

// === impl Handles ===

impl Handles {
    /// Returns the handle of a value. The same user and value always get the same one.
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

    /// Returns the value of a handle; none if it is forgotten or belongs to another user.
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
