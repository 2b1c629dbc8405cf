//! Settings, sessions, the password and the audit log in the console, over HTTP.

use crate::console_client::{Client, PASSWORD};
use crate::messages::ADMISSION;
use crate::process::stdout_of;
use crate::site::{Site, eventually};

fn signed_in(site: &Site, secret: &str) -> Client {
    let mut client = Client::new(site.running().url("console"));
    assert_eq!(client.log_in(secret).status, 303);
    client
}

fn choose(client: &Client, current: &str, password: &str) -> (u16, String) {
    let csrf = client.get("/password").csrf().to_owned();
    let form = [
        ("csrf", csrf.as_str()),
        ("current", current),
        ("password", password),
        ("again", password),
        ("next", "/settings"),
    ];
    let answer = client.post("/password", &form);
    (answer.status, answer.text)
}

#[test]
fn settings_say_what_is_and_end_sessions() {
    let site = Site::start();
    site.send("a.hl7", ADMISSION);
    site.get("/Patient");
    let secret = site.running().secret.clone().unwrap();
    let (one, other) = (signed_in(&site, &secret), signed_in(&site, &secret));
    let page = eventually(|| {
        let page = one.get("/settings");
        (page.text.contains("2 open") && page.text.contains("/audit?actor=token")).then_some(page)
    });
    for part in [
        site.mllp(),
        site.running().url("fhir").trim_end_matches('/'),
        "The journal has 1 day",
        " free",
        "format 1",
        env!("CARGO_PKG_VERSION"),
    ] {
        assert!(page.text.contains(part), "{part}");
    }
    // The button beside the other session.
    let id = page.text.split("name=\"session\" value=\"");
    let id = id.filter_map(|rest| rest.split('"').next());
    let id = id.filter(|id| id.len() == 16).last().unwrap().to_owned();
    let csrf = page.csrf().to_owned();
    let end = |session: &str| {
        let form = [("csrf", csrf.as_str()), ("session", session)];
        assert_eq!(one.post("/settings/sessions", &form).to, "/settings");
    };
    end("0123456789abcdef");
    assert_eq!(
        other.get("/settings").status,
        200,
        "nobody's id ends nobody"
    );
    end(&id);
    assert_eq!(other.get("/settings").to, "/login?next=%2Fsettings");
    assert!(one.get("/settings").text.contains("1 open"));

    let third = signed_in(&site, &secret);
    end("others");
    assert_eq!(third.get("/").status, 303);
    let log = eventually(|| {
        let log = one.get("/audit?what=logins&sort=what").text;
        (log.matches("ended a session").count() == 2).then_some(log)
    });
    assert!(log.contains("aria-sort=\"ascending\""));
}

#[test]
fn another_password_needs_the_one_in_use() {
    let site = Site::start();
    let secret = site.running().secret.clone().unwrap();
    let mut first = Client::new(site.running().url("console"));
    assert_eq!(first.enter(&secret).status, 303);
    assert_eq!(choose(&first, "", PASSWORD).0, 303, "the secret was enough");
    let (status, text) = choose(&first, "a guess of somebody", "another four words here");
    assert_eq!(status, 422);
    assert!(text.contains("The current password is wrong"));
    let other = signed_in(&site, PASSWORD);
    assert_eq!(choose(&first, PASSWORD, "another four words here").0, 303);
    assert_eq!(other.get("/").status, 303, "the other session has ended");
    assert_eq!(first.get("/").status, 200);
    let mut late = Client::new(site.running().url("console"));
    assert_eq!(late.enter(PASSWORD).status, 401);
    let log = eventually(|| {
        let log = first.get("/audit?outcome=failed").text;
        log.contains("chose a password").then_some(log)
    });
    assert!(log.contains("refused"));
}

