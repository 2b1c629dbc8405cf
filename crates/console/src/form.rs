//! The fields of a posted form, within bounds.
//!
//! Invariants:
//! - of a stranger's form no more than [`SMALL`] bytes are ever in memory;
//! - a large form is parsed off the event loop, and of no more than [`MAX_FIELDS`] fields.

use super::fault::Fault;
use super::visitor::Turned;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use futures_core::Stream;
use std::pin::pin;
use web::App;
use web::parameters::{parse, parse_within};

/// Names and values.
pub(super) type Pairs = Vec<(String, String)>;

/// The largest form of somebody who is not logged in, or who only chooses a password.
pub(super) const SMALL: usize = 64 << 10;
/// The largest form of all: a pasted message for a dry run.
pub(super) const LARGEST: usize = 32 << 20;
/// The most fields that a form has: the page of messages has one for each row.
const MAX_FIELDS: usize = 10_000;
/// So much of a refused form is read and thrown away, so that its sender gets to read why.
const THROWN_AWAY: usize = 64 << 20;

/// A form of somebody who is not logged in. Bytes that are no UTF-8 become replacement characters.
pub(super) async fn small(request: Request) -> Result<Pairs, Turned> {
    let body = gather(request.into_body()).await.map_err(Turned::page)?;
    Ok(parse(&String::from_utf8_lossy(&body)))
}

/// A form of somebody who is logged in.
pub(super) async fn large(request: Request, app: &App) -> Result<Pairs, Turned> {
    let body = Bytes::from_request(request, app).await.map_err(|error| {
        Turned::page(Fault::new(
            error.status(),
            "The form was not taken",
            error.body_text(),
            format!(
                "A form has at most {} MB; send less at once.",
                LARGEST >> 20
            ),
        ))
    })?;
    let read = move || parse_within(&String::from_utf8_lossy(&body), MAX_FIELDS);
    let pairs = tokio::task::spawn_blocking(read)
        .await
        .map_err(|error| Turned::page(Fault::internal(&error)))?;
    pairs.ok_or_else(|| {
        Turned::page(Fault::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "The form was not taken",
            format!("It has more than {MAX_FIELDS} fields."),
            "Send fewer at once.",
        ))
    })
}

/// The body, or why it is refused once the rest has been thrown away.
async fn gather(body: Body) -> Result<Vec<u8>, Fault> {
    let mut stream = pin!(body.into_data_stream());
    let (mut kept, mut n_bytes) = (Vec::new(), 0);
    while let Some(chunk) = std::future::poll_fn(|cx| stream.as_mut().poll_next(cx)).await {
        let chunk = chunk.map_err(|_| {
            Fault::new(
                StatusCode::BAD_REQUEST,
                "The form was not taken",
                "It ended before it was whole.",
                "Send it again.",
            )
        })?;
        n_bytes += chunk.len();
        if n_bytes <= SMALL {
            kept.extend_from_slice(&chunk);
        } else if THROWN_AWAY < n_bytes {
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
        "The form was not taken",
        format!("Before the login a form has at most {} kB.", SMALL >> 10),
        "Send name and password, and nothing else.",
    ))
}
