//! The socket and the routes.

use crate::app::App;
use crate::{api, console, fhir, operate, secure};
use axum::Router;
use std::future::Future;
use std::net::SocketAddr;
use tokio::net::TcpListener;

/// A bound address that does not answer yet.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

/// The server could not start or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address could not be bound.
    #[error(
        "could not listen on {address} for HTTP; is another program there? Give another address with --http or [http] listen"
    )]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The cause.
        source: std::io::Error,
    },
    /// The socket failed while serving.
    #[error("the HTTP socket failed")]
    Socket(#[source] std::io::Error),
}

// === impl Listener ===

impl Listener {
    /// Binds `address`; port 0 takes a free one.
    pub async fn bind(address: SocketAddr) -> Result<Self, ServeError> {
        let fail = |source| ServeError::Bind { address, source };
        let socket = TcpListener::bind(address).await.map_err(fail)?;
        let address = socket.local_addr().map_err(fail)?;
        Ok(Self { socket, address })
    }

    /// The address that was bound.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Answers until `stop` resolves, then lets requests under way finish.
pub async fn serve(
    listener: Listener,
    app: App,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let service = routes(app).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener.socket, service)
        .with_graceful_shutdown(stop)
        .await
        .map_err(ServeError::Socket)
}

fn routes(app: App) -> Router {
    Router::new()
        .nest("/fhir", fhir::routes())
        .nest("/api", api::routes())
        .merge(operate::routes())
        .merge(console::routes())
        .layer(axum::middleware::from_fn(secure::headers))
        .with_state(app)
}
