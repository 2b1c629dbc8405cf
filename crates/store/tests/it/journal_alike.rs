//! Finds messages that are already in the journal, whatever day they arrived on.

use crate::journal_fixture::{HOUR, adt, append, at, noon, open};
use bytes::Bytes;
use store::journal::Entry;

#[test]
fn the_same_message_is_found_in_any_day() {
    let directory = tempfile::tempdir().unwrap();
    let clock = noon();
    let journal = open(directory.path(), &clock);
    let entry = |n: u32| adt(&format!("C{n}"), &format!("N{n}"));
    let mut sequences = Vec::new();
    for n in 0..40 {
        sequences.push(append(&journal, entry(n)));
        // A new day now and then.
        let now = base::Clock::now(&*clock).micros();
        clock.set(at(now + 7 * HOUR));
    }
    let altered = |n: u32, change: fn(&mut Entry)| {
        let mut entry = entry(n);
        change(&mut entry);
        entry
    };
    let mut asked: Vec<Entry> = (0..40).rev().map(entry).collect();
    // A message that differs in anything relevant is a different one.
    asked.extend([
        altered(3, |entry| entry.flow = "laboratory".to_owned()),
        altered(3, |entry| entry.header.control_id = "C4".to_owned()),
        altered(3, |entry| entry.header.control_id = String::new()),
        altered(3, |entry| entry.body = Bytes::from_static(b"MSH|")),
        altered(3, |entry| entry.no_message = Some("noise".to_owned())),
        // A message that differs in nothing relevant is the same.
        altered(3, |entry| entry.connection = "imported".to_owned()),
    ]);
    let entries: Vec<&Entry> = asked.iter().collect();
    let found = journal.same_as(&entries).unwrap();
    let mut expected: Vec<_> = sequences.iter().rev().copied().map(Some).collect();
    expected.extend([None, None, None, None, None, Some(sequences[3])]);
    assert_eq!(found, expected);
    assert_eq!(journal.same_as(&[]).unwrap(), []);

    // More entries than one query takes.
    let many: Vec<Entry> = (0..2500).map(entry).collect();
    let entries: Vec<&Entry> = many.iter().collect();
    let found = journal.same_as(&entries).unwrap();
    assert_eq!(found.iter().flatten().count(), 40);
    assert_eq!(
        found[..40],
        sequences.iter().copied().map(Some).collect::<Vec<_>>()
    );
}
