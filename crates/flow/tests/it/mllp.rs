//! MLLP in, journal, acknowledgement: policies, duplicates, and every row of bad input.

use crate::client::{Client, adt, field, framed, msa1};
use crate::site::Site;
use flow::{AckPolicy, FlowConfig, SourceConfig};
use std::sync::atomic::Ordering;
use store::journal::State;
use tempfile::tempdir;

const AT: &str = "20240517120000";

fn short_frames(flow: &mut FlowConfig) {
    let SourceConfig::Mllp(mllp) = &mut flow.source;
    mllp.max_frame_bytes = 64 << 10;
    mllp.frame_timeout_seconds = 1;
}

#[test]
fn an_acknowledged_message_is_in_the_journal_and_goes_on() {
    let dir = tempdir().unwrap();
    let site = Site::start(dir.path(), |_| {});
    let mut client = Client::connect(site.address);
    client.post(&adt("A01", "C1", "1", "ANNA", AT));
    let ack = client.answer().unwrap();
    assert_eq!(
        (msa1(&ack).as_str(), field(&ack, "MSA", 2).as_str()),
        ("AA", "C1")
    );
    assert_eq!(
        field(&ack, "MSH", 3),
        "CW",
        "the receiver answers in its own name"
    );
    assert_eq!(site.rows().len(), 1);
    assert_eq!(site.settled()[0].state, State::Mapped);
    assert_eq!(site.seen(), ["C1"]);
    let snapshot = site.engine.snapshot().unwrap();
    assert_eq!(
        (snapshot.flows[0].received, snapshot.flows[0].applied),
        (1, 1)
    );
    assert_eq!(snapshot.flows[0].connections, 1);
    assert!(
        site.engine
            .render_metrics()
            .contains("causeway_flow_messages_applied_total{flow=\"adt\"} 1")
    );
}

#[test]
fn pipelined_messages_are_answered_in_order() {
    let dir = tempdir().unwrap();
    let site = Site::start(dir.path(), |_| {});
    let mut client = Client::connect(site.address);
    let all: Vec<u8> = (0..300)
        .flat_map(|n| framed(adt("A08", &format!("C{n}"), "7", "ANNA", AT).as_bytes()))
        .collect();
    client.raw(&all);
    for n in 0..300 {
        assert_eq!(field(&client.answer().unwrap(), "MSA", 2), format!("C{n}"));
    }
    site.settled();
    let expected: Vec<String> = (0..300).map(|n| format!("C{n}")).collect();
    assert_eq!(
        site.seen(),
        expected,
        "one patient's messages stay in order"
    );
}

#[test]
fn a_repeat_gets_the_stored_acknowledgement_and_a_reused_id_is_a_new_message() {
    let dir = tempdir().unwrap();
    let site = Site::start(dir.path(), |_| {});
    let mut client = Client::connect(site.address);
    let mut answer = |message: &str| {
        client.post(message);
        client.answer().unwrap()
    };
    let first = answer(&adt("A01", "C1", "1", "ANNA", AT));
    let again = answer(&adt("A01", "C1", "1", "ANNA", AT));
    assert_eq!(first, again, "the stored one, byte for byte");
    let other = answer(&adt("A01", "C1", "2", "BERTA", AT));
    assert_eq!(msa1(&other), "AA");
    let rows = site.settled();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[1].reused_control_id, Some(rows[0].sequence), "flagged");
    assert_eq!(site.seen().len(), 2, "processed");
}

