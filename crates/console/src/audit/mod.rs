//! The audit log page: who did what to whose data, when, why and from where, and the state of the
//! chain.
//!
//! Invariant: reading the log is itself audited, with the names of the filters.

mod filter;
mod line;

pub(super) use filter::{Heading, plain_headings};
pub(super) use line::Line;

use super::fault::Fault;
use super::frame::{Frame, Place, page};
use super::markup::{Moment, hex, thousands};
use super::query::Query;
use super::visitor::Visitor;
use access::Interaction;
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use filter::{Menu, Parameters};
use store::audit::{Listing, Page, Position, SORTED_WINDOW, Sorted};
use web::App;
use web::trail::Touched;

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    frame: Frame,
    /// The menus of filters.
    menus: Vec<Menu>,
    /// The filters that only an address can set, each with the address that removes it.
    chips: Vec<(String, String)>,
    /// The address of the chart of the patient in the filter.
    chart: Option<String>,
    lines: Vec<Line>,
    headings: Vec<Heading>,
    order: String,
    next: Option<String>,
    n_entries: String,
    hash: String,
    stopped: Option<String>,
    lag: u64,
}

const PAGE: usize = 100;

/// Handles `GET /audit`.
pub(super) async fn show(
    State(app): State<App>,
    visitor: Visitor,
    Query(asked): Query<Parameters>,
) -> Result<Response, Fault> {
    visitor.permit(&app, Interaction::Audit, None).await?;
    asked.check()?;
    let touched = Touched {
        resource_type: "audit log".to_owned(),
        target: asked.names().join("&"),
        patients: asked.patient().into_iter().cloned().collect(),
    };
    visitor.record(&app, "search", touched).await?;
    let (work, wanted, now) = (app.clone(), asked.clone(), app.clock.now());
    let listing = tokio::task::spawn_blocking(move || listing(&work, &wanted, now))
        .await
        .map_err(|error| Fault::internal(&error))??;
    let head = app.audit.head();
    let next =
        (listing.rows.len() == PAGE).then(|| match (asked.is_newest_first(), listing.next) {
            (true, Some(next)) => asked.with("before", &next.get().to_string()),
            _ => asked.with("skip", &(asked.skip + PAGE).to_string()),
        });
    let order = asked.order();
    page(&AuditPage {
        frame: Frame::new(&visitor, Place::Audit, "Audit"),
        menus: asked.menus(),
        chips: asked.chips(),
        chart: asked.patient().map(|id| format!("/patients/{id}")),
        headings: asked.headings(),
        order: if asked.is_by_time() {
            order
        } else {
            format!(
                "{order}, of the newest {} that match",
                thousands(SORTED_WINDOW as u64)
            )
        },
        next,
        lines: listing.rows.into_iter().map(Line::of).collect(),
        n_entries: thousands(head.position),
        hash: hex(&head.hash, 8),
        stopped: app.audit.stopped().map(|error| error.to_string()),
        lag: listing.lag,
    })
}

fn listing(app: &App, asked: &Parameters, now: base::Timestamp) -> Result<Listing, Fault> {
    let filter = asked.filter(now);
    if asked.is_newest_first() {
        let page = Page {
            before: asked.before.map(Position::new),
            limit: PAGE,
        };
        return Ok(app.audit.entries(&filter, page)?);
    }
    let (by, descending) = asked.sort();
    let sorted = Sorted {
        by,
        descending,
        skip: asked.skip,
        limit: PAGE,
    };
    Ok(app.audit.entries_sorted(&filter, sorted)?)
}
