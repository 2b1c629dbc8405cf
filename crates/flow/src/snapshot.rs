//! Snapshots of the flows for the console. Every number comes from the journal and survives a
//! restart.

use crate::control::{ControlError, Stopped};
use crate::feed::{Feed, Known, Sender};
use crate::flow::Flow;
use crate::step::work::Work;
use base::Timestamp;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use store::journal::{Filter, Page, Rated, State};

/// All flows at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Time of the snapshot.
    pub at: Timestamp,
    /// Flows in the order of the configuration.
    pub flows: Vec<FlowSnapshot>,
}

/// One flow at one moment.
#[derive(Clone, Debug, Default)]
pub struct FlowSnapshot {
    /// Flow name.
    pub name: String,
    /// Address on which the flow listens.
    pub address: Option<SocketAddr>,
    /// Running state.
    pub state: FlowState,
    /// Person who stopped the flow, and when, where a person did.
    pub stopped_by: Option<Stopped>,
    /// Name of the source in the configuration.
    pub title: Option<String>,
    /// Senders of the flow, most recent first.
    pub senders: Vec<Sender>,
    /// Health of the source.
    pub feed: Feed,
    /// Open connections.
    pub connections: usize,
    /// Messages in the journal.
    pub received: u64,
    /// Messages in the chart that need no attention.
    pub applied: u64,
    /// Messages in progress.
    pub waiting: u64,
    /// Messages that a person has to look at: refused, failed, dead, or in the chart with a
    /// concern.
    pub needs_attention: u64,
    /// Messages set aside for good by a filter or a person.
    pub filtered: u64,
    /// Messages held until somebody releases them.
    pub held: u64,
    /// Time of the last message.
    pub last_received: Option<Timestamp>,
    /// Last 60 minutes, oldest first, the current one last.
    pub minutes: Vec<Minute>,
}

/// Counts of one minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Minute {
    /// Messages received.
    pub received: u32,
    /// Messages that reached the chart.
    pub applied: u32,
    /// Messages that began to need attention.
    pub failed: u32,
}

/// The state of a flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FlowState {
    /// The flow accepts messages.
    #[default]
    Running,
    /// The flow accepts no new messages and finishes those it has.
    Draining,
    /// The flow accepts no messages because of a disk error or a full disk.
    Stopped,
    /// A person stopped the flow: it listens nowhere until it is started again.
    Off,
}

// === impl Snapshot ===

impl Snapshot {
    /// Returns the sum of one number over all flows, such as `snapshot.total(|flow|
    /// flow.received)`.
    pub fn total(&self, of: impl Fn(&FlowSnapshot) -> u64) -> u64 {
        self.flows.iter().map(of).sum()
    }
}

// === impl FlowState ===

impl FlowState {
    /// Returns the word for this state.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Draining => "draining",
            Self::Stopped => "stopped",
            Self::Off => "off",
        }
    }
}

const MINUTE: i64 = 60_000_000;
const MINUTES: i64 = 60;
const DAY: i64 = 24 * 60 * MINUTE;

/// Takes a snapshot from the journal.
pub(crate) fn take(work: &Work, flows: &[Arc<Flow>]) -> Result<Snapshot, ControlError> {
    let at = work.clock.now();
    let this_minute = at.micros() - at.micros().rem_euclid(MINUTE);
    let first = this_minute - (MINUTES - 1) * MINUTE;
    let mut shown: Vec<FlowSnapshot> = flows.iter().map(|flow| at_rest(flow)).collect();
    for count in work.journal.counts()? {
        if let Some(flow) = shown.iter_mut().find(|flow| flow.name == count.flow) {
            flow.add(count.state, count.n);
        }
    }
    let (from, until) = (
        Timestamp::from_micros(first),
        Timestamp::from_micros(this_minute + MINUTE),
    );
    for rate in work.journal.rates(from, until)? {
        let idx = (rate.minute.micros() - first) / MINUTE;
        let minute = shown
            .iter_mut()
            .find(|flow| flow.name == rate.flow)
            .and_then(|flow| flow.minutes.get_mut(usize::try_from(idx).ok()?));
        if let Some(minute) = minute {
            minute.add(rate.rated, u32::try_from(rate.n).unwrap_or(u32::MAX));
        }
    }
    for stopped in work.journal.ledger().flows_stopped()? {
        if let Some(flow) = shown.iter_mut().find(|flow| flow.name == stopped.flow) {
            flow.stopped_by = Some(Stopped::of(stopped));
        }
    }
    for flow in &mut shown {
        let filter = Filter {
            flow: Some(flow.name.clone()),
            ..Filter::default()
        };
        let newest = work.journal.list(
            &filter,
            Page {
                before: None,
                limit: 1,
            },
        )?;
        flow.last_received = newest.rows.first().map(|row| row.received);
    }
    for (shown, flow) in shown.iter_mut().zip(flows) {
        let known = Known {
            connections: shown.connections,
            lost: flow.lost.since(),
            last: shown.last_received,
            gap_minutes: longest_gap(&shown.minutes),
            ..Known::default()
        };
        shown.feed = Feed::judge(&before(work, &shown.name, known, at)?, at);
    }
    Ok(Snapshot { at, flows: shown })
}

