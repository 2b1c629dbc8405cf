//! Something that the operators can count or read in the log.
//!
//! Invariant: the fields are closed types, numbers and configured names. No free text, so no PHI.

use crate::metrics::Metrics;
use std::net::SocketAddr;
use std::time::Duration;

/// One thing that happened.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A source is bound.
    Listening {
        /// The flow's configured name.
        flow: &'a str,
        /// Where.
        address: SocketAddr,
    },
    /// A peer connected.
    ConnectionOpened {
        /// The flow's configured name.
        flow: &'a str,
        /// Number of the connection in this run.
        connection: u64,
        /// The peer.
        peer: SocketAddr,
    },
    /// A connection ended.
    ConnectionClosed {
        /// The flow's configured name.
        flow: &'a str,
        /// Number of the connection in this run.
        connection: u64,
        /// Why.
        reason: CloseReason,
        /// Messages that came over it.
        n_messages: u64,
    },
    /// A source took one message and it is on disk.
    MessageReceived {
        /// The flow's configured name.
        flow: &'a str,
        /// The journal's sequence.
        sequence: u64,
        /// The size on the wire.
        n_bytes: usize,
        /// From the last byte read to the return of fsync.
        took: Duration,
    },
    /// The same message came again; its stored acknowledgement was sent.
    MessageRepeated {
        /// The flow's configured name.
        flow: &'a str,
        /// The sequence of the first one.
        sequence: u64,
    },
    /// Another message came under a control id that was used before.
    ControlIdReused {
        /// The flow's configured name.
        flow: &'a str,
        /// The journal's sequence.
        sequence: u64,
    },
    /// A message was acknowledged.
    Acknowledged {
        /// The flow's configured name.
        flow: &'a str,
        /// MSA-1.
        code: &'static str,
    },
    /// A message is in the chart.
    MessageApplied {
        /// The flow's configured name.
        flow: &'a str,
        /// The journal's sequence.
        sequence: u64,
        /// Resources made or changed.
        n_changed: usize,
        /// From receipt to commit.
        took: Duration,
    },
    /// A person has to look at a message.
    NeedsAttention {
        /// The flow's configured name.
        flow: &'a str,
        /// The journal's sequence.
        sequence: u64,
        /// Why.
        reason: Attention,
    },
    /// A message is held until somebody releases it.
    MessageHeld {
        /// The flow's configured name.
        flow: &'a str,
        /// The journal's sequence.
        sequence: u64,
    },
    /// Applying failed for a reason that may pass.
    Retried {
        /// The flow's configured name.
        flow: &'a str,
        /// The journal's sequence.
        sequence: u64,
        /// Attempts so far.
        n_attempts: u32,
        /// How long it waits now.
        wait: Duration,
    },
    /// Another message changed a resource at the same time; the work is done again at once.
    Conflict {
        /// The flow's configured name.
        flow: &'a str,
        /// The journal's sequence.
        sequence: u64,
    },
    /// Messages of an earlier run were taken up.
    Recovered {
        /// The flow's configured name.
        flow: &'a str,
        /// How many.
        n_messages: u64,
    },
    /// The journal cannot write: nothing is acknowledged any more.
    JournalFailed {
        /// The flow's configured name.
        flow: &'a str,
    },
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// The peer closed it between two frames.
    PeerClosed,
    /// The peer closed it inside a frame.
    UnfinishedFrame,
    /// The peer speaks HTTP.
    Http,
    /// The peer speaks TLS to a plain port.
    Tls,
    /// Bytes that are no frame.
    Noise,
    /// A frame longer than the cap.
    TooLong,
    /// A frame that began did not end in time.
    FrameTimeout,
    /// Nothing came for too long.
    Idle,
    /// The peer does not take its answers.
    SlowReader,
    /// Too many connections.
    TooManyConnections,
    /// The network failed.
    Network,
    /// The journal cannot write.
    JournalFailed,
    /// More waits for the journal than memory should hold.
    Overloaded,
    /// The flow is draining.
    Draining,
}

