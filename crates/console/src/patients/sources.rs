//! The sources page: what each source says about this person, and where they differ.

use super::super::fault::Fault;
use super::super::frame::{Frame, Place, page};
use super::super::visitor::Visitor;
use super::authorities::Authorities;
use super::band::Band;
use super::record::{Entry, LinkedText, Record};
use super::value;
use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use fhir::json::Node;
use std::collections::{BTreeMap, BTreeSet};
use web::App;

#[derive(Template)]
#[template(path = "patients/sources.html")]
struct SourcesPage {
    frame: Frame,
    band: Band,
    /// The label and flow of each source.
    columns: Vec<(String, String)>,
    rows: Vec<Row>,
    senders: Vec<String>,
    counts: Vec<(String, Vec<String>)>,
}

/// One element, as each source has it.
struct Row {
    name: &'static str,
    cells: Vec<Option<LinkedText>>,
    differs: bool,
}

/// A reader of one element of a Patient: returns the element that carries the lineage, and a text.
type Reader = fn(Node<'_>, &Authorities) -> Option<(&'static str, String)>;

const ROWS: [(&str, Reader); 8] = [
    ("Name", |patient, _| {
        Some(("name", value::name(patient))).filter(|(_, name)| name != "no name")
    }),
    ("Birth date", |patient, _| {
        Some(("birthDate", patient.text("birthDate")?.into_owned()))
    }),
    ("Sex", |patient, _| {
        Some(("gender", patient.text("gender")?.into_owned()))
    }),
    ("Numbers", |patient, authorities| {
        list(patient, "identifier", |identifier| {
            let number = identifier.text("value")?;
            let is_ssn = value::system_name(identifier) == "SSN";
            Some(if is_ssn {
                "SSN on record".to_owned()
            } else {
                format!("{number} ({})", authorities.name(identifier))
            })
        })
    }),
    ("Address", |patient, _| {
        list(patient, "address", |address| Some(address_text(address)))
    }),
    ("Telephone, e-mail", |patient, _| {
        list(patient, "telecom", |telecom| {
            telecom.text("value").map(Into::into)
        })
    }),
    ("Marital status", |patient, _| {
        Some((
            "maritalStatus",
            patient.get("maritalStatus").map(value::concept)?,
        ))
    }),
    ("Language", |patient, _| {
        list(patient, "communication", |one| {
            one.get("language").map(value::concept)
        })
    }),
];

/// Handles `GET /patients/{id}/sources`.
pub(crate) async fn sources(
    State(app): State<App>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Fault> {
    let record = Record::open(&app, &visitor, &id, ("sources", &[])).await?;
    let band = Band::of(&record, "sources");
    let (senders, counts) = counts(&record);
    let own = |id: &str| {
        record
            .of_type("Patient")
            .find(|entry| entry.resource.id == id)
    };
    let patients: Vec<Option<&Entry>> = record
        .members
        .iter()
        .map(|member| own(&member.id))
        .collect();
    let rows = ROWS
        .iter()
        .map(|(name, read)| row(&record, &patients, name, *read));
    let rows = rows
        .filter(|row| row.cells.iter().any(Option::is_some))
        .collect();
    let columns = record.members.iter().map(|member| {
        let flow = member
            .flow
            .as_ref()
            .map_or("by import or API".to_owned(), |flow| {
                format!("by flow {flow}")
            });
        (member.label.clone(), flow)
    });
    page(&SourcesPage {
        frame: Frame::new(&visitor, Place::Patients, format!("{}: sources", band.name)),
        columns: columns.collect(),
        rows,
        senders,
        counts,
        band,
    })
}

fn row(record: &Record, patients: &[Option<&Entry>], name: &'static str, read: Reader) -> Row {
    let cells: Vec<Option<LinkedText>> = patients
        .iter()
        .map(|entry| {
            let entry = (*entry)?;
            let (element, text) = read(entry.root(), &record.authorities)?;
            Some(record.said(entry, element, text))
        })
        .collect();
    let mut said: Vec<String> = cells
        .iter()
        .flatten()
        .map(|said| said.text.to_lowercase())
        .collect();
    said.sort();
    said.dedup();
    // Each source has numbers of its own; that is not a disagreement.
    Row {
        name,
        differs: 1 < said.len() && name != "Numbers",
        cells,
    }
}

fn list(
    patient: Node<'_>,
    name: &'static str,
    each: impl Fn(Node<'_>) -> Option<String>,
) -> Option<(&'static str, String)> {
    let texts: Vec<String> = patient
        .get(name)?
        .items()
        .filter_map(each)
        .filter(|text| !text.is_empty())
        .collect();
    (!texts.is_empty()).then(|| (name, texts.join("; ")))
}

fn address_text(address: Node<'_>) -> String {
    let lines = address
        .get("line")
        .into_iter()
        .flat_map(Node::items)
        .filter_map(Node::as_str);
    let mut parts: Vec<String> = lines.map(Into::into).collect();
    for name in ["city", "state", "postalCode"] {
        parts.extend(address.text(name).map(std::borrow::Cow::into_owned));
    }
    parts.join(", ")
}

/// Returns the number of resources per type and sender: the senders, and a row for each type.
fn counts(record: &Record) -> (Vec<String>, Vec<(String, Vec<String>)>) {
    let senders: BTreeSet<&str> = record
        .entries
        .iter()
        .map(|entry| record.source_of(entry))
        .collect();
    let senders: Vec<&str> = senders.into_iter().collect();
    let mut counts: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for entry in &record.entries {
        let sender = record.source_of(entry);
        let column = senders.iter().position(|known| *known == sender);
        let row = counts
            .entry(entry.resource.resource_type)
            .or_insert_with(|| vec![0; senders.len()]);
        if let Some(n) = column.and_then(|column| row.get_mut(column)) {
            *n += 1;
        }
    }
    let text = |n: u64| {
        if n == 0 {
            String::new()
        } else {
            super::super::markup::thousands(n)
        }
    };
    let rows = counts
        .into_iter()
        .map(|(name, row)| (name.to_owned(), row.into_iter().map(text).collect()))
        .collect();
    (senders.into_iter().map(str::to_owned).collect(), rows)
}
