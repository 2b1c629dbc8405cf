//! The store's tests, one binary.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod audit;
mod audit_search;
mod chart;
mod chart_contradictions;
mod chart_fixture;
mod chart_joins;
mod chart_lists;
mod chart_person;
mod chart_person_many;
mod chart_person_view;
mod chart_search;
mod journal;
mod journal_alike;
mod journal_fixture;
mod journal_large;
mod journal_ledger;
mod journal_list;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "postgres")]
mod postgres_both;
#[cfg(feature = "postgres")]
mod postgres_plans;
#[cfg(feature = "postgres")]
mod postgres_server;

#[cfg(not(feature = "postgres"))]
mod postgres {
    #[test]
    fn the_tests_of_the_engine() {
        let why = "built without the feature `postgres` of `store`";
        let remedy = "run with --features store/postgres";
        testkit::skipped("postgres, postgres_plans", why, remedy);
    }
}
