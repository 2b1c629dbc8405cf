//! Writes acknowledgements.

use base::Timestamp;

use super::{AckCode, AckError};
use crate::build::{MessageBuilder, SegmentBuilder};
use crate::dictionary::Version;
use crate::message::{Message, Segment};

/// Builds the acknowledgement of a message, ready to send.
pub fn acknowledge(
    message: &Message,
    code: AckCode,
    errors: &[AckError],
    at: Timestamp,
    control_id: &str,
) -> Vec<u8> {
    let msh = message.first("MSH");
    let mut builder = MessageBuilder::new(*message.delimiters()).charset(message.charset());
    let mut header = builder.segment("MSH");
    for (own, theirs) in [(3, 5), (4, 6), (5, 3), (6, 4), (11, 11), (12, 12), (18, 18)] {
        echo(&mut header, own, msh, theirs);
    }
    header.field(7, &at.to_hl7());
    message_type(&mut header, message);
    header.field(10, control_id);
    if message.processing_id().is_empty() {
        header.field(11, "P");
    }
    if message.header(12, 1).is_empty() {
        header.field(12, message.version().as_str());
    }
    let mut msa = builder.segment("MSA");
    msa.field(1, code.as_str());
    echo(&mut msa, 2, msh, 10);
    let version = message.version();
    if let Some(error) = errors.first().filter(|_| version < Version::V2_7) {
        msa.field(3, &error.text);
    }
    if version >= Version::V2_5 {
        for error in errors {
            modern_error(&mut builder, error);
        }
    } else if !errors.is_empty() {
        old_errors(&mut builder, errors);
    }
    message.wire.encode(builder.finish())
}

/// Copies a field of the sender's header verbatim. Terminators and control characters are left out
/// unless they are delimiters.
fn echo(target: &mut SegmentBuilder<'_>, own: usize, msh: Option<Segment<'_>>, theirs: usize) {
    let Some(msh) = msh else { return };
    let field = msh.field(theirs);
    if !field.is_empty() {
        let delimiters = msh.message().delimiters();
        let declared = [&[delimiters.field][..], &delimiters.encoding_characters()].concat();
        let stays = |byte: u8| 0x20 <= byte || declared.contains(&byte);
        let bytes = field.raw().iter();
        let clean: Vec<u8> = bytes
            .map(|&byte| if stays(byte) { byte } else { b' ' })
            .collect();
        target.raw(own, &clean);
    }
}

/// Writes MSH-9: `ACK`, from 2.3 on with the event, from 2.3.1 on with the structure.
fn message_type(header: &mut SegmentBuilder<'_>, message: &Message) {
    let (version, event) = (message.version(), message.event());
    header.field(9, "ACK");
    if version >= Version::V2_3 && !event.is_empty() {
        header.component(9, 2, &event);
    }
    if version >= Version::V2_3_1 {
        header.component(9, 3, "ACK");
    }
}

/// Writes the ERR of 2.5 and later: ERL in ERR-2, the condition in ERR-3.
fn modern_error(builder: &mut MessageBuilder, error: &AckError) {
    let (code, meaning) = error.condition.code();
    let mut err = builder.segment("ERR");
    if let Some(place) = error.place {
        let name = place.name.unwrap_or_default();
        err.component(
            2,
            1,
            std::str::from_utf8(&name)
                .unwrap_or_default()
                .trim_matches('\0'),
        );
        let numbers = [
            place.occurrence.max(1),
            place.field,
            if place.field > 0 {
                place.repeat.max(1)
            } else {
                0
            },
            place.component,
            place.subcomponent,
        ];
        for (idx, number) in numbers
            .into_iter()
            .enumerate()
            .filter(|(_, number)| *number > 0)
        {
            err.component(2, idx + 2, &number.to_string());
        }
    }
    err.components(3, &[code, meaning, "HL70357"]);
    err.field(4, error.severity.as_str());
    if !error.text.is_empty() {
        err.field(8, &error.text);
    }
}

/// Writes the ERR of versions before 2.5: everything in the repeats of ERR-1, the condition as
/// subcomponents.
fn old_errors(builder: &mut MessageBuilder, errors: &[AckError]) {
    let mut err = builder.segment("ERR");
    for (idx, error) in errors.iter().enumerate() {
        let repeat = idx + 1;
        let (code, meaning) = error.condition.code();
        if let Some(place) = error.place {
            let name = place.name.unwrap_or_default();
            let name = std::str::from_utf8(&name)
                .unwrap_or_default()
                .trim_matches('\0');
            err.set(1, repeat, 1, 0, name);
            err.set(1, repeat, 2, 0, &place.occurrence.max(1).to_string());
            if place.field > 0 {
                err.set(1, repeat, 3, 0, &place.field.to_string());
            }
        }
        for (part, text) in [code, meaning, "HL70357"].into_iter().enumerate() {
            err.set(1, repeat, 4, part + 1, text);
        }
    }
}
