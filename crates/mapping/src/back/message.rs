//! Builds a whole message and determines the order of its segments.

use super::order::Order;
use super::out::{OutCell, OutSegment, Pen};
use super::rows::elements;
use super::scope::OutScope;
use super::{Back, Backward, Loss, Target, differences};
use crate::program::{Item, Link, MessageMap, Program, ResourceItem, Row, SegmentName};
use crate::{Source, forward};
use fhir::build::Value;
use hl7v2::Message;
use std::sync::Arc;

/// A resource that has its place in the message.
struct Placed<'i> {
    resource: usize,
    item: &'i ResourceItem,
}

struct Writer<'b, 'p, 'i> {
    back: &'b Back<'p>,
    used: Vec<bool>,
    placed: Vec<Placed<'i>>,
    segments: Vec<OutSegment>,
    /// For each resource, the labels under which others refer to it; it is placed at one of those.
    homes: Vec<Vec<&'i str>>,
    order: Order,
}

/// Builds a message of the structure and reads it back to find what it does not carry.
pub(crate) fn message(
    program: &Arc<Program>,
    bundle: &Value,
    structure: &str,
    target: &Target,
) -> Option<Backward> {
    let map = program.messages.get(structure).cloned()?;
    let stated: Vec<(String, Value)> = bundle
        .each("entry")
        .filter_map(|entry| {
            let url = entry.text("fullUrl").unwrap_or_default().to_owned();
            Some((url, without_filled_in(program, entry.get("resource")?)))
        })
        .collect();
    let mut back = Back::new(program, &target.authorities);
    let resources = stated.iter().map(|(url, resource)| (url.clone(), resource));
    back.resources.extend(resources);
    let segments = write(&back, &map, Order::new(structure, &target.version));
    let bytes = finish(segments, structure, target);
    let lost = lost(program, &back, &bytes, target);
    Some(Backward {
        message: bytes,
        lost,
    })
}

/// Returns the resource without filled-in elements.
fn without_filled_in(program: &Program, resource: &Value) -> Value {
    let mut stripped = resource.clone();
    let rows = resource
        .resource_type()
        .and_then(|name| program.missing.get(name));
    if let Some(rows) = rows {
        crate::missing::strip(rows, &mut stripped);
    }
    stripped
}

fn write(back: &Back<'_>, map: &MessageMap, order: Order) -> Vec<OutSegment> {
    let mut writer = Writer {
        back,
        used: vec![false; back.resources.len()],
        placed: Vec::new(),
        segments: Vec::new(),
        homes: Vec::new(),
        order,
    };
    let mut items = Vec::new();
    flatten(&map.items, &mut items);
    writer.homes = (0..back.resources.len())
        .map(|resource| writer.linking_labels(resource, &items))
        .collect();
    let root = writer.order.root();
    writer.items((&root, &map.items), &[], None);
    writer.segments
}

fn flatten<'i>(items: &'i [Item], found: &mut Vec<&'i ResourceItem>) {
    for item in items {
        match item {
            Item::Group { items, .. } => flatten(items, found),
            Item::Resource(item) => found.push(item),
        }
    }
}

// === impl Writer ===

