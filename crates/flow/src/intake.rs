//! The way into the journal, and from there onto the board.
//!
//! Invariants:
//! - messages come onto the board in the order of their sequences: append and queueing happen
//!   under one lock, and one task awaits the answers in that order;
//! - what was appended comes onto the board even if its connection has gone meanwhile.

use crate::attention::Attention;
use crate::flow::Flow;
use crate::step::work::{Job, Keys, Reply, Work};
use bytes::Bytes;
use std::sync::{Arc, Mutex, PoisonError};
use store::journal::{Appended, Entry, Journal, Pending, WriteError};
use tokio::sync::{mpsc, oneshot};

/// The way into the journal. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Intake {
    journal: Journal,
    queue: Arc<Mutex<mpsc::UnboundedSender<Ticket>>>,
}

/// What is to happen to a message once it is on disk.
#[derive(Debug)]
pub(crate) enum Then {
    /// It is applied.
    Apply {
        /// Its partition.
        keys: Keys,
        /// Somebody waits for the outcome.
        reply: Option<Reply>,
    },
    /// It is shown to a person.
    Show(Attention),
}

#[derive(Debug)]
struct Ticket {
    flow: Arc<Flow>,
    body: Bytes,
    then: Then,
    pending: Pending<Appended, WriteError>,
    told: oneshot::Sender<Result<Appended, WriteError>>,
}

// === impl Intake ===

impl Intake {
    /// Starts the task that follows the journal. It ends when every clone is gone.
    pub(crate) fn start(journal: Journal, work: Arc<Work>) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        tokio::spawn(follow(receiver, work));
        Self {
            journal,
            queue: Arc::new(Mutex::new(sender)),
        }
    }

    /// Keeps a message. The answer comes after its fsync.
    pub(crate) fn keep(
        &self,
        flow: &Arc<Flow>,
        entry: Entry,
        then: Then,
    ) -> oneshot::Receiver<Result<Appended, WriteError>> {
        let (told, answer) = oneshot::channel();
        let (flow, body) = (Arc::clone(flow), entry.body.clone());
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let pending = self.journal.append(entry);
        // The follower lives as long as we do; were it gone, `answer` would say so.
        let _ = queue.send(Ticket {
            flow,
            body,
            then,
            pending,
            told,
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
        told,
    }) = queue.recv().await
    {
        let appended = pending.await;
        let fresh = match &appended {
            Ok(Appended::New {
                sequence, received, ..
            }) => Some((*sequence, *received)),
            Ok(Appended::Repeated { .. }) | Err(_) => None,
        };
        // First the sender: its acknowledgement waits for nothing else.
        let _ = told.send(appended);
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
