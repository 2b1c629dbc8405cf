//! A chart on each engine, with the same writes and the same queries.

use crate::chart_fixture::{at, permit, prepared, query};
use access::{Action, Interaction, Permit, Principal, decide};
use base::{FixedClock, Purpose};
use fhir::json::Document;
use std::sync::Arc;
use store::chart::{Batch, Change, Chart, Lane, Limits, Options, Page, Receipt};
use store::postgres::{PostgresChart, Settings};
use tempfile::TempDir;

/// A chart on each engine, under one clock.
pub(crate) struct Both {
    pub(crate) sqlite: Chart,
    pub(crate) postgres: PostgresChart,
    pub(crate) clock: Arc<FixedClock>,
    _dir: TempDir,
}

impl Both {
    pub(crate) fn open(address: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(FixedClock::new(at(0)));
        let options = Options {
            clock: clock.clone(),
            link_persons: false,
            ..Options::default()
        };
        let settings = Settings {
            clock: clock.clone(),
            ..Settings::default()
        };
        Self {
            sqlite: Chart::open(dir.path(), options).unwrap(),
            postgres: PostgresChart::open(address, settings).unwrap(),
            clock,
            _dir: dir,
        }
    }

    pub(crate) fn apply(&self, changes: Vec<Change>) -> Receipt {
        let batch = Batch {
            changes,
            ..Batch::default()
        };
        let on_postgres = self.postgres.apply(&permit(), &batch).unwrap();
        let on_sqlite = self.sqlite.apply(&permit(), batch, Lane::Interactive);
        assert_eq!(on_postgres, on_sqlite.wait().unwrap());
        on_postgres
    }

    /// Checks page by page that both are equal: resources with their bodies, versions, times and places in
    /// the order of commits, included resources, totals, cursors. Returns the ids.
    pub(crate) fn pages(
        &self,
        permit: &Permit,
        (resource_type, text): (&str, &str),
    ) -> Vec<String> {
        let mut ids = Vec::new();
        let mut n_pages = 0;
        let mut query = query(resource_type, text);
        for _ in 0..10_000 {
            let on_sqlite = self.sqlite.search(permit, &query, Limits::default());
            let on_postgres = self.postgres.search(permit, &query, Limits::default());
            n_pages += 1;
            let (expected, found) = (on_sqlite.unwrap(), on_postgres.unwrap());
            let name = format!("{resource_type}?{text}, page {n_pages}");
            assert_eq!(names(&found), names(&expected), "{name}");
            assert_eq!(found.matches, expected.matches, "{name}");
            assert_eq!(found.included, expected.included, "{name}");
            assert_eq!(found.total, expected.total, "{name}");
            assert_eq!(found.next, expected.next, "{name}");
            ids.extend(names(&found));
            match found.next {
                Some(next) => query.cursor = Some(next),
                None => return ids,
            }
        }
        panic!("pages without end: {resource_type}?{text}");
    }
}

pub(crate) fn names(page: &Page) -> Vec<String> {
    let all = page.matches.iter().chain(&page.included);
    all.map(|found| format!("{}/{}", found.resource_type, found.id))
        .collect()
}

/// Makes a permit for one patient.
pub(crate) fn of_patient(patient: &str) -> Permit {
    let token = Principal::Token {
        id: "zztest".to_owned(),
        scopes: "patient/*.cruds".parse().unwrap(),
        patients: vec![patient.to_owned()],
    };
    let action = Action::on(Interaction::SearchType, "Observation");
    decide(&token, action, Purpose::Treatment).unwrap()
}

pub(crate) fn put(body: &str) -> Change {
    let document = Document::parse(body).unwrap();
    let id = document.root().text("id").unwrap().into_owned();
    Change::put(id, prepared(body))
}
