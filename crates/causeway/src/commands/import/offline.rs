//! Straight into a data directory that no server holds: several threads prepare, one writer writes.

use super::Tally;
use super::inputs::{Content, Input, read};
use crate::failure::Failure;
use crate::relay::Relay;
use access::{Permit, SystemCaller};
use fhir::json::Document;
use flow::{ChartDestination, Destination, Events, FlowConfig, Maps, Metrics, Outcome, Task};
use hl7v2::Message;
use indicatif::ProgressBar;
use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use store::audit::{AuditLog, Entry};
use store::chart::{ApplyError, Chart, Lane, Pending, Receipt};
use store::journal::{Appended, Change, Journal, Progress, State};

/// Batches of one thread that may wait for the disk.
const IN_FLIGHT: usize = 8;

/// What all threads share.
struct Shared<'a> {
    chart: Chart,
    journal: Journal,
    destination: ChartDestination,
    inputs: Mutex<VecDeque<Input>>,
    tally: Mutex<Tally>,
    bar: &'a ProgressBar,
}

pub(super) fn run(data: &Path, inputs: Vec<Input>, bar: &ProgressBar) -> Result<Tally, Failure> {
    crate::private::keep(data);
    let chart =
        Chart::open(data, store::chart::Options::default()).map_err(|e| Failure::from_error(&e))?;
    let journal = Journal::open(data, store::journal::Options::default())
        .map_err(|e| Failure::from_error(&e))?;
    flow::join(&chart, &journal).map_err(|e| Failure::from_error(&e))?;
    let audit = AuditLog::open(&data.join("audit"), store::audit::Options::default())
        .map_err(|e| Failure::from_error(&e))?;
    let started = Entry {
        actor: "system:import".to_owned(),
        action: "import".to_owned(),
        target: format!("{} inputs", inputs.len()),
        purpose: "HOPERAT".to_owned(),
        source: "command line".to_owned(),
        ..Entry::default()
    };
    audit
        .record(started)
        .wait()
        .map_err(|e| Failure::from_error(&e))?;
    let relay = Relay::start(chart.clone(), audit);
    let maps = Arc::new(crate::maps::load(None)?);
    let shared = Shared {
        chart: chart.clone(),
        journal,
        destination: ChartDestination::new(
            chart.clone(),
            Maps::Own(maps),
            Events::new(Metrics::default()),
        ),
        inputs: Mutex::new(inputs.into()),
        tally: Mutex::new(Tally::default()),
        bar,
    };
    let n_threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..n_threads {
            scope.spawn(|| {
                Worker {
                    shared: &shared,
                    waiting: VecDeque::new(),
                }
                .run();
            });
        }
    });
    relay.finish();
    flow::remember(&shared.chart, &shared.journal);
    chart.close();
    Ok(shared
        .tally
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner))
}

/// One thread.
struct Worker<'a> {
    shared: &'a Shared<'a>,
    waiting: VecDeque<(String, Pending<Receipt, ApplyError>)>,
}

// === impl Worker ===

