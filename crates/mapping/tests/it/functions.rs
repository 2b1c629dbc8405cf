//! Functions of a dialect: a script's text becomes an element, or its failure is in the report.

use hl7v2::Message;
use mapping::{Conversion, MapSet, Source, Target};
use std::time::{Duration, Instant};

const BASE: &str = "segment PID <-> Patient\nPID-3 <-> identifier[+].value : text\nPID-7 <-> birthDate\nPID-23 drop \"-\"\nmessage ADT_A01 -> Bundle\nPID -> Patient as patient\n  key identifier, owns\n";

fn set(rows: &str) -> MapSet {
    let text = format!("{BASE}dialect LABY extends v2\n{rows}\n");
    let (set, found) = MapSet::read([("t.map", text.as_str())]);
    let all: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert!(all.is_empty(), "{all:#?}");
    set
}

fn convert(set: &MapSet, segment: &str) -> Conversion {
    let text =
        format!("MSH|^~\\&|A|B|||20240101000000+0000||ADT^A08^ADT_A01|1|P|2.5.1\r{segment}\r");
    let source = Source {
        dialect: Some("LABY".to_owned()),
        ..Source::default()
    };
    set.forward_segments(&Message::parse(text.into_bytes()), &source, "Patient")
}

fn json(conversion: &Conversion) -> String {
    let made = conversion
        .drafts
        .first()
        .map(|draft| draft.value().to_bytes());
    String::from_utf8(made.unwrap_or_default()).unwrap()
}

#[test]
fn a_script_makes_a_text_and_the_element_reads_it() {
    let set = set(concat!(
        "function day(text) = rhai \"let p = text.split(\\\"/\\\"); p[2] + p[0] + p[1]\"\n",
        "replace PID-7 -> birthDate : day",
    ));
    let made = convert(&set, "PID|||1||||01/02/1980");
    assert!(
        json(&made).contains(r#""birthDate":"1980-01-02""#),
        "{}",
        json(&made)
    );
    // Lineage and report are the same as for any row.
    let applied = made.drafts[0].apply(None);
    let line = applied
        .lineage
        .iter()
        .find(|line| line.element == "birthDate")
        .unwrap();
    assert_eq!(&*line.raw, "01/02/1980");
    assert_eq!(made.row(line.row).unwrap().line, 10);
    assert!(
        made.report
            .unmapped
            .iter()
            .all(|entry| entry.place.segment != *b"PID")
    );
}

#[test]
fn a_script_that_fails_is_a_reported_field() {
    for (script, why) in [
        ("loop {}", "takes too many steps"),
        (
            "let s = text; loop { s += s; }",
            "works on a value that is too large",
        ),
        ("fn f(n) { f(n) } f(1)", "recurses too deeply"),
        (
            "text.split(\\\"/\\\")[7]",
            "reads an index that does not exist",
        ),
        ("()", "gave nothing"),
        ("\\\"no date\\\"", ""),
    ] {
        let rows =
            format!("function day(text) = rhai \"{script}\"\nreplace PID-7 -> birthDate : day");
        let set = set(&rows);
        let begin = Instant::now();
        let made = convert(&set, "PID|||1||||01/02/1980");
        assert!(begin.elapsed() < Duration::from_secs(2), "{script}");
        assert!(
            json(&made).contains(r#""value":"1""#),
            "the other rows go on: {script}"
        );
        assert!(
            !json(&made).contains("birthDate"),
            "nothing is invented: {script}"
        );
        let report = &made.report.unusable;
        assert_eq!(report.len(), 1, "{script}");
        assert!(report[0].why.ends_with(why), "{script}: {}", report[0].why);
        assert!(!report[0].why.contains("1980"), "no PHI: {}", report[0].why);
        assert_eq!(&*report[0].raw, "01/02/1980");
        let unmapped = made
            .report
            .unmapped
            .iter()
            .map(|entry| entry.place.to_string());
        assert!(
            unmapped.into_iter().any(|place| place.starts_with("PID-7")),
            "{script}"
        );
    }
}

#[test]
fn a_pair_of_scripts_runs_back() {
    let rows = concat!(
        "function day(text) = rhai \"text.sub_string(4) + text.sub_string(0, 4)\"",
        " back \"text.sub_string(4) + text.sub_string(0, 4)\"\n",
        "replace PID-7 <-> birthDate : day",
    );
    let set = set(rows);
    assert!(
        !set.check()
            .iter()
            .any(|found| found.to_string().contains("function day"))
    );
    let text =
        "MSH|^~\\&|A|B|||20240101000000+0000||ADT^A08^ADT_A01|1|P|2.5.1\rPID|||1||||01021980\r";
    let source = Source {
        dialect: Some("LABY".to_owned()),
        ..Source::default()
    };
    let made = set.forward(&Message::parse(text.as_bytes().to_vec()), &source);
    assert!(
        json(&made).contains(r#""birthDate":"1980-01-02""#),
        "{}",
        json(&made)
    );
    let target = Target {
        dialect: Some("LABY".to_owned()),
        ..Target::default()
    };
    let back = set.back(&made.bundle(), "ADT_A01", &target).unwrap();
    let message = String::from_utf8(back.message).unwrap();
    assert!(message.contains("PID|||1||||01021980\r"), "{message}");
    assert!(back.lost.is_empty(), "{:?}", back.lost);
}