/// Why a person has to look at a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Attention {
    /// The bytes are no message.
    NoMessage,
    /// The envelope of a batch does not fit what came in it.
    BatchEnvelope,
    /// It is a part of a message that its sender cut into several.
    Fragment,
    /// MSH-9 is missing.
    NoMessageType,
    /// MSH-10 is missing.
    NoControlId,
    /// MSH-11 is missing.
    NoProcessingId,
    /// MSH-11 is not one of the flow's.
    WrongProcessingId,
    /// It has more segments and repeats than the flow takes, or more separators than are split at.
    TooManyParts,
    /// No map takes this type and event.
    NoMap,
    /// HL7 does not know this version, or no map takes it.
    UnknownVersion,
    /// The map found errors that leave nothing to apply.
    MapFailed,
    /// The chart refused what the map made.
    ChartRefused,
    /// Two records claim what this message names.
    Ambiguous,
    /// A patient was to be merged with itself.
    MergeWithItself,
    /// A merge would close a circle.
    MergeCircle,
    /// It was tried as often as the flow allows.
    TooManyAttempts,
}

/// Takes events: writes the log line and counts.
#[derive(Clone, Debug, Default)]
pub struct Events {
    metrics: Metrics,
}

// === impl Events ===

impl Events {
    /// Counts into `metrics`.
    pub fn new(metrics: Metrics) -> Self {
        Self { metrics }
    }

    /// The metrics that it counts into.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Logs and counts one event.
    pub fn emit(&self, event: Event<'_>) {
        self.metrics.count(event);
        log(event);
    }
}

fn log(event: Event<'_>) {
    match event {
        Event::Listening { flow, address } => tracing::info!(flow, %address, "listening"),
        Event::ConnectionOpened {
            flow,
            connection,
            peer,
        } => {
            tracing::info!(flow, connection, %peer, "connection opened");
        }
        Event::ConnectionClosed {
            flow,
            connection,
            reason,
            n_messages,
        } => {
            if reason.is_usual() {
                tracing::info!(
                    flow,
                    connection,
                    reason = reason.word(),
                    n_messages,
                    "connection closed"
                );
            } else {
                tracing::warn!(
                    flow,
                    connection,
                    reason = reason.word(),
                    n_messages,
                    "connection closed"
                );
            }
        }
        Event::MessageReceived {
            flow,
            sequence,
            n_bytes,
            ..
        } => {
            tracing::debug!(flow, sequence, n_bytes, "message received");
        }
        Event::MessageRepeated { flow, sequence } => {
            tracing::info!(
                flow,
                sequence,
                "message repeated, stored acknowledgement sent"
            );
        }
        Event::ControlIdReused { flow, sequence } => {
            tracing::warn!(flow, sequence, "control id used again by another message");
        }
        Event::Acknowledged { flow, code } => tracing::debug!(flow, code, "acknowledged"),
        Event::MessageApplied {
            flow,
            sequence,
            n_changed,
            ..
        } => {
            tracing::debug!(flow, sequence, n_changed, "message applied");
        }
        Event::NeedsAttention {
            flow,
            sequence,
            reason,
        } => {
            tracing::warn!(
                flow,
                sequence,
                reason = reason.code(),
                "message needs attention"
            );
        }
        Event::MessageHeld { flow, sequence } => tracing::warn!(flow, sequence, "message held"),
        Event::Retried {
            flow,
            sequence,
            n_attempts,
            wait,
        } => {
            let wait_ms = wait.as_millis();
            tracing::warn!(flow, sequence, n_attempts, %wait_ms, "message will be tried again");
        }
        Event::Conflict { flow, sequence } => {
            tracing::debug!(flow, sequence, "conflict, done again");
        }
        Event::Recovered { flow, n_messages } => {
            tracing::info!(flow, n_messages, "messages of an earlier run taken up");
        }
        Event::JournalFailed { flow } => {
            tracing::error!(flow, "the journal cannot write: nothing is acknowledged");
        }
    }
}

// === impl CloseReason ===

impl CloseReason {
    /// The word for logs and metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::PeerClosed => "peer_closed",
            Self::UnfinishedFrame => "unfinished_frame",
            Self::Http => "http_on_mllp_port",
            Self::Tls => "tls_on_plain_port",
            Self::Noise => "noise",
            Self::TooLong => "frame_too_long",
            Self::FrameTimeout => "frame_timeout",
            Self::Idle => "idle",
            Self::SlowReader => "slow_reader",
            Self::TooManyConnections => "too_many_connections",
            Self::Network => "network",
            Self::JournalFailed => "journal_failed",
            Self::Overloaded => "overloaded",
            Self::Draining => "draining",
        }
    }

    /// True where the peer may still be sending what nobody reads.
    pub(crate) fn throws_away(self) -> bool {
        matches!(
            self,
            Self::TooLong | Self::Noise | Self::Http | Self::Tls | Self::FrameTimeout
        )
    }

    fn is_usual(self) -> bool {
        matches!(self, Self::PeerClosed | Self::Idle | Self::Draining)
    }
}

