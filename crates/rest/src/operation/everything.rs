//! The operation `Patient/[id]/$everything`: for a source's Patient that source's data, for a
//! person the data of all sources (patient-operation-everything.html).

use crate::interaction::history;
use crate::{Failure, answer, person};
use access::Interaction;
use axum::http::StatusCode;
use axum::response::Response;
use fhir::bundle::{BundleKind, EntryParts, Header, Writer};
use store::audit::Outcome;
use store::chart::{EverythingPage, Page, Read};
use web::App;
use web::caller::Caller;
use web::parameters::{render, value};
use web::permit;
use web::trail::{self, Touched};

const MAX_COUNT: u32 = 1000;
const DEFAULT_COUNT: u32 = 500;

pub(super) async fn everything(
    app: &App,
    caller: &Caller,
    id: &str,
    pairs: &[(String, String)],
) -> Result<Response, Failure> {
    let permit = permit(app, caller, Interaction::Everything, Some("Patient")).await?;
    let page = page(pairs)?;
    let is_there = matches!(app.chart.read(&permit, "Patient", id)?, Read::Found(_));
    // An id that a merge has retired stands for the current person.
    let person = app
        .chart
        .person_of(&permit, id)?
        .filter(|person| !person.members.iter().any(|record| record == id));
    let patients: Vec<String> = match person {
        Some(person) => [person.id].into_iter().chain(person.members).collect(),
        None => vec![id.to_owned()],
    };
    let outcome = if is_there {
        Outcome::Success
    } else {
        Outcome::Refused
    };
    let touched = Touched {
        resource_type: "Patient".to_owned(),
        target: format!("Patient/{id}/$everything"),
        patients: patients.clone(),
    };
    trail::record(
        app,
        caller,
        Interaction::Everything.code(),
        touched,
        outcome,
    )
    .await?;
    if !is_there {
        return Err(Failure::not_found("Patient", id));
    }
    let chart = app.chart.clone();
    let first: Vec<String> = patients.into_iter().take(1).collect();
    let (whole, own, asked) = (app.clone(), id.to_owned(), pairs.to_vec());
    let work = move || {
        let found = chart.everything(&permit, &first, &page)?;
        Ok::<_, Failure>(bundle(&whole, &own, &asked, &found))
    };
    let body = app
        .search(work)
        .await
        .map_err(|error| Failure::internal(&error))??;
    Ok(answer::json(StatusCode::OK, body))
}

fn bundle(app: &App, id: &str, pairs: &[(String, String)], found: &Page) -> Vec<u8> {
    let base = app.fhir_base();
    let link = |cursor: Option<&str>| {
        let kept = pairs
            .iter()
            .filter(|(name, _)| name != "_cursor" && name != "_format");
        let kept = kept.map(|(name, value)| (name.as_str(), value.as_str()));
        let query = render(kept.chain(cursor.map(|cursor| ("_cursor", cursor))));
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{base}/Patient/{id}/$everything{mark}{query}")
    };
    let own = link(value(pairs, "_cursor"));
    let next = found.next.as_deref().map(|cursor| link(Some(cursor)));
    let mut links = vec![("self", own.as_str())];
    links.extend(next.as_deref().map(|next| ("next", next)));
    let mut bundle = Writer::new(&Header {
        kind: BundleKind::Searchset,
        id: None,
        timestamp: Some(app.clock.now()),
        total: None,
        links: &links,
    });
    let matches = found.matches.iter().map(|resource| (resource, "match"));
    let included = found.included.iter().map(|resource| (resource, "include"));
    for (resource, mode) in matches.chain(included) {
        let as_person = person::answered(&resource.body, &found.persons);
        bundle.entry(&EntryParts {
            full_url: Some(&format!(
                "{base}/{}/{}",
                resource.resource_type, resource.id
            )),
            resource: Some(as_person.as_deref().unwrap_or(&resource.body)),
            search_mode: Some(mode),
            ..EntryParts::default()
        });
    }
    bundle.finish()
}

fn page(pairs: &[(String, String)]) -> Result<EverythingPage, Failure> {
    let mut page = EverythingPage {
        count: DEFAULT_COUNT,
        ..EverythingPage::default()
    };
    for (name, value) in pairs {
        match name.as_str() {
            "_since" => page.since = Some(history::since(value)?),
            "_type" => page.types.extend(value.split(',').map(str::to_owned)),
            "_count" => {
                let count = value
                    .parse::<u32>()
                    .map_err(|_| wrong(name, "accepts a whole number"))?;
                page.count = count.clamp(1, MAX_COUNT);
            }
            "_cursor" => page.cursor = Some(value.clone()),
            "_format" | "_pretty" => {}
            _ => {
                return Err(wrong(
                    name,
                    "is not supported on $everything; _since, _type and _count are",
                ));
            }
        }
    }
    for name in &page.types {
        crate::known_type(name)?;
    }
    Ok(page)
}

fn wrong(name: &str, why: &str) -> Failure {
    Failure::at(
        StatusCode::BAD_REQUEST,
        "value",
        name,
        format!("`{name}` {why}"),
    )
}
