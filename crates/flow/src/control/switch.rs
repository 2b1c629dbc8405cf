//! Manual stop and start of a flow.
//!
//! Invariants:
//! - a stopped flow listens nowhere, so a sender is refused immediately and keeps its messages;
//! - messages that a stopped flow has accepted are finished: stopping undoes nothing;
//! - the command is on disk before it takes effect, and survives a restart.

use super::ControlError;
use crate::engine::Engine;
use crate::flow::Flow;
use crate::snapshot::FlowState;
use base::Timestamp;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::journal::{Change, StoppedFlow};

/// Time to wait for a socket that was released a moment ago.
const PATIENCE: Duration = Duration::from_secs(2);

/// A record of who stopped a flow, why, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// User who stopped the flow.
    pub by: String,
    /// Reason; empty where none was given.
    pub why: String,
    /// Time of the stop.
    pub since: Timestamp,
}

// === impl Stopped ===

impl Stopped {
    /// Converts the ledger's record, which has name and reason in one text.
    pub(crate) fn of(stopped: StoppedFlow) -> Self {
        let (by, why) = match stopped.by.split_once(": ") {
            Some((by, why)) => (by.to_owned(), why.to_owned()),
            None => (stopped.by, String::new()),
        };
        Self {
            by,
            why,
            since: stopped.since,
        }
    }
}

/// Formats user and reason: `admin: the interface engine is replaced`.
fn said(by: &str, why: &str) -> String {
    match why.trim() {
        "" => by.to_owned(),
        why => format!("{by}: {why}"),
    }
}

// === impl Engine ===

impl Engine {
    /// Stops accepting messages on this flow until somebody starts it; messages already received
    /// are acknowledged and applied. Blocks for an fsync.
    pub fn stop_flow(&self, name: &str, by: &str, why: &str) -> Result<(), ControlError> {
        let flow = self.running(name)?;
        let stopped = Change::FlowStopped {
            flow: name.to_owned(),
            by: said(by, why),
        };
        self.work.journal.ledger().record(vec![stopped]).wait()?;
        flow.valve.close();
        tracing::info!(flow = name, "flow stopped by hand");
        Ok(())
    }

    /// Starts accepting messages again. Blocks for an fsync.
    pub fn start_flow(&self, name: &str, by: &str) -> Result<(), ControlError> {
        let flow = self.running(name)?;
        if flow.valve.is_open() {
            return Ok(());
        }
        let listener = flow.address.get().map(|address| bind(name, *address));
        let listener = listener.transpose()?;
        let started = Change::FlowStarted {
            flow: name.to_owned(),
            by: by.to_owned(),
        };
        self.work.journal.ledger().record(vec![started]).wait()?;
        flow.valve.open(listener);
        tracing::info!(flow = name, "flow started by hand");
        Ok(())
    }

    fn running(&self, name: &str) -> Result<Arc<Flow>, ControlError> {
        let flow = self.flow(name)?;
        match flow.state() {
            FlowState::Running | FlowState::Stopped | FlowState::Off => Ok(flow),
            FlowState::Draining => Err(ControlError::Draining),
        }
    }
}

fn bind(flow: &str, address: SocketAddr) -> Result<TcpListener, ControlError> {
    let until = Instant::now() + PATIENCE;
    loop {
        let bound = TcpListener::bind(address)
            .and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
        match bound {
            Ok(listener) => return Ok(listener),
            Err(_) if Instant::now() < until => std::thread::sleep(Duration::from_millis(20)),
            Err(source) => {
                return Err(ControlError::Listen {
                    flow: flow.to_owned(),
                    address,
                    source,
                });
            }
        }
    }
}
