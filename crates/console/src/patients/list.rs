//! The list of persons, and the search by name, birth date or record number.

use super::super::fault::Fault;
use super::super::frame::{Frame, Place, page};
use super::super::handles::Handles;
use super::super::markup::{Moment, count};
use super::super::query::Query;
use super::super::visitor::{Form, Visitor};
use super::authorities::Authorities;
use super::record::Entry;
use super::value;
use access::{Interaction, Permit};
use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use base::Timestamp;
use fhir::json::Node;
use search::Handling;
use std::sync::Arc;
use store::chart::{Count, Limits};
use web::App;
use web::trail::Touched;

/// One row of the list.
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) born: String,
    pub(crate) age: String,
    pub(crate) sex: String,
    pub(crate) numbers: Vec<(String, String)>,
    pub(crate) n_sources: usize,
    pub(crate) updated: Timestamp,
    pub(crate) members: Vec<String>,
}

/// One page of persons.
pub(crate) struct Persons {
    pub(crate) rows: Vec<Person>,
    pub(crate) next: Option<String>,
    pub(crate) total: Option<Count>,
}

#[derive(Template)]
#[template(path = "patients/list.html")]
struct ListPage {
    frame: Frame,
    sought: Option<String>,
    how_many: String,
    rows: Vec<Person>,
    next: Option<String>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {
    /// The handle of the search text.
    #[serde(default)]
    find: String,
    #[serde(default)]
    cursor: String,
}

const PAGE: u32 = 50;

/// Handles `GET /patients`.
pub(crate) async fn list(
    State(app): State<App>,
    Extension(handles): Extension<Arc<Handles>>,
    visitor: Visitor,
    Query(asked): Query<Parameters>,
) -> Result<Response, Fault> {
    let permit = visitor
        .permit(&app, Interaction::SearchType, Some("Patient"))
        .await?;
    let sought = match asked.find.as_str() {
        "" => None,
        handle => Some(handles.find(visitor.user(), handle).ok_or_else(|| {
            Fault::new(
                axum::http::StatusCode::GONE,
                "This search has ended",
                "Search text is kept in memory only, so that no address names a patient.",
                "Search again.",
            )
        })?),
    };
    let (work, text, cursor) = (app.clone(), sought.clone(), asked.cursor);
    let taken = tokio::task::spawn_blocking(move || {
        persons(&work, &permit, text.as_deref(), (PAGE, &cursor))
    });
    let found = taken.await.map_err(|error| Fault::internal(&error))??;
    let touched = Touched {
        resource_type: "Patient".to_owned(),
        target: if sought.is_some() {
            "patients?find"
        } else {
            "patients"
        }
        .to_owned(),
        patients: found
            .rows
            .iter()
            .flat_map(|row| row.members.iter().cloned().chain([row.id.clone()]))
            .collect(),
    };
    visitor.record(&app, "search-type", touched).await?;
    let how_many = match found.total {
        Some(Count::Exact(n)) => count(n, "person", "persons"),
        Some(Count::AtLeast(n)) => format!("{} or more", count(n, "person", "persons")),
        None => count(found.rows.len() as u64, "person", "persons"),
    };
    page(&ListPage {
        frame: Frame::new(&visitor, Place::Patients, "Patients"),
        how_many: format!("{how_many}, by family name"),
        rows: found.rows,
        next: found.next.map(|cursor| {
            let find = if asked.find.is_empty() {
                String::new()
            } else {
                format!("find={}&", asked.find)
            };
            format!(
                "/patients?{find}cursor={}",
                super::super::markup::encode(&cursor)
            )
        }),
        sought,
    })
}

/// Handles `POST /patients`: the search, posted so that no address contains a name.
pub(crate) async fn find(Extension(handles): Extension<Arc<Handles>>, form: Form) -> Response {
    let address = match form.get("find").trim() {
        "" => "/patients".to_owned(),
        text => format!("/patients?find={}", handles.keep(form.visitor.user(), text)),
    };
    Redirect::to(&address).into_response()
}

/// Returns persons that match a name, a birth date or a record number. Blocks, so async code must
/// not call it on its own thread.
pub(crate) fn persons(
    app: &App,
    permit: &Permit,
    text: Option<&str>,
    (limit, cursor): (u32, &str),
) -> Result<Persons, Fault> {
    let mut pairs = vec![
        ("_person".to_owned(), "true".to_owned()),
        // A person merged into another is no longer a person.
        ("active".to_owned(), "true".to_owned()),
        ("_count".to_owned(), limit.to_string()),
        ("_sort".to_owned(), "family,_id".to_owned()),
        ("_total".to_owned(), "accurate".to_owned()),
    ];
    if let Some(text) = text {
        pairs.extend(wanted(text));
    }
    if !cursor.is_empty() {
        pairs.push(("_cursor".to_owned(), cursor.to_owned()));
    }
    let query = search::parse("Patient", &pairs, Handling::Strict).map_err(|error| {
        Fault::new(
            axum::http::StatusCode::UNPROCESSABLE_ENTITY,
            "This cannot be searched",
            format!("{error}."),
            "Search by family or given name, birth date (1980-01-02) or record number.",
        )
    })?;
    let found = app.chart.search(permit, &query, Limits::default())?;
    let today = app.clock.now().to_fhir();
    let authorities = Authorities::of(app);
    let rows = found
        .matches
        .into_iter()
        .map(|resource| Ok(person(&Entry::of(resource)?, &today, &authorities)));
    Ok(Persons {
        rows: rows.collect::<Result<_, Fault>>()?,
        next: found.next,
        total: found.total,
    })
}

/// Parses a search: words are names, a date is a birth date, and a word with a digit is a number.
fn wanted(text: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for word in text.split([' ', ',']).filter(|word| !word.is_empty()) {
        let escaped = word
            .replace('\\', "\\\\")
            .replace('|', "\\|")
            .replace('$', "\\$");
        let name = if is_date(word) {
            "birthdate"
        } else if word.contains(|c: char| c.is_ascii_digit()) {
            "identifier"
        } else {
            "name"
        };
        pairs.push((name.to_owned(), escaped));
    }
    pairs
}

fn is_date(word: &str) -> bool {
    word.len() == 10 && word.contains('-') && base::DateTime::parse_fhir(word).is_ok()
}

fn person(entry: &Entry, today: &str, authorities: &Authorities) -> Person {
    let root = entry.root();
    let born = root.text("birthDate").unwrap_or_default().into_owned();
    let identifiers = root.get("identifier").into_iter().flat_map(Node::items);
    let numbers = identifiers
        .filter(|identifier| identifier.get("type").map(value::code).as_deref() != Some("SS"))
        .filter(|identifier| value::system_name(*identifier) != "SSN")
        .filter_map(|identifier| {
            let kind = identifier.get("type").map(value::code).unwrap_or_default();
            let name = format!("{kind} {}", authorities.name(identifier));
            Some((
                name.trim().to_owned(),
                value::short(&identifier.text("value")?),
            ))
        })
        .take(3)
        .collect();
    let links = root.get("link").into_iter().flat_map(Node::items);
    let members: Vec<String> = links
        .filter_map(|link| {
            let reference = link.get("other")?.text("reference")?;
            Some(reference.strip_prefix("Patient/")?.to_owned())
        })
        .collect();
    Person {
        name: value::name(root),
        age: value::age(&born, today).unwrap_or_default(),
        sex: root.text("gender").unwrap_or_default().into_owned(),
        numbers,
        n_sources: members.len(),
        updated: entry.resource.updated,
        id: entry.resource.id.clone(),
        born,
        members,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_word_is_a_name_a_date_or_a_number() {
        let pairs = |text: &str| {
            wanted(text)
                .into_iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            pairs("zztest, anna 1980-01-02"),
            ["name=zztest", "name=anna", "birthdate=1980-01-02"]
        );
        assert_eq!(pairs("L-4711|x"), ["identifier=L-4711\\|x"]);
        assert!(pairs(" , ").is_empty());
    }
}
