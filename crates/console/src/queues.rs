//! The queues page: everything that waits, by flow and partition, with the one action that helps.
//!
//! Invariant: every number comes from the journal and the ledger; nothing here names a patient (a
//! partition is named by the message that blocks it).

use super::fault::Fault;
use super::frame::{Frame, Place, page};
use super::handles::Handles;
use super::markup::{Moment, count, thousands};
use super::messages::readable;
use super::messages::{Batches, Shown};
use super::overview::{Group, Lane, groups};
use super::visitor::Visitor;
use super::words;
use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use base::Timestamp;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use store::journal::{Filter, Page, Queued, Sequence, State as MessageState};
use web::App;

#[derive(Template)]
#[template(path = "queues/page.html")]
struct QueuesPage {
    frame: Frame,
    view: View,
}

/// Everything that waits, at one moment.
struct View {
    at: Timestamp,
    flows: Vec<FlowLine>,
    parked: Vec<ParkedLine>,
    groups: Vec<Group>,
    in_doubt: Vec<Queued>,
    n_replays: usize,
    bulks: Vec<Shown>,
}

/// The waiting messages of one flow.
struct FlowLine {
    name: String,
    state: (&'static str, &'static str),
    waiting: u64,
    /// The oldest message in progress.
    oldest: Option<(Sequence, Timestamp)>,
    held: usize,
    parked: usize,
    attention: u64,
}

/// A partition that waits behind a failed message.
struct ParkedLine {
    flow: String,
    head: Sequence,
    reason: String,
    since: Timestamp,
    n_behind: usize,
}

/// The largest number of messages read for each kind.
const MAX_SEEN: usize = 1_000;
/// The largest number of bulk actions listed.
const MAX_BULKS: usize = 10;

// === impl View ===

impl View {
    /// Reads the view. Blocks, so async code must not call it on its own thread.
    fn take(app: &App, batches: &Batches, kept: (&Handles, &str)) -> Result<Self, Fault> {
        let snapshot = app.engine.snapshot().map_err(Fault::from)?;
        let ledger = app.journal.ledger();
        let parked = with_state(app, MessageState::Parked)?;
        let held = with_state(app, MessageState::Held)?;
        let mut oldest: HashMap<String, Sequence> = HashMap::new();
        for waiting in app.journal.unprocessed(Sequence::ZERO, MAX_SEEN)? {
            oldest.entry(waiting.flow).or_insert(waiting.sequence);
        }
        let mut flows = Vec::new();
        for flow in &snapshot.flows {
            let of_flow = |rows: &[(String, Sequence)]| {
                rows.iter().filter(|(name, _)| *name == flow.name).count()
            };
            let first = oldest.get(&flow.name).copied();
            let first = first.map(|sequence| readable(app, sequence)).transpose()?;
            flows.push(FlowLine {
                name: flow.name.clone(),
                state: Lane::of(flow, snapshot.at).state,
                waiting: flow.waiting,
                oldest: first
                    .flatten()
                    .map(|stored| (stored.summary.sequence, stored.summary.received)),
                held: of_flow(&held),
                parked: of_flow(&parked),
                attention: flow.needs_attention,
            });
        }
        Ok(Self {
            at: snapshot.at,
            flows,
            parked: partitions(app, &parked)?,
            groups: groups(app, snapshot.at, Some(kept))?,
            in_doubt: ledger.in_doubt()?,
            n_replays: ledger.replays_open()?.len(),
            bulks: batches.newest(app, MAX_BULKS)?,
        })
    }

    fn n_attention(&self) -> String {
        let n = self.groups.iter().map(|group| group.n).sum();
        count(n, "message", "messages")
    }

    fn in_all(&self) -> String {
        let waiting: u64 = self.flows.iter().map(|flow| flow.waiting).sum();
        let held: usize = self.flows.iter().map(|flow| flow.held).sum();
        let parked: usize = self.flows.iter().map(|flow| flow.parked).sum();
        format!(
            "{} in progress, {} held, {} parked behind {}",
            thousands(waiting),
            thousands(held as u64),
            thousands(parked as u64),
            count(self.parked.len() as u64, "message", "messages"),
        )
    }
}

/// Returns the flow and number of the newest messages in a state.
fn with_state(app: &App, state: MessageState) -> Result<Vec<(String, Sequence)>, Fault> {
    let filter = Filter {
        state: Some(state),
        ..Filter::default()
    };
    let page = Page {
        before: None,
        limit: MAX_SEEN,
    };
    let rows = app.journal.list(&filter, page)?.rows.into_iter();
    Ok(rows.map(|row| (row.flow, row.sequence)).collect())
}

/// Returns the parked partitions, oldest first, with the number of messages waiting in each.
fn partitions(app: &App, parked: &[(String, Sequence)]) -> Result<Vec<ParkedLine>, Fault> {
    let ledger = app.journal.ledger();
    let mut behind: BTreeMap<(String, String), usize> = BTreeMap::new();
    for (flow, sequence) in parked {
        if let Some(progress) = ledger.progress(*sequence)? {
            *behind
                .entry((flow.clone(), progress.partition))
                .or_default() += 1;
        }
    }
    let mut lines: Vec<ParkedLine> = ledger
        .parked()?
        .into_iter()
        .map(|parked| ParkedLine {
            n_behind: behind
                .get(&(parked.flow.clone(), parked.partition))
                .copied()
                .unwrap_or(0),
            flow: parked.flow,
            head: parked.head,
            reason: parked.reason,
            since: parked.since,
        })
        .collect();
    lines.sort_by_key(|line| line.since);
    Ok(lines)
}

/// Handles `GET /queues`.
pub(super) async fn show(
    State(app): State<App>,
    Extension(batches): Extension<Arc<Batches>>,
    Extension(handles): Extension<Arc<Handles>>,
    visitor: Visitor,
) -> Result<Response, Fault> {
    let work = app.clone();
    let user = visitor.user().to_owned();
    let view = tokio::task::spawn_blocking(move || View::take(&work, &batches, (&handles, &user)))
        .await
        .map_err(|error| Fault::internal(&error))??;
    page(&QueuesPage {
        frame: Frame::new(&visitor, Place::Queues, "Queues"),
        view,
    })
}
