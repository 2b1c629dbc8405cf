//! A real Chromium, driven over the WebDriver protocol (W3C WebDriver, and Chromium's own
//! `goog/cdp/execute` for the size of the window and the colour scheme).

mod checks;

pub use checks::{faults_of_page, too_faint};

use serde_json::{Value, json};
use std::io::Read;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The time limit of a step.
const PATIENCE: Duration = Duration::from_secs(20);

/// A browser with one window, ended when dropped.
pub struct Browser {
    driver: Child,
    agent: ureq::Agent,
    session: String,
    base: String,
    profile: tempfile::TempDir,
}

/// Returns the programs, or nothing after recording that `test` was skipped because one is missing.
fn programs(test: &str) -> Option<(PathBuf, PathBuf)> {
    let find = |variable: &str, otherwise: &str| {
        let path =
            std::env::var_os(variable).map_or_else(|| PathBuf::from(otherwise), PathBuf::from);
        if path.is_file() {
            return Some(path);
        }
        let why = format!("no {}", path.display());
        let remedy = format!("install chromium and chromium-driver, or set {variable}");
        testkit::skipped(test, &why, &remedy);
        None
    };
    Some((
        find("CAUSEWAY_TEST_CHROMIUM", "/usr/bin/chromium")?,
        find("CAUSEWAY_TEST_CHROMEDRIVER", "/usr/bin/chromedriver")?,
    ))
}

