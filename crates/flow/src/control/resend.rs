//! Resending: a changed copy of a message, or a copy for another flow.
//!
//! Invariants:
//! - the copy is a journal entry of its own, which records the original, who made it and why: the
//!   two cannot come apart;
//! - a copy that the flow would refuse on receipt is not made;
//! - an original that waits for a person is set aside only once its copy is on disk; where others
//!   wait behind it, only once the copy is applied, so that no message overtakes it.

use super::{ControlError, said};
use crate::engine::Engine;
use crate::flow::Flow;
use crate::source::connection::RETENTION;
use crate::step::decode;
use crate::step::work::{Finished, Job};
use bytes::Bytes;
use hl7v2::Message;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::journal::{Appended, Entry, Sequence, State, Stored};
use tokio::sync::oneshot;

/// A request to resend a message.
#[derive(Clone, Copy, Debug)]
pub struct Resend<'a> {
    /// Original message.
    pub of: Sequence,
    /// Changed bytes; none to send the original's.
    pub body: Option<&'a [u8]>,
    /// Target flow; none for the original's own.
    pub flow: Option<&'a str>,
    /// User who asks.
    pub by: &'a str,
    /// Reason, which is stored in the journal.
    pub why: &'a str,
}

/// The result of a resend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResendResult {
    /// Position of the copy.
    pub sequence: Sequence,
    /// True where the same copy was made before and nothing was done now.
    pub repeated: bool,
}

/// The origin of a copy: the journal keeps it where other messages have their connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resent {
    /// Original message.
    pub of: Sequence,
    /// True where the bytes were changed; false where the message was only sent to another flow.
    pub is_edited: bool,
    /// User who made the copy.
    pub by: String,
    /// Reason.
    pub why: String,
}

/// Time limit for a copy to be applied where other messages wait behind the original.
const PATIENCE: Duration = Duration::from_secs(10);

// === impl Engine ===

impl Engine {
    /// Copies a message and starts processing the copy. Blocks for an fsync and, where others wait
    /// behind the original, until the copy is applied.
    pub fn resend(&self, wanted: &Resend<'_>) -> Result<ResendResult, ControlError> {
        let stored = self
            .work
            .journal
            .read(wanted.of)?
            .ok_or(ControlError::NoSuchMessage(wanted.of))?;
        if self.work.board.contains(wanted.of.get()) {
            return Err(ControlError::WrongState {
                state: "on its way",
                wanted: "resent; hold it first",
            });
        }
        let target = self.flow(wanted.flow.unwrap_or(&stored.summary.flow))?;
        let body = wanted
            .body
            .map_or_else(|| stored.body.clone(), Bytes::copy_from_slice);
        let is_edited = body != stored.body;
        if !is_edited && target.name() == stored.summary.flow {
            return Err(ControlError::Unchanged);
        }
        let message = Message::parse(body);
        let entry = self.entry_of(&target, &message, &stored, (wanted, is_edited))?;
        let (sequence, received) = match self.work.journal.append(entry).wait()? {
            Appended::New {
                sequence, received, ..
            } => (sequence, received),
            Appended::Repeated { original, .. } => {
                return Ok(ResendResult {
                    sequence: original,
                    repeated: true,
                });
            }
        };
        let keys = decode::keys(&message, &stored.summary.connection, &target.config);
        let (reply, finished) = oneshot::channel();
        let job = Job::new(
            Arc::clone(&target),
            received,
            keys,
            Some(message.bytes().clone()),
            Some(reply),
        );
        let what = if is_edited { "edited" } else { "sent on" };
        let reason = said(
            what,
            wanted.by,
            &format!("message {sequence}, {}", wanted.why),
        );
        let others_wait = self.work.board.behind(wanted.of.get()).is_some();
        if others_wait && target.name() == stored.summary.flow {
            self.work.push(sequence, job.bypassing_parking());
            if !is_applied(finished) {
                return Ok(ResendResult::new(sequence));
            }
        } else {
            self.work.push(sequence, job);
        }
        self.replace(&stored, &reason)?;
        Ok(ResendResult::new(sequence))
    }

