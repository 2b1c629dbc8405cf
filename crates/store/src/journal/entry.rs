//! What the journal keeps of one message.

use crate::sum::Sum;
use base::Timestamp;
use bytes::Bytes;
use std::fmt;

/// A message's place in the journal: counts up over all days and retention classes, has gaps after
/// a crash, never runs backwards, and is never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(u64);

/// Bytes to keep, and what they are indexed by.
#[derive(Clone)]
pub struct Entry {
    /// The flow's configured name.
    pub flow: String,
    /// The connection or file that it came by: `10.0.0.7:4012`.
    pub connection: String,
    /// How long it is kept: one journal file per day and class. Lower-case letters, digits, `-`.
    pub retention: String,
    /// What the message says of itself. Empty for bytes that are no message.
    pub header: Header,
    /// The bytes as they came, without framing.
    pub body: Bytes,
    /// Set where these bytes are no message (noise, a frame over the cap): why they are here.
    pub no_message: Option<String>,
    /// The acknowledgement, where the flow knows it before the message is on disk.
    pub acknowledgement: Option<Acknowledgement>,
}

/// What a message says of itself, as written, for index and list.
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
    /// Each PID-3.1, MRG-1.1.
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

/// What became of an append. Whatever it is, it is on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    /// A message of its own.
    New {
        /// Its place.
        sequence: Sequence,
        /// When the journal says that it came; never before an earlier message.
        received: Timestamp,
        /// An earlier message of the flow with the same MSH-3, -4, -10 and another body (or the same
        /// body before the window): senders reset their counters.
        reused_control_id: Option<Sequence>,
    },
    /// The same MSH-3, -4, -10 and the same body in the same flow within the window. The bytes are
    /// not kept again; that they came again is.
    Repeated {
        /// The message that it repeats.
        original: Sequence,
        /// What was answered then; none where that is not decided, or was lost in a crash.
        acknowledgement: Option<Acknowledgement>,
    },
}

/// One message as the journal has it.
#[derive(Clone, Debug)]
pub struct Stored {
    /// All but the bytes.
    pub summary: Summary,
    /// The bytes as they came.
    pub body: Bytes,
    /// The answer that the sender got.
    pub acknowledgement: Option<Acknowledgement>,
    /// When the same message came again.
    pub repeats: Vec<Timestamp>,
}

/// A line of the message list.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Its place.
    pub sequence: Sequence,
    /// When it came.
    pub received: Timestamp,
    /// The flow's configured name.
    pub flow: String,
    /// Where it came from.
    pub connection: String,
    /// What it says of itself.
    pub header: Header,
    /// How many bytes came.
    pub n_bytes: usize,
    /// Why these bytes are no message.
    pub no_message: Option<String>,
    /// An earlier message with the same control id and another body.
    pub reused_control_id: Option<Sequence>,
    /// Where it stands.
    pub state: super::State,
    /// Why it stands there.
    pub reason: Option<String>,
    /// How many issues its mapping reported.
    pub n_issues: u32,
    /// The version of the map set that it went through.
    pub map_version: Option<String>,
}

// === impl Sequence ===

impl Sequence {
    /// Before the first message.
    pub const ZERO: Self = Self(0);

    /// From its number, as in a URL.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
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
    /// The sum of its row.
    pub(super) fn sum(&self, sequence: u64) -> i64 {
        let sum = Sum::new(2).number(sequence as i64);
        sum.bytes(self.code.as_bytes()).bytes(&self.bytes).value()
    }
}

// === impl Summary ===

impl Summary {
    /// True where the entry is not as it was written: nothing of it is told.
    pub fn is_damaged(&self) -> bool {
        self.flow.is_empty() && self.reason.as_deref() == Some(DAMAGED)
    }

    /// What is shown of an entry that is damaged: its place, and that a person has to look.
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

/// The reason beside a message whose bytes or entry are not as they were written.
pub const DAMAGED: &str = "damaged";

/// The sum of an entry's row: sequence, received time and size; its texts in the order of their columns; why
/// it is no message; whose control id it reuses.
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

// === impl Debug: nothing here prints what a message says of a patient ===

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

/// Between values of one column; HL7 v2 text holds no control characters below CR that mean text.
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
