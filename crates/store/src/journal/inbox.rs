//! The queue in front of a writer thread. Group commit needs only this: a batch is everything that queued up
//! while the last one was being written to disk.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The orders for one writer, first in, first out.
#[derive(Debug)]
pub(crate) struct Inbox<T> {
    queue: Mutex<Queue<T>>,
    filled: Condvar,
    max_bytes: usize,
}

#[derive(Debug)]
struct Queue<T> {
    orders: Vec<T>,
    n_bytes: usize,
    urgent: bool,
    closed: bool,
}

/// The reason why an order was refused, with the order itself.
#[derive(Debug)]
pub(crate) enum Refused<T> {
    /// More than `max_bytes` are queued already.
    Full(T),
    /// The writer is closing.
    Closed(T),
}

// === impl Inbox ===

impl<T> Inbox<T> {
    pub(crate) fn new(max_bytes: usize) -> Self {
        let queue = Queue {
            orders: Vec::new(),
            n_bytes: 0,
            urgent: false,
            closed: false,
        };
        Self {
            queue: Mutex::new(queue),
            filled: Condvar::new(),
            max_bytes,
        }
    }

    /// Queues an order that a caller waits for.
    pub(crate) fn push(&self, order: T, n_bytes: usize) -> Result<(), Refused<T>> {
        self.add(order, n_bytes, true)
    }

    /// Queues an order that may wait for the next batch.
    pub(crate) fn push_lazy(&self, order: T, n_bytes: usize) -> Result<(), Refused<T>> {
        self.add(order, n_bytes, false)
    }

    /// Blocks until there is work, and returns everything that is queued. Lazy orders alone wait up to
    /// `linger` for others. None once closed and empty.
    pub(crate) fn take(&self, linger: Duration) -> Option<Vec<T>> {
        let mut queue = self.lock();
        while queue.orders.is_empty() {
            if queue.closed {
                return None;
            }
            queue = self
                .filled
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if !queue.urgent && !queue.closed {
            let waited = self
                .filled
                .wait_timeout_while(queue, linger, |queue| !queue.urgent && !queue.closed);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        queue.n_bytes = 0;
        queue.urgent = false;
        // The next batch will probably be as large: one allocation instead of many.
        let next = Vec::with_capacity(queue.orders.len());
        Some(std::mem::replace(&mut queue.orders, next))
    }

    /// Like [`take`](Self::take), but returns nothing after `limit`.
    pub(crate) fn take_within(&self, limit: Option<Duration>, linger: Duration) -> Option<Vec<T>> {
        if let Some(limit) = limit {
            let waits = |queue: &mut Queue<T>| queue.orders.is_empty() && !queue.closed;
            let waited = self
                .filled
                .wait_timeout_while(self.lock(), limit, waits)
                .unwrap_or_else(PoisonError::into_inner);
            if waited.1.timed_out() {
                return Some(Vec::new());
            }
        }
        self.take(linger)
    }

    /// Accepts no more orders; the queued ones are still done.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
    }

    fn add(&self, order: T, n_bytes: usize, urgent: bool) -> Result<(), Refused<T>> {
        let mut queue = self.lock();
        if queue.closed {
            return Err(Refused::Closed(order));
        }
        if !queue.orders.is_empty() && self.max_bytes < queue.n_bytes.saturating_add(n_bytes) {
            return Err(Refused::Full(order));
        }
        // The writer sleeps only while no (urgent) order is queued: wake it once per batch.
        let wake = queue.orders.is_empty() || (urgent && !queue.urgent);
        queue.orders.push(order);
        queue.n_bytes += n_bytes;
        queue.urgent |= urgent;
        drop(queue);
        if wake {
            self.filled.notify_one();
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Queue<T>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;

    #[test]
    fn a_batch_is_what_queued_up_in_order() {
        let inbox = Inbox::new(100);
        inbox.push_lazy(1, 1).unwrap();
        inbox.push(2, 1).unwrap();
        assert_eq!(
            inbox.take(Duration::from_mins(1)),
            Some(vec![1, 2]),
            "urgent: no linger"
        );
        inbox.push_lazy(3, 1).unwrap();
        assert_eq!(inbox.take(NOW), Some(vec![3]));
    }

    #[test]
    fn a_full_queue_refuses_but_one_large_order_fits() {
        let inbox = Inbox::new(100);
        inbox.push(1, 1_000).unwrap();
        assert!(matches!(inbox.push(2, 1), Err(Refused::Full(2))));
    }

    #[test]
    fn a_limit_ends_the_wait_and_loses_nothing() {
        let inbox = Inbox::new(100);
        assert_eq!(inbox.take_within(Some(NOW), NOW), Some(vec![]));
        inbox.push(1, 1).unwrap();
        assert_eq!(inbox.take_within(Some(NOW), NOW), Some(vec![1]));
        inbox.close();
        assert_eq!(inbox.take_within(Some(NOW), NOW), None);
    }

    #[test]
    fn closed_means_finish_and_end() {
        let inbox = Inbox::new(100);
        inbox.push(1, 1).unwrap();
        inbox.close();
        assert!(matches!(inbox.push(2, 1), Err(Refused::Closed(2))));
        assert_eq!(inbox.take(NOW), Some(vec![1]));
        assert_eq!(inbox.take(NOW), None);
    }
}
