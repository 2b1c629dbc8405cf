//! Builds messages segment by segment, with escaping.

use crate::charset::Charset;
use crate::delimiters::Delimiters;
use crate::escape;

/// Builds a message.
///
/// ```ignore
/// let mut builder = MessageBuilder::new(Delimiters::default());
/// builder.segment("MSH").field(9, "ACK").field(10, "1");
/// builder.segment("PID").set(5, 1, 1, 1, "TESTPATIENT");
/// let bytes = builder.finish();
/// ```
#[derive(Clone, Debug)]
pub struct MessageBuilder {
    delimiters: Delimiters,
    charset: Charset,
    segments: Vec<Vec<u8>>,
}

/// The segment being written. Numbers count from one; zero means the whole part.
#[derive(Debug)]
pub struct SegmentBuilder<'b> {
    builder: &'b mut MessageBuilder,
}

/// A position in a segment, counted in separators; zero means the whole part.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spot {
    pub(crate) field: usize,
    pub(crate) repeat: usize,
    pub(crate) component: usize,
    pub(crate) subcomponent: usize,
    /// Replaces all repeats of the field.
    pub(crate) whole_field: bool,
}

// === impl MessageBuilder ===

impl MessageBuilder {
    /// Creates an empty message that is written as UTF-8.
    pub fn new(delimiters: Delimiters) -> Self {
        Self {
            delimiters,
            charset: Charset::UTF_8,
            segments: Vec::new(),
        }
    }

    /// Selects another character set. This does not set MSH-18.
    #[must_use]
    pub fn charset(mut self, charset: Charset) -> Self {
        self.charset = charset;
        self
    }

    /// Begins a segment. Header segments get their delimiters.
    pub fn segment(&mut self, name: &str) -> SegmentBuilder<'_> {
        let mut raw = name.as_bytes().to_vec();
        if matches!(name, "MSH" | "FHS" | "BHS") {
            raw.push(self.delimiters.field);
            raw.extend(self.delimiters.encoding_characters());
        }
        self.segments.push(raw);
        SegmentBuilder { builder: self }
    }

    /// Adds a segment whose bytes are already escaped.
    pub fn raw_segment(&mut self, raw: &[u8]) -> &mut Self {
        self.segments.push(raw.to_vec());
        self
    }

    /// Returns the message, with every segment terminated by CR.
    pub fn finish(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.segments.iter().map(|raw| raw.len() + 1).sum());
        for segment in &self.segments {
            out.extend_from_slice(segment);
            out.push(b'\r');
        }
        out
    }
}

// === impl SegmentBuilder ===

impl SegmentBuilder<'_> {
    /// Sets a field to plain text.
    pub fn field(&mut self, field: usize, text: &str) -> &mut Self {
        self.set(field, 0, 0, 0, text)
    }

    /// Sets a component of a field's first repeat.
    pub fn component(&mut self, field: usize, component: usize, text: &str) -> &mut Self {
        self.set(field, 1, component, 0, text)
    }

    /// Sets the components of a field's first repeat in order, skipping empty ones.
    pub fn components(&mut self, field: usize, texts: &[&str]) -> &mut Self {
        for (idx, text) in texts
            .iter()
            .enumerate()
            .filter(|(_, text)| !text.is_empty())
        {
            self.component(field, idx + 1, text);
        }
        self
    }

    /// Sets a subcomponent. Zero in a trailing number means the whole repeat or component.
    pub fn set(
        &mut self,
        field: usize,
        repeat: usize,
        component: usize,
        subcomponent: usize,
        text: &str,
    ) -> &mut Self {
        let value = escape::escape(text, &self.builder.delimiters, self.builder.charset);
        let whole_field = repeat == 0;
        self.put(
            Spot {
                field,
                repeat,
                component,
                subcomponent,
                whole_field,
            },
            &value,
        )
    }

    /// Sets a field to null, `""`.
    pub fn null(&mut self, field: usize) -> &mut Self {
        self.raw(field, b"\"\"")
    }

    /// Sets a whole field to bytes that are already escaped.
    pub fn raw(&mut self, field: usize, value: &[u8]) -> &mut Self {
        let whole = Spot {
            field,
            repeat: 0,
            component: 0,
            subcomponent: 0,
            whole_field: true,
        };
        self.put(whole, value)
    }

    fn put(&mut self, spot: Spot, value: &[u8]) -> &mut Self {
        let delimiters = self.builder.delimiters;
        let Some(raw) = self.builder.segments.last_mut() else {
            return self;
        };
        let header = matches!(raw.get(..3), Some(b"MSH" | b"FHS" | b"BHS"));
        // A header already has its delimiters, and its fields are one separator earlier.
        let first = if header { 3 } else { 1 };
        if spot.field >= first {
            let field = spot.field - usize::from(header);
            *raw = put(raw, delimiters, Spot { field, ..spot }, value);
        }
        self
    }
}

/// Returns the segment with the value at the position. Adds separators as needed; other bytes stay.
pub(crate) fn put(raw: &[u8], delimiters: Delimiters, spot: Spot, value: &[u8]) -> Vec<u8> {
    let levels = [
        (delimiters.field, spot.field + 1),
        (delimiters.repeat, spot.repeat.max(1)),
        (delimiters.component, spot.component),
        (delimiters.subcomponent, spot.subcomponent),
    ];
    let depth = match spot {
        Spot {
            whole_field: true, ..
        } => 1,
        Spot { component: 0, .. } => 2,
        Spot {
            subcomponent: 0, ..
        } => 3,
        Spot { .. } => 4,
    };
    let mut out = Vec::with_capacity(raw.len() + value.len() + spot.field);
    put_below(
        raw,
        levels.get(..depth).unwrap_or_default(),
        value,
        &mut out,
    );
    out
}

fn put_below(raw: &[u8], levels: &[(u8, usize)], value: &[u8], out: &mut Vec<u8>) {
    let Some((&(separator, wanted), below)) = levels.split_first() else {
        out.extend_from_slice(value);
        return;
    };
    let mut parts = raw.split(|&byte| byte == separator);
    for number in 1..=wanted {
        if number > 1 {
            out.push(separator);
        }
        let part = parts.next().unwrap_or_default();
        if number == wanted {
            put_below(part, below, value, out);
        } else {
            out.extend_from_slice(part);
        }
    }
    for part in parts {
        out.push(separator);
        out.extend_from_slice(part);
    }
}
