//! The `/api/flows` routes: every flow with its figures, stop and start, dry run and import.

use super::{blocking, control_failure};
use access::Interaction;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use serde_json::{Value, json};
use store::audit::Outcome;
use web::App;
use web::Failure;
use web::caller::Caller;
use web::permit;
use web::trail::{self, Touched};

/// Lists every flow with its figures.
pub(super) async fn list(State(app): State<App>, caller: Caller) -> Result<Json<Value>, Failure> {
    permit(&app, &caller, Interaction::Operate, None).await?;
    let engine = app.engine.clone();
    let snapshot =
        blocking(move || engine.snapshot().map_err(|error| control_failure(&error))).await?;
    let flows: Vec<Value> = snapshot
        .flows
        .iter()
        .map(|flow| {
            json!({
                "name": flow.name,
                "state": flow.state.word(),
                "sender": sender(flow),
                "senders": flow.senders.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "feed": flow.feed.word().unwrap_or("heard"),
                "feedSince": flow.feed.since().map(base::Timestamp::to_fhir),
                "address": flow.address.map(|address| format!("mllp://{address}")),
                "stoppedBy": flow.stopped_by.as_ref().map(|stopped| &stopped.by),
                "stoppedBecause": flow.stopped_by.as_ref().map(|stopped| &stopped.why),
                "stoppedSince": flow.stopped_by.as_ref().map(|stopped| stopped.since.to_fhir()),
                "connections": flow.connections,
                "received": flow.received,
                "applied": flow.applied,
                "waiting": flow.waiting,
                "held": flow.held,
                "needsAttention": flow.needs_attention,
                "filtered": flow.filtered,
                "lastReceived": flow.last_received.map(base::Timestamp::to_fhir),
            })
        })
        .collect();
    Ok(Json(json!({ "at": snapshot.at.to_fhir(), "flows": flows })))
}

/// The reason for stopping or starting a flow.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reason {
    #[serde(default)]
    reason: String,
}

/// Returns the source's name: the configured title, or else the senders named in its messages.
fn sender(flow: &flow::FlowSnapshot) -> String {
    let names = || {
        let names: Vec<String> = flow.senders.iter().map(ToString::to_string).collect();
        names.join(", ")
    };
    flow.title.clone().unwrap_or_else(names)
}

/// Stops a flow: it accepts no messages until it is started again.
pub(super) async fn stop(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    Query(why): Query<Reason>,
) -> Result<Json<Value>, Failure> {
    switch(app, caller, name, (false, why)).await
}

/// Starts a stopped flow.
pub(super) async fn start(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    Query(why): Query<Reason>,
) -> Result<Json<Value>, Failure> {
    switch(app, caller, name, (true, why)).await
}

async fn switch(
    app: App,
    caller: Caller,
    name: String,
    (on, why): (bool, Reason),
) -> Result<Json<Value>, Failure> {
    permit(&app, &caller, Interaction::Operate, None).await?;
    let word = if on { "start" } else { "stop" };
    let touched = Touched {
        resource_type: "flow".to_owned(),
        target: match why.reason.trim() {
            "" => format!("{word} {name}"),
            reason => format!("{word} {name}: {reason}"),
        },
        patients: Vec::new(),
    };
    let code = Interaction::Operate.code();
    trail::record(&app, &caller, code, touched, Outcome::Success).await?;
    let (engine, by) = (app.engine.clone(), caller.actor());
    blocking(move || {
        let done = if on {
            engine.start_flow(&name, &by)
        } else {
            engine.stop_flow(&name, &by, &why.reason)
        };
        done.map_err(|error| control_failure(&error))?;
        Ok(Json(json!({ "flow": name, "running": on })))
    })
    .await
}

/// Shows what a message would change if it were received now.
pub(super) async fn dry_run(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Failure> {
    permit(&app, &caller, Interaction::Operate, None).await?;
    let touched = Touched {
        resource_type: "message".to_owned(),
        target: format!("dry-run {name}"),
        patients: Vec::new(),
    };
    trail::record(
        &app,
        &caller,
        Interaction::Operate.code(),
        touched,
        Outcome::Success,
    )
    .await?;
    let engine = app.engine.clone();
    let run = blocking(move || {
        engine
            .dry_run(&name, &body)
            .map_err(|error| control_failure(&error))
    })
    .await?;
    let parsed = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap_or(Value::Null);
    let changes: Vec<Value> = run
        .changes
        .iter()
        .map(|change| {
            json!({
                "resourceType": change.resource_type,
                "id": change.id,
                "before": change.before.as_deref().map(parsed),
                "after": parsed(&change.after),
            })
        })
        .collect();
    Ok(Json(json!({
        "changes": changes,
        "repeats": run.repeats.map(store::journal::Sequence::get),
        "refused": run.refused.map(flow::Attention::explain),
        "issues": run.issues,
        "attention": run.concerns.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })))
}

/// Imports the messages in a chunk of a file into this flow, as if they had arrived over its
/// connection.
pub(super) async fn import(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Failure> {
    permit(&app, &caller, Interaction::Operate, None).await?;
    let touched = Touched {
        resource_type: "message".to_owned(),
        target: format!("import {name}: {} bytes", body.len()),
        patients: Vec::new(),
    };
    let code = Interaction::Operate.code();
    trail::record(&app, &caller, code, touched, Outcome::Success).await?;
    let (engine, by) = (app.engine.clone(), caller.actor());
    let done = blocking(move || {
        engine
            .import(&name, body, &by)
            .map_err(|error| control_failure(&error))
    })
    .await?;
    let messages: Vec<Value> = done
        .messages
        .iter()
        .map(|one| {
            json!({
                "sequence": one.sequence.get(),
                "known": one.known,
                "state": one.state.word(),
                "reason": one.reason,
            })
        })
        .collect();
    Ok(Json(json!({ "messages": messages })))
}
