//! Parking: messages that wait behind a failing head.
//!
//! Invariant: the set of parked keys only grows until the head is released; a message that touches
//! one of them waits too and adds its own keys, so no message overtakes a merge.

use super::schedule::Key;
use std::collections::{BTreeMap, HashMap};

/// The parked partitions of all flows.
#[derive(Debug, Default)]
pub(crate) struct Parking {
    heads: BTreeMap<u64, ParkedSet>,
    keys: HashMap<Key, u64>,
}

/// The keys and messages that wait behind one head.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ParkedSet {
    /// Parked keys.
    pub(crate) keys: Vec<Key>,
    /// Waiting messages, in order.
    pub(crate) behind: Vec<u64>,
}

// === impl Parking ===

impl Parking {
    /// Parks everything with one of `keys` behind `head` from now on.
    pub(crate) fn park(&mut self, head: u64, keys: &[Key]) {
        self.heads.entry(head).or_default();
        self.claim(head, keys);
    }

    /// Returns the head that blocks `keys`, if any; `number` then waits there too.
    pub(crate) fn wait_behind(&mut self, number: u64, keys: &[Key]) -> Option<u64> {
        let head = keys.iter().find_map(|key| self.keys.get(key).copied())?;
        if head == number {
            return None;
        }
        if let Some(set) = self.heads.get_mut(&head)
            && let Err(place) = set.behind.binary_search(&number)
        {
            set.behind.insert(place, number);
        }
        self.claim(head, keys);
        Some(head)
    }

    /// Releases everything behind `head`.
    pub(crate) fn release(&mut self, head: u64) -> Option<ParkedSet> {
        let set = self.heads.remove(&head)?;
        self.keys.retain(|_, other| *other != head);
        Some(set)
    }

    /// Returns the keys and messages behind `head`; none where it is not a failing head.
    pub(crate) fn parked_set(&self, head: u64) -> Option<&ParkedSet> {
        self.heads.get(&head)
    }

    fn claim(&mut self, head: u64, keys: &[Key]) {
        for key in keys {
            self.keys.entry(*key).or_insert(head);
            if let Some(set) = self.heads.get_mut(&head)
                && !set.keys.contains(key)
            {
                set.keys.push(*key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_merge_behind_a_head_parks_both_patients() {
        let mut parking = Parking::default();
        parking.park(5, &[10]);
        assert_eq!(
            parking.wait_behind(5, &[10]),
            None,
            "the head itself may run"
        );
        assert_eq!(
            parking.wait_behind(6, &[20]),
            None,
            "another patient goes on"
        );
        assert_eq!(
            parking.wait_behind(7, &[10, 20]),
            Some(5),
            "the merge waits"
        );
        assert_eq!(
            parking.wait_behind(8, &[20]),
            Some(5),
            "nobody overtakes the merge"
        );
        let set = parking.release(5).unwrap();
        assert_eq!(set.behind, [7, 8]);
        assert_eq!(parking.wait_behind(9, &[10]), None);
    }
}
