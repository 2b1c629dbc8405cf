//! Journal, ledger and chart: each may be gone, an older copy or emptied, alone or together. In
//! every case a person is notified, what can be rebuilt is rebuilt, and later messages reach the
//! chart.

use crate::chart_site::{ChartSite, permit};
use flow::{
    ChartDestination, Destination, Events, FlowConfig, Joined, Maps, Metrics, Outcome, Task,
};
use hl7v2::Message;
use search::Handling;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use store::chart::{Chart, Limits};
use store::journal::{Appended, Change, Journal, Progress, Sequence, State};

/// The fate of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Whole,
    Gone,
    Older,
    Emptied,
}

const FATES: [Fate; 4] = [Fate::Whole, Fate::Gone, Fate::Older, Fate::Emptied];
const STORES: [&str; 3] = ["journal", "flow.db", "chart.db"];

/// The stores of a directory, without sockets.
struct Stores {
    chart: Chart,
    journal: Journal,
    destination: ChartDestination,
    flow: FlowConfig,
    joined: Joined,
}

fn result(number: u32) -> String {
    format!(
        "MSH|^~\\&|LAB|ZZHOSP|CW|CW|20240517120000||ORU^R01^ORU_R01|R{number}|P|2.5.1\r\
         PID|1||{}^^^ZZHOSP^MR||ZZTEST^ANN\r\
         OBR|1|P{number}^EHR|F{number}^LAB|2345-7^Glucose^LN|||20240517110000|||||||||||||||20240517115500||LAB|F\r\
         OBX|1|NM|2345-7^Glucose^LN||{number}|mmol/L^mmol/L^UCUM||N|||F|||20240517110000\r",
        number % 3 + 1
    )
}

impl Stores {
    fn open(directory: &Path) -> Self {
        let chart = Chart::open(directory, store::chart::Options::default()).unwrap();
        let options = store::journal::Options {
            text_index: false,
            ..store::journal::Options::default()
        };
        let journal = Journal::open(directory, options).unwrap();
        let joined = flow::join(&chart, &journal).unwrap();
        let events = Events::new(Metrics::default());
        let destination = ChartDestination::new(chart.clone(), Maps::Builtin, events);
        let flow = FlowConfig::mllp("lab", (Ipv4Addr::LOCALHOST, 0).into());
        Self {
            chart,
            journal,
            destination,
            flow,
            joined,
        }
    }

    fn receive(&self, number: u32) -> Sequence {
        let text = result(number);
        let message = Message::parse(text.clone().into_bytes());
        let entry = store::journal::Entry {
            flow: "lab".to_owned(),
            connection: "test".to_owned(),
            retention: "messages".to_owned(),
            header: flow::journal_header(&message),
            body: text.into(),
            no_message: None,
            acknowledgement: None,
        };
        match self.journal.append(entry).wait().unwrap() {
            Appended::New { sequence, .. } => sequence,
            Appended::Repeated { original, .. } => panic!("repeats {original}"),
        }
    }

    /// Applies everything that waits, as the engine does.
    fn process(&self) {
        for waiting in self.journal.unprocessed(Sequence::ZERO, 1_000).unwrap() {
            let stored = self.journal.read(waiting.sequence).unwrap().unwrap();
            let message = Message::parse(stored.body.clone());
            let task = Task {
                sequence: waiting.sequence,
                received: stored.summary.received,
                flow: &self.flow,
                message: &message,
                replay: false,
                confirmed: false,
            };
            let outcome = self.destination.apply(&task);
            assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
            let progress = Progress {
                sequence: waiting.sequence,
                flow: "lab".to_owned(),
                partition: String::new(),
                state: State::Mapped,
                reason: None,
                n_issues: 0,
                map_version: Some(self.destination.map_version()),
            };
            let changes = vec![Change::Progress(progress)];
            self.journal.ledger().record(changes).wait().unwrap();
        }
    }

    fn live(&self, numbers: std::ops::Range<u32>) {
        for number in numbers {
            self.receive(number);
        }
        self.process();
    }

    fn close(self) {
        flow::remember(&self.chart, &self.journal);
        self.journal.ledger().record(Vec::new()).wait().unwrap();
        self.chart.close();
    }

    /// Returns true where the chart has exactly one glucose with this value.
    fn has(&self, number: u32) -> bool {
        let pairs = [("value-quantity".to_owned(), number.to_string())];
        let query = search::parse("Observation", &pairs, Handling::Strict).unwrap();
        let page = self.chart.search(&permit(), &query, Limits::default());
        page.unwrap().matches.len() == 1
    }

    fn states(&self) -> Vec<(Sequence, State)> {
        let rows = crate::site::rows(&self.journal);
        rows.iter().map(|row| (row.sequence, row.state)).collect()
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap().path();
        let place = to.join(entry.file_name().unwrap());
        if entry.is_dir() {
            copy(&entry, &place);
        } else {
            fs::copy(&entry, &place).unwrap();
        }
    }
}

fn remove(directory: &Path, store: &str) {
    if store == "journal" {
        fs::remove_dir_all(directory.join(store)).unwrap();
        return;
    }
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(directory.join(format!("{store}{suffix}")));
    }
}

fn befall(directory: &Path, older: &Path, store: &str, fate: Fate) {
    match fate {
        Fate::Whole => {}
        Fate::Gone => remove(directory, store),
        Fate::Older => {
            remove(directory, store);
            if store == "journal" {
                copy(&older.join(store), &directory.join(store));
            } else {
                fs::copy(older.join(store), directory.join(store)).unwrap();
            }
        }
        Fate::Emptied if store == "journal" => {
            for entry in fs::read_dir(directory.join(store)).unwrap() {
                let entry = entry.unwrap().path();
                if entry.extension().is_some_and(|kind| kind == "db") {
                    fs::write(entry, "").unwrap();
                }
            }
        }
        Fate::Emptied => {
            remove(directory, store);
            fs::write(directory.join(store), "").unwrap();
        }
    }
}

