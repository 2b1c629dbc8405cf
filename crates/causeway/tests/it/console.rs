//! The console as a person uses it: over HTTP, and in a real Chromium if available.

use crate::browser::{Browser, faults_of_page, too_faint};
use crate::console_client::{Client, PASSWORD};
use crate::process::Running;

const ENTER: &str = "\u{e007}";
const ESCAPE: &str = "\u{e00c}";

/// Starts a demo with some traffic already received.
fn demo(data: &std::path::Path) -> Running {
    Running::demo(data, &["--seed", "7", "--rate", "400", "--messages", "160"])
}

#[test]
fn nobody_gets_in_without_a_session() {
    let data = tempfile::tempdir().unwrap();
    let running = Running::demo(data.path(), &["--no-traffic"]);
    let mut client = Client::new(running.url("console"));
    for path in [
        "/",
        "/messages",
        "/messages/1",
        "/messages/1/raw",
        "/patients",
        "/patients/x",
        "/patients/x/results",
        "/patients/x/from/Patient/x",
        "/messages/1/edit",
        "/messages/1/document?path=OBX-5",
        "/messages/1/inline?path=OBX-5",
        "/messages/1/file?path=OBX-5",
        "/messages/batch/x",
        "/patients/x/document/Patient/x?element=photo",
        "/patients/x/inline/Patient/x?element=photo",
        "/flows",
        "/flows/clinic/stop",
        "/queues",
        "/maps",
        "/maps/file?name=v2%2Fpid.map&message=1",
        "/audit",
        "/settings",
        "/password",
        "/emergency",
        "/find/x",
        "/console/attention",
    ] {
        let answer = client.get(path);
        assert_eq!(
            (answer.status, answer.to.starts_with("/login")),
            (303, true),
            "{path}"
        );
    }
    assert_eq!(client.get("/console/live").status, 401);
    assert_eq!(client.get("/messages/fresh?after=0").status, 401);
    for path in [
        "/messages/1/act",
        "/messages/1/edit",
        "/messages/1/redirect",
        "/messages/batch",
        "/maps/reload",
        "/flows/clinic/switch",
        "/maps/file",
        "/settings/sessions",
        "/patients",
        "/find",
        "/theme",
        "/logout",
    ] {
        let answer = client.post(path, &[("csrf", "guess")]);
        assert_eq!(
            (answer.status, answer.to.as_str()),
            (303, "/login"),
            "{path}"
        );
    }

    let wrong = client.post("/login", &[("name", "admin"), ("password", "wrong")]);
    assert_eq!((wrong.status, wrong.cookie.as_str()), (401, ""));
    assert!(wrong.text.contains("Name or password is wrong"));
    let answer = client.enter(running.secret.as_deref().unwrap());
    assert_eq!(
        (answer.status, answer.to.as_str()),
        (303, "/password?next=%2Faudit")
    );
    assert_eq!(
        client.log_in(running.secret.as_deref().unwrap()).to,
        "/audit"
    );
    for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(answer.cookie.contains(part), "{}", answer.cookie);
    }

    let page = client.get("/audit");
    assert_eq!(page.status, 200);
    assert!(page.text.contains("logged in") && page.text.contains("refused"));
    for (name, value) in [
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
    ] {
        assert_eq!(page.headers.get(name).unwrap(), value, "{name}");
    }
    let policy = page
        .headers
        .get("content-security-policy")
        .unwrap()
        .to_str()
        .unwrap();
    assert!(
        policy.contains("script-src 'self'") && !policy.contains("unsafe"),
        "{policy}"
    );

    // A form is accepted only with the session's token, and redirects only within the site.
    let refused = client.post("/theme", &[("csrf", "guess"), ("theme", "dark")]);
    assert_eq!(refused.status, 403);
    let csrf = page.csrf().to_owned();
    let chosen = client.post(
        "/theme",
        &[
            ("csrf", &csrf),
            ("theme", "dark"),
            ("back", "//elsewhere.example"),
        ],
    );
    assert_eq!((chosen.status, chosen.to.as_str()), (303, "/"));
    assert!(chosen.cookie.contains("causeway_theme=dark"));

    // Typed text does not appear in an address.
    let found = client.post("/find", &[("csrf", &csrf), ("find", "ZZTEST")]);
    assert!(
        found.to.starts_with("/find/") && !found.to.contains("ZZTEST"),
        "{}",
        found.to
    );
    let found = client.get(&found.to);
    assert!(found.text.contains("ZZTEST") && found.text.contains("Nothing found"));
    let found = client.post(
        "/messages/narrow",
        &[("csrf", &csrf), ("new-patient", "4711")],
    );
    assert!(
        found.to.starts_with("/messages?patient=") && !found.to.contains("4711"),
        "{}",
        found.to
    );

    let out = client.post("/logout", &[("csrf", &csrf)]);
    assert_eq!(out.to, "/login");
    assert_eq!(client.get("/").status, 303);
    assert_eq!(client.get("/no/such/page").status, 404);
    assert!(running.stop());
}

