//! Messages that are in the chart and still need attention.

use crate::client::{Client, adt, field, msa1};
use crate::site::{Memory, Site, concerns};
use flow::{AckPolicy, Attention, ControlError, FailingHead, attention};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use store::journal::State;
use tempfile::tempdir;

const AT: &str = "20240517120000";
const REASON: &str = "unusable_value; OBX[2]-5: no number; incomplete; no row takes ZDS";

fn site(directory: &std::path::Path, change: impl FnOnce(&mut flow::FlowConfig)) -> Site {
    let site = Site::start(directory, change);
    site.memory.fail.store(true, Ordering::SeqCst);
    site
}

#[test]
fn it_is_applied_and_its_state_tells() {
    for head in [
        FailingHead::Hold,
        FailingHead::Block,
        FailingHead::ParkPatient,
    ] {
        let dir = tempdir().unwrap();
        let site = site(dir.path(), |flow| flow.failing_head = head);
        let mut client = Client::connect(site.address);
        for (control, given) in [("C1", "ODD"), ("C2", "FINE")] {
            assert_eq!(client.send(&adt("A08", control, "1", given, AT)), "AA");
        }
        let rows = site.settled();
        assert_eq!(site.seen(), ["C1", "C2"], "nobody waits behind it");
        assert_eq!(
            (rows[0].state, rows[0].reason.as_deref(), rows[0].n_issues),
            (State::NeedsAttention, Some(REASON), 2)
        );
        assert_eq!(attention::read(REASON), concerns());
        assert_eq!(rows[0].map_version.as_deref(), Some("1"), "it was mapped");
        assert_eq!((rows[1].state, &rows[1].reason), (State::Mapped, &None));
    }
}

/// A flow may configure a reason to be only counted.
#[test]
fn by_policy_it_is_only_counted() {
    for (counted, state, reason) in [
        ("[]", State::NeedsAttention, Some(REASON)),
        (
            "['unusable_value']",
            State::NeedsAttention,
            Some("incomplete; no row takes ZDS"),
        ),
        ("['unusable_value', 'incomplete']", State::Mapped, None),
    ] {
        let dir = tempdir().unwrap();
        let site = site(dir.path(), |flow| {
            let policy = format!("count_only = {counted}");
            flow.attention = toml::from_str(&policy).unwrap();
        });
        let mut client = Client::connect(site.address);
        assert_eq!(client.send(&adt("A08", "C1", "1", "ODD", AT)), "AA");
        let row = &site.settled()[0];
        assert_eq!(
            (row.state, row.reason.as_deref(), row.n_issues),
            (state, reason, 2),
            "{counted}"
        );
    }
}

/// 2.14.5.4 (ERR-4, from 2.5 on): a concern about an accepted message is a warning beside AA.
#[test]
fn the_sender_is_warned_where_an_error_has_a_severity() {
    for (version, n_warnings) in [("2.3", 0), ("2.4", 0), ("2.5", 2), ("2.5.1", 2), ("2.8", 2)] {
        let dir = tempdir().unwrap();
        let site = site(dir.path(), |flow| flow.acknowledge = AckPolicy::Mapped);
        let message = adt("A08", "C1", "1", "ODD", AT);
        let message = message.replacen("|P|2.5.1", &format!("|P|{version}"), 1);
        // The duplicate gets the same answer.
        for clause in ["first", "repeated"] {
            let mut client = Client::connect(site.address);
            client.post(&message);
            let ack = client.answer().unwrap();
            let errors: Vec<&str> = ack
                .split('\r')
                .filter(|line| line.starts_with("ERR"))
                .collect();
            assert_eq!(
                (msa1(&ack).as_str(), errors.len()),
                ("AA", n_warnings),
                "{version} {clause}: {ack}"
            );
            if 0 < n_warnings {
                assert_eq!(
                    (field(errors[0], "ERR", 2), field(errors[0], "ERR", 4)),
                    ("OBX^2^5^1".to_owned(), "W".to_owned()),
                    "{version} {clause}"
                );
            }
        }
    }
}

