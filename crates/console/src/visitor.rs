//! The visitor of a page: a session, never a token.

use super::fault::Fault;
use super::form;
use access::{Action, Interaction, Permit, decide};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use security::Session;
use store::audit::{Outcome, Reserve};
use web::App;
use web::Failure;
use web::caller::{Caller, Origin, Unauthenticated, session_cookie};
use web::trail::{self, Touched};

/// A person with a session.
#[derive(Clone, Debug)]
pub(super) struct Visitor {
    pub(super) caller: Caller,
    pub(super) session: Session,
    /// The theme: `light`, `dark`, or empty for the system's.
    pub(super) theme: &'static str,
    /// True if a script asks for a part of a page.
    pub(super) wants_part: bool,
    /// The requested address, with its query.
    pub(super) address: String,
    /// The state of the audit log's reserve, if the disk is full.
    pub(super) reserve: Option<Reserve>,
}

/// A posted form whose CSRF token matches the session.
#[derive(Debug)]
pub(super) struct Form {
    pub(super) visitor: Visitor,
    pairs: Vec<(String, String)>,
}

/// A person with a session, possibly one of the first-login secret. Only for the page on which a
/// password is chosen.
#[derive(Clone, Debug)]
pub(super) struct Newcomer(pub(super) Visitor);

/// A form posted by a [`Newcomer`].
#[derive(Debug)]
pub(super) struct NewcomerForm(pub(super) Form);

/// The response to a visitor without a session or the right to see the page: an error page or a
/// redirect to the login.
pub(super) struct Rejected(Box<Response>);

// === impl Visitor ===

impl Visitor {
    /// Returns the name of the signed-in person.
    pub(super) fn user(&self) -> &str {
        &self.session.user
    }

    /// Requests a permit. A refusal is in the audit log before the response is sent.
    pub(super) async fn permit(
        &self,
        app: &App,
        interaction: Interaction,
        resource_type: Option<&str>,
    ) -> Result<Permit, Fault> {
        let action = Action {
            interaction,
            resource_type,
        };
        match decide(&self.caller.principal, action, self.caller.purpose) {
            Ok(permit) => Ok(permit),
            Err(refusal) => {
                let touched = Touched {
                    resource_type: resource_type.unwrap_or("").to_owned(),
                    ..Touched::default()
                };
                let code = interaction.code();
                trail::record(app, &self.caller, code, touched, Outcome::Refused).await?;
                Err(refusal.into())
            }
        }
    }

    /// Waits until the access is durable in the audit log.
    pub(super) async fn record(
        &self,
        app: &App,
        action: &str,
        touched: Touched,
    ) -> Result<(), Fault> {
        trail::record(app, &self.caller, action, touched, Outcome::Success).await?;
        Ok(())
    }

    /// Works like [`Visitor::record`], for failed actions.
    pub(super) async fn record_failure(
        &self,
        app: &App,
        action: &str,
        touched: Touched,
        fault: &Fault,
    ) -> Result<(), Fault> {
        trail::record(app, &self.caller, action, touched, fault.outcome()).await?;
        Ok(())
    }

    pub(super) fn of(app: &App, parts: &Parts) -> Result<Self, Unauthenticated> {
        Self::with(app, parts, Caller::of_page(app, parts)?)
    }

    fn with(app: &App, parts: &Parts, caller: Caller) -> Result<Self, Unauthenticated> {
        // Bearer tokens are for the API; the pages are for people.
        let session = caller.session.clone().ok_or(Unauthenticated::Missing)?;
        Ok(Self {
            caller,
            session,
            theme: super::theme::of(&parts.headers),
            wants_part: parts.headers.contains_key("x-part"),
            address: parts
                .uri
                .path_and_query()
                .map(ToString::to_string)
                .unwrap_or_default(),
            reserve: app.audit.reserve(),
        })
    }
}

impl FromRequestParts<App> for Visitor {
    type Rejection = Rejected;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Rejected> {
        let visitor = Self::of(app, parts);
        audit_rejection(app, parts, visitor).await
    }
}

impl FromRequestParts<App> for Newcomer {
    type Rejection = Rejected;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Rejected> {
        let visitor =
            Caller::of_any_session(app, parts).and_then(|caller| Visitor::with(app, parts, caller));
        audit_rejection(app, parts, visitor).await.map(Self)
    }
}

