//! A site on a disk that fills up: no acknowledgements and no writes, reads continue and are audited,
//! `/readyz` reports the state, and everything resumes by itself once there is space.

use crate::console_client::Client;
use crate::process::{Running, causeway, stdout_of};
use crate::site::{SMALL, Site, eventually, write};
use crate::small_disk::SmallDisk;
use std::fs;

struct Asked {
    status: u16,
    text: String,
}

struct Caller {
    base: String,
    token: String,
}

// === impl Caller ===

impl Caller {
    fn ask(&self, path: &str, purpose: Option<&str>) -> Asked {
        let mut request = agent()
            .get(format!("{}{path}", self.base))
            .header("authorization", format!("Bearer {}", self.token));
        if let Some(purpose) = purpose {
            request = request.header("x-purpose-of-use", purpose);
        }
        let mut answer = request.call().unwrap();
        Asked {
            status: answer.status().as_u16(),
            text: answer.body_mut().read_to_string().unwrap(),
        }
    }

    fn put(&self, id: &str) -> u16 {
        let body = format!(r#"{{"resourceType":"Patient","id":"{id}"}}"#);
        let answer = agent()
            .put(format!("{}/fhir/Patient/{id}", self.base))
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/fhir+json")
            .send(&body);
        answer.unwrap().status().as_u16()
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .into()
}

fn message(control: &str, noise: usize) -> String {
    format!(
        "MSH|^~\\&|REG|ZZHOSP|CW|ZZ|20240517120000||ADT^A08^ADT_A01|{control}|P|2.5.1\r\
         EVN|A08|20240517120000\r\
         PID|1||{control}^^^ZZHOSP^MR||TESTPATIENT^{}||19800102|F\r\
         PV1|1|I|W1^101^A\r",
        "Z".repeat(noise)
    )
}

fn start(disk: &SmallDisk) -> Site {
    let folder = tempfile::tempdir_in(disk.path()).unwrap();
    let text = SMALL.replacen("[log]", "[audit]\nreserve_mb = 1\n[log]", 1);
    fs::write(folder.path().join("causeway.toml"), text).unwrap();
    Site::start_in(folder)
}

fn caller(site: &Site, running: &Running) -> Caller {
    let token = stdout_of(&["token", "--data", &site.data().display().to_string()]);
    Caller {
        base: running.url("console").trim_end_matches('/').to_owned(),
        token: token.trim().to_owned(),
    }
}

/// Checks that emergency access is refused without a reason, and that with one the pages open and say
/// so.
fn emergency_at_the_console(person: &mut Client) {
    let refused = person.get("/patients");
    assert_eq!(refused.status, 503);
    assert!(refused.text.contains("/emergency"), "{}", refused.text);
    let page = person.get("/emergency");
    assert!(page.text.contains("The disk is full"), "{}", page.text);
    let csrf = page.csrf().to_owned();
    let without = person.post("/emergency", &[("csrf", &csrf), ("reason", "  ")]);
    assert_eq!(without.status, 422);
    let begun = person.post(
        "/emergency",
        &[("csrf", &csrf), ("reason", "Test of a full disk")],
    );
    assert_eq!(begun.status, 303, "{}", begun.text);
    let session = person.cookie.clone().unwrap();
    let purpose = begun.cookie.split(';').next().unwrap();
    person.cookie = Some(format!("{session}; {purpose}"));
    let opened = person.get("/patients");
    assert_eq!(opened.status, 200, "{}", opened.text);
    assert!(
        opened
            .text
            .contains("Emergency access: the audit log records it")
    );
    let ended = person.post("/emergency", &[("csrf", &csrf), ("end", "yes")]);
    assert!(ended.cookie.contains("Max-Age=0"), "{}", ended.cookie);
    person.cookie = Some(session);
    assert_eq!(person.get("/patients").status, 503);
}

#[test]
fn a_full_disk_refuses_writes_reads_on_and_comes_back() {
    let name = "a_full_disk_refuses_writes_reads_on_and_comes_back";
    let Some(disk) = SmallDisk::mount(name, 64 << 10) else {
        return;
    };
    let site = start(&disk);
    let caller = caller(&site, site.running());
    let elsewhere = tempfile::tempdir().unwrap();
    let send = |control: &str, noise: usize| {
        let path = write(elsewhere.path(), "m.hl7", &message(control, noise));
        causeway(&["send", "--timeout", "5", site.mllp(), &path])
            .status
            .success()
    };
    assert!(send("M1", 10));
    assert_eq!(caller.put("zz-before"), 201);
    assert_eq!(caller.ask("/readyz", None).status, 200);
    let mut person = Client::new(&caller.base);
    person.log_in(site.running().secret.as_deref().unwrap());
    assert_eq!(person.get("/patients").status, 200);

    disk.fill();
    // The space left over in the files takes a few more.
    let refused = (0..400).find(|n| !send(&format!("F{n}"), 3000));
    assert!(refused.is_some(), "no message was refused on a full disk");
    let refused = format!("F{}", refused.unwrap());
    eventually(|| {
        let read = caller.ask("/fhir/Patient/zz-before", None);
        assert_eq!(read.status, 200, "{}", read.text);
        let search = caller.ask("/fhir/Patient?_sort=-_lastUpdated&_count=3", None);
        assert_eq!(search.status, 200, "{}", search.text);
        caller
            .ask("/readyz", None)
            .text
            .contains("ETREAT")
            .then_some(())
    });
    let ready = caller.ask("/readyz", None);
    assert_eq!(ready.status, 503);
    let stopped = ["journal: ", "chart: "].map(|part| ready.text.contains(part));
    assert!(
        stopped.contains(&true) && ready.text.contains("Free space"),
        "{}",
        ready.text
    );
    assert_eq!(caller.put("zz-refused"), 507);

    // The part for ordinary reads runs out, while emergency reads continue.
    let until_refused = |purpose: Option<&str>| {
        (0..20_000).find(|_| caller.ask("/fhir/Patient/zz-before", purpose).status == 503)
    };
    assert!(until_refused(None).is_some());
    let told = caller.ask("/fhir/Patient/zz-before", None).text;
    assert!(told.contains("X-Purpose-Of-Use: ETREAT"), "{told}");
    assert_eq!(
        caller.ask("/fhir/Patient/zz-before", Some("ETREAT")).status,
        200
    );
    assert_eq!(
        caller
            .ask("/fhir/Patient/zz-before", Some("LEISURE"))
            .status,
        400
    );

    emergency_at_the_console(&mut person);

    disk.free();
    eventually(|| (caller.ask("/readyz", None).status == 200).then_some(()));
    assert!(
        send(&refused, 3000),
        "the message that was refused is taken now"
    );
    assert_eq!(caller.put("zz-after"), 201);
    assert_eq!(caller.ask("/fhir/Patient/zz-refused", None).status, 404);
    assert!(site.running.unwrap().stop());
    let data = site.folder.path().join("data").display().to_string();
    let verified = stdout_of(&["audit", "verify", "--data", &data]);
    assert!(verified.contains("the chain is intact"), "{verified}");
}
