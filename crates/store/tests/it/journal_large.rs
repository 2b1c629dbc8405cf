//! Large bodies, which are written and read piece by piece.

use crate::journal_fixture::{adt, append, noon, open};
use store::journal::Appended;

#[test]
fn a_large_body_is_kept_as_it_came_whatever_its_size() {
    const MIB: usize = 1 << 20;
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path(), &noon());
    // Around the size from which a body is written piece by piece, and around a piece's end.
    let around = |size: usize| size - 1..size + 2;
    let sizes: Vec<usize> = [4 * MIB, 5 * MIB].into_iter().flat_map(around).collect();
    let body = |size: usize| -> Vec<u8> {
        let byte = |at: usize| (at * 31 + at / 4_093 + size) as u8;
        (0..size).map(byte).collect()
    };
    let mut kept = Vec::new();
    for size in sizes.iter().copied().chain([23 * MIB + 17]) {
        let entry = store::journal::Entry {
            body: body(size).into(),
            ..adt(&size.to_string(), "")
        };
        kept.push((size, append(&journal, entry.clone())));
        // A repeat is recognized by all of its bytes.
        let again = journal.append(entry).wait().unwrap();
        assert!(matches!(again, Appended::Repeated { .. }), "{size}");
    }
    drop(journal);
    let journal = open(directory.path(), &noon());
    for (size, sequence) in kept {
        let stored = journal.read(sequence).unwrap().unwrap();
        assert!(stored.body == body(size), "{size}");
    }
}
