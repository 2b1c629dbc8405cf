//! The overview: four figures, the live diagram and the messages that need attention.
//!
//! Invariant: every figure comes from the journal or the chart, so it survives a restart; nothing
//! here names a patient.

mod attention;
mod live;
mod notice;
mod picture;

pub(super) use attention::{Group, address as attention_address, groups};
pub(super) use live::live;
pub(super) use notice::seen;
pub(super) use picture::Lane;

use super::fault::Fault;
use super::frame::{Frame, Place, page};
use super::handles::Handles;
use super::markup::{Moment, count, thousands};
use super::query::{Query, known};
use super::visitor::Visitor;
use super::words;
use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use base::Timestamp;
use flow::Snapshot;
use std::sync::Arc;
use store::chart::Statistics;
use store::journal::{Notice, Rated, State as MessageState};
use web::App;

/// All data of the overview at one moment.
pub(super) struct View {
    pub(super) at: Timestamp,
    pub(super) span: &'static Span,
    pub(super) numbers: Vec<Number>,
    pub(super) lanes: Vec<Lane>,
    pub(super) chart: ChartNode,
    pub(super) groups: Vec<Group>,
    /// The reasons why nothing is accepted or written, if that is so.
    pub(super) stopped: Vec<String>,
    /// The store incidents that nobody has acknowledged yet.
    pub(super) notices: Vec<Notice>,
}

/// One of the four figures.
pub(super) struct Number {
    pub(super) key: &'static str,
    pub(super) label: &'static str,
    pub(super) class: &'static str,
    pub(super) n: u64,
    pub(super) under: String,
    pub(super) address: String,
}

/// The destination in the diagram.
pub(super) struct ChartNode {
    pub(super) rows: Vec<(&'static str, &'static str, String)>,
    pub(super) updated: Option<Timestamp>,
    /// The curve of what reached the chart in the last hour.
    pub(super) area: String,
    pub(super) stroke: String,
}

#[derive(Template)]
#[template(path = "overview/page.html")]
struct OverviewPage {
    frame: Frame,
    view: View,
}

#[derive(Template)]
#[template(path = "overview/attention.html")]
struct AttentionPart<'a> {
    csrf: &'a str,
    view: &'a View,
}

/// The time span that the figures cover.
pub(super) struct Span {
    code: &'static str,
    words: &'static str,
    /// The description of the comparison span.
    before: &'static str,
    micros: i64,
    /// The distance back to the start of the comparison span.
    ago: i64,
}

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;
const SPANS: [Span; 3] = [
    Span {
        code: "1h",
        words: "last hour",
        before: "in the hour before",
        micros: HOUR,
        ago: 2 * HOUR,
    },
    Span {
        code: "24h",
        words: "last 24 hours",
        before: "a week ago",
        micros: DAY,
        ago: 8 * DAY,
    },
    Span {
        code: "7d",
        words: "last 7 days",
        before: "in the 7 days before",
        micros: 7 * DAY,
        ago: 14 * DAY,
    },
];

#[derive(serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Parameters {
    span: String,
}

// === impl Parameters ===

impl Default for Parameters {
    fn default() -> Self {
        Self {
            span: "24h".to_owned(),
        }
    }
}

impl Parameters {
    /// Returns the requested span, or the last day by default.
    pub(super) fn span(&self) -> Result<&'static Span, Fault> {
        const TODAY: &Span = &SPANS[1];
        known("span", &self.span, SPANS.iter().map(|span| span.code))?;
        let asked = SPANS.iter().find(|span| span.code == self.span);
        Ok(asked.unwrap_or(TODAY))
    }
}

// === impl View ===

impl View {
    /// Reads the view. Blocks, so async code must not call it on its own thread.
    pub(super) fn take(
        app: &App,
        span: &'static Span,
        kept: Option<(&Handles, &str)>,
    ) -> Result<Self, Fault> {
        let snapshot = app
            .engine
            .snapshot()
            .map_err(|error| Fault::internal(&error))?;
        let statistics = app.chart.statistics()?;
        let at = snapshot.at;
        // The current minute counts too.
        let soon = Timestamp::from_micros(at.micros() + 60_000_000);
        let back = |micros: i64| Timestamp::from_micros(at.micros() - micros);
        let now = Totals::of(app, back(span.micros), soon)?;
        let before = Totals::of(app, back(span.ago), back(span.ago - span.micros))?;
        let mut stopped = Vec::new();
        // The frame explains a full disk, once for every page.
        if app.audit.reserve().is_none() {
            let journal = app.journal.stopped();
            stopped
                .extend(journal.map(|error| format!("The journal accepts no messages: {error}.")));
            let chart = app.chart.stopped();
            stopped.extend(chart.map(|error| format!("The chart accepts no writes: {error}.")));
            let ledger = app.journal.ledger().stopped();
            stopped.extend(ledger.map(|error| format!("The ledger accepts no changes: {error}.")));
        }
        stopped.extend(notice::damage(app));
        Ok(Self {
            at,
            span,
            numbers: numbers(&snapshot, now, (before, span)),
            lanes: snapshot
                .flows
                .iter()
                .map(|flow| Lane::of(flow, at))
                .collect(),
            chart: ChartNode::of(&statistics, &snapshot),
            groups: attention::groups(app, at, kept)?,
            stopped,
            notices: app.journal.ledger().notices()?,
        })
    }

