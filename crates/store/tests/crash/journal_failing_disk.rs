//! Promise 1 (docs/PROMISES.md): on an `fsync` or disk-full error acknowledging stops, reads continue, and
//! the `fsync` is never retried.

use crate::crash_chart::check_written;
use crate::crash_child::{Promise, check_kept, check_seen, command, promises};
use crate::torn_writes_log::has_strace;
use std::path::Path;
use store::chart::Chart;

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn run(wrapper: &[String], directory: &Path) -> Vec<Promise> {
    let mut child = command(wrapper, directory, 400).spawn().unwrap();
    let promised = promises(&mut child);
    assert!(child.wait().unwrap().success());
    promised
}

fn stops(promises: &[Promise]) -> Vec<&str> {
    let stops = promises.iter().filter_map(|promise| match promise {
        Promise::Stopped(what) => Some(what.as_str()),
        Promise::Kept(..) | Promise::Done(_) | Promise::Seen(..) | Promise::Written(_) => None,
    });
    let mut stops: Vec<&str> = stops.collect();
    stops.sort_unstable();
    stops.dedup();
    stops
}

#[test]
fn a_failed_fsync_stops_writing_for_good() {
    if !has_strace("a_failed_fsync_stops_writing_for_good") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("trace");
    // Each thread's 60th sync fails, once: a retry would succeed.
    let strace =
        "strace -f -y -e trace=fsync,fdatasync -e inject=fsync,fdatasync:error=EIO:when=60 -o";
    let mut wrapper = words(strace);
    wrapper.push(trace.to_string_lossy().into_owned());
    let data = directory.path().join("data");
    let promised = run(&wrapper, &data);
    assert_eq!(
        stops(&promised),
        ["audit", "chart", "journal", "ledger", "reads-go-on"]
    );

    let trace = std::fs::read_to_string(trace).unwrap();
    for name in [".standard.db-wal>", "flow.db-wal>"] {
        let mut syncs = trace.lines().filter(|line| line.contains(name));
        let Some(failed) = syncs.find(|line| line.contains("EIO")) else {
            continue;
        };
        // The thread that checkpoints logs may have been about to sync when the writer failed. The data that
        // it moves was synced before, so that is not a retry; once more would be.
        let thread = |line: &str| line.split_whitespace().next().map(str::to_owned);
        let (own, others): (Vec<&str>, Vec<&str>) =
            syncs.partition(|line| thread(line) == thread(failed));
        assert!(own.is_empty(), "synced again after a failure: {own:?}");
        assert!(
            others.len() <= 1,
            "synced again after a failure: {others:?}"
        );
    }
    check_kept(&data, &promised);
    check_seen(&data, &promised);
    check_written(&data, &promised);
}

#[test]
fn a_full_disk_stops_all_but_emergency_reads() {
    let directory = tempfile::tempdir().unwrap();
    // To a program that ignores the signal, a limit on the size of files is a disk that is full.
    let n_blocks = room_for_empty_stores().div_ceil(512);
    let script = format!("trap '' XFSZ; ulimit -f {n_blocks}; exec \"$0\" \"$@\"");
    let wrapper = ["sh".to_owned(), "-c".to_owned(), script];
    let promised = run_full(&wrapper, directory.path());
    assert!(
        stops(&promised).contains(&"journal"),
        "{:?}",
        stops(&promised)
    );
    assert!(
        stops(&promised).contains(&"audit-full"),
        "{:?}",
        stops(&promised)
    );
    let first_refused = promised
        .iter()
        .position(|promise| *promise == Promise::Stopped("audit-full".to_owned()))
        .unwrap();
    let goes_on = promised[first_refused..]
        .iter()
        .any(|p| matches!(p, Promise::Seen(..)));
    assert!(goes_on, "emergency entries go to the reserve");
    check_kept(directory.path(), &promised);
    check_seen(directory.path(), &promised);
    check_written(directory.path(), &promised);
}

/// Returns the size of an empty chart's database file, and a little room for data. Its write-ahead log
/// takes up to a megabyte in advance, where there is room.
fn room_for_empty_stores() -> u64 {
    let directory = tempfile::tempdir().unwrap();
    drop(Chart::open(directory.path(), store::chart::Options::default()).unwrap());
    let files = std::fs::read_dir(directory.path()).unwrap();
    let sizes = files.map(Result::unwrap).filter_map(|file| {
        let is_database = file.path().extension().is_some_and(|ending| ending == "db");
        is_database.then(|| file.metadata().unwrap().len())
    });
    sizes.max().unwrap() + (128 << 10)
}

fn run_full(wrapper: &[String], directory: &Path) -> Vec<Promise> {
    let mut command = command(wrapper, directory, 1200);
    command.env("CAUSEWAY_CRASH_SEGMENT", "1000000");
    let mut child = command.spawn().unwrap();
    let promised = promises(&mut child);
    assert!(child.wait().unwrap().success());
    promised
}
