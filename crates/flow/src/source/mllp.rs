//! The MLLP listener: accepts connections, up to a limit, until it is told to stop.

use super::connection::{self, Shared};
use crate::engine::StartError;
use crate::events::{CloseReason, Event};
use crate::flow::Flow;
use crate::snapshot::FlowState;
use crate::topology::{MllpConfig, SourceConfig};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Binds the flow's address.
pub(crate) async fn bind(flow: &Flow) -> Result<TcpListener, StartError> {
    let SourceConfig::Mllp(config) = &flow.config.source;
    let failed = |source| StartError::Listen {
        flow: flow.name().to_owned(),
        address: config.listen,
        source,
    };
    let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    // A flow is bound once.
    let _ = flow.address.set(address);
    Ok(listener)
}

/// Serves until the engine drains, then waits until every connection has its answers. While a
/// person has stopped the flow, nothing listens: a sender is refused and keeps its messages.
pub(crate) async fn serve(listener: TcpListener, flow: Arc<Flow>, shared: Shared) {
    let mut connections = JoinSet::new();
    let mut stop = shared.stop.clone();
    let mut valve = flow.valve.watch();
    let mut listening = flow.valve.is_open().then_some(listener);
    loop {
        if let Some(listener) = listening.take() {
            accept(&listener, &flow, &shared, &mut connections).await;
        }
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            _ = valve.wait_for(|is_open| *is_open) => {}
        }
        listening = match flow.valve.take().map(TcpListener::from_std) {
            Some(Ok(listener)) => Some(listener),
            Some(Err(error)) => {
                tracing::error!(flow = flow.name(), %error, "could not listen again");
                flow.valve.close();
                None
            }
            // The flow was stopped again before we took the listener.
            None => {
                tokio::time::sleep(Duration::from_millis(10)).await;
                None
            }
        };
    }
    while connections.join_next().await.is_some() {}
}

/// Accepts connections until the engine drains or a person stops the flow.
async fn accept(
    listener: &TcpListener,
    flow: &Arc<Flow>,
    shared: &Shared,
    connections: &mut JoinSet<()>,
) {
    let SourceConfig::Mllp(config) = flow.config.source.clone();
    let (mut stop, mut valve) = (shared.stop.clone(), flow.valve.watch());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => return,
            _ = valve.wait_for(|is_open| !*is_open) => return,
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((stream, peer)) => {
                let one = one_connection(
                    stream,
                    peer,
                    Arc::clone(flow),
                    config.clone(),
                    shared.clone(),
                );
                connections.spawn(one);
            }
            Err(error) => {
                // Most likely out of file descriptors: retry when some are free.
                tracing::warn!(flow = flow.name(), %error, "could not accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn one_connection(
    stream: TcpStream,
    peer: SocketAddr,
    flow: Arc<Flow>,
    config: MllpConfig,
    shared: Shared,
) {
    let number = flow.last_connection.fetch_add(1, Ordering::Relaxed) + 1;
    let n_open = flow.connections.fetch_add(1, Ordering::Relaxed) + 1;
    let since = shared.desk.now();
    flow.lost.connected();
    let events = &shared.events;
    events.emit(Event::ConnectionOpened {
        flow: flow.name(),
        connection: number,
        peer,
    });
    let (reason, n_messages) = if config.max_connections < n_open {
        (CloseReason::TooManyConnections, 0)
    } else if flow.state() == FlowState::Stopped {
        (CloseReason::JournalFailed, 0)
    } else {
        connection::serve(stream, peer, &flow, &config, &shared).await
    };
    if flow.connections.fetch_sub(1, Ordering::Relaxed) == 1 {
        flow.lost.ended((since, shared.desk.now()), reason);
    }
    events.emit(Event::ConnectionClosed {
        flow: flow.name(),
        connection: number,
        reason,
        n_messages,
    });
}
