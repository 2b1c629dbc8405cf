//! Walks a message's groups by its message map.

use super::build::{Build, Touch};
use super::cell::{Cell, Origin, Reading};
use super::lines::{self, Texts};
use super::rows::Level;
use super::scope::Bound;
use super::{Run, full_url, keys, list, reading, scope};
use crate::draft::Draft;
use crate::program::{Item, ListSpec, Program, ResourceItem, SegmentName, SegmentPlace};
use crate::report::Report;
use crate::syntax::Ownership;
use crate::{Conversion, Source};
use fhir::build::Value;
use hl7v2::Message;
use hl7v2::structure::{Child, Group};
use smallvec::SmallVec;
use std::collections::HashMap;
use std::sync::Arc;

/// An instance of a group, and its enclosing instance.
pub(super) struct Context<'s> {
    pub(super) parent: Option<usize>,
    group: Group<'s>,
    /// The instance's own segments: every resource inside it asks for them.
    own: Vec<(SegmentName, u32)>,
}

// === impl Context ===

impl<'s> Context<'s> {
    fn new(message: &Message, group: Group<'s>, parent: Option<usize>) -> Self {
        let own = group.own_segments().filter_map(|index| {
            let name = message.segment_at(index)?.name().as_bytes();
            Some((SegmentName::try_from(name).ok()?, index as u32))
        });
        Self {
            parent,
            group,
            own: own.collect(),
        }
    }

    pub(super) fn name(&self) -> &str {
        self.group.name()
    }
}

type Places = SmallVec<[u32; 2]>;

/// Indices of contexts.
type Instances = SmallVec<[usize; 2]>;

/// Converts a whole message. Without a map for its structure everything is unmapped.
pub(crate) fn convert(program: &Arc<Program>, message: &Message, source: &Source) -> Conversion {
    let reading = Reading {
        decimals: program.decimals,
        ..reading(message)
    };
    let mut run = Run::new(program, message, source);
    let structure = message.structure();
    let map = program.messages.get(structure.name()).cloned();
    if let Some(map) = &map {
        let mut walk = Walk {
            run: &mut run,
            reading: &reading,
            contexts: vec![Context::new(message, structure.root(), None)],
            made: Vec::new(),
            known: HashMap::new(),
            texts: Texts::of(message, &reading),
        };
        walk.items(&map.items, 0, true);
        let (contexts, made) = (walk.contexts, walk.made);
        keys::settle(&mut run, &contexts, &made);
    }
    let mut conversion = finish(run, &reading);
    conversion.structure = structure.name();
    conversion.supported = map.is_some();
    conversion
        .report
        .issues
        .extend(message.issues().iter().map(hl7v2::Issue::to_base));
    conversion
        .report
        .issues
        .extend(structure.issues().iter().map(hl7v2::Issue::to_base));
    conversion
}

/// Runs the segment maps of one type over a message without looking at its structure. Used by
/// tests.
pub(crate) fn segments(
    program: &Arc<Program>,
    message: &Message,
    source: &Source,
    fhir_type: &'static str,
) -> Conversion {
    let reading = Reading {
        decimals: program.decimals,
        ..reading(message)
    };
    let mut run = Run::new(program, message, source);
    let mut bound = Bound::new();
    for segment in message.segments() {
        let Ok(name) = SegmentName::try_from(segment.name().as_bytes()) else {
            continue;
        };
        bind(&mut bound, name, segment.index() as u32);
    }
    let maps: Vec<usize> = program
        .segments
        .iter()
        .enumerate()
        .filter(|(_, map)| {
            let has = |name: &SegmentName| bound.iter().any(|(own, _)| own == name);
            map.body.fhir_type == fhir_type && map.segments.first().is_some_and(has)
        })
        .map(|(place, _)| place)
        .collect();
    if let Some((value, build)) = run.resource((fhir_type, false), &maps, &bound, &reading) {
        let draft = run.draft(fhir_type, fhir_type.into(), value, build);
        run.drafts.push(draft);
    }
    finish(run, &reading)
}

fn finish(run: Run<'_, '_>, reading: &Reading) -> Conversion {
    let Run {
        accounts,
        drafts,
        lists,
        message,
        event_time,
        times,
        program,
        received,
        ..
    } = run;
    let report: Report = accounts.report(message, &received, reading);
    let mut drafts = without_bare(drafts);
    for draft in &mut drafts {
        draft.missing = program.missing.get(draft.resource_type).cloned();
    }
    Conversion {
        drafts,
        lists,
        report,
        event_time: event_time.map(|time| time.timestamp(&times.zone)),
        structure: "",
        supported: true,
        program: Arc::clone(program),
    }
}

