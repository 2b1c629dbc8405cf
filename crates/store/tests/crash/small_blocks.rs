//! A full disk whose blocks are smaller than a memory page. The memory that SQLite maps must have its blocks
//! before the disk is full, or the first write to one without a block kills the process.

use crate::journal_fixture::{adt, noon, options};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use store::chart::{self, Change, Chart, Lane};
use store::journal::Journal;
use tempfile::TempDir;

/// An ext4 of 1 kB blocks in a file, mounted until it is dropped.
struct Disk {
    dir: TempDir,
}

// === impl Disk ===

impl Disk {
    /// Mounts the disk; records a skip and returns none if mounting is not possible.
    fn mount(test: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let (image, place) = (dir.path().join("image"), dir.path().join("disk"));
        File::create(&image).unwrap().set_len(48 << 20).unwrap();
        fs::create_dir(&place).unwrap();
        let does = |program: &str, args: &[&str]| {
            let mut command = Command::new(program);
            command
                .args(args)
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            command.status().is_ok_and(|status| status.success())
        };
        let (image, place) = (image.to_str().unwrap(), place.to_str().unwrap());
        let mounted = does("mkfs.ext4", &["-q", "-F", "-b", "1024", "-m", "0", image])
            && does("mount", &["-o", "loop", image, place]);
        if !mounted {
            let why = "no mkfs.ext4, or no right to mount a loop device";
            testkit::skipped(test, why, "install e2fsprogs and run as root");
        }
        mounted.then_some(Self { dir })
    }

    fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("disk")
    }

    /// Fills the disk except for `left` kilobytes.
    fn fill(&self, left: u64) {
        let path = self.path().join("ballast");
        let mut file = File::options()
            .create(true)
            .append(true)
            .open(path)
            .unwrap();
        for n_bytes in [65_536, 1_024] {
            while file.write_all(&vec![1; n_bytes]).is_ok() {}
        }
        let n_bytes = file.metadata().unwrap().len();
        file.set_len(n_bytes.saturating_sub(left << 10)).unwrap();
    }

    fn free(&self) {
        fs::remove_file(self.path().join("ballast")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

fn put(chart: &Chart, id: &str) -> bool {
    let body =
        crate::chart_fixture::prepared(&format!(r#"{{"resourceType":"Patient","id":"{id}"}}"#));
    let batch = chart::Batch::of(Change::put(id, body));
    let permit = crate::chart_fixture::permit();
    chart
        .apply(&permit, batch, Lane::Interactive)
        .wait()
        .is_ok()
}

fn stores(path: &Path) -> (Chart, Journal) {
    let clock = noon();
    let of_chart = chart::Options {
        clock: clock.clone(),
        ..chart::Options::default()
    };
    let of_journal = store::journal::Options {
        text_index: true,
        ..options(&clock)
    };
    (
        Chart::open(path, of_chart).unwrap(),
        Journal::open(path, of_journal).unwrap(),
    )
}

#[test]
fn a_full_disk_of_small_blocks_stops_writes_and_they_go_on() {
    let Some(disk) = Disk::mount("a_full_disk_of_small_blocks_stops_writes_and_they_go_on") else {
        return;
    };
    let path = disk.path();
    let (chart, journal) = stores(&path);
    for (round, left) in [4, 12, 30, 60, 120, 250, 0, 90].into_iter().enumerate() {
        assert!(put(&chart, &format!("before{round}")), "round {round}");
        let control = format!("B{round}");
        assert!(
            journal.append(adt(&control, "")).wait().is_ok(),
            "round {round}"
        );
        disk.fill(left);
        let mut n = 0;
        while n < 2_000 && put(&chart, &format!("p{round}x{n}")) {
            n += 1;
        }
        let mut n = 0;
        while n < 2_000
            && journal
                .append(adt(&format!("F{round}x{n}"), &"LONG ".repeat(200)))
                .wait()
                .is_ok()
        {
            n += 1;
        }
        assert!(
            chart.stopped().is_some() || journal.stopped().is_some(),
            "round {round}: not full"
        );
        let read = chart.read(&crate::chart_fixture::permit(), "Patient", "before0");
        assert!(matches!(read, Ok(chart::Read::Found(_))), "{read:?}");
        disk.free();
        chart.resume();
        journal.resume();
    }
    assert!(put(&chart, "after"));
    assert!(journal.append(adt("after", "")).wait().is_ok());
}
