//! Messages and journals to test with. All synthetic.

use base::{FixedClock, Timestamp};
use bytes::Bytes;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use store::journal::{Appended, Entry, Header, Journal, Options, Page, Sequence, State};

/// 2026-11-23T12:00:00Z
pub(crate) const NOON: i64 = 1_795_435_200_000_000;
pub(crate) const HOUR: i64 = 3_600_000_000;
pub(crate) const ALL: Page = Page {
    before: None,
    limit: usize::MAX >> 1,
};

pub(crate) fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

pub(crate) fn options(clock: &Arc<FixedClock>) -> Options {
    Options {
        clock: clock.clone(),
        duplicate_window: Duration::from_hours(24),
        text_index: false,
        ..Options::default()
    }
}

pub(crate) fn noon() -> Arc<FixedClock> {
    Arc::new(FixedClock::new(at(NOON)))
}

pub(crate) fn open(directory: &Path, clock: &Arc<FixedClock>) -> Journal {
    Journal::open(directory, options(clock)).unwrap()
}

/// Counts the messages in each state.
pub(crate) fn counts(journal: &Journal) -> Vec<(State, u64)> {
    let counts = journal.counts().unwrap().into_iter();
    counts.map(|count| (count.state, count.n)).collect()
}

/// Makes an ADT^A01 with that control id and that text in its body.
pub(crate) fn adt(control_id: &str, text: &str) -> Entry {
    let body = format!(
        "MSH|^~\\&|ADT|ZZTEST|CW|HUB|20261123||ADT^A01^ADT_A01|{control_id}|P|2.5.1\r\
         PID|1||MRN1^^^ZZTEST^MR||TESTPATIENT^{text}\r"
    );
    Entry {
        flow: "admissions".to_owned(),
        connection: "127.0.0.1:4012".to_owned(),
        retention: "standard".to_owned(),
        header: Header {
            sending_application: "ADT".to_owned(),
            sending_facility: "ZZTEST".to_owned(),
            message_type: "ADT^A01".to_owned(),
            structure: "ADT_A01".to_owned(),
            control_id: control_id.to_owned(),
            processing_id: "P".to_owned(),
            version: "2.5.1".to_owned(),
            patients: vec!["MRN1".to_owned()],
            visit: "V1".to_owned(),
            accessions: Vec::new(),
        },
        body: Bytes::from(body),
        no_message: None,
        acknowledgement: None,
    }
}

/// Appends a message that must be new, and returns its sequence.
pub(crate) fn append(journal: &Journal, entry: Entry) -> Sequence {
    match journal.append(entry).wait().unwrap() {
        Appended::New { sequence, .. } => sequence,
        Appended::Repeated { original, .. } => panic!("repeats {original}"),
    }
}
