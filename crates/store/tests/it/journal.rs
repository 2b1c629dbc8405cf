//! Promises 1, 8 and 9 (docs/PROMISES.md): which messages are kept, which are repeats, which survive.

use crate::journal_fixture::{ALL, HOUR, NOON, adt, append, at, counts, noon, open};
use bytes::Bytes;
use store::journal::{
    Acknowledgement, Appended, Applied, Change, Delivery, Doubt, Filter, Header, Journal,
    OpenError, Progress, Sequence, State, WriteError,
};

fn aa(text: &str) -> Acknowledgement {
    Acknowledgement {
        code: "AA".to_owned(),
        bytes: Bytes::from(text.to_owned()),
    }
}

pub(crate) fn progress(sequence: Sequence, state: State) -> Change {
    Change::Progress(Progress {
        sequence,
        flow: "admissions".to_owned(),
        partition: "MRN1".to_owned(),
        state,
        reason: (state != State::Mapped).then(|| "because".to_owned()),
        n_issues: u32::from(state == State::Mapped),
        map_version: Some("v1".to_owned()),
    })
}

#[test]
fn what_came_is_kept_as_it_came() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path(), &noon());
    let long = "Z".repeat(3_000_000);
    let bodies = ["", "short", "x|y|".repeat(500).as_str(), long.as_str()].map(str::to_owned);
    for (n, body) in bodies.iter().enumerate() {
        let entry = store::journal::Entry {
            body: body.clone().into(),
            ..adt(&n.to_string(), "")
        };
        let header = entry.header.clone();
        let sequence = append(&journal, entry);
        let stored = journal.read(sequence).unwrap().unwrap();
        assert_eq!(stored.body, body.as_bytes(), "body {n}");
        assert_eq!(stored.summary.header, header);
        assert_eq!(stored.summary.n_bytes, body.len());
        assert_eq!(stored.summary.state, State::Received);
    }
    assert!(journal.read(Sequence::new(99)).unwrap().is_none());
}

#[test]
fn bytes_that_are_no_message_are_kept_with_the_reason() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path(), &noon());
    let noise = || store::journal::Entry {
        body: Bytes::from_static(b"GET / HTTP/1.1\r\n\r\n"),
        header: store::journal::Header::default(),
        no_message: Some("no start block".to_owned()),
        ..adt("", "")
    };
    let first = append(&journal, noise());
    let other = append(
        &journal,
        store::journal::Entry {
            body: Bytes::from_static(b"HEAD / HTTP/1.1\r\n\r\n"),
            ..noise()
        },
    );
    assert!(first < other, "other noise is kept by itself");
    let listed = journal.list(&Filter::default(), ALL).unwrap().rows;
    assert_eq!(listed[1].no_message.as_deref(), Some("no start block"));
    assert_eq!(
        journal.unprocessed(Sequence::ZERO, 9).unwrap(),
        [],
        "nothing to process"
    );
}

#[test]
fn a_repeat_gets_the_stored_acknowledgement() {
    let directory = tempfile::tempdir().unwrap();
    let clock = noon();
    let journal = open(directory.path(), &clock);
    let first = store::journal::Entry {
        acknowledgement: Some(aa("MSA|AA|1")),
        ..adt("1", "ONE")
    };
    let original = append(&journal, first);
    let repeated = |acknowledgement| Appended::Repeated {
        original,
        acknowledgement,
    };
    clock.set(at(NOON + 13 * HOUR));
    let again = journal.append(adt("1", "ONE")).wait().unwrap();
    assert_eq!(
        again,
        repeated(Some(aa("MSA|AA|1"))),
        "the next day, within the window"
    );
    let stored = journal.read(original).unwrap().unwrap();
    assert_eq!(stored.repeats, [at(NOON + 13 * HOUR)]);

    journal.acknowledged(original, aa("MSA|AE|1"));
    let again = journal.append(adt("1", "ONE")).wait().unwrap();
    assert_eq!(
        again,
        repeated(Some(aa("MSA|AE|1"))),
        "the latest answer, also of yesterday's file"
    );

    clock.set(at(NOON + 49 * HOUR));
    let later = journal.append(adt("1", "ONE")).wait().unwrap();
    assert!(
        matches!(later, Appended::New { .. }),
        "after the window it is a message of its own"
    );
}

