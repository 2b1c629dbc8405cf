//! A chart in a directory of its own, and short ways to use it.

use access::{Permit, SystemCaller};
use base::{FixedClock, Timestamp};
use fhir::json::Document;
use search::{Handling, Query};
use std::sync::Arc;
use store::chart::{
    ApplyError, Batch, Change, Chart, Lane, Limits, Options, Page, Prepared, Read, Receipt,
};
use tempfile::TempDir;

pub(crate) struct Fixture {
    pub(crate) chart: Chart,
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) dir: TempDir,
}

/// Returns the instant that many seconds after a fixed day in 2024.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_714_521_600_000_000 + seconds * 1_000_000)
}

pub(crate) fn permit() -> Permit {
    Permit::system(SystemCaller::Bench)
}

pub(crate) fn prepared(body: &str) -> Prepared {
    Prepared::new(&Document::parse(body).unwrap()).unwrap()
}

pub(crate) fn query(resource_type: &str, text: &str) -> Query {
    let pairs: Vec<(String, String)> = text
        .split_terminator('&')
        .map(|pair| pair.split_once('=').unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    search::parse(resource_type, &pairs, Handling::Strict).unwrap()
}

pub(crate) fn ids(page: &Page) -> Vec<&str> {
    page.matches
        .iter()
        .map(|resource| resource.id.as_str())
        .collect()
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl Fn(&mut Options)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(FixedClock::new(at(0)));
        let mut options = Options {
            clock: clock.clone(),
            ..Options::default()
        };
        change(&mut options);
        let chart = Chart::open(dir.path(), options).unwrap();
        Self { chart, clock, dir }
    }

    pub(crate) fn apply(&self, batch: Batch) -> Result<Receipt, ApplyError> {
        self.chart.apply(&permit(), batch, Lane::Interactive).wait()
    }

    pub(crate) fn change(&self, change: Change) -> Result<Receipt, ApplyError> {
        self.apply(Batch::of(change))
    }

    /// Writes a resource; the id is in the body.
    pub(crate) fn put(&self, body: &str) -> Receipt {
        let document = Document::parse(body).unwrap();
        let id = document.root().text("id").unwrap().into_owned();
        self.change(Change::put(id, prepared(body))).unwrap()
    }

    pub(crate) fn read(&self, reference: &str) -> Read {
        let (resource_type, id) = reference.split_once('/').unwrap();
        self.chart.read(&permit(), resource_type, id).unwrap()
    }

    pub(crate) fn body(&self, reference: &str) -> String {
        match self.read(reference) {
            Read::Found(resource) => String::from_utf8(resource.body).unwrap(),
            other => panic!("{reference}: {other:?}"),
        }
    }

    pub(crate) fn search(&self, resource_type: &str, text: &str) -> Page {
        let query = query(resource_type, text);
        self.chart
            .search(&permit(), &query, Limits::default())
            .unwrap()
    }

    pub(crate) fn found(&self, resource_type: &str, text: &str) -> Vec<String> {
        ids(&self.search(resource_type, text))
            .into_iter()
            .map(str::to_owned)
            .collect()
    }
}
