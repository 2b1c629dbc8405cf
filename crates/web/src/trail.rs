//! The audit trail: an access is recorded before it is answered.

use crate::app::App;
use crate::caller::{Caller, Origin, Unauthenticated};
use base::Purpose;
use store::audit::{Entry, Outcome, RecordError};

/// The target of an access.
#[derive(Clone, Debug, Default)]
pub struct Touched {
    /// The resource type, or the kind of object.
    pub resource_type: String,
    /// The id, or the shape of the query without its values.
    pub target: String,
    /// The patients whose data is touched.
    pub patients: Vec<String>,
}

/// Waits until the access is durable in the audit log. Only then may the response be sent.
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

/// Creates the audit entry of an access, for callers that commit it together with a write.
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

/// Records a write that was refused because the disk is full. It touched nothing, so it is recorded
/// only if there is room, and takes nothing from the reserve for reads.
pub async fn record_disk_full(app: &App, entry: Entry) {
    // Otherwise a client that keeps retrying writes would use up the reserve for reads.
    let _ = app.audit.record_if_room(entry).await;
}

/// Records a request without a valid session or token. The response is the refusal in any case, so
/// an audit log that cannot be written does not change it.
pub async fn record_unauthenticated(app: &App, origin: &Origin, why: Unauthenticated) {
    let action = match why {
        // Every browser first asks without a cookie; that is not an event.
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
    // Anyone can cause such entries, so they take nothing from the reserve.
    if app.audit.record_if_room(entry).await.is_err() {
        tracing::error!(request_id = %origin.request_id, "a refused login could not be audited");
    }
}
