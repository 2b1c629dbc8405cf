//! One HTTP server for all surfaces: FHIR REST under `/fhir`, the operator's JSON API under `/api`,
//! health and metrics, and the console under `/`.
//!
//! Invariant: every surface is mounted here and nowhere else, so the layers around every response
//! (headers, time limits, counting; [`web::serve`]) cover all of them.

mod api;
mod operate;

pub use rest::{capability_statement, import};
pub use web::{ADMINISTRATOR_SCOPE, App, BundleLimits, Listener, Measures, Parts, ServeError};

use axum::Router;
use std::future::Future;

/// Serves requests until `stop` resolves, then lets in-flight requests finish.
pub async fn serve(listener: Listener, app: App, stop: impl Future<Output = ()> + Send + 'static) {
    let routes = routes(&app);
    web::serve(listener, app, routes, stop).await;
}

fn routes(app: &App) -> Router<App> {
    Router::new()
        .nest("/fhir", rest::routes())
        // Some clients join base and path with an extra slash.
        .route("/fhir/", rest::base())
        .nest("/api", api::routes())
        .merge(operate::routes())
        .merge(console::routes(app.clone()))
}
