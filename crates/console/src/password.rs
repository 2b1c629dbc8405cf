//! The password page, shown after a login with the first-login secret or at any time.

use super::fault::Fault;
use super::frame::{Frame, Place, page};
use super::verify::Verifier;
use super::visitor::{Form, Newcomer, NewcomerForm, Visitor, own_path};
use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use security::{AdministratorError, Login};
use std::sync::Arc;
use store::audit::Outcome;
use web::App;
use web::caller::session_cookie;
use web::trail::{self, Touched};

#[derive(Template)]
#[template(path = "password.html")]
struct PasswordPage {
    frame: Frame,
    next: String,
    wrong: Option<String>,
    min_chars: usize,
}

#[derive(serde::Deserialize)]
pub(super) struct Parameters {
    #[serde(default)]
    next: String,
}

/// The page for the first choice of a password. Unlike [`PasswordPage`], it has no links to other
/// pages.
#[derive(Template)]
#[template(path = "password_first.html")]
struct FirstPasswordPage<'a> {
    theme: &'static str,
    user: &'a str,
    csrf: &'a str,
    next: &'a str,
    wrong: Option<String>,
    min_chars: usize,
}

/// Handles `GET /password`.
pub(super) async fn show(
    Newcomer(visitor): Newcomer,
    Query(asked): Query<Parameters>,
) -> Result<Response, Fault> {
    shown(&visitor, own_path(&asked.next).unwrap_or("/"), None)
}

/// Handles `POST /password`.
pub(super) async fn choose(
    State(app): State<App>,
    Extension(verifier): Extension<Arc<Verifier>>,
    headers: HeaderMap,
    NewcomerForm(form): NewcomerForm,
) -> Result<Response, Fault> {
    let next = own_path(form.get("next")).unwrap_or("/").to_owned();
    let password = form.get("password").to_owned();
    if let Some(wrong) = current_is_wrong(&app, &verifier, &form).await? {
        return again(&form.visitor, &next, wrong);
    }
    if password != form.get("again") {
        let wrong = "The two passwords differ; type the same one twice.".to_owned();
        return again(&form.visitor, &next, wrong);
    }
    let account = app.clone();
    let choose = move || account.administrator.choose_password(&password);
    match verifier.run(choose).await? {
        Ok(()) => {
            let touched = Touched {
                resource_type: "password".to_owned(),
                ..Touched::default()
            };
            form.visitor
                .record(&app, "choose-password", touched)
                .await?;
            if let Some(cookie) = session_cookie(&headers) {
                app.sessions.password_chosen(cookie);
            }
            Ok(Redirect::to(&next).into_response())
        }
        Err(error @ AdministratorError::Length) => again(
            &form.visitor,
            &next,
            format!("{error}: yours has another length."),
        ),
        Err(error) => Err(Fault::internal(&error)),
    }
}

/// Checks the current password. An open session found by somebody else must not suffice to lock
/// everybody out, so the current password is required, and guessing it is rate-limited as at the
/// login.
async fn current_is_wrong(
    app: &App,
    verifier: &Verifier,
    form: &Form,
) -> Result<Option<String>, Fault> {
    let visitor = &form.visitor;
    if visitor.session.must_choose_password {
        return Ok(None);
    }
    let address = visitor.caller.origin.address;
    let wait = app.throttle.wait_secs(address, app.clock.now());
    if 0 < wait {
        let wrong =
            format!("Too many failed attempts from this address. Try again in {wait} seconds.");
        return Ok(Some(wrong));
    }
    let (work, current) = (app.clone(), form.get("current").to_owned());
    let name = visitor.user().to_owned();
    let compare = move || work.administrator.log_in(&name, &current);
    let login = verifier.run(compare).await?;
    if login != Login::Refused {
        app.throttle.succeeded(address);
        return Ok(None);
    }
    app.throttle.failed(address, app.clock.now());
    let touched = Touched {
        resource_type: "password".to_owned(),
        ..Touched::default()
    };
    let caller = &visitor.caller;
    trail::record(app, caller, "choose-password", touched, Outcome::Refused).await?;
    Ok(Some("The current password is wrong.".to_owned()))
}

fn again(visitor: &Visitor, next: &str, wrong: String) -> Result<Response, Fault> {
    let page = shown(visitor, next, Some(wrong))?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
}

fn shown(visitor: &Visitor, next: &str, wrong: Option<String>) -> Result<Response, Fault> {
    let min_chars = security::MIN_PASSWORD_CHARS;
    if visitor.session.must_choose_password {
        return page(&FirstPasswordPage {
            theme: visitor.theme,
            user: visitor.user(),
            csrf: &visitor.session.csrf,
            next,
            wrong,
            min_chars,
        });
    }
    page(&PasswordPage {
        frame: Frame::new(visitor, Place::Elsewhere, "Change password"),
        next: next.to_owned(),
        wrong,
        min_chars,
    })
}
