//! Visits without a number, identified as their source declares.

use crate::chart_site::ChartSite;
use flow::Maps;
use mapping::MapSet;
use std::sync::Arc;
use store::journal::{Filter, State};
use tempfile::tempdir;

/// Event, PID-18, PV1-44.
type Event = (&'static str, &'static str, &'static str);

const WORDS: [&str; 4] = ["either", "account", "admission", "none"];

fn start(directory: &std::path::Path, word: Option<&str>) -> ChartSite {
    let Some(word) = word else {
        return ChartSite::start(directory);
    };
    let dialect = format!("dialect VISITS extends v2\nvisits by {word}\n");
    let maps = MapSet::with([("site/visits.map", dialect.as_str())]).unwrap();
    ChartSite::start_by(directory, Maps::Own(Arc::new(maps)), |flow| {
        flow.map.dialect = Some("VISITS".to_owned());
    })
}

fn message(n: usize, number: &str, (event, account, admitted): Event) -> String {
    let (to_number, to_admission) = ("|".repeat(16), "|".repeat(25));
    format!(
        "MSH|^~\\&|REG|ZZHOSP|CW|ZZ|2024020{n}100000||ADT^{event}^ADT_A01|{n}|P|2.5.1\r\
         EVN|{event}|2024020{n}100000\r\
         PID|1||A1^^^ZZHOSP^MR||ZZALPHA^FRED||19700101|M||||||||||{account}\r\
         PV1|1|I|W{n}{to_number}{number}{to_admission}{admitted}\r"
    )
}

/// Returns the states of the visits after the events.
fn visits(word: Option<&str>, number: &str, events: &[Event]) -> Vec<String> {
    let dir = tempdir().unwrap();
    let site = start(dir.path(), word);
    for (n, event) in events.iter().enumerate() {
        let answer = site.send("adt", &message(n + 1, number, *event));
        assert_eq!(answer, "AA", "{word:?} {events:?}");
    }
    let visits = site.all("Encounter");
    let states = visits.iter().map(|visit| visit.text("status").unwrap());
    let mut states: Vec<String> = states.map(str::to_owned).collect();
    states.sort();
    states
}

/// IHE RAD TF-2, 4.1.4.1.2.4: the account number may stand for the visit number.
#[test]
fn the_source_says_what_its_visits_are_known_by() {
    const OPEN: &str = "in-progress";
    const DONE: &str = "finished";
    type Expected = [&'static [&'static str]; 4];
    let stories: [(&str, &[Event], Expected); 9] = [
        (
            "one account, one admission",
            &[("A01", "ACC1", "20240101"), ("A03", "ACC1", "20240101")],
            [&[DONE], &[DONE], &[DONE], &[]],
        ),
        (
            "one account, another admission while the visit is open",
            &[("A01", "ACC1", "20240101"), ("A08", "ACC1", "20240102")],
            [&[OPEN], &[OPEN], &[OPEN, OPEN], &[]],
        ),
        (
            "another account, one admission",
            &[("A01", "ACC1", "20240101"), ("A01", "ACC2", "20240101")],
            [&[OPEN], &[OPEN, OPEN], &[OPEN], &[]],
        ),
        (
            "nothing is told",
            &[("A01", "", ""), ("A03", "", "")],
            [&[DONE], &[DONE], &[DONE], &[]],
        ),
        (
            // An admission of the same visit reopens it, as with a number.
            "one account after the end",
            &[
                ("A01", "ACC1", "20240101"),
                ("A03", "ACC1", "20240101"),
                ("A01", "ACC1", "20240105"),
            ],
            [&[DONE, OPEN], &[OPEN], &[DONE, OPEN], &[]],
        ),
        (
            "an account that is told later",
            &[("A01", "", "20240101"), ("A03", "ACC1", "20240101")],
            [&[DONE], &[DONE], &[DONE], &[]],
        ),
        (
            "an account that is told once",
            &[("A01", "ACC1", "20240101"), ("A03", "", "")],
            [&[DONE], &[DONE], &[DONE], &[]],
        ),
        (
            "an admission told less exactly",
            &[("A01", "", "20240101"), ("A03", "", "202401010815")],
            [&[DONE], &[DONE], &[DONE], &[]],
        ),
        (
            "two at once, and the end of the newer one",
            &[
                ("A01", "ACC1", "20240101"),
                ("A01", "ACC2", "20240102"),
                ("A03", "", ""),
            ],
            [&[DONE], &[DONE, OPEN], &[DONE, OPEN], &[]],
        ),
    ];
    for (clause, events, expected) in stories {
        for (word, expected) in WORDS.into_iter().zip(expected) {
            assert_eq!(visits(Some(word), "", events), expected, "{word}: {clause}");
        }
        // The default is `either`.
        assert_eq!(visits(None, "", events), expected[0], "{clause}");
    }
}

/// PV1-19 takes precedence whatever a source declares about visits without one.
#[test]
fn a_number_always_decides() {
    let events = [("A01", "ACC1", "20240101"), ("A03", "ACC2", "20240102")];
    for word in WORDS {
        assert_eq!(visits(Some(word), "V1", &events), ["finished"], "{word}");
    }
}

/// A source that declares that nothing stands for a number gets a report for each message without
/// one: the message is in the chart with everything else, and needs no attention.
#[test]
fn a_visit_that_nothing_names_is_said() {
    let dir = tempdir().unwrap();
    let site = start(dir.path(), Some("none"));
    for (n, number, n_visits) in [(1, "", 0), (2, "V1", 1)] {
        site.send("adt", &message(n, number, ("A01", "ACC1", "20240101")));
        let row = site.row(&Filter::default());
        assert_eq!(row.state, State::Mapped, "{number}");
        assert_eq!(row.n_issues > 0, number.is_empty(), "{}", row.n_issues);
        assert_eq!(site.all("Encounter").len(), n_visits);
        assert_eq!(site.all("Patient").len(), 1);
    }
}
