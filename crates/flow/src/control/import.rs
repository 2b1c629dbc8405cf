//! Import of messages from files, such as the history of another system.
//!
//! Invariants:
//! - imported messages take the same path as those received over a network: the same checks,
//!   journal, order, chart and states; only nobody waits for an acknowledgement;
//! - import is idempotent: a message that the flow already has in its journal, byte for byte, is
//!   not taken again, whenever it came, so an interrupted import is run again from its beginning.

use super::ControlError;
use crate::attention::Attention;
use crate::engine::Engine;
use crate::events::CloseReason;
use crate::flow::Flow;
use crate::intake::Then;
use crate::source::connection::RETENTION;
use crate::step::decode;
use crate::step::work::Finished;
use bytes::Bytes;
use hl7v2::Message;
use hl7v2::batch::{Part, Parts};
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::journal::{Appended, Entry, Filter, Header, Page, Sequence, State, WriteError};
use tokio::sync::oneshot;

/// The result of importing one piece of a file.
#[derive(Clone, Debug, Default)]
pub struct Import {
    /// Messages in order, and lines outside of all messages where an envelope does not match.
    pub messages: Vec<Imported>,
}

/// The result of importing one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Position in the journal.
    pub sequence: Sequence,
    /// True where the message was in the journal before and nothing was done now.
    pub known: bool,
    /// Current state.
    pub state: State,
    /// Reason for the state.
    pub reason: Option<String>,
}

/// A message in progress.
enum Waiting {
    Known(Sequence),
    New {
        kept: oneshot::Receiver<Result<Appended, WriteError>>,
        finished: Option<oneshot::Receiver<Finished>>,
        /// Refusal on receipt, which reaches the ledger a moment later.
        shown: Option<Attention>,
    },
}

/// A message that is not journaled yet, or the lines of an envelope, which are not a message.
struct Coming {
    entry: Entry,
    /// Refusal on receipt.
    refusal: Option<Attention>,
    message: Option<Message>,
}

/// Connection name of imported messages, for a flow that keeps the order of connections.
const CONNECTION: &str = "import";
/// Time limit for the outcome of a piece; work that takes longer continues in the background.
const PATIENCE: Duration = Duration::from_mins(2);
/// Maximum number of messages with one control id that are compared.
const MAX_ALIKE: usize = 50;

// === impl Engine ===

impl Engine {
    /// Imports the messages of a piece of a file, in order, and waits for their outcomes. Blocks.
    pub fn import(&self, flow: &str, body: Bytes, by: &str) -> Result<Import, ControlError> {
        let flow = self.flow(flow)?;
        if self.is_draining() {
            return Err(ControlError::Draining);
        }
        let mut parts = Parts::new(body);
        let (mut coming, mut outside) = (Vec::new(), Vec::new());
        for part in parts.by_ref() {
            match part {
                Part::Message(member) => coming.push(self.message(&flow, &member.bytes, by)),
                Part::FileHeader(bytes) | Part::BatchHeader(bytes) | Part::Stray(bytes) => {
                    outside.extend_from_slice(&bytes);
                    outside.push(b'\r');
                }
                Part::BatchTrailer(trailer) | Part::FileTrailer(trailer) => {
                    outside.extend_from_slice(&trailer.bytes);
                    outside.push(b'\r');
                }
            }
        }
        if !parts.issues().is_empty() && !outside.is_empty() {
            coming.push(envelope(&flow, outside.into(), by));
        }
        let entries: Vec<&Entry> = coming.iter().map(|coming| &coming.entry).collect();
        let known = self.known(&entries)?;
        let waiting = coming.into_iter().zip(known);
        let waiting = waiting.map(|(coming, known)| match known {
            Some(known) => Waiting::Known(known),
            None => self.begin(&flow, coming),
        });
        self.settle_all(waiting.collect())
    }

    /// Finds, for each entry, the byte-identical message in the journal.
    pub(super) fn known(&self, entries: &[&Entry]) -> Result<Vec<Option<Sequence>>, ControlError> {
        let mut known = self.work.journal.same_as(entries)?;
        for (entry, known) in entries.iter().zip(&mut known) {
            *known = match *known {
                // Messages that the disk has lost since then are taken again.
                Some(found) => Some(found).filter(|found| self.is_body(*found, &entry.body)),
                None if entry.header.control_id.is_empty() => self.known_by_patient(entry)?,
                None => None,
            };
        }
        Ok(known)
    }

    /// Finds a message without a control id by its patient.
    fn known_by_patient(&self, entry: &Entry) -> Result<Option<Sequence>, ControlError> {
        let header = &entry.header;
        let Some(patient) = header.patients.first() else {
            return Ok(None);
        };
        let kind = &header.message_type;
        let filter = Filter {
            flow: Some(entry.flow.clone()),
            patient: Some(patient.clone()),
            message_type: (!kind.is_empty()).then(|| kind.clone()),
            ..Filter::default()
        };
        let page = Page {
            before: None,
            limit: MAX_ALIKE,
        };
        let rows = self.work.journal.list(&filter, page)?.rows;
        let same = rows
            .into_iter()
            .find(|row| row.n_bytes == entry.body.len() && self.is_body(row.sequence, &entry.body));
        Ok(same.map(|row| row.sequence))
    }

