//! Messages that no socket brings: a system's history, from files.
//!
//! Invariants:
//! - they go the way of messages that come over a wire: the same door, journal, order, chart and
//!   states; only nobody waits for an acknowledgement;
//! - a message that the flow has in its journal, byte for byte, is not taken again, whenever it came:
//!   an import that was broken off is run again from its beginning.

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

/// What became of one piece of a file.
#[derive(Clone, Debug, Default)]
pub struct Import {
    /// Its messages, in order, and what stands outside of them where an envelope does not fit.
    pub messages: Vec<Imported>,
}

/// What became of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Its place in the journal.
    pub sequence: Sequence,
    /// It was there before, and nothing was done now.
    pub known: bool,
    /// Where it stands.
    pub state: State,
    /// Why.
    pub reason: Option<String>,
}

/// A message on its way.
enum Waiting {
    Known(Sequence),
    New {
        kept: oneshot::Receiver<Result<Appended, WriteError>>,
        finished: Option<oneshot::Receiver<Finished>>,
        /// What the door said: it stands in the ledger a moment later.
        shown: Option<Attention>,
    },
}

/// Such messages have this place in their order where a flow keeps the order of connections.
const CONNECTION: &str = "import";
/// How long the outcome of a piece is waited for; what takes longer goes on by itself.
const PATIENCE: Duration = Duration::from_mins(2);
/// So many messages of one control id are compared.
const MAX_ALIKE: usize = 50;

// === impl Engine ===

impl Engine {
    /// Takes the messages of a piece of a file, in order, and waits for what becomes of them. Blocks.
    pub fn import(&self, flow: &str, body: Bytes, by: &str) -> Result<Import, ControlError> {
        let flow = self.flow(flow)?;
        if self.is_draining() {
            return Err(ControlError::Draining);
        }
        let mut parts = Parts::new(body);
        let (mut waiting, mut outside) = (Vec::new(), Vec::new());
        for part in parts.by_ref() {
            match part {
                Part::Message(member) => waiting.push(self.take(&flow, &member.bytes, by)?),
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
            waiting.push(self.take_envelope(&flow, outside.into(), by)?);
        }
        self.settle_all(waiting)
    }

    /// The message of the flow's journal that is this one, byte for byte.
    pub(super) fn known(
        &self,
        flow: &str,
        header: &Header,
        body: &Bytes,
    ) -> Result<Option<Sequence>, ControlError> {
        let of = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let mut filter = Filter {
            flow: Some(flow.to_owned()),
            control_id: of(&header.control_id),
            ..Filter::default()
        };
        if filter.control_id.is_none() {
            // Without a control id its patient leads to it.
            filter.patient = header.patients.first().cloned();
            filter.message_type = of(&header.message_type);
        }
        if filter.control_id.is_none() && filter.patient.is_none() {
            return Ok(None);
        }
        let page = Page {
            before: None,
            limit: MAX_ALIKE,
        };
        for row in self.work.journal.list(&filter, page)?.rows {
            if row.n_bytes == body.len()
                && let Some(stored) = self.work.journal.read(row.sequence)?
                && stored.body == *body
            {
                return Ok(Some(row.sequence));
            }
        }
        Ok(None)
    }

    fn take(&self, flow: &Arc<Flow>, bytes: &Bytes, by: &str) -> Result<Waiting, ControlError> {
        let message = Message::parse(bytes.clone());
        let header = decode::header(&message);
        if let Some(known) = self.known(flow.name(), &header, bytes)? {
            return Ok(Waiting::Known(known));
        }
        let is_message = message.first("MSH").is_some();
        let refusal = decode::at_the_door(
            (&message, &header, is_message),
            &flow.config,
            &*self.work.destination,
        );
        let (then, finished) = if let Some(reason) = refusal {
            (Then::Show(reason), None)
        } else {
            let keys = decode::keys(&message, CONNECTION, &flow.config);
            let (reply, finished) = oneshot::channel();
            let reply = Some(reply);
            (Then::Apply { keys, reply }, Some(finished))
        };
        flow.senders.saw(&header);
        let entry = Entry {
            flow: flow.name().to_owned(),
            connection: format!("imported by {by}"),
            retention: RETENTION.to_owned(),
            header,
            // A copy: a message that waits must not hold the whole piece.
            body: Bytes::copy_from_slice(bytes),
            no_message: (!is_message).then(|| CloseReason::Noise.word().to_owned()),
            acknowledgement: None,
        };
        let kept = self.intake.keep(flow, entry, then);
        Ok(Waiting::New {
            kept,
            finished,
            shown: refusal,
        })
    }

    /// Keeps the lines outside of all messages, for a person to see.
    fn take_envelope(
        &self,
        flow: &Arc<Flow>,
        lines: Bytes,
        by: &str,
    ) -> Result<Waiting, ControlError> {
        let header = decode::envelope_header(&Message::parse(lines.clone()));
        if let Some(known) = self.known(flow.name(), &header, &lines)? {
            return Ok(Waiting::Known(known));
        }
        let reason = Attention::BatchEnvelope;
        let entry = Entry {
            flow: flow.name().to_owned(),
            connection: format!("imported by {by}"),
            retention: RETENTION.to_owned(),
            header,
            body: lines,
            no_message: Some(reason.code().to_owned()),
            acknowledgement: None,
        };
        let kept = self.intake.keep(flow, entry, Then::Show(reason));
        Ok(Waiting::New {
            kept,
            finished: None,
            shown: Some(reason),
        })
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
        // The states are noted behind the work; they can be read once this is written.
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

/// Waits for an outcome, for a while. What it is stands in the ledger.
fn wait(mut finished: oneshot::Receiver<Finished>, until: Instant) {
    while let Err(oneshot::error::TryRecvError::Empty) = finished.try_recv() {
        if until < Instant::now() {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
