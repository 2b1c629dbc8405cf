//! Failed requests as FHIR represents them: a status and an OperationOutcome.

use crate::caller::Unauthenticated;
use access::Refusal;
use axum::http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base::{Issue, Severity};
use fhir::json::JsonError;
use search::QueryError;
use store::audit::{Outcome, RecordError};
use store::chart::{ApplyError, Conflict, PrepareError, ReadError};

/// The media type of every FHIR response.
pub const FHIR_JSON: &str = "application/fhir+json; charset=utf-8";

/// The failure of a request, with its status and issues.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The HTTP status.
    pub status: StatusCode,
    /// The reasons, each with its location, as the OperationOutcome lists them.
    pub issues: Vec<Issue>,
    /// True if a concurrent writer won. Nothing was stored, and retrying the same request may
    /// succeed.
    pub is_overtaken: bool,
}

// === impl Failure ===

impl Failure {
    /// Creates a failure with one issue for the whole request.
    pub fn new(status: StatusCode, code: &'static str, text: impl Into<String>) -> Self {
        Self::at(status, code, "", text)
    }

    /// Creates a failure with one issue at an element, a header or a parameter.
    pub fn at(
        status: StatusCode,
        code: &'static str,
        location: impl Into<String>,
        text: impl Into<String>,
    ) -> Self {
        Self {
            status,
            issues: vec![Issue::error(code, location, text.into())],
            is_overtaken: false,
        }
    }

    /// Creates a failure with several issues, each with its location.
    pub fn of(status: StatusCode, issues: Vec<Issue>) -> Self {
        Self {
            status,
            issues,
            is_overtaken: false,
        }
    }

    /// Locates the failure in a bundle entry: every issue without a location gets `place`.
    #[must_use]
    pub fn within(mut self, place: &str) -> Self {
        for issue in &mut self.issues {
            if issue.location.is_empty() {
                place.clone_into(&mut issue.location);
            }
        }
        self
    }

    /// Creates the failure for a resource that does not exist or is hidden from this caller. The
    /// two look the same.
    pub fn not_found(resource_type: &str, id: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not-found",
            format!("there is no {resource_type}/{id} here, or you may not see it"),
        )
    }

    /// Creates the failure for something that FHIR defines but this server does not support.
    pub fn not_supported(what: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_IMPLEMENTED, "not-supported", what)
    }

    /// Creates the failure for a full disk: nothing is written, and reads continue.
    pub fn no_room() -> Self {
        Self::new(
            StatusCode::INSUFFICIENT_STORAGE,
            "no-store",
            "the server's disk is full; nothing was stored, reads continue. The operator has to \
             free space",
        )
    }

    /// Creates the failure for an internal error. The log has the details, under the request's id.
    pub fn internal(error: &dyn std::error::Error) -> Self {
        let mut chain = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            chain = format!("{chain}: {error}");
            cause = error.source();
        }
        tracing::error!(error = %chain, "a request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "exception",
            "the server could not process this request; the operator finds the cause in the log",
        )
    }

    /// Creates the failure for damaged data on disk. The data is not returned, and the operator is
    /// told what to do.
    pub fn damaged(error: &dyn std::error::Error) -> Self {
        tracing::error!(%error, "a request needs damaged data");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "exception",
            error.to_string(),
        )
    }

    /// Returns the outcome that the audit log records.
    pub fn outcome(&self) -> Outcome {
        match self.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => {
                Outcome::Refused
            }
            status if status.is_server_error() => Outcome::Error,
            _ => Outcome::Failed,
        }
    }

    /// Renders the OperationOutcome as bytes.
    pub fn body(&self) -> Vec<u8> {
        outcome(self.issues.clone())
    }
}

/// Renders an OperationOutcome as bytes. Issue texts often quote the request, and a FHIR string
/// must not contain control characters.
pub fn outcome(mut issues: Vec<Issue>) -> Vec<u8> {
    for issue in &mut issues {
        if issue.text.contains(char::is_control) {
            let plain = issue.text.replace(char::is_control, "\u{fffd}");
            issue.text = plain.into();
        }
    }
    fhir::outcome::outcome(&issues).to_bytes()
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.body()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(FHIR_JSON));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(
                WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"fhir\""),
            );
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(
                axum::http::header::RETRY_AFTER,
                HeaderValue::from_static("1"),
            );
        }
        response
    }
}

