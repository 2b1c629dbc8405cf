//! Emergency access: a person who must see a record although the disk is full gives a reason, and
//! the audit log takes the entries that follow from the part of its reserve that is kept for this.
//!
//! It grants no rights. It ends after an hour, or when the person ends it.

use super::fault::Fault;
use super::frame::{Frame, Place, page};
use super::visitor::{Form, Visitor};
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Redirect, Response};
use base::Purpose;
use web::App;
use web::caller::PURPOSE_COOKIE;
use web::trail::Touched;

#[derive(Template)]
#[template(path = "emergency.html")]
struct EmergencyPage {
    frame: Frame,
    is_on: bool,
    wrong: bool,
}

/// The length limit of a reason: one or two lines.
const MAX_REASON: usize = 500;
const DURATION_SECONDS: u32 = 3600;

/// Handles `GET /emergency`.
pub(super) async fn show(visitor: Visitor) -> Result<Response, Fault> {
    page(&of(&visitor, false))
}

/// Handles `POST /emergency`: a reason starts emergency access, `end` ends it.
pub(super) async fn choose(State(app): State<App>, form: Form) -> Result<Response, Fault> {
    let secure = if app.is_https { "; Secure" } else { "" };
    let cookie = |value: &str, seconds: u32| {
        let cookie = format!(
            "{PURPOSE_COOKIE}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
        );
        ([(SET_COOKIE, cookie)], Redirect::to(form.back())).into_response()
    };
    if !form.get("end").is_empty() {
        return Ok(cookie("", 0));
    }
    let reason: String = form.get("reason").trim().chars().take(MAX_REASON).collect();
    if reason.is_empty() {
        let shown = page(&of(&form.visitor, true))?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, shown).into_response());
    }
    let touched = Touched {
        resource_type: "session".to_owned(),
        target: reason,
        ..Touched::default()
    };
    let mut visitor = form.visitor.clone();
    visitor.caller.purpose = Purpose::EmergencyTreatment;
    visitor.record(&app, "emergency-access", touched).await?;
    Ok(cookie(Purpose::EmergencyTreatment.code(), DURATION_SECONDS))
}

fn of(visitor: &Visitor, wrong: bool) -> EmergencyPage {
    EmergencyPage {
        frame: Frame::new(visitor, Place::Elsewhere, "Emergency access"),
        is_on: visitor.caller.purpose == Purpose::EmergencyTreatment,
        wrong,
    }
}
