//! The message that drafts came from: enough of it to give a value's position and original text.

use crate::forward::build::Span;
use crate::forward::cell::Origin;
use crate::report::FieldPlace;
use bytes::Bytes;
use hl7v2::{Charset, Message};
use std::collections::HashMap;

/// The bytes of a message and the names of its segments.
#[derive(Clone, Debug, Default)]
pub(crate) struct Received {
    bytes: Bytes,
    charset: Option<Charset>,
    /// The name and occurrence of each segment.
    segments: Vec<([u8; 3], u16)>,
}

// === impl Received ===

impl Received {
    pub(crate) fn new(message: &Message) -> Self {
        // A map, because a hostile message may have a million segments, each with its own name.
        let mut counts: HashMap<[u8; 3], u16> = HashMap::new();
        let segments = message.segments().map(|segment| {
            let name: [u8; 3] = segment.name().as_bytes().try_into().unwrap_or(*b"???");
            let count = counts.entry(name).or_default();
            *count = count.saturating_add(1);
            (name, *count)
        });
        let segments = segments.collect();
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

    /// Returns the original text, including escape sequences.
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