/// Removes drafts without content; keys keep pointing to the drafts that they are within.
fn without_bare(drafts: Vec<Draft>) -> Vec<Draft> {
    if !drafts.iter().any(Draft::is_bare) {
        return drafts;
    }
    let mut place = 0;
    let places: Vec<Option<usize>> = drafts
        .iter()
        .map(|draft| {
            let kept = !draft.is_bare();
            place += usize::from(kept);
            kept.then(|| place - 1)
        })
        .collect();
    let mut kept: Vec<Draft> = drafts
        .into_iter()
        .filter(|draft| !draft.is_bare())
        .collect();
    for key in kept.iter_mut().flat_map(|draft| &mut draft.keys) {
        key.within = key
            .within
            .and_then(|place| places.get(place).copied().flatten());
    }
    kept
}

pub(super) fn bind(bound: &mut Bound, name: SegmentName, index: u32) {
    match bound.iter_mut().find(|(own, _)| *own == name) {
        Some((_, places)) if places.contains(&index) => {}
        Some((_, places)) => places.push(index),
        None => bound.push((name, SmallVec::from_slice(&[index]))),
    }
}

/// A draft that a resource item made, and where.
pub(super) struct Made<'a> {
    pub(super) draft: usize,
    pub(super) context: usize,
    pub(super) item: &'a ResourceItem,
    pub(super) bound: Bound,
}

struct Walk<'w, 'a, 'm, 's, 'i> {
    run: &'w mut Run<'a, 'm>,
    reading: &'w Reading,
    contexts: Vec<Context<'s>>,
    made: Vec<Made<'i>>,
    /// The instances of a group below another, so that each has one context.
    known: HashMap<(usize, &'i str), Instances>,
    texts: Texts,
}

// === impl Walk ===

impl<'i> Walk<'_, '_, '_, '_, 'i> {
    /// Runs the items. `there` is true if the message has their group.
    fn items(&mut self, items: &'i [Item], context: usize, there: bool) {
        for item in items {
            match item {
                Item::Group { name, items } => {
                    let groups = self.groups(context, std::slice::from_ref(name));
                    let there = groups.first() != Some(&context);
                    for at in groups {
                        self.items(items, at, there);
                    }
                }
                Item::Resource(item) => self.resource(item, context, there),
            }
        }
    }

    /// Returns the instances that the names lead to; an absent group is skipped.
    fn groups(&mut self, context: usize, names: &'i [String]) -> Instances {
        let mut at = Instances::from_slice(&[context]);
        for name in names {
            let mut next = Instances::new();
            for &parent in &at {
                next.extend(self.below(parent, name));
            }
            if !next.is_empty() {
                at = next;
            }
        }
        at
    }

    fn below(&mut self, parent: usize, name: &'i str) -> Instances {
        if let Some(found) = self.known.get(&(parent, name)) {
            return found.clone();
        }
        let mut found = Instances::new();
        let group = self.contexts.get(parent).map(|context| context.group);
        for child in group.into_iter().flat_map(|group| group.children()) {
            if let Child::Group(child) = child
                && (child.name() == name || child.name() == before_2_4(name))
            {
                let context = Context::new(self.run.message, child, Some(parent));
                self.contexts.push(context);
                found.push(self.contexts.len() - 1);
            }
        }
        self.known.insert((parent, name), found.clone());
        found
    }

    fn resource(&mut self, item: &'i ResourceItem, context: usize, there: bool) {
        let Some((first, others)) = item.places.split_first() else {
            return;
        };
        for at in self.groups(context, &first.groups) {
            let leading = self.own(at, first.segment);
            if let (Some(spec), Some(&index)) = (&item.list, leading.first()) {
                self.list(item, spec, (at, index));
            }
            if leading.is_empty() && !there {
                // The order's own comment is not a result.
                continue;
            }
            if leading.is_empty() {
                let mut bound = Bound::new();
                for other in others {
                    self.beside(&mut bound, other, (at, context), (0, u32::MAX));
                }
                if !bound.is_empty() {
                    self.make(item, at, bound);
                }
                continue;
            }
            for (place, &index) in leading.iter().enumerate() {
                if item.lines && self.texts.is_further(index) {
                    continue;
                }
                let span = match (leading.len(), leading.get(place + 1)) {
                    (1, _) => (0, u32::MAX),
                    (_, Some(next)) => (index, *next),
                    (_, None) => (index, u32::MAX),
                };
                let mut bound = Bound::new();
                bind(&mut bound, first.segment, index);
                for other in others {
                    self.beside(&mut bound, other, (at, context), span);
                }
                if item.lines {
                    let named = |name| item.places.iter().any(|place| place.segment == name);
                    lines::bind(&mut bound, self.run.message, (index, &self.texts), named);
                }
                self.make(item, at, bound);
            }
        }
    }

