//! A disk that does not return what was written: whatever bit of a file is flipped, a read returns the
//! written value or an error. Some flips affect no answer, and some hide a row from an index, which `causeway
//! verify` finds; a wrong value is never returned.

use crate::chart_fixture::{Fixture, permit, prepared, query};
use crate::journal_fixture::{adt, append, noon, open};
use base::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use store::chart::{Change, Chart, HistoryOf, HistoryPage, Limits, Read};
use store::journal::{Filter, Journal, Page, Sequence};

/// The number of files with flipped bits.
const TRIALS: u32 = 120;

fn patient(id: usize, version: usize) -> String {
    // Longer than the texts that zstd leaves alone, and each different.
    let notes = "One more note. ".repeat(id % 7);
    format!(
        "{{\"resourceType\":\"Patient\",\"id\":\"p{id}\",\"gender\":\"female\",\"name\":[{{\"family\":\"Zztest{id}\",\
         \"given\":[\"Version{version}\"],\"text\":\"{notes}\"}}]}}"
    )
}

/// Returns every answer of a chart, by query.
fn chart_answers(chart: &Chart) -> BTreeMap<String, Option<Vec<String>>> {
    let texts = |all: Vec<store::chart::Resource>| {
        all.into_iter()
            .map(|found| {
                format!(
                    "{}/{} {} {}",
                    found.resource_type,
                    found.id,
                    found.version,
                    String::from_utf8_lossy(&found.body)
                )
            })
            .collect::<Vec<_>>()
    };
    let mut answers = BTreeMap::new();
    for id in 0..20 {
        let id = format!("p{id}");
        let read = match chart.read(&permit(), "Patient", &id) {
            Ok(Read::Found(found)) => Some(texts(vec![*found])),
            Ok(Read::Gone { .. } | Read::Missing) => Some(Vec::new()),
            Err(_) => None,
        };
        answers.insert(format!("read {id}"), read);
        let of = HistoryOf::Resource {
            resource_type: "Patient",
            id: &id,
        };
        let history = chart.history(&permit(), of, &HistoryPage::default());
        let history = history.ok().map(|history| {
            texts(
                history
                    .entries
                    .into_iter()
                    .map(|entry| entry.resource)
                    .collect(),
            )
        });
        answers.insert(format!("history {id}"), history);
    }
    let page = chart.search(
        &permit(),
        &query("Patient", "gender=female&_count=100"),
        Limits::default(),
    );
    answers.insert(
        "search".to_owned(),
        page.ok().map(|page| texts(page.matches)),
    );
    answers
}

/// Checks that `now` has nothing that was not there before: an answer may be an error, or lack what an index
/// hides.
fn nothing_is_wrong(
    before: &BTreeMap<String, Option<Vec<String>>>,
    now: &BTreeMap<String, Option<Vec<String>>>,
) -> Result<(), TestCaseError> {
    for (asked, answer) in now {
        let known = before[asked].as_ref().unwrap();
        for text in answer.iter().flatten() {
            prop_assert!(known.contains(text), "{asked}: {text}\nwas {known:?}");
        }
    }
    Ok(())
}

fn flip(file: &Path, bits: &[usize]) {
    let mut bytes = fs::read(file).unwrap();
    // The first page is the file's header and schema: SQLite rejects the whole file then.
    let n_bits = (bytes.len() - 4096) * 8;
    for bit in bits {
        let bit = 4096 * 8 + bit % n_bits;
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    fs::write(file, bytes).unwrap();
}

fn bits() -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(any::<usize>(), 1..12)
}

#[test]
fn flipped_bits_of_a_chart_never_give_wrong_data() {
    let fixture = Fixture::new();
    for version in 0..3 {
        for id in 0..20 {
            let body = prepared(&patient(id, version));
            fixture.change(Change::put(format!("p{id}"), body)).unwrap();
        }
    }
    let before = chart_answers(&fixture.chart);
    assert!(before.values().all(Option::is_some));
    let options = || store::chart::Options {
        clock: fixture.clock.clone(),
        ..store::chart::Options::default()
    };
    fixture.chart.close();
    let whole = fixture.dir.path().join("chart.db");
    let mut n_told = 0;
    let mut runner = TestRunner::new(Config::with_cases(TRIALS));
    let law = runner.run(&bits(), |bits| {
        let scratch = tempfile::tempdir().unwrap();
        let copied = scratch.path().join("chart.db");
        fs::copy(&whole, &copied).unwrap();
        flip(&copied, &bits);
        let Ok(chart) = Chart::open(scratch.path(), options()) else {
            return Ok(());
        };
        nothing_is_wrong(&before, &chart_answers(&chart))
    });
    law.unwrap();
    // The checks above must be able to fail: bodies that are certainly damaged are all reported.
    for id in 0..20 {
        let scratch = tempfile::tempdir().unwrap();
        let copied = scratch.path().join("chart.db");
        fs::copy(&whole, &copied).unwrap();
        let file = rusqlite::Connection::open(&copied).unwrap();
        let sql = "UPDATE version SET body = CAST(substr(body, 1, ?1) || x'ff' || substr(body, ?1 + 2) AS BLOB)
                   WHERE rid = (SELECT rid FROM resource WHERE id = ?2)";
        file.execute(sql, (5 + id, format!("p{id}"))).unwrap();
        drop(file);
        let chart = Chart::open(scratch.path(), options()).unwrap();
        n_told += usize::from(
            chart
                .read(&permit(), "Patient", &format!("p{id}"))
                .is_err_and(|error| error.is_damage()),
        );
        assert_eq!(chart.damage().n_met(), 1);
    }
    assert_eq!(n_told, 20);
}

