//! Search results as a Bundle.

use super::interaction;
use super::person;
use base::{Issue, Severity};
use fhir::bundle::{BundleKind, EntryParts, Header, Writer};
use search::{Query, Summary};
use store::chart::{Count, Page, Resource};
use web::App;
use web::parameters::render;

/// The matches of a search, and the path of the search below the base.
pub(crate) struct Found<'a> {
    pub(crate) page: &'a Page,
    pub(crate) path: &'a str,
}

/// Renders the searchset. Its self link shows the parameters that were used; an OperationOutcome
/// lists the ones that were not.
pub(crate) fn searchset(app: &App, query: &Query, found: &Found<'_>) -> Vec<u8> {
    let base = app.fhir_base();
    let used = query
        .used()
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let link = |cursor: Option<&str>| {
        let kept = used
            .clone()
            .filter(|(name, _)| cursor.is_none() || *name != "_cursor");
        let mut pairs: Vec<(&str, &str)> = kept.collect();
        pairs.extend(cursor.map(|cursor| ("_cursor", cursor)));
        let query = render(pairs);
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{base}/{}{mark}{query}", found.path)
    };
    let own = link(None);
    let next = found.page.next.as_deref().map(|cursor| link(Some(cursor)));
    let mut links = vec![("self", own.as_str())];
    links.extend(next.as_deref().map(|next| ("next", next)));
    let mut bundle = Writer::new(&Header {
        kind: BundleKind::Searchset,
        id: None,
        timestamp: Some(app.clock.now()),
        total: found.page.total.map(|total| match total {
            Count::Exact(n) | Count::AtLeast(n) => n,
        }),
        links: &links,
    });
    if query.summary != Summary::Count {
        for resource in &found.page.matches {
            write(&mut bundle, &base, query, (found.page, resource, "match"));
        }
        for resource in &found.page.included {
            write(&mut bundle, &base, query, (found.page, resource, "include"));
        }
    }
    let notes = notes(query, found.page);
    if !notes.is_empty() {
        let outcome = web::outcome(notes);
        bundle.entry(&EntryParts {
            resource: Some(&outcome),
            search_mode: Some("outcome"),
            ..EntryParts::default()
        });
    }
    bundle.finish()
}

fn write(
    bundle: &mut Writer,
    base: &str,
    query: &Query,
    (page, resource, mode): (&Page, &Resource, &'static str),
) {
    let as_person = person::answered(&resource.body, &page.persons);
    let body = as_person.as_deref().unwrap_or(&resource.body);
    let narrowed = interaction::narrow(query, body);
    bundle.entry(&EntryParts {
        full_url: Some(&format!(
            "{base}/{}/{}",
            resource.resource_type, resource.id
        )),
        resource: Some(narrowed.as_deref().unwrap_or(body)),
        search_mode: Some(mode),
        ..EntryParts::default()
    });
}

fn notes(query: &Query, page: &Page) -> Vec<Issue> {
    let mut notes: Vec<Issue> = query
        .unknown
        .iter()
        .map(|unknown| Issue {
            severity: Severity::Warning,
            code: "not-supported",
            location: String::new(),
            text: format!(
                "`{}` is not a supported search parameter and was ignored",
                unknown.name
            )
            .into(),
        })
        .collect();
    if let Some(Count::AtLeast(n)) = page.total {
        notes.push(Issue {
            severity: Severity::Information,
            code: "too-costly",
            location: String::new(),
            text: format!("counting stopped at {n}; there may be more").into(),
        });
    }
    if page.includes_cut {
        notes.push(Issue {
            severity: Severity::Warning,
            code: "too-costly",
            location: String::new(),
            text: "not everything could be included; search for the rest".into(),
        });
    }
    notes
}
