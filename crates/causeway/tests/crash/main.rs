//! The real binary on a disk that fills up.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

#[path = "../it/console_client.rs"]
#[allow(dead_code, reason = "the other binary uses the rest")]
mod console_client;
mod full_disk;
#[path = "../it/process.rs"]
#[allow(dead_code, reason = "the other binary uses the rest")]
mod process;
#[path = "../it/site.rs"]
#[allow(dead_code, reason = "the other binary uses the rest")]
mod site;
#[path = "../../../store/tests/crash/small_disk.rs"]
mod small_disk;
