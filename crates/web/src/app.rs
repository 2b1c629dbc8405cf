//! The state that every handler is given.

use crate::measure::Measures;
use crate::searching::SearchPool;
use base::{Clock, Timestamp};
use flow::{Engine, LiveMaps};
use security::{Administrator, Sessions, Throttle, Tokens};
use std::path::PathBuf;
use std::sync::Arc;
use store::audit::AuditLog;
use store::chart::Chart;
use store::journal::Journal;
use tokio::task::JoinError;

/// The components that the handlers work on. The binary opens them.
pub struct Parts {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The chart: resources and their versions.
    pub chart: Chart,
    /// The journal: received messages.
    pub journal: Journal,
    /// The audit log.
    pub audit: AuditLog,
    /// The running flows.
    pub engine: Arc<Engine>,
    /// The metrics of the server and the stores.
    pub measures: Measures,
    /// The maps that messages go through, the same ones that the flows' destination applies.
    pub maps: LiveMaps,
    /// The single administrator.
    pub administrator: Administrator,
    /// Console sessions.
    pub sessions: Sessions,
    /// Bearer tokens.
    pub tokens: Tokens,
    /// The rate limit on login attempts, against guessing.
    pub throttle: Throttle,
    /// The URL at which clients reach the server, such as `http://127.0.0.1:8080`, used for links
    /// in responses.
    pub base_url: String,
    /// The limits on bundles.
    pub bundles: BundleLimits,
    /// The data directory, whose disk usage is reported.
    pub data: PathBuf,
    /// The time at which the process started.
    pub started: Timestamp,
    /// True if the browser sees an `https` address (behind a TLS proxy): cookies are then marked
    /// `Secure`.
    pub is_https: bool,
}

/// The limits on a batch or transaction and on its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BundleLimits {
    /// The number of entries.
    pub max_entries: usize,
    /// The total size in bytes of the resources returned for the GET entries.
    pub max_answer_bytes: usize,
}

/// A cheaply cloneable handle to the parts.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    parts: Parts,
    searching: SearchPool,
}

// === impl App ===

impl App {
    /// Creates a handle that shares the parts.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(Inner {
            parts,
            searching: SearchPool::new(),
        }))
    }

    /// Runs a search of the stores off the event loop, at a lower priority than work that cannot
    /// wait.
    pub async fn search<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        self.0.searching.run(work).await
    }

    /// Returns the names of all flows, past and present: those configured and those that the
    /// journal has messages of. Blocks, so async code must not call it on its own thread.
    pub fn known_flows(&self) -> Result<Vec<String>, store::journal::ReadError> {
        let configured = self.engine.addresses().into_iter().map(|(name, _)| name);
        let mut names: Vec<String> = configured.collect();
        for count in self.journal.counts()? {
            if !names.contains(&count.flow) {
                names.push(count.flow);
            }
        }
        Ok(names)
    }

    /// Returns the FHIR base URL, such as `http://127.0.0.1:8080/fhir`.
    pub fn fhir_base(&self) -> String {
        format!("{}/fhir", self.base_url)
    }
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0.parts
    }
}

// === impl BundleLimits ===

impl Default for BundleLimits {
    fn default() -> Self {
        Self {
            max_entries: 10_000,
            max_answer_bytes: 64 << 20,
        }
    }
}
