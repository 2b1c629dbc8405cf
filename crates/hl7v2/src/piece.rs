//! A part of a message (a field, repeat, component or subcomponent) as a view of its bytes.

use std::borrow::Cow;
use std::ops::Deref;

use crate::escape;
use crate::message::Message;

/// A view of some bytes of a message, including the separators inside.
///
/// An absent part is an empty piece, so callers can read on without checks.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'m> {
    pub(crate) message: &'m Message,
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// Offsets of the separators from `start` to `end`.
    pub(crate) marks: &'m [u32],
}

/// A whole field, with its repeats.
#[derive(Clone, Copy, Debug)]
pub struct Field<'m>(pub(crate) Piece<'m>);

/// One repeat of a field.
#[derive(Clone, Copy, Debug)]
pub struct Repeat<'m>(pub(crate) Piece<'m>);

/// One component of a repeat.
#[derive(Clone, Copy, Debug)]
pub struct Component<'m>(pub(crate) Piece<'m>);

/// One subcomponent of a component.
#[derive(Clone, Copy, Debug)]
pub struct Subcomponent<'m>(pub(crate) Piece<'m>);

/// The parts of a piece between separators of one kind.
#[derive(Clone, Debug)]
pub(crate) struct Parts<'m> {
    rest: Option<Piece<'m>>,
    separator: u8,
}

// === impl Piece ===

impl<'m> Piece<'m> {
    /// Returns the piece's bytes in the message body: as sent, with the exceptions of
    /// [`Message::body`].
    pub fn raw(&self) -> &'m [u8] {
        self.message
            .body()
            .get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }

    /// Returns the byte offset of the piece in the message body.
    pub fn offset(&self) -> usize {
        self.start as usize
    }

    /// Returns the text: decoded with the message's character set, escapes resolved. Inner
    /// separators stay.
    pub fn text(&self) -> Cow<'m, str> {
        escape::unescape(
            self.raw(),
            self.message.delimiters(),
            self.message.charset(),
        )
    }

    /// Returns the text of the first subcomponent of the first component of the first repeat: what
    /// a receiver that expects a plain value reads (2.8.2 chapter 2.8.2 on compatibility).
    pub fn value(&self) -> Cow<'m, str> {
        self.first().text()
    }

    /// Returns whether the piece is absent or empty.
    pub fn is_empty(&self) -> bool {
        self.start >= self.end
    }

    /// Returns whether the value is `""`: delete the known value.
    pub fn is_null(&self) -> bool {
        self.raw() == b"\"\""
    }

    /// Returns whether the sender truncated the value (it ends in the truncation character of 2.7).
    pub fn is_truncated(&self) -> bool {
        let mark = self.message.delimiters().truncation;
        mark.is_some() && self.raw().last().copied() == mark
    }

    fn first(self) -> Piece<'m> {
        match self.marks.first() {
            Some(&mark) => Piece {
                end: mark,
                marks: &[],
                ..self
            },
            None => self,
        }
    }

    fn empty(self) -> Piece<'m> {
        Piece {
            start: self.end,
            marks: &[],
            ..self
        }
    }

    fn parts(self, separator: u8) -> Parts<'m> {
        Parts {
            rest: Some(self),
            separator,
        }
    }

    /// Returns the part with number `n`, from one.
    fn part(self, separator: u8, n: usize) -> Piece<'m> {
        match n.checked_sub(1) {
            Some(skip) => self
                .parts(separator)
                .nth(skip)
                .unwrap_or_else(|| self.empty()),
            None => self.empty(),
        }
    }
}

impl<'m> Iterator for Parts<'m> {
    type Item = Piece<'m>;

    fn next(&mut self) -> Option<Piece<'m>> {
        let piece = self.rest.take()?;
        let raw = piece.message.body();
        let found = piece
            .marks
            .iter()
            .position(|&at| raw.get(at as usize) == Some(&self.separator));
        let Some(idx) = found else { return Some(piece) };
        let (inside, after) = piece.marks.split_at(idx);
        let (&at, behind) = after.split_first()?;
        self.rest = Some(Piece {
            start: at + 1,
            marks: behind,
            ..piece
        });
        Some(Piece {
            end: at,
            marks: inside,
            ..piece
        })
    }
}

// === impl Field ===

impl<'m> Field<'m> {
    /// Returns the repeats; none for an empty field.
    pub fn repeats(&self) -> impl Iterator<Item = Repeat<'m>> + use<'m> {
        let wanted = if self.is_empty() { 0 } else { usize::MAX };
        self.0
            .parts(self.message.delimiters().repeat)
            .take(wanted)
            .map(Repeat)
    }

    /// Returns the repeat with this number, from one.
    pub fn repeat(&self, n: usize) -> Repeat<'m> {
        Repeat(self.0.part(self.message.delimiters().repeat, n))
    }

    /// Returns the component with this number of the first repeat.
    pub fn component(&self, n: usize) -> Component<'m> {
        self.repeat(1).component(n)
    }
}

impl<'m> Repeat<'m> {
    /// Returns the components; at least one.
    pub fn components(&self) -> impl Iterator<Item = Component<'m>> + use<'m> {
        self.0
            .parts(self.message.delimiters().component)
            .map(Component)
    }

    /// Returns the component with this number, from one.
    pub fn component(&self, n: usize) -> Component<'m> {
        Component(self.0.part(self.message.delimiters().component, n))
    }
}

impl<'m> Component<'m> {
    /// Returns the subcomponents; at least one.
    pub fn subcomponents(&self) -> impl Iterator<Item = Subcomponent<'m>> + use<'m> {
        self.0
            .parts(self.message.delimiters().subcomponent)
            .map(Subcomponent)
    }

    /// Returns the subcomponent with this number, from one.
    pub fn subcomponent(&self, n: usize) -> Subcomponent<'m> {
        Subcomponent(self.0.part(self.message.delimiters().subcomponent, n))
    }
}

macro_rules! is_a_piece {
    ($($name:ident),*) => {$(
        impl<'m> Deref for $name<'m> {
            type Target = Piece<'m>;

            fn deref(&self) -> &Piece<'m> {
                &self.0
            }
        }

        impl<'m> From<$name<'m>> for Piece<'m> {
            fn from(part: $name<'m>) -> Self {
                part.0
            }
        }
    )*};
}

is_a_piece!(Field, Repeat, Component, Subcomponent);
