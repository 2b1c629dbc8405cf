//! Order in a partition, failing heads, holding and releasing, draining.

use crate::client::{Client, adt, msa1};
use crate::site::Site;
use flow::{AckPolicy, Drained, FailingHead, PartitionKey};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use store::journal::State;
use tempfile::tempdir;

const AT: &str = "20240517120000";

#[test]
fn a_slow_patient_holds_nobody_else_up() {
    let dir = tempdir().unwrap();
    let site = Site::start(dir.path(), |_| {});
    let mut client = Client::connect(site.address);
    for (control, patient, given) in [("C1", "1", "SLOW"), ("C2", "1", "A"), ("C3", "2", "B")] {
        assert_eq!(client.send(&adt("A08", control, patient, given, AT)), "AA");
    }
    site.settled();
    assert_eq!(site.seen(), ["C3", "C1", "C2"]);
}

#[test]
fn a_partition_may_be_a_connection() {
    let dir = tempdir().unwrap();
    let site = Site::start(dir.path(), |flow| flow.partition = PartitionKey::Connection);
    let (mut one, mut two) = (Client::connect(site.address), Client::connect(site.address));
    assert_eq!(one.send(&adt("A08", "C1", "1", "SLOW", AT)), "AA");
    assert_eq!(one.send(&adt("A08", "C2", "2", "B", AT)), "AA");
    assert_eq!(two.send(&adt("A08", "C3", "3", "C", AT)), "AA");
    site.settled();
    assert_eq!(site.seen(), ["C3", "C1", "C2"]);
}

#[test]
fn a_merge_waits_for_both_patients_and_both_for_it() {
    let dir = tempdir().unwrap();
    let site = Site::start(dir.path(), |_| {});
    let mut client = Client::connect(site.address);
    let merge = adt("A40", "M", "1", "MERGED", AT) + "MRG|2^^^ZZHOSP^MR\r";
    for message in [
        adt("A08", "C1", "2", "SLOW", AT),
        merge,
        adt("A08", "C2", "1", "B", AT),
        adt("A08", "C3", "2", "C", AT),
        adt("A08", "C4", "3", "D", AT),
    ] {
        assert_eq!(client.send(&message), "AA");
    }
    site.settled();
    let seen = site.seen();
    assert_eq!(
        seen[..3],
        ["C4", "C1", "M"],
        "patient 2 first, then the merge"
    );
}

#[test]
fn what_a_drain_leaves_is_done_after_the_next_start() {
    let dir = tempdir().unwrap();
    let site = Site::start(dir.path(), |_| {});
    site.memory.down.store(true, Ordering::SeqCst);
    let mut client = Client::connect(site.address);
    for control in ["C1", "C2", "C3"] {
        assert_eq!(client.send(&adt("A08", control, "1", "A", AT)), "AA");
    }
    let left = site
        .runtime
        .block_on(site.engine.drain(Duration::from_millis(200)));
    assert_eq!(left, Drained::WithWaiting(3));
    let memory = Arc::clone(&site.memory);
    drop(site);
    memory.down.store(false, Ordering::SeqCst);
    let site = Site::start_with(dir.path(), memory, |_| {});
    site.settled();
    assert_eq!(
        site.seen(),
        ["C1", "C2", "C3"],
        "in order, before anything new"
    );
    let snapshot = site.engine.snapshot().unwrap();
    assert_eq!(
        (snapshot.flows[0].received, snapshot.flows[0].waiting),
        (3, 0),
        "counts survive a restart"
    );
    let minutes: u32 = snapshot.flows[0]
        .minutes
        .iter()
        .map(|minute| minute.received)
        .sum();
    assert_eq!(minutes, 3);
}

#[test]
fn a_failing_head_holds_only_its_patient_until_it_is_released() {
    for policy in [FailingHead::Block, FailingHead::ParkPatient] {
        let dir = tempdir().unwrap();
        let site = Site::start(dir.path(), |flow| flow.failing_head = policy);
        site.memory.fail.store(true, Ordering::SeqCst);
        let mut client = Client::connect(site.address);
        for (control, patient, given) in [
            ("C1", "1", "FAIL"),
            ("C2", "1", "B"),
            ("C3", "2", "C"),
            ("C4", "1", "D"),
        ] {
            assert_eq!(client.send(&adt("A08", control, patient, given, AT)), "AA");
        }
        let states: Vec<State> = site.settled().iter().map(|row| row.state).collect();
        assert_eq!(
            states,
            [
                State::NeedsAttention,
                State::Parked,
                State::Mapped,
                State::Parked
            ]
        );
        assert_eq!(site.seen(), ["C3"]);
        // A restart changes nothing.
        let (memory, address) = (Arc::clone(&site.memory), site.address);
        site.drain();
        drop(site);
        let site = Site::start_with(dir.path(), memory, |flow| flow.failing_head = policy);
        assert_ne!(address, site.address);
        let mut client = Client::connect(site.address);
        assert_eq!(client.send(&adt("A08", "C5", "1", "E", AT)), "AA");
        assert_eq!(site.settled()[4].state, State::Parked);
        site.memory.fail.store(false, Ordering::SeqCst);
        let head = site.rows()[0].sequence;
        site.engine.release(head).unwrap();
        let rows = site.settled();
        assert!(
            rows.iter().all(|row| row.state == State::Mapped),
            "{rows:?}"
        );
        assert_eq!(
            site.seen(),
            ["C3", "C1", "C2", "C4", "C5"],
            "in their old order"
        );
        assert!(site.engine.release(head).is_err(), "it is in the chart");
    }
}

