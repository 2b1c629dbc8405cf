//! The commands' HTTP client, and the lookup of the running server.

use crate::cli::Server;
use crate::failure::Failure;
use base::{Clock, SystemClock};
use security::{SigningKey, Tokens};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A server and the token for it.
pub(crate) struct Http {
    agent: ureq::Agent,
    base: String,
    token: Option<String>,
}

/// The response of a server.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: String,
    /// The server's counts for an import; empty if it sent none.
    pub(crate) import: String,
}

/// The header of the server's `Causeway-Import: once`.
const IMPORT: &str = "causeway-import";

/// Returns the file in a data directory that holds the running server's address.
pub(crate) fn address_file(data: &Path) -> PathBuf {
    data.join("address")
}

// === impl Http ===

impl Http {
    pub(crate) fn new(base: &str, token: Option<&str>, timeout: Duration) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(timeout))
            .http_status_as_error(false)
            .build();
        Self {
            agent: config.into(),
            base: base.trim_end_matches('/').to_owned(),
            token: token.map(str::to_owned),
        }
    }

    /// Returns the server of `--url`, or the one that runs on `--data` with a token issued for this
    /// command.
    pub(crate) fn of(server: &Server) -> Result<Self, Failure> {
        let timeout = Duration::from_mins(1);
        if let Some(url) = &server.url {
            return Ok(Self::new(url, server.token.as_deref(), timeout));
        }
        let base = std::fs::read_to_string(address_file(&server.data)).map_err(|_| {
            Failure::failed(format!(
                "no server seems to be running on `{}`; start it, or give --url and --token",
                server.data.display()
            ))
        })?;
        let key = SigningKey::load_or_create(&server.data)
            .map_err(|error| Failure::from_error(&error))?;
        let token = Tokens::new(key).issue(
            server::ADMINISTRATOR_SCOPE,
            Duration::from_mins(5),
            SystemClock.now(),
        );
        Ok(Self::new(base.trim(), Some(&token), timeout))
    }

    /// Returns the server that runs on a data directory of this machine, with a token issued for this
    /// command; none if no server answers.
    pub(crate) fn running_on(
        data: &Path,
        timeout: Duration,
        token_for: Duration,
    ) -> Result<Option<Self>, Failure> {
        let Ok(base) = std::fs::read_to_string(address_file(data)) else {
            return Ok(None);
        };
        // After a crash the file may name a server that no longer runs.
        let probe = Self::new(base.trim(), None, Duration::from_secs(5));
        if probe.get("/healthz").is_err() {
            return Ok(None);
        }
        let key = SigningKey::load_or_create(data).map_err(|error| Failure::from_error(&error))?;
        let now = SystemClock.now();
        let token = Tokens::new(key).issue(server::ADMINISTRATOR_SCOPE, token_for, now);
        Ok(Some(Self::new(base.trim(), Some(&token), timeout)))
    }

    pub(crate) fn get(&self, path: &str) -> Result<Answer, Failure> {
        let mut request = self.agent.get(format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.answer(request.call())
    }

    pub(crate) fn post(&self, path: &str, body: &[u8]) -> Result<Answer, Failure> {
        self.send(path, body, None)
    }

    /// Posts content that the server stores once, however often it is sent.
    pub(crate) fn post_once(&self, path: &str, body: &[u8]) -> Result<Answer, Failure> {
        self.send(path, body, Some((IMPORT, "once")))
    }

    fn send(
        &self,
        path: &str,
        body: &[u8],
        header: Option<(&str, &str)>,
    ) -> Result<Answer, Failure> {
        let mut request = self
            .agent
            .post(format!("{}{path}", self.base))
            .header("content-type", "application/fhir+json");
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.answer(request.send(body))
    }

    /// Returns the body of a successful response; otherwise an error with the server's own words.
    pub(crate) fn expect(answer: Answer) -> Result<String, Failure> {
        if (200..300).contains(&answer.status) {
            Ok(answer.text)
        } else {
            let message = diagnostics(&answer.text).unwrap_or(answer.text);
            Err(Failure::failed(format!(
                "the server answered {}: {message}",
                answer.status
            )))
        }
    }

    fn answer(
        &self,
        result: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<Answer, Failure> {
        let fail = |error: ureq::Error| Failure::failed(format!("{}: {error}", self.base));
        let mut response = result.map_err(fail)?;
        let status = response.status().as_u16();
        let import = response.headers().get(IMPORT);
        let import = import.and_then(|value| value.to_str().ok());
        let import = import.unwrap_or_default().to_owned();
        let text = response
            .body_mut()
            .with_config()
            .limit(1 << 30)
            .read_to_string()
            .map_err(fail)?;
        Ok(Answer {
            status,
            text,
            import,
        })
    }
}

/// Extracts the diagnostics of an OperationOutcome.
fn diagnostics(body: &str) -> Option<String> {
    diagnostics_of(&serde_json::from_str(body).ok()?)
}

/// Extracts the diagnostics of a parsed OperationOutcome.
pub(crate) fn diagnostics_of(outcome: &serde_json::Value) -> Option<String> {
    let issues = outcome.get("issue")?.as_array()?;
    let texts: Vec<&str> = issues
        .iter()
        .filter_map(|issue| issue.get("diagnostics")?.as_str())
        .collect();
    (!texts.is_empty()).then(|| texts.join("; "))
}

#[cfg(test)]
mod tests {
    use super::diagnostics;

    #[test]
    fn an_outcome_is_reported_in_its_own_words() {
        let outcome = r#"{"resourceType":"OperationOutcome","issue":[{"diagnostics":"a"},{"diagnostics":"b"}]}"#;
        assert_eq!(diagnostics(outcome).as_deref(), Some("a; b"));
        for other in ["too many connections", "{}", r#"{"issue":[]}"#] {
            assert_eq!(diagnostics(other), None, "{other}");
        }
    }
}
