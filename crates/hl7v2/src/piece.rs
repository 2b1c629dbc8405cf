//! A part of a message: a field, a repeat, a component or a subcomponent, as a view on its bytes.

use std::borrow::Cow;
use std::ops::Deref;

use crate::escape;
use crate::message::Message;

/// A view on some bytes of a message, with the separators inside.
///
/// What is not there is an empty piece, so that reading on never needs a check.
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
    /// Its bytes in the message's body: as they were sent, but for what [`Message::body`] says.
    pub fn raw(&self) -> &'m [u8] {
        self.message
            .body()
            .get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }

    /// Where it begins in the message's body.
    pub fn offset(&self) -> usize {
        self.start as usize
    }

    /// The text: decoded by the message's character set, escapes resolved. Separators inside stay.
    pub fn text(&self) -> Cow<'m, str> {
        escape::unescape(
            self.raw(),
            self.message.delimiters(),
            self.message.charset(),
        )
    }

    /// The text of the first subcomponent of the first component of the first repeat: what a
    /// receiver that expects a plain value reads (2.8.2 chapter 2.8.2 on compatibility).
    pub fn value(&self) -> Cow<'m, str> {
        self.first().text()
    }

    /// Nothing is there: absent or empty.
    pub fn is_empty(&self) -> bool {
        self.start >= self.end
    }

    /// The value is `""`: delete what was known.
    pub fn is_null(&self) -> bool {
        self.raw() == b"\"\""
    }

    /// The sender cut the value off (the truncation character of 2.7 stands at its end).
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

    /// The part with number `n`, from one.
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
    /// The repeats; none for an empty field.
    pub fn repeats(&self) -> impl Iterator<Item = Repeat<'m>> + use<'m> {
        let wanted = if self.is_empty() { 0 } else { usize::MAX };
        self.0
            .parts(self.message.delimiters().repeat)
            .take(wanted)
            .map(Repeat)
    }

    /// The repeat with this number, from one.
    pub fn repeat(&self, n: usize) -> Repeat<'m> {
        Repeat(self.0.part(self.message.delimiters().repeat, n))
    }

    /// The component with this number of the first repeat.
    pub fn component(&self, n: usize) -> Component<'m> {
        self.repeat(1).component(n)
    }
}

impl<'m> Repeat<'m> {
    /// The components; one at least.
    pub fn components(&self) -> impl Iterator<Item = Component<'m>> + use<'m> {
        self.0
            .parts(self.message.delimiters().component)
            .map(Component)
    }

    /// The component with this number, from one.
    pub fn component(&self, n: usize) -> Component<'m> {
        Component(self.0.part(self.message.delimiters().component, n))
    }
}

impl<'m> Component<'m> {
    /// The subcomponents; one at least.
    pub fn subcomponents(&self) -> impl Iterator<Item = Subcomponent<'m>> + use<'m> {
        self.0
            .parts(self.message.delimiters().subcomponent)
            .map(Subcomponent)
    }

    /// The subcomponent with this number, from one.
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
