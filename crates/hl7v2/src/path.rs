//! Paths: `PID-5[1].1`, `OBX[3]-5[1].2.1`, `ORDER_OBSERVATION[2].OBR-4.1`.
//!
//! A path names groups (leading dots), a segment, a field (`-`), a repeat (`[n]`), a component and
//! a subcomponent. An omitted number means the first for [`Message::get`] and each for
//! [`Message::get_all`]; `[*]` makes the latter explicit. Groups may be skipped: each name is
//! searched at any depth below the one before it.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use crate::message::{Message, Segment};
use crate::piece::{Field, Piece, Repeat};
use crate::structure::Group;

/// A path to a place in messages.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Path {
    /// The groups above the segment, outermost first.
    pub groups: Vec<Step>,
    /// The segment.
    pub segment: Step,
    /// The field, if the path goes that far.
    pub field: Option<NonZeroU32>,
    /// The repeat of the field.
    pub repeat: Which,
    /// The component.
    pub component: Option<NonZeroU32>,
    /// The subcomponent.
    pub subcomponent: Option<NonZeroU32>,
}

/// The name of a group or segment, and which occurrence.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Step {
    /// The name, such as `OBX` or `ORDER_OBSERVATION`.
    pub name: Box<str>,
    /// The occurrence among those with this name.
    pub which: Which,
}

/// Selector of one or each of several occurrences.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Which {
    /// Not specified: the first, or each.
    #[default]
    Unspecified,
    /// `[*]`: each.
    Each,
    /// `[3]`: this occurrence, from one.
    At(NonZeroU32),
}

/// The error for text that is not a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an HL7 v2 path such as PID-5[1].1 (see column {column})")]
pub struct InvalidPath {
    /// Column of the first character that does not fit, from one.
    pub column: usize,
}

// === impl Path ===

impl Path {
    /// Parses a path.
    pub fn parse(text: &str) -> Result<Self, InvalidPath> {
        Reader { text, at: 0 }.path()
    }

    pub(crate) fn find_first<'m>(&self, message: &'m Message) -> Option<Piece<'m>> {
        if self.groups.is_empty() {
            let segment = message
                .named(&self.segment.name)
                .nth(self.segment.which.first())?;
            return self.first_in(segment);
        }
        let segments = self.segments(message);
        self.first_in(*segments.get(self.segment.which.first())?)
    }

    pub(crate) fn find_all<'m>(&self, message: &'m Message) -> Vec<Piece<'m>> {
        let mut found = Vec::new();
        for (idx, segment) in self.segments(message).into_iter().enumerate() {
            if self.segment.which.takes(idx) {
                self.all_in(segment, &mut found);
            }
        }
        found
    }

    /// Returns every segment with the name below the groups.
    fn segments<'m>(&self, message: &'m Message) -> Vec<Segment<'m>> {
        if self.groups.is_empty() {
            return message.named(&self.segment.name).collect();
        }
        let root = message.structure().root();
        let mut groups = vec![root];
        for (depth, step) in self.groups.iter().enumerate() {
            if depth == 0 && *step.name == *root.name() {
                continue;
            }
            groups = groups
                .iter()
                .flat_map(|group| below(*group, step))
                .collect();
        }
        let indices = groups.iter().flat_map(Group::segments);
        let segments = indices.filter_map(|index| message.segment_at(index));
        segments
            .filter(|segment| segment.name() == &*self.segment.name)
            .collect()
    }

    fn first_in<'m>(&self, segment: Segment<'m>) -> Option<Piece<'m>> {
        let Some(n) = self.field else {
            return Some(whole(segment));
        };
        let field = segment.field(n.get() as usize);
        let piece = match (self.repeat, self.component) {
            (Which::Unspecified | Which::Each, None) => field.0,
            (which, _) => self.in_repeat(field.repeat(which.first() + 1)),
        };
        (!piece.is_empty()).then_some(piece)
    }

    fn all_in<'m>(&self, segment: Segment<'m>, found: &mut Vec<Piece<'m>>) {
        let Some(n) = self.field else {
            found.push(whole(segment));
            return;
        };
        let repeats = segment.field(n.get() as usize).repeats().enumerate();
        let wanted = repeats.filter(|(idx, _)| self.repeat.takes(*idx));
        found.extend(
            wanted
                .map(|(_, repeat)| self.in_repeat(repeat))
                .filter(|piece| !piece.is_empty()),
        );
    }

    fn in_repeat<'m>(&self, repeat: Repeat<'m>) -> Piece<'m> {
        let Some(n) = self.component else {
            return repeat.0;
        };
        let component = repeat.component(n.get() as usize);
        match self.subcomponent {
            Some(n) => component.subcomponent(n.get() as usize).0,
            None => component.0,
        }
    }
}