impl Browser {
    /// Starts a browser; returns none if there is no Chromium.
    pub fn start(test: &str) -> Option<Self> {
        let (chromium, chromedriver) = programs(test)?;
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let driver = Command::new(chromedriver)
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(90)))
            .build()
            .into();
        let profile = tempfile::tempdir().unwrap();
        let mut browser = Self {
            driver,
            agent,
            session: String::new(),
            base: format!("http://127.0.0.1:{port}"),
            profile,
        };
        browser.open_session(&chromium);
        Some(browser)
    }

    fn open_session(&mut self, chromium: &std::path::Path) {
        let folder = format!("--user-data-dir={}", self.profile.path().display());
        let args = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            &folder,
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"binary": chromium, "args": args},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let started = Instant::now();
        loop {
            match self.request("POST", "/session", Some(&wanted)) {
                Ok(value) => {
                    value["sessionId"]
                        .as_str()
                        .unwrap()
                        .clone_into(&mut self.session);
                    return;
                }
                // The driver takes a moment to listen.
                Err(error) if PATIENCE < started.elapsed() => panic!("no browser: {error}"),
                Err(_) => std::thread::sleep(Duration::from_millis(100)),
            }
        }
    }

    fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, String> {
        let url = format!("{}{path}", self.base);
        let text = body.map(Value::to_string).unwrap_or_default();
        let answer = match method {
            "GET" => self.agent.get(&url).call(),
            "DELETE" => self.agent.delete(&url).call(),
            _ => self
                .agent
                .post(&url)
                .header("content-type", "application/json")
                .send(&text),
        };
        let mut answer = answer.map_err(|error| error.to_string())?;
        let mut body = String::new();
        let reader = answer.body_mut().as_reader();
        reader
            .take(64 << 20)
            .read_to_string(&mut body)
            .map_err(|error| error.to_string())?;
        let value: Value = serde_json::from_str(&body).map_err(|error| error.to_string())?;
        match value["value"].get("error") {
            Some(error) => Err(format!("{error}: {}", value["value"]["message"])),
            None => Ok(value["value"].clone()),
        }
    }

    fn order(&self, method: &str, path: &str, body: &Value) -> Value {
        let path = format!("/session/{}{path}", self.session);
        let found = self.request(method, &path, Some(body));
        found.unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    fn devtools(&self, command: &str, params: &Value) -> Value {
        self.order(
            "POST",
            "/goog/cdp/execute",
            &json!({"cmd": command, "params": params}),
        )
    }

    /// Sets the window's size in CSS pixels.
    pub fn resize(&self, width: u32, height: u32) {
        let metrics =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics);
    }

    /// Sets the colour scheme, `light` or `dark`, as the system would.
    pub fn prefer(&self, scheme: &str) {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.devtools("Emulation.setEmulatedMedia", &json!({"features": features}));
    }

    pub fn go(&self, url: &str) {
        self.order("POST", "/url", &json!({"url": url}));
    }

    /// Logs in with the first-login secret and chooses a password.
    pub fn sign_in(&self, base: &str, secret: &str) {
        self.go(&format!("{base}/login"));
        self.write("#name", "admin");
        self.write("#password", secret);
        self.click("button[type=submit]");
        self.wait_for("the choice", "location.pathname === '/password'");
        self.write("#password", crate::console_client::PASSWORD);
        self.write("#again", crate::console_client::PASSWORD);
        self.click("button.primary");
        self.wait_for("the session", "location.pathname === '/'");
    }

    /// Runs a script and returns its result.
    pub fn script(&self, script: &str) -> Value {
        self.order(
            "POST",
            "/execute/sync",
            &json!({"script": script, "args": []}),
        )
    }

    /// Returns the path and fragment of the open page.
    pub fn path(&self) -> String {
        let path = self.script("return location.pathname + location.search + location.hash");
        path.as_str().unwrap().to_owned()
    }

    /// Returns the text of the first matching element, or an empty text.
    pub fn text(&self, css: &str) -> String {
        let script = format!(
            "return document.querySelector({})?.innerText ?? ''",
            json!(css)
        );
        self.script(&script).as_str().unwrap_or_default().to_owned()
    }

    pub fn count(&self, css: &str) -> u64 {
        let script = format!("return document.querySelectorAll({}).length", json!(css));
        self.script(&script).as_u64().unwrap()
    }

    /// Waits until a script returns true.
    pub fn wait_for(&self, what: &str, script: &str) {
        let started = Instant::now();
        while self.script(&format!("return Boolean({script})")) != json!(true) {
            let (path, text) = (self.path(), self.text("main"));
            assert!(
                started.elapsed() < PATIENCE,
                "waited in vain for {what} at {path}: {text}"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn element(&self, css: &str) -> String {
        let using = json!({"using": "css selector", "value": css});
        let found = self.order("POST", "/element", &using);
        let id = found
            .as_object()
            .and_then(|found| found.values().next())
            .and_then(Value::as_str);
        id.unwrap_or_else(|| panic!("no element {css}")).to_owned()
    }

    /// Clicks in the middle of the element.
    pub fn click(&self, css: &str) {
        let element = self.element(css);
        self.order("POST", &format!("/element/{element}/click"), &json!({}));
    }

    pub fn write(&self, css: &str, text: &str) {
        let element = self.element(css);
        self.order(
            "POST",
            &format!("/element/{element}/value"),
            &json!({"text": text}),
        );
    }

    /// Types keys into the focused element. Enter is `\u{e007}`, Escape `\u{e00c}`.
    pub fn press(&self, keys: &str) {
        let strokes: Vec<Value> = keys
            .chars()
            .flat_map(|key| {
                let key = key.to_string();
                [
                    json!({"type": "keyDown", "value": key}),
                    json!({"type": "keyUp", "value": key}),
                ]
            })
            .collect();
        let actions = json!({"actions": [{"type": "key", "id": "keys", "actions": strokes}]});
        self.order("POST", "/actions", &actions);
    }

    /// Returns the browser's complaints since the last call: script errors, blocked content.
    pub fn complaints(&self) -> Vec<String> {
        let entries = self.order("POST", "/se/log", &json!({"type": "browser"}));
        let entries = entries.as_array().cloned().unwrap_or_default();
        entries
            .iter()
            .map(|entry| entry["message"].to_string())
            .collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            let _ = self.request("DELETE", &format!("/session/{}", self.session), None);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
