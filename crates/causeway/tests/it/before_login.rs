//! Access before the login: forms sent without one, and the session of the first-login secret.

use crate::console_client::Client;
use crate::process::Running;
use crate::site::{Site, eventually};
use std::io::{Read, Write};
use std::time::{Duration, Instant};

/// The addresses that respond without a session, and those that the secret opens.
const OPEN: [&str; 7] = [
    "/healthz",
    "/readyz",
    "/fhir/metadata",
    "/login",
    "/logout",
    "/password",
    "/assets/1",
];

/// Returns an address of every route declared in the sources, so that new ones are tested too.
fn declared() -> Vec<String> {
    let sources = [
        include_str!("../../../console/src/lib.rs"),
        include_str!("../../../server/src/api/mod.rs"),
        include_str!("../../../server/src/operate.rs"),
        include_str!("../../../rest/src/lib.rs"),
    ];
    let prefixes = ["", "/api", "", "/fhir"];
    let mut found = Vec::new();
    for (source, prefix) in sources.into_iter().zip(prefixes) {
        for rest in source.split(".route(").skip(1) {
            let path = rest.split('"').nth(1).unwrap().trim_end_matches('/');
            let given = |part| {
                if str::starts_with(part, '{') {
                    "1"
                } else {
                    part
                }
            };
            let parts = path.split('/').map(given);
            let path = parts.collect::<Vec<_>>().join("/");
            found.push(match format!("{prefix}{path}") {
                root if root.is_empty() => "/".to_owned(),
                path => path,
            });
        }
    }
    assert!(50 < found.len(), "the routes are read from the sources");
    found
}

#[test]
fn the_first_login_secret_opens_nothing_but_the_choice_of_a_password() {
    let site = Site::start();
    let secret = site.running().secret.clone().unwrap();
    let base = site.running().url("console").trim_end_matches('/');
    let mut client = Client::new(base);
    assert_eq!(client.enter(&secret).status, 303);
    let page = client.get("/password");
    assert_eq!(page.status, 200);
    assert!(
        !page.text.contains("aria-label=\"Main\""),
        "nothing leads on"
    );
    let csrf = page.csrf().to_owned();

    // A holder of the secret has the page's token too. The body is empty, because a refusal comes before
    // the body is read.
    let cookie = client.cookie.clone().unwrap();
    let address = base.trim_start_matches("http://");
    let ask = |method: &str, path: &str| {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: {cookie}\r\n\
             X-CSRF-Token: {csrf}\r\nContent-Length: 0\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status: u16 = answer[9..12].parse().unwrap();
        let to = answer.split("\r\n").find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("location").then_some(value)
        });
        (status, to.unwrap_or_default().to_owned())
    };
    for path in declared() {
        if OPEN.contains(&path.as_str()) {
            continue;
        }
        let is_page = !["/fhir", "/api", "/metrics"]
            .iter()
            .any(|prefix| path.starts_with(prefix));
        let mut n_refused = 0;
        for method in ["GET", "POST", "PUT", "DELETE"] {
            let (status, to) = ask(method, &path);
            // A request made by a page's script is not redirected.
            let is_refused = if is_page {
                status == 401 || status == 303 && to.starts_with("/password")
            } else {
                status == 403
            };
            n_refused += usize::from(is_refused);
            assert!(
                is_refused || status == 405,
                "{method} {path}: {status} `{to}`"
            );
        }
        assert!(0 < n_refused, "{path} takes no method");
    }

    // Choosing a password opens everything.
    assert_eq!(client.log_in(&secret).to, "/audit");
    eventually(|| {
        let log = client.get("/audit?who=all&outcome=failed").text;
        log.contains("<tbody>").then_some(())
    });
    assert_eq!(client.get("/").status, 200);
    assert_eq!(
        Client::new(base).enter(&secret).status,
        401,
        "it is worth nothing now"
    );
}

#[test]
fn a_stranger_s_large_form_is_refused_in_words_and_costs_nothing() {
    let data = tempfile::tempdir().unwrap();
    let running = Running::demo(data.path(), &["--no-traffic"]);
    let base = running.url("console").trim_end_matches('/').to_owned();
    let address = base.trim_start_matches("http://").to_owned();
    let before = high_water(running.id());
    let form = "a&".repeat((31 << 20) / 2);
    let began = Instant::now();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (address, form) = (address.clone(), form.clone());
            std::thread::spawn(move || post(&address, "/login", &form))
        })
        .collect();
    for thread in threads {
        let answer = thread.join().unwrap();
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert!(
            answer.contains("at most 64 kB")
                && answer.contains("Send only the name and the password"),
            "{answer}"
        );
    }
    let took = began.elapsed();
    let grown = high_water(running.id()).saturating_sub(before);
    assert!(grown < 32 << 10, "{grown} kB of memory for forms");
    // Generous for an unoptimized build on a busy machine. Without the limit, one such form took 7
    // seconds in an optimized build.
    assert!(took < Duration::from_secs(20), "{took:?}");

    // Up to the limit it is handled like any other form.
    let padded = |n: usize| {
        let start = "name=admin&password=guess&x=";
        format!("{start}{}", "y".repeat(n - start.len()))
    };
    let fits = post(&address, "/login", &padded(64 << 10));
    assert!(fits.starts_with("HTTP/1.1 401 "), "{fits}");
    let exceeds = post(&address, "/login", &padded((64 << 10) + 1));
    assert!(exceeds.starts_with("HTTP/1.1 413 "), "{exceeds}");
}

/// Posts a whole form, then reads the response to its end.
fn post(address: &str, path: &str, form: &str) -> String {
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
        form.len()
    )
    .unwrap();
    stream.write_all(form.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Returns the peak memory of the process in kB.
fn high_water(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let number = line.unwrap().split_whitespace().nth(1).unwrap();
    number.parse().unwrap()
}
