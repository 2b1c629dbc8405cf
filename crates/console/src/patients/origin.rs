//! The origin of a value: the field of a message, its raw value, and the map row.

use super::super::fault::Fault;
use super::super::frame::{Frame, Place, page};
use super::super::markup::Moment;
use super::super::messages::{Difference, differences, link_to_field, origin_of, readable};
use super::super::query::Query;
use super::super::visitor::Visitor;
use access::{Interaction, Permit};
use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use base::Timestamp;
use std::collections::BTreeSet;
use store::chart::{Read, Traced};
use web::App;
use web::trail::Touched;

/// The origin page of a value.
struct Origin {
    /// The chart that it was opened from.
    chart: String,
    element: String,
    resource: String,
    version: u32,
    updated: Timestamp,
    /// The value and the elements below it, as they are in the resource now.
    values: Vec<Difference>,
    /// The messages that gave the value, newest first.
    mentions: Vec<Mention>,
    /// The other values that the message set in this resource.
    others: Vec<(String, String, String)>,
}

/// One message that gave the value.
struct Mention {
    field: String,
    raw: String,
    row: String,
    link: String,
    sender: String,
    kind: String,
    flow: String,
    control: String,
    received: Option<Timestamp>,
    version: u32,
    updated: Timestamp,
}

#[derive(Template)]
#[template(path = "patients/origin.html")]
struct OriginPage {
    frame: Frame,
    origin: Origin,
}

#[derive(Template)]
#[template(path = "patients/origin_part.html")]
struct OriginPart {
    origin: Origin,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {
    #[serde(default)]
    element: String,
}

const MAX_MENTIONS: usize = 8;

/// Handles `GET /patients/{person}/from/{type}/{id}?element=…`.
pub(crate) async fn origin(
    State(app): State<App>,
    visitor: Visitor,
    Path((person, resource_type, id)): Path<(String, String, String)>,
    Query(asked): Query<Parameters>,
) -> Result<Response, Fault> {
    let permit = visitor
        .permit(&app, Interaction::Lineage, Some(&resource_type))
        .await?;
    let target = format!("{resource_type}/{id}");
    let (work, kind, element) = (app.clone(), resource_type.clone(), asked.element);
    let owner = person.clone();
    let taken =
        tokio::task::spawn_blocking(move || take(&work, &permit, (&owner, &kind, &id), &element));
    let touched = |patients| Touched {
        resource_type,
        target,
        patients,
    };
    let found = taken.await.map_err(|error| Fault::internal(&error))?;
    let (origin, patients) = match found {
        Ok(found) => found,
        Err(fault) => {
            visitor
                .record_failure(&app, "lineage", touched(vec![person]), &fault)
                .await?;
            return Err(fault);
        }
    };
    visitor.record(&app, "lineage", touched(patients)).await?;
    if visitor.wants_part {
        return page(&OriginPart { origin });
    }
    let frame = Frame::new(&visitor, Place::Patients, "Where from?");
    page(&OriginPage { frame, origin })
}

fn take(
    app: &App,
    permit: &Permit,
    (person, resource_type, id): (&str, &str, &str),
    element: &str,
) -> Result<(Origin, Vec<String>), Fault> {
    let Read::Found(resource) = app.chart.read(permit, resource_type, id)? else {
        return Err(Fault::not_found("value"));
    };
    let mut patients = vec![person.to_owned()];
    if let Some(found) = app.chart.person_of(permit, person)? {
        patients.extend(found.members);
    }
    let lineage = app.chart.lineage(permit, resource_type, id, None)?;
    let path = format!("{resource_type}.{element}");
    let mut mentions = Vec::new();
    let mut versions: Vec<u32> = lineage.iter().map(|traced| traced.version).collect();
    versions.sort_unstable_by_key(|version| std::cmp::Reverse(*version));
    versions.dedup();
    for version in versions {
        let own: Vec<&Traced> = lineage
            .iter()
            .filter(|traced| traced.version == version)
            .collect();
        let is_of_element = |traced: &&Traced| {
            let known = &traced.origin.element;
            known.starts_with(&path) || path.starts_with(known.as_str())
        };
        let mut matching: Vec<&Traced> = own.iter().copied().filter(is_of_element).collect();
        if matching.is_empty() {
            matching.extend(origin_of(&own, &path));
        }
        // One line per field; its components are in the message.
        let mut fields = BTreeSet::new();
        matching.retain(|traced| {
            let source = traced.origin.source.as_str();
            fields.insert(source.split('.').next().unwrap_or(source))
        });
        for traced in matching.into_iter().take(4) {
            mentions.push(mention(app, traced)?);
        }
        if MAX_MENTIONS <= mentions.len() {
            break;
        }
    }
    let newest = lineage.first().map(|traced| traced.version);
    let others = lineage
        .iter()
        .filter(|traced| {
            Some(traced.version) == newest && !traced.origin.element.starts_with(&path)
        })
        .map(|traced| {
            let link = app
                .chart
                .message_of(&traced.message)
                .map(|sequence| link_to_field(sequence.get(), &traced.origin.source));
            (
                traced.origin.element.clone(),
                traced.origin.source.clone(),
                link.unwrap_or_default(),
            )
        })
        .filter(|(_, source, _)| !source.is_empty())
        .take(30)
        .collect();
    let values = differences(None, Some(&resource.body))
        .into_iter()
        .filter(|row| row.element.starts_with(element))
        .take(12)
        .collect();
    let origin = Origin {
        chart: format!("/patients/{person}"),
        element: path,
        resource: format!("{resource_type}/{id}"),
        version: resource.version,
        updated: resource.updated,
        values,
        mentions,
        others,
    };
    Ok((origin, patients))
}

fn mention(app: &App, traced: &Traced) -> Result<Mention, Fault> {
    let origin = &traced.origin;
    let mut mention = Mention {
        field: origin.source.clone(),
        raw: origin.value.clone(),
        row: origin.row.clone(),
        link: String::new(),
        sender: String::new(),
        kind: String::new(),
        flow: String::new(),
        control: String::new(),
        received: None,
        version: traced.version,
        updated: traced.updated,
    };
    if let Some(sequence) = app.chart.message_of(&traced.message) {
        mention.link = link_to_field(sequence.get(), &origin.source);
        // The message may be pruned; its lineage is kept.
        if let Some(stored) = readable(app, sequence)? {
            let header = stored.summary.header;
            let first = |text: &str| text.split('^').next().unwrap_or_default().to_owned();
            mention.sender = format!(
                "{} at {}",
                first(&header.sending_application),
                first(&header.sending_facility)
            );
            mention.kind = header.message_type;
            mention.control = header.control_id;
            mention.flow = stored.summary.flow;
            mention.received = Some(stored.summary.received);
        }
    }
    Ok(mention)
}
