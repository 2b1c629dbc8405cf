//! Lists and searches agree with a plain filter over everything, page by page.

use crate::journal_fixture::{ALL, HOUR, NOON, adt, append, at, noon, open, options};
use proptest::prelude::*;
use std::time::{Duration, Instant};
use store::journal::{
    Change, Entry, Filter, Header, Journal, Options, Page, Progress, State, Summary,
};

const TYPES: [&str; 4] = ["ADT^A01", "ADT^A08", "ORU^R01", ""];
const REASONS: [Option<&str>; 3] = [None, Some("no_map"), Some("map_failed; OBX-5: no number")];

/// A journal over three days and two classes, with states and issues.
fn filled(directory: &std::path::Path) -> Journal {
    let clock = noon();
    let journal = open(directory, &clock);
    for n in 0..150_i64 {
        clock.set(at(NOON + n * HOUR / 3));
        let base = adt(&format!("C{}", n % 40), &n.to_string());
        let header = Header {
            message_type: TYPES[n as usize % 4].to_owned(),
            patients: vec![format!("MRN{}", n % 7), format!("ALT{}", n % 5)],
            visit: format!("V{}", n % 11),
            accessions: (0..n % 3).map(|k| format!("A{}", (n + k) % 13)).collect(),
            ..base.header
        };
        let flow = if n % 2 == 0 { "admissions" } else { "results" }.to_owned();
        let retention = if n % 3 == 0 { "long" } else { "standard" }.to_owned();
        let sequence = append(
            &journal,
            Entry {
                header,
                flow: flow.clone(),
                retention,
                ..base
            },
        );
        let progress = Progress {
            sequence,
            flow,
            partition: String::new(),
            state: State::ALL[n as usize % 8],
            reason: REASONS[n as usize % 3].map(str::to_owned),
            n_issues: (n % 4 == 1).into(),
            map_version: None,
        };
        if n % 8 != 0 {
            journal.ledger().note(vec![Change::Progress(progress)]);
        }
    }
    journal.ledger().record(Vec::new()).wait().unwrap();
    journal
}

fn matches(filter: &Filter, row: &Summary) -> bool {
    let header = &row.header;
    let is = |wanted: &Option<String>, value: &str| {
        wanted.as_ref().is_none_or(|wanted| *wanted == value)
    };
    let among = |wanted: &Option<String>, values: &[String]| {
        wanted.as_ref().is_none_or(|wanted| values.contains(wanted))
    };
    let kind = filter.message_type.as_ref().is_none_or(|wanted| {
        let code = header.message_type.split('^').next().unwrap_or_default();
        header.message_type == *wanted || code == wanted
    });
    kind && is(&filter.flow, &row.flow)
        && is(&filter.control_id, &header.control_id)
        && is(&filter.visit, &header.visit)
        && among(&filter.patient, &header.patients)
        && among(&filter.accession, &header.accessions)
        && filter.state.is_none_or(|state| state == row.state)
        && (filter.any_of.is_empty() || filter.any_of.contains(&row.state))
        && (filter.reason.as_deref()).is_none_or(|reason| reason == why(row))
        && (!filter.has_issues || 0 < row.n_issues)
        && filter.from.is_none_or(|from| from <= row.received)
        && filter.until.is_none_or(|until| row.received < until)
}

/// Returns the reason that the list shows.
fn why(row: &Summary) -> &str {
    let reason = row.reason.as_ref().or(row.no_message.as_ref());
    let first = reason.and_then(|reason| reason.split("; ").next());
    first.unwrap_or_default()
}

fn filters() -> impl Strategy<Value = Filter> {
    let one_of = |values: &[&str]| {
        let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
        proptest::option::weighted(0.3, proptest::sample::select(values))
    };
    let texts = (
        one_of(&["admissions", "results", "none"]),
        one_of(&["ADT^A01", "ADT", "ORU", "ORU^R01", "AD"]),
        one_of(&["C1", "C17", "C39", "X"]),
        one_of(&["MRN1", "ALT2", "MRN99"]),
        one_of(&["V1", "V10"]),
        one_of(&["A0", "A7"]),
    );
    let state = proptest::option::weighted(0.3, proptest::sample::select(State::ALL.to_vec()));
    let any_of = proptest::sample::subsequence(State::ALL.to_vec(), 0..3);
    let stands = (
        state,
        any_of,
        one_of(&["", "no_map", "map_failed", "other"]),
    );
    let time = || proptest::option::weighted(0.3, -2..60_i64);
    (texts, stands, any::<bool>(), time(), time()).prop_map(
        |(texts, stands, issues, from, until)| {
            let (state, any_of, reason) = stands;
            let (flow, message_type, control_id, patient, visit, accession) = texts;
            let hour = |hours: i64| at(NOON + hours * HOUR);
            let (from, until) = (from.map(hour), until.map(hour));
            let has_issues = issues && state.is_some();
            Filter {
                flow,
                message_type,
                control_id,
                patient,
                visit,
                accession,
                state,
                any_of,
                reason,
                has_issues,
                from,
                until,
                text: None,
            }
        },
    )
}

