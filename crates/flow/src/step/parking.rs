//! Who waits behind a failing head.
//!
//! Invariant: what waits is a set of keys that only grows until the head is released; a message
//! that touches one of them waits too and brings its own keys, so nobody overtakes a merge.

use super::schedule::Key;
use std::collections::{BTreeMap, HashMap};

/// The parked partitions of all flows.
#[derive(Debug, Default)]
pub(crate) struct Parking {
    heads: BTreeMap<u64, Lot>,
    keys: HashMap<Key, u64>,
}

/// What waits behind one head.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Lot {
    /// The keys that wait.
    pub(crate) keys: Vec<Key>,
    /// The messages that wait, in order.
    pub(crate) behind: Vec<u64>,
}

// === impl Parking ===

impl Parking {
    /// From now on everything with one of `keys` waits behind `head`.
    pub(crate) fn park(&mut self, head: u64, keys: &[Key]) {
        self.heads.entry(head).or_default();
        self.claim(head, keys);
    }

    /// The head that `keys` wait behind, if any; then `number` waits there too.
    pub(crate) fn stand_behind(&mut self, number: u64, keys: &[Key]) -> Option<u64> {
        let head = keys.iter().find_map(|key| self.keys.get(key).copied())?;
        if head == number {
            return None;
        }
        if let Some(lot) = self.heads.get_mut(&head)
            && let Err(place) = lot.behind.binary_search(&number)
        {
            lot.behind.insert(place, number);
        }
        self.claim(head, keys);
        Some(head)
    }

    /// Lets everything behind `head` go.
    pub(crate) fn release(&mut self, head: u64) -> Option<Lot> {
        let lot = self.heads.remove(&head)?;
        self.keys.retain(|_, other| *other != head);
        Some(lot)
    }

    /// What waits behind `head`; none where it is no failing head.
    pub(crate) fn lot(&self, head: u64) -> Option<&Lot> {
        self.heads.get(&head)
    }

    fn claim(&mut self, head: u64, keys: &[Key]) {
        for key in keys {
            self.keys.entry(*key).or_insert(head);
            if let Some(lot) = self.heads.get_mut(&head)
                && !lot.keys.contains(key)
            {
                lot.keys.push(*key);
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
            parking.stand_behind(5, &[10]),
            None,
            "the head itself may run"
        );
        assert_eq!(
            parking.stand_behind(6, &[20]),
            None,
            "another patient goes on"
        );
        assert_eq!(
            parking.stand_behind(7, &[10, 20]),
            Some(5),
            "the merge waits"
        );
        assert_eq!(
            parking.stand_behind(8, &[20]),
            Some(5),
            "nobody overtakes the merge"
        );
        let lot = parking.release(5).unwrap();
        assert_eq!(lot.behind, [7, 8]);
        assert_eq!(parking.stand_behind(9, &[10]), None);
    }
}
