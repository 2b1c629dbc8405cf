//! The patient band, which stays visible: who this is.

use super::authorities::Authorities;
use super::record::{LinkedText, Record};
use super::value;
use fhir::json::Node;

/// The name, birth date and age, sex, numbers by source, and allergies.
pub(super) struct Band {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) born: String,
    pub(super) age: String,
    pub(super) sex: String,
    pub(super) died: Option<String>,
    pub(super) numbers: Vec<(String, String)>,
    pub(super) allergies: Vec<LinkedText>,
    pub(super) sources: String,
    pub(super) tab: &'static str,
    pub(super) is_cut: bool,
}

/// The pages of a chart.
const TABS: [(&str, &str); 6] = [
    ("", "Summary"),
    ("timeline", "Timeline"),
    ("results", "Results"),
    ("documents", "Documents"),
    ("sources", "Sources"),
    ("access", "Access"),
];

// === impl Band ===

impl Band {
    /// Creates the band. The record must contain the AllergyIntolerance resources.
    pub(super) fn of(record: &Record, tab: &'static str) -> Self {
        let patient = record.golden.root();
        let born = patient.text("birthDate").unwrap_or_default().into_owned();
        let died = patient
            .text("deceasedDateTime")
            .map(|text| value::day(&text))
            .or_else(|| {
                let died = patient.get("deceasedBoolean").and_then(Node::as_bool);
                (died == Some(true)).then(|| "date not known".to_owned())
            });
        Self {
            id: record.person.id.clone(),
            name: value::name(patient),
            age: value::age(&born, &record.today).unwrap_or_default(),
            born: if born.is_empty() {
                "birth date not known".to_owned()
            } else {
                born
            },
            sex: patient
                .text("gender")
                .map_or("sex not known".to_owned(), Into::into),
            died,
            numbers: numbers(patient, &record.authorities),
            allergies: allergies(record),
            sources: match record.members.len() {
                1 => "1 source".to_owned(),
                n => format!("{n} sources"),
            },
            tab,
            is_cut: record.is_cut,
        }
    }

    /// Returns the address, the label and whether it is the current page.
    pub(super) fn tabs(&self) -> Vec<(String, &'static str, bool)> {
        TABS.iter()
            .map(|(part, word)| {
                let address = match *part {
                    "" => format!("/patients/{}", self.id),
                    part => format!("/patients/{}/{part}", self.id),
                };
                (address, *word, *part == self.tab)
            })
            .collect()
    }
}

fn numbers(patient: Node<'_>, authorities: &Authorities) -> Vec<(String, String)> {
    let identifiers = patient.get("identifier").into_iter().flat_map(Node::items);
    let mut numbers: Vec<(String, String)> = identifiers
        .filter_map(|identifier| {
            let number = identifier.text("value")?.into_owned();
            let kind = identifier.get("type").map(value::code).unwrap_or_default();
            let name = authorities.name(identifier);
            // A social security number must not be readable over a shoulder.
            let is_secret = kind == "SS" || name == "SSN";
            let number = if is_secret {
                hidden(&number)
            } else {
                value::short(&number)
            };
            Some((format!("{kind} {name}").trim().to_owned(), number))
        })
        .collect();
    numbers.dedup();
    numbers
}

fn hidden(number: &str) -> String {
    let end: String = number.chars().rev().take(4).collect();
    format!("···{}", end.chars().rev().collect::<String>())
}

fn allergies(record: &Record) -> Vec<LinkedText> {
    let mut found: Vec<LinkedText> = Vec::new();
    for entry in record
        .of_type("AllergyIntolerance")
        .filter(|entry| !entry.is_error())
    {
        let root = entry.root();
        let is_over = matches!(
            value::status(root, "clinicalStatus").as_str(),
            "inactive" | "resolved"
        );
        let text = root.get("code").map(value::concept).unwrap_or_default();
        // An allergy to an unknown substance is not the same as no allergy.
        let text = if text.is_empty() {
            "not coded".to_owned()
        } else {
            text
        };
        if !is_over && !found.iter().any(|said| said.text == text) {
            found.push(record.said(entry, "code", text));
        }
    }
    found
}
