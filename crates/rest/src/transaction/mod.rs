//! A transaction bundle as one batch of the chart: all or nothing (http.html#transaction).
//!
//! Used by `POST /fhir` and by `causeway import`, which has its own permit.

mod plan;
mod rewrite;

pub(crate) use plan::{Body, EntryAction, Planned, Target, expression, plan, plan_all};

use super::interaction::update;
use super::precondition::Precondition;
use access::Permit;
use axum::http::StatusCode;
use base::Issue;
use fhir::json::Document;
use fhir::reference::Reference;
use search::Handling;
use std::collections::{HashMap, HashSet};
use store::chart::{Batch, Change, Chart, Condition, Expect, Limits, Read};
use web::Failure;
use web::parameters::parse;

/// The permits of a bundle, and the base URL.
pub(crate) struct Permits<'a> {
    /// The permit of each entry, in order; none for an entry that only reads.
    pub(crate) entries: Vec<Option<Permit>>,
    /// Returns the permit for searches on a type, for conditions and conditional references.
    pub(crate) search: &'a dyn Fn(&'static str) -> Result<Permit, Failure>,
    /// The server's base URL; absolute references on it are local.
    pub(crate) base: &'a str,
}

/// The prepared batch and the planned response to each entry.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    pub(crate) batch: Batch,
    /// The permit of each change in the batch.
    pub(crate) permits: Vec<Permit>,
    /// The planned response to each entry, in order.
    pub(crate) results: Vec<Intent>,
    /// The patients that the bodies concern.
    pub(crate) patients: Vec<String>,
}

/// The planned effect of one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Intent {
    /// The batch's change at this index.
    Change(usize),
    /// `ifNoneExist` matched this resource, so nothing is created.
    Exists {
        resource_type: &'static str,
        id: String,
        version: u32,
    },
    /// A read after the commit, unless the client has the current version.
    Get(String, Precondition),
    /// Nothing matched the condition of a delete.
    Nothing,
}

/// Turns the entries into one batch, without writing anything.
pub(crate) fn prepare(
    chart: &Chart,
    permits: &Permits<'_>,
    entries: &[Planned<'_>],
) -> Result<Prepared, Failure> {
    let mut work = Work {
        chart,
        search: permits.search,
        base: permits.base,
        unmatched: HashSet::new(),
        prepared: Prepared::default(),
        known: HashMap::new(),
        taken: HashSet::new(),
        own: HashSet::new(),
        gone: HashSet::new(),
    };
    let ids = work.name(entries)?;
    for ((entry, id), permit) in entries.iter().zip(ids).zip(&permits.entries) {
        let intent = match permit {
            Some(permit) => work.intent(permit, entry, id)?,
            None => get(entry)?,
        };
        work.prepared.results.push(intent);
    }
    work.prepared.patients.sort();
    work.prepared.patients.dedup();
    Ok(work.prepared)
}

struct Work<'a> {
    chart: &'a Chart,
    search: &'a dyn Fn(&'static str) -> Result<Permit, Failure>,
    base: &'a str,
    /// The conditions that nothing matched.
    unmatched: HashSet<(&'static str, String)>,
    prepared: Prepared,
    /// Full URL → `Type/id`.
    known: HashMap<String, String>,
    /// The resources that the batch writes, to detect duplicate writes.
    taken: HashSet<(&'static str, String)>,
    /// `Type/id` of the resources that the entries store, for references from other entries.
    own: HashSet<String>,
    /// `Type/id` of the resources that the entries delete.
    gone: HashSet<String>,
}

/// One body to be written.
struct Put<'a> {
    place: usize,
    full_url: Option<&'a str>,
    body: Body<'a>,
    id: String,
    expect: Expect,
}

/// The id that an entry's resource has or is assigned.
enum Named {
    New(String),
    Old { id: String, version: u32 },
    None,
}

// === impl Work ===

