//! The simulated peers: one MLLP connection each, one message at a time, paced by a rate.

use super::position::Position;
use crate::run::Running;
use bytes::Bytes;
use hl7v2::Message;
use hl7v2::mllp::{Decoder, Step, frame};
use simulate::{Peer, Sent, Simulation};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// The number of messages that may wait for a peer, so that the others do not run far ahead of it.
const WAITING: usize = 2;
/// The time that a peer waits for its acknowledgement.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// The time that a peer waits before it reconnects.
const RECONNECT_AFTER: Duration = Duration::from_secs(1);
/// The number of attempts before a message without an acknowledgement is given up.
const MAX_ATTEMPTS: u32 = 3;
/// The size limit of an acknowledgement, longer than any real one.
const MAX_ANSWER: usize = 1 << 20;

/// The messages to feed, and their rate.
pub(super) struct Traffic {
    pub(super) simulation: Simulation,
    /// Messages per second.
    pub(super) rate: f64,
    /// The number of messages after which to stop.
    pub(super) limit: Option<u64>,
    pub(super) position: Position,
}

/// A simulated sender.
struct Sender {
    peer: Peer,
    address: SocketAddr,
    inbox: mpsc::Receiver<Sent>,
    position: Arc<Position>,
    stop: watch::Receiver<bool>,
    connection: Option<Connection>,
}

struct Connection {
    socket: TcpStream,
    decoder: Decoder,
}

// === impl Traffic ===

impl Traffic {
    /// Feeds messages until the weeks end, the limit is reached or the process stops.
    pub(super) async fn feed(self, running: Running) {
        let position = Arc::new(self.position);
        let mut skip: BTreeMap<Peer, u64> = Peer::ALL
            .into_iter()
            .map(|peer| (peer, position.of(peer)))
            .collect();
        let mut outboxes = BTreeMap::new();
        let mut senders = Vec::new();
        for (peer, address) in addresses(&running) {
            let (outbox, inbox) = mpsc::channel(WAITING);
            let (position, stop) = (position.clone(), running.stop.clone());
            let sender = Sender {
                peer,
                address,
                inbox,
                position,
                stop,
                connection: None,
            };
            senders.push(tokio::spawn(sender.send_all()));
            outboxes.insert(peer, outbox);
        }
        let mut stop = running.stop;
        let mut due = Instant::now();
        let period = Duration::from_secs_f64(1.0 / self.rate);
        let mut n_fed = 0;
        for sent in self.simulation {
            if let Some(left @ 1..) = skip.get_mut(&sent.peer) {
                *left -= 1;
                continue;
            }
            let Some(outbox) = outboxes.get(&sent.peer) else {
                continue;
            };
            if self.limit.is_some_and(|limit| limit <= n_fed) {
                break;
            }
            let ready = async {
                sleep_until(due).await;
                outbox.send(sent).await
            };
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => break,
                taken = ready => if taken.is_err() { break },
            }
            n_fed += 1;
            due += period;
            // After a pause (such as a suspended machine) there is no catching up.
            if due + Duration::from_secs(1) < Instant::now() {
                due = Instant::now();
            }
        }
        drop(outboxes);
        for sender in senders {
            let _ = sender.await;
        }
        position.save();
        tracing::info!(messages = n_fed, "the simulated peers have finished");
    }
}

/// Returns each peer's address; its flow has the peer's name.
fn addresses(running: &Running) -> Vec<(Peer, SocketAddr)> {
    let address_of = |peer: Peer| {
        running
            .mllp
            .iter()
            .find(|(name, _)| name == peer.name())
            .map(|found| found.1)
    };
    Peer::ALL
        .into_iter()
        .filter_map(|peer| address_of(peer).map(|address| (peer, address)))
        .collect()
}

// === impl Sender ===

impl Sender {
    async fn send_all(mut self) {
        let mut stop = self.stop.clone();
        loop {
            let sent = tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                sent = self.inbox.recv() => sent,
            };
            let Some(sent) = sent else { return };
            if self.deliver(&sent).await {
                self.position.advance(self.peer);
            } else {
                return;
            }
        }
    }

    /// Sends a message until it is answered; returns false if the process stopped first.
    async fn deliver(&mut self, sent: &Sent) -> bool {
        for attempt in 1.. {
            match timeout(ANSWER_WITHIN, self.exchange(&sent.bytes)).await {
                Ok(Ok(answer)) => {
                    self.note(sent, &answer);
                    return true;
                }
                Ok(Err(error)) => {
                    tracing::warn!(peer = self.peer.name(), %error, "a simulated peer reconnects");
                }
                Err(_) if attempt < MAX_ATTEMPTS => {
                    tracing::warn!(
                        peer = self.peer.name(),
                        "no acknowledgement in time; the message is sent again"
                    );
                }
                Err(_) => {
                    tracing::warn!(
                        peer = self.peer.name(),
                        "no acknowledgement after all attempts; the message is given up"
                    );
                    self.connection = None;
                    return true;
                }
            }
            self.connection = None;
            if *self.stop.borrow() {
                return false;
            }
            sleep(RECONNECT_AFTER).await;
        }
        false
    }

    async fn exchange(&mut self, message: &[u8]) -> io::Result<Bytes> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(Connection::open(self.address).await?),
        };
        connection.exchange(message).await
    }

    /// Logs a refusal: as a warning only for a clean message, because some messages are odd on purpose.
    fn note(&self, sent: &Sent, answer: &Bytes) {
        let answer = Message::parse(answer.clone());
        let code = answer
            .first("MSA")
            .map(|msa| msa.field(1).text().into_owned())
            .unwrap_or_default();
        let is_accepted = matches!(code.as_str(), "AA" | "CA");
        if !is_accepted && sent.note.is_empty() {
            tracing::warn!(peer = self.peer.name(), code, "a clean message was refused");
        } else if !is_accepted {
            let odd: Vec<String> = sent.note.iter().map(ToString::to_string).collect();
            tracing::debug!(
                peer = self.peer.name(),
                code,
                odd = odd.join(", "),
                "an odd message was refused"
            );
        }
    }
}

// === impl Connection ===

impl Connection {
    async fn open(address: SocketAddr) -> io::Result<Self> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        Ok(Self {
            socket,
            decoder: Decoder::new(MAX_ANSWER),
        })
    }

    async fn exchange(&mut self, message: &[u8]) -> io::Result<Bytes> {
        self.socket.write_all(&frame(message)).await?;
        let mut chunk = [0; 4096];
        loop {
            match self.decoder.step() {
                Step::Message(answer) => return Ok(answer),
                Step::Noise(_) => {}
                Step::TooLong { .. } => {
                    return Err(io::Error::other("the answer is longer than 1 MiB"));
                }
                Step::NeedMore => {
                    let n = self.socket.read(&mut chunk).await?;
                    if n == 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    self.decoder.feed(chunk.get(..n).unwrap_or_default());
                }
            }
        }
    }
}
