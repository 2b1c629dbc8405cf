//! Recovery of work that an earlier run left.
//!
//! Invariant: the board knows every unfinished message, every parked partition and every open
//! replay before the first new message arrives.

use crate::attention::Attention;
use crate::events::Event;
use crate::flow::Flow;
use crate::step::decode;
use crate::step::work::{Job, Work};
use hl7v2::Message;
use std::collections::HashMap;
use std::sync::Arc;
use store::journal::{Filter, Page, ReadError, Sequence, State, Stored};

const SLICE: usize = 1024;

/// Puts unfinished work onto the board.
pub(crate) fn recover(work: &Work, flows: &[Arc<Flow>]) -> Result<(), ReadError> {
    let by_name: HashMap<&str, &Arc<Flow>> = flows.iter().map(|flow| (flow.name(), flow)).collect();
    recover_parked(work, &by_name)?;
    let mut counted: HashMap<&str, u64> = HashMap::new();
    let mut after = Sequence::ZERO;
    loop {
        let slice = work.journal.unprocessed(after, SLICE)?;
        let Some(last) = slice.last() else { break };
        after = last.sequence;
        for unprocessed in slice {
            // A flow that is no longer configured keeps its messages where they are.
            let Some((name, flow)) = by_name.get_key_value(unprocessed.flow.as_str()) else {
                continue;
            };
            let stored = match work.journal.read(unprocessed.sequence) {
                Ok(Some(stored)) => stored,
                Ok(None) => continue,
                // An unreadable message does not prevent startup: a person has to look.
                Err(error) if error.is_damage() => {
                    work.show(flow, unprocessed.sequence, Attention::Damaged);
                    continue;
                }
                Err(other) => return Err(other),
            };
            *counted.entry(name).or_default() += 1;
            work.recover(flow, &stored);
        }
    }
    for replay in work.journal.ledger().replays_open()? {
        let Some(stored) = readable(work, replay.sequence)? else {
            continue;
        };
        let Some(flow) = by_name.get(stored.summary.flow.as_str()) else {
            continue;
        };
        let job = job_of(flow, &stored).replay(replay.map_version);
        work.push(replay.sequence, job);
    }
    for (flow, n_messages) in counted {
        work.events.emit(Event::Recovered { flow, n_messages });
    }
    Ok(())
}

/// Restores each flow's senders from its newest messages, so that a restart forgets none.
pub(crate) fn restore_senders(work: &Work, flows: &[Arc<Flow>]) -> Result<(), ReadError> {
    for flow in flows {
        let filter = Filter {
            flow: Some(flow.name().to_owned()),
            ..Filter::default()
        };
        let page = Page {
            before: None,
            limit: 100,
        };
        for row in work.journal.list(&filter, page)?.rows.iter().rev() {
            // Bytes that are not a message name no sender, and a copy was made by a person.
            if row.no_message.is_none() {
                flow.senders.record(&row.header);
            }
        }
    }
    Ok(())
}

fn recover_parked(work: &Work, flows: &HashMap<&str, &Arc<Flow>>) -> Result<(), ReadError> {
    for parked in work.journal.ledger().parked()? {
        let Some(flow) = flows.get(parked.flow.as_str()) else {
            continue;
        };
        let Some(stored) = readable(work, parked.head)? else {
            continue;
        };
        let mut behind = Vec::new();
        for sequence in parked_behind(work, flow, &parked.partition)? {
            if let Some(stored) = readable(work, sequence)? {
                behind.push((sequence.get(), keys_of(flow, &stored).parking));
            }
        }
        work.board
            .park(parked.head.get(), &keys_of(flow, &stored).parking, &behind);
    }
    Ok(())
}

/// Reads a message, unless it is pruned or damaged; the journal says which messages are.
fn readable(work: &Work, sequence: Sequence) -> Result<Option<Stored>, ReadError> {
    match work.journal.read(sequence) {
        Err(error) if error.is_damage() => Ok(None),
        other => other,
    }
}

/// Returns the messages that the ledger has as parked in a partition, oldest first.
fn parked_behind(work: &Work, flow: &Flow, partition: &str) -> Result<Vec<Sequence>, ReadError> {
    let filter = Filter {
        flow: Some(flow.name().to_owned()),
        state: Some(State::Parked),
        ..Filter::default()
    };
    let mut found = Vec::new();
    let mut before = None;
    loop {
        let listing = work.journal.list(
            &filter,
            Page {
                before,
                limit: SLICE,
            },
        )?;
        for row in listing.rows {
            let progress = work.journal.ledger().progress(row.sequence)?;
            if progress.is_some_and(|progress| progress.partition == partition) {
                found.push(row.sequence);
            }
        }
        before = listing.next;
        if before.is_none() {
            found.reverse();
            return Ok(found);
        }
    }
}

/// Creates a job for a message that is in the journal.
pub(crate) fn job_of(flow: &Arc<Flow>, stored: &Stored) -> Job {
    let keys = keys_of(flow, stored);
    Job::new(
        Arc::clone(flow),
        stored.summary.received,
        keys,
        Some(stored.body.clone()),
        None,
    )
}

fn keys_of(flow: &Flow, stored: &Stored) -> crate::step::work::Keys {
    decode::keys(
        &Message::parse(stored.body.clone()),
        &stored.summary.connection,
        &flow.config,
    )
}

impl Work {
    fn recover(&self, flow: &Arc<Flow>, stored: &Stored) {
        let sequence = stored.summary.sequence;
        let summary = &stored.summary;
        // The state was lost in the crash; it is derived again from the bytes.
        match decode::refusal(&summary.header, summary.no_message.is_none(), &flow.config) {
            Some(reason) => self.show(flow, sequence, reason),
            None => self.push(sequence, job_of(flow, stored).recovered()),
        }
    }
}
