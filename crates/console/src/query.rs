//! Page queries: every parameter is understood, or refused by name.
//!
//! Invariant: an unknown parameter or unreadable value is never ignored silently. A list that lost
//! its filter would show everything, and a bulk action would affect it.

use super::fault::Fault;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

/// The query string of a page. The type defines what it may contain (`deny_unknown_fields`).
#[derive(Clone, Copy, Debug)]
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        let read = axum::extract::Query::<T>::from_request_parts(parts, state).await;
        match read {
            Ok(axum::extract::Query(asked)) => Ok(Self(asked)),
            Err(error) => {
                let text = error.body_text();
                let why = text
                    .strip_prefix("Failed to deserialize query string: ")
                    .unwrap_or(&text);
                Err(not_understood(why))
            }
        }
    }
}

/// Creates the fault for a parameter value that is not accepted.
pub(super) fn unreadable(name: &str, value: &str, accepted: &str) -> Fault {
    not_understood(&format!(
        "`{value}` is not a valid value for `{name}`; accepted: {accepted}"
    ))
}

fn not_understood(why: &str) -> Fault {
    Fault::new(
        StatusCode::BAD_REQUEST,
        "The page does not understand this address",
        format!("In the address: {why}."),
        "Nothing was looked up and nothing was done. Correct the address, or choose the filter on the page.",
    )
}

/// Returns one of the accepted values of a parameter, or none if it is absent.
pub(super) fn known<'w>(
    name: &str,
    value: &str,
    words: impl IntoIterator<Item = &'w str>,
) -> Result<(), Fault> {
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    if value.is_empty() || words.contains(&value) {
        return Ok(());
    }
    Err(unreadable(name, value, &words.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    #[derive(Debug, Default, serde::Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Parameters {
        state: String,
        before: Option<u64>,
    }

    fn read(query: &str) -> Result<Parameters, Fault> {
        let request = Request::builder().uri(format!("/messages?{query}"));
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.build().unwrap();
        let read = Query::<Parameters>::from_request_parts(&mut parts, &());
        runtime.block_on(read).map(|Query(asked)| asked)
    }

    #[test]
    fn an_unknown_parameter_is_refused_by_name() {
        let asked = read("state=held&before=7").unwrap();
        assert_eq!((asked.state.as_str(), asked.before), ("held", Some(7)));
        for (query, named) in [
            ("stat=held", "`stat`"),
            ("before=yesterday", "before"),
            ("state=held&state=dead", "`state`"),
        ] {
            let fault = read(query).unwrap_err();
            assert_eq!(fault.status, StatusCode::BAD_REQUEST, "{query}");
            assert!(fault.why.contains(named), "{query}: {}", fault.why);
        }
        assert!(known("since", "", ["", "1h"]).is_ok());
        assert!(known("since", "1h", ["", "1h"]).is_ok());
        let fault = known("since", "1w", ["", "1h"]).unwrap_err();
        assert!(
            fault
                .why
                .contains("`1w` is not a valid value for `since`; accepted: 1h")
        );
    }
}