#[test]
fn the_log_is_narrowed_and_sorted() {
    let site = Site::start();
    site.send("a.hl7", ADMISSION);
    let client = signed_in(&site, site.running().secret.as_deref().unwrap());
    let list = client.get("/messages").text;
    let number = list.split("href=\"/messages/").nth(1).unwrap();
    let number = number.split(['"', '?']).next().unwrap().to_owned();
    assert_eq!(client.get(&format!("/messages/{number}")).status, 200);
    let all = eventually(|| {
        let page = client.get("/audit?who=all").text;
        (page.contains("applied to the chart") && page.contains("opened")).then_some(page)
    });
    assert!(all.contains("the flows"));
    // People first: the entries of the flows would bury theirs.
    let people = client.get("/audit").text;
    assert!(people.contains("logged in") && !people.contains("applied to the chart"));
    let message = client.get(&format!("/audit?who=all&message={number}")).text;
    assert!(message.contains("applied to the chart") && !message.contains("logged in"));
    for (sort, first) in [("who", "the flows"), ("-who", "admin")] {
        let page = client.get(&format!("/audit?who=all&sort={sort}")).text;
        let rows = page.split("<tbody>").nth(1).unwrap();
        let who = rows.split("/audit?actor=").nth(1).unwrap();
        let who = who.split(['>', '<']).nth(1).unwrap();
        // `system:flow` comes before `user:admin`.
        assert_eq!(who, first, "{sort}");
    }
    let seen = client.get("/audit?what=seen").text;
    assert!(!seen.contains("logged in") && seen.contains("opened"));
    // Accesses with a token count as an application's.
    let token = stdout_of(&["token", "--data", &site.data().display().to_string()]);
    assert!(token.starts_with("cw1."));
    site.get("/Patient");
    eventually(|| {
        let page = client.get("/audit?who=applications").text;
        (page.contains("token ") && !page.contains("actor=user")).then_some(())
    });
}

#[test]
fn what_is_not_there_keeps_the_menu() {
    let site = Site::start();
    let mut client = Client::new(site.running().url("console"));
    let outside = client.get("/no/such/page");
    assert_eq!(outside.status, 404);
    assert!(outside.text.contains("There is no such page") && !outside.text.contains("Main"));
    client.log_in(site.running().secret.as_deref().unwrap());
    for path in [
        "/no/such/page",
        "/messages/4711",
        "/patients/none",
        "/flows/none",
    ] {
        let page = client.get(path);
        assert_eq!(page.status, 404, "{path}");
        assert!(page.text.contains("aria-label=\"Main\""), "{path}");
        assert!(page.text.contains("There is no such"), "{path}");
    }
    let refused = client.post("/logout", &[("csrf", "old")]);
    assert_eq!(refused.status, 403);
    assert!(
        refused.text.contains("reload the page") && refused.text.contains("aria-label=\"Main\"")
    );
}

#[test]
fn a_bulk_action_goes_on_after_the_process_was_killed() {
    let mut site = Site::start();
    for n in 0..9 {
        site.send("a.hl7", &ADMISSION.replace("|A1|", &format!("|B{n}|")));
    }
    let mut client = signed_in(&site, site.running().secret.as_deref().unwrap());
    let csrf = client.get("/messages").csrf().to_owned();
    let mut form = vec![("csrf", csrf.as_str()), ("action", "replay")];
    // Nothing is done until the number has been shown and a reason given.
    let asked = client.post("/messages/batch", &form);
    assert_eq!(asked.status, 200);
    assert!(asked.text.contains("Replay 9 messages?"), "{}", asked.text);
    let last = asked.text.split("name=\"last\" value=\"").nth(1).unwrap();
    let last = last.split('"').next().unwrap().to_owned();
    form.extend([("n", "9"), ("last", &last)]);
    let unsaid = client.post("/messages/batch", &form);
    assert!(unsaid.text.contains("give a reason"), "{}", unsaid.text);
    // If more match than were shown, the new number is shown first.
    let mut fewer = form.clone();
    fewer.retain(|(name, _)| *name != "n");
    fewer.extend([("n", "8"), ("why", "a test")]);
    let again = client.post("/messages/batch", &fewer);
    assert!(again.text.contains("More messages match"), "{}", again.text);
    form.push(("why", "a test"));
    let address = client.post("/messages/batch", &form).to;
    assert!(address.starts_with("/messages/batch/"), "{address}");
    site.running.take().unwrap().kill();
    site.restart();
    client = signed_in(&site, PASSWORD);
    let page = eventually(|| {
        let page = client.get(&address).text;
        page.contains(">done<").then_some(page)
    });
    assert!(page.contains("9 of 9 messages replayed"), "{page}");
    assert!(page.contains("requested by admin") && page.contains("a test"));
    let queues = client.get("/queues").text;
    assert!(queues.contains(&address), "found again without its address");
    // The same nine messages, and the chart is unchanged.
    let overview = client.get("/").text;
    assert!(
        overview.contains("data-live=\"n-applied\">9<"),
        "{overview}"
    );
    assert_eq!(client.get("/messages/batch/nobody").status, 404);
}
