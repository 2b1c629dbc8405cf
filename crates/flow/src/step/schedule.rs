//! What may run next: messages stand in one line per key and run when first in all of theirs.
//!
//! Invariants:
//! - of two jobs that share a key the one pushed first finishes first: this is *order in a
//!   partition*, and a merge, which has the keys of both patients, is a barrier on both;
//! - jobs without a common key never wait for one another;
//! - there is no deadlock: a job enters all its lines at one moment, so the oldest job of all is
//!   always first everywhere.
//!
//! Pure: no thread, no clock. A row of lines, with `m` the merge of `a` and `b`:
//!
//! ```text
//! a: 1 3 m 5      runs now: 1, 2 (first in every line of theirs)
//! b: 2 m 4        then 3, then m, then 4 and 5 at once
//! ```

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

/// What a line is about: a hash of a patient's identifier or of a connection.
pub type Key = u64;

/// Every job that is not finished.
#[derive(Debug)]
pub struct Schedule<J> {
    jobs: BTreeMap<u64, Entry<J>>,
    lines: HashMap<Key, VecDeque<u64>>,
    ready: BTreeSet<u64>,
    delayed: BTreeSet<(u64, u64)>,
}

#[derive(Debug)]
struct Entry<J> {
    keys: Box<[Key]>,
    /// In how many lines somebody stands before it.
    n_behind: usize,
    /// None while it runs.
    job: Option<J>,
}

// === impl Schedule ===

impl<J> Default for Schedule<J> {
    fn default() -> Self {
        Self {
            jobs: BTreeMap::new(),
            lines: HashMap::new(),
            ready: BTreeSet::new(),
            delayed: BTreeSet::new(),
        }
    }
}

impl<J> Schedule<J> {
    /// Puts a job at the end of each of its lines. Its number must be new; false where it is not.
    pub fn push(&mut self, number: u64, mut keys: Vec<Key>, job: J) -> bool {
        if self.jobs.contains_key(&number) {
            return false;
        }
        keys.sort_unstable();
        keys.dedup();
        let mut n_behind = 0;
        for key in &keys {
            let line = self.lines.entry(*key).or_default();
            n_behind += usize::from(!line.is_empty());
            line.push_back(number);
        }
        if n_behind == 0 {
            self.ready.insert(number);
        }
        self.jobs.insert(number, Entry { keys: keys.into(), n_behind, job: Some(job) });
        true
    }

    /// The oldest job that may run; it keeps its places until [`Self::finish`].
    pub fn take(&mut self, now: u64) -> Option<(u64, J)> {
        while let Some((due, number)) = self.delayed.first().copied()
            && due <= now
        {
            self.delayed.remove(&(due, number));
            self.ready.insert(number);
        }
        while let Some(number) = self.ready.pop_first() {
            if let Some(job) = self.jobs.get_mut(&number).and_then(|entry| entry.job.take()) {
                return Some((number, job));
            }
        }
        None
    }

    /// Puts a job that ran back to the head of its lines, to run again from `due` on.
    pub fn retry(&mut self, number: u64, job: J, due: u64) {
        if let Some(entry) = self.jobs.get_mut(&number) {
            entry.job = Some(job);
            self.delayed.insert((due, number));
        }
    }

    /// The moment of the next retry.
    pub fn next_due(&self) -> Option<u64> {
        self.delayed.first().map(|(due, _)| *due)
    }

    /// Takes a job out of its lines, run or not; whoever stood behind it moves up.
    pub fn finish(&mut self, number: u64) {
        let Some(entry) = self.jobs.remove(&number) else { return };
        self.ready.remove(&number);
        self.delayed.retain(|(_, other)| *other != number);
        for key in entry.keys {
            let Some(line) = self.lines.get_mut(&key) else { continue };
            let was_first = line.front() == Some(&number);
            line.retain(|other| *other != number);
            let next = line.front().copied();
            if line.is_empty() {
                self.lines.remove(&key);
            }
            if let Some(next) = next
                && was_first
            {
                self.move_up(next);
            }
        }
    }

    /// The number of jobs not finished.
    pub fn len(&self) -> usize {
        self.jobs.len()
    }

    /// True where nothing is left.
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// True where a job of this number is not finished.
    pub fn contains(&self, number: u64) -> bool {
        self.jobs.contains_key(&number)
    }

    fn move_up(&mut self, number: u64) {
        if let Some(entry) = self.jobs.get_mut(&number) {
            entry.n_behind -= 1;
            if entry.n_behind == 0 {
                self.ready.insert(number);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_merge_is_a_barrier_on_both() {
        let mut schedule = Schedule::default();
        for (number, keys) in [(1, vec![10]), (2, vec![20]), (3, vec![10, 20]), (4, vec![20]), (5, vec![30])] {
            assert!(schedule.push(number, keys, ()));
        }
        assert!(!schedule.push(5, vec![], ()), "a number is pushed once");
        let mut run = || schedule.take(0).map(|(number, ())| number);
        assert_eq!([run(), run(), run(), run()], [Some(1), Some(2), Some(5), None]);
        schedule.finish(1);
        assert_eq!(schedule.take(0), None, "the merge waits for the other patient too");
        schedule.finish(2);
        assert_eq!(schedule.take(0), Some((3, ())));
        assert_eq!(schedule.take(0), None, "nobody overtakes the merge");
        schedule.finish(3);
        assert_eq!(schedule.take(0), Some((4, ())));
    }

    #[test]
    fn a_retry_keeps_its_place() {
        let mut schedule = Schedule::default();
        schedule.push(1, vec![10], "one");
        schedule.push(2, vec![10], "two");
        let (number, job) = schedule.take(0).unwrap();
        schedule.retry(number, job, 5);
        assert_eq!(schedule.take(4), None);
        assert_eq!(schedule.next_due(), Some(5));
        assert_eq!(schedule.take(5), Some((1, "one")));
    }

    proptest! {
        #[test]
        fn jobs_with_a_common_key_finish_in_order(
            keys in prop::collection::vec(prop::collection::vec(0u64..6, 0..3), 1..40),
            picks in prop::collection::vec((0usize..4, any::<bool>()), 200),
        ) {
            let mut schedule = Schedule::default();
            for (number, keys) in keys.iter().enumerate() {
                schedule.push(number as u64, keys.clone(), ());
            }
            let (mut running, mut finished): (Vec<u64>, Vec<u64>) = (Vec::new(), Vec::new());
            for (pick, again) in picks.into_iter().chain(std::iter::repeat((0, false))) {
                if schedule.is_empty() { break; }
                while running.len() < 4 && let Some((number, ())) = schedule.take(0) { running.push(number); }
                prop_assert!(!running.is_empty(), "deadlock");
                let number = running.remove(pick % running.len());
                if again { schedule.retry(number, (), 0); } else { schedule.finish(number); finished.push(number); }
            }
            prop_assert_eq!(finished.len(), keys.len());
            for (at, later) in finished.iter().enumerate() {
                for earlier in &finished[at..] {
                    let shared = keys[*later as usize].iter().any(|key| keys[*earlier as usize].contains(key));
                    prop_assert!(!shared || later <= earlier, "{} before {}", later, earlier);
                }
            }
        }
    }
}
