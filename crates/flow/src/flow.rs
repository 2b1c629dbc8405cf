//! One running flow: its configuration and its in-memory counters.

use crate::feed::{Lost, Senders};
use crate::snapshot::FlowState;
use crate::source::room::Room;
use crate::topology::{FlowConfig, SourceConfig};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use tokio::sync::watch;

/// One running flow.
#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) config: FlowConfig,
    pub(crate) address: OnceLock<SocketAddr>,
    pub(crate) connections: AtomicUsize,
    /// Senders of this flow.
    pub(crate) senders: Senders,
    /// End of a long-lived connection that has not come back.
    pub(crate) lost: Lost,
    /// Messages on the board.
    pub(crate) waiting: AtomicU64,
    /// Messages on the board that an earlier run left.
    pub(crate) recovered: AtomicU64,
    /// Number of the last connection, for the log.
    pub(crate) last_connection: AtomicU64,
    /// Memory budget for frames of its senders.
    pub(crate) room: Room,
    /// Closed where a person stopped the flow.
    pub(crate) valve: Valve,
    state: AtomicU8,
}

/// The switch by which a person lets messages in or not.
#[derive(Debug)]
pub(crate) struct Valve {
    is_open: watch::Sender<bool>,
    /// Listener bound by whoever opened the valve, taken by the source.
    bound: Mutex<Option<TcpListener>>,
}

// === impl Flow ===

impl Flow {
    pub(crate) fn new(config: FlowConfig) -> Self {
        let SourceConfig::Mllp(mllp) = &config.source;
        Self {
            room: Room::new(mllp.max_frame_bytes),
            config,
            address: OnceLock::new(),
            connections: AtomicUsize::new(0),
            senders: Senders::default(),
            lost: Lost::default(),
            waiting: AtomicU64::new(0),
            recovered: AtomicU64::new(0),
            last_connection: AtomicU64::new(0),
            valve: Valve::default(),
            state: AtomicU8::new(0),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.config.name
    }

    pub(crate) fn state(&self) -> FlowState {
        match self.state.load(Ordering::Relaxed) {
            0 if self.valve.is_open() => FlowState::Running,
            0 => FlowState::Off,
            1 => FlowState::Draining,
            _ => FlowState::Stopped,
        }
    }

    /// Accepts messages again, where it stopped because the disk was full.
    pub(crate) fn resume(&self) {
        let (stopped, running) = (2, 0);
        let _ = self
            .state
            .compare_exchange(stopped, running, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Changes the state forward only: a stopped flow does not drain.
    pub(crate) fn set_state(&self, state: FlowState) {
        let level = match state {
            // The valve distinguishes the two.
            FlowState::Running | FlowState::Off => 0,
            FlowState::Draining => 1,
            FlowState::Stopped => 2,
        };
        self.state.fetch_max(level, Ordering::Relaxed);
    }
}

// === impl Valve ===

impl Default for Valve {
    fn default() -> Self {
        Self {
            is_open: watch::Sender::new(true),
            bound: Mutex::default(),
        }
    }
}

impl Valve {
    pub(crate) fn is_open(&self) -> bool {
        *self.is_open.borrow()
    }

    pub(crate) fn close(&self) {
        self.is_open.send_replace(false);
    }

    pub(crate) fn open(&self, bound: Option<TcpListener>) {
        *self.bound.lock().unwrap_or_else(PoisonError::into_inner) = bound;
        self.is_open.send_replace(true);
    }

    /// Takes the listener bound by whoever opened the valve.
    pub(crate) fn take(&self) -> Option<TcpListener> {
        self.bound
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<bool> {
        self.is_open.subscribe()
    }
}