#[test]
fn it_needs_attention_after_a_restart() {
    let dir = tempdir().unwrap();
    let message = adt("A08", "C1", "1", "ODD", AT);
    let first = site(dir.path(), |flow| flow.acknowledge = AckPolicy::Mapped);
    let mut client = Client::connect(first.address);
    client.post(&message);
    let told = client.answer().unwrap();
    first.settled();
    first.drain();
    drop(first);
    let again = site(dir.path(), |flow| flow.acknowledge = AckPolicy::Mapped);
    let row = &again.settled()[0];
    assert_eq!(
        (row.state, row.reason.as_deref()),
        (State::NeedsAttention, Some(REASON))
    );
    assert_eq!(again.seen(), Vec::<String>::new(), "it is not done again");
    let mut client = Client::connect(again.address);
    client.post(&message);
    assert_eq!(client.answer().unwrap(), told);
}

#[test]
fn a_person_settles_it_or_a_better_map_does() {
    let dir = tempdir().unwrap();
    let site = site(dir.path(), |_| {});
    let mut client = Client::connect(site.address);
    for control in ["C1", "C2", "C3"] {
        assert_eq!(client.send(&adt("A08", control, "1", "ODD", AT)), "AA");
    }
    let of = |idx: usize| site.settled()[idx].clone();
    let settled = of(0).sequence;
    // The message is in the chart: there is nothing to release, hold or dismiss.
    for refused in [
        site.engine.release(settled),
        site.engine.hold(settled, "zztest", "why"),
        site.engine.dismiss(settled, "zztest", "why"),
    ] {
        assert!(
            matches!(
                refused,
                Err(ControlError::WrongState {
                    state: "in the chart already",
                    ..
                })
            ),
            "{refused:?}"
        );
    }
    site.engine
        .settle(settled, "zztest", "asked the ward")
        .unwrap();
    let row = of(0);
    let reason = Some("settled by zztest: asked the ward");
    assert_eq!((row.state, row.reason.as_deref()), (State::Mapped, reason));
    assert!(
        site.engine.settle(settled, "zztest", "again").is_err(),
        "nothing is left to look at"
    );
    // The same maps find the same concern again, but somebody has reviewed it.
    site.engine.replay(settled, "zztest").unwrap();
    replays_done(&site);
    assert_eq!(
        (of(0).state, of(0).reason.as_deref()),
        (State::Mapped, reason)
    );
    site.engine.replay(of(1).sequence, "zztest").unwrap();
    replays_done(&site);
    assert_eq!(
        of(1).state,
        State::NeedsAttention,
        "nobody looked at this one"
    );
    // A corrected map has nothing to report about it.
    site.memory.fail.store(false, Ordering::SeqCst);
    site.engine.replay(of(1).sequence, "zztest").unwrap();
    replays_done(&site);
    assert_eq!((of(1).state, of(1).reason), (State::Mapped, None));
    // A message whose edited copy was applied needs no attention either.
    let right = adt("A08", "C3", "1", "FINE", AT);
    let copy = flow::Resend {
        of: of(2).sequence,
        body: Some(right.as_bytes()),
        flow: None,
        by: "zztest",
        why: "a number",
    };
    let made = site.engine.resend(&copy).unwrap();
    let row = of(2);
    let reason = format!("edited by zztest: message {}, a number", made.sequence);
    assert_eq!(
        (row.state, row.reason.as_deref()),
        (State::Mapped, Some(reason.as_str())),
        "it is in the chart"
    );
}

/// A message that is not in the chart is skipped, not settled.
#[test]
fn only_what_is_in_the_chart_is_settled() {
    let dir = tempdir().unwrap();
    let site = Site::start_with(dir.path(), Arc::new(Memory::default()), |_| {});
    let mut client = Client::connect(site.address);
    let unknown = adt("A08", "C1", "1", "FINE", AT).replace("ADT^A08^ADT_A01", "ZZZ^Z99");
    assert_eq!(client.send(&unknown), "AR");
    assert_eq!(client.send(&adt("A08", "C2", "1", "FINE", AT)), "AA");
    let rows = site.settled();
    let code = Attention::NoMap.code();
    assert_eq!(
        (rows[0].state, rows[0].reason.as_deref()),
        (State::NeedsAttention, Some(code))
    );
    for row in &rows {
        let refused = site.engine.settle(row.sequence, "zztest", "why");
        assert!(
            matches!(refused, Err(ControlError::WrongState { .. })),
            "{refused:?}"
        );
    }
    let states = |rows: Vec<store::journal::Summary>| -> Vec<_> {
        rows.into_iter()
            .map(|row| (row.state, row.reason))
            .collect()
    };
    assert_eq!(states(site.settled()), states(rows));
}

fn replays_done(site: &Site) {
    for _ in 0..400 {
        if site.journal.ledger().replays_open().unwrap().is_empty() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("a replay is still open");
}
