//! The running flows: start, look, replay, release, drain.
//!
//! Invariants:
//! - what an earlier run journaled and did not apply is on the board before a socket is bound, so
//!   it comes before every new message of its partition;
//! - stopping takes nothing back: what is not done at the deadline is done after the next start.

use crate::control::ControlError;
use crate::destination::Destination;
use crate::events::{Event, Events};
use crate::flow::Flow;
use crate::intake::Intake;
use crate::metrics::Metrics;
use crate::recovery;
use crate::snapshot::{FlowState, Snapshot};
use crate::source::answer::Desk;
use crate::source::connection::Shared;
use crate::source::mllp;
use crate::step::work::Work;
use crate::topology::{EngineConfig, FlowConfig, Problem};
use base::Clock;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use store::journal::Journal;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// What the engine works on. The binary opens these and shares them with the server.
#[derive(Clone)]
pub struct Handles {
    /// Every message.
    pub journal: Journal,
    /// Where messages go: `flow::ChartDestination` over the chart and the maps.
    pub destination: Arc<dyn Destination>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where to count; the server renders it.
    pub metrics: Metrics,
}

/// The running flows. Dropping it without [`Engine::drain`] is like a crash: nothing is lost.
pub struct Engine {
    pub(crate) flows: Vec<Arc<Flow>>,
    pub(crate) work: Arc<Work>,
    pub(crate) intake: Intake,
    stop: watch::Sender<bool>,
    sources: Mutex<JoinSet<()>>,
    workers: Mutex<Vec<JoinHandle<()>>>,
}

/// Whether the flows take messages from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sources {
    /// Each flow's address is bound.
    Bound,
    /// Nothing listens: messages come by [`Engine::import`] alone.
    Closed,
}

