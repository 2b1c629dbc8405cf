//! Batches in one frame (2.8.2 chapter 2.10.3): each message is journaled, applied and answered on
//! its own; the answers travel as one batch.

use crate::client::{Client, adt, field};
use crate::site::Site;
use flow::AckPolicy;
use hl7v2::ack::{AckCode, Acknowledgement};
use hl7v2::{IssueKind, Message, batch};
use std::sync::atomic::Ordering;
use store::journal::State;
use tempfile::tempdir;

const AT: &str = "20240517120000";
const FHS: &str = "FHS|^~\\&|REG|ZZHOSP|CW|ZZ|20240517||f.hl7||F1\r";
const BHS: &str = "BHS|^~\\&|REG|ZZHOSP|CW|ZZ|20240517||||B1\r";

fn message(n: usize) -> String {
    adt("A08", &format!("C{n}"), "7", "ANNA", AT)
}

fn messages(range: std::ops::Range<usize>) -> String {
    range.map(message).collect()
}

/// Returns the acknowledgements of a reply: code and control id.
fn acks(reply: &str) -> Vec<(AckCode, String)> {
    let batch = batch::read(reply.as_bytes().to_vec());
    assert_eq!(batch.issues, [], "{reply}");
    let read = |bytes| Acknowledgement::read(&Message::parse(bytes)).unwrap();
    let acks = batch.messages.into_iter().map(|member| read(member.bytes));
    acks.map(|ack| (ack.code, ack.control_id)).collect()
}

fn accepted(range: std::ops::Range<usize>) -> Vec<(AckCode, String)> {
    range.map(|n| (AckCode::AA, format!("C{n}"))).collect()
}

#[test]
fn a_batch_is_answered_by_a_batch_after_all_its_messages_are_kept() {
    let dir = tempdir().unwrap();
    let site = Site::start(dir.path(), |_| {});
    let mut client = Client::connect(site.address);
    let n = 200;
    client.post(&format!("{FHS}{BHS}{}BTS|{n}\rFTS|1\r", messages(0..n)));
    let reply = client.answer().unwrap();
    assert_eq!(site.rows().len(), n, "on disk before the answer");
    assert_eq!(acks(&reply), accepted(0..n));
    for (clause, part, n, expected) in [
        ("2.14.4.3 FHS-3 is their FHS-5", "FHS", 3, "CW"),
        ("2.14.4.12 FHS-12 is their FHS-11", "FHS", 12, "F1"),
        ("2.14.2.12 BHS-12 is their BHS-11", "BHS", 12, "B1"),
        ("2.14.3.1 BTS-1 counts", "BTS", 1, "200"),
        ("2.14.5.1 FTS-1 counts", "FTS", 1, "1"),
    ] {
        let line = reply.split('\r').find(|line| line.starts_with(part));
        let line = Message::parse(line.unwrap().to_owned());
        let found = line.segment_at(0).unwrap().field(n).text();
        assert_eq!(found, expected, "{clause}");
    }
    site.settled();
    let expected: Vec<String> = (0..n).map(|n| format!("C{n}")).collect();
    assert_eq!(site.seen(), expected, "in order");
    assert_eq!(client.send(&message(n)), "AA", "the connection goes on");
}

#[test]
fn a_batch_sent_again_gets_its_stored_answers() {
    let dir = tempdir().unwrap();
    let site = Site::start(dir.path(), |_| {});
    let mut client = Client::connect(site.address);
    let mut reply = |body: &str| {
        client.post(body);
        client.answer().unwrap()
    };
    let first = reply(&format!("{BHS}{}BTS|3\r", messages(0..3)));
    // The second batch has one more message.
    let again = reply(&format!("{BHS}{}BTS|4\r", messages(0..4)));
    assert_eq!(acks(&again), accepted(0..4));
    let stored = |reply: &str| -> Vec<String> {
        let of = batch::read(reply.as_bytes().to_vec()).messages.into_iter();
        of.map(|member| String::from_utf8_lossy(&member.bytes).into_owned())
            .take(3)
            .collect()
    };
    assert_eq!(stored(&first), stored(&again), "byte for byte");
    assert_eq!(site.settled().len(), 4);
    assert_eq!(site.seen().len(), 4, "none twice");
}

