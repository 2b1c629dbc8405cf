//! The groups that a message's segments form: PATIENT_RESULT, ORDER_OBSERVATION …
//!
//! Nothing is dropped: every segment has exactly one place. A segment that stands where the
//! standard does not put it goes to the nearest group that has a place for it, one that the
//! structure does not know (Z segments too) to the group of the segment before it.

mod matching;

use crate::dictionary::Dictionary;
use crate::issue::Issue;
use crate::message::Message;

pub(crate) const NONE: u32 = u32::MAX;

/// The tree of groups, and what was odd about the order of the segments.
#[derive(Clone, Debug)]
pub struct Structure {
    pub(crate) nodes: Vec<Node>,
    pub(crate) issues: Vec<Issue>,
}

/// A group or a segment in the tree. Children are a list, so that a misplaced segment can still
/// go to a group that others have followed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    /// The group's name; empty for a segment.
    pub(crate) name: &'static str,
    /// The segment's place in the message; [`NONE`] for a group.
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

/// What stands in a group.
#[derive(Clone, Copy, Debug)]
pub enum Child<'s> {
    /// A segment, by its place in the message from zero.
    Segment(usize),
    /// A group.
    Group(Group<'s>),
}

// === impl Structure ===

impl Structure {
    pub(crate) fn of(message: &Message) -> Self {
        matching::run(message, message.dictionary())
    }

    /// The groups by the dictionary of another version than the message's own.
    pub fn with(message: &Message, dictionary: Dictionary) -> Self {
        matching::run(message, dictionary)
    }

    /// The whole message; its name is the structure's (`ORU_R01`), empty where none is known.
    pub fn root(&self) -> Group<'_> {
        Group {
            structure: self,
            node: 0,
        }
    }

    /// What was odd about the order of the segments.
    pub fn issues(&self) -> &[Issue] {
        &self.issues
    }

    /// Its name, such as `ORU_R01`; empty where none is known.
    pub fn name(&self) -> &'static str {
        self.root().name()
    }
}

// === impl Group ===

impl<'s> Group<'s> {
    /// Its name, such as `ORDER_OBSERVATION`.
    pub fn name(&self) -> &'static str {
        self.get().map_or("", |node| node.name)
    }

    /// What stands in it, in order; misplaced segments last.
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

    /// All groups below it at any depth, outer before inner.
    pub fn groups(&self) -> impl Iterator<Item = Group<'s>> + use<'s> {
        let mut open: Vec<Group<'s>> = self.child_groups();
        open.reverse();
        std::iter::from_fn(move || {
            let group = open.pop()?;
            open.extend(group.child_groups().into_iter().rev());
            Some(group)
        })
    }

    /// All segments in it and below, in the message's order.
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

    /// The segments that stand directly in it.
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
