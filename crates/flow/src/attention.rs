//! Reasons for which a person has to look at a message.
//!
//! Invariant: each reason says whether the message is in the chart. Most reasons keep it out; some
//! arise while it is applied, and the message is in the chart all the same.

mod concern;
pub mod finding;

pub use concern::{Concern, in_chart, read, write};

/// A reason for which a person has to look at a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Attention {
    /// The bytes are not a message.
    NoMessage,
    /// The batch envelope does not match the messages in it.
    BatchEnvelope,
    /// The message is one fragment of a message that its sender split.
    Fragment,
    /// MSH-9 is missing.
    NoMessageType,
    /// MSH-10 is missing.
    NoControlId,
    /// MSH-11 is missing.
    NoProcessingId,
    /// MSH-11 is not one of the flow's values.
    WrongProcessingId,
    /// The message has more segments and repetitions than the flow accepts, or more separators than
    /// the parser splits.
    TooManyParts,
    /// The message has more bytes than the flow translates.
    TooLarge,
    /// No map handles this message type and event.
    NoMap,
    /// HL7 does not define this version, or no map handles it.
    UnknownVersion,
    /// The map reported errors that leave nothing to apply.
    MapFailed,
    /// The chart rejected what the map produced.
    ChartRefused,
    /// The message's identifiers match two records.
    Ambiguous,
    /// A merge names the same patient on both sides.
    MergeWithItself,
    /// A merge would create a cycle.
    MergeCircle,
    /// The message was tried as often as the flow allows.
    TooManyAttempts,
    /// A result or an order has no patient.
    NoPatient,
    /// The message has a different name, birth date and sex than the record with its number.
    AnotherPerson,
    /// The message is in the chart, but a number in it belongs to another patient's record.
    NumberOfAnother,
    /// The message is in the chart, but none of its patient's numbers identifies a person.
    NamelessPatient,
    /// The message is in the chart, but two records that cannot be one person's share an
    /// identifier.
    SharedIdentifier,
    /// The message is in the chart, but its event is dated in the future.
    FutureDated,
    /// The message is in the chart, but which of several results it corrects is ambiguous.
    UnclearCorrection,
    /// The message is in the chart except for a value that could not be used.
    UnusableValue,
    /// The message is in the chart except for a part that has no place there.
    Incomplete,
    /// The message's bytes in the journal differ from those received.
    Damaged,
}

// === impl Attention ===

impl Attention {
    /// All reasons.
    pub const ALL: [Self; 27] = [
        Self::NoMessage,
        Self::BatchEnvelope,
        Self::Fragment,
        Self::NoMessageType,
        Self::NoControlId,
        Self::NoProcessingId,
        Self::WrongProcessingId,
        Self::TooManyParts,
        Self::TooLarge,
        Self::NoMap,
        Self::UnknownVersion,
        Self::MapFailed,
        Self::ChartRefused,
        Self::Ambiguous,
        Self::MergeWithItself,
        Self::MergeCircle,
        Self::TooManyAttempts,
        Self::NoPatient,
        Self::AnotherPerson,
        Self::NumberOfAnother,
        Self::NamelessPatient,
        Self::SharedIdentifier,
        Self::FutureDated,
        Self::UnclearCorrection,
        Self::UnusableValue,
        Self::Incomplete,
        Self::Damaged,
    ];

