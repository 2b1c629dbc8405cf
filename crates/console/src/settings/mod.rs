//! The settings page: the signed-in user, sessions, listening addresses, retention and disk usage.
//!
//! Invariant: everything on the page is read when it is rendered. The settings of the configuration
//! file are shown, not changed here.

mod storage;

use super::fault::Fault;
use super::frame::{Frame, Place, page};
use super::markup::{Moment, encode};
use super::overview::Lane;
use super::visitor::{Form, Visitor};
use access::Interaction;
use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use base::Timestamp;
use flow::Snapshot;
use security::OpenSession;
use storage::Storage;
use store::audit::{ActorKind, Filter, Outcome, Page};
use web::App;
use web::caller::session_cookie;
use web::trail::Touched;

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    frame: Frame,
    now: Timestamp,
    sessions: Vec<OpenSession>,
    versions: Vec<(&'static str, String)>,
    started: Timestamp,
    read: Read,
}

/// The data read from the stores, the flows and the disk.
struct Read {
    storage: Storage,
    listeners: Vec<ListenAddress>,
    tokens: Vec<Token>,
}

/// A listening address.
struct ListenAddress {
    address: String,
    what: String,
    /// The flow that receives the messages; empty for HTTP.
    flow: String,
    state: (&'static str, &'static str),
}

/// A bearer token as the audit log knows it.
struct Token {
    actor: String,
    /// The address of its last access.
    source: String,
    last: Timestamp,
    n: u64,
}

/// The number of newest token accesses from which the tokens are listed.
const MAX_ACCESSES: usize = 1_000;

/// Handles `GET /settings`.
pub(super) async fn show(
    State(app): State<App>,
    headers: HeaderMap,
    visitor: Visitor,
) -> Result<Response, Fault> {
    visitor.permit(&app, Interaction::Operate, None).await?;
    let now = app.clock.now();
    let work = app.clone();
    let read = tokio::task::spawn_blocking(move || read(&work))
        .await
        .map_err(|error| Fault::internal(&error))??;
    page(&SettingsPage {
        frame: Frame::new(&visitor, Place::Settings, "Settings"),
        now,
        sessions: app
            .sessions
            .list(session_cookie(&headers).unwrap_or(""), now),
        versions: versions(&app, &read.storage),
        started: app.started,
        read,
    })
}

/// Handles `POST /settings/sessions`: ends one session, or all but the caller's own.
pub(super) async fn end_session(
    State(app): State<App>,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, Fault> {
    let visitor = &form.visitor;
    visitor.permit(&app, Interaction::Operate, None).await?;
    let open = app
        .sessions
        .list(session_cookie(&headers).unwrap_or(""), app.clock.now());
    let wanted = form.get("session");
    let chosen = open.into_iter().filter(|session| match wanted {
        "others" => !session.is_own,
        id => session.id == id && !session.is_own,
    });
    for session in chosen {
        let touched = Touched {
            resource_type: "session".to_owned(),
            target: session.user,
            ..Touched::default()
        };
        let ended = web::trail::record(
            &app,
            &visitor.caller,
            "end-session",
            touched,
            Outcome::Success,
        );
        ended.await?;
        app.sessions.end(&session.id);
    }
    Ok(Redirect::to("/settings").into_response())
}

/// Reads everything on the page that comes from the disk. Blocks, so async code must not call it on
/// its own thread.
fn read(app: &App) -> Result<Read, Fault> {
    let snapshot = app.engine.snapshot()?;
    Ok(Read {
        storage: Storage::take(app),
        listeners: listeners(app, &snapshot),
        tokens: tokens(app)?,
    })
}

fn listeners(app: &App, snapshot: &Snapshot) -> Vec<ListenAddress> {
    let http = |path: &str, what: &str| ListenAddress {
        address: format!("{}{path}", app.base_url),
        what: what.to_owned(),
        flow: String::new(),
        state: ("good", "open"),
    };
    let mut listeners = vec![
        http("/", "this console"),
        http("/fhir", "FHIR R4 REST"),
        http("/metrics", "metrics for Prometheus, with a token"),
        http(
            "/readyz",
            "readiness: everything can be written; liveness is at /healthz",
        ),
    ];
    listeners.extend(snapshot.flows.iter().map(|flow| ListenAddress {
        address: flow.address.map_or("not bound".to_owned(), |address| {
            format!("mllp://{address}")
        }),
        what: "HL7 v2 over MLLP".to_owned(),
        flow: flow.name.clone(),
        state: Lane::of(flow, snapshot.at).state,
    }));
    listeners
}

/// Returns the tokens in use. Tokens are signed and stored nowhere, so only the audit log knows
/// them.
fn tokens(app: &App) -> Result<Vec<Token>, Fault> {
    let filter = Filter {
        kinds: vec![ActorKind::Application],
        ..Filter::default()
    };
    let page = Page {
        before: None,
        limit: MAX_ACCESSES,
    };
    let mut tokens: Vec<Token> = Vec::new();
    for row in app.audit.entries(&filter, page)?.rows {
        let actor = row.entry.actor;
        match tokens.iter_mut().find(|token| token.actor == actor) {
            Some(token) => token.n += 1,
            None => tokens.push(Token {
                actor,
                source: row.entry.source,
                last: row.at,
                n: 1,
            }),
        }
    }
    Ok(tokens)
}

// === impl Token ===

impl Token {
    fn id(&self) -> &str {
        self.actor.strip_prefix("token:").unwrap_or(&self.actor)
    }

    fn address(&self) -> String {
        format!("/audit?actor={}", encode(&self.actor))
    }
}

fn versions(app: &App, storage: &Storage) -> Vec<(&'static str, String)> {
    vec![
        ("Causeway", env!("CARGO_PKG_VERSION").to_owned()),
        ("Maps", app.maps.current().version.clone()),
        ("FHIR", "4.0.1 (R4)".to_owned()),
        ("Data directory", format!("format {}", storage.format)),
    ]
}
