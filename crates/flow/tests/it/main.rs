//! Real sockets on free ports, a real journal in a temporary directory, a plain client.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod acknowledge;
mod attention;
mod batch;
mod chart;
mod chart_apart;
mod chart_merges;
mod chart_narrative;
mod chart_numbers;
mod chart_people;
mod chart_results;
mod chart_site;
#[allow(dead_code, reason = "the other binary uses the rest")]
mod client;
mod hostile;
mod join;
mod lists;
mod mllp;
mod order;
mod resend;
mod room;
#[allow(dead_code, reason = "the other binary uses the rest")]
mod site;
mod switch;
mod visits;
