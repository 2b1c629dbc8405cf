//! Promise 1 (docs/PROMISES.md) under `kill -9`: every acknowledged message is there, once, in order.

use crate::crash_chart::check_written;
use crate::crash_child::{check_kept, check_seen, command, promises, rounds};
use std::time::Duration;

/// The number of kills; `CAUSEWAY_CRASH_ROUNDS` asks for more.
const ROUNDS: u64 = 25;

#[test]
fn killed_at_any_moment_it_keeps_what_it_promised() {
    let directory = tempfile::tempdir().unwrap();
    let mut all = Vec::new();
    let n_rounds = rounds(ROUNDS);
    for round in 0..n_rounds {
        let mut child = command(&[], directory.path(), u32::MAX).spawn().unwrap();
        // From the middle of opening to well under load; the same moments in every run.
        let moment = 8 + (round * 61) % 350;
        std::thread::sleep(Duration::from_millis(moment));
        child.kill().unwrap();
        let promised = promises(&mut child);
        child.wait().unwrap();
        all.extend(promised);
        check_kept(directory.path(), &all);
        check_seen(directory.path(), &all);
        check_written(directory.path(), &all);
    }
    assert!(
        n_rounds as usize * 5 < all.len(),
        "only {} promises: no load",
        all.len()
    );
}
