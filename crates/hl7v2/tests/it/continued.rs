//! ADD segments (2.8.2 chapter 2.10.2): the continued segment is read as one. DSC and MSH-14: a
//! fragmented message is recognized as such.

use hl7v2::path::Path;
use hl7v2::{IssueKind, Message};

const HEADER: &str = "MSH|^~\\&|A|B|C|D|2026||ORU^R01^ORU_R01|1|P|2.5.1\rPID|1||1\r";

#[test]
fn the_continued_segment_is_read_whole() {
    for (clause, segments, expected) in [
        (
            "cut inside a value",
            "OBX|1|FT|a||first li\rADD|ne|u|1-2\r",
            [("OBX-5", "first line"), ("OBX-6", "u"), ("OBX-7", "1-2")],
        ),
        (
            "cut at a separator",
            "OBX|1|FT|a||line\rADD||u|1-2\r",
            [("OBX-5", "line"), ("OBX-6", "u"), ("OBX-7", "1-2")],
        ),
        (
            "several, and a cut escape sequence",
            "OBX|1|FT|a||a\\T\rADD|\\b\rADD|c|u\rADD||1-2\rOBX|2|ST|b||x\r",
            [("OBX-5", "a&bc"), ("OBX-7", "1-2"), ("OBX[2]-5", "x")],
        ),
        (
            "line feeds",
            "OBX|1|FT|a||one\nADD| two\nOBX|2|ST|b||x\n",
            [("OBX-5", "one two"), ("OBX[2]-5", "x"), ("OBX[2]-3", "b")],
        ),
    ] {
        let raw = format!("{HEADER}OBR|1\r{segments}");
        let message = Message::parse(raw.clone());
        assert_eq!(message.raw(), raw.as_bytes(), "{clause}: untouched");
        for (path, text) in expected {
            let found = message.get(&Path::parse(path).unwrap());
            assert_eq!(
                found.map(|piece| piece.text()).as_deref(),
                Some(text),
                "{clause} {path}"
            );
        }
        assert_eq!(message.named("ADD").count(), 0, "{clause}");
        let told = message
            .issues()
            .iter()
            .find(|issue| issue.kind == IssueKind::ContinuedSegment);
        assert_eq!(told.unwrap().place.to_string(), "OBX", "{clause}");
        assert_eq!(hl7v2::fuzz::message(raw.as_bytes()), Ok(()), "{clause}");
    }
}

#[test]
fn an_add_without_a_segment_before_it_stays() {
    let raw = "MSH|^~\\&|A\rADD|x\rADD|y\rPID|1\r";
    let message = Message::parse(raw);
    assert_eq!(message.named("ADD").count(), 2);
    assert_eq!(message.raw(), raw.as_bytes());
}

#[test]
fn a_message_that_was_cut_is_known() {
    let oru = |pointer: &str, segments: &str| {
        let header = format!("MSH|^~\\&|A|B|C|D|2026||ORU^R01^ORU_R01|1|P|2.5.1||{pointer}\r");
        Message::parse(header + segments)
    };
    let whole = "PID|1||1\rOBR|1\rOBX|1|FT|a||x\r";
    for (clause, message, expected) in [
        ("whole", oru("", whole), None),
        (
            "2.14.4.1 DSC-1 points on",
            oru("", &format!("{whole}DSC|ZZ2|F\r")),
            Some("DSC-1"),
        ),
        (
            "2.14.4.2 DSC-2 I: query for more",
            oru("", &format!("{whole}DSC|ZZ2|I\r")),
            None,
        ),
        ("an empty DSC", oru("", &format!("{whole}DSC|\r")), None),
        (
            "2.14.9.14 MSH-14 points back, into a segment",
            oru("ZZ2", &format!("ADD|rest\r{whole}")),
            Some("MSH-14"),
        ),
        (
            "MSH-14, and what is required is not here",
            oru("ZZ2", "OBX|2|FT|a||x\r"),
            Some("MSH-14"),
        ),
        (
            "MSH-14 of a whole message says nothing",
            oru("1", whole),
            None,
        ),
    ] {
        let found = message.fragment().map(|place| place.to_string());
        assert_eq!(found.as_deref(), expected, "{clause}");
    }
}
