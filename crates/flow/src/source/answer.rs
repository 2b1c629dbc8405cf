//! Acknowledgements: their content and the time at which they are sent.
//!
//! Invariants:
//! - nothing positive is sent before the journal reports that the message is on disk;
//! - a duplicate gets the stored answer of the message that it repeats; where that message is
//!   undecided, the duplicate waits for it as well;
//! - each answer is stored with its message.

mod blame;

use crate::attention::{self, Attention};
use crate::events::{CloseReason, Event};
use crate::flow::Flow;
use crate::snapshot::FlowState;
use crate::source::room::Held;
use crate::step::work::{Finished, Refused, Work};
use crate::topology::AckPolicy;
use base::Timestamp;
use bytes::Bytes;
use hl7v2::Message;
use hl7v2::ack::{self, AckCode, AckError, Condition, Outcome};
use hl7v2::batch::Reply;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use store::journal::{Acknowledgement, Appended, Sequence, State, WriteError};
use tokio::sync::oneshot;

/// A writer of answers.
#[derive(Debug)]
pub(crate) struct Desk {
    work: Arc<Work>,
    /// Prefix of our own MSH-10: the start time in milliseconds; a counter follows.
    run: String,
    last: AtomicU64,
}

/// An answer that is owed to a sender.
pub(crate) struct Answer {
    pub(crate) message: Message,
    pub(crate) kept: oneshot::Receiver<Result<Appended, WriteError>>,
    /// Channel for the outcome, in a flow that acknowledges mapped messages.
    pub(crate) finished: Option<oneshot::Receiver<Finished>>,
    pub(crate) prepared: Prepared,
    pub(crate) since: Instant,
    /// Memory that the message takes, released once it is answered.
    pub(crate) memory: Option<Held>,
}

/// The acknowledgements that are known as soon as a message is on disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Prepared {
    /// Accept acknowledgement of enhanced mode, where the sender wants one.
    pub(crate) accept: Option<Acknowledgement>,
    /// Application acknowledgement.
    pub(crate) application: Application,
}

/// The application acknowledgement: none, known, or pending.
#[derive(Clone, Debug, Default)]
pub(crate) enum Application {
    /// None: the sender does not want one, or has received a refusal.
    #[default]
    Silent,
    /// Known now.
    Known(Acknowledgement),
    /// Decided by the outcome.
    Outcome,
}

/// Time that a sender waits for an outcome before it is outcome to ask again.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// Interval between checks for an outcome that another connection waits for.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

// === impl Prepared ===

impl Prepared {
    /// Returns the answer to store with the message; a duplicate gets it again.
    pub(crate) fn stored(&self) -> Option<&Acknowledgement> {
        match &self.application {
            Application::Known(known) => Some(known),
            Application::Silent => self.accept.as_ref(),
            Application::Outcome => None,
        }
    }
}

// === impl Desk ===

impl Desk {
    pub(crate) fn new(work: Arc<Work>) -> Self {
        let run = format!("{:x}", work.clock.now().micros() / 1000);
        Self {
            work,
            run,
            last: AtomicU64::new(0),
        }
    }

    /// Prepares the acknowledgements that are known as soon as the message is on disk.
    pub(crate) fn prepare(
        &self,
        flow: &Flow,
        message: &Message,
        refusal: Option<Attention>,
    ) -> Prepared {
        let Some(reason) = refusal else {
            let accept = ack::accept_code(message, Outcome::Accepted);
            return Prepared {
                accept: accept.map(|code| self.write(message, code, &[])),
                application: self.promise(flow, message),
            };
        };
        let (outcome, errors) = blame::of(flow, &Refused::on_receipt(reason));
        // 2.9.3.2: a refusing accept acknowledgement is final; no application acknowledgement
        // follows.
        if let Some(code) = ack::accept_code(message, outcome) {
            let accept = Some(self.write(message, code, &errors));
            return Prepared {
                accept,
                application: Application::Silent,
            };
        }
        let application = ack::application_code(message, outcome)
            .map_or(Application::Silent, |code| {
                Application::Known(self.write(message, code, &errors))
            });
        Prepared {
            accept: None,
            application,
        }
    }

    fn promise(&self, flow: &Flow, message: &Message) -> Application {
        match flow.config.acknowledge {
            AckPolicy::Received => ack::application_code(message, Outcome::Accepted)
                .map_or(Application::Silent, |code| {
                    Application::Known(self.write(message, code, &[]))
                }),
            AckPolicy::Mapped | AckPolicy::Delivered => Application::Outcome,
        }
    }

    /// Begins the batch that answers a batch.
    pub(crate) fn batch_reply(&self) -> Reply {
        Reply::new(self.work.clock.now(), self.next_id())
    }

    /// Waits until the answer may be sent, but no longer than `patience` for an outcome. Returns
    /// the acknowledgements to send, in order.
    pub(crate) async fn settle(
        &self,
        flow: &Flow,
        mut answer: Answer,
        patience: Duration,
    ) -> Result<Vec<Bytes>, CloseReason> {
        let appended = match (&mut answer.kept).await {
            Ok(Ok(appended)) => appended,
            Ok(Err(error)) => return Err(self.not_kept(flow, &error)),
            Err(_) => return Err(CloseReason::JournalFailed),
        };
        self.tell(flow, &answer, &appended);
        let (sequence, stored) = match appended {
            Appended::New { sequence, .. } => (sequence, None),
            Appended::Repeated {
                original,
                acknowledgement,
            } => (original, acknowledgement),
        };
        let application = match (stored, answer.prepared.application) {
            (Some(stored), _) => Some(stored),
            (None, Application::Known(known)) => Some(known),
            (None, Application::Silent) => None,
            (None, Application::Outcome) => {
                let outcome = self.outcome(sequence, answer.finished.take(), patience);
                let outcome = outcome.await;
                self.decided(flow, &answer.message, sequence, outcome.as_ref())
            }
        };
        // A stored accept acknowledgement replaces the one just made.
        let accept = answer
            .prepared
            .accept
            .filter(|_| !application.as_ref().is_some_and(is_accept));
        let said = accept.into_iter().chain(application);
        Ok(said
            .map(|said| {
                let code = AckCode::named(&said.code).map_or("", AckCode::as_str);
                self.work.events.emit(Event::Acknowledged {
                    flow: flow.name(),
                    code,
                });
                said.bytes
            })
            .collect())
    }

