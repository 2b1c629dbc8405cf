//! HTTP connections: accepting, limiting and closing them.
//!
//! Invariants:
//! - silent or slow peers cannot use up the sockets that messages and the journal's files need:
//!   connections are counted, and a request's head and body have time limits;
//! - a failing accept never stops the server.

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::ServiceExt;

/// The limits on what a peer may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The number of concurrent connections. A further one is answered with 503 and closed.
    pub(crate) connections: usize,
    /// The time in which a request's head must arrive in full, counted from the start of the
    /// connection or the end of the previous response. It also closes idle connections.
    pub(crate) head: Duration,
    /// The longest pause within a request's body.
    pub(crate) body_stall: Duration,
}

const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 5\r\n\
    Content-Type: text/plain\r\nContent-Length: 21\r\n\r\ntoo many connections\n";

// === impl Limits ===

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            head: Duration::from_mins(1),
            body_stall: Duration::from_secs(30),
        }
    }
}

/// Accepts connections until `stop` resolves, then waits for the open ones to end.
pub(crate) async fn take(
    socket: TcpListener,
    service: Router,
    limits: Limits,
    stop: impl Future<Output = ()>,
) {
    let free = Arc::new(Semaphore::new(limits.connections));
    let open = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((stream, peer)) => match Arc::clone(&free).try_acquire_owned() {
                Ok(permit) => {
                    let service = service.clone();
                    tokio::spawn(answer(
                        (stream, peer),
                        service,
                        limits,
                        permit,
                        open.watcher(),
                    ));
                }
                Err(_) => drop(tokio::spawn(reject(stream))),
            },
            // A peer that has already gone costs nothing; when file descriptors run out, waiting
            // helps.
            Err(error) => {
                tracing::warn!(%error, "an HTTP connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(socket);
    open.shutdown().await;
}

async fn answer(
    (stream, peer): (TcpStream, SocketAddr),
    service: Router,
    limits: Limits,
    _permit: OwnedSemaphorePermit,
    open: Watcher,
) {
    // Responses are written whole, so waiting for more data only adds latency.
    let _ = stream.set_nodelay(true);
    let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        service.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .serve_connection(TokioIo::new(stream), service);
    // How a connection ends does not matter here: its requests were answered, or the peer has gone.
    let _ = open.watch(connection).await;
}

async fn reject(mut stream: TcpStream) {
    let write = stream.write_all(FULL);
    let _ = tokio::time::timeout(Duration::from_secs(1), write).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::{get, post};
    use std::io::{Read, Write};
    use tower_http::timeout::RequestBodyTimeoutLayer;

    const LIMITS: Limits = Limits {
        connections: 3,
        head: Duration::from_millis(300),
        body_stall: Duration::from_millis(300),
    };

    struct Site {
        address: SocketAddr,
        _runtime: tokio::runtime::Runtime,
    }

    fn start() -> Site {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let socket = runtime
            .block_on(TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)))
            .unwrap();
        let address = socket.local_addr().unwrap();
        let who = |ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.ip().to_string() };
        let service = Router::new()
            .route("/", get(who))
            .route(
                "/length",
                post(|body: bytes::Bytes| async move { body.len().to_string() }),
            )
            .layer(RequestBodyTimeoutLayer::new(LIMITS.body_stall));
        runtime.spawn(take(socket, service, LIMITS, std::future::pending()));
        Site {
            address,
            _runtime: runtime,
        }
    }

    impl Site {
        fn connect(&self) -> std::net::TcpStream {
            let stream = std::net::TcpStream::connect(self.address).unwrap();
            stream
                .set_read_timeout(Some(Duration::from_secs(10)))
                .unwrap();
            stream
        }
    }

    fn all(mut stream: std::net::TcpStream) -> String {
        let mut text = String::new();
        let _ = stream.read_to_string(&mut text);
        text
    }

    #[test]
    fn one_connection_too_many_gets_503_and_silent_ones_are_closed() {
        let site = start();
        let silent: Vec<_> = (0..3).map(|_| site.connect()).collect();
        std::thread::sleep(Duration::from_millis(50));
        assert!(all(site.connect()).starts_with("HTTP/1.1 503 "));
        for stream in silent {
            all(stream);
        }
        let mut stream = site.connect();
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .unwrap();
        let text = all(stream);
        assert!(
            text.starts_with("HTTP/1.1 200 ") && text.ends_with("127.0.0.1"),
            "{text}"
        );
    }

    #[test]
    fn a_body_that_stops_coming_ends_its_request() {
        let site = start();
        let mut stream = site.connect();
        stream
            .write_all(b"POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf")
            .unwrap();
        let text = all(stream);
        assert!(text.starts_with("HTTP/1.1 4"), "{text}");
    }
}
