//! Posted forms, read within limits.
//!
//! Invariants:
//! - no more than [`SMALL`] bytes of an anonymous form are ever in memory;
//! - a large form is parsed off the event loop, with no more than [`MAX_FIELDS`] fields.

use super::fault::Fault;
use super::visitor::Rejected;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use futures_core::Stream;
use std::pin::pin;
use web::App;
use web::parameters::{parse, parse_within};

/// The names and values of a form.
pub(super) type Pairs = Vec<(String, String)>;

/// The size limit for people who are not logged in, or who only choose a password.
pub(super) const SMALL: usize = 64 << 10;
/// The size limit of any form: a pasted message for a dry run.
pub(super) const LARGEST: usize = 32 << 20;
/// The field limit: the list of messages has one field per row.
const MAX_FIELDS: usize = 10_000;
/// The number of bytes of a refused form that are read and discarded, so that its sender receives
/// the reason.
const MAX_DISCARDED: usize = 64 << 20;

/// Reads the form of a person who is not logged in. Bytes that are not valid UTF-8 become
/// replacement characters.
pub(super) async fn small(request: Request) -> Result<Pairs, Rejected> {
    let body = gather(request.into_body()).await.map_err(Rejected::page)?;
    Ok(parse(&String::from_utf8_lossy(&body)))
}

/// Reads the form of a person who is logged in.
pub(super) async fn large(request: Request, app: &App) -> Result<Pairs, Rejected> {
    let body = Bytes::from_request(request, app).await.map_err(|error| {
        Rejected::page(Fault::new(
            error.status(),
            "The form was not accepted",
            error.body_text(),
            format!(
                "A form may have at most {} MB; send less at once.",
                LARGEST >> 20
            ),
        ))
    })?;
    let read = move || parse_within(&String::from_utf8_lossy(&body), MAX_FIELDS);
    let pairs = tokio::task::spawn_blocking(read)
        .await
        .map_err(|error| Rejected::page(Fault::internal(&error)))?;
    pairs.ok_or_else(|| {
        Rejected::page(Fault::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "The form was not accepted",
            format!("It has more than {MAX_FIELDS} fields."),
            "Send fewer at once.",
        ))
    })
}

/// Reads the body. If it is refused, discards the rest first.
async fn gather(body: Body) -> Result<Vec<u8>, Fault> {
    let mut stream = pin!(body.into_data_stream());
    let (mut kept, mut n_bytes) = (Vec::new(), 0);
    while let Some(chunk) = std::future::poll_fn(|cx| stream.as_mut().poll_next(cx)).await {
        let chunk = chunk.map_err(|_| {
            Fault::new(
                StatusCode::BAD_REQUEST,
                "The form was not accepted",
                "It ended before it was complete.",
                "Send it again.",
            )
        })?;
        n_bytes += chunk.len();
        if n_bytes <= SMALL {
            kept.extend_from_slice(&chunk);
        } else if MAX_DISCARDED < n_bytes {
            break;
        } else {
            kept = Vec::new();
        }
    }
    if n_bytes <= SMALL {
        return Ok(kept);
    }
    Err(Fault::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "The form was not accepted",
        format!("Before login, a form may have at most {} kB.", SMALL >> 10),
        "Send only the name and the password.",
    ))
}