#[test]
fn a_repeat_is_found_within_one_batch() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path(), &noon());
    let pending: Vec<_> = (0..50).map(|_| journal.append(adt("1", "ONE"))).collect();
    let answers: Vec<_> = pending
        .into_iter()
        .map(|pending| pending.wait().unwrap())
        .collect();
    assert!(matches!(answers[0], Appended::New { .. }));
    assert!(
        answers[1..]
            .iter()
            .all(|answer| matches!(answer, Appended::Repeated { .. }))
    );
    assert_eq!(journal.list(&Filter::default(), ALL).unwrap().rows.len(), 1);
}

#[test]
fn a_reused_control_id_is_another_message_and_flagged() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path(), &noon());
    let first = append(&journal, adt("1", "ONE"));
    let answer = journal.append(adt("1", "TWO")).wait().unwrap();
    let Appended::New {
        sequence,
        reused_control_id,
        ..
    } = answer
    else {
        panic!("{answer:?}")
    };
    assert_eq!(reused_control_id, Some(first));
    let stored = journal.read(sequence).unwrap().unwrap();
    assert_eq!(stored.summary.reused_control_id, Some(first));

    let check = |what: &str, change: fn(&mut store::journal::Entry)| {
        let mut entry = adt("1", "ONE");
        change(&mut entry);
        let answer = journal.append(entry).wait().unwrap();
        let of_its_own = matches!(
            answer,
            Appended::New {
                reused_control_id: None,
                ..
            }
        );
        assert!(of_its_own, "{what}: {answer:?}");
    };
    check("another MSH-3", |entry| {
        entry.header.sending_application = "LAB".to_owned();
    });
    check("another MSH-4", |entry| {
        entry.header.sending_facility = "OTHER".to_owned();
    });
    check("another flow", |entry| entry.flow = "results".to_owned());
    check("no control id", |entry| {
        entry.header.control_id = String::new();
    });
}

#[test]
fn sequence_and_time_never_run_backwards() {
    let directory = tempfile::tempdir().unwrap();
    let clock = noon();
    let mut all = Vec::new();
    for hours in [0, -30, 5, -1, 40, -100] {
        clock.set(at(NOON + hours * HOUR));
        let journal = open(directory.path(), &clock);
        for n in 0..3 {
            append(&journal, adt(&format!("{hours}/{n}"), ""));
        }
        all = journal.list(&Filter::default(), ALL).unwrap().rows;
    }
    assert_eq!(all.len(), 18);
    let newest_first = all
        .windows(2)
        .all(|pair| pair[1].sequence < pair[0].sequence && pair[1].received <= pair[0].received);
    assert!(
        newest_first,
        "{:?}",
        all.iter().map(|row| row.received).collect::<Vec<_>>()
    );
}

#[test]
fn pruning_deletes_files_and_never_gives_a_sequence_twice() {
    let directory = tempfile::tempdir().unwrap();
    let clock = noon();
    let journal = open(directory.path(), &clock);
    let old = append(&journal, adt("1", ""));
    let kept = store::journal::Entry {
        retention: "long".to_owned(),
        ..adt("2", "")
    };
    let kept = append(&journal, kept);
    journal
        .ledger()
        .record(vec![progress(old, State::Mapped)])
        .wait()
        .unwrap();
    clock.set(at(NOON + 48 * HOUR));
    let new = append(&journal, adt("3", ""));
    assert_eq!(journal.prune("standard", at(NOON + 24 * HOUR)).unwrap(), 1);
    assert!(journal.read(old).unwrap().is_none());
    assert!(journal.read(kept).unwrap().is_some(), "another class");
    assert_eq!(journal.ledger().progress(old).unwrap(), None);
    let names = |journal: &Journal| journal.counts().unwrap().iter().map(|c| c.n).sum::<u64>();
    assert_eq!(names(&journal), 2);
    drop(journal);
    for found in std::fs::read_dir(directory.path().join("journal")).unwrap() {
        let path = found.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension != "lock")
            && path.file_name().is_some_and(|name| name != "floor")
        {
            std::fs::remove_file(path).unwrap();
        }
    }
    let journal = open(directory.path(), &clock);
    assert!(
        old < append(&journal, adt("4", "")),
        "the floor holds without any file"
    );
    let _ = new;
}