#[test]
fn a_held_message_lets_others_go_and_can_be_replayed_or_dismissed() {
    let dir = tempdir().unwrap();
    let site = Site::start(dir.path(), |_| {});
    site.memory.fail.store(true, Ordering::SeqCst);
    let mut client = Client::connect(site.address);
    for (control, given) in [("C1", "FAIL"), ("C2", "FAIL"), ("C3", "C")] {
        assert_eq!(client.send(&adt("A08", control, "1", given, AT)), "AA");
    }
    let rows = site.settled();
    let states: Vec<State> = rows.iter().map(|row| row.state).collect();
    assert_eq!(states, [State::Held, State::Held, State::Mapped]);
    site.memory.fail.store(false, Ordering::SeqCst);
    assert!(
        site.engine
            .replay(rows[0].sequence, "zztest")
            .unwrap()
            .queued
    );
    site.engine
        .dismiss(rows[1].sequence, "zztest", "a test")
        .unwrap();
    let until = Instant::now() + Duration::from_secs(10);
    while site.seen() != ["C3", "C1"] {
        assert!(Instant::now() < until, "{:?}", site.seen());
        std::thread::sleep(Duration::from_millis(10));
    }
    site.drain();
    let states: Vec<State> = site.rows().iter().map(|row| row.state).collect();
    assert_eq!(states, [State::Mapped, State::Filtered, State::Mapped]);
}

#[test]
fn a_destination_that_is_down_is_waited_for() {
    let dir = tempdir().unwrap();
    let site = Site::start(dir.path(), |_| {});
    site.memory.down.store(true, Ordering::SeqCst);
    let mut client = Client::connect(site.address);
    assert_eq!(
        client.send(&adt("A08", "C1", "1", "A", AT)),
        "AA",
        "it is on disk"
    );
    assert_eq!(client.send(&adt("A08", "C2", "1", "B", AT)), "AA");
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(site.seen(), Vec::<String>::new());
    site.memory.down.store(false, Ordering::SeqCst);
    site.settled();
    assert_eq!(site.seen(), ["C1", "C2"]);
}

#[test]
fn a_drain_answers_what_came_and_finishes_it() {
    let dir = tempdir().unwrap();
    let site = Site::start(dir.path(), |flow| flow.acknowledge = AckPolicy::Mapped);
    let mut client = Client::connect(site.address);
    client.post(&adt("A08", "C1", "1", "SLOW", AT));
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(site.drain(), Drained::Completely);
    assert_eq!(msa1(&client.answer().unwrap()), "AA");
    assert_eq!(client.answer(), None);
    assert!(Client::try_connect(site.address).is_err(), "nobody listens");
}

#[test]
fn a_message_that_waits_can_be_held_and_released() {
    let dir = tempdir().unwrap();
    let site = Site::start(dir.path(), |_| {});
    let mut client = Client::connect(site.address);
    for (control, given) in [("C1", "SLOW"), ("C2", "B"), ("C3", "C")] {
        assert_eq!(client.send(&adt("A08", control, "1", given, AT)), "AA");
    }
    let second = site.rows()[1].sequence;
    site.engine.hold(second, "zztest", "").unwrap();
    let states: Vec<State> = site.settled().iter().map(|row| row.state).collect();
    assert_eq!(states, [State::Mapped, State::Held, State::Mapped]);
    site.engine.release(second).unwrap();
    site.settled();
    assert_eq!(site.seen(), ["C1", "C3", "C2"]);
    let late = site.engine.hold(second, "zztest", "").unwrap_err();
    assert_eq!(
        late.to_string(),
        "the message is mapped, so it cannot be held"
    );
}

#[test]
fn what_never_works_is_given_up_and_shown() {
    let dir = tempdir().unwrap();
    let site = Site::start(dir.path(), |flow| flow.max_attempts = 3);
    let mut client = Client::connect(site.address);
    assert_eq!(client.send(&adt("A08", "C1", "1", "DEFER", AT)), "AA");
    assert_eq!(client.send(&adt("A08", "C2", "1", "B", AT)), "AA");
    let rows = site.settled();
    assert_eq!(
        (rows[0].state, rows[0].reason.as_deref()),
        (State::Dead, Some("too_many_attempts"))
    );
    assert_eq!(rows[1].state, State::Mapped);
    assert!(
        site.engine
            .render_metrics()
            .contains("causeway_flow_retries_total{flow=\"adt\"} 2")
    );
}

#[test]
fn a_replay_is_written_down_and_done_once() {
    let dir = tempdir().unwrap();
    let site = Site::start(dir.path(), |_| {});
    let mut client = Client::connect(site.address);
    assert_eq!(client.send(&adt("A08", "C1", "1", "A", AT)), "AA");
    let sequence = site.settled()[0].sequence;
    let replayed = site.engine.replay(sequence, "zztest").unwrap();
    assert_eq!(
        (replayed.queued, replayed.map_version.as_str()),
        (true, "1")
    );
    let until = Instant::now() + Duration::from_secs(10);
    let done = loop {
        let replays = site.journal.ledger().replays_of(sequence).unwrap();
        if replays[0].done.is_some() {
            break replays;
        }
        assert!(Instant::now() < until, "{replays:?}");
        std::thread::sleep(Duration::from_millis(10));
    };
    assert_eq!((done.len(), done[0].by.as_str()), (1, "zztest"));
    assert_eq!(site.seen(), ["C1"], "it was in already");
    assert!(
        site.engine
            .replay(store::journal::Sequence::new(77), "zztest")
            .is_err()
    );
}
