//! Assigns each segment to its group.
//!
//! A cursor walks the structure. A segment is searched from the innermost open group outwards:
//! forward without skipping anything required; in a place before the cursor that is still empty and
//! must not be (for senders that swap neighbours); as the start of a repetition of the group. Then
//! forward again, skipping required slots. Anything left is misplaced or unknown.

use crate::dictionary::{Dictionary, GroupSpec, NO_GROUP, Spec, Version};
use crate::issue::{Issue, IssueKind, Place};
use crate::message::{Message, Segment};

use super::{NONE, Node, Structure};

const MAX_ISSUES: usize = 100;
/// Cap on misplaced segments; a message with more does not follow its structure.
const MAX_MISPLACED: usize = 10_000;

pub(super) fn run(message: &Message, dictionary: Dictionary) -> Structure {
    let mut issues = Vec::new();
    let chosen = choose(message, dictionary, &mut issues);
    let mut matcher = Matcher::new(message, chosen, issues);
    for segment in message.segments() {
        matcher.place(segment);
    }
    matcher.finish()
}

/// Chooses the structure of the event, else the one in MSH-9.3, else that of the message code
/// alone.
fn choose(
    message: &Message,
    dictionary: Dictionary,
    issues: &mut Vec<Issue>,
) -> Option<&'static Spec> {
    let (code, declared) = (message.code(), message.header(9, 3));
    let mut event = message.event();
    if event.is_empty() {
        event = message
            .first("EVN")
            .map_or(event, |evn| evn.field(1).value());
    }
    let mut note = |kind, field: u32| {
        let header = message.first("MSH");
        let place = header.map_or_else(Place::default, |msh| Place {
            field,
            ..msh.place()
        });
        issues.push(Issue { kind, place });
    };
    let declared_version = message.header(12, 1);
    if !declared_version.is_empty() && Version::named(declared_version.trim()).is_none() {
        note(IssueKind::UnknownVersion, 12);
    }
    let by_event = dictionary.structure_of(&code, &event);
    if let Some(name) = by_event {
        if !declared.is_empty() && declared != name {
            note(IssueKind::WrongStructureId, 9);
        }
        return dictionary.spec(name);
    }
    let newer = Version::ALL.into_iter().rev().map(Dictionary::of);
    let found = std::iter::once(dictionary)
        .chain(newer)
        .find_map(|dictionary| {
            let by_event = dictionary.structure_of(&code, &event);
            by_event
                .and_then(|name| dictionary.spec(name))
                .or_else(|| dictionary.spec(&declared))
                .or_else(|| dictionary.spec(&code))
        });
    if found.is_none() {
        note(IssueKind::UnknownStructure, 9);
    }
    found
}

/// A group of the message, with the filled slots of its specification.
struct Instance {
    node: u32,
    spec: u16,
    filled: u64,
    first_segment: u32,
}

/// A group that can still grow.
#[derive(Clone, Copy)]
struct Open {
    instance: usize,
    /// Number of slots passed; the last of them is the current one.
    passed: usize,
    /// The group contains groups.
    has_groups: bool,
}

struct Matcher<'m> {
    message: &'m Message,
    spec: Option<&'static Spec>,
    structure: Structure,
    instances: Vec<Instance>,
    /// The last instance of each group of the specification.
    newest: Vec<Option<usize>>,
    /// The open groups, from the whole message to the innermost.
    open: Vec<Open>,
    n_misplaced: usize,
    /// Slots from a group down to a segment, reused.
    route: Vec<usize>,
}

// === impl Matcher ===

