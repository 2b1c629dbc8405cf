//! Client preferences: the format and `Prefer`.

use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use search::Handling;
use web::Failure;

/// The values of `Prefer: return=…` (http.html#ops).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Return {
    Minimal,
    #[default]
    Representation,
    OperationOutcome,
}

/// Checks that the client accepts JSON, the only format served; otherwise the response is 406 with
/// the reason.
pub(crate) fn check_format(headers: &HeaderMap, format: Option<&str>) -> Result<(), Failure> {
    let refuse = |what: &str| {
        Err(Failure::new(
            StatusCode::NOT_ACCEPTABLE,
            "not-supported",
            format!("`{what}` is not served; request application/fhir+json"),
        ))
    };
    if let Some(format) = format {
        // The `+` of `application/fhir+json` arrives as a space if a client did not encode it.
        let is_json = matches!(
            format
                .split(';')
                .next()
                .unwrap_or("")
                .trim()
                .replace(' ', "+")
                .as_str(),
            "json" | "application/json" | "application/fhir+json" | "text/json"
        );
        return if is_json { Ok(()) } else { refuse(format) };
    }
    let accepts: Vec<&str> = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(','))
        .filter(|range| is_of_release(range) && !is_refused(range))
        .map(|range| range.split(';').next().unwrap_or("").trim())
        .filter(|range| !range.is_empty())
        .collect();
    let served = |range: &&str| {
        matches!(
            range.to_ascii_lowercase().as_str(),
            "*/*" | "application/*" | "application/json" | "application/fhir+json" | "text/json"
                // A browser's address bar: it gets JSON, as text.
                | "text/html"
        )
    };
    let is_open = headers.get_all(ACCEPT).iter().all(HeaderValue::is_empty);
    if is_open || accepts.iter().any(served) {
        Ok(())
    } else {
        refuse(&accepts.join(", "))
    }
}

/// Returns true if a range allows FHIR 4.0, as in `fhirVersion=4.0`, or names no release
/// (http.html#version-parameter).
pub(super) fn is_of_release(range: &str) -> bool {
    let mut parameters = range.split(';').skip(1).map(str::trim);
    parameters
        .find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim()
                .eq_ignore_ascii_case("fhirVersion")
                .then_some(value.trim())
        })
        .is_none_or(|release| matches!(release.trim_matches('"'), "4.0" | "4.0.1"))
}

/// Returns true if a range has `q=0`, which means "not acceptable" (RFC 9110, 12.4.2).
fn is_refused(range: &str) -> bool {
    let mut parameters = range.split(';').skip(1).map(str::trim);
    parameters
        .find_map(|parameter| parameter.strip_prefix("q="))
        .and_then(|weight| weight.trim().parse::<f32>().ok())
        .is_some_and(|weight| weight <= 0.0)
}

/// Parses `Prefer: handling=strict|lenient`.
pub(crate) fn handling(headers: &HeaderMap) -> Handling {
    if preferences(headers).any(|word| word == "handling=strict") {
        Handling::Strict
    } else {
        Handling::Lenient
    }
}

/// Parses `Prefer: return=minimal|representation|OperationOutcome`.
pub(crate) fn return_preference(headers: &HeaderMap) -> Return {
    preferences(headers)
        .find_map(|word| match word {
            "return=minimal" => Some(Return::Minimal),
            "return=representation" => Some(Return::Representation),
            "return=OperationOutcome" => Some(Return::OperationOutcome),
            _ => None,
        })
        .unwrap_or_default()
}

fn preferences(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all("prefer")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split([',', ';']))
        .map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accept(value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, value.parse().unwrap());
        headers
    }

    #[test]
    fn formats() {
        for ok in [
            "application/fhir+json",
            "*/*",
            "application/xml;q=0.1, application/json",
            "",
        ] {
            assert!(check_format(&accept(ok), None).is_ok(), "{ok}");
        }
        assert!(check_format(&accept("application/fhir+xml"), None).is_err());
        assert!(check_format(&accept("application/fhir+xml"), Some("json")).is_ok());
        assert!(check_format(&accept("*/*"), Some("xml")).is_err());
        assert!(check_format(&accept("application/fhir+json;q=0"), None).is_err());
        assert!(check_format(&accept("application/fhir+json;q=0.1"), None).is_ok());
        let release = |name| accept(&format!("application/fhir+json; fhirVersion={name}"));
        assert!(check_format(&release("4.0"), None).is_ok());
        assert!(check_format(&release("3.0"), None).is_err());
        assert!(check_format(&accept("*/*"), Some("application/fhir json")).is_ok());
    }
}
