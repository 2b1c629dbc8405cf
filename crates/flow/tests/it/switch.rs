//! Flows that a person stops and starts.

use crate::client::{Client, adt, msa1};
use crate::site::Site;
use flow::{AckPolicy, ControlError, FlowState};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::tempdir;

const AT: &str = "20240517120000";

fn refused(site: &Site) {
    let until = Instant::now() + Duration::from_secs(5);
    while Client::try_connect(site.address).is_ok() {
        assert!(Instant::now() < until, "somebody still listens");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_stopped_flow_answers_what_came_and_listens_no_more() {
    let dir = tempdir().unwrap();
    let site = Site::start(dir.path(), |flow| flow.acknowledge = AckPolicy::Mapped);
    let mut client = Client::connect(site.address);
    client.post(&adt("A08", "C1", "1", "SLOW", AT));
    std::thread::sleep(Duration::from_millis(100));
    site.engine
        .stop_flow("adt", "zztest", "a test: of words")
        .unwrap();
    assert_eq!(msa1(&client.answer().unwrap()), "AA");
    assert_eq!(client.answer(), None, "then the connection ends");
    refused(&site);
    let snapshot = site.engine.snapshot().unwrap();
    let flow = &snapshot.flows[0];
    assert_eq!(flow.state, FlowState::Off);
    let stopped = flow.stopped_by.as_ref().unwrap();
    assert_eq!(
        (stopped.by.as_str(), stopped.why.as_str()),
        ("zztest", "a test: of words")
    );
    site.engine.stop_flow("adt", "another", "").unwrap();

    site.engine.start_flow("adt", "zztest").unwrap();
    let mut client = Client::connect(site.address);
    assert_eq!(client.send(&adt("A08", "C2", "1", "B", AT)), "AA");
    let snapshot = site.engine.snapshot().unwrap();
    assert_eq!(snapshot.flows[0].state, FlowState::Running);
    assert_eq!(snapshot.flows[0].stopped_by, None);
    assert_eq!(site.seen(), ["C1", "C2"]);
}

#[test]
fn a_stopped_flow_stays_stopped_over_a_restart() {
    let dir = tempdir().unwrap();
    let site = Site::start(dir.path(), |_| {});
    let mut client = Client::connect(site.address);
    assert_eq!(client.send(&adt("A08", "C1", "1", "A", AT)), "AA");
    site.settled();
    site.engine
        .stop_flow("adt", "zztest", "a test: of words")
        .unwrap();
    refused(&site);
    let memory = Arc::clone(&site.memory);
    site.drain();
    drop(site);
    let site = Site::start_with(dir.path(), memory, |_| {});
    refused(&site);
    assert_eq!(
        site.engine.snapshot().unwrap().flows[0].state,
        FlowState::Off
    );
    site.engine.start_flow("adt", "zztest").unwrap();
    let mut client = Client::connect(site.address);
    assert_eq!(client.send(&adt("A08", "C2", "1", "B", AT)), "AA");
    site.settled();
    assert_eq!(site.seen(), ["C1", "C2"]);
    assert!(matches!(
        site.engine.stop_flow("nowhere", "zztest", ""),
        Err(ControlError::NoSuchFlow(_))
    ));
    site.drain();
    assert!(matches!(
        site.engine.start_flow("adt", "zztest"),
        Err(ControlError::Draining)
    ));
}