impl Work<'_> {
    /// Assigns every entry its id, before any reference is resolved.
    fn name(&mut self, entries: &[Planned<'_>]) -> Result<Vec<Named>, Failure> {
        let mut ids = Vec::with_capacity(entries.len());
        for entry in entries {
            let (resource_type, criteria) = match &entry.action {
                EntryAction::Create {
                    body,
                    if_none_exist,
                } => (body.resource_type, if_none_exist.as_deref()),
                EntryAction::Update { body, target, .. } => match target {
                    Target::Criteria(criteria) => (body.resource_type, Some(&**criteria)),
                    Target::Id(_) => (body.resource_type, None),
                },
                EntryAction::Delete {
                    resource_type,
                    target: Target::Id(id),
                    ..
                } => {
                    self.gone.insert(format!("{resource_type}/{id}"));
                    ids.push(Named::None);
                    continue;
                }
                EntryAction::Delete { .. } | EntryAction::Get { .. } => {
                    ids.push(Named::None);
                    continue;
                }
            };
            let found = match criteria {
                Some(criteria) => self.existing(entry.place, resource_type, criteria)?,
                None => None,
            };
            let named = match (found, &entry.action) {
                (Some((id, version)), _) => Named::Old { id, version },
                (
                    None,
                    EntryAction::Update {
                        target: Target::Id(id),
                        ..
                    },
                ) => Named::New(id.clone()),
                (None, EntryAction::Update { body, .. }) => {
                    let own = body.node.text("id");
                    Named::New(update::conditional_id(own.as_deref(), None)?)
                }
                (None, _) => Named::New(new_id()),
            };
            if let Named::New(id) | Named::Old { id, .. } = &named {
                let relative = format!("{resource_type}/{id}");
                self.own.insert(relative.clone());
                if let Some(url) = &entry.full_url
                    && self.known.insert(url.clone(), relative).is_some()
                {
                    return Err(at(
                        entry.place,
                        "invalid",
                        "two entries have the same fullUrl",
                    ));
                }
            }
            ids.push(named);
        }
        Ok(ids)
    }

    fn intent(
        &mut self,
        permit: &Permit,
        entry: &Planned<'_>,
        named: Named,
    ) -> Result<Intent, Failure> {
        let place = entry.place;
        let full_url = entry.full_url.as_deref();
        match (&entry.action, named) {
            (EntryAction::Create { body, .. }, Named::Old { id, version }) => Ok(Intent::Exists {
                resource_type: body.resource_type,
                id,
                version,
            }),
            (EntryAction::Create { body, .. }, Named::New(id)) => {
                let put = Put {
                    place,
                    full_url,
                    body: *body,
                    id,
                    expect: Expect::Absent,
                };
                self.put(permit, put, None)
            }
            (
                EntryAction::Update {
                    body,
                    target,
                    precondition,
                },
                named,
            ) => {
                let (id, otherwise) = match (named, target) {
                    (Named::Old { id, version }, _) => (id, Expect::Version(version)),
                    (Named::New(id), Target::Id(_)) => (id, Expect::Anything),
                    (Named::New(id), Target::Criteria(_)) => {
                        if body.node.get("id").is_some() {
                            let current = self.chart.read(permit, body.resource_type, &id)?;
                            update::refuse_taken(permit, &current, body.resource_type, &id)
                                .map_err(|failure| inside(place, failure))?;
                        }
                        let expect = precondition.expect(None);
                        let expect = expect.map_err(|failure| at_entry(place, failure))?;
                        let put = Put {
                            place,
                            full_url,
                            body: *body,
                            id,
                            expect: expect.unwrap_or(Expect::Absent),
                        };
                        return self.put(permit, put, None);
                    }
                    (Named::None, _) => return Err(at(place, "exception", "no id")),
                };
                update::conditional_id(body.node.text("id").as_deref(), Some(&id))
                    .map_err(|failure| inside(place, failure))?;
                let current = self.current(permit, place, body.resource_type, &id)?;
                let version = current.as_ref().map(|(_, version)| *version);
                let expect = precondition.expect(version);
                let expect = expect.map_err(|failure| at_entry(place, failure))?;
                let put = Put {
                    place,
                    full_url,
                    body: *body,
                    id,
                    expect: expect.unwrap_or(otherwise),
                };
                self.put(permit, put, current.as_ref().map(|(body, _)| &**body))
            }
            (
                EntryAction::Delete {
                    resource_type,
                    target,
                    precondition,
                },
                _,
            ) => {
                let (id, otherwise) = match target {
                    Target::Id(id) => (id.clone(), Expect::Anything),
                    Target::Criteria(criteria) => {
                        match self.existing(place, resource_type, criteria)? {
                            Some((id, version)) => (id, Expect::Version(version)),
                            None => return Ok(Intent::Nothing),
                        }
                    }
                };
                let current = self.current(permit, place, resource_type, &id)?;
                let expect = precondition.expect(current.map(|(_, version)| version));
                let expect = expect.map_err(|failure| at_entry(place, failure))?;
                self.take(place, resource_type, &id)?;
                let change = Change::delete(resource_type, id);
                let change = change.expecting(expect.unwrap_or(otherwise));
                Ok(self.change(permit, change))
            }
            (EntryAction::Get { .. }, _) => get(entry),
            (EntryAction::Create { .. }, Named::None) => {
                Err(at(place, "exception", "the entry has no id"))
            }
        }
    }

    fn put(
        &mut self,
        permit: &Permit,
        put: Put<'_>,
        current: Option<&[u8]>,
    ) -> Result<Intent, Failure> {
        let Put {
            place,
            full_url,
            body,
            id,
            expect,
        } = put;
        self.take(place, body.resource_type, &id)?;
        self.resolve_conditional(place, body)?;
        let bytes = rewrite::rewrite(body.node, full_url, &self.known);
        let document = super::body::resource(&bytes, Some(body.resource_type))
            .and_then(|document| super::person::restored(self.chart, permit, document, current))
            .map_err(|failure| inside(place, failure))?;
        self.check_references(permit, place, &document)?;
        self.prepared
            .patients
            .extend(super::body::patients(&document, &id));
        let prepared = super::body::prepared(self.base, &document)?;
        let change = Change::put(id, prepared).expecting(expect);
        Ok(self.change(permit, change))
    }

    fn change(&mut self, permit: &Permit, change: Change) -> Intent {
        self.prepared.batch.changes.push(change);
        self.prepared.permits.push(permit.clone());
        Intent::Change(self.prepared.batch.changes.len() - 1)
    }

    /// Resolves a reference such as `Patient?identifier=…` to the one resource that matches.
    fn resolve_conditional(&mut self, place: usize, body: Body<'_>) -> Result<(), Failure> {
        let document = body.node.document();
        for index in body.node.index()..body.node.subtree_end() {
            let Some(node) = document
                .node(index)
                .filter(|node| node.name() == Some("reference"))
            else {
                continue;
            };
            let Some(text) = node.as_str() else { continue };
            let Ok(Reference::Conditional {
                resource_type,
                query,
            }) = Reference::parse(&text)
            else {
                continue;
            };
            if self.known.contains_key(text.as_ref()) {
                continue;
            }
            let resource_type = super::known_type(resource_type)?;
            let Some((id, _)) = self.existing(place, resource_type, query)? else {
                return Err(Failure::at(
                    StatusCode::PRECONDITION_FAILED,
                    "not-found",
                    document.path_of(node),
                    "no resource matches the conditional reference",
                ));
            };
            self.known
                .insert(text.into_owned(), format!("{resource_type}/{id}"));
        }
        Ok(())
    }

    fn check_references(
        &self,
        permit: &Permit,
        place: usize,
        document: &Document,
    ) -> Result<(), Failure> {
        let mut issues = Vec::new();
        for node in super::body::references(document) {
            let Some(text) = node.as_str() else { continue };
            let problem = match super::body::local(self.base, &text) {
                Ok(Reference::Relative(target)) => {
                    let relative = target.relative();
                    let is_there = self.own.contains(&relative)
                        || !self.gone.contains(&relative)
                            && matches!(
                                self.chart.read(permit, target.resource_type, target.id)?,
                                Read::Found(_)
                            );
                    (!is_there).then_some(
                        "refers to a resource that exists neither on this server nor in \
                         the bundle",
                    )
                }
                Ok(Reference::Urn(_)) => {
                    Some("refers to a fullUrl that no entry of the bundle has")
                }
                Ok(_) | Err(_) => None,
            };
            if let Some(problem) = problem {
                let location = format!(
                    "{}.resource.ofType({})",
                    expression(place),
                    document.path_of(node)
                );
                issues.push(Issue::error("not-found", location, problem));
            }
        }
        if issues.is_empty() {
            return Ok(());
        }
        Err(Failure::of(StatusCode::UNPROCESSABLE_ENTITY, issues))
    }

    fn take(&mut self, place: usize, resource_type: &'static str, id: &str) -> Result<(), Failure> {
        if self.taken.insert((resource_type, id.to_owned())) {
            return Ok(());
        }
        Err(at(place, "invalid", "two entries write the same resource"))
    }

    /// Checks that an entry may change its resource, and returns the current body and version.
    fn current(
        &self,
        permit: &Permit,
        place: usize,
        resource_type: &str,
        id: &str,
    ) -> Result<Option<(Vec<u8>, u32)>, Failure> {
        let current = self.chart.read(permit, resource_type, id)?;
        update::refuse_hidden(permit, &current, resource_type, id)
            .and_then(|()| update::refuse_source_fed(&current))
            .map_err(|failure| inside(place, failure))?;
        Ok(match current {
            Read::Found(found) => Some((found.body, found.version)),
            Read::Gone { .. } | Read::Missing => None,
        })
    }

    /// Returns the id and version of the one match. Without a match, adds a condition to the batch
    /// that there is still none at the time of the write.
    fn existing(
        &mut self,
        place: usize,
        resource_type: &'static str,
        criteria: &str,
    ) -> Result<Option<(String, u32)>, Failure> {
        let criteria = criteria
            .split_once('?')
            .map_or(criteria, |(_, query)| query);
        let mut query = search::parse(resource_type, &parse(criteria), Handling::Strict)
            .map_err(|error| Failure::from(error).within(&expression(place)))?;
        if query.filters.is_empty() {
            return Err(at(place, "value", "the condition has no search parameter"));
        }
        query.count = Some(2);
        let permit = (self.search)(resource_type)?;
        let page = self.chart.search(&permit, &query, Limits::default())?;
        let mut matches = page.matches.into_iter();
        match (matches.next(), matches.next()) {
            (None, _) => {
                // Both would be created, and then two would match.
                if !self.unmatched.insert((resource_type, criteria.to_owned())) {
                    return Err(at(place, "invalid", "two entries have the same condition"));
                }
                self.prepared.batch.conditions.push(Condition {
                    query,
                    matches: None,
                    rows: permit.filter().clone(),
                });
                Ok(None)
            }
            (Some(found), None) => Ok(Some((found.id, found.version))),
            (Some(_), Some(_)) => Err(Failure::at(
                StatusCode::PRECONDITION_FAILED,
                "multiple-matches",
                expression(place),
                "several resources match the condition",
            )),
        }
    }
}

fn get(entry: &Planned<'_>) -> Result<Intent, Failure> {
    match &entry.action {
        EntryAction::Get { url, precondition } => {
            Ok(Intent::Get(url.clone(), precondition.clone()))
        }
        EntryAction::Create { .. } | EntryAction::Update { .. } | EntryAction::Delete { .. } => {
            Err(at(entry.place, "exception", "the entry has no permit"))
        }
    }
}

/// Generates a new logical id of 128 random bits.
pub(crate) fn new_id() -> String {
    security::random_text::<16>().replace('_', ".")
}

fn at(place: usize, code: &'static str, text: &str) -> Failure {
    Failure::at(StatusCode::BAD_REQUEST, code, expression(place), text)
}

fn at_entry(place: usize, failure: Failure) -> Failure {
    failure.within(&expression(place))
}

/// Prefixes each location of a resource's failure with that of its entry.
fn inside(place: usize, mut failure: Failure) -> Failure {
    for issue in &mut failure.issues {
        let dot = if issue.location.is_empty() { "" } else { "." };
        issue.location = format!("{}.resource{dot}{}", expression(place), issue.location);
    }
    failure
}