/// Returns true where no store is left that remembers anything, or all stores are one older copy.
fn nobody_can_know(fates: [Fate; 3]) -> bool {
    let is_nothing = |fate: Fate| matches!(fate, Fate::Gone | Fate::Emptied);
    let [journal, ledger, chart] = fates;
    (journal == Fate::Gone && is_nothing(ledger) && is_nothing(chart))
        || fates == [Fate::Older; 3]
        || fates == [Fate::Whole; 3]
}

fn check(whole: &Path, older: &Path, fates: [Fate; 3]) {
    let scratch = tempfile::tempdir().unwrap();
    let directory = scratch.path();
    copy(whole, directory);
    for (store, fate) in STORES.into_iter().zip(fates) {
        befall(directory, older, store, fate);
    }
    let stores = Stores::open(directory);
    let told = &stores.joined.notices;
    assert_eq!(
        told.is_empty(),
        nobody_can_know(fates),
        "{fates:?}: {told:?}"
    );
    let kept: Vec<String> = stores
        .journal
        .ledger()
        .notices()
        .unwrap()
        .into_iter()
        .map(|notice| notice.text)
        .collect();
    assert_eq!(&kept, told, "{fates:?}");
    let before = stores.states();
    stores.process();
    // Journaled messages are in the chart, or a person decides.
    for (sequence, state) in stores.states() {
        let is_in = !stores
            .chart
            .applied(&stores.chart.key_of(sequence))
            .unwrap()
            .is_empty();
        assert_eq!(
            state,
            if is_in { State::Mapped } else { State::Held },
            "{fates:?}: {sequence}"
        );
    }
    if fates[2] == Fate::Whole {
        assert!((1..9).all(|number| stores.has(number)), "{fates:?}");
    }
    // A new message is a message of its own, and reaches the chart.
    for number in 101..104 {
        let sequence = stores.receive(number);
        assert!(
            before.iter().all(|(known, _)| *known < sequence),
            "{fates:?}"
        );
        let marks = stores
            .chart
            .applied(&stores.chart.key_of(sequence))
            .unwrap();
        assert!(marks.is_empty(), "{fates:?}: {sequence} passes for another");
        stores.process();
        assert!(stores.has(number), "{fates:?}");
    }
    stores.close();
    let again = Stores::open(directory);
    assert!(
        again.joined.notices.is_empty(),
        "{fates:?}: {:?}",
        again.joined.notices
    );
    assert!((101..104).all(|number| again.has(number)), "{fates:?}");
    for notice in again.journal.ledger().notices().unwrap() {
        again
            .journal
            .ledger()
            .notice_seen(notice.id, "test")
            .wait()
            .unwrap();
    }
    assert!(again.journal.ledger().notices().unwrap().is_empty());
}

#[test]
fn whatever_befalls_the_stores_is_told_and_healed() {
    let (whole, older) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let stores = Stores::open(whole.path());
    assert!(
        stores.joined.notices.is_empty(),
        "{:?}",
        stores.joined.notices
    );
    stores.live(1..5);
    stores.close();
    copy(whole.path(), older.path());
    let stores = Stores::open(whole.path());
    assert!(
        stores.joined.notices.is_empty(),
        "{:?}",
        stores.joined.notices
    );
    stores.live(5..9);
    stores.close();
    let mut n_checked = 0;
    for journal in FATES {
        for ledger in FATES {
            for chart in FATES {
                let fates = [journal, ledger, chart];
                // An emptied database is equivalent to a missing one; once each is enough.
                let n_whole = fates.iter().filter(|fate| **fate == Fate::Whole).count();
                let is_double = [ledger, chart].contains(&Fate::Emptied) && n_whole < 2;
                if !is_double {
                    check(whole.path(), older.path(), fates);
                    n_checked += 1;
                }
            }
        }
    }
    // As docs/CONFORMANCE.md says.
    assert_eq!(n_checked, 38);
}

#[test]
fn a_message_that_cannot_be_read_is_set_aside_and_the_rest_goes_on() {
    let scratch = tempfile::tempdir().unwrap();
    let stores = Stores::open(scratch.path());
    let all: Vec<Sequence> = (1..4).map(|number| stores.receive(number)).collect();
    stores.close();
    for entry in fs::read_dir(scratch.path().join("journal")).unwrap() {
        let entry = entry.unwrap().path();
        if entry.extension().is_some_and(|kind| kind == "db") {
            let file = rusqlite::Connection::open(entry).unwrap();
            let flip = "UPDATE body SET bytes = CAST(substr(bytes, 1, 60) || x'00' || substr(bytes, 62) AS BLOB) WHERE seq = ?";
            assert_eq!(file.execute(flip, [all[1].get() as i64]).unwrap(), 1);
        }
    }
    let site = ChartSite::start(scratch.path());
    let state = |sequence: Sequence| {
        let rows = site.rows();
        let row = rows.iter().find(|row| row.sequence == sequence).unwrap();
        (row.state, row.reason.clone())
    };
    for _ in 0..200 {
        if state(all[2]).0 == State::Mapped && state(all[0]).0 == State::Mapped {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!(state(all[0]).0, State::Mapped);
    assert_eq!(
        state(all[1]),
        (State::NeedsAttention, Some("damaged".to_owned()))
    );
    assert_eq!(state(all[2]).0, State::Mapped);
    assert!(site.journal.read(all[1]).unwrap_err().is_damage());
    assert_eq!(site.all("Observation").len(), 2);
}
