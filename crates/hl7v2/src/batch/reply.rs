//! Builds the batch that answers a batch (2.8.2 chapter 2.10.3.3): acknowledgements in message
//! order, inside the same envelopes that the sender used.

use base::Timestamp;
use bytes::Bytes;

use crate::build::MessageBuilder;
use crate::delimiters::Delimiters;
use crate::message::Message;

/// Builder of the reply. Each call adds the answer to one received part; envelopes that the sender
/// left open are closed at the end.
#[derive(Debug)]
pub struct Reply {
    out: Vec<u8>,
    at: Timestamp,
    id: String,
    file: Option<Delimiters>,
    batch: Option<Delimiters>,
    n_in_batch: usize,
    n_batches: usize,
    n_headers: usize,
}

// === impl Reply ===

impl Reply {
    /// Creates a reply whose control ids begin with `id`.
    pub fn new(at: Timestamp, id: impl Into<String>) -> Self {
        Self {
            out: Vec::new(),
            at,
            id: id.into(),
            file: None,
            batch: None,
            n_in_batch: 0,
            n_batches: 0,
            n_headers: 0,
        }
    }

    /// Answers an FHS.
    pub fn file_header(&mut self, fhs: &Bytes) {
        self.file_trailer("");
        self.file = Some(self.header("FHS", fhs));
        self.n_batches = 0;
    }

    /// Answers a BHS.
    pub fn batch_header(&mut self, bhs: &Bytes) {
        self.batch_trailer("");
        self.batch = Some(self.header("BHS", bhs));
        self.n_in_batch = 0;
        self.n_batches += 1;
    }

    /// Adds an acknowledgement.
    pub fn message(&mut self, acknowledgement: &[u8]) {
        self.out.extend_from_slice(acknowledgement);
        self.n_in_batch += 1;
    }

    /// Answers a BTS; the comment goes into BTS-2.
    pub fn batch_trailer(&mut self, remark: &str) {
        if let Some(delimiters) = self.batch.take() {
            self.trailer("BTS", delimiters, self.n_in_batch, remark);
        }
    }

    /// Answers an FTS; the comment goes into FTS-2.
    pub fn file_trailer(&mut self, remark: &str) {
        self.batch_trailer("");
        if let Some(delimiters) = self.file.take() {
            self.trailer("FTS", delimiters, self.n_batches, remark);
        }
    }

    /// Closes any open envelopes; the comment goes into the innermost trailer.
    pub fn close(&mut self, remark: &str) {
        let in_batch = self.batch.is_some();
        self.batch_trailer(remark);
        self.file_trailer(if in_batch { "" } else { remark });
    }

    /// Returns the number of buffered bytes.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Returns whether the buffer is empty.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// Takes the bytes written so far.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// Writes a header: sender and receiver swapped, our own time and id, and theirs as the
    /// reference.
    fn header(&mut self, name: &str, theirs: &Bytes) -> Delimiters {
        let theirs = Message::parse(theirs.clone());
        let delimiters = *theirs.delimiters();
        self.n_headers += 1;
        let mut builder = MessageBuilder::new(delimiters);
        let mut header = builder.segment(name);
        if let Some(their) = theirs.segment_at(0) {
            for (own, field) in [(3, 5), (4, 6), (5, 3), (6, 4), (12, 11)] {
                let value = their.field(field);
                if !value.is_empty() {
                    header.raw(own, value.raw());
                }
            }
        }
        header.field(7, &self.at.to_hl7());
        header.field(11, &format!("{}-{}", self.id, self.n_headers));
        self.out.extend(builder.finish());
        delimiters
    }

    fn trailer(&mut self, name: &str, delimiters: Delimiters, count: usize, remark: &str) {
        let mut builder = MessageBuilder::new(delimiters);
        let mut trailer = builder.segment(name);
        trailer.field(1, &count.to_string());
        if !remark.is_empty() {
            trailer.field(2, remark);
        }
        self.out.extend(builder.finish());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply() -> Reply {
        Reply::new(Timestamp::from_micros(0), "ZZ")
    }

    #[test]
    fn the_envelope_is_mirrored() {
        let time = Timestamp::from_micros(0).to_hl7();
        let mut reply = reply();
        reply.file_header(&Bytes::from_static(b"FHS|^~\\&|A|B|C|D|2026||f.hl7||F1"));
        reply.batch_header(&Bytes::from_static(b"BHS$%*/@$A$B$C$D$2026$$$$B1"));
        reply.message(b"MSH|1\rMSA|AA\r");
        reply.message(b"MSH|2\rMSA|AA\r");
        reply.batch_trailer("BTS-1 says 3, 2 messages came");
        reply.file_trailer("");
        let text = String::from_utf8(reply.take()).unwrap().replace('\r', "\n");
        assert_eq!(
            text,
            format!(
                "FHS|^~\\&|C|D|A|B|{time}||||ZZ-1|F1\nBHS$%*/@$C$D$A$B${time}$$$$ZZ-2$B1\n\
                 MSH|1\nMSA|AA\nMSH|2\nMSA|AA\nBTS$2$BTS-1 says 3, 2 messages came\nFTS|1\n"
            )
        );
    }

    #[test]
    fn what_was_left_open_is_closed() {
        let mut reply = reply();
        reply.file_header(&Bytes::from_static(b"FHS|^~\\&"));
        reply.batch_header(&Bytes::from_static(b"BHS|^~\\&"));
        reply.message(b"MSH|^~\\&|1\rMSA|AA\r");
        reply.batch_header(&Bytes::from_static(b"BHS|^~\\&"));
        reply.close("no BTS");
        let read = super::super::read(reply.take());
        assert_eq!((read.issues, read.batch_headers.len()), (Vec::new(), 2));
    }
}
