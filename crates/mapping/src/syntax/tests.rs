//! Parsing never fails: any text gives a tree and diagnostics with positions.

use super::*;
use proptest::prelude::*;

fn faults(text: &str) -> Vec<String> {
    let (_, diagnostics) = parse("t.map", text);
    diagnostics.iter().map(ToString::to_string).collect()
}

#[test]
fn several_faults_are_all_told_with_their_place() {
    let text = "segment PID <-> Patient\n\
                PID-7 <> birthDate\n\
                PID-8 <-> gender : codes AdministrativeSex\n\
                PID-5[*] <-> name[1] : XPN\n\
                PID-0 <-> active\n\
                PID-11 drop no reason\n";
    let found = faults(text);
    assert_eq!(found.len(), 4, "{found:#?}");
    assert!(
        found[0].starts_with("t.map:2:7 error: expected `->`, `<-` or `<->`"),
        "{}",
        found[0]
    );
    assert!(
        found[1].starts_with("t.map:4:19 error: a FHIR element takes no number"),
        "{}",
        found[1]
    );
    assert!(found[1].contains("Write: [*] for each"), "{}", found[1]);
    assert!(
        found[2].starts_with("t.map:5:7 error: fields count from 1"),
        "{}",
        found[2]
    );
    assert!(
        found[3].starts_with("t.map:6:13 error: expected `\"`"),
        "{}",
        found[3]
    );
}

#[test]
fn a_script_stands_in_a_function() {
    let found = faults("segment PID <-> Patient\nPID-7 -> birthDate : rhai\n");
    assert!(found[0].contains("a row names a function"), "{found:?}");
}

#[test]
fn a_comment_needs_a_space_and_no_quote() {
    let text = "# all\nsegment PID <-> Patient # head\nPID-1 drop \"not # a comment\" # this is\n";
    let (file, diagnostics) = parse("t.map", text);
    assert_eq!(diagnostics, []);
    let [Block::Map(map)] = file.blocks.as_slice() else {
        panic!("one map")
    };
    let [Row::Drop { reason, .. }] = map.rows.as_slice() else {
        panic!("one row")
    };
    assert_eq!(reason, "not # a comment");
}

#[test]
fn code_rows_share_a_line() {
    let text = "codes Sex HL70001 <-> administrative-gender\nF <-> female \"Woman\"  M <-> male in v2-0001 \"<\" <-> x\n";
    let (file, diagnostics) = parse("t.map", text);
    assert_eq!(diagnostics, []);
    let [Block::Codes(codes)] = file.blocks.as_slice() else {
        panic!("codes")
    };
    let rows: Vec<(&str, &str)> = codes
        .rows
        .iter()
        .map(|row| (row.from.as_str(), row.to.as_str()))
        .collect();
    assert_eq!(rows, [("F", "female"), ("M", "male"), ("<", "x")]);
    assert_eq!(codes.rows[0].display.as_deref(), Some("Woman"));
    assert_eq!(codes.rows[1].system.as_deref(), Some("v2-0001"));
}

proptest! {
    #[test]
    fn takes_any_text(text in "\\PC{0,400}") {
        let _ = parse("t.map", &text);
    }

    #[test]
    fn takes_any_rows(rows in prop::collection::vec(
        prop::sample::select(&[
            "segment PID <-> Patient", "PID-5[*]", "<->", "->", "name[*]", "{use default home, also", "}",
            ": XPN", "when", ".3 empty", "|", "=", "(", ")", ",", "\n", "\n  ", "\"", "each", "codes A B <-> C",
            "F <-> x", "message ORU_R01 -> Bundle", "dialect X extends v2", "replace", "test \"a\"", "given", "key",
            "=> Practitioner", "owns", "extension(a-b)", "set", "drop", "#", "é", "first", "otherwise x and report",
        ]), 0..40,
    )) {
        let _ = parse("t.map", &rows.join(" "));
    }
}
