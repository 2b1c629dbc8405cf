//! The engine that runs the flows: start, snapshot, replay, release, drain.
//!
//! Invariants:
//! - messages that an earlier run journaled and did not apply are on the board before a socket is
//!   bound, so they precede every new message of their partition;
//! - stopping undoes nothing: work left at the deadline is done after the next start.

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

/// The resources that the engine works with. The binary opens them and shares them with the server.
#[derive(Clone)]
pub struct Handles {
    /// Journal of all messages.
    pub journal: Journal,
    /// Destination of the messages: `flow::ChartDestination` over the chart and the maps.
    pub destination: Arc<dyn Destination>,
    /// Clock for all times.
    pub clock: Arc<dyn Clock>,
    /// Metrics to update; the server renders them.
    pub metrics: Metrics,
}

/// The running flows. Dropping the engine without [`Engine::drain`] is like a crash: nothing is
/// lost.
pub struct Engine {
    pub(crate) flows: Vec<Arc<Flow>>,
    pub(crate) work: Arc<Work>,
    pub(crate) intake: Intake,
    stop: watch::Sender<bool>,
    sources: Mutex<JoinSet<()>>,
    workers: Mutex<Vec<JoinHandle<()>>>,
}

/// The state of the listeners: open to the network or closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sources {
    /// Each flow's address is bound.
    Bound,
    /// No flow listens: messages arrive through [`Engine::import`] alone.
    Closed,
}

/// An error that prevented the engine from starting.
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
    /// The journal could not be read.
    #[error("the journal could not be read")]
    Journal(#[from] store::journal::ReadError),
    /// A thread could not be started.
    #[error("could not start a worker")]
    Thread(#[source] std::io::Error),
}

/// The result of a drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Every journaled message was applied, or rests in a state that a person sees.
    Completely,
    /// The deadline expired first; this many messages are in the journal and continue at the next
    /// start.
    WithWaiting(u64),
}

// === impl Engine ===

impl Engine {
    /// Recovers messages that were journaled and not applied, then binds every source. Requires a
    /// running tokio runtime.
    pub async fn start(config: EngineConfig, handles: Handles) -> Result<Self, StartError> {
        Self::start_with(config, handles, Sources::Bound).await
    }

    /// Starts like [`Engine::start`], with or without listeners.
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
        // Bound before recovery: a port in use should not cost the recovery. Nothing is accepted
        // yet.
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
        recovery::recover(&work, &flows)?;
        recovery::restore_senders(&work, &flows)?;
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

    /// Returns true once the engine accepts no new work: producers must stop.
    pub fn is_draining(&self) -> bool {
        *self.stop.borrow()
    }

    /// Returns how many recovered messages, left by an earlier run or missing from the chart, are
    /// still to be applied.
    pub fn n_recovering(&self) -> u64 {
        let left = self.flows.iter();
        left.map(|flow| flow.recovered.load(Ordering::Relaxed))
            .sum()
    }

    /// Returns each flow's name and the address it listens on.
    pub fn addresses(&self) -> Vec<(String, SocketAddr)> {
        let bound = |flow: &Arc<Flow>| Some((flow.name().to_owned(), *flow.address.get()?));
        self.flows.iter().filter_map(bound).collect()
    }

    /// Returns the configuration of a flow; none where it is not configured.
    pub fn config(&self, flow: &str) -> Option<&FlowConfig> {
        let mut flows = self.flows.iter();
        flows
            .find(|known| known.name() == flow)
            .map(|known| &known.config)
    }

    /// Returns a snapshot of all flows. Blocks on journal reads; do not call it on an async task's
    /// thread.
    pub fn snapshot(&self) -> Result<Snapshot, ControlError> {
        crate::snapshot::take(&self.work, &self.flows)
    }

    /// Renders the metrics in the Prometheus text format.
    pub fn render_metrics(&self) -> String {
        let metrics = self.work.events.metrics();
        for flow in &self.flows {
            metrics.set_waiting(flow.name(), flow.waiting.load(Ordering::Relaxed));
        }
        metrics.render()
    }

    /// Accepts messages again after a full disk, once the journal can write.
    pub fn resume(&self) {
        if self.work.journal.stopped().is_none() {
            self.flows.iter().for_each(|flow| flow.resume());
        }
    }

    /// Accepts no new messages, finishes the journaled ones and returns how the drain ended.
    pub async fn drain(&self, deadline: Duration) -> Drained {
        let until = Instant::now() + deadline;
        for flow in &self.flows {
            flow.set_state(FlowState::Draining);
        }
        // With no receiver left, every listener and connection has ended.
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
        // A worker stops after its current message; the commit takes milliseconds.
        let joined =
            tokio::task::spawn_blocking(move || workers.into_iter().map(JoinHandle::join).count());
        let _ = joined.await;
        // Once this is on disk, the states that the workers recorded asynchronously are too.
        if let Err(error) = self.work.journal.ledger().record(Vec::new()).await {
            tracing::warn!(%error, "the last states were not recorded; they are recovered at the next start");
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
