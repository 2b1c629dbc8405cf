//! Message actions: replay, release, hold, skip, settle and redirect, for one message or for all
//! that wait for the same reason.

use super::super::fault::Fault;
use super::super::visitor::Form;
use access::Interaction;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use flow::{ControlError, Resend};
use store::journal::Sequence;
use web::App;
use web::trail::Touched;

/// The action of a button.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Replay,
    Release,
    Hold,
    Skip,
    Settle,
}

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

    /// Returns the code that the audit log records.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Replay => "replay",
            Self::Release => "release",
            Self::Hold => "hold",
            Self::Skip => "skip",
            Self::Settle => "settle",
        }
    }

    /// Returns the action's name on the page.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Replay => "Replay",
            Self::Release => "Release",
            Self::Hold => "Hold",
            Self::Skip => "Skip",
            Self::Settle => "Settle",
        }
    }

    /// Describes the effect on many messages.
    pub(super) fn effect(self) -> &'static str {
        match self {
            Self::Replay => {
                "Each message is applied to the chart again, oldest first, with the current maps. \
                 A message that these maps have already applied changes nothing."
            }
            Self::Release => {
                "Each waiting message goes on to the chart, oldest first, together with the \
                 messages behind it."
            }
            Self::Hold => {
                "Each message that is not in the chart yet is held until somebody releases it."
            }
            Self::Skip => {
                "Each waiting message is skipped for good: nothing of it is applied, and the \
                 messages behind it go on."
            }
            Self::Settle => {
                "Each message that is in the chart and needs attention is marked as reviewed. \
                 Nothing in the chart changes."
            }
        }
    }

    /// Returns the past participle, such as `replayed`.
    pub(super) fn done(self) -> &'static str {
        match self {
            Self::Replay => "replayed",
            Self::Release => "released",
            Self::Hold => "held",
            Self::Skip => "skipped",
            Self::Settle => "settled",
        }
    }

    /// Runs the action. Blocks for an fsync.
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

/// Handles `POST /messages/{sequence}/act`.
pub(crate) async fn act_on_one(
    State(app): State<App>,
    Path(sequence): Path<u64>,
    form: Form,
) -> Result<Response, Fault> {
    let act = wanted(&form)?;
    run(&app, &form, act, Sequence::new(sequence)).await?;
    Ok(Redirect::to(form.back()).into_response())
}

/// Handles `POST /messages/{sequence}/redirect`: sends a copy to another flow and opens the copy.
pub(crate) async fn redirect(
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

/// Runs the action after it is in the audit log with its reason.
async fn run(app: &App, form: &Form, act: Act, sequence: Sequence) -> Result<(), Fault> {
    form.visitor.permit(app, Interaction::Operate, None).await?;
    let why = form.get("why").trim().to_owned();
    let target = match why.as_str() {
        "" => sequence.to_string(),
        why => format!("{sequence}: {why}"),
    };
    let touched = Touched {
        resource_type: "message".to_owned(),
        target,
        patients: Vec::new(),
    };
    form.visitor.record(app, act.code(), touched).await?;
    let (work, by) = (app.clone(), form.visitor.user().to_owned());
    let done = tokio::task::spawn_blocking(move || act.run(&work, sequence, (&by, &why)));
    done.await.map_err(|error| Fault::internal(&error))??;
    Ok(())
}

pub(super) fn wanted(form: &Form) -> Result<Act, Fault> {
    Act::named(form.get("action")).ok_or_else(|| unknown("action"))
}

fn unknown(what: &str) -> Fault {
    Fault::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "The action was not carried out",
        format!("The form names a {what} that does not exist."),
        "Reload the page and try again.",
    )
}
