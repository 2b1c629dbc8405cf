//! The list of messages.

use super::super::fault::Fault;
use super::super::frame::{Frame, Place, page};
use super::super::handles::Handles;
use super::super::markup::{Moment, count, thousands};
use super::super::query::{Query, known};
use super::super::visitor::Visitor;
use super::super::words as reasons;
use super::fields::Line;
use super::filter::{Chip, Choice, ListQuery, OPEN, SPANS, TYPES, of_visitor};
use super::open::Opened;
use super::{readable, state_class};
use access::Interaction;
use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use std::sync::Arc;
use store::journal::{Filter, Page, State as MessageState, Summary};
use web::App;
use web::trail::Touched;

const PAGE: usize = 50;
/// The size limit for messages whose acknowledgement appears in the list. That of a larger one is
/// shown only with the message.
const SMALL: usize = 64 << 10;

/// One row of the list.
pub(crate) struct Row {
    pub(crate) summary: Summary,
    /// The acknowledgement code, such as `AA`, if the sender has it.
    pub(crate) acknowledged: String,
    /// The time from receipt to the chart.
    pub(crate) took: String,
}

/// One page of the list.
pub(crate) struct ListPart {
    pub(crate) wanted: ListQuery,
    pub(crate) chips: Vec<Chip>,
    pub(crate) flows: Vec<Choice>,
    pub(crate) types: Vec<Choice>,
    pub(crate) states: Vec<Choice>,
    pub(crate) spans: Vec<Choice>,
    pub(crate) rows: Vec<Row>,
    /// The count, such as `12,345 messages, newest first`.
    pub(crate) how_many: String,
    pub(crate) next: Option<u64>,
    pub(crate) text_lag: u64,
    /// The journal's last message when the list was rendered.
    pub(crate) newest: u64,
}

#[derive(Template)]
#[template(path = "messages/page.html")]
pub(super) struct MessagesPage {
    pub(super) frame: Frame,
    pub(super) listed: ListPart,
    pub(super) opened: Option<Opened>,
}

// === impl Row ===

impl Row {
    pub(crate) fn patient(&self) -> String {
        let patients = &self.summary.header.patients;
        match patients.as_slice() {
            [] => String::new(),
            [one] => one.clone(),
            [first, rest @ ..] => format!("{first} +{}", rest.len()),
        }
    }

    pub(crate) fn kind(&self) -> &str {
        match self.summary.header.message_type.as_str() {
            "" => "no message",
            kind => kind,
        }
    }

    pub(crate) fn state(&self) -> &'static str {
        self.summary.state.word()
    }

    pub(crate) fn class(&self) -> &'static str {
        state_class(self.summary.state)
    }
}

// === impl ListPart ===

impl ListPart {
    pub(crate) fn query(&self) -> String {
        self.wanted.query()
    }

    pub(crate) fn next_address(&self) -> Option<String> {
        let query = self.query();
        let and = if query.is_empty() { "" } else { "&" };
        self.next
            .map(|before| format!("/messages?{query}{and}before={before}"))
    }

