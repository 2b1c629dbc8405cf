//! The `/api/messages/{sequence}/edit` and `/redirect` routes: copies of a message.

use super::messages::record;
use super::{blocking, control_failure};
use access::Interaction;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use flow::Resend;
use serde_json::{Value, json};
use store::journal::Sequence;
use web::App;
use web::Failure;
use web::caller::Caller;
use web::permit;

/// The query parameters of a copy.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CopyQuery {
    /// The other flow, if the copy goes to one.
    flow: Option<String>,
    #[serde(default)]
    reason: String,
}

/// Sends a changed copy; the body is the changed message.
pub(super) async fn edit(
    State(app): State<App>,
    caller: Caller,
    Path(sequence): Path<u64>,
    Query(query): Query<CopyQuery>,
    body: Bytes,
) -> Result<Json<Value>, Failure> {
    resend(app, caller, sequence, (query, Some(body))).await
}

/// Sends the same message to another flow.
pub(super) async fn redirect(
    State(app): State<App>,
    caller: Caller,
    Path(sequence): Path<u64>,
    Query(query): Query<CopyQuery>,
) -> Result<Json<Value>, Failure> {
    resend(app, caller, sequence, (query, None)).await
}

async fn resend(
    app: App,
    caller: Caller,
    sequence: u64,
    (query, body): (CopyQuery, Option<Bytes>),
) -> Result<Json<Value>, Failure> {
    permit(&app, &caller, Interaction::Operate, None).await?;
    let what = if body.is_some() { "edit" } else { "redirect" };
    record(
        &app,
        &caller,
        Interaction::Operate,
        &format!("{what} {sequence}"),
    )
    .await?;
    let (engine, by) = (app.engine.clone(), caller.actor());
    blocking(move || {
        let wanted = Resend {
            of: Sequence::new(sequence),
            body: body.as_deref(),
            flow: query.flow.as_deref(),
            by: &by,
            why: &query.reason,
        };
        let made = engine
            .resend(&wanted)
            .map_err(|error| control_failure(&error))?;
        Ok(Json(json!({
            "sequence": made.sequence.get(),
            "of": sequence,
            "repeated": made.repeated,
        })))
    })
    .await
}