impl<'m> Matcher<'m> {
    fn new(message: &'m Message, spec: Option<&'static Spec>, issues: Vec<Issue>) -> Self {
        let n_segments = message.segments().len();
        let name = spec
            .and_then(|spec| spec.groups.first())
            .map_or("", |group| group.name);
        let mut nodes = Vec::with_capacity(n_segments * 2 + 1);
        nodes.push(Node {
            name,
            segment: NONE,
            first: NONE,
            last: NONE,
            next: NONE,
        });
        let mut instances = Vec::with_capacity(n_segments + 1);
        instances.push(Instance {
            node: 0,
            spec: 0,
            filled: 0,
            first_segment: 0,
        });
        let mut open = Vec::with_capacity(8);
        open.push(Open {
            instance: 0,
            passed: 0,
            has_groups: false,
        });
        let mut newest = vec![None; spec.map_or(0, |spec| spec.groups.len())];
        if let Some(root) = newest.first_mut() {
            *root = Some(0);
        }
        let structure = Structure { nodes, issues };
        Self {
            message,
            spec,
            structure,
            instances,
            newest,
            open,
            n_misplaced: 0,
            route: Vec::new(),
        }
    }

    fn place(&mut self, segment: Segment<'m>) {
        let index = segment.index() as u32;
        let Some(name) = segment.packed_name() else {
            return self.stay(index);
        };
        if self.spec.is_none() || name.first() == Some(&b'Z') {
            return self.stay(index);
        }
        let levels = self.open.len();
        for level in (0..levels).rev() {
            if self.forward(level, name, true) && !self.is_next_rather_than_prior(level, name) {
                let route = std::mem::take(&mut self.route);
                return self.go(level, route, index);
            }
            if self.fill(level, name, index) {
                return self.note(IssueKind::MisplacedSegment, segment);
            }
            if self.again(level, name) {
                let route = std::mem::take(&mut self.route);
                self.reopen(level, index);
                return self.go(level, route, index);
            }
        }
        for level in (0..levels).rev() {
            if self.forward(level, name, false) {
                let route = std::mem::take(&mut self.route);
                return self.go(level, route, index);
            }
        }
        self.n_misplaced += 1;
        if self.n_misplaced > MAX_MISPLACED || !self.anywhere(name, index) {
            self.stay(index);
            return self.note(IssueKind::UnexpectedSegment, segment);
        }
        self.note(IssueKind::MisplacedSegment, segment);
    }

    /// Puts a segment after the previous one.
    fn stay(&mut self, index: u32) {
        let node = self
            .open
            .last()
            .and_then(|open| self.instances.get(open.instance));
        let node = node.map_or(0, |instance| instance.node);
        self.add(node, "", index);
    }

    /// Searches for the segment from the level's current slot on; leaves the route in `route`.
    fn forward(&mut self, level: usize, name: [u8; 3], strict: bool) -> bool {
        let Some((open, group)) = self.level(level) else {
            return false;
        };
        let mut from = open.passed;
        let current = from.checked_sub(1).and_then(|idx| group.slots.get(idx));
        if current.is_some_and(|slot| slot.segment == name && slot.repeats) {
            from -= 1;
        }
        self.find(group, from, name, strict)
    }

    fn find(&mut self, group: &GroupSpec, from: usize, name: [u8; 3], strict: bool) -> bool {
        let mut route = std::mem::take(&mut self.route);
        route.clear();
        let found = self
            .spec
            .is_some_and(|spec| search(spec, group, from, name, strict, &mut route));
        self.route = route;
        found
    }

    /// Returns whether the segment can begin a repetition of the level's group.
    fn again(&mut self, level: usize, name: [u8; 3]) -> bool {
        let Some((_, group)) = self.level(level) else {
            return false;
        };
        let above = level.checked_sub(1).and_then(|above| self.level(above));
        let repeats = above.is_some_and(|(open, parent)| {
            let slot = open
                .passed
                .checked_sub(1)
                .and_then(|idx| parent.slots.get(idx));
            slot.is_some_and(|slot| slot.repeats)
        });
        repeats && self.find(group, 0, name, true)
    }

