//! The message that drafts came from: enough of it to say where a value stood and what was there.

use crate::forward::build::Span;
use crate::forward::cell::Origin;
use crate::report::FieldPlace;
use bytes::Bytes;
use hl7v2::{Charset, Message};

/// The bytes of a message and the names of its segments.
#[derive(Clone, Debug, Default)]
pub(crate) struct Received {
    bytes: Bytes,
    charset: Option<Charset>,
    /// Name and occurrence of each segment.
    segments: Vec<([u8; 3], u16)>,
}

// === impl Received ===

impl Received {
    pub(crate) fn new(message: &Message) -> Self {
        let mut segments: Vec<([u8; 3], u16)> = Vec::new();
        for segment in message.segments() {
            let name: [u8; 3] = segment.name().as_bytes().try_into().unwrap_or(*b"???");
            let before = segments.iter().rev().find(|(own, _)| *own == name);
            let occurrence = before.map_or(1, |(_, before)| before.saturating_add(1));
            segments.push((name, occurrence));
        }
        Self {
            bytes: message.body().clone(),
            charset: Some(message.charset()),
            segments,
        }
    }

    pub(crate) fn place(&self, origin: Origin) -> FieldPlace {
        let found = self.segments.get(origin.segment as usize);
        let (segment, occurrence) = found.copied().unwrap_or((*b"???", 0));
        FieldPlace {
            segment,
            occurrence,
            field: origin.field,
            repeat: origin.repeat,
            component: origin.component,
            sub: origin.sub,
        }
    }

    /// What stood there, escapes and all.
    pub(crate) fn text(&self, span: Span) -> Box<str> {
        let start = span.start as usize;
        let raw = self
            .bytes
            .get(start..start + span.len as usize)
            .unwrap_or_default();
        match std::str::from_utf8(raw) {
            Ok(text) => text.into(),
            Err(_) => self.charset.unwrap_or(Charset::UTF_8).decode(raw).into(),
        }
    }
}
