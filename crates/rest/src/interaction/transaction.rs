//! The interaction `POST [base]` with a transaction or batch bundle.

use super::update::MAX_TRIES;
use crate::body::check_content_type;
use crate::once::Once;
use crate::precondition::Precondition;
use crate::transaction::{
    EntryAction, Intent, Permits, Planned, Prepared, expression, plan, plan_all, prepare,
};
use crate::{Failure, answer, known_type, preference};
use access::{Action, Interaction, Permit, decide};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use fhir::bundle::{BundleKind, EntryParts, Header, Writer, entries};
use fhir::json::Document;
use search::Handling;
use store::audit::Outcome as AuditOutcome;
use store::chart::{ApplyError, Change, Conflict, Lane, NewState, Outcome, Read, Receipt};
use web::App;
use web::caller::Caller;
use web::parameters::parse;
use web::trail::{self, Touched};
use web::{audited_failure, permit};

/// The response to one entry.
#[derive(Default)]
struct Answered {
    status: &'static str,
    location: Option<String>,
    version: Option<u32>,
    updated: Option<base::Timestamp>,
    resource: Option<Vec<u8>>,
    outcome: Option<Vec<u8>>,
}

/// Handles both kinds of bundle.
pub(crate) async fn root(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Failure> {
    preference::check_format(&headers, None)?;
    let work = answer_bundle(&app, &caller, &headers, &body);
    let touched = Touched {
        resource_type: "Bundle".to_owned(),
        ..Touched::default()
    };
    audited_failure(&app, &caller, Interaction::Create, touched, work).await
}

async fn answer_bundle(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, Failure> {
    check_content_type(headers)?;
    let document = crate::body::document(body)?;
    let kind = (document.resource_type() == Some("Bundle"))
        .then(|| BundleKind::of(document.root()))
        .flatten();
    let Some(kind @ (BundleKind::Transaction | BundleKind::Batch)) = kind else {
        return Err(Failure::at(
            StatusCode::BAD_REQUEST,
            "invalid",
            "Bundle.type",
            "the base URL accepts a Bundle of type transaction or batch; send single resources to \
             [base]/[type]",
        ));
    };
    check_size(app, &document)?;
    let mut answers = Answers::new(app, kind);
    answers.once = Once::of(headers, &document, kind == BundleKind::Batch)?;
    if kind == BundleKind::Transaction {
        let planned = plan_all(&document)?;
        transaction(app, caller, &planned, &mut answers).await?;
    } else {
        batch(app, caller, &document, &mut answers).await?;
    }
    let mut response = answer::json(StatusCode::OK, answers.bundle.finish());
    if let Some(once) = &answers.once {
        once.set_header(&mut response);
    }
    Ok(response)
}

/// Refuses a bundle with too many entries, since each entry is a unit of work.
fn check_size(app: &App, document: &Document) -> Result<(), Failure> {
    let most = app.bundles.max_entries;
    let n_entries = entries(document.root()).count();
    if n_entries <= most {
        return Ok(());
    }
    Err(Failure::at(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too-costly",
        "Bundle.entry",
        format!(
            "the bundle has {n_entries} entries and at most {most} are accepted; send it in parts, \
             or raise `http.max_bundle_entries`"
        ),
    ))
}

/// The response bundle, written as its entries come in.
struct Answers {
    bundle: Writer,
    /// The bytes of resources that may still be returned. None once a resource did not fit, so that
    /// no further search is run in vain.
    left: Option<usize>,
    most: usize,
    /// The state of a write-once bundle, if the request asks for that.
    once: Option<Once>,
}

// === impl Answers ===

impl Answers {
    fn new(app: &App, kind: BundleKind) -> Self {
        let bundle = Writer::new(&Header {
            kind: match kind {
                BundleKind::Transaction => BundleKind::TransactionResponse,
                _ => BundleKind::BatchResponse,
            },
            id: None,
            timestamp: Some(app.clock.now()),
            total: None,
            links: &[("self", &app.fhir_base())],
        });
        let most = app.bundles.max_answer_bytes;
        Self {
            bundle,
            left: Some(most),
            most,
            once: None,
        }
    }

    fn push(&mut self, entry: &Answered) {
        let etag = entry.version.map(answer::etag);
        self.bundle.entry(&EntryParts {
            resource: entry.resource.as_deref(),
            status: Some(entry.status),
            location: entry.location.as_deref(),
            etag: etag.as_deref(),
            last_modified: entry.updated,
            outcome: entry.outcome.as_deref(),
            ..EntryParts::default()
        });
    }

    /// Returns the entry if the response has room for its resource, and an error entry otherwise.
    fn fitting(&mut self, entry: Answered) -> Answered {
        let n_bytes = entry.resource.as_ref().map_or(0, Vec::len);
        self.left = self.left.and_then(|left| left.checked_sub(n_bytes));
        if self.left.is_some() || n_bytes == 0 {
            entry
        } else {
            failed(&self.full())
        }
    }

    /// Answers entries whose content an earlier request has already created.
    fn known(&mut self, planned: &[Planned<'_>]) {
        if let Some(once) = &mut self.once {
            once.known(planned.len());
        }
        for _ in planned {
            self.push(&Answered {
                status: "200 OK",
                outcome: Some(answer::done("the same content was stored before")),
                ..Answered::default()
            });
        }
    }

    fn full(&self) -> Failure {
        Failure::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-costly",
            format!(
                "the response to the bundle is full: its entries may return {} MB together. \
                 Request less at once (_count, _elements, fewer entries), or raise \
                 `http.max_bundle_answer_mb`",
                self.most >> 20
            ),
        )
    }
}

/// Runs a transaction: all entries or none.
async fn transaction(
    app: &App,
    caller: &Caller,
    planned: &[Planned<'_>],
    answers: &mut Answers,
) -> Result<(), Failure> {
    let entries = permits(app, caller, planned).await?;
    // A lookup may be outdated by the time of the write; then everything is looked up again.
    for _ in 0..MAX_TRIES {
        match attempt(app, caller, planned, entries.clone(), answers).await {
            Err(failure) if failure.is_overtaken => {}
            settled => return settled,
        }
    }
    attempt(app, caller, planned, entries, answers).await
}

async fn attempt(
    app: &App,
    caller: &Caller,
    planned: &[Planned<'_>],
    entries: Vec<Option<Permit>>,
    answers: &mut Answers,
) -> Result<(), Failure> {
    let digest = answers.once.as_ref();
    let digest = digest.and_then(|once| once.digest(planned));
    if let Some(digest) = &digest
        && app.chart.was_imported(digest)?
    {
        answers.known(planned);
        return Ok(());
    }
    let mut prepared = prepare_for(app, caller, planned, entries)?;
    prepared.batch.imported = digest;
    for (entry, intent) in planned.iter().zip(&prepared.results) {
        if let Intent::Get(url, _) = intent {
            check_get(app, caller, url, &prepared.batch.changes)
                .await
                .map_err(|failure| failure.within(&expression(entry.place)))?;
        }
    }
    let touched = Touched {
        resource_type: "Bundle".to_owned(),
        target: format!("transaction of {}", planned.len()),
        patients: std::mem::take(&mut prepared.patients),
    };
    let entry = trail::entry(caller, "transaction", touched, AuditOutcome::Success);
    let receipt = if prepared.batch.changes.is_empty() {
        app.audit.record(entry).await?;
        Receipt::default()
    } else {
        prepared.batch.audit.push(entry);
        let batch = std::mem::take(&mut prepared.batch);
        let names: Vec<(&str, String)> = batch
            .changes
            .iter()
            .map(|change| (change.resource_type(), change.id.clone()))
            .collect();
        let permits: Vec<&Permit> = prepared.permits.iter().collect();
        let written = app.chart.apply_each(&permits, batch, Lane::Interactive);
        written
            .await
            .map_err(|error| refused(error, planned, &prepared, &names))?
    };
    if receipt.already_applied {
        // A concurrent request wrote the same content.
        answers.known(planned);
        return Ok(());
    }
    if let Some(once) = &mut answers.once {
        once.written(&receipt);
    }
    respond(app, caller, (&prepared, &receipt), answers).await
}

/// Adds to the failure the entry that it concerns.
fn refused(
    error: ApplyError,
    planned: &[Planned<'_>],
    prepared: &Prepared,
    names: &[(&str, String)],
) -> Failure {
    let place = match &error {
        ApplyError::Conflict(Conflict::Version {
            resource_type, id, ..
        }) => names
            .iter()
            .position(|(name, other)| name == resource_type && other == id),
        _ => None,
    };
    let intent = place.map(Intent::Change);
    let entry = planned
        .iter()
        .zip(&prepared.results)
        .find(|(_, result)| Some(*result) == intent.as_ref())
        .map(|(entry, _)| entry);
    let Some(entry) = entry else {
        return error.into();
    };
    Failure::from(error).within(&expression(entry.place))
}

/// Checks everything that could make a read or search fail after the writes, before anything is
/// written.
async fn check_get(
    app: &App,
    caller: &Caller,
    url: &str,
    changes: &[Change],
) -> Result<(), Failure> {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let mut parts = path.split('/');
    let resource_type = known_type(parts.next().unwrap_or(""))?;
    match (parts.next(), parts.next()) {
        (None, _) => {
            let parser = search::Parser::at(app.fhir_base());
            parser.parse(resource_type, &parse(query), Handling::Lenient)?;
            Ok(())
        }
        (Some(id), None) => {
            let granted = permit(app, caller, Interaction::Read, Some(resource_type)).await?;
            let changed = changes
                .iter()
                .find(|change| change.resource_type() == resource_type && change.id == id);
            let is_there = match changed {
                Some(change) => matches!(change.state, NewState::Body(_)),
                None => matches!(app.chart.read(&granted, resource_type, id)?, Read::Found(_)),
            };
            if is_there {
                Ok(())
            } else {
                Err(Failure::not_found(resource_type, id))
            }
        }
        (Some(_), Some(_)) => Err(Failure::not_supported(
            "in a bundle, GET accepts [type]/[id] or [type]?…",
        )),
    }
}

fn prepare_for(
    app: &App,
    caller: &Caller,
    planned: &[Planned<'_>],
    entries: Vec<Option<Permit>>,
) -> Result<Prepared, Failure> {
    let search = |resource_type| {
        let action = Action::on(Interaction::SearchType, resource_type);
        Ok(decide(&caller.principal, action, caller.purpose)?)
    };
    let permits = Permits {
        entries,
        search: &search,
        base: &app.fhir_base(),
    };
    prepare(&app.chart, &permits, planned)
}

/// Runs a batch entry by entry; each succeeds or fails alone.
async fn batch(
    app: &App,
    caller: &Caller,
    document: &Document,
    answers: &mut Answers,
) -> Result<(), Failure> {
    for (place, entry) in entries(document.root()).enumerate() {
        let result = match plan(place, entry) {
            Ok(planned) => transaction(app, caller, std::slice::from_ref(&planned), answers).await,
            Err(failure) => Err(failure),
        };
        if let Err(failure) = result {
            let touched = Touched {
                resource_type: "Bundle".to_owned(),
                ..Touched::default()
            };
            trail::record(app, caller, "batch", touched, failure.outcome()).await?;
            answers.push(&failed(&failure));
        }
    }
    Ok(())
}

fn failed(failure: &Failure) -> Answered {
    Answered {
        status: status_line(failure.status),
        outcome: Some(failure.body()),
        ..Answered::default()
    }
}

/// Obtains a permit for every entry that writes. Entries that read obtain theirs in turn, and are
/// refused here if they would not get one then.
async fn permits(
    app: &App,
    caller: &Caller,
    planned: &[Planned<'_>],
) -> Result<Vec<Option<Permit>>, Failure> {
    let mut permits = Vec::with_capacity(planned.len());
    for entry in planned {
        let (interaction, resource_type) = match &entry.action {
            EntryAction::Create { body, .. } => (Interaction::Create, body.resource_type),
            EntryAction::Update { body, .. } => (Interaction::Update, body.resource_type),
            EntryAction::Delete { resource_type, .. } => (Interaction::Delete, *resource_type),
            EntryAction::Get { url, .. } => {
                let (path, _) = url.split_once('?').unwrap_or((url, ""));
                let name = path.split('/').next().unwrap_or("");
                let interaction = if path.contains('/') {
                    Interaction::Read
                } else {
                    Interaction::SearchType
                };
                permit(app, caller, interaction, Some(known_type(name)?)).await?;
                permits.push(None);
                continue;
            }
        };
        permits.push(Some(
            permit(app, caller, interaction, Some(resource_type)).await?,
        ));
    }
    Ok(permits)
}

/// Writes the response of each entry. No part of it has been written before, so a failure up to
/// this point is the whole response of the entry.
async fn respond(
    app: &App,
    caller: &Caller,
    (prepared, receipt): (&Prepared, &Receipt),
    answers: &mut Answers,
) -> Result<(), Failure> {
    for intent in &prepared.results {
        let entry = match intent {
            Intent::Change(place) => changed(app, receipt, *place),
            Intent::Exists {
                resource_type,
                id,
                version,
            } => Answered {
                status: "200 OK",
                location: Some(location(app, resource_type, id, *version)),
                version: Some(*version),
                ..Answered::default()
            },
            // No search is run, so nothing is seen.
            Intent::Get(..) if answers.left.is_none() => failed(&answers.full()),
            // Committed writes stand: only this entry reports what went wrong afterwards.
            Intent::Get(url, precondition) => match get(app, caller, url, precondition).await {
                Ok(found) => answers.fitting(found),
                Err(failure) => {
                    let touched = Touched {
                        resource_type: "Bundle".to_owned(),
                        ..Touched::default()
                    };
                    trail::record(app, caller, "transaction", touched, failure.outcome()).await?;
                    failed(&failure)
                }
            },
            Intent::Nothing => Answered {
                status: "204 No Content",
                ..Answered::default()
            },
        };
        answers.push(&entry);
    }
    Ok(())
}

fn changed(app: &App, receipt: &Receipt, place: usize) -> Answered {
    let Some(written) = receipt.written.get(place) else {
        return Answered::default();
    };
    if written.version == 0 {
        // The resource to be deleted never existed.
        return Answered {
            status: "204 No Content",
            ..Answered::default()
        };
    }
    let status = match written.outcome {
        Outcome::Created => "201 Created",
        Outcome::Updated | Outcome::Unchanged => "200 OK",
        Outcome::Deleted => "204 No Content",
    };
    Answered {
        status,
        location: Some(location(
            app,
            written.resource_type,
            &written.id,
            written.version,
        )),
        version: Some(written.version),
        updated: Some(written.updated),
        ..Answered::default()
    }
}

async fn get(
    app: &App,
    caller: &Caller,
    url: &str,
    precondition: &Precondition,
) -> Result<Answered, Failure> {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let mut parts = path.split('/');
    let resource_type = known_type(parts.next().unwrap_or(""))?;
    match (parts.next(), parts.next()) {
        (None, _) => {
            let granted = permit(app, caller, Interaction::SearchType, Some(resource_type)).await?;
            let pairs = parse(query);
            let body = super::search::searchset(
                app,
                caller,
                granted,
                resource_type,
                &pairs,
                Handling::Lenient,
            )
            .await?;
            Ok(Answered {
                status: "200 OK",
                resource: Some(body),
                ..Answered::default()
            })
        }
        (Some(id), None) => {
            let granted = permit(app, caller, Interaction::Read, Some(resource_type)).await?;
            let Read::Found(found) = app.chart.read(&granted, resource_type, id)? else {
                return Err(Failure::not_found(resource_type, id));
            };
            let touched = Touched {
                resource_type: resource_type.to_owned(),
                target: id.to_owned(),
                patients: super::read::patients_in(&found),
            };
            trail::record(
                app,
                caller,
                Interaction::Read.code(),
                touched,
                AuditOutcome::Success,
            )
            .await?;
            let has_it = precondition.has(Some(found.version));
            Ok(Answered {
                status: if has_it { "304 Not Modified" } else { "200 OK" },
                version: Some(found.version),
                updated: Some(found.updated),
                resource: (!has_it).then_some(found.body),
                ..Answered::default()
            })
        }
        (Some(_), Some(_)) => Err(Failure::not_supported(
            "in a bundle, GET accepts [type]/[id] or [type]?…",
        )),
    }
}

fn location(app: &App, resource_type: &str, id: &str, version: u32) -> String {
    format!(
        "{}/{resource_type}/{id}/_history/{version}",
        app.fhir_base()
    )
}

fn status_line(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 => "400 Bad Request",
        403 => "403 Forbidden",
        404 => "404 Not Found",
        409 => "409 Conflict",
        410 => "410 Gone",
        412 => "412 Precondition Failed",
        413 => "413 Content Too Large",
        422 => "422 Unprocessable Entity",
        501 => "501 Not Implemented",
        503 => "503 Service Unavailable",
        507 => "507 Insufficient Storage",
        _ => "500 Internal Server Error",
    }
}
