//! A narrative corrected by fewer lines (HL7 v2 7.4.2.4): the correction replaces the whole text,
//! and no line of the old one remains.

use crate::chart_site::ChartSite;
use tempfile::tempdir;

/// Builds a report with a text of this many lines.
fn report(control: &str, at: &str, status: &str, kind: &str, lines: &[String]) -> String {
    let obx = (1..).zip(lines).map(|(n, line)| {
        format!("OBX|{n}|{kind}|18842-5^Summary^LN||{line}||||||{status}|||20240517090000\r")
    });
    format!(
        "MSH|^~\\&|LAB|ZZLAB|CW|ZZ|{at}||ORU^R01^ORU_R01|{control}|P|2.5.1\r\
         PID|1||1^^^ZZHOSP^MR||TESTPATIENT\r\
         OBR|1|P1^CLINIC|F1^ZZLAB|18842-5^Summary^LN|||20240517090000|||||||||||||||{at}||MB|{status}\r{}",
        obx.collect::<String>(),
    )
}

fn lines(word: &str, count: usize) -> Vec<String> {
    (1..=count).map(|n| format!("{word} line {n}")).collect()
}

#[test]
fn a_correction_of_fewer_lines_replaces_the_whole() {
    for (kind, before, after) in [
        ("TX", 4, 2),
        ("TX", 3, 1),
        ("FT", 5, 3),
        ("ST", 2, 1),
        ("TX", 1, 3),
    ] {
        let dir = tempdir().unwrap();
        let site = ChartSite::start(dir.path());
        let first = lines("old", before);
        let sent = report("N1", "20240517100000", "F", kind, &first);
        assert_eq!(site.send("lab", &sent), "AA");
        let made = site.only("Observation");
        assert_eq!(made.text("valueString"), Some(first.join("\n").as_str()));

        let second = lines("new", after);
        let sent = report("N2", "20240517110000", "C", kind, &second);
        assert_eq!(site.send("lab", &sent), "AA");
        // One result and no other, with nothing of the old text; the report names it once.
        let corrected = site.only("Observation");
        assert_eq!(
            corrected.text("id"),
            made.text("id"),
            "{kind} {before} {after}"
        );
        assert_eq!(
            corrected.text("valueString"),
            Some(second.join("\n").as_str())
        );
        assert_eq!(corrected.text("status"), Some("corrected"));
        assert_eq!(site.only("DiagnosticReport").each("result").count(), 1);
    }
}
