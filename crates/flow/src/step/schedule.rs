//! The schedule: messages queue in one line per key, by number, and run when first in every line.
//!
//! Invariants:
//! - of two waiting jobs that share a key, the one with the lower number runs first and finishes
//!   before the other begins: this is *order in a partition*; a merge, which has the keys of both
//!   patients, is a barrier on both;
//! - a job that returns (a release, a replay) gets its old place before all that still wait;
//! - jobs without a common key never wait for one another;
//! - there is no deadlock: the lowest number of all is first in each of its lines.
//!
//! Pure: no thread, no clock. Two lines, with `m` the merge of `a` and `b`:
//!
//! ```text
//! a: 1 3 m 5      runs now: 1, 2 (first in each of their lines)
//! b: 2 m 4        then 3, then m, then 4 and 5 at once
//! ```

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A line's key: a hash of a patient's identifier or of a connection.
pub(crate) type Key = u64;

/// All unfinished jobs.
#[derive(Debug)]
pub(crate) struct Schedule<J> {
    jobs: BTreeMap<u64, Entry<J>>,
    lines: HashMap<Key, Line>,
    /// Jobs that may have reached the head of their lines; checked again when taken.
    candidates: BTreeSet<u64>,
    delayed: BTreeSet<(u64, u64)>,
}

#[derive(Debug)]
struct Entry<J> {
    keys: Box<[Key]>,
    /// Job; none while it runs.
    job: Option<J>,
}

#[derive(Debug, Default)]
struct Line {
    waiting: BTreeSet<u64>,
    running: Option<u64>,
}

// === impl Schedule ===

impl<J> Default for Schedule<J> {
    fn default() -> Self {
        Self {
            jobs: BTreeMap::new(),
            lines: HashMap::new(),
            candidates: BTreeSet::new(),
            delayed: BTreeSet::new(),
        }
    }
}

impl<J> Schedule<J> {
    /// Queues a job in its lines, at the place of its number; false where it is there already.
    pub(crate) fn push(&mut self, number: u64, mut keys: Vec<Key>, job: J) -> bool {
        if self.jobs.contains_key(&number) {
            return false;
        }
        keys.sort_unstable();
        keys.dedup();
        for key in &keys {
            self.lines.entry(*key).or_default().waiting.insert(number);
        }
        self.jobs.insert(
            number,
            Entry {
                keys: keys.into(),
                job: Some(job),
            },
        );
        self.candidates.insert(number);
        true
    }

    /// Takes the oldest job that may run; its lines wait for it until [`Self::finish`].
    pub(crate) fn take(&mut self, now: u64) -> Option<(u64, J)> {
        while let Some((due, number)) = self.delayed.first().copied()
            && due <= now
        {
            self.delayed.remove(&(due, number));
            if let Some(job) = self
                .jobs
                .get_mut(&number)
                .and_then(|entry| entry.job.take())
            {
                return Some((number, job));
            }
        }
        while let Some(number) = self.candidates.pop_first() {
            if let Some(job) = self.start(number) {
                return Some((number, job));
            }
        }
        None
    }

    /// Runs a candidate if it is first in all its lines. If not, the job before it makes it a
    /// candidate again on finishing.
    fn start(&mut self, number: u64) -> Option<J> {
        let entry = self.jobs.get_mut(&number)?;
        for key in &entry.keys {
            let line = self.lines.get(key)?;
            if line.running.is_some() || line.waiting.first() != Some(&number) {
                return None;
            }
        }
        let job = entry.job.take()?;
        for key in &entry.keys {
            let line = self.lines.entry(*key).or_default();
            line.waiting.remove(&number);
            line.running = Some(number);
        }
        Some(job)
    }

    /// Returns a job that ran to the schedule: it keeps its lines and runs again from `due` on.
    pub(crate) fn retry(&mut self, number: u64, job: J, due: u64) {
        if let Some(entry) = self.jobs.get_mut(&number) {
            entry.job = Some(job);
            self.delayed.insert((due, number));
        }
    }

    /// Returns the time of the next retry.
    pub(crate) fn next_due(&self) -> Option<u64> {
        self.delayed.first().map(|(due, _)| *due)
    }

    /// Removes a job from its lines, run or not; those behind it move up. Returns the maximum
    /// number of jobs that may now run.
    pub(crate) fn finish(&mut self, number: u64) -> usize {
        let Some(entry) = self.jobs.remove(&number) else {
            return 0;
        };
        let mut n_moved_up = 0;
        self.candidates.remove(&number);
        self.delayed.retain(|(_, other)| *other != number);
        for key in entry.keys {
            let Some(line) = self.lines.get_mut(&key) else {
                continue;
            };
            line.waiting.remove(&number);
            if line.running == Some(number) {
                line.running = None;
            }
            match line.waiting.first() {
                Some(next) => {
                    self.candidates.insert(*next);
                    n_moved_up += 1;
                }
                None if line.running.is_none() => {
                    self.lines.remove(&key);
                }
                None => {}
            }
        }
        n_moved_up
    }

    /// Withdraws a waiting job; none where it runs or is absent.
    pub(crate) fn withdraw(&mut self, number: u64) -> Option<J> {
        let job = self.jobs.get_mut(&number)?.job.take()?;
        self.finish(number);
        Some(job)
    }

    /// Returns the number of unfinished jobs.
    pub(crate) fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Returns true where a job with this number is unfinished.
    pub(crate) fn contains(&self, number: u64) -> bool {
        self.jobs.contains_key(&number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_merge_is_a_barrier_on_both() {
        let mut schedule = Schedule::default();
        for (number, keys) in [
            (1, vec![10]),
            (2, vec![20]),
            (3, vec![10, 20]),
            (4, vec![20]),
            (5, vec![30]),
        ] {
            assert!(schedule.push(number, keys, ()));
        }
        assert!(!schedule.push(5, vec![], ()), "a number is pushed once");
        let mut run = || schedule.take(0).map(|(number, ())| number);
        assert_eq!(
            [run(), run(), run(), run()],
            [Some(1), Some(2), Some(5), None]
        );
        schedule.finish(1);
        assert_eq!(
            schedule.take(0),
            None,
            "the merge waits for the other patient too"
        );
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

    #[test]
    fn one_that_comes_back_gets_its_old_place() {
        let mut schedule = Schedule::default();
        for number in [4, 5, 6] {
            schedule.push(number, vec![10], ());
        }
        assert_eq!(schedule.take(0), Some((4, ())));
        schedule.push(3, vec![10], ());
        assert_eq!(schedule.take(0), None, "4 runs");
        schedule.finish(4);
        for number in [3, 5, 6] {
            assert_eq!(schedule.take(0), Some((number, ())));
            schedule.finish(number);
        }
        assert!(schedule.len() == 0);
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
                if schedule.len() == 0 { break; }
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
