//! The reason for a refusal, as table 0357 conditions at their places.

use crate::attention::{Attention, Concern};
use crate::flow::Flow;
use crate::step::work::Refused;
use crate::topology::Refusal;
use hl7v2::ack::{AckError, Condition, ErrorSeverity, Outcome};
use hl7v2::path::Which;
use hl7v2::{Message, Path, Place, Version};
use std::num::NonZeroU32;

/// Returns the acknowledgement code under the flow's policy, and its errors: the reason, then the
/// values that led to it.
pub(super) fn of(flow: &Flow, refused: &Refused) -> (Outcome, Vec<AckError>) {
    let (outcome, error) = reason(flow, refused.reason);
    let values = match refused.reason {
        Attention::MapFailed | Attention::ChartRefused => refused.issues.as_slice(),
        // Other unusable values are not the reason for the refusal.
        _ => &[],
    };
    let condition = error.condition;
    let values = values.iter().filter_map(|issue| value(condition, issue));
    (outcome, std::iter::once(error).chain(values).collect())
}

/// Returns warnings for the sender about an accepted message that somebody here has to look at.
/// Only from 2.5 on: before, an error has no severity (ERR-4), and an error beside AA would be
/// taken for a refusal.
pub(super) fn warnings(message: &Message, concerns: &[Concern]) -> Vec<AckError> {
    if message.version() < Version::V2_5 {
        return Vec::new();
    }
    let concerns = concerns.iter().take(Refused::MAX_REPORTED);
    concerns
        .map(|concern| {
            let text = match concern.why.as_str() {
                "" => concern.reason.explain(),
                why => why,
            };
            let condition = condition(concern.reason);
            let error = at(condition, &concern.place, text)
                .unwrap_or_else(|| AckError::new(condition, text));
            AckError {
                severity: ErrorSeverity::Warning,
                ..error
            }
        })
        .collect()
}

/// Returns the closest condition of table 0357.
fn condition(reason: Attention) -> Condition {
    match reason {
        Attention::UnusableValue => Condition::DataType,
        Attention::NumberOfAnother | Attention::AnotherPerson | Attention::SharedIdentifier => {
            Condition::DuplicateKey
        }
        Attention::NamelessPatient => Condition::UnknownKey,
        _ => Condition::InternalError,
    }
}

/// Parses the error of one value from `OBX[2]-5: no number`.
fn value(condition: Condition, issue: &str) -> Option<AckError> {
    let (path, why) = issue.split_once(": ")?;
    at(condition, path, why)
}

fn at(condition: Condition, path: &str, why: &str) -> Option<AckError> {
    let path = Path::parse(path).ok()?;
    let name = path.segment.name.as_bytes().try_into().ok()?;
    let part = |number: Option<NonZeroU32>| number.map_or(0, NonZeroU32::get);
    let which = |which: Which| match which {
        Which::At(number) => number.get(),
        Which::Unspecified | Which::Each => 1,
    };
    Some(AckError::new(condition, why).at(Place {
        name: Some(name),
        occurrence: which(path.segment.which),
        field: part(path.field),
        repeat: which(path.repeat),
        component: part(path.component),
        subcomponent: part(path.subcomponent),
        ..Place::default()
    }))
}

fn reason(flow: &Flow, reason: Attention) -> (Outcome, AckError) {
    let refusals = flow.config.refusals;
    let by = |refusal: Refusal| match refusal {
        Refusal::Ae => Outcome::Error,
        Refusal::Ar => Outcome::Rejected,
    };
    let (outcome, condition, field) = match reason {
        Attention::NoMessage | Attention::BatchEnvelope => {
            (by(refusals.header), Condition::SegmentSequence, None)
        }
        // MSH-14 also where DSC-1 says it: the field refers to the message that the sender knows.
        Attention::Fragment => (
            by(refusals.no_map),
            Condition::UnsupportedMessageType,
            Some(14),
        ),
        Attention::NoMessageType => (
            by(refusals.header),
            Condition::RequiredFieldMissing,
            Some(9),
        ),
        Attention::NoControlId => (
            by(refusals.header),
            Condition::RequiredFieldMissing,
            Some(10),
        ),
        Attention::NoProcessingId => (
            by(refusals.header),
            Condition::RequiredFieldMissing,
            Some(11),
        ),
        Attention::WrongProcessingId => (
            by(refusals.processing_id),
            Condition::UnsupportedProcessingId,
            Some(11),
        ),
        Attention::NoMap => (
            by(refusals.no_map),
            Condition::UnsupportedMessageType,
            Some(9),
        ),
        Attention::UnknownVersion => (by(refusals.no_map), Condition::UnsupportedVersion, Some(12)),
        Attention::Ambiguous | Attention::MergeWithItself | Attention::MergeCircle => {
            (Outcome::Error, Condition::DuplicateKey, None)
        }
        Attention::AnotherPerson => (Outcome::Error, condition(reason), None),
        Attention::NoPatient => (Outcome::Error, Condition::SegmentSequence, None),
        Attention::MapFailed | Attention::ChartRefused => {
            (Outcome::Error, Condition::DataType, None)
        }
        // No condition of table 0357 means that a message is too large; the text does.
        Attention::TooManyParts | Attention::TooLarge => {
            (by(refusals.header), Condition::InternalError, None)
        }
        Attention::TooManyAttempts | Attention::Damaged => {
            (Outcome::Rejected, Condition::InternalError, None)
        }
        // Messages with these reasons are in the chart: see `warnings`.
        Attention::NumberOfAnother
        | Attention::NamelessPatient
        | Attention::SharedIdentifier
        | Attention::FutureDated
        | Attention::UnclearCorrection
        | Attention::UnusableValue
        | Attention::Incomplete => (Outcome::Accepted, condition(reason), None),
    };
    let error = AckError::new(condition, reason.explain());
    (
        outcome,
        match field {
            Some(field) => error.at(Place {
                name: Some(*b"MSH"),
                occurrence: 1,
                field,
                ..Place::default()
            }),
            None => error,
        },
    )
}
