//! Decoding: the header fields with which a message is indexed, partitioned and answered, without a
//! map.
//!
//! Invariant: the first reason that keeps a message out of the chart is named; nothing is guessed.

use super::schedule::Key;
use super::work::Keys;
use crate::attention::Attention;
use crate::destination::Destination;
use crate::topology::{FailingHead, FlowConfig, PartitionKey, ProcessingId};
use hl7v2::{Message, Segment};
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use store::journal::Header;

/// Maximum number of patient and order numbers indexed per message; one with more is found by its
/// first numbers, its control id and its text.
const MAX_NUMBERS: usize = 1_000;

/// Extracts the fields that the journal indexes.
pub fn header(message: &Message) -> Header {
    let Some(msh) = message.first("MSH") else {
        return Header::default();
    };
    let part = |field: usize, component: usize| {
        msh.field(field)
            .repeat(1)
            .component(component)
            .text()
            .into_owned()
    };
    let kind = [part(9, 1), part(9, 2)];
    let message_type = if kind[1].is_empty() {
        kind[0].clone()
    } else {
        kind.join("^")
    };
    Header {
        sending_application: whole(&msh, 3),
        sending_facility: whole(&msh, 4),
        message_type,
        structure: part(9, 3),
        control_id: whole(&msh, 10),
        processing_id: part(11, 1),
        version: part(12, 1),
        patients: distinct(patients(message).map(|(id, _)| id)),
        visit: first_of(message, "PV1", 19),
        accessions: accessions(message),
    }
}

/// Extracts the same fields from a batch envelope: FHS and BHS number their fields alike.
pub(crate) fn envelope_header(envelope: &Message) -> Header {
    let first = envelope.segment_at(0);
    let Some(first) = first.filter(|first| matches!(first.name(), "FHS" | "BHS")) else {
        return Header::default();
    };
    Header {
        sending_application: whole(&first, 3),
        sending_facility: whole(&first, 4),
        message_type: first.name().to_owned(),
        control_id: whole(&first, 11),
        ..Header::default()
    }
}

/// Returns the reason in the header that keeps the message out of the chart, if any.
pub(crate) fn refusal(header: &Header, is_message: bool, flow: &FlowConfig) -> Option<Attention> {
    if !is_message {
        return Some(Attention::NoMessage);
    }
    if header.message_type.is_empty() {
        return Some(Attention::NoMessageType);
    }
    if header.control_id.is_empty() {
        return Some(Attention::NoControlId);
    }
    if header.processing_id.is_empty() {
        return Some(Attention::NoProcessingId);
    }
    match ProcessingId::parse(&header.processing_id) {
        Some(id) if flow.processing_ids.contains(&id) => None,
        Some(_) | None => Some(Attention::WrongProcessingId),
    }
}

/// Returns the reason to refuse a newly received message, however it arrives: checked before it is
/// journaled, sent in its answer, and shown by a dry run.
pub(crate) fn refusal_on_receipt(
    (message, header, is_message): (&Message, &Header, bool),
    flow: &FlowConfig,
    destination: &dyn Destination,
) -> Option<Attention> {
    refusal(header, is_message, flow)
        .or_else(|| oversize(message, flow))
        .or_else(|| destination.refuses(message))
}

/// Returns a reason if the message has more parts than the flow accepts.
pub(crate) fn oversize(message: &Message, flow: &FlowConfig) -> Option<Attention> {
    if let Some(reason) = too_large(message.raw().len(), flow) {
        return Some(reason);
    }
    let n_parts = message.segments().len() + message.repeat_count();
    let fits = message.unsplit_from().is_none() && n_parts <= flow.max_parts;
    (!fits).then_some(Attention::TooManyParts)
}

/// Returns a reason if the message is too large: it takes several times its size on its way into
/// the chart.
pub(crate) fn too_large(n_bytes: usize, flow: &FlowConfig) -> Option<Attention> {
    (flow.max_translated_bytes < n_bytes).then_some(Attention::TooLarge)
}

/// Returns the keys that order the message.
pub(crate) fn keys(message: &Message, connection: &str, flow: &FlowConfig) -> Keys {
    // Two flows do not wait for each other: nothing orders their sources. Where they meet in one
    // resource, the chart detects it and the work is repeated.
    let of_connection = vec![hash(&(&flow.name, connection))];
    let mut of_patient: Vec<Key> = patients(message)
        .map(|(id, authority)| hash(&(&flow.name, "patient", id, authority)))
        .collect();
    of_patient.sort_unstable();
    of_patient.dedup();
    if of_patient.is_empty() {
        of_patient.clone_from(&of_connection);
    }
    let lines = match flow.partition {
        PartitionKey::Connection => of_connection,
        PartitionKey::Patient => of_patient.clone(),
    };
    let parking = match flow.failing_head {
        FailingHead::Block | FailingHead::Hold => lines.clone(),
        FailingHead::ParkPatient => of_patient,
    };
    Keys { lines, parking }
}

/// Returns every number that PID and MRG give the patients of a message, with its authority.
fn patients(message: &Message) -> impl Iterator<Item = (String, String)> {
    let fields = message.segments().flat_map(|segment| match segment.name() {
        "PID" => vec![segment.field(3)],
        "MRG" => vec![segment.field(1)],
        _ => Vec::new(),
    });
    fields
        .flat_map(|field| {
            field
                .repeats()
                .map(|cx| {
                    (
                        cx.component(1).text().into_owned(),
                        cx.component(4).text().into_owned(),
                    )
                })
                .collect::<Vec<_>>()
        })
        .filter(|(id, _)| !id.is_empty())
}

fn accessions(message: &Message) -> Vec<String> {
    let orders = message
        .segments()
        .filter(|segment| matches!(segment.name(), "ORC" | "OBR"));
    let numbers = orders.flat_map(|segment| {
        [2, 3].map(|field| {
            let number = segment.field(field).repeat(1).component(1).text();
            number.into_owned()
        })
    });
    distinct(numbers.filter(|number| !number.is_empty()))
}

/// Removes duplicates, keeps the order, and limits the length to the index limit per message.
fn distinct(numbers: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = HashSet::new();
    let fresh = numbers.filter(|number| seen.insert(number.clone()));
    fresh.take(MAX_NUMBERS).collect()
}

fn first_of(message: &Message, segment: &str, field: usize) -> String {
    message
        .first(segment)
        .map(|found| {
            found
                .field(field)
                .repeat(1)
                .component(1)
                .text()
                .into_owned()
        })
        .unwrap_or_default()
}

/// Returns a field as the sender wrote it, with its escapes.
fn whole(segment: &Segment<'_>, field: usize) -> String {
    let charset = segment.message().charset();
    charset.decode(segment.field(field).raw()).into_owned()
}

fn hash(of: &impl Hash) -> Key {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}
