//! The `/api/maps` routes: the maps in use, and reloading them.

use super::blocking;
use access::Interaction;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use base::Issue;
use flow::{MapsRefused, Reloaded};
use serde_json::{Value, json};
use store::audit::Outcome;
use web::App;
use web::Failure;
use web::caller::Caller;
use web::permit;
use web::trail::{self, Touched};

/// Shows the version, the files, the dialects and the outcome of the last reload.
pub(super) async fn show(State(app): State<App>, caller: Caller) -> Result<Json<Value>, Failure> {
    permit(&app, &caller, Interaction::Operate, None).await?;
    let maps = app.maps.current();
    let last = app.maps.last().map(|last| {
        let reasons = last
            .outcome
            .as_ref()
            .err()
            .map(|refused| &refused.reasons)
            .cloned();
        json!({
            "at": last.at.to_fhir(),
            "by": last.by,
            "refused": reasons,
        })
    });
    let mut dialects: Vec<&str> = maps.dialects().collect();
    dialects.sort_unstable();
    let files: Vec<&str> = maps.files().map(|(name, _)| name).collect();
    Ok(Json(json!({
        "version": maps.version,
        "since": maps.since.to_fhir(),
        "canReload": app.maps.can_reload(),
        "dialects": dialects,
        "files": files,
        "lastReload": last,
    })))
}

/// Reloads the maps. Either all of the new ones are in use afterwards, or none.
pub(super) async fn reload(State(app): State<App>, caller: Caller) -> Result<Json<Value>, Failure> {
    permit(&app, &caller, Interaction::Operate, None).await?;
    let touched = Touched {
        resource_type: "maps".to_owned(),
        target: "reload".to_owned(),
        patients: Vec::new(),
    };
    let code = Interaction::Operate.code();
    trail::record(&app, &caller, code, touched, Outcome::Success).await?;
    let (work, by) = (app.clone(), caller.actor());
    let done = blocking(move || {
        let now = work.clock.now();
        work.maps
            .reload(&by, now)
            .map_err(|refused| failure(&refused))
    })
    .await?;
    Ok(Json(render(&done)))
}

fn render(done: &Reloaded) -> Value {
    json!({ "before": done.before, "after": done.after, "changed": done.is_change() })
}

fn failure(refused: &MapsRefused) -> Failure {
    let issue = |reason: &String| {
        let text = format!("the maps are refused, and those in use stay: {reason}");
        Issue::error("processing", "", text)
    };
    let issues = refused.reasons.iter().map(issue).collect();
    Failure::of(StatusCode::UNPROCESSABLE_ENTITY, issues)
}
