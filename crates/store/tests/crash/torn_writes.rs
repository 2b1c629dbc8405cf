//! Promise 1 (docs/PROMISES.md) under a power cut, which `kill -9` does not test: the recorded writes of a
//! run are cut at many moments, unsynced writes are removed or torn, and everything promised before the cut
//! must be found.

use crate::crash_chart::check_written;
use crate::crash_child::{Promise, check_kept, check_seen, command, promises, rounds};
use crate::torn_writes_log::{Chance, Log, has_strace, recorder};
use std::fmt::Write as _;
use std::path::Path;

/// The number of cuts; `CAUSEWAY_CRASH_ROUNDS` asks for more.
const CUTS: u64 = 60;

/// Records a run of the child that ends by itself.
fn record(directory: &Path) -> Log {
    let (trace, data) = (directory.join("trace"), directory.join("data"));
    let mut child = command(&recorder(&trace), &data, 30).spawn().unwrap();
    let promised = promises(&mut child);
    assert!(child.wait().unwrap().success());
    let log = Log::read(&trace, &data);
    let said = promised_before(&log, log.steps.len());
    assert_eq!(
        said.len(),
        promised.len(),
        "the recording has every promise"
    );
    // Nothing lost: the model itself must reproduce the files that the process left.
    check_kept(&data, &promised);
    check_seen(&data, &promised);
    check_written(&data, &promised);
    log
}

fn promised_before(log: &Log, cut: usize) -> Vec<Promise> {
    let mut said = String::new();
    log.said_before(cut)
        .for_each(|part| write!(said, "{part}").unwrap());
    said.lines().filter_map(Promise::parse).collect()
}

#[test]
fn cut_at_any_moment_the_disk_has_what_was_promised() {
    let name = "cut_at_any_moment_the_disk_has_what_was_promised";
    if !has_strace(name) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let log = record(directory.path());
    let mut chance = Chance(7);
    let mut n_promised = 0;
    let n_cuts = rounds(CUTS);
    for n in 0..n_cuts {
        // Spread over the run, and each random within its part.
        let n_steps = log.steps.len() as u64;
        let cut = (n * n_steps / n_cuts + chance.below(n_steps / n_cuts) + 1) as usize;
        let target = directory.path().join(format!("cut-{n}"));
        let promised = promised_before(&log, cut);
        n_promised += promised.len();
        std::fs::create_dir_all(&target).unwrap();
        log.cut(cut, &target, &mut chance);
        let checked = std::panic::catch_unwind(|| {
            check_kept(&target, &promised);
            check_seen(&target, &promised);
            check_written(&target, &promised);
        });
        assert!(
            checked.is_ok(),
            "cut {n} before step {cut} of {}",
            log.steps.len()
        );
        std::fs::remove_dir_all(target).unwrap();
    }
    assert!(
        1_000 < n_promised,
        "only {n_promised} promises were checked"
    );
}