#[test]
fn every_filter_agrees_with_looking_at_everything() {
    let directory = tempfile::tempdir().unwrap();
    let journal = filled(directory.path());
    let all = journal.list(&Filter::default(), ALL).unwrap().rows;
    assert_eq!(all.len(), 150);
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    runner
        .run(&(filters(), 1..40_usize), |(filter, limit)| {
            let expected: Vec<_> = all
                .iter()
                .filter(|row| matches(&filter, row))
                .map(|row| row.sequence)
                .collect();
            let mut found = Vec::new();
            let mut before = None;
            loop {
                let page = journal.list(&filter, Page { before, limit }).unwrap();
                prop_assert!(page.rows.len() <= limit);
                found.extend(page.rows.iter().map(|row| row.sequence));
                before = page.next;
                if before.is_none() {
                    break;
                }
            }
            prop_assert_eq!(found, expected, "{:?}", filter);
            Ok(())
        })
        .unwrap();
}

/// The messages at rest that a page counts are those that the list opens, whatever the limit.
#[test]
fn counts_of_what_rests_are_those_of_the_list() {
    let directory = tempfile::tempdir().unwrap();
    let journal = filled(directory.path());
    let states = [
        State::NeedsAttention,
        State::Dead,
        State::Held,
        State::Mapped,
    ];
    let (groups, cut) = journal.ledger().resting(&states, 1_000).unwrap();
    assert_eq!(cut, []);
    let n_listed = |filter: Filter| journal.list(&filter, ALL).unwrap().rows;
    for group in &groups {
        let rows = n_listed(Filter {
            flow: Some(group.flow.clone()),
            state: Some(group.state),
            reason: Some(group.reason.clone()),
            ..Filter::default()
        });
        assert_eq!(rows.len() as u64, group.n, "{group:?}");
        assert_eq!(rows.first().map(|row| row.sequence), Some(group.newest));
        assert_eq!(rows.last().map(|row| row.sequence), Some(group.oldest));
    }
    let together = n_listed(Filter {
        any_of: states.to_vec(),
        ..Filter::default()
    });
    let sum: u64 = groups.iter().map(|group| group.n).sum();
    assert_eq!((together.len() as u64, 0 < sum), (sum, true));
    // A count that stopped early says so.
    let (few, cut) = journal.ledger().resting(&states, 3).unwrap();
    assert_eq!(cut, states);
    assert!(few.iter().map(|group| group.n).sum::<u64>() <= 12);
}

#[test]
fn text_is_found_behind_and_the_lag_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let clock = noon();
    let with_text = || Options {
        text_index: true,
        ..options(&clock)
    };
    let journal = Journal::open(directory.path(), with_text()).unwrap();
    let peanut = append(&journal, adt("1", "ALLERGY PEANUT"));
    let _ = append(&journal, adt("2", "ALLERGY LATEX"));
    let found = |journal: &Journal, text: &str| {
        let filter = Filter {
            text: Some(text.to_owned()),
            ..Filter::default()
        };
        let began = Instant::now();
        loop {
            let listing = journal.list(&filter, ALL).unwrap();
            if listing.text_lag == Some(0) {
                break listing
                    .rows
                    .iter()
                    .map(|row| row.sequence)
                    .collect::<Vec<_>>();
            }
            assert!(
                began.elapsed() < Duration::from_secs(30),
                "the index never caught up"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    assert_eq!(found(&journal, "peanut"), [peanut]);
    assert_eq!(found(&journal, "allergy").len(), 2);
    assert_eq!(found(&journal, "allergy peanut"), [peanut], "each word");
    assert_eq!(
        found(&journal, "MRN1^^^ZZTEST").len(),
        2,
        "delimiters split words"
    );
    for odd in ["", "\"", "* OR", "NEAR(", "raw:x", "^", "a\"b", "-"] {
        let _ = found(&journal, odd);
    }
    drop(journal);
    let index = directory.path().join("journal/2026-11-23.standard.text");
    std::fs::remove_file(index).unwrap();
    let journal = Journal::open(directory.path(), with_text()).unwrap();
    assert_eq!(
        found(&journal, "peanut"),
        [peanut],
        "a lost index is built again"
    );
}
