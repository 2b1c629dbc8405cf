//! Each acknowledgement policy, as a site configures it and a sender sees it.

use crate::messages::ADMISSION;
use crate::process::{Running, stdout_of};
use crate::site::{SMALL, Site, write};

#[test]
fn each_policy_checks_serves_and_says_what_it_means() {
    for policy in ["received", "mapped", "delivered"] {
        let folder = tempfile::tempdir().unwrap();
        let text = SMALL.replace("mapped", policy);
        let path = write(folder.path(), "causeway.toml", &text);
        stdout_of(&["check", "-c", &path]);
        let site = Site {
            folder,
            running: Some(Running::start(&["serve", "-c", &path])),
        };
        let said = site.send("a.hl7", ADMISSION);
        assert!(said.contains("AA"), "{policy}: {said}");
        // `received` promises only that the message is on disk.
        if policy != "received" {
            let found = site.get("/Patient?identifier=123");
            assert_eq!(
                found["entry"].as_array().map(Vec::len),
                Some(1),
                "{policy}: in the chart when the AA is here"
            );
        }
        let wrong = ADMISSION.replace("A01^ADT_A01|A1", "A40^ADT_A39|M1") + "MRG|123^^^HOSP^MR\r";
        let path = write(site.folder.path(), "m.hl7", &wrong);
        let output = crate::process::causeway(&["send", site.mllp(), &path]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let expected = if policy == "received" { "AA" } else { "AE" };
        assert!(said.contains(expected), "{policy}: {said}");
    }
}
