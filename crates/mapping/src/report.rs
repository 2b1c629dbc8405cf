//! The report: the outcome of each field of a message.
//!
//! Invariant: every non-empty field of the message is in exactly one of `mapped`, `dropped`,
//! `withheld` and `unmapped`; parts of a mapped field that no row read are in `unmapped` as well.

use crate::program::RowId;
use base::Severity;
use std::fmt;
use std::sync::Arc;

/// A place in a message. Zero means the whole.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldPlace {
    /// The segment's name.
    pub segment: [u8; 3],
    /// The number of the segment among those of its name, from 1.
    pub occurrence: u16,
    /// The field.
    pub field: u16,
    /// The repeat, from 1.
    pub repeat: u16,
    /// The component.
    pub component: u8,
    /// The subcomponent.
    pub sub: u8,
}

/// One line of the report.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// The field or part.
    pub place: FieldPlace,
    /// The row that decided.
    pub row: Option<RowId>,
    /// The reason that it was dropped.
    pub reason: Option<Arc<str>>,
    /// The original text if it was not mapped. PHI.
    pub raw: Box<str>,
}

/// A value that a row could not use.
#[derive(Clone, PartialEq, Eq)]
pub struct Unusable {
    /// The position.
    pub place: FieldPlace,
    /// The row that could not use it.
    pub row: RowId,
    /// The severity.
    pub severity: Severity,
    /// A code of FHIR's `issue-type`.
    pub code: &'static str,
    /// The reason. Free of PHI.
    pub why: String,
    /// The original text. PHI.
    pub raw: Box<str>,
    /// The value was converted to another form (`otherwise`, an unknown code kept as it is).
    pub replaced: bool,
}

/// The outcome of each field.
#[derive(Clone, Default)]
pub struct Report {
    /// Fields that a row read.
    pub mapped: Vec<Entry>,
    /// Fields dropped for a reason that the map gives.
    pub dropped: Vec<Entry>,
    /// Fields whose elements another source owns: known once a draft was applied.
    pub withheld: Vec<Entry>,
    /// Fields and parts that no row read or could use.
    pub unmapped: Vec<Entry>,
    /// Values that rows could not use, or could not use as they were.
    pub unusable: Vec<Unusable>,
    /// Irregularities of the message as a whole.
    pub issues: Vec<base::Issue>,
}

// === impl Entry ===

impl Entry {
    pub(crate) fn new(place: FieldPlace) -> Self {
        Self {
            place,
            row: None,
            reason: None,
            raw: "".into(),
        }
    }

    pub(crate) fn with_raw(mut self, raw: Box<str>) -> Self {
        self.raw = raw;
        self
    }
}

impl fmt::Debug for Entry {
    /// Omits the raw text, which may be PHI.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.place)
    }
}

impl fmt::Debug for Unusable {
    /// Omits the raw text, which may be PHI.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.why)
    }
}

// === impl FieldPlace ===

impl FieldPlace {
    /// Returns the segment's name.
    pub fn segment_name(&self) -> &str {
        std::str::from_utf8(&self.segment).unwrap_or("???")
    }

    /// Returns the same place without repeat and parts.
    #[must_use]
    pub fn whole_field(self) -> Self {
        Self {
            repeat: 0,
            component: 0,
            sub: 0,
            ..self
        }
    }
}

impl fmt::Display for FieldPlace {
    /// Formats a path that `hl7v2::Path` reads: `OBX[3]-5[2].1`. Numbers that are 1 are omitted
    /// before parts.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.segment_name())?;
        if 1 < self.occurrence {
            write!(f, "[{}]", self.occurrence)?;
        }
        if self.field != 0 {
            write!(f, "-{}", self.field)?;
        }
        if 1 < self.repeat {
            write!(f, "[{}]", self.repeat)?;
        }
        if self.component != 0 {
            write!(f, ".{}", self.component)?;
        }
        if self.sub != 0 {
            write!(f, ".{}", self.sub)?;
        }
        Ok(())
    }
}

impl fmt::Debug for FieldPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Report")
            .field("mapped", &self.mapped.len())
            .field("dropped", &self.dropped)
            .field("withheld", &self.withheld)
            .field("unmapped", &self.unmapped)
            .field("unusable", &self.unusable)
            .finish_non_exhaustive()
    }
}

impl Report {
    /// Moves fields that were mapped, but turn out to belong to another source, to `withheld`.
    pub fn withhold(&mut self, places: &[FieldPlace]) {
        let fields: Vec<FieldPlace> = places.iter().map(|place| place.whole_field()).collect();
        let all = std::mem::take(&mut self.mapped);
        for entry in all {
            if fields.contains(&entry.place.whole_field()) {
                self.withheld.push(entry);
            } else {
                self.mapped.push(entry);
            }
        }
    }
}