impl From<Unauthenticated> for Failure {
    fn from(error: Unauthenticated) -> Self {
        let status = match error {
            Unauthenticated::Csrf | Unauthenticated::ChooseFirst => StatusCode::FORBIDDEN,
            Unauthenticated::Purpose => StatusCode::BAD_REQUEST,
            Unauthenticated::Missing | Unauthenticated::Token(_) | Unauthenticated::Scopes => {
                StatusCode::UNAUTHORIZED
            }
        };
        let code = match error {
            Unauthenticated::Csrf | Unauthenticated::ChooseFirst => "forbidden",
            Unauthenticated::Purpose => "value",
            Unauthenticated::Missing | Unauthenticated::Token(_) | Unauthenticated::Scopes => {
                "login"
            }
        };
        Self::new(status, code, error.to_string())
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Hidden => Self::new(StatusCode::NOT_FOUND, "not-found", "not found"),
            Refusal::Forbidden { .. } => {
                Self::new(StatusCode::FORBIDDEN, "forbidden", refusal.to_string())
            }
        }
    }
}

impl From<JsonError> for Failure {
    fn from(error: JsonError) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "structure",
            format!("the body is not JSON: {error}"),
        )
    }
}

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            error.issue_code(),
            error.to_string(),
        )
    }
}

impl From<RecordError> for Failure {
    fn from(error: RecordError) -> Self {
        tracing::error!(%error, "an access could not be audited, so it was not answered");
        let text = match error {
            RecordError::Full => {
                "the disk is full and the audit log's reserve for ordinary reads is used up, so \
                 this request is not answered; in an emergency send `X-Purpose-Of-Use: ETREAT`. \
                 The operator has to free space"
            }
            RecordError::Stopped(_)
            | RecordError::Overloaded
            | RecordError::TooLarge
            | RecordError::Closed(_) => {
                "the audit log cannot be written, so no request is answered; the operator has to \
                 find the cause"
            }
        };
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "transient", text)
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Cursor => Self::at(
                StatusCode::BAD_REQUEST,
                "value",
                "_cursor",
                "the page link does not belong to this search; start again from the first page",
            ),
            ReadError::UnknownType(_) => {
                Self::new(StatusCode::NOT_FOUND, "not-supported", error.to_string())
            }
            ReadError::File { .. } | ReadError::Damaged { .. } if error.is_damage() => {
                Self::damaged(&error)
            }
            ReadError::File { .. } | ReadError::Server { .. } | ReadError::Damaged { .. } => {
                Self::internal(&error)
            }
        }
    }
}

impl From<PrepareError> for Failure {
    fn from(error: PrepareError) -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "structure",
            error.to_string(),
        )
    }
}

impl From<ApplyError> for Failure {
    fn from(error: ApplyError) -> Self {
        let is_overtaken = matches!(
            error,
            ApplyError::Conflict(Conflict::Version { .. } | Conflict::Condition { .. })
        );
        let failure = match &error {
            ApplyError::Conflict(Conflict::Version { found, .. }) => Self::new(
                StatusCode::PRECONDITION_FAILED,
                "conflict",
                match found {
                    Some(version) => {
                        format!("the resource is now at version {version}; read it and try again")
                    }
                    None => "the resource does not exist".to_owned(),
                },
            ),
            ApplyError::Conflict(Conflict::Condition { n_matches, .. }) => Self::new(
                StatusCode::PRECONDITION_FAILED,
                "multiple-matches",
                format!("{n_matches} or more resources match the condition"),
            ),
            ApplyError::Conflict(conflict) => {
                Self::new(StatusCode::CONFLICT, "conflict", conflict.to_string())
            }
            ApplyError::Invalid(why) => Self::new(StatusCode::BAD_REQUEST, "invalid", *why),
            ApplyError::NotPermitted { .. } => {
                Self::new(StatusCode::FORBIDDEN, "forbidden", error.to_string())
            }
            ApplyError::Overloaded => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "throttled",
                error.to_string(),
            ),
            ApplyError::Failed(_) => Self::internal(&error),
            ApplyError::Stopped { .. } => {
                tracing::error!(%error, "a write was refused");
                Self::new(
                    StatusCode::INSUFFICIENT_STORAGE,
                    "no-store",
                    "the server cannot write to its disk; nothing was stored, reads continue",
                )
            }
            ApplyError::Closed(_) => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "transient",
                "the server is shutting down; nothing was stored",
            ),
        };
        Self {
            is_overtaken,
            ..failure
        }
    }
}

/// Returns true if no issue is worse than a warning.
pub fn is_acceptable(issues: &[Issue]) -> bool {
    issues
        .iter()
        .all(|issue| issue.severity <= Severity::Warning)
}
