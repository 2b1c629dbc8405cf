//! Login and logout.

use super::fault::Fault;
use super::frame::page;
use super::verify::Verifier;
use super::visitor::{NewcomerForm, Rejected, own_path};
use super::{form, theme};
use askama::Template;
use axum::Extension;
use axum::extract::{Query, Request, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use security::Login;
use std::sync::Arc;
use store::audit::{Entry, Outcome};
use web::App;
use web::caller::{COOKIE_NAME, Origin, session_cookie};

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    theme: &'static str,
    next: String,
    /// The error of the last attempt.
    wrong: Option<String>,
    name: String,
}

#[derive(serde::Deserialize)]
pub(super) struct Parameters {
    #[serde(default)]
    next: String,
}

/// Handles `GET /login`.
pub(super) async fn show(
    headers: HeaderMap,
    Query(asked): Query<Parameters>,
) -> Result<Response, Fault> {
    page(&LoginPage {
        theme: theme::of(&headers),
        next: own_path(&asked.next).unwrap_or("/").to_owned(),
        wrong: None,
        name: String::new(),
    })
}

/// Handles `POST /login`. No session exists yet, so there is no CSRF token. The cookie is
/// `SameSite=Strict`, and a login forced from another site would need the password.
pub(super) async fn log_in(
    State(app): State<App>,
    Extension(verifier): Extension<Arc<Verifier>>,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Rejected> {
    let (parts, body) = request.into_parts();
    let origin = Origin::of(&parts);
    let pairs = form::small(Request::from_parts(parts, body)).await?;
    let field = |name: &str| {
        pairs
            .iter()
            .find(|(key, _)| key == name)
            .map_or(String::new(), |(_, value)| value.clone())
    };
    let (name, password) = (field("name"), field("password"));
    let next = own_path(&field("next")).unwrap_or("/").to_owned();
    let try_again = |status: StatusCode, wrong: String| {
        let login = LoginPage {
            theme: theme::of(&headers),
            next: next.clone(),
            wrong: Some(wrong),
            name: name.clone(),
        };
        let shown = page(&login).map_err(Rejected::page)?;
        Ok((status, shown).into_response())
    };

    let wait = app.throttle.wait_secs(origin.address, app.clock.now());
    if 0 < wait {
        let wrong =
            format!("Too many failed attempts from this address. Try again in {wait} seconds.");
        return try_again(StatusCode::TOO_MANY_REQUESTS, wrong);
    }
    let login = check(&app, &verifier, name.clone(), password)
        .await
        .map_err(Rejected::page)?;
    let outcome = match login {
        Login::Accepted | Login::FirstLogin => Outcome::Success,
        Login::Refused => Outcome::Refused,
    };
    audit(&app, &origin, "login", &name, outcome)
        .await
        .map_err(Rejected::page)?;
    let must_choose = match login {
        Login::Refused => {
            app.throttle.failed(origin.address, app.clock.now());
            let wrong = "Name or password is wrong.".to_owned();
            return try_again(StatusCode::UNAUTHORIZED, wrong);
        }
        Login::Accepted => false,
        Login::FirstLogin => true,
    };
    app.throttle.succeeded(origin.address);
    let from = origin.address.to_string();
    let opened = app
        .sessions
        .open((&name, &from), must_choose, app.clock.now());
    let secure = if app.is_https { "; Secure" } else { "" };
    let cookie = format!(
        "{COOKIE_NAME}={}; Path=/; HttpOnly; SameSite=Strict{secure}",
        opened.cookie
    );
    let to = if must_choose {
        format!("/password?next={}", super::markup::encode(&next))
    } else {
        next
    };
    Ok(([(SET_COOKIE, cookie)], Redirect::to(&to)).into_response())
}

/// Handles `POST /logout`.
pub(super) async fn log_out(
    State(app): State<App>,
    headers: HeaderMap,
    NewcomerForm(form): NewcomerForm,
) -> Result<Response, Fault> {
    let name = form.visitor.user().to_owned();
    audit(
        &app,
        &form.visitor.caller.origin,
        "logout",
        &name,
        Outcome::Success,
    )
    .await?;
    if let Some(cookie) = session_cookie(&headers) {
        app.sessions.close(cookie);
    }
    let gone = format!("{COOKIE_NAME}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    Ok(([(SET_COOKIE, gone)], Redirect::to("/login")).into_response())
}

async fn check(
    app: &App,
    verifier: &Verifier,
    name: String,
    password: String,
) -> Result<Login, Fault> {
    let app = app.clone();
    let compare = move || app.administrator.log_in(&name, &password);
    verifier.run(compare).await
}

/// Audits a login or logout. An unknown user name is not recorded, since it may be a password typed
/// into the wrong field.
async fn audit(
    app: &App,
    origin: &Origin,
    action: &str,
    name: &str,
    outcome: Outcome,
) -> Result<(), Fault> {
    let is_known = outcome == Outcome::Success || name == app.administrator.name();
    let entry = Entry {
        actor: if is_known {
            format!("user:{name}")
        } else {
            "nobody".to_owned()
        },
        action: action.to_owned(),
        resource_type: "session".to_owned(),
        outcome,
        source: origin.address.to_string(),
        request_id: origin.request_id.clone(),
        ..Entry::default()
    };
    app.audit.record(entry).await?;
    Ok(())
}