impl<'i> Writer<'_, '_, 'i> {
    /// Places the resources of one group instance. `around` are the resources of the enclosing
    /// group instances; `anchor` is the one that began this instance.
    fn items(
        &mut self,
        (group, items): (&str, &'i [Item]),
        around: &[usize],
        anchor: Option<usize>,
    ) {
        let slots = self.order.of(group);
        let own_segments = self.segments.len();
        let mut inside: Vec<usize> = anchor.into_iter().collect();
        for item in items {
            match item {
                Item::Resource(item) => {
                    let found = match anchor {
                        Some(anchor) if self.is_of(anchor, item) => vec![anchor],
                        _ => self.candidates(item, &inside, around),
                    };
                    for (place, resource) in found.iter().enumerate() {
                        let from = self.resource(item, *resource, (own_segments, place));
                        let segments = self.segments.get_mut(from..);
                        slots.rank(&item.places, segments, 1 < found.len());
                    }
                    // The anchor is in `inside` already; a second mention changes nothing.
                    inside.extend(found);
                }
                Item::Group { name, items } => {
                    let from = self.segments.len();
                    let mut outer: Vec<usize> = around.to_vec();
                    outer.extend(&inside);
                    while let Some(next) = self.next_anchor(items, &inside, &outer) {
                        self.items((name, items), &outer, Some(next));
                        // An instance that could not place its anchor would otherwise be tried for
                        // ever.
                        self.use_up(next);
                    }
                    slots.rank_group(name, self.segments.get_mut(from..));
                }
            }
        }
        if let Some(own) = self.segments.get_mut(own_segments..) {
            own.sort_by_key(|segment| segment.rank);
        }
    }

    fn use_up(&mut self, resource: usize) {
        if let Some(used) = self.used.get_mut(resource) {
            *used = true;
        }
    }

    fn is_of(&self, resource: usize, item: &ResourceItem) -> bool {
        let found = self.back.resources.get(resource);
        let unplaced = !self.used.get(resource).copied().unwrap_or(true);
        let homes = self.homes.get(resource).map_or(&[][..], Vec::as_slice);
        let at_home = homes.is_empty() || homes.contains(&&*item.label);
        unplaced
            && at_home
            && found.is_some_and(|(_, value)| value.resource_type() == Some(item.resource_type))
    }

    /// Returns the labels, of items of the resource's type, by which other resources link to it. A
    /// result that a report lists is not an observation of the patient's own.
    fn linking_labels(&self, resource: usize, items: &[&'i ResourceItem]) -> Vec<&'i str> {
        let Some((_, value)) = self.back.resources.get(resource) else {
            return Vec::new();
        };
        let own_type = |label: &str| {
            let mut of_label = items.iter().filter(|item| &*item.label == label);
            of_label.any(|item| value.resource_type() == Some(item.resource_type))
        };
        let mut found: Vec<&'i str> = Vec::new();
        for (other, (_, from)) in self.back.resources.iter().enumerate() {
            let of_type = items
                .iter()
                .filter(|item| from.resource_type() == Some(item.resource_type));
            for link in of_type.flat_map(|item| &item.links) {
                if !found.contains(&&*link.label)
                    && own_type(&link.label)
                    && self.leads(other, link, resource)
                {
                    found.push(&link.label);
                }
            }
        }
        if found.is_empty() {
            self.best_labels(value, items)
        } else {
            found
        }
    }

    /// Returns the labels of the items of the resource's type that match it best by constants and
    /// links: an answer about a living will is not a finding, and a part of an immunization is not
    /// a fact about the person. Empty if no item of its type fits.
    fn best_labels(&self, value: &Value, items: &[&'i ResourceItem]) -> Vec<&'i str> {
        let of_type = items
            .iter()
            .filter(|item| value.resource_type() == Some(item.resource_type));
        let held: Vec<(usize, &'i str)> = of_type
            .filter_map(|item| Some((self.count_matches(item, value)?, &*item.label)))
            .collect();
        let most = held.iter().map(|(n_held, _)| *n_held).max();
        let best = held.iter().filter(|(n_held, _)| Some(*n_held) == most);
        best.map(|(_, label)| *label).collect()
    }

    /// Counts the constants and links of the item that the resource has; it must have all constants
    /// that are always written.
    fn count_matches(&self, item: &ResourceItem, value: &Value) -> Option<usize> {
        let maps = item.maps.iter();
        let maps = maps.filter_map(|map| self.back.program.segments.get(*map));
        let mut n_held = 0;
        for row in maps.flat_map(|map| &map.body.rows) {
            let Row::Set(set) = row else { continue };
            if set.when.is_some() {
                continue;
            }
            let found = elements(value, &set.target.hops);
            if !found.iter().any(|element| set.value.is_in(element)) {
                return None;
            }
            n_held += 1;
        }
        let links = item.links.iter();
        let held = links.filter(|link| !elements(value, &link.target.hops).is_empty());
        n_held += held.count();
        Some(n_held)
    }

    /// Returns the resources of the item's type that have no place yet and are linked to those of
    /// this instance, or to those of the enclosing instances if no link inside is possible.
    fn candidates(&self, item: &ResourceItem, inside: &[usize], around: &[usize]) -> Vec<usize> {
        let all = (0..self.back.resources.len()).filter(|resource| self.is_of(*resource, item));
        let all: Vec<usize> = all.collect();
        let tied_in: Vec<usize> = all
            .iter()
            .copied()
            .filter(|own| self.is_linked(*own, item, inside))
            .collect();
        if !tied_in.is_empty() {
            return tied_in;
        }
        let known = inside
            .iter()
            .chain(around)
            .any(|other| self.can_link(item, *other));
        if known {
            return Vec::new();
        }
        all
    }

    /// Returns the first resource that can begin a new instance of the group.
    fn next_anchor(&self, items: &[Item], inside: &[usize], outer: &[usize]) -> Option<usize> {
        for item in items {
            let found = match item {
                Item::Resource(item) => {
                    let all = (0..self.back.resources.len()).filter(|own| self.is_of(*own, item));
                    // A resource that can be linked to this instance is not taken from an enclosing
                    // one.
                    let nearest = if inside.iter().any(|other| self.can_link(item, *other)) {
                        inside
                    } else {
                        outer
                    };
                    let tied = all.clone().find(|own| self.is_linked(*own, item, nearest));
                    let free = !outer.iter().any(|other| self.can_link(item, *other));
                    tied.or_else(|| if free { all.clone().next() } else { None })
                }
                Item::Group { items, .. } => self.next_anchor(items, inside, outer),
            };
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// Returns whether a link of either resource leads to the other.
    fn is_linked(&self, own: usize, item: &ResourceItem, others: &[usize]) -> bool {
        others.iter().any(|other| {
            let to = item.links.iter().any(|link| self.leads(own, link, *other));
            to || self
                .placed
                .iter()
                .filter(|placed| placed.resource == *other)
                .any(|placed| {
                    let links = placed.item.links.iter();
                    let mut of_label = links.filter(|link| link.label == item.label);
                    of_label.any(|link| self.leads(*other, link, own))
                })
        })
    }

    fn can_link(&self, item: &ResourceItem, other: usize) -> bool {
        self.placed
            .iter()
            .filter(|placed| placed.resource == other)
            .any(|placed| {
                item.links
                    .iter()
                    .any(|link| link.label == placed.item.label)
                    || placed
                        .item
                        .links
                        .iter()
                        .any(|link| link.label == item.label)
            })
    }

    fn leads(&self, from: usize, link: &Link, to: usize) -> bool {
        let (Some((_, value)), Some((url, resource))) =
            (self.back.resources.get(from), self.back.resources.get(to))
        else {
            return false;
        };
        elements(value, &link.target.hops).iter().any(|reference| {
            let text = reference.text("reference").unwrap_or_default();
            let by_id = || {
                let found = text.rsplit_once('/');
                found.is_some_and(|(kind, id)| {
                    resource.resource_type() == Some(kind) && resource.text("id") == Some(id)
                })
            };
            !text.is_empty() && (text == url || by_id())
        })
    }

    /// Writes one resource and returns where its segments begin. The first resource of an item
    /// shares the segments of its group instance.
    fn resource(
        &mut self,
        item: &'i ResourceItem,
        resource: usize,
        (own, place): (usize, usize),
    ) -> usize {
        let Some((_, value)) = self.back.resources.get(resource) else {
            return self.segments.len();
        };
        self.use_up(resource);
        self.placed.push(Placed { resource, item });
        let shared = place == 0;
        let mut out = OutScope::default();
        let names: Vec<SegmentName> = item.places.iter().map(|place| place.segment).collect();
        if shared {
            let mut kept = Vec::new();
            for (at, segment) in std::mem::take(&mut self.segments).into_iter().enumerate() {
                if own <= at && names.contains(&segment.name) {
                    out.segments.push(segment);
                } else {
                    kept.push(segment);
                }
            }
            self.segments = kept;
        }
        for map in item
            .maps
            .iter()
            .filter_map(|map| self.back.program.segments.get(*map))
        {
            self.back.rows(&map.body, value, &mut out);
        }
        let order = |segment: &OutSegment| names.iter().position(|name| *name == segment.name);
        out.segments
            .sort_by_key(|segment| order(segment).unwrap_or(usize::MAX));
        out.segments.retain(|segment| names.contains(&segment.name));
        if item.lines {
            out.segments = out
                .segments
                .into_iter()
                .flat_map(OutSegment::in_lines)
                .collect();
        }
        let from = self.segments.len();
        self.segments.extend(out.segments);
        from
    }
}

/// Returns the message's bytes and completes the header as the standard requires.
fn finish(mut segments: Vec<OutSegment>, structure: &str, target: &Target) -> Vec<u8> {
    let at = segments.iter().position(|segment| &segment.name == b"MSH");
    let mut header = match at {
        Some(at) => segments.remove(at),
        None => OutSegment::new(*b"MSH"),
    };
    let (code, event) = structure.split_once('_').unwrap_or((structure, ""));
    let stamp = target.at.to_hl7();
    let texts = [
        (7, 0, stamp.as_str()),
        (9, 1, code),
        (9, 2, event),
        (9, 3, structure),
        (10, 0, &target.control_id),
        (11, 0, "P"),
        (12, 0, &target.version),
    ];
    for (field, component, text) in texts {
        if let Some(cell) = header.repeat_mut(field, 1) {
            cell.part_mut(component).merge(OutCell::of(text));
        }
    }
    let bytes = written(&header, &segments);
    if bytes.is_ascii() {
        return bytes;
    }
    // 2.14.9.18: without MSH-18 the character set is ASCII.
    if let Some(set) = header.repeat_mut(18, 1) {
        *set = OutCell::of(UTF_8);
    }
    written(&header, &segments)
}

/// The name of UTF-8 in table 0211.
const UTF_8: &str = "UNICODE UTF-8";

fn written(header: &OutSegment, segments: &[OutSegment]) -> Vec<u8> {
    let pen = Pen::new(hl7v2::Delimiters::default());
    let mut bytes = Vec::new();
    for segment in std::iter::once(header).chain(segments) {
        bytes.extend(pen.segment(segment));
        bytes.push(b'\r');
    }
    bytes
}

/// Reads the message forward and returns the elements of the resources that did not come back.
fn lost(program: &Arc<Program>, back: &Back<'_>, bytes: &[u8], target: &Target) -> Vec<Loss> {
    let source = Source {
        authorities: target.authorities.clone(),
        dialect: target.dialect.clone(),
        ..Source::default()
    };
    let conversion = forward::convert(program, &Message::parse(bytes.to_vec()), &source);
    let mut free: Vec<&Value> = conversion.drafts.iter().map(crate::Draft::value).collect();
    let mut lost = Vec::new();
    for (url, resource) in &back.resources {
        let same_type = free
            .iter()
            .enumerate()
            .filter(|(_, made)| made.resource_type() == resource.resource_type());
        // Take the resource that matches best.
        let best = same_type
            .map(|(at, made)| (differences(resource, made), at))
            .min_by_key(|(differences, _)| differences.len());
        let name = if url.is_empty() {
            resource.resource_type().unwrap_or_default()
        } else {
            url
        };
        let missing = match best {
            Some((differences, at)) => {
                free.remove(at);
                differences
            }
            None => vec![String::new()],
        };
        lost.extend(missing.into_iter().map(|element| Loss {
            resource: name.to_owned(),
            element,
        }));
    }
    lost
}
