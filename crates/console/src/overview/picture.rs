//! The live diagram of one moment: sources, flows and the destination.

use super::super::markup::{Markup, ago, encode};
use base::Timestamp;
use flow::{Feed, FlowSnapshot, FlowState, Minute};
use std::fmt::Write as _;

/// One flow, from left to right.
pub(crate) struct Lane {
    pub(crate) name: String,
    /// The source: its configured name, or the senders named in its messages.
    pub(crate) title: String,
    pub(crate) address: String,
    pub(crate) peers: String,
    /// The class and name of the state.
    pub(crate) state: (&'static str, &'static str),
    /// The time since which the feed has been unusually silent.
    pub(crate) since: Option<Timestamp>,
    pub(crate) rate: String,
    pub(crate) last: Option<Timestamp>,
    pub(crate) waiting: String,
    /// The curve of messages received per minute.
    pub(crate) area: String,
    pub(crate) stroke: String,
    pub(crate) failed: String,
    /// The curve of those that reached the chart.
    pub(crate) applied_area: String,
    pub(crate) applied_stroke: String,
    pub(crate) described: String,
    /// The width of its lines.
    pub(crate) width: String,
    /// The class of its lines.
    pub(crate) wire: &'static str,
}

/// A line from a flow to the destination.
pub(crate) struct Wire {
    pub(crate) key: String,
    pub(crate) path: String,
    pub(crate) width: String,
    pub(crate) class: &'static str,
}

/// The waiting states, as they appear in an address.
const WAITING: &str = "received,needs attention,dead,held,parked";

/// The sparkline's own width; the page stretches it.
const WIDE: f64 = 120.0;
const HIGH: f64 = 28.0;

// === impl Lane ===

impl Lane {
    pub(crate) fn of(flow: &FlowSnapshot, at: Timestamp) -> Self {
        let whole = flow.minutes.len().saturating_sub(1);
        // The current minute is incomplete, so the last full minute gives the rate.
        let last = flow
            .minutes
            .get(whole.wrapping_sub(1))
            .copied()
            .unwrap_or_default();
        let running = flow.minutes.get(whole).copied().unwrap_or_default();
        let rate = last.received.max(running.received);
        let hour: u32 = flow.minutes.iter().map(|minute| minute.received).sum();
        Self {
            name: flow.name.clone(),
            title: title(flow),
            address: flow
                .address
                .map_or("not bound".to_owned(), |address| address.to_string()),
            peers: match flow.connections {
                0 => "no connection".to_owned(),
                1 => "1 connection".to_owned(),
                n => format!("{n} connections"),
            },
            state: state(flow),
            since: flow
                .feed
                .since()
                .filter(|_| flow.state == FlowState::Running),
            rate: format!("{rate}/min"),
            last: flow.last_received,
            waiting: waiting(flow),
            area: spark(flow.minutes.iter().map(|minute| minute.received), true),
            stroke: spark(flow.minutes.iter().map(|minute| minute.received), false),
            failed: failures(&flow.minutes),
            applied_area: spark(flow.minutes.iter().map(|minute| minute.applied), true),
            applied_stroke: spark(flow.minutes.iter().map(|minute| minute.applied), false),
            described: format!(
                "{hour} messages in the last hour, {} in the last minute",
                last.received
            ),
            width: format!("{:.1}", width(rate)),
            wire: wire(flow, at),
        }
    }

    /// Returns the address of everything in the flow that waits, for the chart or for a person:
    /// what `waiting` counts.
    pub(crate) fn waiting_address(&self) -> String {
        format!(
            "/messages?flow={}&state={}",
            encode(&self.name),
            encode(WAITING)
        )
    }

    /// Returns the key of the line from its source.
    pub(crate) fn key(&self) -> String {
        format!("in-{}", self.name)
    }
}

fn state(flow: &FlowSnapshot) -> (&'static str, &'static str) {
    match flow.state {
        FlowState::Running if 100 < flow.waiting => ("wait", "behind"),
        // An open port is not yet a feed.
        FlowState::Running => match (flow.feed, flow.feed.word()) {
            (Feed::NoneYet | Feed::Away(_), Some(word)) => ("off", word),
            (_, Some(word)) => ("wait", word),
            (_, None) => ("good", flow.state.word()),
        },
        FlowState::Draining => ("wait", flow.state.word()),
        // A flow stopped by a person has a different state.
        FlowState::Stopped => ("bad", "halted: nothing can be written"),
        FlowState::Off => ("off", "stopped by hand"),
    }
}

fn waiting(flow: &FlowSnapshot) -> String {
    let attention = match flow.needs_attention {
        1 => "needs attention",
        _ => "need attention",
    };
    let mut parts = Vec::new();
    for (n, word) in [
        (flow.waiting, "waiting"),
        (flow.held, "held"),
        (flow.needs_attention, attention),
    ] {
        if 0 < n {
            parts.push(format!("{n} {word}"));
        }
    }
    if parts.is_empty() {
        "nothing waiting".to_owned()
    } else {
        parts.join(", ")
    }
}

/// Returns the console's name for the source: the configured name, or its senders.
fn title(flow: &FlowSnapshot) -> String {
    if let Some(title) = &flow.title {
        return title.clone();
    }
    let names: Vec<String> = flow
        .senders
        .iter()
        .take(2)
        .map(ToString::to_string)
        .collect();
    match (names.as_slice(), flow.senders.len()) {
        ([], _) => "no sender yet".to_owned(),
        (names, n) if 2 < n => format!("{} and {} more", names.join(", "), n - 2),
        (names, _) => names.join(", "),
    }
}

