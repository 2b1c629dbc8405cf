//! Changed copies, copies for another flow, holding and skipping parked messages.

use crate::client::{Client, adt};
use crate::site::{Memory, Site};
use flow::{Attention, ControlError, FailingHead, FlowConfig, Resend, Resent};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use store::journal::{Sequence, State};
use tempfile::tempdir;

const AT: &str = "20240517120000";

fn copy(of: Sequence) -> Resend<'static> {
    Resend {
        of,
        body: None,
        flow: None,
        by: "zztest",
        why: "the name was wrong",
    }
}

#[test]
fn an_edited_copy_is_a_message_of_its_own() {
    let dir = tempdir().unwrap();
    let site = Site::start(dir.path(), |_| {});
    site.memory.fail.store(true, Ordering::SeqCst);
    let mut client = Client::connect(site.address);
    let (wrong, right) = (
        adt("A08", "C1", "1", "FAIL", AT),
        adt("A08", "C1", "1", "FINE", AT),
    );
    assert_eq!(client.send(&wrong), "AA");
    let original = site.settled()[0].sequence;
    let edit = Resend {
        body: Some(right.as_bytes()),
        ..copy(original)
    };
    let made = site.engine.resend(&edit).unwrap();
    assert!(!made.repeated);
    let rows = site.settled();
    assert_eq!(
        (rows[0].state, rows[1].state),
        (State::Filtered, State::Mapped)
    );
    let reason = format!(
        "edited by zztest: message {}, the name was wrong",
        made.sequence
    );
    assert_eq!(rows[0].reason.as_deref(), Some(reason.as_str()));
    let stored = site.journal.read(original).unwrap().unwrap();
    assert_eq!(
        stored.body,
        wrong.as_bytes(),
        "the original stays as it came"
    );
    let stored = site.journal.read(made.sequence).unwrap().unwrap();
    assert_eq!(stored.body, right.as_bytes());
    let mark: Resent = stored.summary.connection.parse().unwrap();
    assert_eq!(
        (mark.of, mark.is_edited, mark.by.as_str(), mark.why.as_str()),
        (original, true, "zztest", "the name was wrong")
    );

    // The same request yields the same copy.
    let again = site.engine.resend(&edit).unwrap();
    assert_eq!((again.sequence, again.repeated), (made.sequence, true));
    assert_eq!(site.rows().len(), 2);
}

#[test]
fn what_would_be_refused_is_not_made() {
    let dir = tempdir().unwrap();
    let site = Site::start(dir.path(), |_| {});
    let mut client = Client::connect(site.address);
    assert_eq!(client.send(&adt("A08", "C1", "1", "A", AT)), "AA");
    let original = site.settled()[0].sequence;
    let no_control_id = adt("A08", "", "1", "A", AT);
    let refused = |body: &[u8]| {
        let edit = Resend {
            body: Some(body),
            ..copy(original)
        };
        site.engine.resend(&edit).unwrap_err()
    };
    assert!(matches!(
        refused(b"hello"),
        ControlError::Refused(Attention::NoMessage)
    ));
    assert!(matches!(
        refused(no_control_id.as_bytes()),
        ControlError::Refused(Attention::NoControlId)
    ));
    assert!(matches!(
        refused(adt("A08", "C1", "1", "A", AT).as_bytes()),
        ControlError::Unchanged
    ));
    let nowhere = Resend {
        flow: Some("nowhere"),
        ..copy(original)
    };
    assert!(matches!(
        site.engine.resend(&nowhere),
        Err(ControlError::NoSuchFlow(_))
    ));
    assert!(matches!(
        site.engine.resend(&copy(Sequence::new(99))),
        Err(ControlError::NoSuchMessage(_))
    ));
    assert_eq!(site.rows().len(), 1);
}

#[test]
fn a_message_is_sent_on_to_another_flow() {
    let dir = tempdir().unwrap();
    let listen = (Ipv4Addr::LOCALHOST, 0).into();
    let flows = vec![
        FlowConfig::mllp("adt", listen),
        FlowConfig::mllp("lab", listen),
    ];
    let site = Site::start_flows(dir.path(), Arc::new(Memory::default()), flows);
    site.memory.fail.store(true, Ordering::SeqCst);
    let mut client = Client::connect(site.address);
    assert_eq!(client.send(&adt("A08", "C1", "1", "FAIL", AT)), "AA");
    let original = site.settled()[0].sequence;
    site.memory.fail.store(false, Ordering::SeqCst);
    let on = Resend {
        flow: Some("lab"),
        ..copy(original)
    };
    let made = site.engine.resend(&on).unwrap();
    let rows = site.settled();
    assert_eq!(
        (rows[0].flow.as_str(), rows[0].state),
        ("adt", State::Filtered)
    );
    assert_eq!(
        (rows[1].flow.as_str(), rows[1].state),
        ("lab", State::Mapped)
    );
    assert_eq!(site.engine.resend(&on).unwrap().sequence, made.sequence);
}

