//! A whole server over a temporary data directory, and a client for it.

use base::SystemClock;
use flow::{Attention, Destination, DryRun, Engine, EngineConfig, Handles, Metrics, Outcome, Task};
use security::{Administrator, Sessions, SessionsPolicy, SigningKey, Throttle, Tokens};
use serde_json::Value;
use server::{App, Listener, Measures, Parts};
use std::sync::Arc;
use std::time::Duration;
use store::audit::AuditLog;
use store::chart::Chart;
use store::journal::Journal;
use tokio::runtime::Runtime;

/// A destination for tests that send no messages.
struct Nowhere;

impl Destination for Nowhere {
    fn refuses(&self, _message: &hl7v2::Message) -> Option<Attention> {
        None
    }

    fn apply(&self, _task: &Task<'_>) -> Outcome {
        Outcome::Unavailable
    }

    fn dry_run(&self, _task: &Task<'_>) -> DryRun {
        DryRun::default()
    }

    fn map_version(&self) -> String {
        String::new()
    }
}

/// A running server.
pub struct Site {
    pub base: String,
    pub audit: AuditLog,
    tokens: Tokens,
    agent: ureq::Agent,
    _runtime: Runtime,
    _directory: tempfile::TempDir,
}

/// The response to a request.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub text: String,
}

impl Site {
    pub fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let clock = Arc::new(SystemClock);
        let chart = Chart::open(directory.path(), store::chart::Options::default()).unwrap();
        let journal = Journal::open(directory.path(), store::journal::Options::default()).unwrap();
        let audit = AuditLog::open(
            &directory.path().join("audit"),
            store::audit::Options::default(),
        )
        .unwrap();
        let tokens = Tokens::new(SigningKey::load_or_create(directory.path()).unwrap());
        let (administrator, _) = Administrator::open(directory.path()).unwrap();
        let base = runtime.block_on(async {
            let metrics = Metrics::default();
            let measures = Measures::register(&metrics);
            let handles = Handles {
                journal: journal.clone(),
                destination: Arc::new(Nowhere),
                clock: clock.clone(),
                metrics,
            };
            let engine = Engine::start(EngineConfig::new(Vec::new()), handles)
                .await
                .unwrap();
            let listener = Listener::bind("127.0.0.1:0".parse().unwrap())
                .await
                .unwrap();
            let base_url = format!("http://{}", listener.address());
            let app = App::new(Parts {
                started: base::Clock::now(&*clock),
                data: directory.path().to_owned(),
                clock,
                chart,
                journal,
                audit: audit.clone(),
                engine: Arc::new(engine),
                measures,
                maps: flow::Maps::Builtin.into(),
                administrator,
                sessions: Sessions::new(SessionsPolicy::default()),
                tokens: tokens.clone(),
                throttle: Throttle::default(),
                base_url: base_url.clone(),
                is_https: false,
                bundles: server::BundleLimits {
                    max_entries: 500,
                    max_answer_bytes: 1 << 20,
                },
            });
            tokio::spawn(server::serve(listener, app, std::future::pending()));
            base_url
        });
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(20)))
            .build();
        Self {
            base,
            audit,
            tokens,
            agent: config.into(),
            _runtime: runtime,
            _directory: directory,
        }
    }

    /// Creates a token with that scope.
    pub fn token(&self, scope: &str) -> String {
        use base::Clock;
        self.tokens
            .issue(scope, Duration::from_secs(600), SystemClock.now())
    }

    /// Creates a token for some patients only.
    pub fn token_for(&self, scope: &str, patients: &[&str]) -> String {
        use base::Clock;
        let patients: Vec<String> = patients.iter().map(|&id| id.to_owned()).collect();
        let ttl = Duration::from_secs(600);
        self.tokens
            .issue_for(scope, &patients, ttl, SystemClock.now())
    }

    /// Sends a request under `/fhir` with this token.
    pub fn with(&self, token: &str, (method, path): (&str, &str), body: Option<&str>) -> Answer {
        let token = format!("Bearer {token}");
        let mut headers = vec![("authorization", token.as_str())];
        if path.ends_with("/_search") {
            headers.push(("content-type", "application/x-www-form-urlencoded"));
        } else if body.is_some() {
            headers.push(("content-type", "application/fhir+json"));
        }
        self.bare(method, &format!("/fhir{path}"), &headers, body)
    }

    /// Sends a request under `/fhir` with every right.
    pub fn fhir(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        self.send(
            method,
            &format!("/fhir{path}"),
            &[],
            body.map(Value::to_string).as_deref(),
        )
    }

    /// Sends any request with every right and additional headers.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Answer {
        let token = format!("Bearer {}", self.token("system/*.cruds"));
        let mut all = vec![("authorization", token.as_str())];
        if !headers.iter().any(|(name, _)| *name == "content-type") && body.is_some() {
            all.push(("content-type", "application/fhir+json"));
        }
        all.extend(headers);
        self.bare(method, path, &all, body)
    }

    /// Sends a request with these headers and nothing else.
    pub fn bare(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Answer {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = match body {
            Some(body) => self.agent.run(request.body(body.to_owned()).unwrap()),
            None => self.agent.run(request.body(()).unwrap()),
        };
        let mut response = response.unwrap();
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        let status = response.status().as_u16();
        Answer {
            status,
            headers,
            text: response.body_mut().read_to_string().unwrap(),
        }
    }
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// Asserts that the response has that status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    /// Asserts that the response is a failure with an OperationOutcome that has code and
    /// diagnostics.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Self {
        let answer = self.expect(status);
        let outcome = answer.json();
        assert_eq!(outcome["resourceType"], "OperationOutcome", "{outcome}");
        let codes: Vec<&str> = outcome["issue"]
            .as_array()
            .unwrap()
            .iter()
            .map(|issue| issue["code"].as_str().unwrap())
            .collect();
        assert!(codes.contains(&code), "{outcome}");
        assert!(
            !outcome["issue"][0]["diagnostics"]
                .as_str()
                .unwrap()
                .is_empty()
        );
        answer
    }
}
