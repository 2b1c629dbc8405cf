//! The load generator's two clients: HTTP/1.1 with keep-alive, and MLLP. Each uses one connection
//! and waits for each response, as the peers that they model do.

use crate::failure::Failure;
use base::{Clock, SystemClock};
use hl7v2::mllp::{Decoder, Step, frame};
use security::{SigningKey, Tokens};
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An HTTP connection.
pub(crate) struct Http {
    socket: TcpStream,
    buffer: Vec<u8>,
    host: String,
    token: String,
}

/// An MLLP connection.
pub(crate) struct Mllp {
    socket: TcpStream,
    decoder: Decoder,
}

/// Issues a token for everything, which needs write access to the data directory.
pub(crate) fn token(data: &Path) -> Result<String, Failure> {
    let key = SigningKey::load_or_create(data).map_err(|error| Failure::from_error(&error))?;
    Ok(Tokens::new(key).issue("system/*.cruds", Duration::from_hours(4), SystemClock.now()))
}

/// Creates a runtime for the generator with one thread, so that it leaves the other processor free.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("the load generator could not start: {error}")))
}

// === impl Http ===

impl Http {
    pub(crate) async fn connect(address: &str, token: &str) -> std::io::Result<Self> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        Ok(Self {
            socket,
            buffer: Vec::with_capacity(64 * 1024),
            host: address.to_owned(),
            token: token.to_owned(),
        })
    }

    /// Sends a GET request and returns the status and body.
    pub(crate) async fn get(&mut self, path: &str) -> std::io::Result<(u16, Vec<u8>)> {
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\naccept: application/fhir+json\r\n\r\n",
            self.host, self.token
        );
        self.socket.write_all(request.as_bytes()).await?;
        self.answer().await
    }

    /// Sends a request and returns the status and body.
    pub(crate) async fn send(
        &mut self,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> std::io::Result<(u16, Vec<u8>)> {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n\
             content-type: application/fhir+json\r\nprefer: return=minimal\r\ncontent-length: {}\r\n\r\n",
            self.host,
            self.token,
            body.len()
        );
        let mut request = head.into_bytes();
        request.extend_from_slice(body);
        self.socket.write_all(&request).await?;
        self.answer().await
    }

    async fn answer(&mut self) -> std::io::Result<(u16, Vec<u8>)> {
        let bad = |what: &'static str| std::io::Error::new(std::io::ErrorKind::InvalidData, what);
        let head_end = loop {
            if let Some(at) = self
                .buffer
                .windows(4)
                .position(|window| window == b"\r\n\r\n")
            {
                break at + 4;
            }
            if self.socket.read_buf(&mut self.buffer).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        };
        let head = String::from_utf8_lossy(self.buffer.get(..head_end).unwrap_or(&[]))
            .to_ascii_lowercase();
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .ok_or_else(|| bad("no status"))?;
        let length: usize = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .map_or(Some(0), |length| length.trim().parse().ok())
            .ok_or_else(|| bad("no length"))?;
        while self.buffer.len() < head_end + length {
            if self.socket.read_buf(&mut self.buffer).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
        let body = self
            .buffer
            .get(head_end..head_end + length)
            .unwrap_or(&[])
            .to_vec();
        self.buffer.drain(..head_end + length);
        Ok((status, body))
    }
}

// === impl Mllp ===

impl Mllp {
    pub(crate) async fn connect(address: &str) -> std::io::Result<Self> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        Ok(Self {
            socket,
            decoder: Decoder::new(1 << 20),
        })
    }

    /// Sends a message; returns true if the acknowledgement is positive.
    pub(crate) async fn send(&mut self, message: &[u8]) -> std::io::Result<bool> {
        self.socket.write_all(&frame(message)).await?;
        loop {
            match self.decoder.step() {
                Step::Message(bytes) => {
                    let accepted = |code: &[u8]| {
                        bytes
                            .windows(7)
                            .any(|window| window.starts_with(b"MSA|") && window.ends_with(code))
                    };
                    return Ok(accepted(b"AA|") || accepted(b"CA|"));
                }
                Step::Noise(_) => {}
                Step::TooLong { .. } => return Err(std::io::ErrorKind::InvalidData.into()),
                Step::NeedMore => {
                    if self.socket.read_buf(self.decoder.buffer()).await? == 0 {
                        return Err(std::io::ErrorKind::UnexpectedEof.into());
                    }
                }
            }
        }
    }
}