#[test]
fn nobody_overtakes_the_copy_of_a_failing_head() {
    let dir = tempdir().unwrap();
    let site = Site::start(dir.path(), |flow| {
        flow.failing_head = FailingHead::ParkPatient;
    });
    site.memory.fail.store(true, Ordering::SeqCst);
    let mut client = Client::connect(site.address);
    for (control, given) in [("C1", "FAIL"), ("C2", "B"), ("C3", "C")] {
        assert_eq!(client.send(&adt("A08", control, "1", given, AT)), "AA");
    }
    let head = site.settled()[0].sequence;
    let still_wrong = adt("A08", "C1a", "1", "FAIL AGAIN", AT);
    let edit = Resend {
        body: Some(still_wrong.as_bytes()),
        ..copy(head)
    };
    site.engine.resend(&edit).unwrap();
    let states: Vec<State> = site.settled().iter().map(|row| row.state).collect();
    assert_eq!(
        states,
        [
            State::NeedsAttention,
            State::Parked,
            State::Parked,
            State::NeedsAttention
        ],
        "a copy that fails too lets nobody go"
    );
    let right = adt("A08", "C1b", "1", "SLOW", AT);
    let edit = Resend {
        body: Some(right.as_bytes()),
        ..copy(head)
    };
    site.engine.resend(&edit).unwrap();
    site.settled();
    assert_eq!(site.seen(), ["C1b", "C2", "C3"]);
    assert_eq!(site.rows()[0].state, State::Filtered);
}

#[test]
fn what_is_held_or_skipped_while_it_is_parked_stays_behind() {
    let dir = tempdir().unwrap();
    let site = Site::start(dir.path(), |flow| flow.failing_head = FailingHead::Block);
    site.memory.fail.store(true, Ordering::SeqCst);
    let mut client = Client::connect(site.address);
    for (control, given) in [("C1", "FAIL"), ("C2", "B"), ("C3", "C"), ("C4", "D")] {
        assert_eq!(client.send(&adt("A08", control, "1", given, AT)), "AA");
    }
    let rows = site.settled();
    site.engine
        .hold(rows[1].sequence, "zztest", "not yet")
        .unwrap();
    site.engine
        .dismiss(rows[2].sequence, "zztest", "sent twice")
        .unwrap();
    site.memory.fail.store(false, Ordering::SeqCst);
    site.engine.release(rows[0].sequence).unwrap();
    let rows = site.settled();
    let states: Vec<State> = rows.iter().map(|row| row.state).collect();
    assert_eq!(
        states,
        [State::Mapped, State::Held, State::Filtered, State::Mapped]
    );
    assert_eq!(rows[1].reason.as_deref(), Some("held by zztest: not yet"));
    assert_eq!(
        rows[2].reason.as_deref(),
        Some("skipped by zztest: sent twice")
    );
    assert_eq!(site.seen(), ["C1", "C4"]);
    site.engine.release(rows[1].sequence).unwrap();
    site.settled();
    assert_eq!(site.seen(), ["C1", "C4", "C2"]);
}

#[test]
fn a_training_message_stays_out_however_it_is_asked_for() {
    let dir = tempdir().unwrap();
    let site = Site::start(dir.path(), |_| {});
    let mut client = Client::connect(site.address);
    let training = adt("A08", "C1", "1", "A", AT).replace("|P|", "|T|");
    assert_eq!(client.send(&training), "AR");
    let sequence = site.settled()[0].sequence;
    for asked in [
        site.engine.replay(sequence, "zztest").map(drop),
        site.engine.release(sequence),
    ] {
        assert!(
            matches!(
                asked,
                Err(ControlError::Refused(Attention::WrongProcessingId))
            ),
            "{asked:?}"
        );
    }
    site.drain();
    assert_eq!(site.rows()[0].state, State::NeedsAttention);
    assert_eq!(site.seen(), Vec::<String>::new());
}
