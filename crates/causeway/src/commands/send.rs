//! `causeway send`: sends files to an MLLP or HTTP address and prints each acknowledgement.

use crate::cli::Send;
use crate::failure::Failure;
use crate::http::Http;
use crate::input;
use bytes::Bytes;
use hl7v2::mllp::{Decoder, Step, frame};
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

const MAX_ACKNOWLEDGEMENT: usize = 1 << 20;

pub(crate) fn run(args: &Send) -> Result<ExitCode, Failure> {
    match args.url.split_once("://") {
        Some(("mllp", address)) => send_mllp(args, address),
        Some(("http" | "https", _)) => send_http(args),
        _ => Err(Failure::usage(format!(
            "`{}` is not an address to send to; write mllp://host:port or http://host:port/fhir",
            args.url
        ))),
    }
}

fn send_mllp(args: &Send, address: &str) -> Result<ExitCode, Failure> {
    let mut peer = Peer::connect(
        address.trim_end_matches('/'),
        Duration::from_secs(args.timeout),
    )?;
    let mut all_accepted = true;
    for file in &args.files {
        let (frames, fits) = frames(args, file)?;
        all_accepted &= fits;
        for message in frames {
            let answer = peer.exchange(&message)?;
            all_accepted &= answer.is_accepted();
            // HL7 v2 ends segments with CR; a terminal needs LF.
            println!(
                "{}",
                String::from_utf8_lossy(&answer.0)
                    .replace('\r', "\n")
                    .trim_end()
            );
        }
    }
    Ok(if all_accepted {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Returns the contents of each frame, in order, and whether the file's envelope matches.
fn frames(args: &Send, file: &Path) -> Result<(Vec<Bytes>, bool), Failure> {
    let bytes = input::read(file)?;
    let whole = args.batch.then(|| Bytes::from(bytes.clone()));
    let (batch, fits) = input::messages(file, bytes)?;
    let each = || batch.messages.into_iter().map(|member| member.bytes);
    let frames: Vec<Bytes> = whole.map_or_else(|| each().collect(), |whole| vec![whole]);
    // A file may have any line ending; on the wire a segment ends in CR (HL7 v2 2.5.4).
    Ok((frames.iter().map(hl7v2::wire::with_cr).collect(), fits))
}

fn send_http(args: &Send) -> Result<ExitCode, Failure> {
    let http = Http::new(
        &args.url,
        args.token.as_deref(),
        Duration::from_secs(args.timeout),
    );
    let mut all_accepted = true;
    for file in &args.files {
        let body = input::read(file)?;
        let document = fhir::json::Document::parse(&body)
            .map_err(|error| Failure::failed(format!("`{}`: {error}", file.display())))?;
        let Some(resource_type) = document.resource_type() else {
            return Err(Failure::failed(format!(
                "`{}` is not a FHIR resource",
                file.display()
            )));
        };
        let kind = document.root().text("type");
        let is_whole =
            resource_type == "Bundle" && matches!(kind.as_deref(), Some("transaction" | "batch"));
        let path = if is_whole {
            String::new()
        } else {
            format!("/{resource_type}")
        };
        let answer = http.post(&path, &body)?;
        all_accepted &= (200..300).contains(&answer.status);
        println!("{} {}", answer.status, answer.text);
    }
    Ok(if all_accepted {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// An MLLP connection that sends one message at a time.
pub(crate) struct Peer {
    socket: TcpStream,
    decoder: Decoder,
    address: String,
}

/// The bytes of an acknowledgement.
pub(crate) struct Answer(Bytes);

// === impl Peer ===

impl Peer {
    /// Connects to `host:port`.
    pub(crate) fn connect(address: &str, timeout: Duration) -> Result<Self, Failure> {
        let fail = |error: std::io::Error| {
            Failure::failed(format!(
                "could not connect to mllp://{address}: {error}; is the listener running?"
            ))
        };
        let resolved = address.to_socket_addrs().map_err(fail)?.next();
        let resolved = resolved.ok_or_else(|| {
            Failure::failed(format!("`{address}` does not resolve to an address"))
        })?;
        let socket = TcpStream::connect_timeout(&resolved, timeout).map_err(fail)?;
        socket.set_read_timeout(Some(timeout)).map_err(fail)?;
        socket.set_write_timeout(Some(timeout)).map_err(fail)?;
        socket.set_nodelay(true).map_err(fail)?;
        Ok(Self {
            socket,
            decoder: Decoder::new(MAX_ACKNOWLEDGEMENT),
            address: address.to_owned(),
        })
    }

    /// Sends one message and waits for its acknowledgement.
    pub(crate) fn exchange(&mut self, message: &[u8]) -> Result<Answer, Failure> {
        let address = self.address.clone();
        let fail = |what: &str| Failure::failed(format!("mllp://{address}: {what}"));
        self.socket
            .write_all(&frame(message))
            .map_err(|error| fail(&format!("the message could not be sent: {error}")))?;
        let mut chunk = [0; 4096];
        loop {
            match self.decoder.step() {
                Step::Message(bytes) => return Ok(Answer(bytes)),
                Step::Noise(_) => {}
                Step::TooLong { .. } => return Err(fail("the answer is longer than 1 MiB")),
                Step::NeedMore => {
                    let n = self.socket.read(&mut chunk).map_err(|error| {
                        fail(&format!(
                            "no acknowledgement was received: {error}; the message may have arrived"
                        ))
                    })?;
                    if n == 0 {
                        return Err(fail(
                            "the peer closed the connection without an acknowledgement",
                        ));
                    }
                    self.decoder.feed(chunk.get(..n).unwrap_or(&[]));
                }
            }
        }
    }
}

// === impl Answer ===

impl Answer {
    /// Returns true if everything was accepted: MSA-1 of the acknowledgement, or of each in a batch.
    pub(crate) fn is_accepted(&self) -> bool {
        let answers = hl7v2::batch::read(self.0.clone()).messages;
        let accepted = |bytes| {
            let message = hl7v2::Message::parse(bytes);
            let read = hl7v2::ack::Acknowledgement::read(&message);
            read.is_some_and(|ack| ack.code.outcome() == hl7v2::ack::Outcome::Accepted)
        };
        !answers.is_empty() && answers.into_iter().all(|answer| accepted(answer.bytes))
    }
}