    /// Records the list of an item if the message has a segment of it.
    fn list(&mut self, item: &'i ResourceItem, spec: &Arc<ListSpec>, (at, index): (usize, u32)) {
        let is_known = self.run.lists.iter().any(|list| list.label == item.label);
        if let Some(first) = item.places.first().filter(|_| !is_known) {
            let mut bound = Bound::new();
            bind(&mut bound, first.segment, index);
            self.around(&mut bound, at, item);
            list::begin(self.run, item, spec, (&bound, self.reading));
        }
    }

    fn own(&self, context: usize, name: SegmentName) -> Places {
        let Some(context) = self.contexts.get(context) else {
            return Places::new();
        };
        let own = context.own.iter().filter(|(own, _)| *own == name);
        own.map(|(_, index)| *index).collect()
    }

    /// Binds the segments of a place: in the same group, else where the place says, else in the
    /// enclosing groups. A segment that an item lists a second time is looked for only where that
    /// place says.
    fn beside(
        &mut self,
        bound: &mut Bound,
        place: &'i SegmentPlace,
        (at, context): (usize, usize),
        (from, to): (u32, u32),
    ) {
        let inside = |index: &u32| from <= *index && *index < to;
        let is_more =
            !place.groups.is_empty() && bound.iter().any(|(own, _)| *own == place.segment);
        let mut found = if is_more {
            Places::new()
        } else {
            self.own(at, place.segment)
        };
        found.retain(|index| inside(index));
        if found.is_empty() && !place.groups.is_empty() {
            for group in self.groups(context, &place.groups) {
                found.extend(self.own(group, place.segment));
            }
        }
        let mut outer = context;
        while found.is_empty()
            && !place.groups.is_empty()
            && let Some(parent) = self.contexts.get(outer).and_then(|outer| outer.parent)
        {
            outer = parent;
            for group in self.groups(outer, &place.groups) {
                found.extend(self.own(group, place.segment));
            }
            // Choosing one of several specimens would be a guess.
            if 1 < found.len() {
                return;
            }
        }
        if found.is_empty() && at != context && !is_more {
            found = self.own(context, place.segment);
        }
        for index in found {
            bind(bound, place.segment, index);
        }
    }

    fn make(&mut self, item: &'i ResourceItem, context: usize, mut bound: Bound) {
        self.around(&mut bound, context, item);
        let fits = {
            let scope = scope(self.run.message, self.reading, &bound);
            item.when
                .as_ref()
                .is_none_or(|when| scope.holds(when, None))
        };
        if !fits {
            let first = item.places.first().map(|place| place.segment);
            let own = bound.iter().find(|(name, _)| Some(*name) == first);
            let own = own.and_then(|(_, places)| places.first().copied());
            if let (Some(spec), Some(own)) = (&item.list, own) {
                list::account_for_null(self.run, spec, own);
            }
            return;
        }
        let unknown = {
            let scope = scope(self.run.message, self.reading, &bound);
            keys::unknown_visit(self.run, item, &scope)
        };
        if let Some(origin) = unknown {
            let place = self.run.received.place(origin).to_string();
            self.run.accounts.issues.push(base::Issue::warning(
                "visit-without-number",
                place,
                "it has no visit number (PV1-19, PV1-50), and its source knows visits by nothing else \
                 (`visits by none`), so it makes no visit",
            ));
            return;
        }
        let made = self.run.resource(
            (item.resource_type, item.lines),
            &item.maps,
            &bound,
            self.reading,
        );
        let Some((mut value, mut build)) = made else {
            return;
        };
        if item.lines {
            self.run.account_lines(&bound);
        }
        if item.resource_type == "DocumentReference" {
            self.run.without_content(item, &bound, &value, self.reading);
        }
        let scope = scope(self.run.message, self.reading, &bound);
        for set in &item.sets {
            Run::set_row(set, &scope, &mut build, &mut value, Level::Top);
        }
        let mut draft = self
            .run
            .draft(item.resource_type, Arc::clone(&item.label), value, build);
        draft.ownership = item.ownership;
        draft.status_code = keys::status_code(item.resource_type, &scope);
        draft.listed = list::listed(&self.run.lists, item, &scope);
        self.run.drafts.push(draft);
        let draft = self.run.drafts.len() - 1;
        self.made.push(Made {
            draft,
            context,
            item,
            bound,
        });
    }

