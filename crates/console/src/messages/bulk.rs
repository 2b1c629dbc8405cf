//! Bulk actions on every message of a filtered list, with progress.
//!
//! Invariants:
//! - the messages are the ones that somebody was shown ([`super::ask`]), processed oldest first;
//! - each message is committed on its own, so stopping midway leaves none half done;
//! - the action, its messages and its progress are in the ledger: after a restart it resumes.

use super::super::fault::Fault;
use super::super::frame::{Frame, Place, page};
use super::super::handles::Handles;
use super::super::markup::{Moment, count, thousands};
use super::super::visitor::{Form, Visitor};
use super::act::{Act, wanted};
use super::ask::{Answer, Question, Selection, ShownCount};
use super::filter::{ListQuery, of_visitor};
use access::Interaction;
use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use flow::ControlError;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use store::journal::{Bulk, BulkProgress, Change, WriteError};
use web::App;
use web::trail::Touched;

/// The running bulk actions, for stopping and watching them.
#[derive(Default)]
pub(crate) struct Batches {
    at_work: Mutex<HashMap<String, Arc<RunningAction>>>,
}

/// One running action.
#[derive(Default)]
struct RunningAction {
    n_done: AtomicU64,
    n_failed: AtomicU64,
    /// The user who stopped it.
    stopped_by: Mutex<Option<String>>,
    is_stopped: AtomicBool,
}

/// The way in which an action ended.
enum Outcome {
    /// All messages were processed.
    Done,
    /// The action ended early, for this reason.
    Stopped(String),
    /// The process is ending; the next start resumes the action.
    Interrupted,
}

/// A bulk action as pages show it.
pub(crate) struct Shown {
    pub(crate) bulk: Bulk,
    act: Option<Act>,
}

#[derive(Template)]
#[template(path = "messages/batch.html")]
struct BatchPage {
    frame: Frame,
    batch: Shown,
}

/// The number of messages between progress updates in the ledger.
const PROGRESS_EVERY: u64 = 20;

// === impl Batches ===

impl Batches {
    /// Resumes the actions that a restart interrupted. Needs a running tokio runtime.
    pub(crate) fn resume(self: &Arc<Self>, app: &App) {
        match app.journal.ledger().bulks_open() {
            Ok(open) => open.into_iter().for_each(|bulk| self.start(app, bulk)),
            Err(error) => tracing::error!(%error, "interrupted bulk actions could not be resumed"),
        }
    }

    /// Runs an action in the background.
    fn start(self: &Arc<Self>, app: &App, bulk: Bulk) {
        let at_work = Arc::new(RunningAction {
            n_done: AtomicU64::new(bulk.progress.n_done),
            n_failed: AtomicU64::new(bulk.progress.n_failed),
            ..RunningAction::default()
        });
        self.all().insert(bulk.id.clone(), Arc::clone(&at_work));
        let (batches, app) = (Arc::clone(self), app.clone());
        tokio::task::spawn_blocking(move || {
            let rest = at_work.run(&app, &bulk);
            let mut changes = vec![Change::BulkWent {
                id: bulk.id.clone(),
                progress: at_work.progress(bulk.progress.n_all),
            }];
            let ended = |stopped| Change::BulkEnded {
                id: bulk.id.clone(),
                stopped,
            };
            match rest {
                Outcome::Done => changes.push(ended(None)),
                Outcome::Stopped(why) => changes.push(ended(Some(why))),
                Outcome::Interrupted => {}
            }
            if let Err(error) = app.journal.ledger().record(changes).wait() {
                tracing::error!(%error, "the end of a bulk action could not be recorded");
            }
            batches.all().remove(&bulk.id);
        });
    }

