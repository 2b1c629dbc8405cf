//! One MLLP connection: frames in, acknowledgements out, in the same order.
//!
//! Invariants:
//! - an acknowledgement is written only after the journal has answered for its message;
//! - acknowledgements go out in the order in which their messages arrived;
//! - a peer holds no more memory than one frame up to the limit and `max_pipelined` messages, and
//!   its address no more than its share ([`super::room`]): beyond that, backpressure applies and
//!   nothing is read from it until the journal and the peer have caught up;
//! - bytes that are not a frame are kept up to the limit and the connection is closed; the same
//!   holds for a frame that cannot be a message, as soon as its peer falls silent.

mod batch;

use super::answer::{Answer, Application, Desk, Prepared};
use super::room::{Class, Held, SMALL, Share};
use super::writer::{Turn, Writer};
use crate::destination::Destination;
use crate::events::{CloseReason, Events};
use crate::flow::Flow;
use crate::intake::{Intake, Then};
use crate::step::decode;
use crate::topology::MllpConfig;
use bytes::Bytes;
use hl7v2::Message;
use hl7v2::mllp::{Decoder, Step};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use store::journal::Entry;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout, timeout_at};

/// The state that all connections share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) intake: Intake,
    pub(crate) events: Events,
    pub(crate) desk: Arc<Desk>,
    pub(crate) destination: Arc<dyn Destination>,
    /// True once the engine drains.
    pub(crate) stop: watch::Receiver<bool>,
}

struct Reader<'a> {
    flow: &'a Arc<Flow>,
    config: &'a MllpConfig,
    shared: &'a Shared,
    peer: String,
    decoder: Decoder,
    n_messages: u64,
    /// Bytes outside of frames since the last good frame.
    noise: Vec<u8>,
    /// Share of the flow's memory for the peer's address.
    share: Arc<Share>,
    /// Memory reserved for the larger frame that is being read.
    memory: Option<(Class, Held)>,
}

/// Time in which a peer that sent noise must begin a frame, or continue one that is not a message.
const NOISE_GRACE: Duration = Duration::from_secs(1);
/// Number of bytes after which a frame without a header counts as noise.
const HEADLESS: usize = 256;
/// The same limit where noise preceded the frame.
const HEADLESS_AFTER_NOISE: usize = 8;
/// Maximum noise that is tolerated on a line.
const MAX_NOISE: usize = 64 << 10;
/// Retention class of messages.
pub(crate) const RETENTION: &str = "messages";
/// Prefixes of HTTP requests.
const HTTP: [&[u8]; 7] = [
    b"GET ",
    b"POST ",
    b"PUT ",
    b"HEAD ",
    b"DELETE ",
    b"OPTIONS ",
    b"PRI * ",
];
/// Time during which remaining input is read and discarded after an answer to bytes that we do not
/// accept, so that the answer is not lost with the connection.
const LINGER: Duration = Duration::from_secs(2);

/// Serves one connection to its end. Returns why it ended and how many messages arrived.
pub(crate) async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    flow: &Arc<Flow>,
    config: &MllpConfig,
    shared: &Shared,
) -> (CloseReason, u64) {
    // Acknowledgements are small and awaited; Nagle's algorithm would delay them.
    let _ = stream.set_nodelay(true);
    let (mut read, write) = stream.into_split();
    let (queue, answers) = mpsc::channel(config.max_pipelined);
    let writer = Writer::new(
        write,
        Arc::clone(flow),
        Arc::clone(&shared.desk),
        Duration::from_secs(config.frame_timeout_seconds),
    );
    let writer = tokio::spawn(writer.run(answers));
    let mut reader = Reader {
        flow,
        config,
        shared,
        peer: peer.to_string(),
        decoder: Decoder::new(config.max_frame_bytes),
        n_messages: 0,
        noise: Vec::new(),
        share: flow.room.of(peer.ip()),
        memory: None,
    };
    let mut reason = reader.run(&mut read, &queue).await;
    let n_messages = reader.n_messages;
    drop(queue);
    match writer.await {
        Ok(Err(of_writer)) => reason = of_writer,
        Ok(Ok(mut write)) => {
            // The peer reads our last answers, then the end of the stream.
            let _ = write.shutdown().await;
            if reason.discards_input() {
                let _ = timeout(LINGER, discard_input(&mut read)).await;
            }
        }
        Err(_) => reason = CloseReason::Network,
    }
    (reason, n_messages)
}

// === impl Reader ===