impl Worker<'_> {
    fn run(mut self) {
        loop {
            let next = self
                .shared
                .inputs
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop_front();
            let Some(input) = next else { break };
            let name = input.path.display().to_string();
            match read(&input) {
                Ok(Content::Json(bytes)) => self.document(&name, &bytes),
                Ok(Content::Ndjson(bytes)) => self.lines(&name, &bytes),
                Ok(Content::Hl7v2(bytes)) => self.messages(&name, bytes),
                Err(reason) => self.fail(&name, reason),
            }
            self.tally(|tally| tally.n_inputs += 1);
            self.shared.bar.inc(input.n_bytes);
        }
        while let Some((name, pending)) = self.waiting.pop_front() {
            self.settle(&name, pending);
        }
    }

    fn document(&mut self, name: &str, bytes: &[u8]) {
        let permit = Permit::system(SystemCaller::Import);
        let prepared = Document::parse(bytes)
            .map_err(|error| error.to_string())
            .and_then(|document| {
                server::import::prepare(&self.shared.chart, &permit, &document)
                    .map_err(|error| error.to_string())
            });
        match prepared {
            Ok(import) => {
                let pending = self.shared.chart.apply(&permit, import.batch, Lane::Import);
                self.waiting.push_back((name.to_owned(), pending));
                if IN_FLIGHT <= self.waiting.len()
                    && let Some((name, pending)) = self.waiting.pop_front()
                {
                    self.settle(&name, pending);
                }
            }
            Err(reason) => self.fail(name, reason),
        }
    }

    fn lines(&mut self, name: &str, bytes: &[u8]) {
        for (number, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
            if !line.trim_ascii().is_empty() {
                self.document(&format!("{name}:{}", number + 1), line);
            }
        }
    }

    fn messages(&mut self, name: &str, bytes: Vec<u8>) {
        let batch = hl7v2::batch::read(bytes);
        if batch.messages.is_empty() {
            self.fail(name, "no JSON and no HL7 v2 message (no MSH)".to_owned());
        }
        // The messages are taken all the same; somebody has to ask for those that are not there.
        for issue in &batch.issues {
            self.fail(name, issue.to_string());
        }
        for (number, member) in batch.messages.into_iter().enumerate() {
            if let Err(reason) = self.message(member.bytes) {
                self.fail(&format!("{name}: message {}", number + 1), reason);
            }
        }
    }

    /// The way of a message that came over the wire: journal first, then the chart.
    fn message(&self, bytes: bytes::Bytes) -> Result<(), String> {
        let flow = FlowConfig::mllp("import", SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let message = Message::parse(bytes.clone());
        let entry = store::journal::Entry {
            flow: flow.name.clone(),
            connection: "import".to_owned(),
            retention: "default".to_owned(),
            header: flow::journal_header(&message),
            body: bytes,
            no_message: None,
            acknowledgement: None,
        };
        let appended = self
            .shared
            .journal
            .append(entry)
            .wait()
            .map_err(|error| error.to_string())?;
        let Appended::New {
            sequence, received, ..
        } = appended
        else {
            return Ok(());
        };
        let task = Task {
            sequence,
            received,
            flow: &flow,
            message: &message,
            replay: false,
            confirmed: false,
        };
        let (state, reason, n_issues, result) = match self.shared.destination.apply(&task) {
            Outcome::Applied(applied) => {
                let reason = flow::attention::write(&flow.attention.told(applied.concerns));
                let state = reason
                    .as_ref()
                    .map_or(State::Mapped, |_| State::NeedsAttention);
                (state, reason, applied.n_issues, Ok(()))
            }
            Outcome::Refused { reason, .. } => {
                let why = reason.explain();
                (
                    State::NeedsAttention,
                    Some(why.to_owned()),
                    0,
                    Err(why.to_owned()),
                )
            }
            Outcome::Deferred | Outcome::Unavailable => {
                return Err(
                    "the chart did not take it; it is in the journal and goes on at the next start"
                        .to_owned(),
                );
            }
        };
        let progress = Progress {
            sequence,
            flow: flow.name.clone(),
            partition: String::new(),
            state,
            reason,
            n_issues,
            map_version: Some(self.shared.destination.map_version()),
        };
        self.shared
            .journal
            .ledger()
            .note(vec![Change::Progress(progress)]);
        self.tally(|tally| tally.n_messages += 1);
        result
    }

    fn settle(&self, name: &str, pending: Pending<Receipt, ApplyError>) {
        match pending.wait() {
            Ok(receipt) => {
                self.tally(|tally| tally.n_resources += receipt.written.len() as u64);
                let n = self
                    .shared
                    .tally
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .n_resources;
                self.shared.bar.set_message(format!("{n} resources"));
            }
            Err(error) => self.fail(name, error.to_string()),
        }
    }

    fn fail(&self, name: &str, reason: String) {
        self.tally(|tally| tally.failures.push((name.to_owned(), reason)));
    }

    fn tally(&self, change: impl FnOnce(&mut Tally)) {
        change(
            &mut self
                .shared
                .tally
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
    }
}
