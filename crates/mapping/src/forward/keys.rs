//! Sets links and business keys once all drafts of a message exist.

use super::Run;
use super::build::{Seg, Span, Touch, put};
use super::cell::Origin;
use super::message::{Context, Made, touch};
use super::scope::Scope;
use super::{reading, scope};
use crate::draft::{BusinessKey, Draft, Names};
use crate::missing::reason;
use crate::program::{Hop, KeyPart, Link, Repeat, ResourceItem, Source, Target};
use crate::visits::Visits;
use fhir::build::Value;
use smallvec::SmallVec;
use std::sync::Arc;

/// Sets the links and keys of all drafts.
pub(super) fn settle(run: &mut Run<'_, '_>, contexts: &[Context<'_>], made: &[Made<'_>]) {
    let reading = reading(run.message);
    let around = Around::new(contexts, made);
    for own in made {
        links(run, &around, own);
        let scope = scope(run.message, &reading, &own.bound);
        let keys = keys(run, &around, own, &scope);
        if let Some(draft) = run.drafts.get_mut(own.draft) {
            draft.keys = keys;
        }
    }
}

/// Indices of drafts, usually one.
type Places = SmallVec<[usize; 4]>;

/// The drafts made from the message, by label.
struct Around<'s> {
    contexts: &'s [Context<'s>],
    /// A map has few labels: scanning them costs less than hashing.
    by_label: Vec<(&'s str, Vec<&'s Made<'s>>)>,
}

fn links(run: &mut Run<'_, '_>, around: &Around<'_>, own: &Made<'_>) {
    let reading = reading(run.message);
    for link in &own.item.links {
        let holds = |when| scope(run.message, &reading, &own.bound).holds(when, None);
        if !link.when.as_ref().is_none_or(holds) {
            continue;
        }
        let found = around.labelled(own, &link.label);
        // Choosing one of several would be a guess.
        let n_taken = if link.is_list || found.len() == 1 {
            found.len()
        } else {
            0
        };
        let mut urls = Vec::new();
        for place in found.into_iter().take(n_taken) {
            if let Some(draft) = run.drafts.get(place).filter(|draft| !draft.is_bare()) {
                urls.push(draft.full_url.clone());
            }
        }
        let Some(draft) = run.drafts.get_mut(own.draft) else {
            continue;
        };
        let wrote = !urls.is_empty();
        if !wrote && link.required && !draft.is_bare() {
            // Without a touch, an existing resource keeps what it has.
            let _ = put(&mut draft.value, &link.target, reason());
        }
        if link.pairs && pair(draft, link, &urls) {
            urls.clear();
        }
        for url in urls {
            let depth = draft.build.trail.len();
            draft.build.walk(&draft.value, &link.target.hops);
            draft.build.trail.push(super::build::Seg::Name("reference"));
            let reference = Value::object().with("reference", url);
            if put(&mut draft.value, &link.target, reference).is_ok() {
                draft.build.trace(Origin::NOWHERE, link.id, Span::default());
            }
            draft.build.trail.truncate(depth);
        }
        if wrote {
            let target = Arc::clone(&link.target);
            touch(
                draft,
                Touch {
                    target,
                    row: link.id,
                    delete: false,
                    adds: link.adds,
                },
            );
        }
    }
}

/// Puts the n-th reference into the n-th element that rows made. Returns false if the counts
/// differ.
fn pair(draft: &mut Draft, link: &Link, urls: &[String]) -> bool {
    let Some((first @ Hop::Many(..), rest)) = link.target.hops.split_first() else {
        return false;
    };
    let list = first.name();
    let many = draft
        .value
        .get(list)
        .and_then(Value::as_array)
        .map_or(0, Vec::len);
    if many != urls.len() {
        return false;
    }
    let inner = Target {
        hops: rest.to_vec(),
        ..Target::default()
    };
    for (place, url) in urls.iter().enumerate() {
        let items = draft.value.get_mut(list).and_then(Value::as_array_mut);
        let Some(element) = items.and_then(|items| items.get_mut(place)) else {
            continue;
        };
        let reference = Value::object().with("reference", url.as_str());
        if put(element, &inner, reference).is_err() {
            continue;
        }
        let depth = draft.build.trail.len();
        draft
            .build
            .trail
            .extend([Seg::Name(list), Seg::Index(place as u32)]);
        draft
            .build
            .trail
            .extend(rest.iter().map(|hop| Seg::Name(hop.name())));
        draft.build.trail.push(Seg::Name("reference"));
        draft.build.trace(Origin::NOWHERE, link.id, Span::default());
        draft.build.trail.truncate(depth);
    }
    true
}

// === impl Around ===

