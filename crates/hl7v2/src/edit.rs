//! Changes one value and nothing else.

use crate::build;
use crate::escape;
use crate::message::{Message, Segment};
use crate::path::{Path, Which};

/// Reason why a value could not be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The path ends at a segment.
    #[error("the path names no field")]
    NoField,
    /// The message has no such segment, and the path asks for a particular one.
    #[error("the message has no such segment")]
    NoSegment,
    /// MSH-1 and MSH-2 declare the delimiters; changing them would change every other field.
    #[error("the delimiters of a message cannot be set")]
    Delimiters,
}

// === impl Message: editing ===

impl Message {
    /// Returns the message with one value set. All other bytes stay the same. A missing segment is
    /// appended, unless the path asks for a particular one.
    pub fn with_set(&self, path: &Path, text: &str) -> Result<Self, EditError> {
        self.with_raw(path, &escape::escape(text, &self.delimiters, self.charset))
    }

    /// Returns the message with one value set to null, `""`.
    pub fn with_null(&self, path: &Path) -> Result<Self, EditError> {
        self.with_raw(path, b"\"\"")
    }

    /// Returns the message with one value replaced by bytes that are already escaped.
    pub fn with_raw(&self, path: &Path, value: &[u8]) -> Result<Self, EditError> {
        let field = path.field.ok_or(EditError::NoField)?.get() as usize;
        let is_header = matches!(&*path.segment.name, "MSH" | "FHS" | "BHS");
        if is_header && field <= 2 {
            return Err(EditError::Delimiters);
        }
        let spot = build::Spot {
            // MSH-1 is itself the separator, so the fields of a header are one separator earlier.
            field: if is_header { field - 1 } else { field },
            repeat: match path.repeat {
                Which::Unspecified | Which::Each => 1,
                Which::At(n) => n.get() as usize,
            },
            component: path.component.map_or(0, |n| n.get() as usize),
            subcomponent: path.subcomponent.map_or(0, |n| n.get() as usize),
            whole_field: path.component.is_none() && !matches!(path.repeat, Which::At(_)),
        };
        let Some(segment) = self.segment_for(path) else {
            return self.with_added(path, spot, value);
        };
        let start = segment.offset();
        let end = start + segment.raw().len();
        let mut out = self.body().get(..start).unwrap_or_default().to_vec();
        out.extend(build::put(segment.raw(), self.delimiters, spot, value));
        out.extend_from_slice(self.body().get(end..).unwrap_or_default());
        Ok(Self::parse(self.wire.encode(out)))
    }

    fn segment_for(&self, path: &Path) -> Option<Segment<'_>> {
        let at = Path {
            field: None,
            repeat: Which::Unspecified,
            component: None,
            subcomponent: None,
            ..path.clone()
        };
        let piece = self.get(&at)?;
        self.segments()
            .find(|segment| segment.offset() == piece.offset())
    }

    fn with_added(&self, path: &Path, spot: build::Spot, value: &[u8]) -> Result<Self, EditError> {
        let particular = |which: Which| matches!(which, Which::At(n) if n.get() > 1);
        if !path.groups.is_empty() || particular(path.segment.which) {
            return Err(EditError::NoSegment);
        }
        let mut out = self.body().to_vec();
        if !out.is_empty() && !matches!(out.last(), Some(b'\r' | b'\n')) {
            out.push(b'\r');
        }
        out.extend(build::put(
            path.segment.name.as_bytes(),
            self.delimiters,
            spot,
            value,
        ));
        out.push(b'\r');
        Ok(Self::parse(self.wire.encode(out)))
    }
}