    fn entry_of(
        &self,
        target: &Flow,
        message: &Message,
        stored: &Stored,
        (wanted, is_edited): (&Resend<'_>, bool),
    ) -> Result<Entry, ControlError> {
        let header = decode::header(message);
        let is_message = message.first("MSH").is_some();
        let refusal = decode::refusal_on_receipt(
            (message, &header, is_message),
            &target.config,
            &*self.work.destination,
        );
        if let Some(reason) = refusal {
            return Err(ControlError::Refused(reason));
        }
        let mark = Resent {
            of: stored.summary.sequence,
            is_edited,
            by: wanted.by.to_owned(),
            why: wanted.why.trim().to_owned(),
        };
        Ok(Entry {
            flow: target.name().to_owned(),
            connection: mark.to_string(),
            retention: RETENTION.to_owned(),
            header,
            body: message.bytes().clone(),
            no_message: None,
            acknowledgement: None,
        })
    }

    /// Closes an original that waits for a person: its copy takes its place.
    fn replace(&self, stored: &Stored, reason: &str) -> Result<(), ControlError> {
        match stored.summary.state {
            State::Held | State::Parked | State::Dead | State::NeedsAttention => {
                let flow = self.flow(&stored.summary.flow)?;
                self.set_aside(&flow, stored, reason)
            }
            State::Received | State::Mapped | State::Delivered | State::Filtered => Ok(()),
        }
    }
}

/// Waits for a copy to be applied, up to a time limit.
fn is_applied(mut finished: oneshot::Receiver<Finished>) -> bool {
    let until = Instant::now() + PATIENCE;
    loop {
        match finished.try_recv() {
            Ok(outcome) => return matches!(outcome, Finished::Applied(_)),
            Err(oneshot::error::TryRecvError::Empty) if Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(5));
            }
            // Too late, or the sender is gone: the original stays where it is.
            Err(_) => return false,
        }
    }
}

// === impl ResendResult ===

impl ResendResult {
    fn new(sequence: Sequence) -> Self {
        Self {
            sequence,
            repeated: false,
        }
    }
}

// === impl Resent ===

impl fmt::Display for Resent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.is_edited { "edited" } else { "sent on" };
        write!(
            f,
            "message {}, {what} by {}: {}",
            self.of, self.by, self.why
        )
    }
}

/// The text does not mark a copy; most messages have a peer's address there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a copy of a message")]
pub struct NoCopy;

impl FromStr for Resent {
    type Err = NoCopy;

    fn from_str(text: &str) -> Result<Self, NoCopy> {
        let rest = text.strip_prefix("message ").ok_or(NoCopy)?;
        let (of, rest) = rest.split_once(", ").ok_or(NoCopy)?;
        let (is_edited, rest) = match rest.strip_prefix("edited by ") {
            Some(rest) => (true, rest),
            None => (false, rest.strip_prefix("sent on by ").ok_or(NoCopy)?),
        };
        let (by, why) = rest.split_once(": ").ok_or(NoCopy)?;
        Ok(Self {
            of: Sequence::new(of.parse().map_err(|_| NoCopy)?),
            is_edited,
            by: by.to_owned(),
            why: why.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_of_a_copy_is_read_back() {
        for (of, is_edited, by, why) in [
            (7, true, "admin", "PID-3 was mistyped: 12, not 21"),
            (u64::MAX, false, "token 4f", ""),
        ] {
            let mark = Resent {
                of: Sequence::new(of),
                is_edited,
                by: by.to_owned(),
                why: why.to_owned(),
            };
            assert_eq!(mark.to_string().parse(), Ok(mark));
        }
        for other in [
            "10.0.0.7:4012",
            "message x, edited by a: b",
            "message 1",
            "",
        ] {
            assert_eq!(other.parse::<Resent>(), Err(NoCopy), "{other}");
        }
    }
}
