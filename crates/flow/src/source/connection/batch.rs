//! Frames with more than one message: an FHS/BHS envelope (2.8.2 chapter 2.10.3), or several
//! messages in sequence.
//!
//! Invariants:
//! - each message is journaled, applied and answered in order as if it had arrived alone;
//! - the envelope causes no refusal: where it does not match, it is kept beside its messages and
//!   shown;
//! - the answers travel in one frame, whose end is written only after all messages are on disk.

use super::{RETENTION, Reader};
use crate::attention::Attention;
use crate::events::CloseReason;
use crate::intake::Then;
use crate::source::answer::{Answer, Prepared};
use crate::source::room::Held;
use crate::source::writer::{BatchEnd, Turn};
use crate::step::decode;
use bytes::Bytes;
use hl7v2::Message;
use hl7v2::batch::{Part, Parts};
use std::time::Instant;
use store::journal::Entry;
use tokio::sync::mpsc;

impl Reader<'_> {
    /// Takes the messages of a batch. Returns why to close, if so.
    pub(super) async fn batch(
        &mut self,
        frame: Bytes,
        memory: Option<Held>,
        queue: &mpsc::Sender<Turn>,
    ) -> Option<CloseReason> {
        let mut parts = Parts::new(frame);
        let mut envelope = Vec::new();
        let mut turn = Turn::BatchBegins;
        loop {
            if queue.send(turn).await.is_err() {
                return Some(CloseReason::Network);
            }
            turn = match parts.next() {
                Some(Part::Message(member)) => {
                    // A copy: a message that waits for its patient must not retain the whole frame.
                    let bytes = Bytes::copy_from_slice(&member.bytes);
                    Turn::Member(Box::new(self.take(bytes, None).0))
                }
                Some(part) => {
                    envelope.extend_from_slice(line(&part));
                    envelope.push(b'\r');
                    Turn::Envelope(part)
                }
                None => break,
            };
        }
        let fits = parts.issues().is_empty();
        let fault = (!fits).then(|| Box::new(self.keep_envelope(envelope.into())));
        let end = Turn::BatchEnds(BatchEnd { fault, memory });
        queue
            .send(end)
            .await
            .is_err()
            .then_some(CloseReason::Network)
    }

    /// Journals the lines outside of all messages, for a person to see.
    fn keep_envelope(&mut self, lines: Bytes) -> Answer {
        let since = Instant::now();
        let message = Message::parse(lines.clone());
        let reason = Attention::BatchEnvelope;
        let entry = Entry {
            flow: self.flow.name().to_owned(),
            connection: self.peer.clone(),
            retention: RETENTION.to_owned(),
            header: decode::envelope_header(&message),
            body: lines,
            no_message: Some(reason.code().to_owned()),
            acknowledgement: None,
        };
        let kept = self
            .shared
            .intake
            .keep(self.flow, entry, Then::Show(reason));
        Answer {
            message,
            kept,
            finished: None,
            prepared: Prepared::default(),
            since,
            memory: None,
        }
    }
}

fn line(part: &Part) -> &[u8] {
    match part {
        Part::FileHeader(bytes) | Part::BatchHeader(bytes) | Part::Stray(bytes) => bytes,
        Part::BatchTrailer(trailer) | Part::FileTrailer(trailer) => &trailer.bytes,
        Part::Message(member) => &member.bytes,
    }
}