/// The engine could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is wrong.
    #[error("the configuration of the flows is wrong: {}", first(.0))]
    Config(Vec<Problem>),
    /// A listener's address could not be bound.
    #[error(
        "flow `{flow}` could not listen on {address}; stop what listens there, or choose another port"
    )]
    Listen {
        /// The flow.
        flow: String,
        /// The address.
        address: SocketAddr,
        /// The cause.
        source: std::io::Error,
    },
    /// What the journal holds could not be read.
    #[error("the journal could not be read")]
    Journal(#[from] store::journal::ReadError),
    /// A thread could not be started.
    #[error("could not start a worker")]
    Thread(#[source] std::io::Error),
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Everything journaled was applied or came to rest where a person sees it.
    Completely,
    /// The deadline came first; so many are in the journal and go on at the next start.
    WithWaiting(u64),
}

// === impl Engine ===

impl Engine {
    /// Takes up what was journaled and not applied, then binds every source.
    /// Needs a running tokio runtime.
    pub async fn start(config: EngineConfig, handles: Handles) -> Result<Self, StartError> {
        Self::start_with(config, handles, Sources::Bound).await
    }

    /// The same, with or without anything that listens.
    pub async fn start_with(
        config: EngineConfig,
        handles: Handles,
        sources: Sources,
    ) -> Result<Self, StartError> {
        let problems = crate::topology::check(&config);
        if !problems.is_empty() {
            return Err(StartError::Config(problems));
        }
        let flows: Vec<_> = config
            .flows
            .into_iter()
            .map(|flow| Arc::new(Flow::new(flow)))
            .collect();
        let events = Events::new(handles.metrics);
        let work = Arc::new(Work::new(
            handles.journal,
            events.clone(),
            handles.clock,
            handles.destination,
            config.max_waiting,
        ));
        let mut listeners = Vec::new();
        // Bound first: a port that is taken should not cost the recovery. Nothing is accepted yet.
        if sources == Sources::Bound {
            for flow in &flows {
                listeners.push((mllp::bind(flow).await?, Arc::clone(flow)));
            }
        }
        for stopped in work.journal.ledger().flows_stopped()? {
            if let Some(flow) = flows.iter().find(|flow| flow.name() == stopped.flow) {
                flow.valve.close();
            }
        }
        recovery::take_up(&work, &flows)?;
        recovery::name_senders(&work, &flows)?;
        let workers = start_workers(&work, config.workers)?;
        let (stop, stopped) = watch::channel(false);
        let intake = Intake::start(work.journal.clone(), Arc::clone(&work));
        let shared = Shared {
            intake: intake.clone(),
            events: events.clone(),
            destination: Arc::clone(&work.destination),
            desk: Arc::new(Desk::new(Arc::clone(&work))),
            stop: stopped,
        };
        let mut sources = JoinSet::new();
        for (listener, flow) in listeners {
            if let Some(address) = flow.address.get().copied()
                && flow.valve.is_open()
            {
                events.emit(Event::Listening {
                    flow: flow.name(),
                    address,
                });
            }
            sources.spawn(mllp::serve(listener, flow, shared.clone()));
        }
        Ok(Self {
            flows,
            work,
            intake,
            stop,
            sources: Mutex::new(sources),
            workers: Mutex::new(workers),
        })
    }

    /// It takes no new work: whoever makes it has to stop.
    pub fn is_draining(&self) -> bool {
        *self.stop.borrow()
    }

    /// How many messages that an earlier run left, or that a lost chart lacks, are still to be applied.
    pub fn n_taken_up(&self) -> u64 {
        let left = self.flows.iter();
        left.map(|flow| flow.taken_up.load(Ordering::Relaxed)).sum()
    }

    /// Each flow's name and the address it listens on.
    pub fn addresses(&self) -> Vec<(String, SocketAddr)> {
        let bound = |flow: &Arc<Flow>| Some((flow.name().to_owned(), *flow.address.get()?));
        self.flows.iter().filter_map(bound).collect()
    }

    /// How a flow is configured; none where it is not.
    pub fn config(&self, flow: &str) -> Option<&FlowConfig> {
        let mut flows = self.flows.iter();
        flows
            .find(|known| known.name() == flow)
            .map(|known| &known.config)
    }

    /// The picture now. Its numbers are read from the journal; not for an async task's own thread.
    pub fn snapshot(&self) -> Result<Snapshot, ControlError> {
        crate::snapshot::take(&self.work, &self.flows)
    }

    /// The metrics in Prometheus text format.
    pub fn render_metrics(&self) -> String {
        let metrics = self.work.events.metrics();
        for flow in &self.flows {
            metrics.set_waiting(flow.name(), flow.waiting.load(Ordering::Relaxed));
        }
        metrics.render()
    }

    /// Takes messages again after a full disk, once the journal does.
    pub fn resume(&self) {
        if self.work.journal.stopped().is_none() {
            self.flows.iter().for_each(|flow| flow.resume());
        }
    }

    /// Takes no new messages, finishes what is journaled, and says how far it came.
    pub async fn drain(&self, deadline: Duration) -> Drained {
        let until = Instant::now() + deadline;
        for flow in &self.flows {
            flow.set_state(FlowState::Draining);
        }
        // Everybody who listens to it has ended where nobody does.
        let _ = self.stop.send(true);
        let mut sources =
            std::mem::take(&mut *self.sources.lock().unwrap_or_else(PoisonError::into_inner));
        let all = async { while sources.join_next().await.is_some() {} };
        let _ = tokio::time::timeout_at(until, all).await;
        while 0 < self.work.board.len() && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let n_left = self.work.board.len() as u64;
        self.work.board.close();
        let workers =
            std::mem::take(&mut *self.workers.lock().unwrap_or_else(PoisonError::into_inner));
        // A worker ends after the message that it has; its commit takes milliseconds.
        let joined =
            tokio::task::spawn_blocking(move || workers.into_iter().map(JoinHandle::join).count());
        let _ = joined.await;
        // What the workers noted down in passing is on disk once this is.
        if let Err(error) = self.work.journal.ledger().record(Vec::new()).await {
            tracing::warn!(%error, "the last states are not written down; they are found again");
        }
        if n_left == 0 {
            Drained::Completely
        } else {
            Drained::WithWaiting(n_left)
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.work.board.close();
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("addresses", &self.addresses())
            .finish_non_exhaustive()
    }
}

fn start_workers(work: &Arc<Work>, n_workers: usize) -> Result<Vec<JoinHandle<()>>, StartError> {
    let one = |idx| {
        let work = Arc::clone(work);
        std::thread::Builder::new()
            .name(format!("flow-{idx}"))
            .spawn(move || {
                store::Priority::Behind.take();
                work.run();
            })
            .map_err(StartError::Thread)
    };
    (0..n_workers.max(1)).map(one).collect()
}

fn first(problems: &[Problem]) -> String {
    problems
        .first()
        .map(|problem| format!("{}: {}. {}", problem.at, problem.reason, problem.remedy))
        .unwrap_or_default()
}
