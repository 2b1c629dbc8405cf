//! One wish for every message of a filtered list, with its progress.
//!
//! Invariants:
//! - the messages are those that the filter finds at the beginning, done oldest first;
//! - each is written down by itself, so stopping half-way leaves nothing half done;
//! - the list of batches lives in memory: after a restart what was begun goes on, what was not yet
//!   begun has to be asked for again.

use super::super::fault::Fault;
use super::super::frame::{Frame, Place, page};
use super::super::handles::Handles;
use super::super::markup::{Moment, count, thousands};
use super::super::visitor::{Form, Visitor};
use super::act::{Act, wanted};
use super::filter::{Wanted, of_visitor};
use crate::app::App;
use crate::trail::Touched;
use access::Interaction;
use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use base::Timestamp;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use store::journal::{Filter, Page, Sequence};

/// Every batch of this run.
#[derive(Default)]
pub(in crate::console) struct Batches {
    kept: Mutex<VecDeque<Arc<Batch>>>,
}

/// One of them.
struct Batch {
    id: String,
    by: String,
    act: Act,
    why: String,
    began: Timestamp,
    /// The address of the list that it was asked for from.
    list: String,
    n_all: AtomicUsize,
    n_done: AtomicUsize,
    n_failed: AtomicUsize,
    is_stopped: AtomicBool,
    is_over: AtomicBool,
}

#[derive(Template)]
#[template(path = "messages/batch.html")]
struct BatchPage {
    frame: Frame,
    batch: Arc<Batch>,
}

/// So many batches are remembered.
const MAX_KEPT: usize = 50;
/// No batch is larger.
const MAX_MESSAGES: usize = 1_000_000;
const SLICE: usize = 1_000;

// === impl Batches ===

impl Batches {
    fn keep(&self, batch: Arc<Batch>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if MAX_KEPT <= kept.len() {
            kept.pop_front();
        }
        kept.push_back(batch);
    }

    fn find(&self, id: &str) -> Result<Arc<Batch>, Fault> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.iter().find(|batch| batch.id == id).cloned();
        found.ok_or_else(|| Fault::not_found("batch"))
    }
}

// === impl Batch ===

impl Batch {
    /// Does it all; not for an async task's own thread.
    fn run(&self, app: &App, filter: &Filter) -> Result<(), Fault> {
        let sequences = all(app, filter)?;
        self.n_all.store(sequences.len(), Ordering::Relaxed);
        for sequence in sequences {
            if self.is_stopped.load(Ordering::Relaxed) {
                break;
            }
            let done = self.act.run(app, sequence, (&self.by, &self.why));
            if done.is_err() {
                self.n_failed.fetch_add(1, Ordering::Relaxed);
            }
            self.n_done.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    fn n_done(&self) -> usize {
        self.n_done.load(Ordering::Relaxed)
    }

    fn n_all(&self) -> usize {
        self.n_all.load(Ordering::Relaxed)
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// `120 of 400 replayed`
    fn words(&self) -> String {
        if self.n_all() == 0 && !self.is_over() {
            return "Finding the messages".to_owned();
        }
        let n_failed = self.n_failed.load(Ordering::Relaxed);
        format!(
            "{} of {} {}",
            thousands(self.n_done().saturating_sub(n_failed) as u64),
            count(self.n_all() as u64, "message", "messages"),
            self.act.done()
        )
    }

    fn failed(&self) -> Option<String> {
        let n_failed = self.n_failed.load(Ordering::Relaxed) as u64;
        (0 < n_failed).then(|| {
            format!(
                "{} could not be {}: their state does not allow it, or somebody was quicker",
                count(n_failed, "message", "messages"),
                self.act.done()
            )
        })
    }

    fn state(&self) -> (&'static str, &'static str) {
        match (self.is_over(), self.is_stopped.load(Ordering::Relaxed)) {
            (true, true) => ("hold", "stopped"),
            (true, false) => ("good", "done"),
            (false, true) => ("wait", "stopping"),
            (false, false) => ("wait", "at work"),
        }
    }
}

/// Everything that the filter finds, oldest first.
fn all(app: &App, filter: &Filter) -> Result<Vec<Sequence>, Fault> {
    let mut found = Vec::new();
    let mut before = None;
    loop {
        let page = Page {
            before,
            limit: SLICE,
        };
        let listing = app.journal.list(filter, page)?;
        found.extend(listing.rows.into_iter().map(|row| row.sequence));
        before = listing.next;
        if before.is_none() || MAX_MESSAGES <= found.len() {
            found.reverse();
            return Ok(found);
        }
    }
}

/// `POST /messages/batch`
pub(in crate::console) async fn begin(
    State(app): State<App>,
    Extension(handles): Extension<Arc<Handles>>,
    Extension(batches): Extension<Arc<Batches>>,
    form: Form,
) -> Result<Response, Fault> {
    let visitor = &form.visitor;
    let act = wanted(&form)?;
    visitor.permit(&app, Interaction::Operate, None).await?;
    let asked = Wanted::of_form(&form);
    let filter = of_visitor(&asked, &handles, visitor, app.clock.now())?;
    let touched = Touched {
        resource_type: "message".to_owned(),
        target: format!("all of messages?{}", asked.names().join("&")),
        patients: Vec::new(),
    };
    visitor.record(&app, act.code(), touched).await?;
    let batch = Arc::new(Batch {
        id: security::random_text::<9>(),
        by: visitor.user().to_owned(),
        act,
        why: form.get("why").to_owned(),
        began: app.clock.now(),
        list: format!("/messages?{}", asked.query()),
        n_all: AtomicUsize::new(0),
        n_done: AtomicUsize::new(0),
        n_failed: AtomicUsize::new(0),
        is_stopped: AtomicBool::new(false),
        is_over: AtomicBool::new(false),
    });
    batches.keep(Arc::clone(&batch));
    let address = format!("/messages/batch/{}", batch.id);
    tokio::task::spawn_blocking(move || {
        if let Err(fault) = batch.run(&app, &filter) {
            tracing::error!(why = %fault.why, "a batch ended early");
            batch.is_stopped.store(true, Ordering::Relaxed);
        }
        batch.is_over.store(true, Ordering::Relaxed);
    });
    Ok(Redirect::to(&address).into_response())
}

/// `GET /messages/batch/{id}`
pub(in crate::console) async fn progress(
    Extension(batches): Extension<Arc<Batches>>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Fault> {
    let batch = batches.find(&id)?;
    page(&BatchPage {
        frame: Frame::new(&visitor, Place::Messages, batch.words()),
        batch,
    })
}

/// `POST /messages/batch/{id}`: no more of it.
pub(in crate::console) async fn stop(
    State(app): State<App>,
    Extension(batches): Extension<Arc<Batches>>,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Fault> {
    let batch = batches.find(&id)?;
    let visitor = &form.visitor;
    visitor.permit(&app, Interaction::Operate, None).await?;
    let touched = Touched {
        resource_type: "batch".to_owned(),
        target: id.clone(),
        patients: Vec::new(),
    };
    visitor.record(&app, "stop", touched).await?;
    batch.is_stopped.store(true, Ordering::Relaxed);
    Ok(Redirect::to(&format!("/messages/batch/{id}")).into_response())
}
