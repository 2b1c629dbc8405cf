//! What a running server tells: records that contradict each other, feeds that are not heard of, a
//! ledger that takes no more notes.

use crate::console_client::Client;
use crate::messages::ADMISSION;
use crate::process::stdout_of;
use crate::site::{Site, eventually};
use rusqlite::Connection;
use serde_json::Value;

const MINUTE: i64 = 60_000_000;

fn visitor(site: &Site) -> Client {
    let mut client = Client::new(site.running().url("console"));
    let secret = site.running().secret.clone().unwrap_or_default();
    client.log_in(&secret);
    client
}

fn listed(site: &Site, what: &[&str]) -> Value {
    let data = site.data().display().to_string();
    let told = stdout_of(&[what, &["--data", &data, "--format", "json"]].concat());
    serde_json::from_str(&told).unwrap()
}

/// The issue of a message, its page and its answer in the API name both records and the remedy.
#[test]
fn records_that_contradict_each_other_are_named() {
    let site = Site::start();
    let shared = |text: &str| {
        text.replace(
            "^^^HOSP^MR",
            "^^^HOSP^MR~219-09-1234^^^USSSA&2.16.840.1.113883.4.1&ISO^SS",
        )
    };
    site.send("a.hl7", &shared(ADMISSION));
    let other = ADMISSION
        .replace("|A1|", "|A2|")
        .replace("|123^", "|456^")
        .replace("||V1\r", "||V2\r")
        .replace("ZZTEST^JANE^Q||19800102|F", "ZZOTHER^JOHN||20040506|M");
    let answer = site.send("b.hl7", &shared(&other));
    assert!(answer.contains("MSA|AA|A2"), "{answer}");
    let message = eventually(|| {
        let message = listed(&site, &["messages", "show", "2"]);
        (message["state"] == "needs attention").then_some(message)
    });
    let findings = message["findings"].as_array().unwrap();
    let finding = findings
        .iter()
        .find(|finding| finding["reason"].as_str().unwrap().contains("kept apart"))
        .unwrap();
    let why = finding["reason"].as_str().unwrap();
    assert!(why.contains("type SS"), "{why}");
    assert!(
        finding["remedy"]
            .as_str()
            .unwrap()
            .contains("merge the two")
    );
    let page = visitor(&site).get("/messages/2");
    assert_eq!(page.status, 200);
    for number in ["123", "456"] {
        let found = site.get(&format!("/Patient?identifier={number}"));
        let id = found["entry"][0]["resource"]["id"].as_str().unwrap();
        assert!(why.contains(&format!("Patient/{id}")), "{why}");
        assert!(page.text.contains(id), "{}", page.text);
    }
    assert!(!why.contains("219"), "its value is not told: {why}");
    assert!(page.text.contains("kept apart"), "{}", page.text);
}

/// Everything in the journal came so much earlier.
fn age(site: &Site, minutes: i64) {
    for entry in std::fs::read_dir(site.data().join("journal")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "db") {
            let file = Connection::open(path).unwrap();
            // Rows of a build before sums have none.
            let sql = "UPDATE entry SET received = received - ?, sum = NULL";
            assert_eq!(file.execute(sql, [minutes * MINUTE]).unwrap(), 1);
            let sql = "UPDATE minute SET minute = minute - ?";
            file.execute(sql, [minutes]).unwrap();
        }
    }
}

/// "Running" says only that a port is open: who is not connected, and who says nothing, looks it.
#[test]
fn a_feed_without_connection_or_word_looks_it() {
    let mut site = Site::start();
    let looks = |site: &Site| {
        let flows = listed(site, &["flows", "list"]);
        let page = visitor(site).get("/");
        (flows["flows"][0]["feed"].clone(), page.text)
    };
    let (feed, page) = looks(&site);
    assert_eq!(feed, "nothing heard yet");
    assert!(page.contains("nothing heard yet"), "{page}");
    site.send("a.hl7", ADMISSION);
    let (feed, page) = looks(&site);
    assert_eq!(feed, "heard");
    assert!(!page.contains("silent"), "{page}");
    for (minutes, word) in [(3, "no connection"), (22, "silent")] {
        assert!(site.running.take().unwrap().stop());
        age(&site, minutes);
        site.restart();
        let (feed, page) = looks(&site);
        assert_eq!(feed, word);
        assert!(page.contains(word), "{word}: {page}");
    }
    // Somebody speaks again.
    site.send("b.hl7", &ADMISSION.replace("|A1|", "|A2|"));
    let (feed, page) = looks(&site);
    assert_eq!(feed, "heard");
    assert!(!page.contains("silent"), "{page}");
}

/// A write of `flow.db` that fails is said by `/readyz`, with the store and the cause.
#[test]
fn a_ledger_that_fails_is_told() {
    let site = Site::start();
    let base = site
        .running()
        .url("console")
        .trim_end_matches('/')
        .to_owned();
    let client = Client::new(&base);
    site.send("a.hl7", ADMISSION);
    let ready = client.get("/readyz");
    assert_eq!((ready.status, ready.text.as_str()), (200, "ready\n"));
    let ledger = Connection::open(site.data().join("flow.db")).unwrap();
    ledger
        .execute_batch(
            "CREATE TRIGGER broken BEFORE INSERT ON message BEGIN \
             SELECT RAISE(FAIL, 'the medium is broken'); END;",
        )
        .unwrap();
    let path = crate::site::write(
        site.folder.path(),
        "b.hl7",
        &ADMISSION.replace("|A1|", "|A2|"),
    );
    // What it is answered is not the point: the message is in the journal.
    crate::process::causeway(&["send", site.mllp(), &path]);
    let said = eventually(|| {
        let ready = client.get("/readyz");
        (ready.status == 503).then_some(ready.text)
    });
    assert!(said.contains("ledger: "), "{said}");
    assert!(said.contains("`flow.db`"), "{said}");
    assert!(said.contains("the medium is broken"), "{said}");
}
