//! The journal's entries: messages as they are kept.

use crate::sum::Sum;
use base::Timestamp;
use bytes::Bytes;
use std::fmt;

/// A message's place in the journal. Sequences increase over all days and retention classes, have gaps after
/// a crash, never go backwards, and are never assigned twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(u64);

/// The bytes to keep, and the values that index them.
#[derive(Clone)]
pub struct Entry {
    /// The flow's configured name.
    pub flow: String,
    /// The connection or file that the message arrived by: `10.0.0.7:4012`.
    pub connection: String,
    /// The retention class: one journal file per day and class. Lower-case letters, digits, `-`.
    pub retention: String,
    /// The message's own header fields. Empty for bytes that are not a message.
    pub header: Header,
    /// The bytes as they arrived, without framing.
    pub body: Bytes,
    /// Set where the bytes are not a message (noise, a frame over the cap): the reason why they are here.
    pub no_message: Option<String>,
    /// The acknowledgement, if the flow knows it before the message is on disk.
    pub acknowledgement: Option<Acknowledgement>,
}

/// Header fields and identifiers of a message, as written, for index and list.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Header {
    /// MSH-3, whole field.
    pub sending_application: String,
    /// MSH-4, whole field.
    pub sending_facility: String,
    /// MSH-9.1^MSH-9.2: `ADT^A01`.
    pub message_type: String,
    /// MSH-9.3: `ADT_A01`.
    pub structure: String,
    /// MSH-10.
    pub control_id: String,
    /// MSH-11.1.
    pub processing_id: String,
    /// MSH-12.1.
    pub version: String,
    /// Each PID-3.1 and MRG-1.1.
    pub patients: Vec<String>,
    /// PV1-19.1.
    pub visit: String,
    /// Each filler or placer order number (ORC-2/3, OBR-2/3).
    pub accessions: Vec<String>,
}

/// The answer that a sender got or will get.
#[derive(Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    /// `AA`, `AE`, `AR`, `CA`, `CE` or `CR`.
    pub code: String,
    /// The whole message, without framing.
    pub bytes: Bytes,
}

/// The result of an append. In every case it is on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    /// A new message.
    New {
        /// The message's place.
        sequence: Sequence,
        /// The time of arrival as the journal records it; never before that of an earlier message.
        received: Timestamp,
        /// An earlier message of the flow with the same MSH-3, -4, -10 and a different body (or the same body
        /// before the window): senders reset their counters.
        reused_control_id: Option<Sequence>,
    },
    /// The same MSH-3, -4, -10 and the same body in the same flow within the window. The bytes are not kept
    /// again; the fact that they arrived again is.
    Repeated {
        /// The message that this one repeats.
        original: Sequence,
        /// The acknowledgement sent then; none where it is not decided yet or was lost in a crash.
        acknowledgement: Option<Acknowledgement>,
    },
}

/// One message as the journal holds it.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Everything but the bytes.
    pub summary: Summary,
    /// The bytes as they arrived.
    pub body: Bytes,
    /// The answer that the sender got.
    pub acknowledgement: Option<Acknowledgement>,
    /// The times at which the same message arrived again.
    pub repeats: Vec<Timestamp>,
}

/// A line of the message list.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The message's place.
    pub sequence: Sequence,
    /// The time of arrival.
    pub received: Timestamp,
    /// The flow's configured name.
    pub flow: String,
    /// The connection or file that the message arrived by.
    pub connection: String,
    /// The message's own header fields.
    pub header: Header,
    /// The number of bytes that arrived.
    pub n_bytes: usize,
    /// The reason why these bytes are not a message.
    pub no_message: Option<String>,
    /// An earlier message with the same control id and a different body.
    pub reused_control_id: Option<Sequence>,
    /// The message's state.
    pub state: super::State,
    /// The reason for the state.
    pub reason: Option<String>,
    /// The number of issues that the mapping reported.
    pub n_issues: u32,
    /// The version of the map set that mapped the message.
    pub map_version: Option<String>,
}

// === impl Sequence ===

impl Sequence {
    /// The place before the first message.
    pub const ZERO: Self = Self(0);

    /// Makes a sequence from its number, as in a URL.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Returns the number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

// === impl Acknowledgement ===

impl Acknowledgement {
    /// Returns the checksum of the acknowledgement's row.
    pub(super) fn sum(&self, sequence: u64) -> i64 {
        let sum = Sum::new(2).number(sequence as i64);
        sum.bytes(self.code.as_bytes()).bytes(&self.bytes).value()
    }
}

// === impl Summary ===

impl Summary {
    /// Returns true if the entry is not as it was written: none of its content is shown.
    pub fn is_damaged(&self) -> bool {
        self.flow.is_empty() && self.reason.as_deref() == Some(DAMAGED)
    }

    /// Returns a placeholder for a damaged entry: its place, and that a person has to look at it.
    pub(super) fn damaged(sequence: Sequence) -> Self {
        Self {
            sequence,
            received: Timestamp::from_micros(0),
            flow: String::new(),
            connection: String::new(),
            header: Header::default(),
            n_bytes: 0,
            no_message: None,
            reused_control_id: None,
            state: super::State::NeedsAttention,
            reason: Some(DAMAGED.to_owned()),
            n_issues: 1,
            map_version: None,
        }
    }
}

/// The reason shown for a message whose bytes or entry are not as they were written.
pub const DAMAGED: &str = "damaged";

/// Returns the checksum of an entry's row: sequence, time of arrival and size; its texts in column order; the
/// reason why it is not a message; the message whose control id it reuses.
pub(super) fn sum(
    (sequence, received, n_bytes): (u64, i64, i64),
    texts: [&str; 12],
    no_message: Option<&str>,
    reused: Option<u64>,
) -> i64 {
    let start = Sum::new(1)
        .number(sequence as i64)
        .number(received)
        .number(n_bytes);
    let sum = texts
        .iter()
        .fold(start, |sum, text| sum.bytes(text.as_bytes()));
    let sum = sum.maybe(no_message.map(str::as_bytes));
    // No message has this number.
    sum.number(reused.map_or(-1, |reused| reused as i64))
        .value()
}

// === impl Debug: nothing here prints a message's data about a patient ===

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("flow", &self.flow)
            .field("header", &self.header)
            .field("n_bytes", &self.body.len())
            .field("no_message", &self.no_message)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Header")
            .field("message_type", &self.message_type)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Acknowledgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acknowledgement")
            .field("code", &self.code)
            .finish_non_exhaustive()
    }
}

/// Separator between the values of one column; HL7 v2 text holds no meaningful control characters below CR.
const UNIT: &str = "\u{1f}";

pub(super) fn join(values: &[String]) -> String {
    values.join(UNIT)
}

pub(super) fn split(joined: &str) -> Vec<String> {
    if joined.is_empty() {
        return Vec::new();
    }
    joined.split(UNIT).map(str::to_owned).collect()
}
