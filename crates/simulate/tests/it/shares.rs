//! Frequencies match the named constants, within statistical bounds.

use crate::town;
use hl7v2::Message;
use simulate::{Oddity, Peer, Sent, shares};

/// Asserts that `found` of `among` fits a coin with that share (within five deviations).
fn assert_share(name: &str, found: usize, among: usize, share: f64) {
    let (found, among) = (found as f64, among as f64);
    let deviation = (among * share * (1.0 - share)).sqrt();
    assert!(
        (found - among * share).abs() <= 5.0 * deviation + 1.0,
        "{name}: {found} of {among}, not {share}"
    );
}

#[test]
fn oddities_occur_at_the_rates_of_their_constants() {
    let sent: Vec<(Sent, Message)> = town()
        .iter()
        .filter(|sent| !sent.note.contains(&Oddity::Repeat))
        .map(|sent| (sent.clone(), Message::parse(sent.bytes.clone())))
        .collect();
    for (oddity, share) in shares::SHARES {
        let among = sent
            .iter()
            .filter(|(sent, message)| may_apply(oddity, sent, message))
            .count();
        let found = sent
            .iter()
            .filter(|(sent, _)| sent.note.contains(&oddity))
            .count();
        assert!(0 < found, "{oddity}");
        assert_share(&oddity.to_string(), found, among, share);
    }
}

/// Returns whether the message counts toward the oddity's share, judged from the outside.
fn may_apply(oddity: Oddity, sent: &Sent, message: &Message) -> bool {
    let is_adt = message.code() == "ADT";
    let n_numbers = message
        .named("OBX")
        .filter(|obx| obx.field(2).text() == "NM")
        .count();
    match oddity {
        Oddity::LineFeeds => sent.peer == Peer::Laboratory,
        Oddity::CarriageReturnLineFeeds => sent.peer == Peer::Pharmacy,
        Oddity::WrongCharset => message.header(18, 1) == "UNICODE UTF-8" && !sent.bytes.is_ascii(),
        Oddity::LocalSegment | Oddity::WrongOrder | Oddity::BadDate => {
            is_adt && message.first("PV1").is_some()
        }
        Oddity::UnknownCode => is_adt,
        Oddity::TextInNumber => 0 < n_numbers,
        _ => true,
    }
}

#[test]
fn events_in_lives_occur_at_the_rates_of_their_constants() {
    let sent = town();
    let with = |oddity| {
        sent.iter()
            .filter(|sent| sent.note.contains(&oddity))
            .count()
    };
    assert_share(
        "repeats",
        with(Oddity::Repeat),
        sent.len() - with(Oddity::Repeat),
        shares::REPEATED,
    );
    let results: Vec<&Sent> = sent
        .iter()
        .filter(|sent| sent.peer == Peer::Laboratory)
        .collect();
    assert_share(
        "sparse PID",
        with(Oddity::SparsePid),
        results.len(),
        shares::SPARSE_PID,
    );
    let first = results
        .iter()
        .filter(|sent| sent.note.contains(&Oddity::Withdrawal))
        .count();
    assert!(0 < first && first < results.len() / 50, "{first}");
    for oddity in [
        Oddity::Merge,
        Oddity::LateNews,
        Oddity::Deletion,
        Oddity::NoMap,
        Oddity::Correction,
    ] {
        assert!(10 < with(oddity), "{oddity}");
    }
    let reused = u32::try_from(with(Oddity::ReusedControlId)).unwrap();
    assert!(
        (shares::COUNTER_SET_BACK_AFTER..4 * shares::COUNTER_SET_BACK_AFTER).contains(&reused),
        "{reused}"
    );
}

/// The laboratory knows most people also by the clinic's number, some only by its own.
#[test]
fn two_numbers_for_one_person() {
    let mut people = std::collections::BTreeMap::new();
    for sent in town().iter().filter(|sent| sent.peer == Peer::Laboratory) {
        let message = Message::parse(sent.bytes.clone());
        let ids = message.first("PID").unwrap().field(3);
        people.insert(
            ids.repeat(1).component(1).text().into_owned(),
            ids.repeats().count(),
        );
    }
    let alone = people.values().filter(|n| **n == 1).count();
    assert_share(
        "laboratory's number alone",
        alone,
        people.len(),
        shares::LABORATORY_NUMBER_ONLY,
    );
}
