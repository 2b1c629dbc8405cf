//! One running flow: its configuration and what is counted in memory alone.

use crate::snapshot::FlowState;
use crate::topology::FlowConfig;
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};

/// One running flow.
#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) config: FlowConfig,
    pub(crate) address: OnceLock<SocketAddr>,
    pub(crate) connections: AtomicUsize,
    /// Messages on the board.
    pub(crate) waiting: AtomicU64,
    /// Numbers connections for the log.
    pub(crate) last_connection: AtomicU64,
    state: AtomicU8,
}

// === impl Flow ===

impl Flow {
    pub(crate) fn new(config: FlowConfig) -> Self {
        Self {
            config,
            address: OnceLock::new(),
            connections: AtomicUsize::new(0),
            waiting: AtomicU64::new(0),
            last_connection: AtomicU64::new(0),
            state: AtomicU8::new(0),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.config.name
    }

    pub(crate) fn state(&self) -> FlowState {
        match self.state.load(Ordering::Relaxed) {
            0 => FlowState::Running,
            1 => FlowState::Draining,
            _ => FlowState::Stopped,
        }
    }

    /// A state only goes forward: what stopped does not drain.
    pub(crate) fn set_state(&self, state: FlowState) {
        let level = match state {
            FlowState::Running => 0,
            FlowState::Draining => 1,
            FlowState::Stopped => 2,
        };
        self.state.fetch_max(level, Ordering::Relaxed);
    }
}
