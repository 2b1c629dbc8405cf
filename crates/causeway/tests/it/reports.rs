//! Conditions that a running server reports: records that contradict each other, silent feeds, a ledger
//! that can no longer be written.

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

/// Checks that a message's finding, its page and its API response name both records and the remedy.
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
    assert!(!why.contains("219"), "its value is not disclosed: {why}");
    assert!(page.text.contains("kept apart"), "{}", page.text);
}

/// Shifts everything in the journal back by that many minutes.
fn age(site: &Site, minutes: i64) {
    for entry in std::fs::read_dir(site.data().join("journal")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "db") {
            let file = Connection::open(path).unwrap();
            // Rows written before checksums existed have none.
            let sql = "UPDATE entry SET received = received - ?, sum = NULL";
            assert_eq!(file.execute(sql, [minutes * MINUTE]).unwrap(), 1);
            let sql = "UPDATE minute SET minute = minute - ?";
            file.execute(sql, [minutes]).unwrap();
        }
    }
}

/// "Running" means only that a port is open: a sender that is disconnected or silent is shown as such.
#[test]
fn a_disconnected_or_silent_feed_is_shown_as_such() {
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
    // A message arrives again.
    site.send("b.hl7", &ADMISSION.replace("|A1|", "|A2|"));
    let (feed, page) = looks(&site);
    assert_eq!(feed, "heard");
    assert!(!page.contains("silent"), "{page}");
}

/// Checks that `/readyz` reports a failed write of `flow.db`, with the store and the cause.
#[test]
fn a_failing_ledger_is_reported() {
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
    // The acknowledgement does not matter here: the message is in the journal.
    crate::process::causeway(&["send", site.mllp(), &path]);
    let said = eventually(|| {
        let ready = client.get("/readyz");
        (ready.status == 503).then_some(ready.text)
    });
    assert!(said.contains("ledger: "), "{said}");
    assert!(said.contains("`flow.db`"), "{said}");
    assert!(said.contains("the medium is broken"), "{said}");
}