    fn is_body(&self, sequence: Sequence, body: &Bytes) -> bool {
        let stored = self.work.journal.read(sequence);
        stored.is_ok_and(|stored| stored.is_some_and(|stored| stored.body == *body))
    }

    fn message(&self, flow: &Arc<Flow>, bytes: &Bytes, by: &str) -> Coming {
        let message = Message::parse(bytes.clone());
        let header = decode::header(&message);
        let is_message = message.first("MSH").is_some();
        let refusal = decode::refusal_on_receipt(
            (&message, &header, is_message),
            &flow.config,
            &*self.work.destination,
        );
        // A copy: a message that waits must not retain the whole piece.
        let body = Bytes::copy_from_slice(bytes);
        let mut entry = entry(flow, (header, body), by);
        entry.no_message = (!is_message).then(|| CloseReason::Noise.word().to_owned());
        Coming {
            entry,
            refusal,
            message: Some(message),
        }
    }

    /// Journals one message and starts its processing.
    fn begin(&self, flow: &Arc<Flow>, coming: Coming) -> Waiting {
        let Coming {
            entry,
            refusal,
            message,
        } = coming;
        if message.is_some() {
            flow.senders.record(&entry.header);
        }
        let (then, finished) = match (refusal, &message) {
            (None, Some(message)) => {
                let keys = decode::keys(message, CONNECTION, &flow.config);
                let (reply, finished) = oneshot::channel();
                let reply = Some(reply);
                (Then::Apply { keys, reply }, Some(finished))
            }
            (reason, _) => (Then::Show(reason.unwrap_or(Attention::BatchEnvelope)), None),
        };
        let shown = match &then {
            Then::Show(reason) => Some(*reason),
            Then::Apply { .. } => None,
        };
        Waiting::New {
            kept: self.intake.keep(flow, entry, then),
            finished,
            shown,
        }
    }

    fn settle_all(&self, waiting: Vec<Waiting>) -> Result<Import, ControlError> {
        let until = Instant::now() + PATIENCE;
        let mut sequences = Vec::with_capacity(waiting.len());
        for one in waiting {
            sequences.push(match one {
                Waiting::Known(sequence) => (sequence, true, None),
                Waiting::New {
                    kept,
                    finished,
                    shown,
                } => {
                    let appended = kept.blocking_recv().map_err(|_| ControlError::Draining)??;
                    if let Some(finished) = finished {
                        wait(finished, until);
                    }
                    match appended {
                        Appended::New { sequence, .. } => (sequence, false, shown),
                        Appended::Repeated { original, .. } => (original, true, None),
                    }
                }
            });
        }
        let ledger = self.work.journal.ledger();
        // States are recorded asynchronously; once this write is done they can be read.
        ledger.record(Vec::new()).wait()?;
        let mut messages = Vec::with_capacity(sequences.len());
        for (sequence, known, shown) in sequences {
            if let Some(reason) = shown {
                messages.push(Imported {
                    sequence,
                    known,
                    state: State::NeedsAttention,
                    reason: Some(reason.code().to_owned()),
                });
                continue;
            }
            let progress = ledger.progress(sequence)?;
            messages.push(Imported {
                sequence,
                known,
                state: progress
                    .as_ref()
                    .map_or(State::Received, |progress| progress.state),
                reason: progress.and_then(|progress| progress.reason),
            });
        }
        Ok(Import { messages })
    }
}

/// Builds an entry for the lines outside of all messages, for a person to see.
fn envelope(flow: &Flow, lines: Bytes, by: &str) -> Coming {
    let reason = Attention::BatchEnvelope;
    let header = decode::envelope_header(&Message::parse(lines.clone()));
    let mut entry = entry(flow, (header, lines), by);
    entry.no_message = Some(reason.code().to_owned());
    Coming {
        entry,
        refusal: Some(reason),
        message: None,
    }
}

/// Builds a journal entry for a message.
pub(super) fn entry(flow: &Flow, (header, body): (Header, Bytes), by: &str) -> Entry {
    Entry {
        flow: flow.name().to_owned(),
        connection: format!("imported by {by}"),
        retention: RETENTION.to_owned(),
        header,
        body,
        no_message: None,
        acknowledgement: None,
    }
}

/// Waits for an outcome until a deadline. The outcome itself is in the ledger.
fn wait(mut finished: oneshot::Receiver<Finished>, until: Instant) {
    while let Err(oneshot::error::TryRecvError::Empty) = finished.try_recv() {
        if until < Instant::now() {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
