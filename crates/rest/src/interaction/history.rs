//! The interactions `GET [type]/[id]/_history`, `GET [type]/_history` and `GET _history`.

use super::read::patients_in;
use crate::{Failure, answer, known_type, preference};
use access::Interaction;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use base::{DateTime, Timestamp, Zone};
use fhir::bundle::{BundleKind, EntryParts, Header, Writer};
use store::audit::Outcome as AuditOutcome;
use store::chart::{History, HistoryEntry, HistoryOf, HistoryPage, Outcome};
use web::App;
use web::caller::Caller;
use web::parameters::{parse, render, value};
use web::permit;
use web::trail::{self, Touched};

const MAX_COUNT: u32 = 1000;

/// Serves the history of one resource.
pub(crate) async fn of_resource(
    State(app): State<App>,
    caller: Caller,
    Path((resource_type, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let resource_type = known_type(&resource_type)?;
    let of = HistoryOf::Resource {
        resource_type,
        id: &id,
    };
    let request = Request {
        interaction: Interaction::HistoryInstance,
        of,
        query,
        headers,
    };
    answer_history(app, caller, request).await
}

/// Serves the history of one type.
pub(crate) async fn of_type(
    State(app): State<App>,
    caller: Caller,
    Path(resource_type): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let of = HistoryOf::Type(known_type(&resource_type)?);
    let request = Request {
        interaction: Interaction::HistoryType,
        of,
        query,
        headers,
    };
    answer_history(app, caller, request).await
}

/// Serves the history of the whole system.
pub(crate) async fn system(
    State(app): State<App>,
    caller: Caller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let of = HistoryOf::System;
    let request = Request {
        interaction: Interaction::HistorySystem,
        of,
        query,
        headers,
    };
    answer_history(app, caller, request).await
}

struct Request<'a> {
    interaction: Interaction,
    of: HistoryOf<'a>,
    query: Option<String>,
    headers: HeaderMap,
}

async fn answer_history(
    app: App,
    caller: Caller,
    request: Request<'_>,
) -> Result<Response, Failure> {
    let pairs = parse(request.query.as_deref().unwrap_or(""));
    preference::check_format(&request.headers, value(&pairs, "_format"))?;
    let page = page(&pairs)?;
    let (resource_type, id) = match request.of {
        HistoryOf::Resource { resource_type, id } => (resource_type, id),
        HistoryOf::Type(resource_type) => (resource_type, ""),
        HistoryOf::System => ("", ""),
    };
    let of_type = (!resource_type.is_empty()).then_some(resource_type);
    let permit = permit(&app, &caller, request.interaction, of_type).await?;
    let history = {
        let (chart, page) = (app.chart.clone(), page.clone());
        let (kind, id) = (resource_type.to_owned(), id.to_owned());
        let work = move || {
            let of = match (kind.as_str(), id.as_str()) {
                ("", _) => HistoryOf::System,
                (kind, "") => HistoryOf::Type(kind),
                (resource_type, id) => HistoryOf::Resource { resource_type, id },
            };
            chart.history(&permit, of, &page)
        };
        app.search(work)
            .await
            .map_err(|error| Failure::internal(&error))??
    };
    let is_missing = history.entries.is_empty()
        && !id.is_empty()
        && page.since.is_none()
        && page.cursor.is_none();
    let mut patients: Vec<String> = history
        .entries
        .iter()
        .flat_map(|entry| patients_in(&entry.resource))
        .collect();
    patients.sort();
    patients.dedup();
    let touched = Touched {
        resource_type: resource_type.to_owned(),
        target: id.to_owned(),
        patients,
    };
    let outcome = if is_missing {
        AuditOutcome::Refused
    } else {
        AuditOutcome::Success
    };
    trail::record(&app, &caller, request.interaction.code(), touched, outcome).await?;
    if is_missing {
        return Err(Failure::not_found(resource_type, id));
    }
    let path = [resource_type, id, "_history"]
        .iter()
        .filter(|part| !part.is_empty())
        .copied()
        .collect::<Vec<_>>()
        .join("/");
    Ok(answer::json(
        StatusCode::OK,
        bundle(&app, &path, &pairs, &history),
    ))
}

fn bundle(app: &App, path: &str, pairs: &[(String, String)], history: &History) -> Vec<u8> {
    let base = app.fhir_base();
    let link = |cursor: Option<&str>| {
        let known = pairs
            .iter()
            .filter(|(name, _)| matches!(name.as_str(), "_since" | "_count"));
        let kept = known.map(|(name, value)| (name.as_str(), value.as_str()));
        let query = render(kept.chain(cursor.map(|cursor| ("_cursor", cursor))));
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{base}/{path}{mark}{query}")
    };
    let own = link(value(pairs, "_cursor"));
    let next = history.next.as_deref().map(|cursor| link(Some(cursor)));
    let mut links = vec![("self", own.as_str())];
    links.extend(next.as_deref().map(|next| ("next", next)));
    let mut bundle = Writer::new(&Header {
        kind: BundleKind::History,
        id: None,
        timestamp: Some(app.clock.now()),
        total: None,
        links: &links,
    });
    for entry in &history.entries {
        write_entry(&mut bundle, &base, entry);
    }
    bundle.finish()
}

fn write_entry(bundle: &mut Writer, base: &str, entry: &HistoryEntry) {
    let resource = &entry.resource;
    let relative = format!("{}/{}", resource.resource_type, resource.id);
    let (method, url, status) = match entry.outcome {
        Outcome::Created => ("POST", resource.resource_type, "201 Created"),
        Outcome::Deleted => ("DELETE", relative.as_str(), "204 No Content"),
        Outcome::Updated | Outcome::Unchanged => ("PUT", relative.as_str(), "200 OK"),
    };
    bundle.entry(&EntryParts {
        full_url: Some(&format!("{base}/{relative}")),
        resource: (!resource.body.is_empty()).then_some(resource.body.as_slice()),
        request: Some((method, url)),
        status: Some(status),
        etag: Some(&answer::etag(resource.version)),
        last_modified: Some(resource.updated),
        ..EntryParts::default()
    });
}

fn page(pairs: &[(String, String)]) -> Result<HistoryPage, Failure> {
    let mut page = HistoryPage::default();
    for (name, value) in pairs {
        match name.as_str() {
            "_since" => page.since = Some(since(value)?),
            "_count" => {
                let count: u32 = value.parse().map_err(|_| bad("_count", "a whole number"))?;
                page.count = count.clamp(1, MAX_COUNT);
            }
            "_cursor" => page.cursor = Some(value.clone()),
            "_format" | "_pretty" => {}
            other => {
                return Err(Failure::at(
                    StatusCode::BAD_REQUEST,
                    "not-supported",
                    other,
                    format!(
                        "`{other}` is not supported on history; _since, _count and _format are \
                         supported"
                    ),
                ));
            }
        }
    }
    Ok(page)
}

/// Returns the earliest instant that a `_since` value may mean.
pub(crate) fn since(text: &str) -> Result<Timestamp, Failure> {
    let at = DateTime::parse_fhir(text)
        .map_err(|_| bad("_since", "a date or an instant, `+` written as %2B"))?;
    Ok(at.bounds(&Zone::utc()).0)
}

fn bad(name: &'static str, accepted: &str) -> Failure {
    Failure::at(
        StatusCode::BAD_REQUEST,
        "value",
        name,
        format!("the value of `{name}` cannot be read; accepted: {accepted}"),
    )
}