/// Returns every answer of a journal, by query.
fn journal_answers(journal: &Journal) -> BTreeMap<String, Option<Vec<String>>> {
    let mut answers = BTreeMap::new();
    for number in 1..41 {
        let read = journal.read(Sequence::new(number)).map(|found| {
            found
                .map(|stored| {
                    format!(
                        "{:?} {} {:?}",
                        stored.body,
                        stored.summary.header.control_id,
                        stored.acknowledgement.map(|answer| answer.bytes)
                    )
                })
                .into_iter()
                .collect::<Vec<_>>()
        });
        answers.insert(format!("read {number}"), read.ok());
    }
    let page = Page {
        before: None,
        limit: 100,
    };
    let rows = journal.list(&Filter::default(), page).map(|listing| {
        let shown = listing.rows.into_iter().filter(|row| !row.is_damaged());
        shown
            .map(|row| {
                format!(
                    "{} {} {} {:?}",
                    row.sequence, row.flow, row.header.control_id, row.header.patients
                )
            })
            .collect()
    });
    answers.insert("list".to_owned(), rows.ok());
    answers
}

#[test]
fn flipped_bits_of_a_journal_never_give_wrong_data() {
    let (directory, clock) = (tempfile::tempdir().unwrap(), noon());
    let journal = open(directory.path(), &clock);
    for number in 0..40 {
        append(
            &journal,
            adt(&number.to_string(), &"LONG ".repeat(number * 3)),
        );
    }
    let before = journal_answers(&journal);
    drop(journal);
    let name = PathBuf::from("journal/2026-11-23.standard.db");
    let whole = directory.path().join(&name);
    let mut runner = TestRunner::new(Config::with_cases(TRIALS));
    let law = runner.run(&bits(), |bits| {
        let scratch = tempfile::tempdir().unwrap();
        fs::create_dir(scratch.path().join("journal")).unwrap();
        let copied = scratch.path().join(&name);
        fs::copy(&whole, &copied).unwrap();
        flip(&copied, &bits);
        let options = crate::journal_fixture::options(&clock);
        let Ok(journal) = Journal::open(scratch.path(), options) else {
            return Ok(());
        };
        let now = journal_answers(&journal);
        for (asked, answer) in &now {
            // Messages missing from an answer may be hidden, but a message is never a different one.
            if let (Some(answer), Some(known)) = (answer, &before[asked]) {
                for text in answer {
                    let without = text.replace("None", "");
                    let is_known = known
                        .iter()
                        .any(|known| known == text || known.starts_with(without.trim_end()));
                    prop_assert!(is_known, "{asked}: {text}\nwas {known:?}");
                }
            }
        }
        Ok(())
    });
    law.unwrap();
}

#[test]
fn a_body_of_the_first_format_is_checked_by_its_digest() {
    let fixture = Fixture::new();
    for version in 0..2 {
        fixture
            .change(Change::put("p1", prepared(&patient(1, version))))
            .unwrap();
    }
    fixture.chart.close();
    let path = fixture.dir.path().join("chart.db");
    let file = rusqlite::Connection::open(&path).unwrap();
    file.execute("UPDATE version SET sum = NULL", []).unwrap();
    let other = store_body(&patient(1, 7));
    file.execute("UPDATE version SET body = ?1", [other])
        .unwrap();
    drop(file);
    let options = store::chart::Options {
        clock: std::sync::Arc::new(base::FixedClock::new(Timestamp::from_micros(
            1_800_000_000_000_000,
        ))),
        ..store::chart::Options::default()
    };
    let scratch = tempfile::tempdir().unwrap();
    fs::copy(&path, scratch.path().join("chart.db")).unwrap();
    let chart = Chart::open(scratch.path(), options).unwrap();
    assert!(
        chart
            .read(&permit(), "Patient", "p1")
            .unwrap_err()
            .is_damage()
    );
    // An older version has no digest of its own; it is JSON, and more cannot be checked.
    assert!(matches!(
        chart.vread(&permit(), "Patient", "p1", 1),
        Ok(Read::Found(_))
    ));
}

/// Encodes a body as the chart keeps it: its length, then zstd.
fn store_body(text: &str) -> Vec<u8> {
    let mut bytes = (text.len() as u32).to_le_bytes().to_vec();
    bytes.extend(zstd::bulk::compress(text.as_bytes(), 3).unwrap());
    bytes
}
