//! The `/api/messages` routes: list, show, replay, release, hold, skip and settle.

use super::{blocking, control_failure};
use access::Interaction;
use axum::Json;
use axum::extract::{Path, Query, RawQuery, State};
use axum::http::StatusCode;
use flow::attention::finding::{self as findings, Finding};
use hl7v2::Message;
use serde_json::{Value, json};
use store::audit::Outcome;
use store::journal::{Filter, Page, Replay, Sequence, State as MessageState, Stored, Summary};
use web::App;
use web::caller::Caller;
use web::permit;
use web::trail::{self, Touched};
use web::{Failure, parameters};

const MAX_COUNT: usize = 1000;

/// Lists messages, newest first.
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Failure> {
    permit(&app, &caller, Interaction::Messages, None).await?;
    let (filter, page) = parse_query(&parameters::parse(query.as_deref().unwrap_or("")))?;
    let work = app.clone();
    let listing = blocking(move || {
        check_flow(&work, &filter)?;
        work.journal
            .list(&filter, page)
            .map_err(|error| Failure::internal(&error))
    })
    .await?;
    record(&app, &caller, Interaction::Messages, "list").await?;
    let rows: Vec<Value> = listing.rows.iter().map(summary).collect();
    Ok(Json(
        json!({ "messages": rows, "next": listing.next.map(Sequence::get) }),
    ))
}

/// Shows one message with its raw text.
pub(super) async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(sequence): Path<u64>,
) -> Result<Json<Value>, Failure> {
    permit(&app, &caller, Interaction::Messages, None).await?;
    let journal = app.journal.clone();
    let work = app.clone();
    let read = blocking(move || {
        let stored = journal.read(Sequence::new(sequence)).map_err(|error| {
            if error.is_damage() {
                Failure::damaged(&error)
            } else {
                Failure::internal(&error)
            }
        })?;
        Ok(stored.map(|stored| {
            let message = Message::parse(stored.body.clone());
            let report = findings::report(&work.engine, &work.maps, &stored, &message);
            (findings::of(&stored, &report), stored)
        }))
    })
    .await?;
    record(&app, &caller, Interaction::Messages, &sequence.to_string()).await?;
    let (findings, stored) = read.ok_or_else(|| {
        Failure::new(
            StatusCode::NOT_FOUND,
            "not-found",
            format!(
                "the journal has no message {sequence}; it never existed, or its day was pruned"
            ),
        )
    })?;
    let journal = app.journal.clone();
    let replays = blocking(move || {
        journal
            .ledger()
            .replays_of(Sequence::new(sequence))
            .map_err(|error| Failure::internal(&error))
    })
    .await?;
    Ok(Json(whole(&stored, (&findings, &replays))))
}

/// The reason given for an action.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reason {
    #[serde(default)]
    reason: String,
}

/// Handles `replay`, `release`, `hold`, `skip` (earlier name: `dismiss`) and `settle`.
pub(super) async fn act(
    State(app): State<App>,
    caller: Caller,
    Path((sequence, action)): Path<(u64, String)>,
    Query(why): Query<Reason>,
) -> Result<Json<Value>, Failure> {
    permit(&app, &caller, Interaction::Operate, None).await?;
    record(
        &app,
        &caller,
        Interaction::Operate,
        &match why.reason.trim() {
            "" => format!("{action} {sequence}"),
            reason => format!("{action} {sequence}: {reason}"),
        },
    )
    .await?;
    let engine = app.engine.clone();
    let (number, by) = (Sequence::new(sequence), caller.actor());
    let answer = blocking(move || {
        let done = match action.as_str() {
            "replay" => engine.replay(number, &by).map(|replayed| {
                json!({
                    "sequence": sequence,
                    "mapVersionBefore": replayed.before,
                    "mapVersion": replayed.map_version,
                    "queued": replayed.queued,
                })
            }),
            "release" => engine
                .release(number)
                .map(|()| json!({ "sequence": sequence, "released": true })),
            "hold" => engine
                .hold(number, &by, &why.reason)
                .map(|()| json!({ "sequence": sequence, "held": true })),
            "skip" => engine
                .dismiss(number, &by, &why.reason)
                .map(|()| json!({ "sequence": sequence, "skipped": true })),
            "settle" => engine
                .settle(number, &by, &why.reason)
                .map(|()| json!({ "sequence": sequence, "settled": true })),
            "dismiss" => engine
                .dismiss(number, &by, &why.reason)
                .map(|()| json!({ "sequence": sequence, "dismissed": true })),
            other => {
                return Err(Failure::new(
                    StatusCode::NOT_FOUND,
                    "not-supported",
                    format!(
                        "`{other}` is not an action; the actions are replay, release, hold, skip, \
                         settle, edit and redirect"
                    ),
                ));
            }
        };
        done.map_err(|error| control_failure(&error))
    })
    .await?;
    Ok(Json(answer))
}

pub(super) async fn record(
    app: &App,
    caller: &Caller,
    action: Interaction,
    target: &str,
) -> Result<(), Failure> {
    let touched = Touched {
        resource_type: "message".to_owned(),
        target: target.to_owned(),
        patients: Vec::new(),
    };
    Ok(trail::record(app, caller, action.code(), touched, Outcome::Success).await?)
}

