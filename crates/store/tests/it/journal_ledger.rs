//! The ledger's counts, rates and bulk requests: each message once, and all of it after a restart.

use crate::journal::progress;
use crate::journal_fixture::{HOUR, NOON, adt, append, at, counts, noon, open};
use store::journal::{Bulk, BulkProgress, Change, Journal, Progress, Rated, Sequence, State};

#[test]
fn a_replay_is_no_second_message_in_the_rates() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path(), &noon());
    let (first, second) = (
        append(&journal, adt("1", "")),
        append(&journal, adt("2", "")),
    );
    let mapped = |sequence| progress(sequence, State::Mapped);
    let refused = |sequence| {
        Change::Progress(Progress {
            sequence,
            flow: "admissions".to_owned(),
            partition: "MRN1".to_owned(),
            state: State::NeedsAttention,
            reason: Some("no_map".to_owned()),
            n_issues: 1,
            map_version: None,
        })
    };
    for change in [
        mapped(first),
        mapped(first),
        // This one needed a person first, twice for the same reason, and reached the chart by a replay.
        refused(second),
        refused(second),
        mapped(second),
        // A replay that failed changes no count.
        refused(first),
        mapped(first),
    ] {
        journal.ledger().record(vec![change]).wait().unwrap();
    }
    let rates = journal.rates(at(NOON), at(NOON + HOUR)).unwrap();
    let n_of = |rated| -> u64 {
        let of = rates.iter().filter(|rate| rate.rated == rated);
        of.map(|rate| rate.n).sum()
    };
    assert_eq!(n_of(Rated::Became(State::Mapped)), 2);
    assert_eq!(n_of(Rated::Became(State::NeedsAttention)), 2);
}

#[test]
fn a_wish_for_many_messages_survives_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let clock = noon();
    let mut journal = open(directory.path(), &clock);
    let wish = |n: i64| Bulk {
        id: format!("b{n}"),
        act: "replay".to_owned(),
        by: "admin".to_owned(),
        why: "a test".to_owned(),
        list: "/messages?".to_owned(),
        began: at(NOON + n),
        progress: BulkProgress {
            n_all: 3,
            ..BulkProgress::default()
        },
        ended: None,
        stopped: None,
    };
    let messages: Vec<Sequence> = [7, 8, 1 << 40].map(Sequence::new).into();
    let record = |journal: &Journal, change| journal.ledger().record(vec![change]).wait().unwrap();
    for n in 0..3 {
        record(
            &journal,
            Change::BulkBegun(Box::new(wish(n)), messages.clone()),
        );
    }
    let progress = BulkProgress {
        n_all: 3,
        n_done: 2,
        n_failed: 1,
    };
    let id = || "b1".to_owned();
    record(&journal, Change::BulkWent { id: id(), progress });
    let stopped = Some("stopped by admin".to_owned());
    record(
        &journal,
        Change::BulkEnded {
            id: "b2".to_owned(),
            stopped: stopped.clone(),
        },
    );
    drop(journal);
    journal = open(directory.path(), &clock);
    let ledger = journal.ledger();
    let went = Bulk {
        progress,
        ..wish(1)
    };
    assert_eq!(ledger.bulks_open().unwrap(), [wish(0), went.clone()]);
    assert_eq!(ledger.bulk("b1").unwrap(), Some(went));
    assert_eq!(ledger.bulk_messages("b1").unwrap(), messages);
    assert_eq!(
        ledger.bulk_messages("b2").unwrap(),
        [],
        "nothing is left to do"
    );
    let newest = ledger.bulks(1).unwrap();
    assert_eq!(
        (newest[0].id.as_str(), &newest[0].stopped),
        ("b2", &stopped)
    );
    // Old ones are deleted once they have ended; those that have not ended stay.
    for n in 10..70 {
        record(&journal, Change::BulkBegun(Box::new(wish(n)), Vec::new()));
        let id = format!("b{n}");
        record(&journal, Change::BulkEnded { id, stopped: None });
    }
    let kept = journal.ledger().bulks(100).unwrap();
    assert!((50..55).contains(&kept.len()), "{}", kept.len());
    assert_eq!(journal.ledger().bulks_open().unwrap().len(), 2);
}

#[test]
fn counts_and_rates_survive_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let clock = noon();
    let mut journal = open(directory.path(), &clock);
    let first = append(&journal, adt("1", ""));
    let _ = append(&journal, adt("2", ""));
    let _ = journal.append(adt("1", "")).wait().unwrap();
    journal
        .ledger()
        .record(vec![progress(first, State::Mapped)])
        .wait()
        .unwrap();
    journal
        .ledger()
        .record(vec![progress(first, State::Delivered)])
        .wait()
        .unwrap();
    for _ in 0..2 {
        let counts = counts(&journal);
        assert_eq!(counts, [(State::Received, 1), (State::Delivered, 1)]);
        let rates = journal.rates(at(NOON), at(NOON + HOUR)).unwrap();
        let n_of = |rated| {
            rates
                .iter()
                .filter(|rate| rate.rated == rated)
                .map(|rate| rate.n)
                .sum::<u64>()
        };
        assert_eq!(n_of(Rated::Received), 2);
        assert_eq!(n_of(Rated::Repeated), 1);
        assert_eq!(n_of(Rated::Became(State::Mapped)), 1);
        assert_eq!(
            journal.rates(at(NOON + HOUR), at(NOON + 2 * HOUR)).unwrap(),
            []
        );
        drop(journal);
        journal = open(directory.path(), &clock);
    }
}
