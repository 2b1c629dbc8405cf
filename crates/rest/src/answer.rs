//! Responses that carry resources: the stored bytes, with the headers that FHIR requires.

use super::FHIR_JSON;
use super::preference::Return;
use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, ETAG, LAST_MODIFIED, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base::{Issue, Severity, Timestamp};
use store::chart::Resource;
use web::App;

/// Creates a response with any JSON body.
pub(crate) fn json(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = (status, body.into()).into_response();
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(FHIR_JSON));
    response
}

/// Creates a response with one resource.
pub(crate) fn resource(status: StatusCode, resource: Resource) -> Response {
    let (version, updated) = (resource.version, resource.updated);
    let mut response = json(status, resource.body);
    version_headers(&mut response, version, updated);
    response
}

/// Creates the response to a write, in the form that the client prefers.
pub(crate) fn written(
    app: &App,
    status: StatusCode,
    preference: Return,
    resource: Resource,
) -> Response {
    let location = format!(
        "{}/{}/{}/_history/{}",
        app.fhir_base(),
        resource.resource_type,
        resource.id,
        resource.version
    );
    let (version, updated) = (resource.version, resource.updated);
    let mut response = match preference {
        Return::Representation => json(status, resource.body),
        Return::Minimal => json(status, Body::empty()),
        Return::OperationOutcome => json(status, done("stored")),
    };
    version_headers(&mut response, version, updated);
    if let Ok(location) = HeaderValue::try_from(location) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// Renders an OperationOutcome that reports success.
pub(crate) fn done(text: &'static str) -> Vec<u8> {
    let issue = Issue {
        severity: Severity::Information,
        code: "informational",
        location: String::new(),
        text: text.into(),
    };
    fhir::outcome::outcome(&[issue]).to_bytes()
}

/// Sets the `ETag` and `Last-Modified` of a version.
pub(crate) fn version_headers(response: &mut Response, version: u32, updated: Timestamp) {
    let headers = response.headers_mut();
    if let Ok(etag) = HeaderValue::try_from(etag(version)) {
        headers.insert(ETAG, etag);
    }
    if let Ok(modified) = HeaderValue::try_from(http_date(updated)) {
        headers.insert(LAST_MODIFIED, modified);
    }
}

/// Renders a version as an entity tag, such as `W/"3"`.
pub(crate) fn etag(version: u32) -> String {
    format!("W/\"{version}\"")
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Renders a time such as `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, 5.6.7).
pub(crate) fn http_date(at: Timestamp) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    // 1970-01-01 was a Thursday.
    let day = at.micros().div_euclid(86_400_000_000).rem_euclid(7) as usize;
    let text = at.to_fhir();
    let part = |range| text.get(range).unwrap_or("");
    let month = part(5..7).parse::<usize>().unwrap_or(1).saturating_sub(1);
    format!(
        "{}, {} {} {} {} GMT",
        DAYS.get(day).unwrap_or(&""),
        part(8..10),
        MONTHS.get(month).unwrap_or(&""),
        part(0..4),
        part(11..19)
    )
}

/// Parses an HTTP date; `None` for the obsolete forms too.
pub(crate) fn of_http_date(text: &str) -> Option<Timestamp> {
    let (_, rest) = text.trim().strip_suffix(" GMT")?.split_once(", ")?;
    let parts: Vec<&str> = rest.split(' ').collect();
    let [day, month, year, time] = parts.as_slice() else {
        return None;
    };
    let month = 1 + MONTHS.iter().position(|known| known == month)?;
    let instant = format!("{year}-{month:02}-{day}T{time}Z");
    let at = base::DateTime::parse_fhir(&instant).ok()?;
    Some(at.timestamp(&base::Zone::utc()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_9110() {
        let at = Timestamp::from_micros(784_111_777_000_000);
        assert_eq!(http_date(at), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(of_http_date(&http_date(at)), Some(at));
        assert_eq!(of_http_date("yesterday"), None);
    }
}
