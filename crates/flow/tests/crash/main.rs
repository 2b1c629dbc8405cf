//! An engine that is killed or loses power under load. A separate binary, because each of these
//! tests takes minutes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

#[path = "../it/chart_site.rs"]
#[allow(dead_code, reason = "the other binary uses the rest")]
mod chart_site;
#[path = "../it/client.rs"]
#[allow(dead_code, reason = "the other binary uses the rest")]
mod client;
mod kill;
#[path = "../it/site.rs"]
#[allow(dead_code, reason = "the other binary uses the rest")]
mod site;
mod torn;
// One power-cut model for both: the store's own test uses it too.
#[path = "../../../store/tests/crash/torn_writes_log.rs"]
mod torn_writes_log;