fn below<'m>(group: Group<'m>, step: &Step) -> Vec<Group<'m>> {
    let found = group
        .groups()
        .filter(|inner| inner.name() == &*step.name)
        .enumerate();
    found
        .filter(|(idx, _)| step.which.takes(*idx))
        .map(|(_, inner)| inner)
        .collect()
}

fn whole(segment: Segment<'_>) -> Piece<'_> {
    let start = segment.offset() as u32;
    let end = start + segment.raw().len() as u32;
    Field(Piece {
        message: segment.message(),
        start,
        end,
        marks: &[],
    })
    .0
}

impl FromStr for Path {
    type Err = InvalidPath;

    fn from_str(text: &str) -> Result<Self, InvalidPath> {
        Self::parse(text)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for group in &self.groups {
            write!(f, "{}{}.", group.name, group.which)?;
        }
        write!(f, "{}{}", self.segment.name, self.segment.which)?;
        if let Some(field) = self.field {
            write!(f, "-{field}{}", self.repeat)?;
        }
        for part in [self.component, self.subcomponent].into_iter().flatten() {
            write!(f, ".{part}")?;
        }
        Ok(())
    }
}

// === impl Which ===

impl Which {
    /// Returns the first index selected, from zero.
    fn first(self) -> usize {
        match self {
            Self::Unspecified | Self::Each => 0,
            Self::At(n) => n.get() as usize - 1,
        }
    }

    fn takes(self, idx: usize) -> bool {
        match self {
            Self::Unspecified | Self::Each => true,
            Self::At(n) => n.get() as usize == idx + 1,
        }
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unspecified => Ok(()),
            Self::Each => f.write_str("[*]"),
            Self::At(n) => write!(f, "[{n}]"),
        }
    }
}

/// Cursor that reads a path from left to right.
struct Reader<'t> {
    text: &'t str,
    at: usize,
}

// === impl Reader ===

impl Reader<'_> {
    fn path(mut self) -> Result<Path, InvalidPath> {
        let mut groups = Vec::new();
        let mut segment = self.step()?;
        while self.takes('.') {
            groups.push(std::mem::replace(&mut segment, self.step()?));
        }
        let mut path = Path {
            groups,
            segment,
            field: None,
            repeat: Which::Unspecified,
            component: None,
            subcomponent: None,
        };
        if path.segment.name.len() != 3 {
            return Err(self.wrong());
        }
        if self.takes('-') {
            path.field = Some(self.number()?);
            path.repeat = self.which()?;
            if self.takes('.') {
                path.component = Some(self.number()?);
            }
            if path.component.is_some() && self.takes('.') {
                path.subcomponent = Some(self.number()?);
            }
        }
        if self.at < self.text.len() {
            Err(self.wrong())
        } else {
            Ok(path)
        }
    }

    fn step(&mut self) -> Result<Step, InvalidPath> {
        let rest = self.rest();
        let fits = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        let end = rest.find(|c| !fits(c)).unwrap_or(rest.len());
        let name = rest.get(..end).unwrap_or_default();
        if !name.starts_with(|c: char| c.is_ascii_uppercase()) {
            return Err(self.wrong());
        }
        let name = name.into();
        self.at += end;
        Ok(Step {
            name,
            which: self.which()?,
        })
    }

    fn which(&mut self) -> Result<Which, InvalidPath> {
        if !self.takes('[') {
            return Ok(Which::Unspecified);
        }
        let which = if self.takes('*') {
            Which::Each
        } else {
            Which::At(self.number()?)
        };
        if self.takes(']') {
            Ok(which)
        } else {
            Err(self.wrong())
        }
    }

    fn number(&mut self) -> Result<NonZeroU32, InvalidPath> {
        let rest = self.rest();
        let end = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let digits = rest.get(..end).unwrap_or_default();
        // Numbers are short, so that no path can ask for four billion empty fields.
        let number = if digits.len() > 6 {
            None
        } else {
            digits.parse().ok()
        };
        let number = number.ok_or_else(|| self.wrong())?;
        self.at += end;
        Ok(number)
    }

    fn takes(&mut self, wanted: char) -> bool {
        let found = self.rest().starts_with(wanted);
        self.at += usize::from(found);
        found
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn wrong(&self) -> InvalidPath {
        InvalidPath {
            column: self.at + 1,
        }
    }
}