    fn all(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<RunningAction>>> {
        self.at_work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, app: &App, id: &str) -> Result<Shown, Fault> {
        let bulk = app.journal.ledger().bulk(id)?;
        let bulk = bulk.ok_or_else(|| Fault::not_found("bulk action"))?;
        Ok(self.show(bulk))
    }

    /// Returns the newest actions, newest first. Blocks, so async code must not call it on its own
    /// thread.
    pub(crate) fn newest(&self, app: &App, n: usize) -> Result<Vec<Shown>, Fault> {
        let bulks = app.journal.ledger().bulks(n)?.into_iter();
        Ok(bulks.map(|bulk| self.show(bulk)).collect())
    }

    /// Returns an action with its current progress, if it is running.
    fn show(&self, mut bulk: Bulk) -> Shown {
        if let Some(at_work) = self.all().get(&bulk.id) {
            bulk.progress = at_work.progress(bulk.progress.n_all);
        }
        Shown {
            act: Act::named(&bulk.act),
            bulk,
        }
    }

    fn stop(&self, id: &str, by: &str) {
        if let Some(at_work) = self.all().get(id) {
            let mut stopped_by = at_work
                .stopped_by
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            stopped_by.get_or_insert_with(|| by.to_owned());
            at_work.is_stopped.store(true, Ordering::Release);
        }
    }
}

// === impl RunningAction ===

impl RunningAction {
    /// Processes the remaining messages.
    fn run(&self, app: &App, bulk: &Bulk) -> Outcome {
        let Some(act) = Act::named(&bulk.act) else {
            return Outcome::Stopped("this version has no such action".to_owned());
        };
        let messages = match app.journal.ledger().bulk_messages(&bulk.id) {
            Ok(messages) => messages,
            Err(error) => return Outcome::Stopped(error.to_string()),
        };
        let n_done = self.n_done.load(Ordering::Relaxed) as usize;
        for sequence in messages.into_iter().skip(n_done) {
            if app.engine.is_draining() {
                return Outcome::Interrupted;
            }
            if self.is_stopped.load(Ordering::Acquire) {
                let by = self.stopped_by.lock();
                let by = by.unwrap_or_else(PoisonError::into_inner).clone();
                return Outcome::Stopped(format!("stopped by {}", by.unwrap_or_default()));
            }
            match act.run(app, sequence, (&bulk.by, &bulk.why)) {
                Ok(()) => {}
                Err(ControlError::Draining | ControlError::Write(WriteError::Closed(_))) => {
                    return Outcome::Interrupted;
                }
                Err(ControlError::Write(error)) => return Outcome::Stopped(error.to_string()),
                Err(_) => {
                    self.n_failed.fetch_add(1, Ordering::Relaxed);
                }
            }
            let n_done = self.n_done.fetch_add(1, Ordering::Relaxed) + 1;
            if n_done.is_multiple_of(PROGRESS_EVERY) {
                app.journal.ledger().note(vec![Change::BulkWent {
                    id: bulk.id.clone(),
                    progress: self.progress(bulk.progress.n_all),
                }]);
            }
        }
        Outcome::Done
    }

    fn progress(&self, n_all: u64) -> BulkProgress {
        BulkProgress {
            n_all,
            n_done: self.n_done.load(Ordering::Relaxed),
            n_failed: self.n_failed.load(Ordering::Relaxed),
        }
    }
}

// === impl Shown ===

impl Shown {
    pub(crate) fn is_over(&self) -> bool {
        self.bulk.ended.is_some()
    }

    fn done(&self) -> &'static str {
        self.act.map_or("done", Act::done)
    }

    /// Describes the progress, such as `120 of 400 messages replayed`.
    pub(crate) fn words(&self) -> String {
        let progress = self.bulk.progress;
        format!(
            "{} of {} {}",
            thousands(progress.n_done.saturating_sub(progress.n_failed)),
            count(progress.n_all, "message", "messages"),
            self.done()
        )
    }

    fn failed(&self) -> Option<String> {
        let n_failed = self.bulk.progress.n_failed;
        (0 < n_failed).then(|| {
            format!(
                "{} could not be {}: their state does not allow it, or changed in the meantime",
                count(n_failed, "message", "messages"),
                self.done()
            )
        })
    }

