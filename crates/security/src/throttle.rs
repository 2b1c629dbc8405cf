//! Slows down password guessing.

use base::Timestamp;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

const FREE_TRIES: u32 = 5;
const MAX_WAIT_SECS: i64 = 300;
const MAX_ADDRESSES: usize = 10_000;

/// Failed logins per address: five are free, then each doubles the wait, up to five minutes.
#[derive(Debug, Default)]
pub struct Throttle {
    failures: Mutex<HashMap<IpAddr, Failures>>,
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    n_failed: u32,
    last: Timestamp,
}

// === impl Throttle ===

impl Throttle {
    /// Returns the seconds that this address must still wait; 0 if it may try now.
    pub fn wait_secs(&self, address: IpAddr, now: Timestamp) -> i64 {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures
            .get(&address)
            .map_or(0, |failed| failed.wait_secs(now))
    }

    /// Counts a failed attempt.
    pub fn failed(&self, address: IpAddr, now: Timestamp) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if MAX_ADDRESSES <= failures.len() {
            failures.retain(|_, failed| 0 < failed.wait_secs(now));
        }
        let entry = failures.entry(address).or_insert(Failures {
            n_failed: 0,
            last: now,
        });
        entry.n_failed = entry.n_failed.saturating_add(1);
        entry.last = now;
    }

    /// Forgets the address after a successful login.
    pub fn succeeded(&self, address: IpAddr) {
        self.failures
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&address);
    }
}

impl Failures {
    fn wait_secs(self, now: Timestamp) -> i64 {
        let over = self.n_failed.saturating_sub(FREE_TRIES);
        if over == 0 {
            return 0;
        }
        let wait = 1_i64
            .checked_shl(over.min(20))
            .unwrap_or(MAX_WAIT_SECS)
            .min(MAX_WAIT_SECS);
        let passed = (now.micros() - self.last.micros()) / 1_000_000;
        (wait - passed).max(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn five_free_then_doubling() {
        let throttle = Throttle::default();
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let at = |secs: i64| Timestamp::from_micros(secs * 1_000_000);
        for _ in 0..5 {
            throttle.failed(address, at(0));
        }
        assert_eq!(throttle.wait_secs(address, at(0)), 0);
        throttle.failed(address, at(0));
        assert_eq!(throttle.wait_secs(address, at(0)), 2);
        throttle.failed(address, at(2));
        assert_eq!(throttle.wait_secs(address, at(3)), 3);
        for _ in 0..40 {
            throttle.failed(address, at(10));
        }
        assert_eq!(throttle.wait_secs(address, at(10)), MAX_WAIT_SECS);
        throttle.succeeded(address);
        assert_eq!(throttle.wait_secs(address, at(10)), 0);
    }
}
