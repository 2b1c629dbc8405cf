//! The path of a message: received, acknowledged, applied, resent, and its current state.

use super::super::fault::Fault;
use super::list::latency;
use super::state_class;
use base::Timestamp;
use store::journal::{Delivery, State, Stored};
use web::App;

/// One step of the path.
pub(super) struct Step {
    pub(super) at: Option<Timestamp>,
    pub(super) class: &'static str,
    pub(super) what: String,
    pub(super) detail: String,
    /// The text of a whole message, such as the acknowledgement.
    pub(super) text: Option<String>,
}

/// Reads the steps. Blocks, so async code must not call it on its own thread.
pub(super) fn steps(app: &App, stored: &Stored) -> Result<Vec<Step>, Fault> {
    let summary = &stored.summary;
    let received = summary.received;
    let mut steps = vec![Step {
        at: Some(received),
        class: "good",
        what: "Received and on disk".to_owned(),
        detail: format!(
            "{} bytes from {} by flow {}",
            summary.n_bytes, summary.connection, summary.flow
        ),
        text: None,
    }];
    if let Some(answer) = &stored.acknowledgement {
        let is_good = matches!(answer.code.as_str(), "AA" | "CA");
        steps.push(Step {
            at: None,
            class: if is_good { "good" } else { "bad" },
            what: format!("Acknowledged {}", answer.code),
            detail: ack_meaning(&answer.code).to_owned(),
            text: Some(String::from_utf8_lossy(&answer.bytes).replace('\r', "\n")),
        });
    }
    for at in &stored.repeats {
        steps.push(Step {
            at: Some(*at),
            class: "off",
            what: "The same message arrived again".to_owned(),
            detail: "its stored acknowledgement was sent again".to_owned(),
            text: None,
        });
    }
    for applied in app
        .chart
        .applied(&app.chart.key_of(summary.sequence))?
        .into_iter()
        .rev()
    {
        let took = latency(applied.at.micros() - received.micros());
        steps.push(Step {
            at: Some(applied.at),
            class: "good",
            what: "Applied to the chart".to_owned(),
            detail: format!("{took} after receipt, by maps {}", applied.map_version),
            text: None,
        });
    }
    let ledger = app.journal.ledger();
    for replay in ledger.replays_of(summary.sequence)? {
        steps.push(Step {
            at: Some(replay.requested),
            class: if replay.done.is_some() {
                "good"
            } else {
                "wait"
            },
            what: format!("Replay requested by {}", replay.by),
            detail: match replay.done {
                Some((_, detail)) if detail.is_empty() => {
                    format!("done, by maps {}", replay.map_version)
                }
                Some((_, detail)) => detail,
                None => "in progress".to_owned(),
            },
            text: None,
        });
    }
    for queued in ledger.deliveries(summary.sequence)? {
        let (class, word) = delivery(queued.delivery);
        steps.push(Step {
            at: None,
            class,
            what: format!("To {}: {word}", queued.destination),
            detail: queued
                .detail
                .unwrap_or_else(|| format!("{} attempts", queued.n_attempts)),
            text: None,
        });
    }
    steps.push(Step {
        at: None,
        class: state_class(summary.state),
        what: format!("Now {}", summary.state.word()),
        detail: summary
            .reason
            .as_deref()
            .map_or(meaning(summary.state), super::super::words::reason)
            .to_owned(),
        text: None,
    });
    Ok(steps)
}

fn delivery(delivery: Delivery) -> (&'static str, &'static str) {
    match delivery {
        Delivery::Queued => ("wait", "queued"),
        Delivery::Sending => ("wait", "being sent"),
        Delivery::Accepted => ("good", "accepted"),
        Delivery::Deferred { .. } => ("wait", "to be retried"),
        Delivery::Rejected => ("bad", "rejected"),
        Delivery::Held => ("hold", "held for a person"),
    }
}

fn ack_meaning(code: &str) -> &'static str {
    match code {
        "AA" => "application accept: the sender may forget it",
        "AE" => "application error: the content is wrong",
        "AR" => "application reject: not taken here",
        "CA" => "commit accept: it is safe here",
        "CE" => "commit error",
        "CR" => "commit reject",
        _ => "a code that HL7 does not define",
    }
}

fn meaning(state: State) -> &'static str {
    match state {
        State::Received => "on disk, on the way to the chart",
        State::Mapped => "in the chart",
        State::Delivered => "at its destinations",
        State::Filtered => "set aside for good",
        State::Held => "waits for a person",
        State::Parked => "waits behind an earlier message of the same patient",
        State::Dead => "given up after the last attempt",
        State::NeedsAttention => "a person has to review it",
    }
}