#[test]
fn acknowledged_when_mapped_tells_the_outcome() {
    let dir = tempdir().unwrap();
    let site = Site::start(dir.path(), |flow| flow.acknowledge = AckPolicy::Mapped);
    site.memory.fail.store(true, Ordering::SeqCst);
    let mut client = Client::connect(site.address);
    assert_eq!(client.send(&adt("A01", "C1", "1", "ANNA", AT)), "AA");
    assert_eq!(site.seen(), ["C1"], "in the chart before the answer");
    client.post(&adt("A01", "C2", "2", "FAIL", AT));
    let ack = client.answer().unwrap();
    assert_eq!(
        (msa1(&ack).as_str(), field(&ack, "ERR", 4).as_str()),
        ("AE", "E")
    );
    let errors = |ack: &str| -> Vec<String> {
        let errors = ack.split('\r').filter(|line| line.starts_with("ERR"));
        errors
            .map(|line| [2, 3, 8].map(|n| line.split('|').nth(n).unwrap()).join(" "))
            .collect()
    };
    let [whole, date, number] = &errors(&ack)[..] else {
        panic!("{ack}")
    };
    assert!(whole.starts_with(" 102^"), "{whole}");
    assert_eq!(date, "PID^1^7^1 102^Data type error^HL70357 no date");
    assert_eq!(
        number,
        "OBX^2^5^3^1^2 102^Data type error^HL70357 no number"
    );
    client.post(&adt("A01", "C2", "2", "FAIL", AT));
    assert_eq!(
        client.answer().unwrap(),
        ack,
        "a repeat gets the stored one"
    );
    assert_eq!(
        client.send(&adt("A01", "C3", "3", "PANIC", AT)),
        "AE",
        "a worker's panic is caught"
    );
    assert_eq!(client.send(&adt("A01", "C4", "3", "ANNA", AT)), "AA");
}

#[test]
fn what_the_flow_cannot_take_is_kept_answered_and_shown() {
    let dir = tempdir().unwrap();
    let site = Site::start(dir.path(), |_| {});
    let mut client = Client::connect(site.address);
    let plain = adt("A01", "C1", "1", "ANNA", AT);
    for (clause, from, to, code, condition, reason) in [
        (
            "MSH-9 missing",
            "ADT^A01^ADT_A01",
            "",
            "AR",
            "101",
            "no_message_type",
        ),
        ("MSH-10 missing", "|C1|", "||", "AR", "101", "no_control_id"),
        (
            "MSH-11 missing",
            "|P|",
            "||",
            "AR",
            "101",
            "no_processing_id",
        ),
        (
            "MSH-11 training",
            "|P|",
            "|T|",
            "AR",
            "202",
            "wrong_processing_id",
        ),
        (
            "MSH-11 debugging",
            "|P|",
            "|D|",
            "AR",
            "202",
            "wrong_processing_id",
        ),
    ] {
        client.post(&plain.replacen(from, to, 1));
        let ack = client.answer().unwrap();
        assert_eq!(msa1(&ack), code, "{clause}");
        assert!(
            field(&ack, "ERR", 3).starts_with(condition),
            "{clause}: {ack}"
        );
        let rows = site.settled();
        let last = rows.last().unwrap();
        assert_eq!(
            (last.state, last.reason.as_deref()),
            (State::NeedsAttention, Some(reason)),
            "{clause}"
        );
    }
    assert_eq!(site.seen(), Vec::<String>::new());
    assert_eq!(client.send(&plain), "AA", "the connection goes on");
}

/// Sends bytes and returns the answers until the peer closes.
fn closed_after(site: &Site, bytes: &[u8]) -> Vec<String> {
    let mut client = Client::connect(site.address);
    client.raw_while_open(bytes);
    std::iter::from_fn(|| client.answer()).collect()
}