    /// Binds the segments of the enclosing groups, which can be read too; nearer ones first.
    /// Segments that the item names itself were looked for already: the notes of an order are not
    /// those of its results.
    fn around(&self, bound: &mut Bound, context: usize, item: &ResourceItem) {
        let named = |name| item.places.iter().any(|place| place.segment == name);
        let mut at = Some(context);
        while let Some(context) = at.and_then(|at| self.contexts.get(at)) {
            // Segments that are already bound are nearer.
            let n_nearer = bound.len();
            for &(name, index) in &context.own {
                let known = bound.iter().position(|(own, _)| *own == name);
                match known.and_then(|at| Some((at, bound.get_mut(at)?))) {
                    Some((at, _)) if at < n_nearer => {}
                    Some((_, (_, places))) => places.push(index),
                    None if named(name) => {}
                    None => bound.push((name, SmallVec::from_slice(&[index]))),
                }
            }
            at = context.parent;
        }
    }
}

// === impl Run ===

impl Run<'_, '_> {
    /// Runs the maps over the bound segments; `None` if they produced nothing.
    fn resource(
        &mut self,
        (fhir_type, lines): (&'static str, bool),
        maps: &[usize],
        bound: &Bound,
        reading: &Reading,
    ) -> Option<(Value, Build)> {
        let program = self.program;
        let mut build = Build::for_resource();
        let mut value = Value::resource(fhir_type);
        let scope = scope(self.message, reading, bound).observing(lines);
        for map in maps.iter().filter_map(|map| program.segments.get(*map)) {
            self.rows(&map.body, &scope, &mut build, &mut value, Level::Top);
        }
        let bare = value.as_object().is_none_or(|fields| fields.len() < 2);
        (!bare || !build.touches.is_empty()).then_some((value, build))
    }

    /// Reports a document that cannot be opened: its content was not read, or was not sent.
    fn without_content(
        &mut self,
        item: &ResourceItem,
        bound: &Bound,
        value: &Value,
        reading: &Reading,
    ) {
        let is_there = |content: &Value| {
            let attachment = content.get("attachment");
            attachment.is_some_and(|own| own.get("data").is_some() || own.get("url").is_some())
        };
        let scope = scope(self.message, reading, bound);
        let Some(index) = scope.first_segment(*b"OBX") else {
            return;
        };
        let is_reported = self.accounts.has_error(&self.received, index);
        if is_reported || value.each("content").any(is_there) {
            return;
        }
        let origin = Origin {
            segment: index,
            field: 5,
            ..Origin::default()
        };
        let raw = self.message.segment_at(index as usize);
        let cell = Cell::new(raw.map_or(&[], |segment| segment.field_bytes(5).0), origin);
        let why = "the document has neither data (ED.5) nor an address (RP.1): it cannot be opened";
        self.lost(cell, item.id, why, reading);
    }

    /// Accounts for the later lines of a text: they repeat the first except for their own words.
    fn account_lines(&mut self, bound: &Bound) {
        let lines = bound.iter().find(|(name, _)| name == b"OBX");
        let Some([first, further @ ..]) = lines.map(|(_, places)| places.as_slice()) else {
            return;
        };
        for line in further {
            self.accounts.follow(self.message, (*first, *line));
        }
    }

    /// Creates a draft with a value and nothing else.
    pub(super) fn draft(
        &self,
        resource_type: &'static str,
        label: Arc<str>,
        value: Value,
        build: Build,
    ) -> Draft {
        Draft {
            resource_type,
            label,
            keys: Vec::new(),
            ownership: Ownership::Owns,
            event_time: self.event_time,
            status_code: None,
            listed: None,
            full_url: full_url(self.fingerprint, self.drafts.len()),
            value,
            build,
            received: Arc::clone(&self.received),
            missing: None,
            whole: false,
        }
    }
}

/// Records what a link wrote.
pub(super) fn touch(draft: &mut Draft, touch: Touch) {
    draft.build.touches.push(touch);
}

/// Returns the name that a group had before version 2.4. Maps use the later name.
fn before_2_4(name: &str) -> &str {
    match name {
        "PATIENT_RESULT" => "RESPONSE",
        other => other,
    }
}
