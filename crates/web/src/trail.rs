//! The audit trail: what is answered is written down first.

use crate::app::App;
use crate::caller::{Caller, Origin, Unauthenticated};
use base::Purpose;
use store::audit::{Entry, Outcome, RecordError};

/// What an access touched.
#[derive(Clone, Debug, Default)]
pub struct Touched {
    /// The resource type, or the kind of thing.
    pub resource_type: String,
    /// The id, or the query's shape without values.
    pub target: String,
    /// The patients whose data it is.
    pub patients: Vec<String>,
}

/// Waits until the access is in the audit log, on disk. Only then may the answer go out.
pub async fn record(
    app: &App,
    caller: &Caller,
    action: &str,
    touched: Touched,
    outcome: Outcome,
) -> Result<(), RecordError> {
    app.audit
        .record(entry(caller, action, touched, outcome))
        .await
        .map(|_| ())
}

/// The entry of an access, for those that commit with a write.
pub fn entry(caller: &Caller, action: &str, touched: Touched, outcome: Outcome) -> Entry {
    Entry {
        actor: caller.actor(),
        action: action.to_owned(),
        resource_type: touched.resource_type,
        target: touched.target,
        patients: touched.patients,
        purpose: caller.purpose.code().to_owned(),
        outcome,
        source: caller.origin.address.to_string(),
        request_id: caller.origin.request_id.clone(),
        emergency: caller.purpose == Purpose::EmergencyTreatment,
    }
}

/// A write that was refused because the disk is full touched nothing: it is written down where there
/// is room, and takes nothing from the reads' reserve.
pub async fn refused_for_want_of_room(app: &App, entry: Entry) {
    // Who writes in vain again and again would otherwise take the room of those who read.
    let _ = app.audit.record_if_room(entry).await;
}

/// Somebody came without a valid session or token. Nothing is answered but the refusal, so a log
/// that cannot be written does not change it.
pub async fn refused_at_the_door(app: &App, origin: &Origin, why: Unauthenticated) {
    let action = match why {
        // Every browser asks without a cookie first; that is no event.
        Unauthenticated::Missing | Unauthenticated::Purpose => return,
        Unauthenticated::Token(_) | Unauthenticated::Scopes | Unauthenticated::ChooseFirst => {
            "authenticate"
        }
        Unauthenticated::Csrf => "csrf",
    };
    let entry = Entry {
        actor: "nobody".to_owned(),
        action: action.to_owned(),
        outcome: Outcome::Refused,
        source: origin.address.to_string(),
        request_id: origin.request_id.clone(),
        ..Entry::default()
    };
    // Anybody can cause such entries: they take nothing from the reserve.
    if app.audit.record_if_room(entry).await.is_err() {
        tracing::error!(request_id = %origin.request_id, "a refused login could not be audited");
    }
}