    /// Returns whether the route in `route` leads into prior results (PRIOR_RESULT of an OML)
    /// although the segment may equally begin the next order. The grammar allows both; an order
    /// must not be mistaken for a past one. Prior results are marked by their own patient
    /// (PATIENT_PRIOR).
    fn is_next_rather_than_prior(&mut self, level: usize, name: [u8; 3]) -> bool {
        let (Some(spec), Some((_, mut group))) = (self.spec, self.level(level)) else {
            return false;
        };
        let was_prior = is_prior(group);
        let mut enters = false;
        for slot in &self.route {
            let below = group.slots.get(*slot).map_or(NO_GROUP, |slot| slot.group);
            let Some(inner) = spec.groups.get(usize::from(below)) else {
                break;
            };
            enters |= is_prior(inner);
            group = inner;
        }
        if was_prior || !enters {
            return false;
        }
        let route = std::mem::take(&mut self.route);
        let begins_next = (0..=level).any(|outer| self.again(outer, name));
        self.route = route;
        begins_next
    }

    /// Fills an empty place before the cursor where a repetition would split what belongs together.
    fn fill(&mut self, level: usize, name: [u8; 3], index: u32) -> bool {
        let (Some((open, group)), Some(spec)) = (self.level(level), self.spec) else {
            return false;
        };
        let Some(instance) = self.instances.get(open.instance) else {
            return false;
        };
        let before = group
            .slots
            .iter()
            .enumerate()
            .take(open.passed.saturating_sub(1));
        let mut free = before.filter(|(idx, _)| *idx < 64 && instance.filled & (1 << idx) == 0);
        let slot = free.find(|(_, slot)| match spec.groups.get(usize::from(slot.group)) {
            None => slot.segment == name && (slot.required || !open.has_groups),
            Some(inner) => search(spec, inner, 0, name, true, &mut Vec::new()),
        });
        let Some((idx, slot)) = slot else {
            return false;
        };
        let mut route = vec![idx];
        if let Some(inner) = spec.groups.get(usize::from(slot.group)) {
            search(spec, inner, 0, name, true, &mut route);
        }
        self.attach(open.instance, &route, index, None);
        true
    }

    /// Appends the segment to the newest group that has a slot for it.
    fn anywhere(&mut self, name: [u8; 3], index: u32) -> bool {
        let Some(spec) = self.spec else { return false };
        let mut best: Option<(usize, Vec<usize>)> = None;
        for (group, newest) in spec.groups.iter().zip(&self.newest) {
            let Some(number) = *newest else { continue };
            let mut route = Vec::new();
            let older = best.as_ref().is_some_and(|(found, _)| number < *found);
            if !older && search(spec, group, 0, name, false, &mut route) {
                best = Some((number, route));
            }
        }
        let Some((number, route)) = best else {
            return false;
        };
        self.attach(number, &route, index, None);
        true
    }

    /// Closes everything open below `level`, follows the route and puts the segment at its end.
    fn go(&mut self, level: usize, route: Vec<usize>, index: u32) {
        self.open.truncate(level + 1);
        if let Some(open) = self.open.last().copied() {
            self.attach(open.instance, &route, index, Some(level));
        }
        self.route = route;
    }

    /// Ends the level's group and begins another one of its kind.
    fn reopen(&mut self, level: usize, index: u32) {
        self.open.truncate(level);
        let above = self
            .open
            .last()
            .and_then(|open| self.instances.get(open.instance));
        let node = above.map_or(0, |instance| instance.node);
        let spec = level.checked_sub(1).and_then(|above| {
            let (open, parent) = self.level(above)?;
            Some(parent.slots.get(open.passed.checked_sub(1)?)?.group)
        });
        let instance = self.begin(node, spec.unwrap_or(0), index);
        self.open.push(Open {
            instance,
            passed: 0,
            has_groups: false,
        });
    }

    /// Follows a route of slots down from an instance; if that is the open one, moves the cursor.
    fn attach(&mut self, from: usize, route: &[usize], index: u32, level: Option<usize>) {
        let mut at = from;
        for &slot in route {
            let Some(instance) = self.instances.get_mut(at) else {
                return;
            };
            if slot < 64 {
                instance.filled |= 1 << slot;
            }
            let (node, of) = (instance.node, instance.spec);
            let spec = self.spec.and_then(|spec| spec.groups.get(usize::from(of)));
            let below = spec
                .and_then(|group| group.slots.get(slot))
                .map_or(NO_GROUP, |slot| slot.group);
            if let Some(open) = self.open.last_mut().filter(|_| level.is_some()) {
                open.passed = slot + 1;
                open.has_groups |= below != NO_GROUP;
            }
            if below == NO_GROUP {
                self.add(node, "", index);
                return;
            }
            at = self.begin(node, below, index);
            if level.is_some() {
                self.open.push(Open {
                    instance: at,
                    passed: 0,
                    has_groups: false,
                });
            }
        }
    }

