//! A client for the console's forms and cookies, without a browser.

use std::time::Duration;

/// The password that [`Client::log_in`] chooses when one has to be chosen.
pub const PASSWORD: &str = "four words that differ";

/// A client that stores no cookies of its own and follows no redirects.
pub struct Client {
    agent: ureq::Agent,
    base: String,
    pub cookie: Option<String>,
}

pub struct Answer {
    pub status: u16,
    pub to: String,
    pub cookie: String,
    pub text: String,
    pub headers: ureq::http::HeaderMap,
}

impl Client {
    pub fn new(base: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(30)));
        Self {
            agent: config.build().into(),
            base: base.trim_end_matches('/').to_owned(),
            cookie: None,
        }
    }

    pub fn get(&self, path: &str) -> Answer {
        let mut request = self.agent.get(format!("{}{path}", self.base));
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        Answer::of(request.call().unwrap())
    }

    pub fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let mut request = self.agent.post(format!("{}{path}", self.base));
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        Answer::of(request.send_form(form.iter().copied()).unwrap())
    }

    /// Logs in with the first-login secret and chooses a password, or with that password once chosen.
    pub fn log_in(&mut self, secret: &str) -> Answer {
        let answer = self.enter(secret);
        match answer.status {
            401 => self.enter(PASSWORD),
            303 if answer.to.starts_with("/password") => {
                let csrf = self.get("/password").csrf().to_owned();
                let form = [
                    ("csrf", csrf.as_str()),
                    ("password", PASSWORD),
                    ("again", PASSWORD),
                    ("next", "/audit"),
                ];
                self.post("/password", &form)
            }
            _ => answer,
        }
    }

    /// Sends only the name and password.
    pub fn enter(&mut self, secret: &str) -> Answer {
        let answer = self.post(
            "/login",
            &[("name", "admin"), ("password", secret), ("next", "/audit")],
        );
        self.cookie = answer.cookie.split(';').next().map(str::to_owned);
        answer
    }
}

impl Answer {
    fn of(mut response: ureq::http::Response<ureq::Body>) -> Self {
        let header = |name: &str| {
            let value = response
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        Self {
            status: response.status().as_u16(),
            to: header("location"),
            cookie: header("set-cookie"),
            headers: response.headers().clone(),
            text: response.body_mut().read_to_string().unwrap_or_default(),
        }
    }

    pub fn csrf(&self) -> &str {
        self.text
            .split("name=\"csrf\" value=\"")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap()
    }
}
