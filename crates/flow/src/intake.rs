//! The path into the journal, and from there onto the board.
//!
//! Invariants:
//! - messages reach the board in sequence order: append and queueing happen under one lock, and one
//!   task awaits the results in that order;
//! - an appended message reaches the board even if its connection is gone by then.

use crate::attention::Attention;
use crate::flow::Flow;
use crate::step::work::{Job, Keys, Reply, Work};
use bytes::Bytes;
use std::sync::{Arc, Mutex, PoisonError};
use store::journal::{Appended, Entry, Journal, Pending, WriteError};
use tokio::sync::{mpsc, oneshot};

/// The path into the journal. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Intake {
    journal: Journal,
    queue: Arc<Mutex<mpsc::UnboundedSender<Ticket>>>,
}

/// The fate of a message once it is on disk.
#[derive(Debug)]
pub(crate) enum Then {
    /// Apply the message.
    Apply {
        /// Partition keys.
        keys: Keys,
        /// Channel for a connection that waits for the outcome.
        reply: Option<Reply>,
    },
    /// Show the message to a person.
    Show(Attention),
}

#[derive(Debug)]
struct Ticket {
    flow: Arc<Flow>,
    body: Bytes,
    then: Then,
    pending: Pending<Appended, WriteError>,
    reply_to: oneshot::Sender<Result<Appended, WriteError>>,
}

// === impl Intake ===

impl Intake {
    /// Starts the task that follows the journal. It ends when every clone is dropped.
    pub(crate) fn start(journal: Journal, work: Arc<Work>) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        tokio::spawn(follow(receiver, work));
        Self {
            journal,
            queue: Arc::new(Mutex::new(sender)),
        }
    }

    /// Appends a message to the journal. The answer arrives after its fsync.
    pub(crate) fn keep(
        &self,
        flow: &Arc<Flow>,
        entry: Entry,
        then: Then,
    ) -> oneshot::Receiver<Result<Appended, WriteError>> {
        let (reply_to, answer) = oneshot::channel();
        let (flow, body) = (Arc::clone(flow), entry.body.clone());
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let pending = self.journal.append(entry);
        // The follower lives as long as we do; if it were gone, `answer` would report it.
        let _ = queue.send(Ticket {
            flow,
            body,
            then,
            pending,
            reply_to,
        });
        answer
    }
}

async fn follow(mut queue: mpsc::UnboundedReceiver<Ticket>, work: Arc<Work>) {
    while let Some(Ticket {
        flow,
        body,
        then,
        pending,
        reply_to,
    }) = queue.recv().await
    {
        let appended = pending.await;
        let fresh = match &appended {
            Ok(Appended::New {
                sequence, received, ..
            }) => Some((*sequence, *received)),
            Ok(Appended::Repeated { .. }) | Err(_) => None,
        };
        // The sender first: its acknowledgement waits for nothing else.
        let _ = reply_to.send(appended);
        let Some((sequence, received)) = fresh else {
            continue;
        };
        match then {
            Then::Apply { keys, reply } => {
                work.push(sequence, Job::new(flow, received, keys, Some(body), reply));
            }
            Then::Show(reason) => work.show(&flow, sequence, reason),
        }
    }
}
