//! Replay, release, hold, skip, settle, send on: for one message, or for all that rest for one reason.

use super::super::fault::Fault;
use super::super::visitor::Form;
use super::super::words;
use crate::app::App;
use crate::trail::Touched;
use access::Interaction;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use flow::{ControlError, Resend};
use store::journal::{Filter, Page, Sequence, State as Stand};

/// What a button asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Replay,
    Release,
    Hold,
    Skip,
    Settle,
}

/// So many of a group are worked on at one click.
const MAX_AT_ONCE: usize = 500;

// === impl Act ===

impl Act {
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "replay" => Some(Self::Replay),
            "release" => Some(Self::Release),
            "hold" => Some(Self::Hold),
            "skip" => Some(Self::Skip),
            "settle" => Some(Self::Settle),
            _ => None,
        }
    }

    /// As the audit log has it.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Replay => "replay",
            Self::Release => "release",
            Self::Hold => "hold",
            Self::Skip => "skip",
            Self::Settle => "settle",
        }
    }

    /// What has been done to a message: `replayed`.
    pub(super) fn done(self) -> &'static str {
        match self {
            Self::Replay => "replayed",
            Self::Release => "released",
            Self::Hold => "held",
            Self::Skip => "skipped",
            Self::Settle => "settled",
        }
    }

    /// Blocks for an fsync.
    pub(super) fn run(
        self,
        app: &App,
        sequence: Sequence,
        (by, why): (&str, &str),
    ) -> Result<(), ControlError> {
        match self {
            Self::Replay => app.engine.replay(sequence, by).map(drop),
            Self::Release => app.engine.release(sequence),
            Self::Hold => app.engine.hold(sequence, by, why),
            Self::Skip => app.engine.dismiss(sequence, by, why),
            Self::Settle => app.engine.settle(sequence, by, why),
        }
    }
}

/// `POST /messages/{sequence}/act`
pub(in crate::console) async fn act_on_one(
    State(app): State<App>,
    Path(sequence): Path<u64>,
    form: Form,
) -> Result<Response, Fault> {
    let act = wanted(&form)?;
    run(&app, &form, act, vec![Sequence::new(sequence)]).await?;
    Ok(Redirect::to(form.back()).into_response())
}

/// `POST /messages/act`: all messages of a flow that rest in a state for one reason.
pub(in crate::console) async fn act_on_group(
    State(app): State<App>,
    form: Form,
) -> Result<Response, Fault> {
    let act = wanted(&form)?;
    let state = Stand::from_word(form.get("state")).ok_or_else(|| unknown("state"))?;
    let filter = Filter {
        flow: Some(form.get("flow").to_owned()),
        state: Some(state),
        ..Filter::default()
    };
    let reason = form.get("reason").to_owned();
    let work = app.clone();
    let listing = tokio::task::spawn_blocking(move || {
        work.journal.list(
            &filter,
            Page {
                before: None,
                limit: MAX_AT_ONCE,
            },
        )
    })
    .await
    .map_err(|error| Fault::internal(&error))??;
    let mut sequences: Vec<Sequence> = listing
        .rows
        .into_iter()
        .filter(|row| {
            let own = row.reason.as_ref().or(row.no_message.as_ref());
            words::kind(own.map_or("", String::as_str)) == reason
        })
        .map(|row| row.sequence)
        .collect();
    // In the order in which they came.
    sequences.reverse();
    run(&app, &form, act, sequences).await?;
    Ok(Redirect::to(form.back()).into_response())
}

/// `POST /messages/{sequence}/redirect`: a copy for another flow, which is opened then.
pub(in crate::console) async fn redirect(
    State(app): State<App>,
    Path(sequence): Path<u64>,
    form: Form,
) -> Result<Response, Fault> {
    let visitor = &form.visitor;
    visitor.permit(&app, Interaction::Operate, None).await?;
    let touched = Touched {
        resource_type: "message".to_owned(),
        target: sequence.to_string(),
        patients: Vec::new(),
    };
    visitor.record(&app, "redirect", touched).await?;
    let (work, by) = (app.clone(), visitor.user().to_owned());
    let (flow, why) = (form.get("flow").to_owned(), form.get("why").to_owned());
    let made = tokio::task::spawn_blocking(move || {
        work.engine.resend(&Resend {
            of: Sequence::new(sequence),
            body: None,
            flow: Some(&flow),
            by: &by,
            why: &why,
        })
    });
    let made = made.await.map_err(|error| Fault::internal(&error))??;
    Ok(Redirect::to(&format!("/messages/{}", made.sequence)).into_response())
}

/// The wish is in the audit log before it is done. One that cannot be done stops the others only
/// where it is the only one.
async fn run(app: &App, form: &Form, act: Act, sequences: Vec<Sequence>) -> Result<(), Fault> {
    form.visitor.permit(app, Interaction::Operate, None).await?;
    let target = match sequences.as_slice() {
        [one] => one.to_string(),
        many => format!("{} messages", many.len()),
    };
    let touched = Touched {
        resource_type: "message".to_owned(),
        target,
        patients: Vec::new(),
    };
    form.visitor.record(app, act.code(), touched).await?;
    let (work, by) = (app.clone(), form.visitor.user().to_owned());
    let why = form.get("why").to_owned();
    let is_single = sequences.len() == 1;
    let done = tokio::task::spawn_blocking(move || {
        for sequence in sequences {
            match act.run(&work, sequence, (&by, &why)) {
                Err(error) if is_single => return Err(error),
                Err(ControlError::Write(error)) => return Err(ControlError::Write(error)),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    });
    done.await.map_err(|error| Fault::internal(&error))??;
    Ok(())
}

pub(super) fn wanted(form: &Form) -> Result<Act, Fault> {
    Act::named(form.get("action")).ok_or_else(|| unknown("action"))
}

fn unknown(what: &str) -> Fault {
    Fault::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "This was not done",
        format!("The form names no {what} that there is."),
        "Reload the page and try again.",
    )
}
