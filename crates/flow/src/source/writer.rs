//! The write half of a connection.
//!
//! Invariants:
//! - answers go out in the order in which their messages came in;
//! - a message alone gets a frame for each of its acknowledgements, a batch one frame with all;
//! - an answer is written in one piece; only one larger than [`STREAMED`] is sent while the rest of
//!   its batch is still awaited, and its frame stays open until then.

use super::answer::{Answer, Desk, PATIENCE};
use crate::events::CloseReason;
use crate::flow::Flow;
use crate::source::room::Held;
use hl7v2::batch::{Part, Reply, Trailer};
use hl7v2::mllp::{frame, frame_end, frame_start};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// The next answer to write.
pub(crate) enum Turn {
    /// Answer to a message that arrived alone.
    Alone(Box<Answer>),
    /// Beginning of a batch.
    BatchBegins,
    /// Part of a batch's envelope.
    Envelope(Part),
    /// Answer to one message of a batch.
    Member(Box<Answer>),
    /// End of a batch.
    BatchEnds(BatchEnd),
}

/// The end of a batch.
pub(crate) struct BatchEnd {
    /// Envelope that is kept because it does not match: it must be on disk too.
    pub(crate) fault: Option<Box<Answer>>,
    /// Memory reserved for the frame.
    pub(crate) memory: Option<Held>,
}

/// A writer of answers.
pub(crate) struct Writer {
    write: OwnedWriteHalf,
    flow: Arc<Flow>,
    desk: Arc<Desk>,
    /// Time in which the peer must read.
    reading: Duration,
    out: Vec<u8>,
    batch: Option<Batch>,
}

/// The batch that is being answered.
struct Batch {
    reply: Reply,
    n_messages: usize,
    n_answers: usize,
    /// True once the beginning of the frame is written.
    begun: bool,
    /// Time limit for an outcome: zero once one did not arrive in time.
    patience: Duration,
}

/// Number of bytes gathered before they are written while more are ready.
const GATHERED: usize = 64 << 10;
/// Size up to which the answer to a batch waits in memory.
const STREAMED: usize = 1 << 20;

// === impl Writer ===

impl Writer {
    pub(crate) fn new(
        write: OwnedWriteHalf,
        flow: Arc<Flow>,
        desk: Arc<Desk>,
        reading: Duration,
    ) -> Self {
        Self {
            write,
            flow,
            desk,
            reading,
            out: Vec::new(),
            batch: None,
        }
    }

    /// Writes until no more answers are owed; returns the socket to be closed.
    pub(crate) async fn run(
        mut self,
        mut turns: mpsc::Receiver<Turn>,
    ) -> Result<OwnedWriteHalf, CloseReason> {
        while let Some(turn) = turns.recv().await {
            self.turn(turn).await?;
            // Answers that are already there go out in one write.
            if turns.is_empty() || GATHERED <= self.out.len() {
                self.flush().await?;
            }
        }
        Ok(self.write)
    }

    async fn turn(&mut self, turn: Turn) -> Result<(), CloseReason> {
        match turn {
            Turn::Alone(mut answer) => {
                // Released once the message is answered.
                let _memory = answer.memory.take();
                let settled = self.desk.settle(&self.flow, *answer, PATIENCE).await?;
                for said in settled {
                    self.out.extend(frame(&said));
                }
            }
            Turn::BatchBegins => self.batch = Some(Batch::new(self.desk.batch_reply())),
            Turn::Envelope(part) => self.batch.iter_mut().for_each(|batch| batch.mirror(&part)),
            Turn::Member(answer) => self.member(*answer).await?,
            Turn::BatchEnds(end) => self.batch_ends(end).await?,
        }
        Ok(())
    }

    async fn member(&mut self, answer: Answer) -> Result<(), CloseReason> {
        let Some(batch) = &mut self.batch else {
            return Ok(());
        };
        let (began, patience) = (Instant::now(), batch.patience);
        let settled = self.desk.settle(&self.flow, answer, patience).await?;
        if patience <= began.elapsed() {
            batch.patience = Duration::ZERO;
        }
        batch.n_messages += 1;
        for said in settled {
            batch.n_answers += 1;
            batch.reply.message(&said);
        }
        if STREAMED < batch.reply.len() {
            batch.move_to(&mut self.out);
        }
        Ok(())
    }

    async fn batch_ends(&mut self, end: BatchEnd) -> Result<(), CloseReason> {
        if let Some(fault) = end.fault {
            self.desk.settle(&self.flow, *fault, PATIENCE).await?;
        }
        let Some(mut batch) = self.batch.take() else {
            return Ok(());
        };
        batch.reply.close("the trailer is missing");
        // Where no message wants an answer, there is none; a batch without any message gets its
        // own.
        if batch.n_answers > 0 || batch.n_messages == 0 {
            batch.move_to(&mut self.out);
            self.out.extend(frame_end());
        }
        drop(end.memory);
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), CloseReason> {
        match timeout(self.reading, self.write.write_all(&self.out)).await {
            Ok(Ok(())) => {
                self.out.clear();
                Ok(())
            }
            Ok(Err(_)) => Err(CloseReason::Network),
            Err(_) => Err(CloseReason::SlowReader),
        }
    }
}

// === impl Batch ===

impl Batch {
    fn new(reply: Reply) -> Self {
        Self {
            reply,
            n_messages: 0,
            n_answers: 0,
            begun: false,
            patience: PATIENCE,
        }
    }

    fn mirror(&mut self, part: &Part) {
        match part {
            Part::FileHeader(fhs) => self.reply.file_header(fhs),
            Part::BatchHeader(bhs) => self.reply.batch_header(bhs),
            Part::BatchTrailer(bts) => self.reply.batch_trailer(&remark("messages", bts)),
            Part::FileTrailer(fts) => self.reply.file_trailer(&remark("batches", fts)),
            Part::Message(_) | Part::Stray(_) => {}
        }
    }

    fn move_to(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.begun, true) {
            out.extend(frame_start());
        }
        out.extend(self.reply.take());
    }
}

/// Formats the remark on the trailer about a wrong count.
fn remark(what: &str, trailer: &Trailer) -> String {
    if trailer.fits() {
        return String::new();
    }
    format!(
        "{} {what} came, {} announced",
        trailer.counted, trailer.claimed
    )
}
