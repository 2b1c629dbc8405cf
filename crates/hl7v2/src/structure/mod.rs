//! The groups that a message's segments form: PATIENT_RESULT, ORDER_OBSERVATION …
//!
//! Nothing is dropped: every segment has exactly one place. A segment out of its standard place
//! goes to the nearest group that has a slot for it; a segment unknown to the structure (including
//! Z segments) goes to the group of the segment before it.

mod matching;

use crate::dictionary::Dictionary;
use crate::issue::Issue;
use crate::message::Message;

pub(crate) const NONE: u32 = u32::MAX;

/// The tree of groups, and the issues with the order of the segments.
#[derive(Clone, Debug)]
pub struct Structure {
    pub(crate) nodes: Vec<Node>,
    pub(crate) issues: Vec<Issue>,
}

/// A group or a segment in the tree. Children are a list, so that a misplaced segment can still
/// join a group after later ones have begun.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    /// The group's name; empty for a segment.
    pub(crate) name: &'static str,
    /// The segment's index in the message; [`NONE`] for a group.
    pub(crate) segment: u32,
    pub(crate) first: u32,
    pub(crate) last: u32,
    pub(crate) next: u32,
}

/// A group of a message.
#[derive(Clone, Copy, Debug)]
pub struct Group<'s> {
    structure: &'s Structure,
    node: u32,
}

/// A child of a group.
#[derive(Clone, Copy, Debug)]
pub enum Child<'s> {
    /// A segment, by its index in the message from zero.
    Segment(usize),
    /// A group.
    Group(Group<'s>),
}

// === impl Structure ===

impl Structure {
    pub(crate) fn of(message: &Message) -> Self {
        matching::run(message, message.dictionary())
    }

    /// Builds the groups with the dictionary of a version other than the message's own.
    pub fn with(message: &Message, dictionary: Dictionary) -> Self {
        matching::run(message, dictionary)
    }

    /// Returns the whole message as a group; its name is the structure's (`ORU_R01`), empty if none
    /// is known.
    pub fn root(&self) -> Group<'_> {
        Group {
            structure: self,
            node: 0,
        }
    }

    /// Returns the issues with the order of the segments.
    pub fn issues(&self) -> &[Issue] {
        &self.issues
    }

    /// Returns the structure's name, such as `ORU_R01`; empty if none is known.
    pub fn name(&self) -> &'static str {
        self.root().name()
    }
}

// === impl Group ===

impl<'s> Group<'s> {
    /// Returns the group's name, such as `ORDER_OBSERVATION`.
    pub fn name(&self) -> &'static str {
        self.get().map_or("", |node| node.name)
    }

    /// Returns the group's children in order; misplaced segments last.
    pub fn children(&self) -> impl Iterator<Item = Child<'s>> + use<'s> {
        let structure = self.structure;
        let mut at = self.get().map_or(NONE, |node| node.first);
        std::iter::from_fn(move || {
            let node = structure.nodes.get(at as usize)?;
            let child = match node.segment {
                NONE => Child::Group(Group {
                    structure,
                    node: at,
                }),
                segment => Child::Segment(segment as usize),
            };
            at = node.next;
            Some(child)
        })
    }

    /// Returns all groups below this one at any depth, outer before inner.
    pub fn groups(&self) -> impl Iterator<Item = Group<'s>> + use<'s> {
        let mut open: Vec<Group<'s>> = self.child_groups();
        open.reverse();
        std::iter::from_fn(move || {
            let group = open.pop()?;
            open.extend(group.child_groups().into_iter().rev());
            Some(group)
        })
    }

    /// Returns all segments in this group and below, in message order.
    pub fn segments(&self) -> Vec<usize> {
        let mut found = Vec::new();
        let all = std::iter::once(*self).chain(self.groups());
        for child in all.flat_map(|group| group.children()) {
            match child {
                Child::Segment(index) => found.push(index),
                Child::Group(_) => {}
            }
        }
        found.sort_unstable();
        found
    }

    /// Returns the segments directly in this group.
    pub fn own_segments(&self) -> impl Iterator<Item = usize> + use<'s> {
        self.children().filter_map(|child| match child {
            Child::Segment(index) => Some(index),
            Child::Group(_) => None,
        })
    }

    fn child_groups(&self) -> Vec<Group<'s>> {
        self.children()
            .filter_map(|child| match child {
                Child::Segment(_) => None,
                Child::Group(group) => Some(group),
            })
            .collect()
    }

    fn get(&self) -> Option<&'s Node> {
        self.structure.nodes.get(self.node as usize)
    }
}