#[test]
fn unprocessed_is_the_journal_minus_done_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let clock = noon();
    let mut journal = open(directory.path(), &clock);
    let mut all = Vec::new();
    for n in 0..30 {
        clock.set(at(NOON + n * HOUR));
        let class = if n % 3 == 0 { "long" } else { "standard" };
        let entry = store::journal::Entry {
            retention: class.to_owned(),
            ..adt(&n.to_string(), "")
        };
        all.push(append(&journal, entry));
    }
    let (done, open_ones): (Vec<_>, Vec<_>) = all
        .iter()
        .copied()
        .partition(|sequence| sequence.get() % 4 != 0);
    let changes = done
        .iter()
        .map(|sequence| progress(*sequence, State::Mapped))
        .collect();
    journal.ledger().record(changes).wait().unwrap();
    for _ in 0..2 {
        let mut found = Vec::new();
        let mut after = Sequence::ZERO;
        loop {
            let page = journal.unprocessed(after, 3).unwrap();
            let Some(last) = page.last() else { break };
            after = last.sequence;
            found.extend(page.iter().map(|unprocessed| unprocessed.sequence));
        }
        assert_eq!(found, open_ones);
        drop(journal);
        journal = open(directory.path(), &clock);
    }
}

#[test]
fn a_lost_ledger_comes_back_from_journal_and_chart() {
    let directory = tempfile::tempdir().unwrap();
    let clock = noon();
    let journal = open(directory.path(), &clock);
    let all: Vec<_> = (0..10)
        .map(|n| append(&journal, adt(&n.to_string(), "")))
        .collect();
    let noise = store::journal::Entry {
        no_message: Some("noise".to_owned()),
        ..adt("", "")
    };
    let noise = append(&journal, noise);
    drop(journal);
    for name in ["flow.db", "flow.db-wal", "flow.db-shm"] {
        let _ = std::fs::remove_file(directory.path().join(name));
    }
    let journal = open(directory.path(), &clock);
    let opened = journal.ledger().opened();
    assert!(opened.is_new && opened.is_empty);
    let mut applied = |sequence: Sequence| {
        Ok(sequence.get().is_multiple_of(2).then(|| Applied {
            map_version: "v7".to_owned(),
            // One of them needs a person, and the chart has the reason.
            concerns: (sequence == all[3]).then(|| "incomplete".to_owned()),
        }))
    };
    for n_mapped in [5, 0] {
        let done = journal.reconcile(&mut applied, Doubt::None).unwrap();
        assert_eq!((done.n_mapped, done.n_again, done.n_gone), (n_mapped, 0, 0));
        let state = |sequence| journal.read(sequence).unwrap().unwrap().summary.state;
        assert_eq!(state(all[0]), State::Received);
        assert_eq!(state(all[1]), State::Mapped);
        assert_eq!(state(all[3]), State::NeedsAttention);
        assert_eq!(state(noise), State::NeedsAttention);
        let counts = counts(&journal);
        let expected = [
            (State::Received, 5),
            (State::Mapped, 4),
            (State::NeedsAttention, 2),
        ];
        assert_eq!(counts, expected);
    }
    drop(journal);
    let journal = open(directory.path(), &clock);
    assert!(!journal.ledger().opened().is_empty);
    // The chart is lost now: its messages are received again, but no person's decision is undone.
    let mut nothing = |_| Ok(None);
    let done = journal.reconcile(&mut nothing, Doubt::None).unwrap();
    assert_eq!(done.n_again, 5);
    assert_eq!(journal.unprocessed(Sequence::ZERO, 99).unwrap().len(), 10);
}

