//! One notation for a place in a message, on the command line and in the console.

use crate::console_client::Client;
use crate::messages::RESULT;
use crate::process::{Running, causeway, stdout_of};
use crate::site::write;

#[test]
fn the_same_path_finds_the_same_value_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let running = Running::demo(&data, &["--no-traffic"]);
    let data = data.display().to_string();
    let message = format!(
        "{RESULT}OBX|2|NM|4544-3^Hematocrit^LN||31.7|%||||F\r\
         OBR|2|P1|F2|24323-8^Panel^LN|||20260102110000-0600|||||||||||||||20260102115500-0600||LAB|F\r\
         OBX|1|NM|2345-7^Glucose^LN||5.25|mmol/L||||F\r"
    );
    let mllp = running
        .addresses
        .iter()
        .find(|(_, url)| url.starts_with("mllp://"));
    let file = write(folder.path(), "r.hl7", &message);
    assert!(stdout_of(&["send", &mllp.unwrap().1, &file]).contains("AA"));
    let mut console = Client::new(running.url("console"));
    console.log_in(running.secret.as_deref().unwrap());
    for (path, escaped, value, raw) in [
        ("PID-5[1].1", "PID-5%5B1%5D.1", "ZZTEST", "ZZTEST^JANE"),
        ("OBX[3]-5", "OBX%5B3%5D-5", "5.25", "5.25|mmol"),
        (
            "ORDER_OBSERVATION[2].OBR-4.1",
            "ORDER_OBSERVATION%5B2%5D.OBR-4.1",
            "24323-8",
            "24323-8^Panel",
        ),
        (
            "PATIENT_RESULT.ORDER_OBSERVATION[1].OBSERVATION[2].OBX-5",
            "PATIENT_RESULT.ORDER_OBSERVATION%5B1%5D.OBSERVATION%5B2%5D.OBX-5",
            "31.7",
            "31.7|%",
        ),
    ] {
        let shown = stdout_of(&["messages", "show", "1", "--path", path, "--data", &data]);
        assert_eq!(shown, format!("{value}\n"), "{path}");
        let page = console.get(&format!("/messages/1?path={escaped}"));
        assert_eq!(page.status, 200, "{path}");
        let at = message.find(raw).unwrap();
        assert!(
            page.text.contains(&format!("byte {at}")),
            "{path}: byte {at}"
        );
    }
    let wrong = causeway(&[
        "messages", "show", "1", "--path", "PID-5[x]", "--data", &data,
    ]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("column 7"));
    let page = console.get("/messages/1?path=PID-5%5Bx%5D");
    assert!(page.text.contains("column 7"), "{}", page.text);
    assert!(running.stop());
}