    /// Returns the stable code for the journal, logs and metrics.
    pub fn code(self) -> &'static str {
        match self {
            Self::NoMessage => "no_message",
            Self::BatchEnvelope => "batch_envelope",
            Self::Fragment => "fragment",
            Self::NoMessageType => "no_message_type",
            Self::NoControlId => "no_control_id",
            Self::NoProcessingId => "no_processing_id",
            Self::WrongProcessingId => "wrong_processing_id",
            Self::TooManyParts => "too_many_parts",
            Self::TooLarge => "too_large",
            Self::NoMap => "no_map",
            Self::UnknownVersion => "unknown_version",
            Self::MapFailed => "map_failed",
            Self::ChartRefused => "chart_refused",
            Self::Ambiguous => "ambiguous",
            Self::MergeWithItself => "merge_with_itself",
            Self::MergeCircle => "merge_circle",
            Self::TooManyAttempts => "too_many_attempts",
            Self::NoPatient => "no_patient",
            Self::AnotherPerson => "another_person",
            Self::NumberOfAnother => "number_of_another",
            Self::NamelessPatient => "nameless_patient",
            Self::SharedIdentifier => "shared_identifier",
            Self::FutureDated => "future_dated",
            Self::UnclearCorrection => "unclear_correction",
            Self::UnusableValue => "unusable_value",
            Self::Incomplete => "incomplete",
            Self::Damaged => "damaged",
        }
    }

    /// Returns true where later messages of the partition build on this one, so the flow's policy
    /// for a failing head applies. A message rejected on receipt, or a merge that makes no sense,
    /// leaves nothing behind that later messages could miss.
    pub fn blocks(self) -> bool {
        match self {
            Self::MapFailed | Self::ChartRefused | Self::Ambiguous | Self::TooManyAttempts => true,
            Self::NoMessage
            | Self::BatchEnvelope
            | Self::Fragment
            | Self::NoMessageType
            | Self::NoControlId
            | Self::NoProcessingId
            | Self::WrongProcessingId
            | Self::TooManyParts
            | Self::TooLarge
            | Self::NoMap
            | Self::UnknownVersion
            | Self::MergeWithItself
            | Self::MergeCircle
            | Self::NoPatient
            | Self::AnotherPerson
            | Self::NumberOfAnother
            | Self::NamelessPatient
            | Self::SharedIdentifier
            | Self::FutureDated
            | Self::UnclearCorrection
            | Self::UnusableValue
            | Self::Incomplete
            | Self::Damaged => false,
        }
    }

    /// Returns true where the message is in the chart and a person has to look at the result.
    pub fn in_chart(self) -> bool {
        match self {
            Self::NumberOfAnother
            | Self::NamelessPatient
            | Self::SharedIdentifier
            | Self::FutureDated
            | Self::UnclearCorrection
            | Self::UnusableValue
            | Self::Incomplete => true,
            Self::NoMessage
            | Self::BatchEnvelope
            | Self::Fragment
            | Self::NoMessageType
            | Self::NoControlId
            | Self::NoProcessingId
            | Self::WrongProcessingId
            | Self::TooManyParts
            | Self::TooLarge
            | Self::NoMap
            | Self::UnknownVersion
            | Self::MapFailed
            | Self::ChartRefused
            | Self::Ambiguous
            | Self::MergeWithItself
            | Self::MergeCircle
            | Self::NoPatient
            | Self::AnotherPerson
            | Self::TooManyAttempts
            | Self::Damaged => false,
        }
    }

    /// Parses what [`Self::code`] returns.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }

    /// Returns what is wrong and what helps, for the console; no PHI.
    pub fn explain(self) -> &'static str {
        match self {
            Self::NoMessage => {
                "These bytes are not a complete message: they do not begin with MSH, or their frame \
                 is truncated or too long. Find out what the sender is."
            }
            Self::BatchEnvelope => {
                "The batch does not match its envelope: a count is wrong or a segment is missing. \
                 All messages that arrived were accepted. Ask the sender if there are more."
            }
            Self::Fragment => {
                "The sender split a message into several (DSC, MSH-14) and this is one of them. \
                 Parts are kept and not joined: the sender must send the message whole."
            }
            Self::NoMessageType => "MSH-9 is missing. The sender must give the message type.",
            Self::NoControlId => {
                "MSH-10 is missing. The sender must give each message a control id."
            }
            Self::NoProcessingId => "MSH-11 is missing. The sender must send P, T or D.",
            Self::WrongProcessingId => {
                "MSH-11 says that this is not a production message, so it stays out of the chart."
            }
            Self::TooManyParts => {
                "The message has more segments and repetitions than the flow accepts (`max_parts`), \
                 or more than 262,144 separators, so it is kept and not translated. Have the sender \
                 send the parts as separate messages, or raise the limit and replay."
            }
            Self::TooLarge => {
                "The message has more bytes than the flow translates (`max_translated_bytes`), so \
                 it is kept and not translated. Have the sender send documents by reference or in \
                 parts, or raise the limit and replay."
            }
            Self::NoMap => "No map handles this type of message. Write one, then replay.",
            Self::UnknownVersion => {
                "MSH-12 is not a version that the maps know. Correct it in a dialect, then replay."
            }
            Self::MapFailed => "The map could not use the message. See its issues, then replay.",
            Self::ChartRefused => {
                "The chart rejected what the map produced. See its issues, then replay."
            }
            Self::Ambiguous => {
                "The message's numbers identify two different records. Decide which is meant."
            }
            Self::MergeWithItself => {
                "The message merges a patient with the same patient. Nothing was changed."
            }
            Self::MergeCircle => {
                "The message would merge patients in a cycle. Nothing was changed."
            }
            Self::TooManyAttempts => {
                "The message was tried as often as the flow allows. Find the cause, then replay."
            }
            Self::NoPatient => {
                "The message has no patient: PID is missing or empty, or a merge identifies no \
                 person on one side. Nothing of it is in the chart. Add the patient's number and \
                 send it again."
            }
            Self::AnotherPerson => {
                "Name, birth date and sex differ from those of the record with this number. Nothing \
                 of the message is in the chart. Release it if it is the same person; otherwise \
                 correct the number and send it again."
            }
            Self::NumberOfAnother => {
                "The message gives an order, a visit or a result a number that belongs to another \
                 patient's record. The two are kept apart. Ask the sender whose number it is; \
                 settle the message if both are right."
            }
            Self::NamelessPatient => {
                "No number in PID-3 identifies a person (each is a placeholder, an account or a \
                 policy), so the patient has a separate record. Merge it with the right one, or \
                 settle the message."
            }
            Self::SharedIdentifier => {
                "Two records that cannot be one person's share an identifier of a person (a \
                 national number, a record number). They are kept apart. Ask the senders whose it \
                 is; correct the wrong record, merge the two if they are one person after all, or \
                 settle the message."
            }
            Self::FutureDated => {
                "The event is dated in the future: the sender's clock is wrong. The time of arrival \
                 is used instead. Have the clock set, then settle the message."
            }
            Self::UnclearCorrection => {
                "The message corrects a result, but its time matches none of the several with its \
                 code, so it is stored beside them. Withdraw the wrong one, or settle the message."
            }
            Self::UnusableValue => {
                "The message is in the chart, except for a value that could not be used as sent. \
                 Correct the message and send it again, or fix the map and replay; settle it if \
                 nothing is missing."
            }
            Self::Incomplete => {
                "The message is in the chart, except for a part that has no place there. Fix the \
                 map and replay, or correct the message and send it again; settle it if nothing is \
                 missing."
            }
            Self::Damaged => {
                "The message's bytes in the journal are not as they were written: the disk damaged \
                 them. Nothing of it is applied. Have the sender send it again, or restore the \
                 journal file of that day."
            }
        }
    }
}
