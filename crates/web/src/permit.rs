//! Permits, decided once per request. A refusal or failure is in the audit log before the response
//! is sent.

use crate::app::App;
use crate::caller::Caller;
use crate::failure::Failure;
use crate::trail::{self, Touched};
use access::{Action, Interaction, Permit, decide};
use axum::http::StatusCode;
use axum::response::Response;
use std::future::Future;

/// Requests a permit. A refusal is in the audit log before the response is sent.
pub async fn permit(
    app: &App,
    caller: &Caller,
    interaction: Interaction,
    resource_type: Option<&str>,
) -> Result<Permit, Failure> {
    let action = Action {
        interaction,
        resource_type,
    };
    match decide(&caller.principal, action, caller.purpose) {
        // On a full disk, the rest of the audit log's reserve is for reads.
        Ok(_) if writes(interaction) && app.audit.reserve().is_some() => {
            let failure = Failure::no_room();
            let touched = Touched {
                resource_type: resource_type.unwrap_or("").to_owned(),
                ..Touched::default()
            };
            let entry = trail::entry(caller, interaction.code(), touched, failure.outcome());
            trail::record_disk_full(app, entry).await;
            Err(failure)
        }
        Ok(permit) => Ok(permit),
        Err(refusal) => {
            let touched = Touched {
                resource_type: resource_type.unwrap_or("").to_owned(),
                ..Touched::default()
            };
            let outcome = store::audit::Outcome::Refused;
            trail::record(app, caller, interaction.code(), touched, outcome).await?;
            Err(refusal.into())
        }
    }
}

fn writes(interaction: Interaction) -> bool {
    matches!(
        interaction,
        Interaction::Create | Interaction::Update | Interaction::Patch | Interaction::Delete
    )
}

/// Runs the work of a request. A failure is in the audit log before the response is sent.
pub async fn audited_failure(
    app: &App,
    caller: &Caller,
    interaction: Interaction,
    touched: Touched,
    work: impl Future<Output = Result<Response, Failure>>,
) -> Result<Response, Failure> {
    match work.await {
        Ok(response) => Ok(response),
        Err(failure) if failure.status == StatusCode::INSUFFICIENT_STORAGE => {
            let entry = trail::entry(caller, interaction.code(), touched, failure.outcome());
            trail::record_disk_full(app, entry).await;
            Err(failure)
        }
        Err(failure) => {
            trail::record(app, caller, interaction.code(), touched, failure.outcome()).await?;
            Err(failure)
        }
    }
}
