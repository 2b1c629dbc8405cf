//! The memory that a hostile sender can use: the real process, and its high-water mark as recorded by
//! Linux.

use crate::process::{Running, stdout_of};
use crate::site::{SMALL, Site, eventually};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

const MIB: usize = 1 << 20;
/// The default of `max_frame_bytes`.
const CAP: usize = 16 * MIB;

/// Returns the peak memory of the process, or nothing if the system does not report it.
fn high_water(running: &Running) -> Option<usize> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.id())).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: usize = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes << 10)
}

/// Sends one frame without waiting for a response, then reads responses until the other side closes.
fn exchange(site: &Site, message: &[u8]) -> String {
    let address = site.mllp().trim_start_matches("mllp://");
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_mins(1)))
        .unwrap();
    // A listener that has read enough may close before everything is written.
    let sent = stream
        .write_all(b"\x0b")
        .and_then(|()| stream.write_all(message))
        .and_then(|()| stream.write_all(b"\x1c\r"));
    let _ = sent.and_then(|()| stream.shutdown(Shutdown::Write));
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn message(control_id: &str, rest: &str) -> Vec<u8> {
    let header = "MSH|^~\\&|ADT|HOSP|CW|CW|20260101120000-0600||ADT^A01^ADT_A01|";
    let patient = "PID|1||123^^^HOSP^MR||ZZTEST^JANE\r";
    format!("{header}{control_id}|P|2.5.1\r{patient}{rest}").into_bytes()
}

/// Returns the memory that a server used beyond its start to answer `bytes` with a text that contains
/// `expected`.
fn memory_used_by(bytes: &[u8], expected: &str) -> Option<usize> {
    let site = Site::start();
    let before = high_water(site.running())?;
    let answer = exchange(&site, bytes);
    assert!(answer.contains(expected), "{expected}: {answer}");
    Some(high_water(site.running())? - before)
}

#[test]
fn whatever_comes_takes_no_more_memory_than_a_few_frames() {
    let endless = "ZZZ".to_owned() + &"|".repeat(50 * MIB);
    let segments = "ZZ1|1\r".repeat(2_500_000);
    let repeats = "ZZZ|".to_owned() + &"1~".repeat(7_500_000);
    let escapes = "ZZZ|".to_owned() + &"\\H\\".repeat(5_000_000);
    let noise = |n: usize| (n * 7 + n / 251) as u8 | 0x80;
    for (bytes, expected) in [
        (message("E1", &endless), "MSA|AR|E1"),
        (message("E2", &segments), "MSA|AR|E2"),
        (message("E3", &repeats), "MSA|AR|E3"),
        // Long, but still a valid message.
        (message("E4", &escapes), "MSA|AA|E4"),
        ((0..20 * MIB).map(noise).collect(), ""),
    ] {
        let Some(taken) = memory_used_by(&bytes, expected) else {
            let test = "whatever_comes_takes_no_more_memory_than_a_few_frames";
            testkit::skipped(test, "no /proc/PID/status", "run on Linux");
            return;
        };
        // The frame, its copies on the way into the journal, and the memory for its answer.
        assert!(taken < 6 * CAP, "{expected}: {} MiB", taken / MIB);
    }
}

/// Returns letters that barely compress.
fn noise(n_bytes: usize) -> String {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let letter = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        // No separators or escape characters.
        char::from(b'0' + (state % 40) as u8)
    };
    (0..n_bytes).map(letter).collect()
}

#[test]
fn the_largest_frame_is_in_memory_once() {
    const FRAME: usize = 248 * MIB;
    let folder = tempfile::tempdir().unwrap();
    let config = SMALL.to_owned() + "max_frame_bytes = 268435456\n";
    std::fs::write(folder.path().join("causeway.toml"), config).unwrap();
    let mut site = Site::start_in(folder);
    let Some(before) = high_water(site.running()) else {
        let test = "the_largest_frame_is_in_memory_once";
        testkit::skipped(test, "no /proc/PID/status", "run on Linux");
        return;
    };
    let sent = message(
        "L1",
        &("ZZZ|".to_owned() + &noise(4 * MIB).repeat(FRAME / 4 / MIB)),
    );
    let answer = exchange(&site, &sent);
    assert!(answer.contains("MSA|AR|L1"), "{answer}");
    // The text index reads it too.
    let data = site.data();
    let is_indexed = || {
        data.join("journal").read_dir().unwrap().any(|file| {
            let path = file.unwrap().path();
            path.extension().is_some_and(|end| end == "text")
        })
    };
    eventually(|| is_indexed().then_some(()));
    std::thread::sleep(Duration::from_secs(1));
    let taken = high_water(site.running()).unwrap() - before;
    println!("{} MiB for a frame of {}", taken / MIB, FRAME / MIB);
    // The frame, and a fixed amount for processing it.
    assert!(taken < FRAME + FRAME / 2, "{} MiB", taken / MIB);
    drop(site.running.take());
    let found = stdout_of(&["verify", "--data", &data.display().to_string()]);
    assert!(found.contains("nothing is damaged"), "{found}");
}

#[test]
fn a_message_of_too_many_parts_is_kept_and_shown() {
    let site = Site::start();
    for (control_id, rest) in [
        ("P1", "ZZ1|1\r".repeat(10_000)),
        ("P2", "ZZ1|".to_owned() + &"1~".repeat(10_000)),
    ] {
        let answer = exchange(&site, &message(control_id, &rest));
        assert!(answer.contains("MSA|AR|"), "{answer}");
        assert!(answer.contains("max_parts"), "{answer}");
    }
    let data = site.data().display().to_string();
    eventually(|| {
        let shown = stdout_of(&["messages", "list", "--data", &data, "--format", "json"]);
        (shown.matches("\"reason\":\"too_many_parts\"").count() == 2).then_some(())
    });
    let fits = message("P3", &"ZZ1|1\r".repeat(9_990));
    let answer = exchange(&site, &fits);
    assert!(answer.contains("MSA|AA|P3"), "{answer}");
}
