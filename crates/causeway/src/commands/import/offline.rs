//! Import directly into a data directory that no server holds: several threads prepare, one writes.

use super::Tally;
use super::history::{Importer, LocalEngine, Site};
use super::inputs::{Content, Input, read};
use crate::failure::Failure;
use crate::relay::Relay;
use access::{Permit, SystemCaller};
use fhir::json::Document;
use indicatif::ProgressBar;
use server::import::Prepared;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use store::audit::{AuditLog, Entry};
use store::chart::{ApplyError, Chart, Lane, Outcome as Written, Pending, Receipt};
use store::journal::Journal;

/// The number of batches of one thread that may wait for the disk.
const IN_FLIGHT: usize = 8;

/// The state that all threads share.
struct Shared<'a> {
    chart: Chart,
    importer: Importer<'static>,
    /// The inputs that one thread takes in order: messages.
    in_order: Mutex<VecDeque<Input>>,
    inputs: Mutex<VecDeque<Input>>,
    tally: Mutex<Tally>,
    bar: &'a ProgressBar,
}

pub(super) fn run(
    data: &Path,
    (site, inputs): (Site, Vec<Input>),
    bar: &ProgressBar,
) -> Result<Tally, Failure> {
    crate::private::restrict(data);
    let chart =
        Chart::open(data, store::chart::Options::default()).map_err(|e| Failure::from_error(&e))?;
    let journal_options = store::journal::Options {
        duplicate_window: Duration::from_secs(site.journal.repeats_window_seconds),
        text_index: site.journal.text_index,
        ..store::journal::Options::default()
    };
    let journal = Journal::open(data, journal_options).map_err(|e| Failure::from_error(&e))?;
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
    let (in_order, parallel): (VecDeque<Input>, VecDeque<Input>) =
        inputs.into_iter().partition(Input::is_ordered);
    let shared = Shared {
        chart: chart.clone(),
        importer: Importer::Local(LocalEngine::start(site, &chart, &journal)?),
        in_order: Mutex::new(in_order),
        inputs: Mutex::new(parallel),
        tally: Mutex::new(Tally::default()),
        bar,
    };
    let n_threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for n in 0..n_threads {
            let shared = &shared;
            scope.spawn(move || {
                let mut worker = Worker {
                    shared,
                    waiting: VecDeque::new(),
                };
                if n == 0 {
                    worker.run(&shared.in_order);
                }
                worker.run(&shared.inputs);
                worker.settle_all();
            });
        }
    });
    let Shared {
        importer, tally, ..
    } = shared;
    if let Importer::Local(engine) = importer {
        engine.finish();
    }
    relay.finish();
    flow::remember(&chart, &journal);
    chart.close();
    Ok(tally.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// A worker thread.
struct Worker<'a> {
    shared: &'a Shared<'a>,
    waiting: VecDeque<Waiting>,
}

/// A batch that waits for the disk.
struct Waiting {
    name: String,
    n_resources: usize,
    pending: Pending<Receipt, ApplyError>,
}

// === impl Worker ===

impl Worker<'_> {
    fn run(&mut self, inputs: &Mutex<VecDeque<Input>>) {
        loop {
            let next = inputs
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop_front();
            let Some(input) = next else { break };
            let name = input.path.display().to_string();
            match read(&input) {
                Ok(Content::Json(bytes)) => self.document(&name, &bytes),
                Ok(Content::Ndjson(bytes)) => self.lines(&name, &bytes),
                Ok(Content::Hl7v2(bytes)) => self.history(&name, bytes),
                Err(reason) => self.fail(&name, reason),
            }
            self.tally(|tally| tally.n_inputs += 1);
            self.shared.bar.inc(input.n_bytes);
        }
    }

    fn settle_all(&mut self) {
        while let Some(waiting) = self.waiting.pop_front() {
            self.settle(waiting);
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
            Ok(Prepared::Known { n_resources }) => {
                self.tally(|tally| tally.n_existing += n_resources as u64);
            }
            Ok(Prepared::New(import)) => {
                let waiting = Waiting {
                    name: name.to_owned(),
                    n_resources: import.n_resources,
                    pending: self.shared.chart.apply(&permit, import.batch, Lane::Import),
                };
                self.waiting.push_back(waiting);
                if IN_FLIGHT <= self.waiting.len()
                    && let Some(waiting) = self.waiting.pop_front()
                {
                    self.settle(waiting);
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

    /// Imports a file of messages. The queue gives HL7 v2 to one thread, so files are taken in order
    /// of name.
    fn history(&self, name: &str, bytes: Vec<u8>) {
        let mut tally = Tally::default();
        self.shared.importer.file(name, bytes, &mut tally);
        self.tally(|all| all.add(tally));
    }

    fn settle(&self, waiting: Waiting) {
        let Waiting {
            name,
            n_resources,
            pending,
        } = waiting;
        match pending.wait() {
            Ok(receipt) => {
                let written = receipt.written.iter();
                let n_new = written
                    .filter(|written| written.outcome != Written::Unchanged)
                    .count();
                self.tally(|tally| {
                    tally.n_resources += n_new as u64;
                    tally.n_existing += n_resources.saturating_sub(n_new) as u64;
                });
                let n = self
                    .shared
                    .tally
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .n_resources;
                self.shared.bar.set_message(format!("{n} resources"));
            }
            Err(error) => self.fail(&name, error.to_string()),
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
