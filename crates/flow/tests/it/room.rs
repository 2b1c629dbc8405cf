//! Unfinished frames block nobody else, and the largest frame is accepted.

use crate::chart_site::ChartSite;
use crate::client::{Client, adt, framed};
use std::time::{Duration, Instant};
use store::journal::State;
use tempfile::tempdir;

/// Builds a frame of this many bytes without its end.
fn unfinished(n_bytes: usize) -> Vec<u8> {
    let mut frame = b"\x0bMSH|^~\\&|A|B|C|D|20240517||ADT^A01|X|P|2.5\rZZZ|".to_vec();
    frame.resize(n_bytes, b'a');
    frame
}

#[test]
fn half_sent_frames_keep_nobody_waiting() {
    let dir = tempdir().unwrap();
    let site = ChartSite::start(dir.path());
    // More than a flow's whole budget for large, and for medium frames.
    let mut held: Vec<Client> = Vec::new();
    for n_bytes in std::iter::repeat_n(15 << 20, 18).chain(std::iter::repeat_n(300 << 10, 60)) {
        let mut client = Client::connect(site.address("adt"));
        client.raw_briefly(&unfinished(n_bytes), Duration::from_millis(400));
        held.push(client);
    }
    for flow in ["adt", "lab"] {
        for n in 0..20 {
            let began = Instant::now();
            let message = adt("A01", &format!("{flow}{n}"), "7", "ANNA", "20240517120000");
            assert_eq!(site.send(flow, &message), "AA");
            // Took 56 seconds before each flow and each class of frames had its own budget.
            assert!(began.elapsed() < Duration::from_secs(5), "{flow} {n}");
        }
    }
    // A large frame of another flow uses that flow's budget.
    let mut large = adt("A01", "LARGE", "8", "BERTA", "20240517120000");
    large.push_str("ZZZ|");
    large.push_str(&"x".repeat(12 << 20));
    large.push('\r');
    let began = Instant::now();
    assert_eq!(site.send("lab", &large), "AA");
    assert!(began.elapsed() < Duration::from_secs(20));
    drop(held);
}

#[test]
fn a_frame_that_is_too_large_to_translate_is_kept_answered_and_shown() {
    let dir = tempdir().unwrap();
    let site = ChartSite::start_with(dir.path(), |flow| {
        let flow::SourceConfig::Mllp(mllp) = &mut flow.source;
        mllp.max_frame_bytes = 64 << 20;
        flow.max_translated_bytes = 2 << 20;
    });
    let with = |control: &str, n_bytes: usize| {
        let mut message = adt("A01", control, "7", "ANNA", "20240517120000");
        message.push_str("ZZZ|");
        message.push_str(&"x".repeat(n_bytes));
        message.push('\r');
        message
    };
    let mut client = Client::connect(site.address("adt"));
    client.raw(&framed(with("L1", 40 << 20).as_bytes()));
    let answer = client.answer().unwrap();
    assert!(answer.contains("MSA|AR|L1"), "{answer}");
    assert!(answer.contains("max_translated_bytes"), "{answer}");
    // The connection continues, and messages within the limit are translated.
    client.raw(&framed(with("L2", 1 << 20).as_bytes()));
    assert!(client.answer().unwrap().contains("MSA|AA|L2"));
    site.drain();
    let rows = site.rows();
    let of = |control: &str| {
        rows.iter()
            .find(|row| row.header.control_id == control)
            .unwrap()
    };
    assert_eq!(of("L1").state, State::NeedsAttention);
    assert_eq!(of("L1").reason.as_deref(), Some("too_large"));
    assert!(40 << 20 < of("L1").n_bytes);
    assert_eq!(of("L2").state, State::Mapped);
}