fn parse_query(pairs: &[(String, String)]) -> Result<(Filter, Page), Failure> {
    let mut filter = Filter::default();
    let mut page = Page {
        before: None,
        limit: 50,
    };
    for (at, (name, value)) in pairs.iter().enumerate() {
        if pairs.iter().take(at).any(|(earlier, _)| earlier == name) {
            let text =
                format!("`{name}` is given twice; give it once, with states separated by commas");
            return Err(Failure::at(
                StatusCode::BAD_REQUEST,
                "value",
                name.as_str(),
                text,
            ));
        }
        let bad = |accepted: &str| {
            Failure::at(
                StatusCode::BAD_REQUEST,
                "value",
                name.as_str(),
                format!("`{value}` is not a valid value for `{name}`; accepted: {accepted}"),
            )
        };
        match name.as_str() {
            "flow" => filter.flow = Some(value.clone()),
            "reason" => filter.reason = Some(value.clone()),
            "type" => filter.message_type = Some(value.clone()),
            "control_id" => filter.control_id = Some(value.clone()),
            "patient" => filter.patient = Some(value.clone()),
            "text" => filter.text = Some(value.clone()),
            "state" => {
                let words = || MessageState::ALL.map(MessageState::word).join(", ");
                for word in value.split(',') {
                    let state = MessageState::from_word(word.trim());
                    filter.any_of.push(state.ok_or_else(|| bad(&words()))?);
                }
            }
            "from" => filter.from = Some(moment(value).ok_or_else(|| bad(MOMENT))?),
            "until" => filter.until = Some(moment(value).ok_or_else(|| bad(MOMENT))?),
            "count" => {
                let count: usize = value.parse().map_err(|_| bad("a whole number"))?;
                page.limit = count.clamp(1, MAX_COUNT);
            }
            "before" => {
                let before = value.parse().map_err(|_| bad("a message's number"))?;
                page.before = Some(Sequence::new(before));
            }
            _ => {
                return Err(bad(
                    "flow, type, control_id, patient, text, state, reason, from, until, count, before",
                ));
            }
        }
    }
    Ok((filter, page))
}

/// Refuses a filter on a flow that never existed: that is an error, not an empty list.
fn check_flow(app: &App, filter: &Filter) -> Result<(), Failure> {
    let Some(asked) = &filter.flow else {
        return Ok(());
    };
    let known = app
        .known_flows()
        .map_err(|error| Failure::internal(&error))?;
    if known.contains(asked) {
        return Ok(());
    }
    let text = format!(
        "`{asked}` is not a valid value for `flow`; accepted: {}",
        known.join(", ")
    );
    Err(Failure::at(StatusCode::BAD_REQUEST, "value", "flow", text))
}

const MOMENT: &str = "a time such as `2026-01-31T12:00:00Z`";

fn moment(text: &str) -> Option<base::Timestamp> {
    let parsed = base::DateTime::parse_fhir(text).ok()?;
    Some(parsed.timestamp(&base::Zone::utc()))
}

fn summary(row: &Summary) -> Value {
    json!({
        "sequence": row.sequence.get(),
        "received": row.received.to_fhir(),
        "flow": row.flow,
        "connection": row.connection,
        "type": row.header.message_type,
        "controlId": row.header.control_id,
        "patients": row.header.patients,
        "bytes": row.n_bytes,
        "state": row.state.word(),
        "reason": row.reason,
        "attention": attention(row),
        "issues": row.n_issues,
        "noMessage": row.no_message,
        "reusedControlId": row.reused_control_id.map(Sequence::get),
        "mapVersion": row.map_version,
    })
}

/// Lists the reasons why a message needs attention.
fn attention(row: &Summary) -> Vec<Value> {
    let reason = row.reason.as_deref().unwrap_or_default();
    let concerns = flow::attention::read(reason).into_iter();
    concerns
        .map(|concern| {
            json!({
                "code": concern.reason.code(),
                "place": concern.place,
                "reason": concern.why,
                "remedy": concern.reason.explain(),
                "inChart": concern.reason.in_chart(),
            })
        })
        .collect()
}

/// Renders a request to replay a message, and its result.
fn replay(replay: &Replay) -> Value {
    json!({
        "by": replay.by,
        "requested": replay.requested.to_fhir(),
        "done": replay.done.as_ref().map(|(at, _)| at.to_fhir()),
        "detail": replay.done.as_ref().map(|(_, detail)| detail),
    })
}

fn whole(stored: &Stored, (findings, replays): (&[Finding], &[Replay])) -> Value {
    let mut value = summary(&stored.summary);
    if let Some(object) = value.as_object_mut() {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        object.insert("raw".to_owned(), text(&stored.body).into());
        let answer = stored.acknowledgement.as_ref();
        object.insert(
            "acknowledgement".to_owned(),
            answer
                .map(|answer| json!({ "code": answer.code, "raw": text(&answer.bytes) }))
                .into(),
        );
        let findings = findings.iter().map(|finding| {
            json!({
                "severity": finding.severity.code(),
                "place": finding.place,
                "reason": finding.why,
                "remedy": finding.remedy,
            })
        });
        object.insert("findings".to_owned(), findings.collect::<Vec<_>>().into());
        let repeats: Vec<String> = stored.repeats.iter().map(|at| at.to_fhir()).collect();
        object.insert("repeats".to_owned(), repeats.into());
        let replays: Vec<Value> = replays.iter().map(replay).collect();
        object.insert("replays".to_owned(), replays.into());
    }
    value
}