// === impl Attention ===

impl Attention {
    /// Every reason.
    pub const ALL: [Self; 16] = [
        Self::NoMessage,
        Self::BatchEnvelope,
        Self::Fragment,
        Self::NoMessageType,
        Self::NoControlId,
        Self::NoProcessingId,
        Self::WrongProcessingId,
        Self::TooManyParts,
        Self::NoMap,
        Self::UnknownVersion,
        Self::MapFailed,
        Self::ChartRefused,
        Self::Ambiguous,
        Self::MergeWithItself,
        Self::MergeCircle,
        Self::TooManyAttempts,
    ];

    /// The stable code for the journal, logs and metrics.
    pub fn code(self) -> &'static str {
        match self {
            Self::NoMessage => "no_message",
            Self::BatchEnvelope => "batch_envelope",
            Self::Fragment => "fragment",
            Self::NoMessageType => "no_message_type",
            Self::NoControlId => "no_control_id",
            Self::NoProcessingId => "no_processing_id",
            Self::WrongProcessingId => "wrong_processing_id",
            Self::TooManyParts => "too_many_parts",
            Self::NoMap => "no_map",
            Self::UnknownVersion => "unknown_version",
            Self::MapFailed => "map_failed",
            Self::ChartRefused => "chart_refused",
            Self::Ambiguous => "ambiguous",
            Self::MergeWithItself => "merge_with_itself",
            Self::MergeCircle => "merge_circle",
            Self::TooManyAttempts => "too_many_attempts",
        }
    }

    /// True where later messages of the partition build on this one, so the flow's policy for a
    /// failing head counts. A message that was refused at the door, or a merge that makes no sense,
    /// leaves nothing behind that others could miss.
    pub fn blocks(self) -> bool {
        match self {
            Self::MapFailed | Self::ChartRefused | Self::Ambiguous | Self::TooManyAttempts => true,
            Self::NoMessage
            | Self::BatchEnvelope
            | Self::Fragment
            | Self::NoMessageType
            | Self::NoControlId
            | Self::NoProcessingId
            | Self::WrongProcessingId
            | Self::TooManyParts
            | Self::NoMap
            | Self::UnknownVersion
            | Self::MergeWithItself
            | Self::MergeCircle => false,
        }
    }

    /// Reads [`Self::code`].
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }

    /// What is wrong and what helps, for the console; no PHI.
    pub fn explain(self) -> &'static str {
        match self {
            Self::NoMessage => {
                "These bytes are no whole message: they do not begin with MSH, or their frame is cut or too long. \
                 Look at what the sender is."
            }
            Self::BatchEnvelope => {
                "The batch is not what its envelope says: a count is wrong or a segment is missing. \
                 All messages that came were taken. Ask the sender whether there are more."
            }
            Self::Fragment => {
                "The sender cut a message into several (DSC, MSH-14) and this is one of them. \
                 Parts are kept and not joined: the sender must send it whole."
            }
            Self::NoMessageType => "MSH-9 is missing. The sender must say the message type.",
            Self::NoControlId => {
                "MSH-10 is missing. The sender must give each message a control id."
            }
            Self::NoProcessingId => "MSH-11 is missing. The sender must say P, T or D.",
            Self::WrongProcessingId => {
                "MSH-11 says that this is no production message, so it stays out of the chart."
            }
            Self::TooManyParts => {
                "It has more segments and repeats than the flow takes (`max_parts`), or more than 262,144 \
                 separators, so it is kept and not translated. Let its sender send the parts as \
                 messages of their own, or raise the limit and replay."
            }
            Self::NoMap => "No map takes this type of message. Write one, then replay.",
            Self::UnknownVersion => {
                "MSH-12 is no version that the maps know. Correct it in a dialect, then replay."
            }
            Self::MapFailed => "The map could make nothing of it. See its issues, then replay.",
            Self::ChartRefused => {
                "The chart refused what the map made. See its issues, then replay."
            }
            Self::Ambiguous => "Its numbers name two different records. Decide which is meant.",
            Self::MergeWithItself => {
                "It merges a patient with the same patient. Nothing was changed."
            }
            Self::MergeCircle => "It would merge patients in a circle. Nothing was changed.",
            Self::TooManyAttempts => {
                "It was tried as often as the flow allows. Find the cause, then replay."
            }
        }
    }
}
