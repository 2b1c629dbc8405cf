//! Policies `received`, `mapped`, `delivered`: what is true when an acknowledgement arrives.

use crate::chart_site::ChartSite;
use crate::client::{Client, adt, field, msa1};
use crate::site::{Memory, Site};
use flow::{AckPolicy, Drained};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use store::journal::State;
use tempfile::tempdir;

const AT: &str = "20240517120000";

/// Builds a merge of a patient with itself, which cannot be applied.
fn merge_with_itself(control: &str) -> String {
    format!(
        "MSH|^~\\&|REG|ZZHOSP|CW|ZZ|{AT}||ADT^A40^ADT_A39|{control}|P|2.5.1\r\
         EVN|A40|{AT}\rPID|1||1^^^ZZHOSP^MR\rMRG|1^^^ZZHOSP^MR\r"
    )
}

#[test]
fn mapped_and_delivered_wait_for_the_chart_and_tell_its_answer() {
    for policy in [AckPolicy::Mapped, AckPolicy::Delivered] {
        let dir = tempdir().unwrap();
        let site = ChartSite::start_with(dir.path(), |flow| flow.acknowledge = policy);
        for n in 1..=5 {
            let message = adt("A01", &format!("C{n}"), &n.to_string(), "ANNA", AT);
            assert_eq!(site.send("adt", &message), "AA");
            // No waiting: an acknowledged message can be found immediately.
            assert_eq!(site.all("Patient").len(), n, "{policy:?}");
            assert_eq!(site.all("Encounter").len(), n, "{policy:?}");
        }
        let mut client = Client::connect(site.address("adt"));
        client.post(&merge_with_itself("M1"));
        let ack = client.answer().unwrap();
        assert_eq!(
            (msa1(&ack).as_str(), field(&ack, "ERR", 3)),
            ("AE", "205^Duplicate key identifier^HL70357".to_owned()),
            "{policy:?}"
        );
        // Enhanced mode: CA means that the message is on disk, AA gives the chart's answer.
        let plain = adt("A01", "E1", "9", "ANNA", AT);
        client.post(&plain.replacen("|P|2.5.1", "|P|2.5.1|||AL|AL", 1));
        let codes = [(); 2].map(|()| msa1(&client.answer().unwrap()));
        assert_eq!(codes, ["CA", "AA"], "{policy:?}");
        assert_eq!(site.all("Patient").len(), 6, "{policy:?}");
    }
}

/// 2.9.3, table 0155: every value of MSH-15 and MSH-16, for a message that is accepted, one that
/// the destination refuses, and one that is refused on receipt.
#[test]
fn enhanced_mode_answers_as_msh_15_and_16_ask() {
    let dir = tempdir().unwrap();
    let site = Site::start(dir.path(), |flow| flow.acknowledge = AckPolicy::Mapped);
    site.memory.fail.store(true, Ordering::SeqCst);
    let asks = |wanted: &str, accepted: bool| match wanted {
        "AL" => true,
        "ER" => !accepted,
        "SU" => accepted,
        _ => false,
    };
    let mut n_sent = 0;
    for accept in ["", "AL", "NE", "ER", "SU"] {
        for application in ["", "AL", "NE", "ER", "SU"] {
            for (given, id, at_the_door, answer) in [
                ("ANNA", "P", true, "AA"),
                ("FAIL", "P", true, "AE"),
                ("ANNA", "T", false, "AR"),
            ] {
                n_sent += 1;
                let plain = adt("A01", &format!("E{n_sent}"), &n_sent.to_string(), given, AT);
                let header = format!("|{id}|2.5.1|||{accept}|{application}");
                let mut client = Client::connect(site.address);
                client.post(&plain.replacen("|P|2.5.1", &header, 1));
                client.half_close();
                let codes: Vec<String> = std::iter::from_fn(|| client.answer())
                    .map(|ack| msa1(&ack))
                    .collect();
                let original = accept.is_empty() && application.is_empty();
                let commit =
                    asks(accept, at_the_door).then_some(if at_the_door { "CA" } else { "CR" });
                // A refusing accept acknowledgement is final.
                let more = at_the_door || commit.is_none();
                let wanted = original || asks(application, answer == "AA");
                let answer = (wanted && more).then_some(answer);
                let expected: Vec<&str> = commit.into_iter().chain(answer).collect();
                assert_eq!(
                    codes, expected,
                    "MSH-15 {accept} MSH-16 {application} {given} {id}"
                );
            }
        }
    }
    assert_eq!(site.settled().len(), n_sent, "all are kept");
}

#[test]
fn received_waits_for_the_disk_alone() {
    let dir = tempdir().unwrap();
    let site = Site::start(dir.path(), |_| {});
    site.memory.down.store(true, Ordering::SeqCst);
    let mut client = Client::connect(site.address);
    assert_eq!(client.send(&adt("A01", "C1", "1", "ANNA", AT)), "AA");
    assert_eq!(site.rows()[0].state, State::Received);
    assert_eq!(site.seen(), Vec::<String>::new());
}

/// The engine stops between the journal and the destination's answer: no AA. The message is
/// journaled, is applied by the next run, and the sender that asks again gets the outcome.
#[test]
fn an_engine_that_stops_in_between_acknowledges_nothing() {
    for policy in [AckPolicy::Mapped, AckPolicy::Delivered] {
        let dir = tempdir().unwrap();
        let message = adt("A01", "C1", "1", "ANNA", AT);
        let site = Site::start(dir.path(), |flow| flow.acknowledge = policy);
        site.memory.down.store(true, Ordering::SeqCst);
        let mut client = Client::connect(site.address);
        client.post(&message);
        while site.rows().is_empty() {
            std::thread::sleep(Duration::from_millis(5));
        }
        let drained = site.engine.drain(Duration::from_millis(200));
        let drained = site.runtime.block_on(drained);
        assert_eq!(drained, Drained::WithWaiting(1), "{policy:?}");
        drop(site);
        assert_eq!(client.answer(), None, "{policy:?}");

        let memory = Arc::new(Memory::default());
        let site = Site::start_with(dir.path(), memory, |flow| flow.acknowledge = policy);
        let mut client = Client::connect(site.address);
        assert_eq!(client.send(&message), "AA", "{policy:?}");
        assert_eq!(site.seen(), ["C1"], "{policy:?}: once");
        assert_eq!(site.settled().len(), 1, "{policy:?}");
    }
}