    pub(crate) fn state(&self) -> (&'static str, &str) {
        match (&self.bulk.stopped, self.is_over()) {
            (Some(why), _) => ("hold", why),
            (None, true) => ("good", "done"),
            (None, false) => ("wait", "running"),
        }
    }
}

/// Handles `POST /messages/batch`: shows what the action would affect and asks for a reason; runs
/// it once there is one.
pub(crate) async fn begin(
    State(app): State<App>,
    Extension(handles): Extension<Arc<Handles>>,
    Extension(batches): Extension<Arc<Batches>>,
    form: Form,
) -> Result<Response, Fault> {
    let visitor = &form.visitor;
    let act = wanted(&form)?;
    visitor.permit(&app, Interaction::Operate, None).await?;
    let asked = ListQuery::of_form(&form).at(app.clock.now());
    let filter = of_visitor(&asked, &handles, visitor, app.clock.now())?;
    let shown = ShownCount::of(&form);
    let why = form.get("why").trim().to_owned();
    let (work, last) = (app.clone(), shown.map(|shown| shown.last));
    let chosen = tokio::task::spawn_blocking(move || Selection::take(&work, &filter, last));
    let chosen = chosen.await.map_err(|error| Fault::internal(&error))??;
    if let Answer::Ask(notice) = Question::answer(shown, chosen.n(), &why) {
        let chips = asked.chips(&handles, visitor.user());
        let question = Question {
            act,
            wanted: asked,
            chips,
            chosen,
            why,
            notice,
        };
        return question.page(&app, visitor);
    }
    let touched = Touched {
        resource_type: "message".to_owned(),
        target: format!(
            "{} of messages?{}: {why}",
            chosen.words(),
            asked.names().join("&")
        ),
        patients: Vec::new(),
    };
    visitor.record(&app, act.code(), touched).await?;
    let bulk = Bulk {
        id: security::random_text::<9>(),
        act: act.code().to_owned(),
        by: visitor.user().to_owned(),
        why,
        list: format!("/messages?{}", asked.query()),
        began: app.clock.now(),
        progress: BulkProgress {
            n_all: chosen.n(),
            ..BulkProgress::default()
        },
        ended: None,
        stopped: None,
    };
    let address = format!("/messages/batch/{}", bulk.id);
    let begun = Change::BulkBegun(Box::new(bulk.clone()), chosen.messages);
    let work = app.clone();
    let written =
        tokio::task::spawn_blocking(move || work.journal.ledger().record(vec![begun]).wait());
    let written = written.await.map_err(|error| Fault::internal(&error))?;
    written.map_err(ControlError::from)?;
    batches.start(&app, bulk);
    Ok(Redirect::to(&address).into_response())
}

/// Handles `GET /messages/batch/{id}`.
pub(crate) async fn progress(
    Extension(batches): Extension<Arc<Batches>>,
    State(app): State<App>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Fault> {
    visitor.permit(&app, Interaction::Messages, None).await?;
    let batch = tokio::task::spawn_blocking(move || batches.find(&app, &id))
        .await
        .map_err(|error| Fault::internal(&error))??;
    page(&BatchPage {
        frame: Frame::new(&visitor, Place::Messages, batch.words()),
        batch,
    })
}

/// Handles `POST /messages/batch/{id}`: stops the action.
pub(crate) async fn stop(
    State(app): State<App>,
    Extension(batches): Extension<Arc<Batches>>,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Fault> {
    let visitor = &form.visitor;
    visitor.permit(&app, Interaction::Operate, None).await?;
    let touched = Touched {
        resource_type: "batch".to_owned(),
        target: id.clone(),
        patients: Vec::new(),
    };
    visitor.record(&app, "stop", touched).await?;
    batches.stop(&id, visitor.user());
    Ok(Redirect::to(&format!("/messages/batch/{id}")).into_response())
}