#[test]
fn what_a_person_may_have_decided_is_not_applied_by_itself() {
    let directory = tempfile::tempdir().unwrap();
    let clock = noon();
    let journal = open(directory.path(), &clock);
    let all: Vec<_> = (0..6)
        .map(|n| append(&journal, adt(&n.to_string(), "")))
        .collect();
    // The chart has the third; the ledger knows nothing.
    let mut applied = |sequence: Sequence| {
        Ok((sequence == all[2]).then(|| Applied {
            map_version: "v7".to_owned(),
            concerns: None,
        }))
    };
    let done = journal
        .reconcile(&mut applied, Doubt::UpTo(all[2]))
        .unwrap();
    assert_eq!((done.n_mapped, done.n_held), (1, 2));
    let states: Vec<State> = all
        .iter()
        .map(|sequence| journal.read(*sequence).unwrap().unwrap().summary.state)
        .collect();
    let (held, received) = (State::Held, State::Received);
    assert_eq!(
        states,
        [held, held, State::Mapped, received, received, received]
    );
}

#[test]
fn what_is_no_message_is_kept_once() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path(), &noon());
    let noise = |body: &'static str, flow: &str| {
        let mut entry = adt("", "");
        entry.flow = flow.to_owned();
        entry.header = Header::default();
        entry.body = Bytes::from_static(body.as_bytes());
        entry.no_message = Some("batch_envelope".to_owned());
        journal.append(entry).wait().unwrap()
    };
    let first = noise("BHS|^~\\&\rBTS|3\r", "clinic");
    assert!(matches!(first, Appended::New { .. }));
    let again = noise("BHS|^~\\&\rBTS|3\r", "clinic");
    assert!(matches!(again, Appended::Repeated { .. }));
    for (body, flow) in [
        ("BHS|^~\\&\rBTS|4\r", "clinic"),
        ("BHS|^~\\&\rBTS|3\r", "laboratory"),
    ] {
        assert!(matches!(
            noise(body, flow),
            Appended::New {
                reused_control_id: None,
                ..
            }
        ));
    }
}

#[test]
fn a_partition_is_sent_in_order_and_an_open_attempt_is_in_doubt() {
    let directory = tempfile::tempdir().unwrap();
    let clock = noon();
    let journal = open(directory.path(), &clock);
    let all: Vec<_> = (0..3)
        .map(|n| append(&journal, adt(&n.to_string(), "")))
        .collect();
    let to = || "registry".to_owned();
    let queue = |sequence: Sequence, partition: &str| Change::Enqueued {
        sequence,
        destination: to(),
        partition: partition.to_owned(),
        due: at(NOON),
    };
    let outcome = |n, result| Change::Outcome {
        sequence: all[0],
        destination: to(),
        n,
        result,
        detail: None,
    };
    let record = |changes| journal.ledger().record(changes).wait().unwrap();
    let due = |micros| -> Vec<Sequence> {
        let due = journal.ledger().due("registry", at(micros), 9).unwrap();
        due.iter().map(|queued| queued.sequence).collect()
    };
    record(vec![
        queue(all[0], "A"),
        queue(all[1], "A"),
        queue(all[2], "B"),
    ]);
    assert_eq!(due(NOON), [all[0], all[2]], "one head per partition");
    record(vec![Change::Attempt {
        sequence: all[0],
        destination: to(),
        n: 1,
    }]);
    assert_eq!(due(NOON), [all[2]]);
    drop(journal.clone());
    let doubt = journal.ledger().in_doubt().unwrap();
    assert_eq!((doubt[0].sequence, doubt[0].n_attempts), (all[0], 1));
    record(vec![outcome(
        1,
        Delivery::Deferred {
            due: at(NOON + HOUR),
        },
    )]);
    assert_eq!(due(NOON), [all[2]], "the deferred head holds its partition");
    assert_eq!(due(NOON + HOUR), [all[0], all[2]]);
    record(vec![outcome(2, Delivery::Accepted)]);
    assert_eq!(due(NOON), [all[1], all[2]]);
    assert_eq!(journal.ledger().in_doubt().unwrap(), []);
}