/// Audits a refused visitor and redirects to the page that can help.
async fn audit_rejection(
    app: &App,
    parts: &Parts,
    visitor: Result<Visitor, Unauthenticated>,
) -> Result<Visitor, Rejected> {
    match visitor {
        Ok(visitor) => Ok(visitor),
        Err(error) => {
            trail::record_unauthenticated(app, &Origin::of(parts), error).await;
            Err(match error {
                Unauthenticated::ChooseFirst => {
                    Rejected::to(parts, "/password", &error.to_string())
                }
                _ => Rejected::to(parts, "/login", "your session has ended; log in again"),
            })
        }
    }
}

/// Returns the session of a request that the page makes on its own, without keeping the session
/// alive.
pub(super) fn peek(app: &App, parts: &Parts) -> Option<Session> {
    app.sessions
        .peek(session_cookie(&parts.headers)?, app.clock.now())
        .filter(|session| !session.must_choose_password)
}

// === impl Form ===

impl Form {
    /// Returns the first value of a field; empty if there is none.
    pub(super) fn get(&self, name: &str) -> &str {
        self.pairs
            .iter()
            .find(|(key, _)| key == name)
            .map_or("", |(_, value)| value)
    }

    /// Returns the form if its CSRF token matches the session.
    async fn checked(self, app: &App) -> Result<Self, Rejected> {
        if !self.visitor.session.csrf_matches(self.get("csrf")) {
            let origin = &self.visitor.caller.origin;
            trail::record_unauthenticated(app, origin, Unauthenticated::Csrf).await;
            return Err(Rejected::page(Fault::from(Unauthenticated::Csrf)));
        }
        Ok(self)
    }

    /// Returns the address to go back to: a path on this server, or the overview.
    pub(super) fn back(&self) -> &str {
        own_path(self.get("back")).unwrap_or("/")
    }
}

impl FromRequest<App> for Form {
    type Rejection = Rejected;

    async fn from_request(request: Request, app: &App) -> Result<Self, Rejected> {
        let (mut parts, body) = request.into_parts();
        let visitor = Visitor::from_request_parts(&mut parts, app).await?;
        let pairs = form::large(Request::from_parts(parts, body), app).await?;
        Self { visitor, pairs }.checked(app).await
    }
}

impl FromRequest<App> for NewcomerForm {
    type Rejection = Rejected;

    async fn from_request(request: Request, app: &App) -> Result<Self, Rejected> {
        let (mut parts, body) = request.into_parts();
        let Newcomer(visitor) = Newcomer::from_request_parts(&mut parts, app).await?;
        let pairs = form::small(Request::from_parts(parts, body)).await?;
        Form { visitor, pairs }.checked(app).await.map(Self)
    }
}

/// Returns the path if it stays on this server: `next` must not redirect to another site.
pub(super) fn own_path(path: &str) -> Option<&str> {
    let is_own = path.starts_with('/')
        && !path.starts_with("//")
        && !path.contains('\\')
        && !path.contains(|c: char| c.is_control());
    is_own.then_some(path)
}

// === impl Rejected ===

impl Rejected {
    /// Redirects to the page where the visitor can log in or choose a password. A request for a
    /// part of a page gets the reason as text instead.
    fn to(parts: &Parts, page: &str, why: &str) -> Self {
        if parts.headers.contains_key("x-part") {
            let text = format!("{why}\n");
            return Self(Box::new((StatusCode::UNAUTHORIZED, text).into_response()));
        }
        let next = if parts.method == Method::GET {
            parts.uri.path_and_query().map_or("/", |path| path.as_str())
        } else {
            "/"
        };
        let address = match next {
            "/" => page.to_owned(),
            next => format!("{page}?next={}", super::markup::encode(next)),
        };
        Self(Box::new(Redirect::to(&address).into_response()))
    }

    pub(super) fn page(fault: Fault) -> Self {
        Self(Box::new(fault.into_response()))
    }
}

impl IntoResponse for Rejected {
    fn into_response(self) -> Response {
        *self.0
    }
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        let why = failure
            .issues
            .first()
            .map(|issue| issue.text.clone())
            .unwrap_or_default();
        Self::new(
            failure.status,
            "The action was not carried out",
            why,
            "Change the request and try again.",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_stays_here() {
        for (path, is_own) in [
            ("/messages?state=held", true),
            ("/", true),
            ("", false),
            ("//elsewhere.example", false),
            ("/\\elsewhere.example", false),
            ("https://elsewhere.example/", false),
            ("javascript:alert(1)", false),
            ("/a\r\nset-cookie: x", false),
        ] {
            assert_eq!(own_path(path).is_some(), is_own, "{path}");
        }
    }
}