impl<'s> Around<'s> {
    fn new(contexts: &'s [Context<'s>], made: &'s [Made<'s>]) -> Self {
        let mut by_label: Vec<(&str, Vec<&Made<'_>>)> = Vec::new();
        for one in made {
            let label = &*one.item.label;
            match by_label.iter_mut().find(|(own, _)| *own == label) {
                Some((_, all)) => all.push(one),
                None => by_label.push((label, vec![one])),
            }
        }
        Self { contexts, by_label }
    }

    /// Returns the nearest drafts of a label, searching outward. A draft in another repeat of the
    /// same group belongs to that repeat.
    fn labelled(&self, own: &Made<'_>, label: &str) -> Places {
        let contexts = self.contexts;
        let Some((_, all)) = self.by_label.iter().find(|(own, _)| *own == label) else {
            return Places::new();
        };
        let mut at = Some(own.context);
        let mut from = None;
        while let Some(around) = at {
            let inside = all.iter().filter(|other| {
                other.draft != own.draft
                    && is_within(contexts, other.context, around)
                    && from.is_none_or(|from| !is_within(contexts, other.context, from))
                    && !is_in_sibling(contexts, other.context, (from, around))
            });
            let found: Places = inside.map(|other| other.draft).collect();
            if !found.is_empty() {
                return found;
            }
            from = at;
            at = contexts.get(around).and_then(|context| context.parent);
        }
        Places::new()
    }
}

