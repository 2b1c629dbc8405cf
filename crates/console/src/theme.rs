//! The theme: light, dark, or the system's. Kept in a cookie that is not secret.

use super::visitor::Form;
use axum::http::HeaderMap;
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::response::{IntoResponse, Redirect, Response};

const COOKIE_NAME: &str = "causeway_theme";
const THEMES: [&str; 2] = ["light", "dark"];

/// Returns the chosen theme; empty for the system's.
pub(super) fn of(headers: &HeaderMap) -> &'static str {
    let chosen = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE_NAME)
        .map_or("", |(_, value)| value);
    THEMES
        .into_iter()
        .find(|theme| *theme == chosen)
        .unwrap_or("")
}

/// Handles `POST /theme`.
pub(super) async fn choose(form: Form) -> Response {
    let theme = THEMES
        .into_iter()
        .find(|theme| *theme == form.get("theme"))
        .unwrap_or("system");
    let cookie =
        format!("{COOKIE_NAME}={theme}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Strict");
    ([(SET_COOKIE, cookie)], Redirect::to(form.back())).into_response()
}
