//! Events that operators can count or read in the log.
//!
//! Invariant: fields are closed types, numbers and configured names. No free text, so no PHI.

use crate::attention::Attention;
use crate::metrics::Metrics;
use base::LogThrottle;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One event.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A source is bound.
    Listening {
        /// The flow's configured name.
        flow: &'a str,
        /// The bound address.
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
        /// The reason.
        reason: CloseReason,
        /// Messages received on it.
        n_messages: u64,
    },
    /// A source received a message and it is on disk.
    MessageReceived {
        /// The flow's configured name.
        flow: &'a str,
        /// The journal's sequence.
        sequence: u64,
        /// The size on the wire.
        n_bytes: usize,
        /// Time from the last byte read to the return of fsync.
        took: Duration,
    },
    /// A duplicate message arrived; its stored acknowledgement was sent.
    MessageRepeated {
        /// The flow's configured name.
        flow: &'a str,
        /// The sequence of the first one.
        sequence: u64,
    },
    /// A different message arrived with a control id used before.
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
        /// Resources created or changed.
        n_changed: usize,
        /// Time from receipt to commit.
        took: Duration,
    },
    /// A person has to look at a message.
    NeedsAttention {
        /// The flow's configured name.
        flow: &'a str,
        /// The journal's sequence.
        sequence: u64,
        /// The reason.
        reason: Attention,
    },
    /// A message is held until somebody releases it.
    MessageHeld {
        /// The flow's configured name.
        flow: &'a str,
        /// The journal's sequence.
        sequence: u64,
    },
    /// Applying failed with a transient error.
    Retried {
        /// The flow's configured name.
        flow: &'a str,
        /// The journal's sequence.
        sequence: u64,
        /// Attempts so far.
        n_attempts: u32,
        /// Delay before the next attempt.
        wait: Duration,
    },
    /// Another message changed a resource at the same time; the work is repeated immediately.
    Conflict {
        /// The flow's configured name.
        flow: &'a str,
        /// The journal's sequence.
        sequence: u64,
    },
    /// Messages of an earlier run were recovered.
    Recovered {
        /// The flow's configured name.
        flow: &'a str,
        /// The number of messages.
        n_messages: u64,
    },
    /// The journal cannot write: no message is acknowledged any more.
    JournalFailed {
        /// The flow's configured name.
        flow: &'a str,
    },
}

/// The reason a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// The peer closed it between two frames.
    PeerClosed,
    /// The peer closed it inside a frame.
    UnfinishedFrame,
    /// The peer speaks HTTP.
    Http,
    /// The peer speaks TLS to a plain-text port.
    Tls,
    /// The bytes are not a frame.
    Noise,
    /// The frame exceeds the size limit.
    TooLong,
    /// A frame did not end in time.
    FrameTimeout,
    /// The idle timeout expired.
    Idle,
    /// The peer does not read its answers.
    SlowReader,
    /// The connection limit is reached.
    TooManyConnections,
    /// The network failed.
    Network,
    /// The journal cannot write.
    JournalFailed,
    /// More data waits for the journal than memory may hold.
    Overloaded,
    /// The flow is draining.
    Draining,
}

/// A sink for events: logs and counts them.
#[derive(Clone, Debug, Default)]
pub struct Events {
    metrics: Metrics,
    /// Limits retry logs: on a full disk every message is retried again and again.
    retries: Arc<LogThrottle>,
}

// === impl Events ===

impl Events {
    /// Creates a sink that counts into `metrics`.
    pub fn new(metrics: Metrics) -> Self {
        Self {
            metrics,
            retries: Arc::default(),
        }
    }

    /// Returns the metrics that this sink counts into.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Logs and counts one event.
    pub fn emit(&self, event: Event<'_>) {
        self.metrics.count(event);
        if !matches!(event, Event::Retried { .. }) || self.retries.record(Instant::now()).is_some()
        {
            log(event);
        }
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
            tracing::warn!(flow, sequence, "control id reused by a different message");
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
            tracing::warn!(flow, sequence, n_attempts, %wait_ms, "message will be retried");
        }
        Event::Conflict { flow, sequence } => {
            tracing::debug!(flow, sequence, "write conflict, applied again");
        }
        Event::Recovered { flow, n_messages } => {
            tracing::info!(flow, n_messages, "messages of an earlier run recovered");
        }
        Event::JournalFailed { flow } => {
            tracing::error!(flow, "the journal cannot write: no message is acknowledged");
        }
    }
}

// === impl CloseReason ===

impl CloseReason {
    /// Returns the word for logs and metrics.
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

    /// Returns true where the peer may still be sending data that nobody reads.
    pub(crate) fn discards_input(self) -> bool {
        matches!(
            self,
            Self::TooLong | Self::Noise | Self::Http | Self::Tls | Self::FrameTimeout
        )
    }

    fn is_usual(self) -> bool {
        matches!(self, Self::PeerClosed | Self::Idle | Self::Draining)
    }
}
