//! A site with a chart, which can be queried for the outcome of a message.

use crate::client::{Client, msa1};
use crate::site::patiently;
use access::{Permit, SystemCaller};
use base::SystemClock;
use fhir::build::Value;
use flow::{
    AckPolicy, ChartDestination, Engine, EngineConfig, Events, FlowConfig, Handles, Maps, Metrics,
};
use mapping::MapSet;
use search::Handling;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use store::chart::{Chart, HistoryOf, HistoryPage, Limits};
use store::journal::{Filter, Journal, Page, State, Summary};

/// An engine with the flows `adt` and `lab`, acknowledged when mapped.
pub(crate) struct ChartSite {
    pub(crate) engine: Engine,
    pub(crate) journal: Journal,
    pub(crate) chart: Chart,
    pub(crate) runtime: tokio::runtime::Runtime,
    addresses: Vec<(String, SocketAddr)>,
}

impl ChartSite {
    pub(crate) fn start(directory: &Path) -> Self {
        Self::start_with(directory, |_| {})
    }

    pub(crate) fn start_with(directory: &Path, change: impl Fn(&mut FlowConfig)) -> Self {
        Self::start_by(directory, maps(), change)
    }

    pub(crate) fn start_by(directory: &Path, maps: Maps, change: impl Fn(&mut FlowConfig)) -> Self {
        let chart = patiently(|| Chart::open(directory, store::chart::Options::default()));
        let journal = patiently(|| Journal::open(directory, store::journal::Options::default()));
        // Kills and restarts leave no notice for a person.
        let joined = flow::join(&chart, &journal).unwrap();
        assert!(joined.notices.is_empty(), "{:?}", joined.notices);
        let metrics = Metrics::default();
        let events = Events::new(metrics.clone());
        let destination = Arc::new(ChartDestination::new(chart.clone(), maps, events));
        let handles = Handles {
            journal: journal.clone(),
            destination,
            clock: Arc::new(SystemClock),
            metrics,
        };
        let flows = ["adt", "lab"].map(|name| {
            let mut flow = FlowConfig::mllp(name, (Ipv4Addr::LOCALHOST, 0).into());
            flow.acknowledge = AckPolicy::Mapped;
            change(&mut flow);
            flow
        });
        let config = EngineConfig::new(flows.into());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let engine = runtime.block_on(Engine::start(config, handles)).unwrap();
        let addresses = engine.addresses();
        Self {
            engine,
            journal,
            chart,
            runtime,
            addresses,
        }
    }

    pub(crate) fn address(&self, flow: &str) -> SocketAddr {
        self.addresses
            .iter()
            .find(|(name, _)| name == flow)
            .unwrap()
            .1
    }

    /// Sends a message and returns MSA-1, its outcome.
    pub(crate) fn send(&self, flow: &str, message: &str) -> String {
        let mut client = Client::connect(self.address(flow));
        client.post(message);
        msa1(&client.answer().expect("an acknowledgement"))
    }

    /// Returns the newest matching row of the message list, once its state is recorded.
    pub(crate) fn row(&self, filter: &Filter) -> Summary {
        for _ in 0..200 {
            let mut rows = self
                .journal
                .list(
                    filter,
                    Page {
                        before: None,
                        limit: 1,
                    },
                )
                .unwrap()
                .rows;
            if rows.first().is_some_and(|row| row.state != State::Received) {
                return rows.remove(0);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the message still waits");
    }

    pub(crate) fn rows(&self) -> Vec<Summary> {
        crate::site::rows(&self.journal)
    }

    /// Returns every current resource of a type that a source sent, oldest first.
    pub(crate) fn all(&self, resource_type: &str) -> Vec<Value> {
        let query = search::parse(resource_type, &[], Handling::Strict).unwrap();
        let limits = Limits {
            default_count: 1000,
            ..Limits::default()
        };
        let page = self.chart.search(&permit(), &query, limits).unwrap();
        let mut found = page.matches;
        found.sort_by_key(|resource| resource.rid);
        let all = found
            .iter()
            .map(|resource| Value::parse(&resource.body).unwrap());
        all.filter(|value| !is_person(value)).collect()
    }

    pub(crate) fn only(&self, resource_type: &str) -> Value {
        let mut all = self.all(resource_type);
        assert_eq!(all.len(), 1, "{resource_type}");
        all.remove(0)
    }

    /// Returns the patient with this record number.
    pub(crate) fn patient(&self, number: &str) -> Value {
        let has = |patient: &&Value| {
            patient
                .each("identifier")
                .any(|id| id.text("value") == Some(number))
        };
        self.all("Patient")
            .iter()
            .find(has)
            .expect("a patient of that number")
            .clone()
    }

    /// Returns every version of a resource, oldest first.
    pub(crate) fn versions(&self, resource_type: &str, id: &str) -> Vec<Value> {
        let of = HistoryOf::Resource { resource_type, id };
        let mut versions = Vec::new();
        let mut page = HistoryPage {
            count: 1000,
            ..HistoryPage::default()
        };
        loop {
            let history = self.chart.history(&permit(), of, &page).unwrap();
            versions.extend(
                history
                    .entries
                    .iter()
                    .map(|entry| Value::parse(&entry.resource.body).unwrap()),
            );
            page.cursor = history.next;
            if page.cursor.is_none() {
                versions.reverse();
                return versions;
            }
        }
    }

    pub(crate) fn drain(&self) -> flow::Drained {
        // Acknowledging comes first, so fifty kills under load leave many messages to apply.
        self.runtime
            .block_on(self.engine.drain(Duration::from_mins(5)))
    }
}

/// Returns the built-in maps, with a merge of our own while they have none.
fn maps() -> Maps {
    if MapSet::builtin().supports("ADT_A39") {
        return Maps::Builtin;
    }
    let merge = "message ADT_A39 -> Bundle\nPATIENT[*]\n  PID + PD1 -> Patient as patient\n    key identifier, owns\n";
    Maps::Own(Arc::new(MapSet::with([("test/merge.map", merge)]).unwrap()))
}

pub(crate) fn permit() -> Permit {
    Permit::system(SystemCaller::Bench)
}

fn is_person(value: &Value) -> bool {
    let tags = value.get("meta").map(|meta| {
        meta.each("tag")
            .any(|tag| tag.text("code") == Some("person"))
    });
    tags.unwrap_or(false)
}

pub(crate) fn id_of(value: &Value) -> String {
    value.text("id").unwrap().to_owned()
}
