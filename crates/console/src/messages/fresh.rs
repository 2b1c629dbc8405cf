//! Updates for an open list of messages: how many match now, and the states of its rows.
//!
//! Invariants:
//! - the response contains numbers and state names but no message content, so it needs no entry in
//!   the audit log; showing the new rows does;
//! - polling does not keep a session alive.

use super::super::fault::Fault;
use super::super::handles::Handles;
use super::super::query::{Query, unreadable};
use super::super::visitor::peek;
use super::filter::ListQuery;
use super::list::check_flow;
use super::state_class;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use store::journal::{Filter, Page, Sequence, State as MessageState};
use web::App;

/// The update.
#[derive(Serialize)]
struct Fresh {
    /// The number of matching messages that arrived after the list was rendered.
    n: usize,
    /// True if there are more than were counted.
    more: bool,
    /// The class and name of the state of each visible row.
    states: BTreeMap<u64, (&'static str, &'static str)>,
}

/// The largest number of messages that are counted.
const MAX_COUNTED: usize = 500;
/// The largest number of rows that are looked up.
const MAX_ROWS: usize = 100;

/// Handles `GET /messages/fresh?…&after=17&rows=15,16,17`.
pub(crate) async fn fresh(
    State(app): State<App>,
    Extension(handles): Extension<Arc<Handles>>,
    Query(wanted): Query<ListQuery>,
    parts: Parts,
) -> Result<Response, Fault> {
    let Some(session) = peek(&app, &parts) else {
        return Ok((StatusCode::UNAUTHORIZED, "log in first\n").into_response());
    };
    let filter = wanted.filter(&handles, &session.user, app.clock.now())?;
    let rows = rows(&wanted.rows)?;
    let after = Sequence::new(wanted.after.unwrap_or_else(|| app.journal.last().get()));
    let work = app.clone();
    let found = tokio::task::spawn_blocking(move || look(&work, &filter, (after, &rows)));
    let found = found.await.map_err(|error| Fault::internal(&error))??;
    Ok(Json(found).into_response())
}

fn rows(text: &str) -> Result<Vec<Sequence>, Fault> {
    let read = |number: &str| {
        let number: Result<u64, _> = number.parse();
        number
            .map(Sequence::new)
            .map_err(|_| unreadable("rows", text, "message numbers separated by commas"))
    };
    text.split(',')
        .filter(|number| !number.is_empty())
        .take(MAX_ROWS)
        .map(read)
        .collect()
}

fn look(
    app: &App,
    filter: &Filter,
    (after, rows): (Sequence, &[Sequence]),
) -> Result<Fresh, Fault> {
    check_flow(app, filter)?;
    let mut states = BTreeMap::new();
    for sequence in rows {
        let progress = app.journal.ledger().progress(*sequence)?;
        let state = progress.map_or(MessageState::Received, |progress| progress.state);
        states.insert(sequence.get(), (state_class(state), state.word()));
    }
    let page = Page {
        before: None,
        limit: MAX_COUNTED,
    };
    let listing = app.journal.list(filter, page)?;
    let n = listing
        .rows
        .iter()
        .take_while(|row| after < row.sequence)
        .count();
    Ok(Fresh {
        n,
        more: n == MAX_COUNTED,
        states,
    })
}
