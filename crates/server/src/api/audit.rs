//! The `/api/audit` route: entries of the audit log, one page at a time. Reading the log is itself
//! audited.

use super::blocking;
use access::Interaction;
use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use base::{DateTime, Timestamp, Zone};
use serde_json::{Value, json};
use store::audit::{Filter, Outcome, Page, Position, Recorded};
use web::App;
use web::caller::Caller;
use web::permit;
use web::trail::{self, Touched};
use web::{Failure, parameters};

const MAX_COUNT: usize = 1000;

/// Lists entries, newest first. The audit entry of the read includes the filter.
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Failure> {
    permit(&app, &caller, Interaction::Audit, None).await?;
    let query = query.unwrap_or_default();
    let (filter, page) = parse_query(&parameters::parse(&query))?;
    let touched = Touched {
        resource_type: "audit log".to_owned(),
        target: format!("export {query}"),
        patients: filter.patient.iter().cloned().collect(),
    };
    let code = Interaction::Audit.code();
    trail::record(&app, &caller, code, touched, Outcome::Success).await?;
    let audit = app.audit.clone();
    let listing = blocking(move || {
        audit
            .entries(&filter, page)
            .map_err(|error| Failure::internal(&error))
    })
    .await?;
    let entries: Vec<Value> = listing.rows.iter().map(entry).collect();
    Ok(Json(json!({
        "entries": entries,
        "next": listing.next.map(Position::get),
        "lag": listing.lag,
    })))
}

fn parse_query(pairs: &[(String, String)]) -> Result<(Filter, Page), Failure> {
    let mut filter = Filter::default();
    let mut page = Page {
        before: None,
        limit: MAX_COUNT,
    };
    for (name, value) in pairs {
        let bad = |accepted: &str| {
            Failure::at(
                StatusCode::BAD_REQUEST,
                "value",
                name.as_str(),
                format!("`{value}` is not a valid value for `{name}`; accepted: {accepted}"),
            )
        };
        let time = || -> Result<Option<Timestamp>, Failure> {
            let time = DateTime::parse_fhir(value);
            let time = time.map_err(|_| bad("a date or time such as 2024-05-17T12:00:00Z"))?;
            Ok(Some(time.timestamp(&Zone::utc())))
        };
        match name.as_str() {
            "actor" => filter.actor = Some(value.clone()),
            "patient" => filter.patient = Some(value.clone()),
            "from" => filter.from = time()?,
            "until" => filter.until = time()?,
            "count" => {
                let count: usize = value.parse().map_err(|_| bad("a whole number"))?;
                page.limit = count.clamp(1, MAX_COUNT);
            }
            "before" => {
                let before = value.parse().map_err(|_| bad("an entry's number"))?;
                page.before = Some(Position::new(before));
            }
            _ => return Err(bad("actor, patient, from, until, count, before")),
        }
    }
    Ok((filter, page))
}

fn entry(row: &Recorded) -> Value {
    let entry = &row.entry;
    json!({
        "position": row.position.get(),
        "at": row.at.to_fhir(),
        "actor": entry.actor,
        "action": entry.action,
        "resourceType": entry.resource_type,
        "target": entry.target,
        "patients": entry.patients,
        "purpose": entry.purpose,
        "outcome": match entry.outcome {
            Outcome::Success => "success",
            Outcome::Refused => "refused",
            Outcome::Failed => "failed",
            Outcome::Error => "error",
        },
        "source": entry.source,
        "requestId": entry.request_id,
        "emergency": entry.emergency,
    })
}