/// Returns whether the draft is in another repeat of the group `from`, which is directly below
/// `around`.
fn is_in_sibling(
    contexts: &[Context<'_>],
    inner: usize,
    (from, around): (Option<usize>, usize),
) -> bool {
    let Some(from) = from else { return false };
    let mut at = inner;
    while let Some(parent) = contexts.get(at).and_then(|context| context.parent) {
        if parent == around {
            let name = |place: usize| contexts.get(place).map(Context::name);
            return at != from && name(at) == name(from);
        }
        at = parent;
    }
    false
}

/// Returns whether the context is the outer one or below it.
fn is_within(contexts: &[Context<'_>], inner: usize, outer: usize) -> bool {
    let mut at = Some(inner);
    while let Some(place) = at {
        if place == outer {
            return true;
        }
        at = contexts.get(place).and_then(|context| context.parent);
    }
    false
}

fn keys(
    run: &Run<'_, '_>,
    around: &Around<'_>,
    own: &Made<'_>,
    scope: &Scope<'_, '_>,
) -> Vec<BusinessKey> {
    let key = &own.item.key;
    let mut found = Vec::new();
    for (rank, parts) in key.alternatives.iter().enumerate() {
        if key.otherwise == Some(rank) && !found.is_empty() {
            break;
        }
        let stands_in = key.otherwise.is_some_and(|from| from <= rank);
        if stands_in && is_visit(own.item) && !run.program.visits.accepts_key(parts) {
            continue;
        }
        if let [KeyPart::Identifier] = parts.as_slice() {
            if let Some(draft) = run.drafts.get(own.draft) {
                let own = run.program.patient_numbers.as_deref();
                let keys = draft.value.each("identifier").filter_map(identifier_key);
                found.extend(keys.map(|key| match own {
                    Some(types) => key.named_by(types),
                    None => key,
                }));
            }
            continue;
        }
        let read = Parts::read(parts, (run, around, own), scope);
        // A key within a resource that does not exist would match everywhere.
        let says_nothing = read.texts.iter().all(String::is_empty);
        let is_whose = key.any_of && read.texts.is_empty() && read.within.is_some();
        // Equals without a code are distinguished like other equals, but only within their report:
        // a patient has too many.
        let holder = read.within.and_then(|at| run.drafts.get(at));
        let is_among = key.place_among_equals
            && holder.is_some_and(|holder| holder.resource_type != "Patient");
        if read.is_lost || says_nothing && !is_whose && !is_among {
            continue;
        }
        // The value beside a number distinguishes services and isolates; it is not a number.
        if key.any_of && read.texts.first().is_some_and(String::is_empty) {
            continue;
        }
        let authority = if parts.len() == 1 {
            read.authority
        } else {
            String::new()
        };
        found.push(BusinessKey {
            authority,
            kind: own.item.label.to_string(),
            value: read.texts.join("|"),
            within: read.within,
            rank: if key.any_of { rank as u8 } else { 0 },
            is_shared: key.place_among_equals,
            names: Names::default(),
        });
        if !key.any_of {
            break;
        }
    }
    found
}

fn is_visit(item: &ResourceItem) -> bool {
    item.resource_type == "Encounter"
}

/// Returns the segment of a visit that cannot be identified: it has no number, and nothing that its
/// source's dialect accepts instead.
pub(super) fn unknown_visit(
    run: &Run<'_, '_>,
    item: &ResourceItem,
    scope: &Scope<'_, '_>,
) -> Option<Origin> {
    let from = item.key.otherwise?;
    if !is_visit(item) || run.program.visits != Visits::None {
        return None;
    }
    let has_number = item.key.alternatives.iter().take(from).any(|parts| {
        let mut fields = parts.iter().flat_map(|part| match part {
            KeyPart::Source(source) | KeyPart::Coded(source, _) | KeyPart::Day(source) => {
                std::slice::from_ref(source)
            }
            KeyPart::FirstOf(sources) => sources.as_slice(),
            KeyPart::Identifier | KeyPart::Label(_) => &[],
        });
        fields.any(|source| !entity(scope, *source, run).0.is_empty())
    });
    let segment = item.places.first()?.segment;
    let (_, places) = scope.bound.iter().find(|(name, _)| *name == segment)?;
    (!has_number).then(|| Origin {
        segment: places.first().copied().unwrap_or_default(),
        ..Origin::default()
    })
}

/// The values of the parts of one key.
#[derive(Default)]
struct Parts {
    texts: Vec<String>,
    authority: String,
    within: Option<usize>,
    /// The resource within which the key is unique does not exist.
    is_lost: bool,
}

// === impl Parts ===

impl Parts {
    fn read(
        parts: &[KeyPart],
        (run, around, own): (&Run<'_, '_>, &Around<'_>, &Made<'_>),
        scope: &Scope<'_, '_>,
    ) -> Self {
        let mut read = Self::default();
        for part in parts {
            let (text, authority) = match part {
                KeyPart::Label(label) => {
                    let mut found = around.labelled(own, label).into_iter();
                    read.within = found
                        .find(|place| run.drafts.get(*place).is_some_and(|draft| !draft.is_bare()));
                    read.is_lost |= read.within.is_none();
                    continue;
                }
                KeyPart::Identifier => continue,
                KeyPart::Source(source) => entity(scope, *source, run),
                KeyPart::FirstOf(sources) => {
                    let mut read = sources.iter().map(|source| entity(scope, *source, run));
                    let valued = read.find(|(text, _)| !text.is_empty());
                    valued.unwrap_or_default()
                }
                KeyPart::Coded(source, system) => coded(scope, *source, system, run),
                KeyPart::Day(source) => {
                    let (mut text, by) = entity(scope, *source, run);
                    // YYYYMMDD: HL7 v2.5.1, 2.A.22.
                    if text.is_char_boundary(8) {
                        text.truncate(8);
                    }
                    (text, by)
                }
            };
            read.texts.push(text);
            read.authority = authority;
        }
        read
    }
}

/// Returns the code of a system in a coded field, in whichever triplet it stands; otherwise the
/// first code.
fn coded(
    scope: &Scope<'_, '_>,
    source: Source,
    system: &str,
    run: &Run<'_, '_>,
) -> (String, String) {
    let cell = scope.cell(source.first_repeat());
    if let Some(cell) = cell.filter(|cell| !cell.is_null()) {
        let part = |n| cell.part(n, scope.reading).plain(scope.reading);
        for (code, name) in [(1, 3), (4, 6)] {
            if part(name).eq_ignore_ascii_case(system) && !part(code).is_empty() {
                return (part(code).into_owned(), String::new());
            }
        }
    }
    entity(scope, source, run)
}

/// Returns the identity of a field: an EI's or CX's value and authority, a code with its system, or
/// a text.
fn entity(scope: &Scope<'_, '_>, source: Source, run: &Run<'_, '_>) -> (String, String) {
    let cell = scope.cell(source.first_repeat());
    let Some(cell) = cell.filter(|cell| !cell.is_null()) else {
        return (String::new(), String::new());
    };
    let part = |n| cell.part(n, scope.reading).plain(scope.reading);
    let value = part(1);
    if value.is_empty() {
        return (cell.whole(scope.reading).into_owned(), String::new());
    }
    let value = value.into_owned();
    if !cell.has_parts(scope.reading) {
        return (value, String::new());
    }
    let name = part(2);
    if let Some(uri) = run.authorities.uri(&name) {
        return (value, uri.to_owned());
    }
    let id = part(3);
    let authority = if id.contains(['.', ':']) { id } else { name };
    (value, authority.into_owned())
}

/// Returns the business keys of a Patient's identifiers.
pub fn identifier_keys(patient: &Value) -> Vec<BusinessKey> {
    let identifiers = patient.each("identifier");
    identifiers.filter_map(identifier_key).collect()
}

fn identifier_key(identifier: &Value) -> Option<BusinessKey> {
    let value = identifier.text("value")?.to_owned();
    let assigner = || {
        identifier
            .get("assigner")
            .and_then(|assigner| assigner.text("display"))
    };
    let authority = identifier
        .text("system")
        .or_else(assigner)
        .unwrap_or_default()
        .to_owned();
    let codings = identifier.get("type").map(|concept| concept.each("coding"));
    let code = codings.and_then(|mut codings| codings.find_map(|coding| coding.text("code")));
    let kind = code.unwrap_or_default();
    Some(BusinessKey {
        names: fhir::identifier::names(kind, &authority, &value),
        authority,
        kind: kind.to_owned(),
        value,
        ..BusinessKey::default()
    })
}

/// Returns the raw status of a result or order.
pub(super) fn status_code(resource_type: &str, scope: &Scope<'_, '_>) -> Option<String> {
    let (segment, field) = match resource_type {
        "Observation" => (*b"OBX", 11),
        "DiagnosticReport" => (*b"OBR", 25),
        "ServiceRequest" => (*b"ORC", 5),
        _ => return None,
    };
    let source = Source::Field {
        segment,
        field,
        repeat: Repeat::At(1),
        component: 0,
        sub: 0,
    };
    let text = scope.cell(source)?.plain(scope.reading).into_owned();
    (!text.is_empty()).then_some(text)
}