    /// Returns the address, the label and whether the span is selected.
    fn spans(&self) -> Vec<(String, &'static str, bool)> {
        let chip = |span: &'static Span| {
            let is_on = span.code == self.span.code;
            (format!("/?span={}", span.code), span.words, is_on)
        };
        SPANS.iter().map(chip).collect()
    }

    fn digest(&self) -> String {
        attention::digest(&self.groups)
    }

    fn wires(&self) -> Vec<picture::Wire> {
        picture::wires(&self.lanes)
    }

    fn n_attention(&self) -> String {
        let n = self.groups.iter().map(|group| group.n).sum();
        count(n, "message", "messages")
    }
}

/// The totals of a time span.
#[derive(Clone, Copy, Default)]
struct Totals {
    received: u64,
    applied: u64,
}

// === impl Totals ===

impl Totals {
    fn of(app: &App, from: Timestamp, until: Timestamp) -> Result<Self, Fault> {
        let mut sums = Self::default();
        for rate in app.journal.rates(from, until)? {
            match rate.rated {
                Rated::Received => sums.received += rate.n,
                Rated::Became(MessageState::Mapped | MessageState::Delivered) => {
                    sums.applied += rate.n;
                }
                Rated::Repeated
                | Rated::Became(
                    MessageState::Received
                    | MessageState::Filtered
                    | MessageState::Held
                    | MessageState::Parked
                    | MessageState::Dead
                    | MessageState::NeedsAttention,
                ) => {}
            }
        }
        Ok(sums)
    }
}

fn numbers(snapshot: &Snapshot, now: Totals, (before, span): (Totals, &Span)) -> Vec<Number> {
    let total = |of: fn(&flow::FlowSnapshot) -> u64| snapshot.total(of);
    let (waiting, held) = (total(|flow| flow.waiting), total(|flow| flow.held));
    let attention = total(|flow| flow.needs_attention);
    let compared = |all: u64, before: u64| {
        format!(
            "{} {}, {} in total",
            thousands(before),
            span.before,
            thousands(all)
        )
    };
    vec![
        Number {
            key: "received",
            label: "Received",
            class: "",
            n: now.received,
            under: compared(total(|flow| flow.received), before.received),
            address: format!("/messages?since={}", span.code),
        },
        Number {
            key: "applied",
            label: "Applied to the chart",
            class: "",
            n: now.applied,
            under: compared(total(|flow| flow.applied), before.applied),
            address: format!("/messages?state=mapped&since={}", span.code),
        },
        Number {
            key: "waiting",
            label: "Waiting",
            class: if 100 < waiting { "wait" } else { "" },
            n: waiting,
            under: "on disk, on the way to the chart".to_owned(),
            address: "/messages?state=received".to_owned(),
        },
        Number {
            key: "attention",
            label: "Needs attention",
            class: if 0 < attention + held { "bad" } else { "" },
            n: attention + held,
            under: format!("of these held or parked: {}", thousands(held)),
            address: attention::address(),
        },
    ]
}

// === impl Number ===

impl Number {
    fn text(&self) -> String {
        thousands(self.n)
    }
}

// === impl ChartNode ===

impl ChartNode {
    fn of(statistics: &Statistics, snapshot: &Snapshot) -> Self {
        let (area, stroke) = picture::together(&snapshot.flows);
        let of_type = |name: &str| {
            let found = statistics
                .resources
                .iter()
                .find(|(known, _)| *known == name);
            found.map_or(0, |(_, n)| *n)
        };
        let all = statistics.resources.iter().map(|(_, n)| n).sum();
        let megabytes = statistics.bytes.div_ceil(1 << 20);
        Self {
            rows: vec![
                ("resources", "resources", thousands(all)),
                ("patients", "patient records", thousands(of_type("Patient"))),
                ("versions", "versions", thousands(statistics.versions)),
                (
                    "queued",
                    "to be written",
                    thousands(statistics.queued as u64),
                ),
                ("bytes", "on disk", format!("{} MB", thousands(megabytes))),
            ],
            updated: statistics.updated,
            area,
            stroke,
        }
    }
}

async fn take(
    app: &App,
    span: &'static Span,
    kept: Option<(Arc<Handles>, String)>,
) -> Result<View, Fault> {
    let app = app.clone();
    tokio::task::spawn_blocking(move || {
        let kept = kept
            .as_ref()
            .map(|(handles, user)| (&**handles, user.as_str()));
        View::take(&app, span, kept)
    })
    .await
    .map_err(|error| Fault::internal(&error))?
}

/// Handles `GET /`.
pub(super) async fn show(
    State(app): State<App>,
    Extension(handles): Extension<Arc<Handles>>,
    visitor: Visitor,
    Query(asked): Query<Parameters>,
) -> Result<Response, Fault> {
    let kept = Some((handles, visitor.user().to_owned()));
    let view = take(&app, asked.span()?, kept).await?;
    page(&OverviewPage {
        frame: Frame::new(&visitor, Place::Overview, "Overview"),
        view,
    })
}

/// Handles `GET /console/attention`: the list again, for the open page.
pub(super) async fn attention(
    State(app): State<App>,
    Extension(handles): Extension<Arc<Handles>>,
    visitor: Visitor,
) -> Result<Response, Fault> {
    let kept = Some((handles, visitor.user().to_owned()));
    let view = take(&app, Parameters::default().span()?, kept).await?;
    page(&AttentionPart {
        csrf: &visitor.session.csrf,
        view: &view,
    })
}