impl Reader<'_> {
    async fn run(&mut self, read: &mut OwnedReadHalf, queue: &mpsc::Sender<Turn>) -> CloseReason {
        let mut stop = self.shared.stop.clone();
        let mut valve = self.flow.valve.watch();
        let mut frame_began = None;
        loop {
            if let Some(reason) = self.take_frames(queue).await {
                return reason;
            }
            let inside = self.decoder.is_inside_frame();
            frame_began = inside.then(|| frame_began.unwrap_or_else(Instant::now));
            let (until, late) = self.patience(frame_began);
            if timeout_at(until, self.reserve()).await.is_err() {
                if self.decoder.end_frame() {
                    continue;
                }
                return self.leave(queue, late).await;
            }
            let got = tokio::select! {
                got = timeout_at(until, read.read_buf(self.decoder.buffer())) => got,
                _ = stop.wait_for(|stop| *stop) => Ok(Err(std::io::ErrorKind::Interrupted.into())),
                _ = valve.wait_for(|is_open| !*is_open) => {
                    Ok(Err(std::io::ErrorKind::Interrupted.into()))
                }
                () = queue.closed() => return CloseReason::Network,
            };
            match got {
                Err(_) if self.decoder.end_frame() => {}
                Err(_) => return self.leave(queue, late).await,
                Ok(Err(_)) if *stop.borrow() || !self.flow.valve.is_open() => {
                    return self.leave(queue, CloseReason::Draining).await;
                }
                Ok(Err(_)) => return self.leave(queue, CloseReason::Network).await,
                Ok(Ok(0)) => {
                    if self.decoder.end_frame()
                        && let Some(reason) = self.take_frames(queue).await
                    {
                        return reason;
                    }
                    return self.leave(queue, CloseReason::PeerClosed).await;
                }
                Ok(Ok(_)) => {}
            }
        }
    }

    /// Returns the deadline for more bytes, and the close reason if none arrive.
    fn patience(&self, frame_began: Option<Instant>) -> (Instant, CloseReason) {
        let seconds = Duration::from_secs;
        match frame_began {
            Some(began) => {
                let late = began + seconds(self.config.frame_timeout_seconds);
                // Not closed immediately: later bytes are kept too and show what the peer is.
                let silent = Instant::now() + NOISE_GRACE;
                if silent < late && self.is_hopeless() {
                    (silent, CloseReason::Noise)
                } else if silent < late && self.decoder.is_at_end_block() {
                    // The final CR does not arrive: the frame is accepted as it is.
                    (silent, CloseReason::FrameTimeout)
                } else {
                    (late, CloseReason::FrameTimeout)
                }
            }
            None if self.noise.is_empty() => (
                Instant::now() + seconds(self.config.idle_timeout_seconds),
                CloseReason::Idle,
            ),
            None => (Instant::now() + NOISE_GRACE, CloseReason::Noise),
        }
    }

    /// Returns true where the beginning of the frame shows that it is not a message: a start block
    /// may be any byte of binary data.
    fn is_hopeless(&self) -> bool {
        let n_bytes = if self.noise.is_empty() {
            HEADLESS
        } else {
            HEADLESS_AFTER_NOISE
        };
        self.decoder.lacks_header(n_bytes)
    }

    async fn take_frames(&mut self, queue: &mpsc::Sender<Turn>) -> Option<CloseReason> {
        loop {
            let closing = match self.decoder.step() {
                Step::NeedMore => return None,
                Step::Message(body) => {
                    self.keep_noise(queue).await;
                    self.message(body, None, queue).await
                }
                Step::Noise(bytes) => self.record_noise(&bytes),
                Step::TooLong { kept } => {
                    self.message(kept, Some(CloseReason::TooLong), queue).await
                }
            };
            if closing.is_some() {
                self.keep_noise(queue).await;
                return closing;
            }
        }
    }

    /// Records bytes outside of frames.
    fn record_noise(&mut self, bytes: &[u8]) -> Option<CloseReason> {
        // Some senders write line ends between frames; these mean nothing.
        if self.noise.is_empty()
            && bytes
                .iter()
                .all(|byte| byte.is_ascii_whitespace() || *byte == 0)
        {
            return None;
        }
        let room = self
            .config
            .max_frame_bytes
            .min(MAX_NOISE)
            .saturating_sub(self.noise.len());
        self.noise
            .extend_from_slice(bytes.get(..bytes.len().min(room)).unwrap_or_default());
        match &*self.noise {
            [0x16, 0x03, ..] => Some(CloseReason::Tls),
            noise if HTTP.iter().any(|method| noise.starts_with(method)) => Some(CloseReason::Http),
            noise if noise.len() == MAX_NOISE => Some(CloseReason::Noise),
            _ => None,
        }
    }

    /// Journals the bytes outside of frames.
    async fn keep_noise(&mut self, queue: &mpsc::Sender<Turn>) {
        let noise = std::mem::take(&mut self.noise);
        if !noise.is_empty() {
            self.message(noise.into(), Some(CloseReason::Noise), queue)
                .await;
        }
    }

    /// Ends the connection: journals what is unfinished.
    async fn leave(&mut self, queue: &mpsc::Sender<Turn>, reason: CloseReason) -> CloseReason {
        let noisy = !self.noise.is_empty();
        self.keep_noise(queue).await;
        let rest = self.decoder.finish().map(|rest| rest.slice(1..));
        let unfinished = rest.filter(|rest| !rest.is_empty());
        let reason = match (reason, &unfinished) {
            (CloseReason::PeerClosed, Some(_)) => CloseReason::UnfinishedFrame,
            (CloseReason::PeerClosed, None) if noisy => CloseReason::Noise,
            (reason, _) => reason,
        };
        // A frame cut off by the drain is not the sender's fault: the sender sends it again.
        if let Some(rest) = unfinished.filter(|_| reason != CloseReason::Draining) {
            self.message(rest, Some(reason), queue).await;
        }
        reason
    }

    /// Takes the contents of one frame. Returns why to close, if so.
    async fn message(
        &mut self,
        body: Bytes,
        broken: Option<CloseReason>,
        queue: &mpsc::Sender<Turn>,
    ) -> Option<CloseReason> {
        let memory = self.memory_of(body.len(), broken.is_none()).await;
        if broken.is_none() && hl7v2::batch::is_batch(&body) {
            return self.batch(body, memory, queue).await;
        }
        let (mut answer, why) = self.take(body, broken);
        answer.memory = memory;
        if queue.send(Turn::Alone(Box::new(answer))).await.is_err() {
            return Some(CloseReason::Network);
        }
        why
    }

    /// Takes one message, or bytes that are not one and the reason.
    fn take(&mut self, body: Bytes, broken: Option<CloseReason>) -> (Answer, Option<CloseReason>) {
        let since = std::time::Instant::now();
        // For an incomplete message, or one too large to be translated, the beginning shows who
        // sent it and how it is answered.
        let too_large = decode::too_large(body.len(), &self.flow.config);
        let readable = if broken.is_some() || too_large.is_some() {
            body.slice(..body.len().min(SMALL))
        } else {
            body.clone()
        };
        let message = Message::parse(readable);
        let header = decode::header(&message);
        let is_message = broken.is_none() && message.first("MSH").is_some();
        if is_message {
            self.flow.senders.record(&header);
        }
        let refusal = decode::refusal_on_receipt(
            (&message, &header, is_message),
            &self.flow.config,
            &*self.shared.destination,
        )
        .or(too_large);
        let answerable = is_message || !header.control_id.is_empty();
        let prepared = if answerable {
            self.shared.desk.prepare(self.flow, &message, refusal)
        } else {
            Prepared::default()
        };
        let why = match (is_message, broken) {
            (true, _) => None,
            (false, Some(broken)) => Some(broken),
            (false, None) => Some(CloseReason::Noise),
        };
        let (then, finished) = if let Some(reason) = refusal {
            (Then::Show(reason), None)
        } else {
            let keys = decode::keys(&message, &self.peer, &self.flow.config);
            let waits = matches!(prepared.application, Application::Outcome);
            let (reply, finished) = waits.then(oneshot::channel).unzip();
            (Then::Apply { keys, reply }, finished)
        };
        let entry = Entry {
            flow: self.flow.name().to_owned(),
            connection: self.peer.clone(),
            retention: RETENTION.to_owned(),
            header,
            body,
            no_message: why.map(|why| why.word().to_owned()),
            acknowledgement: prepared.stored().cloned(),
        };
        let kept = self.shared.intake.keep(self.flow, entry, then);
        self.n_messages += 1;
        let answer = Answer {
            message,
            kept,
            finished,
            prepared,
            since,
            memory: None,
        };
        (answer, why)
    }

    /// Waits for room for a whole frame. A truncated frame has its room already.
    async fn memory_of(&mut self, n_bytes: usize, is_whole: bool) -> Option<Held> {
        let held = self.memory.take().map(|(_, held)| held);
        match held {
            Some(mut held) if SMALL <= n_bytes && held.holds(n_bytes) => {
                held.shrink(n_bytes);
                Some(held)
            }
            held if !is_whole => held,
            held => {
                drop(held);
                self.share.take(n_bytes).await
            }
        }
    }

    /// Waits for room before more of a larger frame is read.
    async fn reserve(&mut self) {
        let buffered = self.decoder.buffer().len();
        let class = Class::of(buffered);
        if class == Class::Small {
            self.memory = None;
            return;
        }
        let has_room = self.memory.as_ref().is_some_and(|(held, _)| class <= *held);
        if !has_room && let Some(held) = self.share.grow(buffered).await {
            self.memory = Some((class, held));
        }
    }
}

async fn discard_input(read: &mut OwnedReadHalf) {
    let mut chunk = vec![0; 64 << 10];
    while let Ok(n_bytes) = read.read(&mut chunk).await
        && n_bytes != 0
    {}
}
