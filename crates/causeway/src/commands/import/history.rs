//! Import of HL7 v2 history: messages, batch files and folders of them, taken by a flow.
//!
//! Invariants:
//! - files are taken in order of name, and messages in file order;
//! - each message is processed as if it arrived over the flow's connection
//!   ([`flow::Engine::import`]), by a running server or by a local engine that does not listen;
//! - a message that the flow already has is counted as known and not taken again, so the import is
//!   idempotent: an interrupted one can be run again from its beginning.

use super::Tally;
use crate::config::{Config, JournalSettings};
use crate::failure::Failure;
use crate::http::Http;
use crate::maps::SiteMaps;
use bytes::Bytes;
use flow::{
    ChartDestination, Engine, EngineConfig, Events, FlowConfig, Handles, LiveMaps, Maps, Metrics,
    Sources,
};
use hl7v2::batch::{Part, Parts};
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use store::chart::Chart;
use store::journal::Journal;
use tokio::runtime::Runtime;

/// The importer of messages: a running server or a local engine.
pub(super) enum Importer<'a> {
    /// A flow of a running server.
    Server { http: &'a Http, flow: &'a str },
    /// A local engine.
    Local(LocalEngine),
}

/// A local engine over a data directory that no server holds.
pub(super) struct LocalEngine {
    engine: Engine,
    runtime: Runtime,
    flow: String,
}

/// The flows, maps and journal settings of a site, or the defaults without one.
pub(super) struct Site {
    pub(super) flow: String,
    engine: EngineConfig,
    maps: LiveMaps,
    pub(super) journal: JournalSettings,
}

/// The limits of a chunk that is sent at once.
const MAX_MESSAGES: usize = 256;
const MAX_BYTES: usize = 1 << 20;
/// The time limit for finishing messages in progress at the end.
const DRAIN: Duration = Duration::from_mins(5);

// === impl Site ===

impl Site {
    /// Creates the site of a configuration, with the flow of the given name.
    pub(super) fn of(config: &Config, flow: Option<&str>) -> Result<Self, Failure> {
        let named = config.flow(flow).map_err(Failure::usage)?.name.clone();
        let maps = SiteMaps::of(config);
        let read = maps.at_start()?;
        Ok(Self {
            flow: named,
            engine: config.engine_config(),
            maps: maps.live(read),
            journal: config.journal.clone(),
        })
    }

    /// Creates a site with one default flow and the built-in maps.
    pub(super) fn plain(flow: Option<&str>) -> Self {
        let name = flow.unwrap_or("import").to_owned();
        let unused = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            engine: EngineConfig::new(vec![FlowConfig::mllp(name.clone(), unused)]),
            flow: name,
            maps: Maps::Builtin.into(),
            journal: JournalSettings::default(),
        }
    }
}

// === impl LocalEngine ===

impl LocalEngine {
    pub(super) fn start(site: Site, chart: &Chart, journal: &Journal) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::failed(format!("could not start the runtime: {error}")))?;
        let metrics = Metrics::default();
        let events = Events::new(metrics.clone());
        let handles = Handles {
            journal: journal.clone(),
            destination: Arc::new(ChartDestination::new(chart.clone(), site.maps, events)),
            clock: Arc::new(base::SystemClock),
            metrics,
        };
        let engine = runtime
            .block_on(Engine::start_with(site.engine, handles, Sources::Closed))
            .map_err(|error| Failure::from_error(&error))?;
        Ok(Self {
            engine,
            runtime,
            flow: site.flow,
        })
    }

    /// Finishes the messages in progress.
    pub(super) fn finish(self) {
        self.runtime.block_on(self.engine.drain(DRAIN));
    }
}

// === impl Importer ===

impl Importer<'_> {
    /// Imports one file.
    pub(super) fn file(&self, name: &str, bytes: Vec<u8>, tally: &mut Tally) {
        let mut parts = Parts::new(Bytes::from(bytes));
        let (mut chunk, mut n_messages, mut outside) = (Vec::new(), 0, Vec::new());
        let mut n_seen = 0;
        for part in parts.by_ref() {
            match part {
                Part::Message(member) => {
                    chunk.extend_from_slice(&member.bytes);
                    chunk.push(b'\r');
                    n_messages += 1;
                    n_seen += 1;
                    if MAX_MESSAGES <= n_messages || MAX_BYTES <= chunk.len() {
                        self.chunk(name, std::mem::take(&mut chunk), tally);
                        n_messages = 0;
                    }
                }
                Part::FileHeader(line) | Part::BatchHeader(line) | Part::Stray(line) => {
                    outside.extend_from_slice(&line);
                    outside.push(b'\r');
                }
                Part::BatchTrailer(trailer) | Part::FileTrailer(trailer) => {
                    outside.extend_from_slice(&trailer.bytes);
                    outside.push(b'\r');
                }
            }
        }
        if !chunk.is_empty() {
            self.chunk(name, chunk, tally);
        }
        if n_seen == 0 {
            tally.fail(name, "neither JSON nor an HL7 v2 message (no MSH)");
            return;
        }
        // The messages are taken anyway; a person has to ask for the missing ones.
        for issue in parts.issues() {
            tally.fail(name, &issue.to_string());
        }
        if !parts.issues().is_empty() && !outside.is_empty() {
            self.chunk(name, outside, tally);
        }
    }

    fn chunk(&self, name: &str, chunk: Vec<u8>, tally: &mut Tally) {
        if let Err(reason) = self.take(chunk, tally) {
            tally.fail(name, &reason);
        }
    }

    fn take(&self, chunk: Vec<u8>, tally: &mut Tally) -> Result<(), String> {
        match self {
            Self::Local(local) => {
                let done = local
                    .engine
                    .import(&local.flow, Bytes::from(chunk), "import");
                for one in done.map_err(|error| error.to_string())?.messages {
                    tally.message(one.state.word(), one.known);
                }
            }
            Self::Server { http, flow } => {
                let flow = super::super::messages::encode(flow);
                let answer = http.post(&format!("/api/flows/{flow}/import"), &chunk);
                let text = answer
                    .and_then(Http::expect)
                    .map_err(|error| error.to_string())?;
                let answer: Value =
                    serde_json::from_str(&text).map_err(|error| error.to_string())?;
                let messages = answer.get("messages").and_then(Value::as_array);
                for one in messages.into_iter().flatten() {
                    let state = one.get("state").and_then(Value::as_str).unwrap_or("");
                    tally.message(state, one.get("known") == Some(&Value::Bool(true)));
                }
            }
        }
        Ok(())
    }
}
