//! Store incidents, shown until somebody acknowledges them.

use super::super::fault::Fault;
use super::super::visitor::Form;
use access::Interaction;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use web::App;
use web::damages;
use web::trail::Touched;

/// Describes the damage found while reading.
pub(super) fn damage(app: &App) -> Vec<String> {
    let texts = damages(app).into_iter().filter_map(|(store, damage)| {
        let last = damage.last().filter(|_| 0 < damage.n_met())?;
        let n = damage.n_met();
        Some(format!(
            "Damaged data was found in the {store} {n} times since the start and was not returned. \
             Most recently: {last}."
        ))
    });
    texts.collect()
}

/// Handles `POST /console/notices/{id}`: hides the notice and audits who acknowledged it.
pub(crate) async fn seen(
    State(app): State<App>,
    Path(id): Path<i64>,
    form: Form,
) -> Result<Response, Fault> {
    let visitor = &form.visitor;
    visitor.permit(&app, Interaction::Operate, None).await?;
    let touched = Touched {
        resource_type: "notice".to_owned(),
        target: id.to_string(),
        patients: Vec::new(),
    };
    visitor.record(&app, "notice-seen", touched).await?;
    let done = app.journal.ledger().notice_seen(id, visitor.user()).await;
    done.map_err(|error| Fault::internal(&error))?;
    Ok(Redirect::to("/").into_response())
}
