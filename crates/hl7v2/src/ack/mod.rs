//! Acknowledgements in original and enhanced mode (2.8.2 chapter 2.9): deciding which one the
//! sender wants, writing it and reading it.
//!
//! An acknowledgement echoes the sender's delimiters, version, MSH-11 and character set, and swaps
//! sender and receiver. One can be written for any message, even without MSH-10 or MSH.

mod read;
mod write;

pub use read::Acknowledgement;
pub use write::acknowledge;

use crate::issue::Place;
use crate::message::Message;

/// Acknowledgement code in MSA-1 (table 0008).
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

/// How processing of a message ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The message was accepted.
    Accepted,
    /// The message was refused because of its content; resending it unchanged does not help.
    Error,
    /// The message was refused for another reason: its type, version or processing id, or a fault
    /// on our side.
    Rejected,
}

/// Acknowledgement mode that sender and receiver use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// One acknowledgement, from the application. MSH-15 and MSH-16 are empty.
    Original,
    /// An accept acknowledgement as MSH-15 asks, and an application acknowledgement as MSH-16 asks.
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

/// Severity of an error (table 0516).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorSeverity {
    /// `E`
    Error,
    /// `W`
    Warning,
    /// `I`
    Information,
}

/// One error in an acknowledgement: an ERR segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AckError {
    /// The error condition.
    pub condition: Condition,
    /// The severity.
    pub severity: ErrorSeverity,
    /// Location in the message, if the error has one.
    pub place: Option<Place>,
    /// A sentence for a human reader. It goes to the sender, who knows the message.
    pub text: String,
}

/// Returns the code of the accept acknowledgement, or `None` if none is due (always in original
/// mode).
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

/// Returns the code of the application acknowledgement, or `None` if none is due. In original mode
/// one always is.
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

/// Returns the message's mode: enhanced as soon as MSH-15 or MSH-16 has a valid value. A null or a
/// value outside table 0155 does not count: if it were read as *never*, the sender would wait
/// forever.
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

/// Decides by table 0155. In enhanced mode, a field without a valid value means never.
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
    /// All codes, in table order.
    pub const ALL: [Self; 6] = [Self::AA, Self::AE, Self::AR, Self::CA, Self::CE, Self::CR];

    /// Returns the code as written in MSA-1.
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

    /// Returns the code with this text.
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == text)
    }

    /// Returns the outcome that the code reports.
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
    /// All conditions, in table order.
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

    /// Returns the code and its meaning in table 0357.
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

    /// Returns the condition with this code; a code that is not in the table becomes
    /// [`Self::OtherError`].
    pub fn named(code: &str) -> Self {
        let known = Self::ALL
            .into_iter()
            .find(|condition| condition.code().0 == code);
        known.unwrap_or(Self::OtherError)
    }
}

// === impl ErrorSeverity ===

impl ErrorSeverity {
    /// Returns the severity as written in ERR-4.
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
    /// Creates an error about the whole message.
    pub fn new(condition: Condition, text: impl Into<String>) -> Self {
        Self {
            condition,
            severity: ErrorSeverity::Error,
            place: None,
            text: text.into(),
        }
    }

    /// Sets the location of the error.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }
}
