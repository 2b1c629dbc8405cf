//! One HTTP server of all surfaces: FHIR REST under `/fhir`, the operator's JSON under `/api`, health
//! and metrics, and the console under `/`.
//!
//! Invariant: a surface is mounted here and nowhere else, so that what wraps every answer (headers,
//! time limits, counting; [`web::serve`]) wraps them all.

mod api;
mod operate;

pub use rest::{capability_statement, import};
pub use web::{ADMINISTRATOR_SCOPE, App, BundleLimits, Listener, Measures, Parts, ServeError};

use axum::Router;
use std::future::Future;

/// Answers until `stop` resolves, then lets requests under way finish.
pub async fn serve(listener: Listener, app: App, stop: impl Future<Output = ()> + Send + 'static) {
    let routes = routes(&app);
    web::serve(listener, app, routes, stop).await;
}

fn routes(app: &App) -> Router<App> {
    Router::new()
        .nest("/fhir", rest::routes())
        // Clients that join base and path with a slash of their own.
        .route("/fhir/", rest::base())
        .nest("/api", api::routes())
        .merge(operate::routes())
        .merge(console::routes(app.clone()))
}
