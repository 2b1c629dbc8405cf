//! The order in which the standard puts the segments of a group.

use super::out::OutSegment;
use crate::program::SegmentPlace;
use hl7v2::dictionary::Slot;
use hl7v2::{Dictionary, Version};

/// A message structure in a version.
pub(super) struct Order {
    dictionary: Dictionary,
    structure: String,
}

/// The contents of a group, in order.
pub(super) struct Slots(Vec<(usize, Slot)>);

// === impl Order ===

impl Order {
    pub(super) fn new(structure: &str, version: &str) -> Self {
        Self {
            dictionary: Dictionary::of(Version::nearest(version)),
            structure: structure.to_owned(),
        }
    }

    /// Returns the name of the outermost group, which is that of the structure.
    pub(super) fn root(&self) -> String {
        self.structure.clone()
    }

    pub(super) fn of(&self, group: &str) -> Slots {
        Slots(self.dictionary.order(&self.structure, group))
    }
}

// === impl Slots ===

impl Slots {
    /// Ranks the segments of one resource. If it is one of several of its kind, its segments stay
    /// together: a comment belongs to the result before it.
    pub(super) fn rank(
        &self,
        places: &[SegmentPlace],
        segments: Option<&mut [OutSegment]>,
        together: bool,
    ) {
        let segments = segments.unwrap_or_default();
        let first = segments.first().map(|first| self.place(places, first));
        for segment in segments {
            segment.rank = match first {
                Some(first) if together => first,
                _ => self.place(places, segment),
            };
        }
    }

    /// Ranks the instances of a group, which are already in order: after the segments that an
    /// enclosing resource has in that group.
    pub(super) fn rank_group(&self, name: &str, segments: Option<&mut [OutSegment]>) {
        let begin = self.0.iter().position(|(_, slot)| slot.is_group(name));
        let own = begin.map(|begin| {
            let depth = self.0.get(begin).map_or(0, |(depth, _)| *depth);
            let below = self.0.iter().skip(begin + 1);
            begin + below.take_while(|(own, _)| depth < *own).count()
        });
        for segment in segments.unwrap_or_default() {
            segment.rank = own.unwrap_or(usize::MAX);
        }
    }

    /// Returns where the map puts a segment of that name. A segment that the group does not know
    /// goes to its end.
    fn place(&self, places: &[SegmentPlace], segment: &OutSegment) -> usize {
        let named = places.iter().find(|place| place.segment == segment.name);
        let groups = named.map(|place| place.groups.as_slice());
        let (mut from, mut depth) = (0, 0);
        for group in groups.unwrap_or_default() {
            if let Some(found) = self.find(from, depth, |slot| slot.is_group(group)) {
                (from, depth) = (found + 1, depth + 1);
            }
        }
        let own = Slot::Segment(segment.name);
        let anywhere = || self.0.iter().position(|(_, slot)| *slot == own);
        let found = self.find(from, depth, |slot| *slot == own);
        found.or_else(anywhere).unwrap_or(usize::MAX)
    }

    /// Finds the next slot at that depth, before the enclosing group continues.
    fn find(&self, from: usize, depth: usize, is: impl Fn(&Slot) -> bool) -> Option<usize> {
        let inside = self.0.iter().enumerate().skip(from);
        let mut inside = inside.take_while(|(_, (own, _))| depth <= *own);
        inside
            .find(|(_, (own, slot))| *own == depth && is(slot))
            .map(|(at, _)| at)
    }
}