#[test]
fn a_wrong_envelope_loses_nothing_and_is_shown() {
    let all = messages(0..2);
    for (clause, body, remark) in [
        (
            "BTS-1 counts more",
            format!("{BHS}{all}BTS|3\r"),
            "2 messages came, 3 announced",
        ),
        (
            "BTS-1 counts less",
            format!("{BHS}{all}BTS|1\r"),
            "2 messages came, 1 announced",
        ),
        (
            "FTS-1 counts more",
            format!("{FHS}{BHS}{all}BTS|2\rFTS|9\r"),
            "1 batches came, 9 announced",
        ),
        ("no BTS", format!("{BHS}{all}"), "the trailer is missing"),
        (
            "no FTS",
            format!("{FHS}{BHS}{all}BTS|2\r"),
            "the trailer is missing",
        ),
        ("no BHS", format!("{FHS}{all}BTS|2\rFTS|0\r"), ""),
        (
            "a segment outside of all messages",
            format!("{BHS}PID|1\r{all}BTS|2\r"),
            "",
        ),
    ] {
        let dir = tempdir().unwrap();
        let site = Site::start(dir.path(), |_| {});
        let mut client = Client::connect(site.address);
        client.post(&body);
        let reply = client.answer().unwrap();
        assert_eq!(acks(&reply), accepted(0..2), "{clause}");
        assert!(reply.contains(remark), "{clause}: {reply}");
        let rows = site.settled();
        let [first, second, envelope] = rows.as_slice() else {
            panic!("{clause}: {rows:?}")
        };
        assert_eq!((first.state, second.state), (State::Mapped, State::Mapped));
        assert_eq!(
            (envelope.state, envelope.reason.as_deref()),
            (State::NeedsAttention, Some("batch_envelope")),
            "{clause}"
        );
        // A repeated batch does not need attention a second time.
        client.post(&body);
        assert_eq!(acks(&client.answer().unwrap()), accepted(0..2), "{clause}");
        assert_eq!(site.settled().len(), 3, "{clause}");
        assert_eq!(
            client.send(&message(3)),
            "AA",
            "{clause}: the connection goes on"
        );
    }
}

#[test]
fn messages_of_a_batch_are_answered_each_for_itself() {
    use AckCode::{AA, AE, AR, CA};

    let dir = tempdir().unwrap();
    let site = Site::start(dir.path(), |flow| flow.acknowledge = AckPolicy::Mapped);
    site.memory.fail.store(true, Ordering::SeqCst);
    let mut client = Client::connect(site.address);
    let enhanced = |n: usize, given: &str, asked: &str| {
        let plain = adt("A01", &format!("C{n}"), &format!("{n}"), given, AT);
        plain.replacen("|P|2.5.1", &format!("|P|2.5.1|||{asked}"), 1)
    };
    let members = [
        message(0),
        adt("A01", "C1", "1", "FAIL", AT),
        message(2).replace("|P|", "|T|"),
        enhanced(3, "ANNA", "AL|AL"),
        enhanced(4, "ANNA", "NE|NE"),
        enhanced(5, "FAIL", "AL|ER"),
    ];
    client.post(&format!("{BHS}{}BTS|6\r", members.concat()));
    let expected = [
        (AA, 0),
        (AE, 1),
        (AR, 2),
        (CA, 3),
        (AA, 3),
        (CA, 5),
        (AE, 5),
    ];
    let expected: Vec<_> = expected.map(|(code, n)| (code, format!("C{n}"))).into();
    assert_eq!(acks(&client.answer().unwrap()), expected);
    // 2.9.3: a sender that wants no acknowledgement gets none, also in a batch.
    let silent: String = (6..8).map(|n| enhanced(n, "ANNA", "NE|NE")).collect();
    client.post(&format!("{BHS}{silent}BTS|2\r"));
    client.post(&format!("{BHS}BTS|0\r"));
    let empty = client.answer().unwrap();
    assert_eq!(
        (acks(&empty), field(&empty, "BTS", 1)),
        (vec![], "0".to_owned())
    );
}

/// Many senders leave the envelope out, as the standard allows.
#[test]
fn messages_without_an_envelope_are_told_apart() {
    let dir = tempdir().unwrap();
    let site = Site::start(dir.path(), |_| {});
    let mut client = Client::connect(site.address);
    client.post(&messages(0..3));
    let reply = client.answer().unwrap();
    assert_eq!(acks(&reply), accepted(0..3));
    assert!(!reply.contains("BHS"));
    assert_eq!(site.settled().len(), 3);
}

/// The text of a result may mention MSH.
#[test]
fn text_with_line_feeds_is_no_batch() {
    let dir = tempdir().unwrap();
    let site = Site::start(dir.path(), |_| {});
    let mut client = Client::connect(site.address);
    let text = format!(
        "{}OBX|1|TX|n||first\nMSH: normal\nBTS|2|x\rNTE|1\r",
        message(0)
    );
    assert_eq!(client.send(&text), "AA");
    assert_eq!(site.settled().len(), 1);
    let found = Message::parse(text);
    let kinds: Vec<IssueKind> = found.issues().iter().map(|issue| issue.kind).collect();
    assert!(kinds.contains(&IssueKind::LineFeedInData), "{kinds:?}");
}

/// The answers are larger than the write buffer.
#[test]
fn a_frame_full_of_tiny_messages_is_answered_whole() {
    let dir = tempdir().unwrap();
    let site = Site::start(dir.path(), |_| {});
    let mut client = Client::connect(site.address);
    let n = 20_000;
    client.post(&"MSH|\r".repeat(n));
    assert_eq!(acks(&client.answer().unwrap()).len(), n);
    assert_eq!(site.rows().len(), n);
}
