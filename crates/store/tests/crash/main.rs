//! Kills, torn writes, full and failing disks, flipped bits: a binary of its own, because each of
//! these tests takes seconds.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

#[path = "../it/chart_fixture.rs"]
#[allow(dead_code, reason = "the other binary uses the rest")]
mod chart_fixture;
mod crash_chart;
mod crash_child;
mod full_disk;
mod journal_crash;
mod journal_failing_disk;
#[path = "../it/journal_fixture.rs"]
#[allow(dead_code, reason = "the other binary uses the rest")]
mod journal_fixture;
mod rot;
mod small_blocks;
mod small_disk;
mod torn_writes;
mod torn_writes_log;