#[test]
fn bytes_that_are_no_message_are_kept_and_the_connection_is_closed() {
    let dir = tempdir().unwrap();
    let site = Site::start(dir.path(), short_frames);
    let garbage: Vec<u8> = (0..5000u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let unfinished = [
        b"\x0b".as_slice(),
        adt("A01", "U1", "1", "ANNA", AT).as_bytes(),
    ]
    .concat();
    let huge = [
        b"\x0b".as_slice(),
        adt("A01", "H1", "1", "ANNA", AT).as_bytes(),
        &vec![b'x'; 50 << 20],
    ]
    .concat();
    let unframed = adt("A01", "N1", "1", "ANNA", AT);
    for (clause, bytes, codes, why, n_kept) in [
        (
            "binary without a frame",
            vec![1, 2, 3, 200, 201],
            vec![],
            "noise",
            Some(5),
        ),
        (
            "HTTP",
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
            vec![],
            "noise",
            None,
        ),
        (
            "TLS",
            vec![0x16, 0x03, 0x01, 0x02, 0x00],
            vec![],
            "noise",
            None,
        ),
        (
            "a frame of text that is no message",
            framed(b"hello"),
            vec![],
            "noise",
            Some(5),
        ),
        (
            "a message without a frame",
            unframed.clone().into_bytes(),
            vec!["AR"],
            "noise",
            None,
        ),
        (
            "a frame without end",
            unfinished,
            vec!["AR"],
            "frame_timeout",
            None,
        ),
        ("50 MB", huge, vec!["AR"], "frame_too_long", Some(64 << 10)),
    ] {
        let before = site.rows().len();
        let answers = closed_after(&site, &bytes);
        let found: Vec<String> = answers.iter().map(|ack| msa1(ack)).collect();
        assert_eq!(found, codes, "{clause}");
        let rows = site.settled();
        let row = &rows[before];
        assert_eq!(row.no_message.as_deref(), Some(why), "{clause}");
        assert_eq!(
            (row.state, row.reason.as_deref()),
            (State::NeedsAttention, Some("no_message")),
            "{clause}"
        );
        if let Some(n_kept) = n_kept {
            assert_eq!(row.n_bytes, n_kept, "{clause}");
        }
    }
    closed_after(&site, &garbage);
    assert_eq!(
        Client::connect(site.address).send(&unframed),
        "AA",
        "others go on"
    );
    let metrics = site.engine.render_metrics();
    for reason in [
        "noise",
        "http_on_mllp_port",
        "tls_on_plain_port",
        "frame_timeout",
        "frame_too_long",
    ] {
        let counted =
            format!("causeway_flow_connections_closed_total{{flow=\"adt\",reason=\"{reason}\"}}");
        assert!(metrics.contains(&counted), "{reason} in {metrics}");
    }
}

/// A start block in binary data does not hold the connection until the frame times out: the
/// client's timeout is 20 seconds, the frame's 60.
#[test]
fn a_frame_that_cannot_be_a_message_is_kept_and_its_silent_peer_sent_away() {
    let dir = tempdir().unwrap();
    let site = Site::start(dir.path(), |_| {});
    let binary: Vec<u8> = (0..2000u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .filter(|byte| !matches!(byte, 0x0b | 0x1c))
        .collect();
    for (clause, before, inside) in [
        ("all of it in the frame", &b""[..], &binary[..]),
        (
            "a start block in the middle",
            &binary[..300],
            &binary[300..400],
        ),
        (
            "lines of text",
            b"",
            b"no message, whatever one may think of it\r\n"
                .repeat(20)
                .as_slice(),
        ),
    ] {
        let n_before = site.rows().len();
        let mut client = Client::connect(site.address);
        client.raw(&[before, b"\x0b", inside].concat());
        assert_eq!(client.answer(), None, "{clause}");
        let rows = site.settled();
        let kept: usize = rows[n_before..].iter().map(|row| row.n_bytes).sum();
        assert_eq!(kept, before.len() + inside.len(), "{clause}: kept");
        for row in &rows[n_before..] {
            assert_eq!(row.no_message.as_deref(), Some("noise"), "{clause}");
        }
    }
    site.drain();
    let closed = "causeway_flow_connections_closed_total{flow=\"adt\",reason=\"noise\"} 3";
    assert!(site.engine.render_metrics().contains(closed));
}

/// A sender that writes a frame in pieces, with something before its header, has the frame's full
/// time.
#[test]
fn a_slow_and_sloppy_sender_is_waited_for() {
    let dir = tempdir().unwrap();
    let site = Site::start(dir.path(), |_| {});
    let message = |control: &str| {
        let text = adt("A01", control, "1", "ANNA", AT);
        text.replacen("ZZ|", &format!("ZZ{}|", "X".repeat(300)), 1)
    };
    let wide: Vec<u8> = message("W1")
        .replacen("|2.5.1", "|2.5.1||||||UNICODE UTF-16", 1)
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let after = |before: &str, control: &str| format!("{before}{}", message(control)).into_bytes();
    let cases = [
        ("blanks", after(&" ".repeat(60), "W2")),
        ("a byte order mark", after("\u{feff}", "W3")),
        (
            "a line of something else",
            after("from the analyzer:\r\n", "W4"),
        ),
        ("UTF-16", wide),
    ];
    let clients: Vec<_> = cases
        .iter()
        .map(|(clause, body)| {
            let framed = framed(body);
            let (first, rest) = framed.split_at(380);
            let mut client = Client::connect(site.address);
            client.raw(first);
            (clause, client, rest.to_vec())
        })
        .collect();
    std::thread::sleep(std::time::Duration::from_millis(1500));
    for (clause, mut client, rest) in clients {
        client.raw(&rest);
        let ack = client.answer().expect(clause).replace('\0', "");
        assert_eq!(msa1(&ack), "AA", "{clause}");
    }
}

#[test]
fn a_sender_that_leaves_out_the_last_return_is_answered() {
    let dir = tempdir().unwrap();
    let site = Site::start(dir.path(), |_| {});
    let mut client = Client::connect(site.address);
    for (control, end) in [("E1", &b"\x1c"[..]), ("E2", b"\x1c\n"), ("E3", b"\x1c")] {
        let frame = [
            b"\x0b",
            adt("A01", control, "1", "ANNA", AT).as_bytes(),
            end,
        ]
        .concat();
        client.raw(&frame);
        if control == "E3" {
            client.half_close();
        }
        let ack = client.answer().expect(control);
        let told = (msa1(&ack), field(&ack, "MSA", 2));
        assert_eq!(told, ("AA".to_owned(), control.to_owned()));
    }
    assert_eq!(client.answer(), None);
    let kept = site.settled();
    assert!(kept.iter().all(|row| row.no_message.is_none()), "{kept:?}");
}

#[test]
fn a_frame_that_the_peer_cut_off_is_kept() {
    let dir = tempdir().unwrap();
    let site = Site::start(dir.path(), |_| {});
    let mut client = Client::connect(site.address);
    client.raw(b"\x0bMSH|^~\\&|REG|ZZHOSP|CW|ZZ|20240517||ADT^A01|CUT|P|2.5\rPID|1");
    client.half_close();
    assert_eq!(
        msa1(&client.answer().unwrap()),
        "AR",
        "there is a control id"
    );
    assert_eq!(client.answer(), None);
    assert_eq!(
        site.settled()[0].no_message.as_deref(),
        Some("unfinished_frame")
    );
}

#[test]
fn line_ends_and_a_little_noise_around_frames_do_no_harm() {
    let dir = tempdir().unwrap();
    let site = Site::start(dir.path(), |_| {});
    let mut client = Client::connect(site.address);
    client.raw(b"\r\n");
    assert_eq!(client.send(&adt("A01", "C1", "1", "ANNA", AT)), "AA");
    client.raw(b"\r\nping");
    assert_eq!(client.send(&adt("A01", "C2", "1", "ANNA", AT)), "AA");
    let rows = site.settled();
    assert_eq!(rows.len(), 3);
    assert_eq!(
        rows[1].no_message.as_deref(),
        Some("noise"),
        "the noise is kept too"
    );
}

#[test]
fn one_connection_too_many_is_turned_away() {
    let dir = tempdir().unwrap();
    let site = Site::start(dir.path(), |flow| {
        let SourceConfig::Mllp(mllp) = &mut flow.source;
        mllp.max_connections = 1;
    });
    let mut first = Client::connect(site.address);
    assert_eq!(first.send(&adt("A01", "C1", "1", "ANNA", AT)), "AA");
    let mut second = Client::connect(site.address);
    assert_eq!(second.answer(), None);
    assert_eq!(first.send(&adt("A01", "C2", "1", "ANNA", AT)), "AA");
}