/// Adds what arrived in the same hours of earlier days, where a silence is long enough to matter.
fn before(work: &Work, flow: &str, known: Known, at: Timestamp) -> Result<Known, ControlError> {
    let Some(last) = known.last else {
        return Ok(known);
    };
    // A silence of several days is judged by its last day.
    let began = last.micros().max(at.micros() - DAY);
    if at.micros() - began < 10 * MINUTE {
        return Ok(known);
    }
    let any = |from: i64, until: i64| -> Result<bool, ControlError> {
        let span = (Timestamp::from_micros(from), Timestamp::from_micros(until));
        let rates = work.journal.rates(span.0, span.1)?;
        let mut received = rates.iter().filter(|rate| rate.rated == Rated::Received);
        Ok(received.any(|rate| rate.flow == flow))
    };
    let ago = |days: i64| -> Result<Option<bool>, ControlError> {
        let (from, until) = (began - days * DAY, at.micros() - days * DAY);
        // Where nothing is known around that time, nothing is known of that day.
        if any(from - DAY / 2, until + DAY / 2)? {
            Ok(Some(any(from, until)?))
        } else {
            Ok(None)
        }
    };
    Ok(Known {
        yesterday: ago(1)?,
        last_week: ago(7)?,
        ..known
    })
}

/// Returns the longest run of minutes without a message between two minutes with one.
fn longest_gap(minutes: &[Minute]) -> usize {
    let with = minutes.iter().enumerate();
    let with: Vec<usize> = with
        .filter(|(_, minute)| 0 < minute.received)
        .map(|(idx, _)| idx)
        .collect();
    let gaps = with.iter().zip(with.iter().skip(1));
    gaps.map(|(one, next)| next - one).max().unwrap_or(0)
}

fn at_rest(flow: &Flow) -> FlowSnapshot {
    FlowSnapshot {
        name: flow.name().to_owned(),
        address: flow.address.get().copied(),
        state: flow.state(),
        connections: flow.connections.load(Ordering::Relaxed),
        title: flow.config.sender.clone(),
        senders: flow.senders.all(),
        minutes: vec![Minute::default(); MINUTES as usize],
        ..FlowSnapshot::default()
    }
}

// === impl FlowSnapshot ===

impl FlowSnapshot {
    fn add(&mut self, state: State, n_messages: u64) {
        self.received += n_messages;
        match state {
            State::Received => self.waiting += n_messages,
            State::Mapped | State::Delivered => self.applied += n_messages,
            State::Filtered => self.filtered += n_messages,
            State::Held | State::Parked => self.held += n_messages,
            State::Dead | State::NeedsAttention => self.needs_attention += n_messages,
        }
    }
}

// === impl Minute ===

impl Minute {
    fn add(&mut self, rated: Rated, n_messages: u32) {
        match rated {
            Rated::Received => self.received += n_messages,
            Rated::Became(State::Mapped | State::Delivered) => self.applied += n_messages,
            Rated::Became(State::Held | State::Dead | State::NeedsAttention) => {
                self.failed += n_messages;
            }
            Rated::Repeated | Rated::Became(State::Received | State::Filtered | State::Parked) => {}
        }
    }
}