    /// Returns the application acknowledgement for an outcome, and stores it with the message once
    /// it is final.
    fn decided(
        &self,
        flow: &Flow,
        message: &Message,
        sequence: Sequence,
        outcome: Option<&Finished>,
    ) -> Option<Acknowledgement> {
        let (outcome, errors, is_final) = match outcome {
            Some(Finished::Applied(concerns)) => {
                (Outcome::Accepted, blame::warnings(message, concerns), true)
            }
            Some(Finished::Refused(refused)) => {
                let (outcome, errors) = blame::of(flow, refused);
                (outcome, errors, true)
            }
            // The message is safe here and continues; the sender may ask again.
            Some(Finished::Waits) | None => {
                let text = "the message is stored and not processed yet; ask again";
                (
                    Outcome::Rejected,
                    vec![AckError::new(Condition::InternalError, text)],
                    false,
                )
            }
        };
        let code = ack::application_code(message, outcome)?;
        let decided = self.write(message, code, &errors);
        if is_final {
            self.work.journal.acknowledged(sequence, decided.clone());
        }
        Some(decided)
    }

    async fn outcome(
        &self,
        sequence: Sequence,
        finished: Option<oneshot::Receiver<Finished>>,
        patience: Duration,
    ) -> Option<Finished> {
        let until = Instant::now() + patience;
        if let Some(finished) = finished
            && let Ok(Ok(outcome)) = tokio::time::timeout(patience, finished).await
        {
            return Some(outcome);
        }
        self.look_up(sequence, until).await
    }

    /// Looks up the outcome of a message that another connection sent or an earlier run received.
    async fn look_up(&self, sequence: Sequence, until: Instant) -> Option<Finished> {
        loop {
            let progress = self.work.journal.ledger().progress(sequence).ok()?;
            let state = progress
                .as_ref()
                .map_or(State::Received, |progress| progress.state);
            match state {
                State::Mapped | State::Delivered | State::Filtered => {
                    return Some(Finished::Applied(Vec::new()));
                }
                State::NeedsAttention | State::Held | State::Dead => {
                    let text = progress
                        .and_then(|progress| progress.reason)
                        .unwrap_or_default();
                    if attention::in_chart(&text) {
                        return Some(Finished::Applied(attention::read(&text)));
                    }
                    return Some(Finished::Refused(Refused::parse(&text)));
                }
                State::Parked => return Some(Finished::Waits),
                State::Received if until < Instant::now() => return None,
                State::Received => tokio::time::sleep(POLL_INTERVAL).await,
            }
        }
    }

    fn write(&self, message: &Message, code: AckCode, errors: &[AckError]) -> Acknowledgement {
        let (now, control_id) = (self.work.clock.now(), self.next_id());
        let bytes = ack::acknowledge(message, code, errors, now, &control_id);
        Acknowledgement {
            code: code.as_str().to_owned(),
            bytes: bytes.into(),
        }
    }

    /// Returns the current time.
    pub(crate) fn now(&self) -> Timestamp {
        self.work.clock.now()
    }

    fn next_id(&self) -> String {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        format!("{}-{number}", self.run)
    }

    fn tell(&self, flow: &Flow, answer: &Answer, appended: &Appended) {
        let events = &self.work.events;
        match appended {
            Appended::New {
                sequence,
                reused_control_id,
                ..
            } => {
                let (flow, sequence) = (flow.name(), sequence.get());
                let (n_bytes, took) = (answer.message.raw().len(), answer.since.elapsed());
                events.emit(Event::MessageReceived {
                    flow,
                    sequence,
                    n_bytes,
                    took,
                });
                if reused_control_id.is_some() {
                    events.emit(Event::ControlIdReused { flow, sequence });
                }
            }
            Appended::Repeated { original, .. } => {
                events.emit(Event::MessageRepeated {
                    flow: flow.name(),
                    sequence: original.get(),
                });
            }
        }
    }

    fn not_kept(&self, flow: &Flow, error: &WriteError) -> CloseReason {
        match error {
            // The sender gets no answer and sends the message again once there is room.
            WriteError::Overloaded => CloseReason::Overloaded,
            WriteError::TooLarge(_) => CloseReason::TooLong,
            WriteError::Stopped(_) | WriteError::Closed(_) | WriteError::Retention(_) => {
                if flow.state() != FlowState::Stopped {
                    flow.set_state(FlowState::Stopped);
                    self.work
                        .events
                        .emit(Event::JournalFailed { flow: flow.name() });
                    tracing::error!(flow = flow.name(), %error, "the journal cannot write");
                }
                CloseReason::JournalFailed
            }
        }
    }
}

fn is_accept(said: &Acknowledgement) -> bool {
    said.code.starts_with('C')
}