    fn begin(&mut self, parent: u32, spec: u16, first_segment: u32) -> usize {
        let group = self.spec.and_then(|all| all.groups.get(usize::from(spec)));
        let node = self.add(parent, group.map_or("", |group| group.name), NONE);
        self.instances.push(Instance {
            node,
            spec,
            filled: 0,
            first_segment,
        });
        let number = self.instances.len() - 1;
        if let Some(newest) = self.newest.get_mut(usize::from(spec)) {
            *newest = Some(number);
        }
        number
    }

    fn add(&mut self, parent: u32, name: &'static str, segment: u32) -> u32 {
        let nodes = &mut self.structure.nodes;
        let new = nodes.len() as u32;
        nodes.push(Node {
            name,
            segment,
            first: NONE,
            last: NONE,
            next: NONE,
        });
        let last = nodes
            .get(parent as usize)
            .map_or(NONE, |parent| parent.last);
        if let Some(last) = nodes.get_mut(last as usize) {
            last.next = new;
        }
        if let Some(parent) = nodes.get_mut(parent as usize) {
            parent.last = new;
            if parent.first == NONE {
                parent.first = new;
            }
        }
        new
    }

    fn level(&self, level: usize) -> Option<(Open, &'static GroupSpec)> {
        let open = *self.open.get(level)?;
        let spec = self.instances.get(open.instance)?.spec;
        Some((open, self.spec?.groups.get(usize::from(spec))?))
    }

    fn note(&mut self, kind: IssueKind, segment: Segment<'m>) {
        if self.structure.issues.len() < MAX_ISSUES {
            self.structure.issues.push(Issue {
                kind,
                place: segment.place(),
            });
        }
    }

    fn finish(mut self) -> Structure {
        let Some(spec) = self.spec else {
            return self.structure;
        };
        for instance in &self.instances {
            let Some(group) = spec.groups.get(usize::from(instance.spec)) else {
                continue;
            };
            let missing = group.required & !instance.filled;
            if missing == 0 || self.structure.issues.len() >= MAX_ISSUES {
                continue;
            }
            for (_, slot) in group
                .slots
                .iter()
                .enumerate()
                .filter(|(idx, _)| missing & (1 << idx) != 0)
            {
                let begin = self.message.segment_at(instance.first_segment as usize);
                let offset = begin.map_or(0, |segment| segment.offset() as u32);
                let name = Some(slot.segment);
                let segment = instance.first_segment + 1;
                let place = Place {
                    segment,
                    name,
                    offset,
                    ..Place::default()
                };
                self.structure.issues.push(Issue {
                    kind: IssueKind::MissingSegment,
                    place,
                });
            }
        }
        self.structure
    }
}

fn is_prior(group: &GroupSpec) -> bool {
    group.name.contains("PRIOR")
}

/// Returns the route from a group's slot `from` to a segment. Strict: without skipping required
/// slots.
fn search(
    spec: &Spec,
    group: &GroupSpec,
    from: usize,
    name: [u8; 3],
    strict: bool,
    route: &mut Vec<usize>,
) -> bool {
    for (idx, slot) in group.slots.iter().enumerate().skip(from) {
        if slot.segment == name {
            route.push(idx);
            return true;
        }
        if let Some(inner) = spec.groups.get(usize::from(slot.group)) {
            route.push(idx);
            if search(spec, inner, 0, name, strict, route) {
                return true;
            }
            route.pop();
        }
        if strict && slot.required {
            return false;
        }
    }
    false
}
