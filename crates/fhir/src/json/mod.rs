//! A lossless read-only JSON tree over its source bytes.
//!
//! Invariants:
//! - a [`Document`] exists only if its source is one JSON value by RFC 8259 in UTF-8, not nested
//!   deeper than [`MAX_DEPTH`];
//! - nodes are in source order (pre-order), each with the end of its subtree, so walking needs no
//!   allocation and no parent links;
//! - a primitive `x` and its `_x` are linked to each other, in arrays item by item;
//! - of two fields with the same name, [`Node::get`] finds the first; both are kept, and an issue
//!   is reported.

mod error;
mod name;
mod node;
mod parse;
mod text;

pub use error::{JsonError, JsonErrorKind};
pub use name::{Symbol, symbol_count};
pub use node::{Children, Each, Node};
pub(crate) use text::write_string;

use base::Issue;
use std::fmt::Write as _;
use std::sync::Arc;

/// Maximum nesting depth of arrays and objects.
pub const MAX_DEPTH: usize = 128;

/// The kinds of JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// `null`
    Null,
    /// `true`, `false`
    Bool,
    /// A number, with its digits kept.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

/// A parsed document. Cloning it is cheap: all clones share one tree.
#[derive(Clone)]
pub struct Document(Arc<Tree>);

/// The source and its nodes.
struct Tree {
    source: Box<str>,
    slots: Vec<Slot>,
    /// Names written with escapes, by the offset of their first byte, in source order.
    escaped_names: Vec<(u32, Box<str>)>,
    issues: Vec<Issue>,
}

/// One node: 24 bytes.
#[derive(Clone, Copy, Debug)]
struct Slot {
    /// Offset of the value's first byte.
    start: u32,
    /// Offset of the value's end.
    end: u32,
    /// Index after the last node of the subtree.
    next: u32,
    /// Offset of the name's first byte, after the quote.
    name: u32,
    /// The node of the `_x` that belongs to this `x`, or 0.
    pair: u32,
    /// The name's symbol if the tables have it, else 0.
    symbol: u16,
    kind: Kind,
    flags: u8,
}

/// The node is a field of an object.
const NAMED: u8 = 1;
/// The name starts with `_`; `symbol` is that of the rest.
const UNDERSCORE: u8 = 2;
/// The string has escapes.
const ESCAPED: u8 = 4;
/// The name has escapes.
const NAME_ESCAPED: u8 = 8;

// === impl Document ===

impl Document {
    /// Parses one JSON value. The source is copied once and kept.
    pub fn parse(source: impl AsRef<[u8]>) -> Result<Self, JsonError> {
        parse::parse(source.as_ref())
    }

    /// Returns the outermost value.
    pub fn root(&self) -> Node<'_> {
        Node::new(self, 0)
    }

    /// Returns the source as received.
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// Returns `resourceType` of the outermost object.
    pub fn resource_type(&self) -> Option<&str> {
        self.root().resource_type()
    }

    /// Returns the issues that did not prevent reading: duplicate names.
    pub fn issues(&self) -> &[Issue] {
        &self.0.issues
    }

    /// Returns the number of nodes.
    pub fn node_count(&self) -> usize {
        self.0.slots.len()
    }

    /// Returns the node with this [`Node::index`].
    pub fn node(&self, index: u32) -> Option<Node<'_>> {
        ((index as usize) < self.0.slots.len()).then(|| Node::new(self, index))
    }

    /// Returns the FHIRPath location of a node: `Patient.name[0].given[1]`.
    pub fn path_of(&self, node: Node<'_>) -> String {
        let mut path = self.resource_type().unwrap_or_default().to_owned();
        let mut at = self.root();
        while at.index() != node.index() {
            let inside = |(_, child): &(usize, Node<'_>)| {
                child.index() <= node.index() && node.index() < child.subtree_end()
            };
            let Some((place, child)) = at.children().enumerate().find(inside) else {
                return path;
            };
            match child.name() {
                Some(name) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(name);
                }
                None => {
                    let _ = write!(path, "[{place}]");
                }
            }
            at = child;
        }
        path
    }

    fn slot(&self, index: u32) -> Slot {
        self.0
            .slots
            .get(index as usize)
            .copied()
            .unwrap_or(Slot::NOTHING)
    }

    fn slice(&self, start: u32, end: u32) -> &str {
        self.0
            .source
            .get(start as usize..end as usize)
            .unwrap_or_default()
    }

    fn escaped_name(&self, start: u32) -> &str {
        let names = &self.0.escaped_names;
        let found = names.binary_search_by_key(&start, |(at, _)| *at).ok();
        found
            .and_then(|idx| names.get(idx))
            .map_or("", |(_, name)| name)
    }
}

impl std::fmt::Debug for Document {
    /// Prints no content: it may be PHI.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Document({} bytes, {} nodes)",
            self.source().len(),
            self.node_count()
        )
    }
}

// === impl Slot ===

impl Slot {
    const NOTHING: Self = Self {
        start: 0,
        end: 0,
        next: 0,
        name: 0,
        pair: 0,
        symbol: 0,
        kind: Kind::Null,
        flags: 0,
    };
}
