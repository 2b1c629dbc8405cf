//! Entry points for the fuzzer and for an ordinary test with seeded mutations: every law that holds
//! for arbitrary bytes. A broken law is an `Err` that names it.

use std::borrow::Cow;

use base::Timestamp;

use crate::ack::{self, AckCode, AckError, Acknowledgement, Condition};
use crate::batch::{self, Part};
use crate::issue::{Issue, IssueKind, Place};
use crate::message::Message;
use crate::mllp::{Decoder, Step};
use crate::path::Path;
use crate::piece::Field;

/// Parses and reads everything.
pub fn message(bytes: &[u8]) -> Result<(), &'static str> {
    let message = Message::from(bytes);
    if message.raw() != bytes {
        return Err("writing back an untouched message changes no byte");
    }
    let is_cut = message.unsplit_from().is_some();
    let is_told = message
        .issues()
        .iter()
        .any(|issue| issue.kind == IssueKind::TooManySeparators);
    if is_cut && !is_told && message.issues().len() <= 100 {
        return Err("a message that is not split to its end says so");
    }
    for segment in message.segments() {
        let header = matches!(segment.name(), "MSH" | "FHS" | "BHS");
        let mut rebuilt = segment.name().as_bytes().to_vec();
        for (n, field) in segment.fields() {
            read(field)?;
            // MSH-1 is the first separator itself.
            if !(header && n <= 2) {
                rebuilt.push(message.delimiters().field);
            }
            rebuilt.extend_from_slice(field.raw());
        }
        if segment.has_name() && !is_cut && segment.raw() != rebuilt {
            return Err("the fields make up the segment");
        }
    }
    let placed = message.structure().root().segments().len();
    if placed != message.segments().len() {
        return Err("every segment has one place in the structure");
    }
    message
        .issues()
        .iter()
        .chain(message.structure().issues())
        .for_each(|issue| {
            drop(issue.to_string());
        });
    let _ = message.fragment();
    acknowledgement(&message)
}

/// Acknowledges the message and reads the acknowledgement as its sender would.
fn acknowledgement(message: &Message) -> Result<(), &'static str> {
    let unusable = |issue: &Issue| issue.kind == IssueKind::BadDelimiters;
    if message.issues().iter().any(unusable) {
        return Ok(());
    }
    let place = Place {
        name: Some(*b"PID"),
        occurrence: 1,
        field: 7,
        ..Place::default()
    };
    let error = AckError::new(Condition::DataType, "no date").at(place);
    let now = Timestamp::from_micros(0);
    let bytes = ack::acknowledge(message, AckCode::AE, &[error], now, "1");
    let answer = Message::parse(bytes);
    let names = answer.segments().map(|segment| segment.name());
    if !names.eq(["MSH", "MSA", "ERR"]) {
        return Err("an acknowledgement is MSH, MSA and ERR");
    }
    let Some(read) = Acknowledgement::read(&answer) else {
        return Err("an acknowledgement reads back");
    };
    let told = read.errors.iter().map(|error| error.condition);
    if read.code != AckCode::AE || !told.eq([Condition::DataType]) {
        return Err("an acknowledgement says what it should");
    }
    let msh = message.first("MSH");
    let theirs = msh.map_or(Cow::Borrowed(""), |msh| msh.field(10).text());
    let is_plain = theirs.bytes().all(|byte| (0x20..0x7F).contains(&byte));
    if is_plain && read.control_id != theirs {
        return Err("an acknowledgement names the message");
    }
    Ok(())
}

/// Reads the same bytes as a file of messages.
pub fn batch(bytes: &[u8]) -> Result<(), &'static str> {
    let mut parts = batch::Parts::new(bytes.to_vec());
    let mut found = Vec::new();
    let mut n_messages = 0;
    for part in &mut parts {
        match part {
            Part::FileHeader(bytes) | Part::BatchHeader(bytes) | Part::Stray(bytes) => {
                found.extend(bytes);
            }
            Part::BatchTrailer(trailer) | Part::FileTrailer(trailer) => found.extend(trailer.bytes),
            Part::Message(member) => {
                n_messages += 1;
                found.extend(member.bytes);
            }
        }
    }
    // Line ends, frames around messages, byte order marks and blank lines belong to no part.
    let counts = |byte: &&u8| {
        !byte.is_ascii_whitespace() && !matches!(byte, 0x0B | 0x1C | 0xEF | 0xBB | 0xBF)
    };
    if !found.iter().filter(counts).eq(bytes.iter().filter(counts)) {
        return Err("every byte of a file is in one part, in order");
    }
    if n_messages > 1 && bytes.starts_with(b"MSH") && !batch::is_batch(bytes) {
        return Err("more than one message is a batch");
    }
    Ok(())
}

/// Reads every leaf of a field.
fn read(field: Field<'_>) -> Result<(), &'static str> {
    let length: usize = field.repeats().map(|repeat| repeat.raw().len() + 1).sum();
    if !field.is_empty() && length != field.raw().len() + 1 {
        return Err("the repeats make up the field");
    }
    for component in field.repeats().flat_map(|repeat| repeat.components()) {
        component.subcomponents().for_each(|sub| drop(sub.text()));
    }
    Ok(())
}

/// Decodes the same bytes whole and in chunks of odd sizes.
pub fn mllp(bytes: &[u8]) -> Result<(), &'static str> {
    let whole = decode(std::iter::once(bytes));
    for size in [1, 2, 3, 7, 64] {
        if decode(bytes.chunks(size)) != whole {
            return Err("any split gives the same messages and noise");
        }
    }
    Ok(())
}

/// Parses a path and writes it back.
pub fn path(bytes: &[u8]) -> Result<(), &'static str> {
    let Some(path) = std::str::from_utf8(bytes)
        .ok()
        .and_then(|text| Path::parse(text).ok())
    else {
        return Ok(());
    };
    match Path::parse(&path.to_string()) {
        Ok(again) if again == path => Ok(()),
        Ok(_) | Err(_) => Err("a path reads back as it is written"),
    }
}

/// Returns the messages, and the noise joined.
fn decode<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> (Vec<bytes::Bytes>, Vec<u8>, bool) {
    let mut decoder = Decoder::new(64);
    let (mut messages, mut noise, mut refused) = (Vec::new(), Vec::new(), false);
    for chunk in chunks {
        decoder.feed(chunk);
        loop {
            match decoder.step() {
                Step::NeedMore => break,
                Step::Message(message) => messages.push(message),
                Step::Noise(bytes) => noise.extend_from_slice(&bytes),
                Step::TooLong { kept } => {
                    refused = true;
                    messages.push(kept);
                }
            }
        }
    }
    (messages, noise, refused)
}
