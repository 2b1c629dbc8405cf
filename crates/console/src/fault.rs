//! Error pages: what failed, why, and the remedy.

use super::frame::{Frame, Place};
use super::theme;
use super::visitor::Visitor;
use access::Refusal;
use askama::Template;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use flow::ControlError;
use store::audit::{Outcome, RecordError};
use web::App;
use web::caller::Unauthenticated;

/// The error that a page shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) status: StatusCode,
    /// The action that failed.
    pub(super) what: String,
    /// The reason.
    pub(super) why: String,
    /// The remedy.
    pub(super) remedy: String,
    /// The address where the remedy is, and the label of the link.
    pub(super) way: Option<(&'static str, &'static str)>,
}

#[derive(Template)]
#[template(path = "fault.html")]
struct FaultPage<'a> {
    theme: &'a str,
    fault: &'a Fault,
}

#[derive(Template)]
#[template(path = "fault_framed.html")]
struct FramedFault<'a> {
    frame: Frame,
    fault: &'a Fault,
}

// === impl Fault ===

impl Fault {
    pub(super) fn new(
        status: StatusCode,
        what: impl Into<String>,
        why: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            status,
            what: what.into(),
            why: sentence(why.into()),
            remedy: remedy.into(),
            way: None,
        }
    }

    fn with_way(mut self, address: &'static str, words: &'static str) -> Self {
        self.way = Some((address, words));
        self
    }

    /// Creates the fault for a write refused because the disk is full.
    fn disk_full() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "The disk is full, so nothing was changed",
            "Messages and changes are refused until there is space; reads continue.",
            "The operator has to free space. Then try again: nothing has been started.",
        )
    }

    /// Creates the fault for something that does not exist or is hidden from this caller. The two
    /// look the same.
    pub(super) fn not_found(what: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            format!("There is no such {what}"),
            "It is not in the store, or you may not see it.",
            "Go back to the list and open it from there.",
        )
    }

    /// Creates the fault for an internal error. The log has the cause.
    pub(super) fn internal(error: &dyn std::error::Error) -> Self {
        let mut chain = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            chain = format!("{chain}: {error}");
            cause = error.source();
        }
        tracing::error!(error = %chain, "a page could not be shown");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "This page could not be rendered",
            "The store or the server failed; the log has the cause.",
            "Try again; if the error persists, tell the operator.",
        )
    }

    /// Creates the fault for damaged data on disk.
    fn damaged(error: &dyn std::error::Error) -> Self {
        tracing::error!(%error, "a page needs damaged data");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The data for this page is damaged on disk",
            error.to_string(),
            "Data that may be wrong is not shown. Tell the operator.",
        )
    }

    /// Returns the outcome that the audit log records.
    pub(super) fn outcome(&self) -> Outcome {
        match self.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => {
                Outcome::Refused
            }
            status if status.is_server_error() => Outcome::Error,
            _ => Outcome::Failed,
        }
    }
}

/// Capitalizes an error text, so that it reads as a sentence on a page.
fn sentence(words: String) -> String {
    let mut chars = words.chars();
    match chars.next() {
        Some(first) if first.is_lowercase() => first.to_uppercase().chain(chars).collect(),
        _ => words,
    }
}

/// Renders a fault as a page: in the frame if the person is logged in, otherwise as a plain page in
/// their theme.
pub(super) async fn render_page(State(app): State<App>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let asked = parts.clone();
    let response = next.run(Request::from_parts(parts, body)).await;
    let Some(fault) = response.extensions().get::<Fault>() else {
        return response;
    };
    let page = match Visitor::of(&app, &asked) {
        Ok(visitor) => FramedFault {
            frame: Frame::new(&visitor, Place::Elsewhere, fault.what.as_str()),
            fault,
        }
        .render(),
        Err(_) => FaultPage {
            theme: theme::of(&asked.headers),
            fault,
        }
        .render(),
    };
    match page {
        Ok(html) => (fault.status, Html(html)).into_response(),
        Err(_) => response,
    }
}

impl IntoResponse for Fault {
    /// Returns only the texts, which [`render_page`] turns into a page.
    fn into_response(self) -> Response {
        let words = format!("{}. {} {}\n", self.what, self.why, self.remedy);
        let mut response = (self.status, words).into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Hidden => Self::not_found("page"),
            Refusal::Forbidden { what, remedy } => Self::new(
                StatusCode::FORBIDDEN,
                "You may not see this",
                format!("{what} is not allowed."),
                remedy,
            ),
        }
    }
}

impl From<RecordError> for Fault {
    fn from(error: RecordError) -> Self {
        tracing::error!(%error, "an access could not be audited, so nothing was answered");
        if matches!(error, RecordError::Full) {
            return Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "The disk is full, and so is the audit log's reserve",
                "No patient data is shown without an entry in the audit log.",
                "The operator has to free space. In an emergency, give a reason and continue.",
            )
            .with_way("/emergency", "Emergency access");
        }
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "The audit log cannot be written",
            "No patient data is shown without an entry in the audit log.",
            "The operator has to free space or repair the disk, then restart.",
        )
    }
}

impl From<store::journal::ReadError> for Fault {
    fn from(error: store::journal::ReadError) -> Self {
        if error.is_damage() {
            return Self::damaged(&error);
        }
        Self::internal(&error)
    }
}

impl From<store::chart::ReadError> for Fault {
    fn from(error: store::chart::ReadError) -> Self {
        if error.is_damage() {
            return Self::damaged(&error);
        }
        Self::internal(&error)
    }
}

impl From<store::audit::ReadError> for Fault {
    fn from(error: store::audit::ReadError) -> Self {
        Self::internal(&error)
    }
}

impl From<askama::Error> for Fault {
    fn from(error: askama::Error) -> Self {
        Self::internal(&error)
    }
}

impl From<Unauthenticated> for Fault {
    fn from(error: Unauthenticated) -> Self {
        let status = match error {
            Unauthenticated::Csrf | Unauthenticated::ChooseFirst => StatusCode::FORBIDDEN,
            Unauthenticated::Purpose => StatusCode::BAD_REQUEST,
            Unauthenticated::Missing | Unauthenticated::Token(_) | Unauthenticated::Scopes => {
                StatusCode::UNAUTHORIZED
            }
        };
        let remedy = "Go back, reload the page and try again.";
        Self::new(
            status,
            "The action was not carried out",
            format!("{error}."),
            remedy,
        )
    }
}

impl From<ControlError> for Fault {
    fn from(error: ControlError) -> Self {
        let why = format!("{error}.");
        match &error {
            ControlError::NoSuchMessage(_) => Self::not_found("message"),
            ControlError::NoSuchFlow(_)
            | ControlError::WrongState { .. }
            | ControlError::Unchanged
            | ControlError::Batch(_)
            | ControlError::Refused(_)
            | ControlError::Listen { .. }
            | ControlError::Draining => Self::new(
                StatusCode::CONFLICT,
                "The action was not carried out",
                why,
                "Reload the message; it may have changed in the meantime.",
            ),
            ControlError::Write(error) if error.is_disk_full() => Self::disk_full(),
            ControlError::Read(_) | ControlError::Write(_) => Self::internal(&error),
        }
    }
}
