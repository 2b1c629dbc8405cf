//! What every handler is given.

use crate::measure::Measures;
use crate::searching::Searching;
use base::{Clock, Timestamp};
use flow::{Engine, LiveMaps};
use security::{Administrator, Sessions, Throttle, Tokens};
use std::path::PathBuf;
use std::sync::Arc;
use store::audit::AuditLog;
use store::chart::Chart;
use store::journal::Journal;
use tokio::task::JoinError;

/// Everything the handlers work on. The binary opens these.
pub struct Parts {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Resources.
    pub chart: Chart,
    /// Messages.
    pub journal: Journal,
    /// Who saw what.
    pub audit: AuditLog,
    /// The running flows.
    pub engine: Arc<Engine>,
    /// What operators watch.
    pub measures: Measures,
    /// The maps that messages go through; those that the flows' destination applies.
    pub maps: LiveMaps,
    /// The one administrator.
    pub administrator: Administrator,
    /// Console sessions.
    pub sessions: Sessions,
    /// Bearer tokens.
    pub tokens: Tokens,
    /// Slows guessing at the login.
    pub throttle: Throttle,
    /// Where the server is reached, such as `http://127.0.0.1:8080`, for links in answers.
    pub base_url: String,
    /// How large bundles may be.
    pub bundles: BundleLimits,
    /// The data directory, for what it takes of the disk.
    pub data: PathBuf,
    /// When the process started.
    pub started: Timestamp,
    /// True where the address is `https` for the browser (behind a TLS proxy): cookies say `Secure`.
    pub is_https: bool,
}

/// How large a batch or transaction may be, and what it is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BundleLimits {
    /// Entries.
    pub max_entries: usize,
    /// Bytes of resources that its GET entries are answered with, together.
    pub max_answer_bytes: usize,
}

/// A cheap handle on the parts.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    parts: Parts,
    searching: Searching,
}

// === impl App ===

impl App {
    /// Shares the parts.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(Inner {
            parts,
            searching: Searching::new(),
        }))
    }

    /// Searches the stores, off the event loop and behind what cannot wait.
    pub async fn search<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        self.0.searching.run(work).await
    }

    /// Every flow that there is or was: those configured, and those that the journal has messages of.
    /// Not for an async task's own thread.
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

    /// The FHIR base URL, such as `http://127.0.0.1:8080/fhir`.
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