#[test]
fn a_parked_partition_waits_and_a_replay_is_asked_once() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path(), &noon());
    let head = append(&journal, adt("1", ""));
    let parked = Change::PartitionParked {
        flow: "admissions".to_owned(),
        partition: "MRN1".to_owned(),
        head,
        reason: "no map".to_owned(),
    };
    let ledger = journal.ledger();
    ledger
        .record(vec![parked, progress(head, State::Parked)])
        .wait()
        .unwrap();
    assert_eq!(ledger.parked().unwrap()[0].head, head);
    assert_eq!(journal.unprocessed(Sequence::ZERO, 9).unwrap(), []);
    let (flow, partition) = ("admissions".to_owned(), "MRN1".to_owned());
    ledger
        .record(vec![Change::PartitionReleased { flow, partition }])
        .wait()
        .unwrap();
    assert_eq!(ledger.parked().unwrap(), []);
    assert_eq!(
        journal.unprocessed(Sequence::ZERO, 9).unwrap().len(),
        1,
        "received again"
    );

    let (map_version, by) = ("v2".to_owned(), "admin".to_owned());
    let wish = Change::ReplayRequested {
        sequence: head,
        map_version: map_version.clone(),
        by,
    };
    ledger
        .record(vec![wish.clone(), wish.clone()])
        .wait()
        .unwrap();
    assert_eq!(ledger.replays_open().unwrap().len(), 1);
    let detail = "mapped".to_owned();
    ledger
        .record(vec![Change::ReplayDone {
            sequence: head,
            map_version,
            detail,
        }])
        .wait()
        .unwrap();
    assert_eq!(ledger.replays_open().unwrap(), []);
    ledger.record(vec![wish]).wait().unwrap();
    assert_eq!(
        ledger.replays_of(head).unwrap().len(),
        2,
        "asking again later is asking again"
    );
}

#[test]
fn a_directory_that_cannot_be_used_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let clock = noon();
    let journal = open(directory.path(), &clock);
    append(&journal, adt("1", ""));
    let second = Journal::open(directory.path(), crate::journal_fixture::options(&clock));
    assert!(matches!(second, Err(OpenError::InUse { .. })));
    drop(journal);

    let file = directory.path().join("journal/2026-11-23.standard.db");
    let newer = rusqlite::Connection::open(&file).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    drop(newer);
    let opened = Journal::open(directory.path(), crate::journal_fixture::options(&clock));
    assert!(
        matches!(opened, Err(OpenError::Newer { found: 99, .. })),
        "{opened:?}"
    );

    std::fs::write(
        &file,
        "this is no database, whatever its name says. ".repeat(50),
    )
    .unwrap();
    // A file that is no longer a database does not prevent a start, and is not deleted.
    let opened = open(directory.path(), &clock);
    let [aside] = opened.set_aside() else {
        panic!("{:?}", opened.set_aside());
    };
    assert!(aside.ends_with("2026-11-23.standard.db.damaged-1"));
    assert!(
        std::fs::read_to_string(aside)
            .unwrap()
            .starts_with("this is no")
    );
    assert!(!opened.is_new(), "there were messages");
    append(&opened, adt("2", ""));
    drop(opened);

    let opened = Journal::open(&file, crate::journal_fixture::options(&clock));
    assert!(
        matches!(opened, Err(OpenError::Directory { .. })),
        "{opened:?}"
    );
}

#[test]
fn a_retention_class_is_no_path() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path(), &noon());
    for class in ["", "../x", "A", "a.b", &"x".repeat(33)] {
        let entry = store::journal::Entry {
            retention: class.to_owned(),
            ..adt("1", "")
        };
        let refused = journal.append(entry).wait();
        assert!(matches!(refused, Err(WriteError::Retention(_))), "{class}");
    }
}
