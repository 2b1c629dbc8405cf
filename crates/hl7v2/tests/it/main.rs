//! Integration tests of the hl7v2 crate.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod acks;
mod charsets;
mod continued;
mod escapes;
mod groups;
mod laws;
mod odd;
mod shared;
mod testdata;
