//! An invalid filter is an error that names it and never selects everything: in the console, the API and
//! the commands.

use crate::console_client::Client;
use crate::messages::ADMISSION;
use crate::process::causeway;
use crate::site::Site;

#[test]
fn a_wrong_filter_is_named_everywhere() {
    let site = Site::start();
    site.send("a.hl7", ADMISSION);
    let mut client = Client::new(site.running().url("console"));
    client.log_in(site.running().secret.as_deref().unwrap());
    for (page, named) in [
        ("/messages?stat=held", "`stat`"),
        ("/messages?state=helt", "`helt`"),
        ("/messages?state=held,helt", "`helt`"),
        ("/messages?from=yesterday", "`from`"),
        ("/messages?until=2026-13-01", "`until`"),
        ("/messages?since=1w", "`since`"),
        ("/messages?before=x", "before"),
        ("/messages?flow=nobody", "`flow`"),
        ("/messages?state=held&state=dead", "`state`"),
        ("/messages/1?stat=held", "`stat`"),
        ("/?span=1y", "`span`"),
        ("/audit?who=me", "`who`"),
        ("/audit?since=1y", "`since`"),
        ("/audit?message=one", "`message`"),
        ("/audit?sort=-whim", "`sort`"),
        ("/patients?find2=x", "`find2`"),
        ("/maps/file?nome=x", "`nome`"),
    ] {
        let answer = client.get(page);
        assert_eq!(answer.status, 400, "{page}");
        let text = answer.text.replace("&#96;", "`").replace("&#x60;", "`");
        assert!(text.contains(named), "{page}: {text}");
    }
    let csrf = client.get("/messages").csrf().to_owned();
    for (name, value) in [("state", "helt"), ("from", "soon"), ("flow", "nobody")] {
        let form = [
            ("csrf", csrf.as_str()),
            ("action", "skip"),
            (name, value),
            ("n", "1000"),
            ("last", "1000"),
            ("why", "a slip"),
        ];
        let answer = client.post("/messages/batch", &form);
        assert_eq!((answer.status, answer.to.as_str()), (400, ""), "{name}");
    }
    let narrowed = client.post("/messages/narrow", &[("csrf", &csrf), ("new-from", "soon")]);
    assert_eq!(narrowed.status, 400);

    let data = site.data().display().to_string();
    for args in [
        ["messages", "list", "--state", "helt"],
        ["messages", "list", "--flow", "nobody"],
        ["messages", "list", "--from", "yesterday"],
        ["messages", "replay", "--state", "helt"],
        ["messages", "replay", "--flow", "nobody"],
        ["messages", "replay", "--until", "soon"],
    ] {
        let mut all = args.to_vec();
        all.extend(["--data", &data]);
        let output = causeway(&all);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(args[3]), "{args:?}: {said}");
    }
}
