//! Acknowledgements in original and enhanced mode (2.8.2 chapter 2.9): which one the sender wants,
//! written and read.
//!
//! An acknowledgement echoes the sender's delimiters, version, MSH-11 and character set, and swaps
//! sender and receiver. It can be written for any message, also one without MSH-10 or without MSH.

mod read;
mod write;

pub use read::Acknowledgement;
pub use write::acknowledge;

use crate::issue::Place;
use crate::message::Message;

/// MSA-1 (table 0008).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AckCode {
    /// Application accept.
    AA,
    /// Application error.
    AE,
    /// Application reject.
    AR,
    /// Commit accept.
    CA,
    /// Commit error.
    CE,
    /// Commit reject.
    CR,
}

/// How the work on a message ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Taken.
    Accepted,
    /// Not taken for what is in it; sending the same again does not help.
    Error,
    /// Not taken for another reason: its type, version or processing id, or a fault here.
    Rejected,
}

/// How sender and receiver speak of acknowledgements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// One acknowledgement, of the application. MSH-15 and MSH-16 are empty.
    Original,
    /// One for the receipt as MSH-15 asks, one of the application as MSH-16 asks.
    Enhanced,
}

/// An error condition (table 0357).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the table's meanings")]
pub enum Condition {
    Accepted,
    SegmentSequence,
    RequiredFieldMissing,
    DataType,
    TableValueNotFound,
    ValueTooLong,
    NonConformantCardinality,
    OtherError,
    UnsupportedMessageType,
    UnsupportedEvent,
    UnsupportedProcessingId,
    UnsupportedVersion,
    UnknownKey,
    DuplicateKey,
    RecordLocked,
    InternalError,
}

/// How bad an error is (table 0516).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorSeverity {
    /// `E`
    Error,
    /// `W`
    Warning,
    /// `I`
    Information,
}

/// One error of an acknowledgement: an ERR segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AckError {
    /// What kind.
    pub condition: Condition,
    /// How bad.
    pub severity: ErrorSeverity,
    /// Where in the message, if at a place.
    pub place: Option<Place>,
    /// A sentence for a person. It goes to the sender, who knows the message.
    pub text: String,
}

/// Whether and how to confirm the receipt: nothing in original mode.
pub fn accept_code(message: &Message, outcome: Outcome) -> Option<AckCode> {
    let wanted = message.header(15, 1);
    let code = match outcome {
        Outcome::Accepted => AckCode::CA,
        Outcome::Error => AckCode::CE,
        Outcome::Rejected => AckCode::CR,
    };
    let asked = mode(message) == Mode::Enhanced && is_asked(&wanted, outcome);
    asked.then_some(code)
}

/// Whether and how to answer for the application: always in original mode.
pub fn application_code(message: &Message, outcome: Outcome) -> Option<AckCode> {
    let wanted = message.header(16, 1);
    let code = match outcome {
        Outcome::Accepted => AckCode::AA,
        Outcome::Error => AckCode::AE,
        Outcome::Rejected => AckCode::AR,
    };
    let asked = mode(message) == Mode::Original || is_asked(&wanted, outcome);
    asked.then_some(code)
}

/// Enhanced as soon as MSH-15 or MSH-16 says anything. A null or what table 0155 does not know says
/// nothing: were it taken for *never*, the sender would wait for ever.
pub fn mode(message: &Message) -> Mode {
    let says = |field: usize| {
        let wanted = message.header(field, 1);
        matches!(wanted.trim(), "AL" | "NE" | "ER" | "SU")
    };
    if says(15) || says(16) {
        Mode::Enhanced
    } else {
        Mode::Original
    }
}

/// Table 0155. In enhanced mode a field that says nothing means never.
fn is_asked(wanted: &str, outcome: Outcome) -> bool {
    match wanted.trim() {
        "AL" => true,
        "ER" => outcome != Outcome::Accepted,
        "SU" => outcome == Outcome::Accepted,
        _ => false,
    }
}

// === impl AckCode ===

impl AckCode {
    /// All, in the table's order.
    pub const ALL: [Self; 6] = [Self::AA, Self::AE, Self::AR, Self::CA, Self::CE, Self::CR];

    /// As MSA-1 writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AA => "AA",
            Self::AE => "AE",
            Self::AR => "AR",
            Self::CA => "CA",
            Self::CE => "CE",
            Self::CR => "CR",
        }
    }

    /// The code with this text.
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == text)
    }

    /// What it says of the message.
    pub fn outcome(self) -> Outcome {
        match self {
            Self::AA | Self::CA => Outcome::Accepted,
            Self::AE | Self::CE => Outcome::Error,
            Self::AR | Self::CR => Outcome::Rejected,
        }
    }
}

// === impl Condition ===

impl Condition {
    /// All, in the table's order.
    pub const ALL: [Self; 16] = [
        Self::Accepted,
        Self::SegmentSequence,
        Self::RequiredFieldMissing,
        Self::DataType,
        Self::TableValueNotFound,
        Self::ValueTooLong,
        Self::NonConformantCardinality,
        Self::OtherError,
        Self::UnsupportedMessageType,
        Self::UnsupportedEvent,
        Self::UnsupportedProcessingId,
        Self::UnsupportedVersion,
        Self::UnknownKey,
        Self::DuplicateKey,
        Self::RecordLocked,
        Self::InternalError,
    ];

    /// The code and its meaning in table 0357.
    pub fn code(self) -> (&'static str, &'static str) {
        match self {
            Self::Accepted => ("0", "Message accepted"),
            Self::SegmentSequence => ("100", "Segment sequence error"),
            Self::RequiredFieldMissing => ("101", "Required field missing"),
            Self::DataType => ("102", "Data type error"),
            Self::TableValueNotFound => ("103", "Table value not found"),
            Self::ValueTooLong => ("104", "Value too long"),
            Self::NonConformantCardinality => ("198", "Non-Conformant Cardinality"),
            Self::OtherError => ("199", "Other HL7 Error"),
            Self::UnsupportedMessageType => ("200", "Unsupported message type"),
            Self::UnsupportedEvent => ("201", "Unsupported event code"),
            Self::UnsupportedProcessingId => ("202", "Unsupported processing id"),
            Self::UnsupportedVersion => ("203", "Unsupported version id"),
            Self::UnknownKey => ("204", "Unknown key identifier"),
            Self::DuplicateKey => ("205", "Duplicate key identifier"),
            Self::RecordLocked => ("206", "Application record locked"),
            Self::InternalError => ("207", "Application internal error"),
        }
    }

    /// The condition with this code; one that the table lacks is another error.
    pub fn named(code: &str) -> Self {
        let known = Self::ALL
            .into_iter()
            .find(|condition| condition.code().0 == code);
        known.unwrap_or(Self::OtherError)
    }
}

// === impl ErrorSeverity ===

impl ErrorSeverity {
    /// As ERR-4 writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "E",
            Self::Warning => "W",
            Self::Information => "I",
        }
    }
}

// === impl AckError ===

impl AckError {
    /// An error of the whole message.
    pub fn new(condition: Condition, text: impl Into<String>) -> Self {
        Self {
            condition,
            severity: ErrorSeverity::Error,
            place: None,
            text: text.into(),
        }
    }

    /// The same at a place.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }
}