    /// Returns the filter menus.
    pub(crate) fn menus(&self) -> [(&'static str, &[Choice]); 4] {
        [
            ("Flow", &self.flows),
            ("Type", &self.types),
            ("State", &self.states),
            ("Time", &self.spans),
        ]
    }

    /// Returns the address that a script polls for updates.
    pub(crate) fn fresh_address(&self) -> String {
        let query = self.query();
        let and = if query.is_empty() { "" } else { "&" };
        format!("/messages/fresh?{query}{and}after={}", self.newest)
    }

    pub(crate) fn issues_address(&self) -> String {
        format!("/messages?{}", self.wanted.query_with("issues", "1"))
    }

    /// Reads one page. Blocks, so async code must not call it on its own thread.
    pub(super) fn take(
        app: &App,
        wanted: ListQuery,
        filter: &Filter,
        (handles, user): (&Handles, &str),
    ) -> Result<Self, Fault> {
        check_flow(app, filter)?;
        let newest = app.journal.last().get();
        let listing = app.journal.list(
            filter,
            Page {
                before: wanted.before(),
                limit: PAGE,
            },
        )?;
        let rows = listing
            .rows
            .into_iter()
            .map(|summary| row(app, summary))
            .collect::<Result<Vec<_>, Fault>>()?;
        let flows = flow_names(app);
        let states = std::iter::once((OPEN, "waits for a person"));
        let states = states.chain(
            MessageState::ALL
                .iter()
                .map(|state| (state.word(), state.word())),
        );
        Ok(Self {
            how_many: how_many(app, filter, &wanted, rows.len(), listing.next.is_some())?,
            chips: wanted.chips(handles, user),
            flows: wanted.choices(
                "flow",
                flows.iter().map(|flow| (flow.as_str(), flow.as_str())),
            ),
            types: wanted.choices("type", TYPES.map(|kind| (kind, kind))),
            states: wanted.choices("state", states),
            spans: wanted.choices("since", SPANS.map(|(code, words, _)| (code, words))),
            rows,
            newest,
            next: listing.next.map(store::journal::Sequence::get),
            text_lag: listing.text_lag.unwrap_or(0),
            wanted,
        })
    }
}

/// Refuses a filter on a flow that never existed: that is an error, not an empty list.
pub(super) fn check_flow(app: &App, filter: &Filter) -> Result<(), Fault> {
    match &filter.flow {
        Some(flow) => known("flow", flow, app.known_flows()?.iter().map(String::as_str)),
        None => Ok(()),
    }
}

/// Returns the names of all flows, in the order of the configuration.
pub(super) fn flow_names(app: &App) -> Vec<String> {
    let addresses = app.engine.addresses();
    addresses.into_iter().map(|(flow, _)| flow).collect()
}

fn row(app: &App, summary: Summary) -> Result<Row, Fault> {
    let mut acknowledged = String::new();
    if summary.n_bytes <= SMALL
        && let Some(stored) = readable(app, summary.sequence)?
    {
        acknowledged = stored
            .acknowledgement
            .map(|answer| answer.code)
            .unwrap_or_default();
    }
    let took = match summary.state {
        MessageState::Mapped | MessageState::Delivered => {
            let applied = app.chart.applied(&app.chart.key_of(summary.sequence))?;
            applied
                .last()
                .map(|first| latency(first.at.micros() - summary.received.micros()))
        }
        MessageState::Received
        | MessageState::Filtered
        | MessageState::Held
        | MessageState::Parked
        | MessageState::Dead
        | MessageState::NeedsAttention => None,
    };
    Ok(Row {
        summary,
        acknowledged,
        took: took.unwrap_or_default(),
    })
}

/// Formats a duration: `12 ms`, `3.4 s`, `5 min`.
pub(super) fn latency(micros: i64) -> String {
    match micros.max(0) {
        micros @ 0..1_000 => format!("{micros} µs"),
        micros @ 1_000..1_000_000 => format!("{} ms", micros / 1_000),
        micros @ 1_000_000..120_000_000 => format!("{:.1} s", micros as f64 / 1_000_000.0),
        micros => format!("{} min", micros / 60_000_000),
    }
}

/// Returns the count in words. The journal keeps totals by flow and state; with other filters the
/// count stops early.
fn how_many(
    app: &App,
    filter: &Filter,
    wanted: &ListQuery,
    n_rows: usize,
    has_more: bool,
) -> Result<String, Fault> {
    let is_counted = *filter
        == Filter {
            flow: filter.flow.clone(),
            any_of: filter.any_of.clone(),
            ..Filter::default()
        };
    if is_counted {
        let counts = app.journal.counts()?;
        let of = counts.iter().filter(|count| {
            filter.flow.as_ref().is_none_or(|flow| *flow == count.flow)
                && (filter.any_of.is_empty() || filter.any_of.contains(&count.state))
        });
        let n = of.map(|count| count.n).sum();
        return Ok(format!("{}, newest first", count(n, "message", "messages")));
    }
    let n = thousands(n_rows as u64);
    Ok(match (has_more, wanted.before.is_some()) {
        (false, false) => format!(
            "{}, newest first",
            count(n_rows as u64, "message", "messages")
        ),
        (false, true) => format!("the last {n}, newest first"),
        (true, _) => format!("{n} on this page, and more; newest first"),
    })
}

/// Handles `GET /messages`.
pub(crate) async fn list(
    State(app): State<App>,
    Extension(handles): Extension<Arc<Handles>>,
    visitor: Visitor,
    Query(wanted): Query<ListQuery>,
) -> Result<Response, Fault> {
    let listed = audited_list(&app, &handles, &visitor, wanted).await?;
    page(&MessagesPage {
        frame: Frame::new(&visitor, Place::Messages, "Messages"),
        listed,
        opened: None,
    })
}

/// Returns the list and audits the access.
pub(super) async fn audited_list(
    app: &App,
    handles: &Arc<Handles>,
    visitor: &Visitor,
    wanted: ListQuery,
) -> Result<ListPart, Fault> {
    visitor.permit(app, Interaction::Messages, None).await?;
    let filter = of_visitor(&wanted, handles, visitor, app.clock.now())?;
    let target = format!("messages?{}", wanted.names().join("&"));
    let (work, handles, user) = (app.clone(), Arc::clone(handles), visitor.user().to_owned());
    let taken = tokio::task::spawn_blocking(move || {
        ListPart::take(&work, wanted, &filter, (&handles, &user))
    });
    let listed = taken.await.map_err(|error| Fault::internal(&error))??;
    let touched = Touched {
        resource_type: "message".to_owned(),
        target,
        patients: Vec::new(),
    };
    visitor.record(app, "search", touched).await?;
    Ok(listed)
}

/// Returns some messages for another page, such as the search, which audits the access itself.
pub(crate) fn some_rows(app: &App, filter: &Filter, limit: usize) -> Result<Vec<Row>, Fault> {
    let listing = app.journal.list(
        filter,
        Page {
            before: None,
            limit,
        },
    )?;
    listing
        .rows
        .into_iter()
        .map(|summary| row(app, summary))
        .collect()
}
