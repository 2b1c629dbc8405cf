//! Versioned includes: `_include` follows a reference to the version that it names
//! (search.html#include, 3.1.1.6.5).
//!
//! The index finds a resource by any of its versions, so an include returns the current one. If a
//! reference on the page is `Type/id/_history/n`, that version replaces it; the current one stays
//! beside it if another reference asks for it. If a version is unavailable (it never existed, or
//! the caller may not see it), the current one stays.

use super::body::local;
use access::Permit;
use fhir::json::{Document, Node};
use fhir::reference::Reference;
use search::Query;
use std::collections::{BTreeMap, BTreeSet};
use store::chart::{Chart, Limits, Page, Read, ReadError, Resource};

/// The marker of a versioned reference.
const VERSION: &[u8] = b"/_history/";

/// The versions of one resource that the references on a page ask for.
#[derive(Debug, Default)]
struct Requested {
    versions: BTreeSet<u32>,
    current: bool,
}

/// Requested versions by type and id.
type Targets = BTreeMap<(&'static str, String), Requested>;

/// A lookup of versions: the chart, the permit and the server's base URL.
pub(crate) struct Versions<'a> {
    pub(crate) chart: &'a Chart,
    pub(crate) permit: &'a Permit,
    pub(crate) base: &'a str,
}

// === impl Versions ===

impl Versions<'_> {
    /// Replaces included resources with the versions that the references name.
    pub(crate) fn pin(&self, query: &Query, page: &mut Page) -> Result<(), ReadError> {
        let names_version = |resource: &Resource| {
            let body = &resource.body;
            body.windows(VERSION.len()).any(|text| text == VERSION)
        };
        let mut sources = page.matches.iter().chain(&page.included);
        if query.includes.is_empty() || !sources.any(names_version) {
            return Ok(());
        }
        let mut requested = Targets::new();
        for resource in &page.matches {
            self.gather(query, resource, false, &mut requested);
        }
        for resource in &page.included {
            self.gather(query, resource, true, &mut requested);
        }
        for resource in &page.matches {
            // The resource is on the page; another version of it is included too.
            let requested = requested.get_mut(&(resource.resource_type, resource.id.clone()));
            if let Some(requested) = requested {
                requested.current = false;
                requested.versions.remove(&resource.version);
            }
        }
        let mut pinned = Vec::new();
        for resource in std::mem::take(&mut page.included) {
            let name = (resource.resource_type, resource.id.clone());
            let Some(requested) = requested.remove(&name) else {
                pinned.push(resource);
                continue;
            };
            let mut found = self.found(&name, &requested, resource.version)?;
            let is_requested = requested.current || requested.versions.contains(&resource.version);
            if is_requested || found.is_empty() {
                pinned.push(resource);
            }
            pinned.append(&mut found);
        }
        // Versions of matches and of resources since deleted.
        for (name, requested) in requested {
            pinned.append(&mut self.found(&name, &requested, 0)?);
        }
        let most = Limits::default().max_included;
        page.includes_cut |= most < pinned.len();
        pinned.truncate(most);
        page.included = pinned;
        Ok(())
    }

    /// Collects what the references of one resource ask for, along the parameters that the query
    /// follows.
    fn gather(&self, query: &Query, resource: &Resource, included: bool, requested: &mut Targets) {
        let includes = query.includes.iter().filter(|include| {
            include.source_type == resource.resource_type && (include.iterate || !included)
        });
        let includes: Vec<_> = includes.collect();
        if includes.is_empty() {
            return;
        }
        // The body was valid JSON when it was stored; the store reports damage.
        let Ok(document) = Document::parse(&resource.body) else {
            return;
        };
        let places = search::places(&document);
        for include in includes {
            let elements = places.iter().filter(|(key, _)| *key == include.param.key);
            for node in elements.filter_map(|(_, index)| document.node(*index)) {
                self.note(node, include.target_type, requested);
            }
        }
    }

    fn note(&self, element: Node<'_>, wanted: Option<&str>, requested: &mut Targets) {
        let Some(text) = element.text("reference") else {
            return;
        };
        let Ok(Reference::Relative(target)) = local(self.base, &text) else {
            return;
        };
        if wanted.is_some_and(|wanted| wanted != target.resource_type) {
            return;
        }
        let Ok(resource_type) = super::known_type(target.resource_type) else {
            return;
        };
        let requested = requested.entry((resource_type, target.id.to_owned()));
        let requested = requested.or_default();
        match target.version.map(str::parse) {
            Some(Ok(version)) => drop(requested.versions.insert(version)),
            Some(Err(_)) | None => requested.current = true,
        }
    }

    /// Returns the requested versions that are available, except the one already on the page.
    fn found(
        &self,
        (resource_type, id): &(&'static str, String),
        requested: &Requested,
        here: u32,
    ) -> Result<Vec<Resource>, ReadError> {
        let mut found = Vec::new();
        for version in requested
            .versions
            .iter()
            .filter(|version| **version != here)
        {
            let read = self.chart.vread(self.permit, resource_type, id, *version)?;
            if let Read::Found(resource) = read {
                found.push(*resource);
            }
        }
        Ok(found)
    }
}
