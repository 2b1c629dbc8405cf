//! Lists of senders, and the concerns of an applied message.

use crate::chart_fixture::{Fixture, permit, prepared};
use base::Timestamp;
use store::chart::{Applied, Batch, Change, ListChange, ListName, SenderList};

fn name(of: &str, sender: &str) -> ListName {
    ListName {
        of: of.to_owned(),
        sender: sender.to_owned(),
    }
}

fn patients(ids: &[&str]) -> Vec<(&'static str, String)> {
    ids.iter().map(|id| ("Patient", (*id).to_owned())).collect()
}

#[test]
fn a_list_is_what_entered_and_did_not_leave() {
    let chart = Fixture::new();
    for id in ["a", "b"] {
        let body = format!(r#"{{"resourceType":"Patient","id":"{id}"}}"#);
        chart.change(Change::put(id, prepared(&body))).unwrap();
    }
    let time = |seconds: i64| Some(Timestamp::from_micros(seconds * 1_000_000));
    let change = |list: &ListName, at, enters: &[&str], leaves: &[&str]| {
        let change = ListChange {
            list: list.clone(),
            at,
            enters: patients(enters),
            leaves: patients(leaves),
        };
        let lists = vec![change];
        chart
            .apply(Batch {
                lists,
                ..Batch::default()
            })
            .unwrap();
    };
    let (own, other) = (name("x|Patient/1", "REG"), name("x|Patient/1", "WARD"));
    change(&own, time(5), &["a", "b"], &[]);
    change(&other, None, &["b"], &[]);
    change(&name("x|Patient/2", "REG"), time(1), &[], &[]);
    // An older event moves no time back; adding an entry twice is idempotent.
    change(&own, time(3), &["b"], &["a"]);
    let list = |sender: &str, at, ids: &[&str]| SenderList {
        sender: sender.to_owned(),
        at,
        entries: patients(ids),
    };
    chart
        .chart
        .at_once(&permit(), |moment| {
            assert_eq!(
                moment.lists_of("x|Patient/1").unwrap(),
                [list("REG", time(5), &["b"]), list("WARD", None, &["b"])]
            );
            assert_eq!(
                moment.lists_of("x|Patient/2").unwrap(),
                [list("REG", time(1), &[])],
                "an empty list is known"
            );
            assert_eq!(moment.lists_of("y|Patient/1").unwrap(), []);
            assert_eq!(moment.lists_with("Patient", "b").unwrap(), [own, other]);
            assert_eq!(moment.lists_with("Patient", "a").unwrap(), []);
        })
        .unwrap();
}

#[test]
fn the_concerns_of_an_applied_message_are_told_again() {
    let chart = Fixture::new();
    let apply = |message: &[u8], concerns: Option<&str>| {
        let applied = Applied {
            message: message.to_vec(),
            map_version: "1".to_owned(),
            concerns: concerns.map(str::to_owned),
        };
        let batch = Batch {
            applied: Some(applied),
            ..Batch::default()
        };
        chart.apply(batch).unwrap()
    };
    let told = Some("incomplete; OBX: no row");
    assert!(!apply(b"1", told).already_applied);
    // The chart looks different now, and a second mapping reports no concern any more.
    let again = apply(b"1", None);
    assert!(again.already_applied);
    assert_eq!(again.concerns.as_deref(), told);
    apply(b"2", None);
    assert_eq!(apply(b"2", told).concerns, None);
}
