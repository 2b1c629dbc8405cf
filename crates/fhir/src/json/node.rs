//! Navigation within a document.

use super::{Document, ESCAPED, Kind, NAME_ESCAPED, NAMED, Slot, Symbol, UNDERSCORE, text};
use crate::definitions;
use base::Decimal;
use std::borrow::Cow;

/// A node of a document.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    document: &'a Document,
    index: u32,
    slot: Slot,
}

/// The fields of an object or the items of an array.
#[derive(Clone)]
pub struct Children<'a> {
    document: &'a Document,
    at: u32,
    end: u32,
}

/// The items of an array, or the single value in place of an array.
#[derive(Clone)]
pub enum Each<'a> {
    /// The items of an array.
    Items(Children<'a>),
    /// A single value, or none.
    One(Option<Node<'a>>),
}

// === impl Node ===

impl<'a> Node<'a> {
    pub(super) fn new(document: &'a Document, index: u32) -> Self {
        Self {
            document,
            index,
            slot: document.slot(index),
        }
    }

    /// Returns the document that contains the node.
    pub fn document(self) -> &'a Document {
        self.document
    }

    /// Returns the node's number in source order; the root is 0.
    pub fn index(self) -> u32 {
        self.index
    }

    /// Returns the number after the last node of the subtree.
    pub fn subtree_end(self) -> u32 {
        self.slot.next
    }

    /// Returns the kind of JSON value.
    pub fn kind(self) -> Kind {
        self.slot.kind
    }

    /// Returns whether the value is `null`.
    pub fn is_null(self) -> bool {
        self.slot.kind == Kind::Null
    }

    /// Returns whether the value is an object.
    pub fn is_object(self) -> bool {
        self.slot.kind == Kind::Object
    }

    /// Returns whether the value is an array.
    pub fn is_array(self) -> bool {
        self.slot.kind == Kind::Array
    }

    /// Returns the field's name, with its `_`; items and the root have none.
    pub fn name(self) -> Option<&'a str> {
        if self.slot.flags & NAMED == 0 {
            return None;
        }
        if self.slot.flags & NAME_ESCAPED != 0 {
            return Some(self.document.escaped_name(self.slot.name));
        }
        if let (Some(symbol), 0) = (self.symbol(), self.slot.flags & UNDERSCORE) {
            return Some(symbol.as_str());
        }
        let rest = self.document.slice(self.slot.name, self.slot.start);
        let end = memchr::memchr(b'"', rest.as_bytes()).unwrap_or(rest.len());
        rest.get(..end)
    }

    /// Returns the symbol of the name without its `_`, if the tables have it.
    pub fn symbol(self) -> Option<Symbol> {
        Symbol::from_number(self.slot.symbol)
    }

    /// Returns whether this is the `_x` that carries id and extensions of a primitive `x`.
    pub fn is_primitive_extension(self) -> bool {
        self.slot.flags & UNDERSCORE != 0
    }

    /// Iterates over the fields of an object or the items of an array; other kinds have none.
    pub fn children(self) -> Children<'a> {
        let container = matches!(self.slot.kind, Kind::Array | Kind::Object);
        let end = if container { self.slot.next } else { 0 };
        Children {
            document: self.document,
            at: self.index + 1,
            end,
        }
    }

    /// Iterates over the fields of an object, including `_x`.
    pub fn fields(self) -> Children<'a> {
        if self.is_object() {
            self.children()
        } else {
            self.nothing()
        }
    }

    /// Iterates over the items of an array.
    pub fn items(self) -> Children<'a> {
        if self.is_array() {
            self.children()
        } else {
            self.nothing()
        }
    }

    /// Returns the item at an index, from 0.
    pub fn item(self, place: usize) -> Option<Self> {
        self.items().nth(place)
    }

    /// Returns the number of fields or items.
    pub fn len(self) -> usize {
        self.children().count()
    }

    /// Returns whether there are no fields or items.
    pub fn is_empty(self) -> bool {
        self.children().next().is_none()
    }

    /// Returns the field with this JSON name (`birthDate`, `_birthDate`).
    pub fn get(self, name: &str) -> Option<Self> {
        let (plain, underscore) = match name.strip_prefix('_') {
            Some(plain) => (plain, UNDERSCORE),
            None => (name, 0),
        };
        match Symbol::of(plain) {
            Some(symbol) => self.find(symbol, underscore),
            None => self
                .fields()
                .find(|field| field.slot.symbol == 0 && field.name() == Some(name)),
        }
    }

    /// Returns the field with this name, faster than by text.
    pub fn get_symbol(self, symbol: Symbol) -> Option<Self> {
        self.find(symbol, 0)
    }

    /// Returns the element: the field `name`, or its `_name` if it has extensions and no value.
    pub fn element(self, name: &str) -> Option<Self> {
        self.get(name).or_else(|| match Symbol::of(name) {
            Some(symbol) => self.find(symbol, UNDERSCORE),
            None => self.get(&format!("_{name}")),
        })
    }

    /// Iterates over the items of an array field, or over a single field that is not an array;
    /// nulls are left out.
    pub fn each(self, name: &str) -> Each<'a> {
        match self.get(name) {
            Some(field) if field.is_array() => Each::Items(field.children()),
            field => Each::One(field),
        }
    }

    /// Returns the text of a string field.
    pub fn text(self, name: &str) -> Option<Cow<'a, str>> {
        self.get(name)?.as_str()
    }

    /// Returns a string's text with escapes resolved.
    pub fn as_str(self) -> Option<Cow<'a, str>> {
        if self.slot.kind != Kind::String {
            return None;
        }
        let inner = self
            .document
            .slice(self.slot.start + 1, self.slot.end.saturating_sub(1));
        if self.slot.flags & ESCAPED == 0 {
            Some(Cow::Borrowed(inner))
        } else {
            Some(Cow::Owned(text::unescape(inner)))
        }
    }

    /// Returns `true` or `false`.
    pub fn as_bool(self) -> Option<bool> {
        (self.slot.kind == Kind::Bool).then(|| self.raw_str() == "true")
    }

    /// Returns a number as written.
    pub fn number_text(self) -> Option<&'a str> {
        (self.slot.kind == Kind::Number).then(|| self.raw_str())
    }

    /// Returns a number with its digits kept.
    pub fn as_decimal(self) -> Option<Decimal> {
        self.number_text()?.parse().ok()
    }

    /// Returns an integer.
    pub fn as_i64(self) -> Option<i64> {
        self.number_text()?.parse().ok()
    }

    /// Returns the value's source bytes.
    pub fn raw(self) -> &'a [u8] {
        self.raw_str().as_bytes()
    }

    /// Returns the value's source text.
    pub fn raw_str(self) -> &'a str {
        self.document.slice(self.slot.start, self.slot.end)
    }

    /// Returns the range of the value in the source.
    pub fn span(self) -> std::ops::Range<usize> {
        self.slot.start as usize..self.slot.end as usize
    }

    /// Returns the offset of a field's name in the source, including its quotes.
    pub fn name_start(self) -> Option<usize> {
        (self.slot.flags & NAMED != 0).then(|| self.slot.name.saturating_sub(1) as usize)
    }

    /// Returns the `_x` of this `x`: the id and extensions of a primitive. In arrays, that of the
    /// same item.
    pub fn extension_sibling(self) -> Option<Self> {
        let pair = self.slot.pair;
        (pair != 0)
            .then(|| Self::new(self.document, pair))
            .filter(|node| !node.is_null())
    }

    /// Returns `resourceType` of an object.
    pub fn resource_type(self) -> Option<&'a str> {
        match self.text("resourceType")? {
            Cow::Borrowed(name) => Some(name),
            // Written with escapes: only a known type can match.
            Cow::Owned(name) => Some(definitions::type_named(&name)?.name),
        }
    }

    fn nothing(self) -> Children<'a> {
        Children {
            document: self.document,
            at: 0,
            end: 0,
        }
    }

    fn find(self, symbol: Symbol, underscore: u8) -> Option<Self> {
        self.fields().find(|field| {
            field.slot.symbol == symbol.number() && field.slot.flags & UNDERSCORE == underscore
        })
    }
}

impl std::fmt::Debug for Node<'_> {
    /// Prints no content: it may be PHI.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Node({}, {:?})", self.index, self.slot.kind)
    }
}

impl PartialEq for Node<'_> {
    /// Compares by position in the same document.
    fn eq(&self, other: &Self) -> bool {
        self.index == other.index && std::sync::Arc::ptr_eq(&self.document.0, &other.document.0)
    }
}

impl Eq for Node<'_> {}

// === impl Children ===

impl<'a> Iterator for Children<'a> {
    type Item = Node<'a>;

    fn next(&mut self) -> Option<Node<'a>> {
        if self.end <= self.at {
            return None;
        }
        let node = Node::new(self.document, self.at);
        self.at = node.slot.next;
        Some(node)
    }
}

// === impl Each ===

impl<'a> Iterator for Each<'a> {
    type Item = Node<'a>;

    fn next(&mut self) -> Option<Node<'a>> {
        match self {
            Self::Items(items) => items.find(|node| !node.is_null()),
            Self::One(one) => one.take(),
        }
    }
}