#[test]
fn guessing_is_slowed_down() {
    let data = tempfile::tempdir().unwrap();
    let running = Running::demo(data.path(), &["--no-traffic"]);
    let client = Client::new(running.url("console"));
    let tries = (0..8).map(|_| client.post("/login", &[("name", "admin"), ("password", "guess")]));
    let last = tries.reduce(|_, later| later).unwrap();
    assert_eq!(last.status, 429);
    assert!(last.text.contains("Try again in"), "{}", last.text);
}

#[test]
fn in_a_real_browser() {
    let Some(browser) = Browser::start("console::in_a_real_browser") else {
        return;
    };
    let data = tempfile::tempdir().unwrap();
    let running = demo(data.path());
    let base = running.url("console").trim_end_matches('/').to_owned();
    browser.resize(1440, 900);
    log_in(&browser, &base, running.secret.as_deref().unwrap());
    overview(&browser);
    let message = messages(&browser, &base);
    let chart = chart(&browser, &base);
    keyboard(&browser, &base);
    let pages = [
        "/".to_owned(),
        "/flows".to_owned(),
        format!("/flows/{}", flow_name(&browser, &base)),
        "/messages".to_owned(),
        message,
        "/patients".to_owned(),
        chart.clone(),
        format!("{chart}/timeline"),
        format!("{chart}/results"),
        format!("{chart}/documents"),
        format!("{chart}/sources"),
        format!("{chart}/access"),
        "/queues".to_owned(),
        "/maps".to_owned(),
        "/maps/file?name=v2%2Fobx%2Emap".to_owned(),
        "/messages/1/edit".to_owned(),
        "/audit".to_owned(),
        "/audit?who=all&sort=outcome".to_owned(),
        "/settings".to_owned(),
        "/emergency".to_owned(),
        "/password".to_owned(),
    ];
    every_page(&browser, &base, &pages);
    beside(&browser, &base);
    phone(&browser, &base, &chart);
    let complaints = browser.complaints();
    assert!(complaints.is_empty(), "{complaints:?}");
}

fn log_in(browser: &Browser, base: &str, secret: &str) {
    browser.go(&format!("{base}/messages"));
    assert_eq!(browser.path(), "/login?next=%2Fmessages");
    assert_eq!(faults_of_page(browser), [""; 0]);
    browser.write("#name", "admin");
    browser.write("#password", secret);
    browser.click("button[type=submit]");
    browser.wait_for(
        "the choice of a password",
        "location.pathname === '/password'",
    );
    assert_eq!(faults_of_page(browser), [""; 0]);
    browser.write("#password", PASSWORD);
    browser.write("#again", PASSWORD);
    browser.click("button.primary");
    browser.wait_for("the page asked for", "location.pathname === '/messages'");
    browser.click("a[data-go=o]");
    browser.wait_for("the overview", "location.pathname === '/'");
}

fn overview(browser: &Browser) {
    browser.wait_for(
        "live numbers",
        "document.getElementById('live-note').textContent === 'live'",
    );
    browser.wait_for(
        "all messages in",
        "Number(document.querySelector('[data-live=n-received]').textContent.replace(',', '')) >= 150",
    );
    assert!(0 < browser.count(".lanes > li"));
    assert!(browser.text("main").contains("Applied to the chart"));
}

/// Opens a result in the list and explores it; returns its address.
fn messages(browser: &Browser, base: &str) -> String {
    browser.go(&format!("{base}/messages?type=ORU&state=mapped"));
    assert!(
        browser.text(".chips").contains("ORU"),
        "{}",
        browser.text(".chips")
    );
    browser.click("tbody tr:first-child a.open");
    browser.wait_for("the open message", "document.querySelector('#open h2')");
    let address = browser.path();
    assert!(address.starts_with("/messages/"), "{address}");
    assert!(browser.text("#open .raw").starts_with("MSH|"));
    assert!(browser.text("#open .tree").contains("Patient Name"));
    assert!(0 < browser.count("#became .diff tbody tr"));
    assert!(browser.text("#path").contains("Applied to the chart"));

    // Pointing at a field highlights the value derived from it.
    browser.script("document.querySelector('#became tr[data-field^=\"OBX.1-\"]').dispatchEvent(new MouseEvent('mouseover', {bubbles: true}))");
    assert!(browser.count(".raw .lit") == 1 && 1 <= browser.count(".tree .lit"));

    browser.write("#pathbox", &format!("PID-5[1].1{ENTER}"));
    browser.wait_for("the value at the path", "document.querySelector('.found')");
    assert!(
        !browser.text(".found").contains("This message has nothing"),
        "{}",
        browser.text(".found")
    );
    address
}

