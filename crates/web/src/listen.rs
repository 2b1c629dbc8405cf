//! The listening socket and the layers that wrap every route.

mod connections;

use crate::app::App;
use crate::{measure, secure};
use axum::Router;
use connections::Limits;
use std::future::Future;
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tower_http::timeout::RequestBodyTimeoutLayer;

/// A bound address that does not accept connections yet.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

/// An error that kept the server from starting.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address could not be bound.
    #[error(
        "could not listen on {address} for HTTP; is another program using it? Choose another \
         address with --http or [http] listen"
    )]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The cause of the failure.
        source: std::io::Error,
    },
}

// === impl Listener ===

impl Listener {
    /// Binds `address`; port 0 picks a free port.
    pub async fn bind(address: SocketAddr) -> Result<Self, ServeError> {
        let fail = |source| ServeError::Bind { address, source };
        let socket = TcpListener::bind(address).await.map_err(fail)?;
        let address = socket.local_addr().map_err(fail)?;
        Ok(Self { socket, address })
    }

    /// Returns the bound address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Serves `routes` until `stop` resolves, then lets in-flight requests finish.
pub async fn serve(
    listener: Listener,
    app: App,
    routes: Router<App>,
    stop: impl Future<Output = ()> + Send + 'static,
) {
    let limits = Limits::default();
    let service = routes
        .layer(axum::middleware::from_fn(secure::headers))
        .layer(RequestBodyTimeoutLayer::new(limits.body_stall))
        .layer(axum::middleware::from_fn_with_state(
            app.clone(),
            measure::count,
        ))
        .with_state(app);
    // The socket may have been bound on another runtime; its connections belong to this one.
    let socket = listener.socket.into_std().and_then(TcpListener::from_std);
    match socket {
        Ok(socket) => connections::take(socket, service, limits, stop).await,
        Err(error) => tracing::error!(%error, "the HTTP listener could not be taken over"),
    }
}