/// Returns the class of the line, which turns quiet after ten minutes without a message.
fn wire(flow: &FlowSnapshot, at: Timestamp) -> &'static str {
    let is_quiet = flow
        .last_received
        .is_none_or(|last| 600_000_000 < at.micros().saturating_sub(last.micros()));
    match flow.state {
        FlowState::Running if matches!(flow.feed, Feed::Gone(_) | Feed::Silent(_)) => "wait",
        FlowState::Stopped => "bad",
        FlowState::Off => "off",
        FlowState::Draining => "wait",
        FlowState::Running if is_quiet || matches!(flow.feed, Feed::Away(_)) => "off",
        FlowState::Running if 100 < flow.waiting => "wait",
        FlowState::Running => "good",
    }
}

/// Returns the width of the line, from 1 for silence to 8 for a thousand messages a minute or more.
fn width(per_minute: u32) -> f64 {
    (1.0 + f64::from(per_minute + 1).log10() * 2.4).min(8.0)
}

/// Returns the area and line of what reached the chart through all flows together.
pub(crate) fn together(flows: &[FlowSnapshot]) -> (String, String) {
    let n_minutes = flows
        .iter()
        .map(|flow| flow.minutes.len())
        .max()
        .unwrap_or(0);
    let sum = |idx: usize| -> u32 {
        let minutes = flows.iter().filter_map(|flow| flow.minutes.get(idx));
        minutes.map(|minute| minute.applied).sum()
    };
    let sums: Vec<u32> = (0..n_minutes).map(sum).collect();
    (
        spark(sums.iter().copied(), true),
        spark(sums.iter().copied(), false),
    )
}

fn spark(counts: impl ExactSizeIterator<Item = u32> + Clone, is_area: bool) -> String {
    let top = counts.clone().max().unwrap_or(0).max(4);
    let step = WIDE / counts.len().saturating_sub(1).max(1) as f64;
    let mut path = String::new();
    for (idx, n) in counts.enumerate() {
        let (x, y) = (
            idx as f64 * step,
            HIGH - 2.0 - f64::from(n) / f64::from(top) * (HIGH - 4.0),
        );
        let command = if idx == 0 { 'M' } else { 'L' };
        let _ = write!(path, "{command}{x:.1} {y:.1}");
    }
    if is_area {
        let _ = write!(path, "L{WIDE} {HIGH}L0 {HIGH}Z");
    }
    path
}

/// Returns a mark for each minute in which a message failed.
fn failures(minutes: &[Minute]) -> String {
    let step = WIDE / minutes.len().saturating_sub(1).max(1) as f64;
    let mut path = String::new();
    for (idx, minute) in minutes.iter().enumerate() {
        if 0 < minute.failed {
            let _ = write!(
                path,
                "M{:.1} {HIGH}h2v-5h-2Z",
                (idx as f64 * step - 1.0).max(0.0)
            );
        }
    }
    path
}

/// Returns lines from the middle of each flow to the middle of the destination.
pub(crate) fn wires(lanes: &[Lane]) -> Vec<Wire> {
    let n = lanes.len().max(1) as f64;
    let line = |(idx, lane): (usize, &Lane)| {
        let y = (idx as f64 + 0.5) / n * 100.0;
        Wire {
            key: format!("out-{}", lane.name),
            path: format!("M0 {y:.1}C50 {y:.1} 50 50 100 50"),
            width: lane.width.clone(),
            class: lane.wire,
        }
    };
    lanes.iter().enumerate().map(line).collect()
}

/// Renders how long a feed has been unusually silent; a script shows and hides it.
pub(crate) fn silence(lane: &Lane, at: impl std::borrow::Borrow<Timestamp>) -> Markup {
    let since = lane.since.unwrap_or(*at.borrow());
    let name = super::super::markup::escape(&lane.name);
    Markup(format!(
        r#"<span class="quiet nowrap" data-shown="since-{name}"{}>for <time datetime="{}" data-as="age" data-live="since-{name}">{}</time></span>"#,
        if lane.since.is_some() { "" } else { " hidden" },
        since.to_fhir(),
        super::super::markup::age(since, *at.borrow()),
    ))
}

/// Renders the age of the last message, which a script keeps current.
pub(crate) fn last_age(lane: &Lane, at: impl std::borrow::Borrow<Timestamp>) -> Markup {
    match lane.last {
        Some(last) => Markup(format!(
            r#"last message <time datetime="{}" data-as="ago" data-live="last-{}">{}</time>"#,
            last.to_fhir(),
            super::super::markup::escape(&lane.name),
            ago(last, *at.borrow())
        )),
        None => Markup("no message yet".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_grow_with_the_rate_and_stay_in_the_picture() {
        assert!((width(0) - 1.0).abs() < 0.01);
        assert!(width(10) < width(100) && width(100) < width(1000));
        assert!(width(u32::MAX - 1) <= 8.0);
        let minutes = vec![
            Minute {
                received: 5,
                applied: 5,
                failed: 1
            };
            60
        ];
        let received = || minutes.iter().map(|minute| minute.received);
        assert!(spark(received(), false).starts_with("M0.0 2.0L"));
        assert!(spark(received(), true).ends_with('Z'));
        assert_eq!(failures(&minutes).matches('M').count(), 60);
        assert_eq!(spark(std::iter::empty(), false), "");
        let flow = FlowSnapshot {
            minutes,
            ..FlowSnapshot::default()
        };
        let (area, line) = together(&[flow.clone(), flow]);
        assert!(
            area.ends_with('Z') && line.starts_with("M0.0 2.0L"),
            "{line}"
        );
        assert_eq!(together(&[]).1, "");
    }
}