/// Goes from the list of patients to a value and back to its field; returns the address of the chart.
fn chart(browser: &Browser, base: &str) -> String {
    browser.go(&format!("{base}/messages?type=ORU&state=mapped"));
    browser.click("tbody tr:first-child a.open");
    browser.wait_for(
        "the way to the chart",
        "document.querySelector('#open a[href^=\"/patients/\"]')",
    );
    browser.click("#open a[href^='/patients/']");
    browser.wait_for("the chart", "document.querySelector('.band h1')");
    let chart = browser.path();
    assert!(
        0 < browser.count(".results tbody tr"),
        "{}",
        browser.text("main")
    );
    browser.click(".results tbody tr:first-child a.v");
    browser.wait_for("the origin", "document.querySelector('#origin .told')");
    assert!(
        browser.text("#origin").contains("OBX"),
        "{}",
        browser.text("#origin")
    );
    browser.click("#origin .told a.button");
    browser.wait_for(
        "the message at the field",
        "location.hash.startsWith('#f-OBX.')",
    );
    assert_eq!(browser.count(".tree :target"), 1);
    chart
}

fn keyboard(browser: &Browser, base: &str) {
    browser.go(&format!("{base}/messages"));
    browser.press("?");
    browser.wait_for("the keys", "document.getElementById('keys').open");
    browser.press(ESCAPE);
    browser.wait_for("no keys", "!document.getElementById('keys').open");
    browser.press("jjk");
    browser.wait_for(
        "a row",
        "document.activeElement.matches('tbody tr:first-child a')",
    );
    browser.press(ENTER);
    browser.wait_for("the open message", "document.querySelector('#open h2')");
    browser.press(ESCAPE);
    browser.wait_for("the list", "location.pathname === '/messages'");
    browser.press("gp");
    browser.wait_for("the patients", "location.pathname === '/patients'");
    browser.press("/");
    browser.wait_for("the search", "document.activeElement.id === 'find'");
}

/// Checks that the raw text stays on the screen beside its result.
fn beside(browser: &Browser, base: &str) {
    browser.resize(1440, 900);
    browser.go(&format!("{base}/messages?type=ORU%5ER01&state=mapped"));
    browser.click("tbody a.open");
    browser.wait_for("the message", "document.querySelector('#became details')");
    browser.script("document.querySelector('#became').scrollIntoView()");
    browser.wait_for(
        "the tab",
        "document.querySelector('.opened > .tabs [aria-current]')?.hash === '#became'",
    );
    let top = browser
        .script("return document.querySelector('.rawside .raw').getBoundingClientRect().top");
    let top = top.as_f64().unwrap();
    assert!((48.0..400.0).contains(&top), "{top}");
}

/// Checks that on a phone, text that would be cut off wraps to two lines and the open tab is visible.
fn phone(browser: &Browser, base: &str, chart: &str) {
    browser.resize(390, 844);
    for page in [
        "/",
        "/queues",
        "/audit",
        "/flows",
        "/maps/file?name=v2%2Fobx%2Emap",
    ] {
        browser.go(&format!("{base}{page}"));
        let cut = "return [...document.querySelectorAll('.scroll:has(> .stacked)')]\
                   .filter((list) => list.clientWidth < list.scrollWidth).length";
        assert_eq!(browser.script(cut), 0, "{page}");
    }
    // The record numbers are legible, on the list and on the chart.
    for (page, numbers) in [
        ("/patients", ".persons .number"),
        (chart, ".bandnumbers li"),
    ] {
        browser.go(&format!("{base}{page}"));
        let seen = format!(
            "return [...document.querySelectorAll('{numbers}')].filter((one) => {{
               const {{left, right, height}} = one.getBoundingClientRect();
               return 0 <= left && right <= innerWidth && 0 < height }}).length"
        );
        assert!(0 < browser.script(&seen).as_u64().unwrap(), "{page}");
    }
    browser.go(&format!("{base}{chart}/access"));
    browser.wait_for(
        "the tab on the screen",
        "(({left, right}) => 0 <= left && right <= innerWidth)\
           (document.querySelector('.band .tabs [aria-current]').getBoundingClientRect())",
    );
}

fn flow_name(browser: &Browser, base: &str) -> String {
    browser.go(&format!("{base}/flows"));
    browser.text("tbody a.open")
}

/// Checks every page at three widths and in both themes.
fn every_page(browser: &Browser, base: &str, pages: &[String]) {
    let mut faults = Vec::new();
    for scheme in ["light", "dark"] {
        browser.prefer(scheme);
        for (width, height) in [(1440, 900), (1024, 800), (390, 844)] {
            browser.resize(width, height);
            for page in pages {
                browser.go(&format!("{base}{page}"));
                let found = faults_of_page(browser)
                    .into_iter()
                    .chain(too_faint(browser));
                faults.extend(found.map(|fault| format!("{page} at {width} {scheme}: {fault}")));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}
