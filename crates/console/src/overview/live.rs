//! The stream `GET /console/live`: the overview's figures as server-sent events.
//!
//! Invariants:
//! - an event contains numbers, times and flow names, nothing about a patient;
//! - the stream does not keep a session alive, and ends with it;
//! - while nothing changes, only keep-alives are sent.

use super::super::markup::thousands;
use super::super::query::Query;
use super::super::visitor::peek;
use super::{Parameters, Span, View};
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_core::Stream;
use serde::Serialize;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;
use web::App;

const EVERY: Duration = Duration::from_secs(2);

/// The changed figures, by the keys of the page's elements.
#[derive(Serialize, PartialEq, Eq, Default)]
struct Change {
    texts: BTreeMap<String, String>,
    times: BTreeMap<String, String>,
    paths: BTreeMap<String, String>,
    /// The width and class of each line.
    wires: BTreeMap<String, (String, &'static str)>,
    /// The visibility of elements that are not always shown.
    shown: BTreeMap<String, bool>,
    /// The class of each state.
    states: BTreeMap<String, &'static str>,
    /// The digest of the messages that need attention.
    attention: String,
}

/// The receiving end as a stream.
struct Events(mpsc::Receiver<Event>);

/// Handles `GET /console/live`.
pub(crate) async fn live(
    State(app): State<App>,
    Query(asked): Query<Parameters>,
    parts: Parts,
) -> Response {
    if peek(&app, &parts).is_none() {
        return (StatusCode::UNAUTHORIZED, "log in first\n").into_response();
    }
    let span = match asked.span() {
        Ok(span) => span,
        Err(fault) => return fault.into_response(),
    };
    let (sender, receiver) = mpsc::channel(2);
    tokio::spawn(feed(app, parts, (span, sender)));
    Sse::new(Events(receiver))
        .keep_alive(KeepAlive::default())
        .into_response()
}

async fn feed(app: App, parts: Parts, (span, sender): (&'static Span, mpsc::Sender<Event>)) {
    let mut shown = Change::default();
    loop {
        if peek(&app, &parts).is_none() {
            return;
        }
        // A temporary read error does not end the stream.
        if let Ok(view) = super::take(&app, span, None).await {
            let change = Change::of(&view);
            if change != shown {
                let Ok(text) = serde_json::to_string(&change) else {
                    return;
                };
                if sender.send(Event::default().data(text)).await.is_err() {
                    return;
                }
                shown = change;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = sender.closed() => return,
        }
    }
}

// === impl Change ===

impl Change {
    fn of(view: &View) -> Self {
        let mut change = Self {
            attention: view.digest(),
            ..Self::default()
        };
        for number in &view.numbers {
            change
                .texts
                .insert(format!("n-{}", number.key), thousands(number.n));
            change
                .texts
                .insert(format!("under-{}", number.key), number.under.clone());
        }
        for (key, _, text) in &view.chart.rows {
            change.texts.insert(format!("chart-{key}"), text.clone());
        }
        if let Some(updated) = view.chart.updated {
            change
                .times
                .insert("chart-updated".to_owned(), updated.to_fhir());
        }
        for (key, path) in [
            ("chart-area", &view.chart.area),
            ("chart-stroke", &view.chart.stroke),
        ] {
            change.paths.insert(key.to_owned(), path.clone());
        }
        for lane in &view.lanes {
            let name = &lane.name;
            for (key, text) in [
                ("title", lane.title.as_str()),
                ("peers", &lane.peers),
                ("rate", &lane.rate),
                ("waiting", &lane.waiting),
                ("state", lane.state.1),
            ] {
                change
                    .texts
                    .insert(format!("{key}-{name}"), text.to_owned());
            }
            if let Some(since) = lane.since {
                change
                    .times
                    .insert(format!("since-{name}"), since.to_fhir());
            }
            change
                .shown
                .insert(format!("since-{name}"), lane.since.is_some());
            if let Some(last) = lane.last {
                change.times.insert(format!("last-{name}"), last.to_fhir());
            }
            for (key, path) in [
                ("area", &lane.area),
                ("stroke", &lane.stroke),
                ("failed", &lane.failed),
                ("applied-area", &lane.applied_area),
                ("applied-stroke", &lane.applied_stroke),
            ] {
                change.paths.insert(format!("{key}-{name}"), path.clone());
            }
            change
                .wires
                .insert(lane.key(), (lane.width.clone(), lane.wire));
            change
                .wires
                .insert(format!("out-{name}"), (lane.width.clone(), lane.wire));
            change.states.insert(name.clone(), lane.state.0);
        }
        change
    }
}

impl Stream for Events {
    type Item = Result<Event, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context).map(|event| event.map(Ok))
    }
}
