//! Nonstandard input that real senders write, and standard input that few write: how it is read,
//! what is reported, and that every byte is kept.

use hl7v2::path::Path;
use hl7v2::{IssueKind, Message};

/// Returns the text at a path, or `None` if it is absent.
fn text_at(message: &Message, path: &str) -> Option<String> {
    let found = message.get(&Path::parse(path).unwrap());
    found.map(|piece| piece.text().into_owned())
}

/// Returns the kinds of issue about delimiters, lines and bytes, without those about missing MSH
/// fields.
fn kinds(message: &Message) -> Vec<IssueKind> {
    let kinds = message.issues().iter().map(|issue| issue.kind);
    kinds
        .filter(|kind| *kind != IssueKind::MissingHeaderField)
        .collect()
}

#[track_caller]
fn check(clause: &str, raw: &[u8], values: &[(&str, &str)], issues: &[IssueKind]) -> Message {
    let message = Message::from(raw);
    assert_eq!(message.raw(), raw, "{clause}: written back");
    assert_eq!(hl7v2::fuzz::message(raw), Ok(()), "{clause}");
    for (path, expected) in values {
        assert_eq!(
            text_at(&message, path).as_deref(),
            Some(*expected),
            "{clause}: {path}"
        );
    }
    assert_eq!(kinds(&message), issues, "{clause}");
    message
}

#[test]
fn delimiters_of_any_kind() {
    use IssueKind::BadDelimiters;
    let values = [
        ("MSH-3", "APP"),
        ("PID-3.2", "b"),
        ("PID-3.4.2", "d"),
        ("PID-3[2]", "e"),
    ];
    let with = |separator: &str, msh_2: &str, subcomponent: &str| {
        let [component, repeat] = [0, 1].map(|n| &msh_2[n..=n]);
        let id = ["a", "b", "", &["c", "d"].join(subcomponent)].join(component);
        let fields = ["PID", "1", "", &[&id, "e"].join(repeat), "", "F\\q"];
        let pid = fields.join(separator);
        format!("MSH{separator}{msh_2}{separator}APP{separator}FAC\r{pid}\r")
    };
    for (clause, separator, msh_2, subcomponent, issues) in [
        ("2.5.4 the usual ones", "|", "^~\\&", "&", vec![]),
        ("2.5.4 with truncation", "|", "^~\\&#", "&", vec![]),
        ("2.5.4 others", "$", "%*/@", "@", vec![]),
        ("the usual ones, exchanged", "^", "|&~\\", "\\", vec![]),
        ("quotes and brackets", "(", "[]{}", "}", vec![]),
        ("no escape character", "|", "^~&", "&", vec![BadDelimiters]),
        ("six characters", "|", "^~\\&#$", "&", vec![BadDelimiters]),
        ("tabulators", "\t", "^~\\&", "&", vec![BadDelimiters]),
        (
            "letters between components",
            "|",
            "xyzw",
            "w",
            vec![BadDelimiters],
        ),
        (
            "a letter between fields",
            "x",
            "^~\\&",
            "&",
            vec![BadDelimiters],
        ),
    ] {
        let raw = with(separator, msh_2, subcomponent);
        let escape = IssueKind::UnterminatedEscape;
        // The backslash in PID-5 is text; if it is the escape character, the message reports an
        // unterminated escape.
        let escapes = msh_2.as_bytes().get(2) == Some(&b'\\');
        let expected: Vec<IssueKind> = issues
            .into_iter()
            .chain(escapes.then_some(escape))
            .collect();
        if msh_2 == "|&~\\" {
            // Here it separates subcomponents.
            check(clause, raw.as_bytes(), &values, &expected);
            continue;
        }
        let message = check(clause, raw.as_bytes(), &values, &expected);
        assert_eq!(
            text_at(&message, "PID-5").as_deref(),
            Some("F\\q"),
            "{clause}"
        );
    }
    for (clause, msh_2, expected) in [
        ("2.5.4 neither escapes nor subcomponents", "^~", "a\\T\\b&c"),
        ("2.5.4 no subcomponents", "^~\\", "a&b&c"),
    ] {
        let raw = format!("MSH|{msh_2}|APP\rPID|1||a\\T\\b&c^d\r");
        let message = check(clause, raw.as_bytes(), &[], &[]);
        assert_eq!(
            text_at(&message, "PID-3.1").as_deref(),
            Some(expected),
            "{clause}"
        );
        assert_eq!(text_at(&message, "PID-3.1.2"), None, "{clause}");
        assert_eq!(
            text_at(&message, "PID-3.2").as_deref(),
            Some("d"),
            "{clause}"
        );
    }
    // The information separators of ASCII.
    let raw = b"MSH\x1d\x1e\x1f\x01\x02\x1dAPP\rPID\x1d1\x1d\x1da\x1eb\x1e\x1ec\x02d\x1fe\r";
    check("control characters", raw, &values, &[BadDelimiters]);
}

#[test]
fn line_ends_of_any_kind() {
    use IssueKind::{
        BadSegmentName, EmptyLine, LineFeedInData, NoFinalTerminator, WrongTerminator,
    };
    for (clause, end, issues) in [
        ("2.5.4 CR", "\r", vec![]),
        ("LF", "\n", vec![WrongTerminator]),
        ("CR LF", "\r\n", vec![WrongTerminator]),
        ("CR CR LF", "\r\r\n", vec![WrongTerminator, EmptyLine]),
        ("LF CR", "\n\r", vec![WrongTerminator, EmptyLine]),
    ] {
        let raw = ["MSH|^~\\&|APP", "PID|1||7", "OBX|1|ST|a||v", ""].join(end);
        let values = [("MSH-3", "APP"), ("PID-3", "7"), ("OBX-5", "v")];
        let message = check(clause, raw.as_bytes(), &values, &issues);
        assert_eq!(message.segments().len(), 3, "{clause}");
    }
    check(
        "each segment with another one, and none at the end",
        b"MSH|^~\\&|APP\nPID|1||7\r\nPV1|1|I\rOBX|1|ST|a||v",
        &[("PV1-2", "I"), ("OBX-5", "v")],
        &[WrongTerminator, NoFinalTerminator],
    );
    check(
        "a line feed in a text is text",
        b"MSH|^~\\&|APP\rOBX|1|TX|a||line one\nline two\nNOT|YET|||F\n",
        &[("OBX-5", "line one\nline two"), ("NOT-1", "YET")],
        &[WrongTerminator, LineFeedInData],
    );
    let message = check(
        "a field that a CR tears apart goes on in a line without a name, which is kept",
        b"MSH|^~\\&|APP\rOBX|1|TX|a||line one\r\nline two|||F\rOBX|2|TX|b||x\r",
        &[("OBX-5", "line one"), ("OBX[2]-5", "x")],
        &[WrongTerminator, BadSegmentName],
    );
    let torn = message.segment_at(2).unwrap();
    assert_eq!((torn.has_name(), torn.raw()), (false, &b"line two|||F"[..]));
    assert_eq!(torn.field(3).text(), "F");
}

#[test]
fn bytes_that_do_not_belong() {
    use IssueKind::{BytesBeforeHeader, ControlCharacter, EmptyLine, WrongTerminator};
    let values = [("MSH-3", "APP"), ("PID-5", "X")];
    for (clause, before, issues) in [
        (
            "a byte order mark",
            &b"\xEF\xBB\xBF"[..],
            vec![BytesBeforeHeader],
        ),
        ("a start block", b"\x0b", vec![BytesBeforeHeader]),
        ("two of them", b"\x0b\x0b", vec![BytesBeforeHeader]),
        ("blanks", b"   ", vec![BytesBeforeHeader]),
        ("line ends", b"\r\n\r\n", vec![BytesBeforeHeader]),
        ("NULs", b"\0\0", vec![BytesBeforeHeader]),
    ] {
        let raw = [before, b"MSH|^~\\&|APP\rPID|1||||X\r"].concat();
        check(clause, &raw, &values, &issues);
    }
    for byte in [0x0B, 0x1C, 0x00, 0x1B, 0x7F] {
        let mut raw = b"MSH|^~\\&|APP\rPID|1||||X|a?b\r".to_vec();
        let at = raw.iter().position(|byte| *byte == b'?').unwrap();
        raw[at] = byte;
        let clause = format!("{byte:#04x} in a value");
        let message = check(&clause, &raw, &values, &[ControlCharacter]);
        let value = message.first("PID").unwrap().field(6);
        assert_eq!(value.raw(), [b'a', byte, b'b'], "{clause}");
        let issue = message
            .issues()
            .iter()
            .find(|issue| issue.kind == ControlCharacter);
        let place = issue.unwrap().place;
        assert_eq!(
            (place.to_string().as_str(), place.offset as usize),
            ("PID-6.1", at)
        );
    }
    check(
        "lines of nothing",
        b"MSH|^~\\&|APP\r\r\rPID|1||||X\r\n\r\n",
        &values,
        &[WrongTerminator, EmptyLine],
    );
}

/// 2.6, 2.14: segments unknown to the dictionary are kept like all others, in place and in order.
#[test]
fn segments_of_any_name() {
    use IssueKind::{BadSegmentName, NoHeader, SecondHeader};
    let message = check(
        "Z segments, unknown ones, empty ones",
        b"MSH|^~\\&|APP\rZPD|a^b&c~d\rPID|1\rQQ9|x\rZZZ\rPV1|\rPID\r",
        &[("ZPD-1.2.2", "c"), ("ZPD-1[2]", "d"), ("QQ9-1", "x")],
        &[],
    );
    let names: Vec<&str> = message.segments().map(|segment| segment.name()).collect();
    assert_eq!(names, ["MSH", "ZPD", "PID", "QQ9", "ZZZ", "PV1", "PID"]);
    let n_fields: Vec<usize> = message
        .segments()
        .map(|segment| segment.field_count())
        .collect();
    assert_eq!(n_fields, [3, 1, 1, 1, 0, 1, 0]);
    let message = check(
        "small letters, two letters, four letters, no name at all",
        b"MSH|^~\\&|APP\rpid|1\rPV|1\rOBXX|1\r|1\r P|1\rOBX|1\r",
        &[("OBX-1", "1")],
        &[BadSegmentName; 5],
    );
    let names: Vec<&str> = message.segments().map(|segment| segment.name()).collect();
    assert_eq!(names, ["MSH", "pid", "PV", "OBXX", "", " P", "OBX"]);
    assert_eq!(
        message.segment_at(1).unwrap().field(1).text(),
        "1",
        "its fields are read"
    );
    check(
        "a header in small letters",
        b"msh|^~&|APP\rPID|7\r",
        &[("PID-1", "7")],
        &[NoHeader, BadSegmentName],
    );
    check(
        "a line before the header",
        b"junk\rMSH|^~\\&|APP\rPID|7\r",
        &[("MSH-3", "APP"), ("PID-1", "7")],
        &[NoHeader, BadSegmentName],
    );
    check(
        "a second header",
        b"MSH|^~\\&|APP\rMSH|^~\\&|B\r",
        &[("MSH-3", "APP"), ("MSH[2]-3", "B")],
        &[SecondHeader],
    );
}

#[test]
fn incomplete_headers_are_read() {
    use IssueKind::{BadDelimiters, BytesBeforeHeader, NoFinalTerminator, NoHeader};
    for (raw, n_segments, issues) in [
        ("", 0, vec![NoHeader]),
        ("\r", 0, vec![NoHeader, IssueKind::EmptyLine]),
        ("MSH", 1, vec![BadDelimiters, NoFinalTerminator]),
        ("MSH|", 1, vec![BadDelimiters, NoFinalTerminator]),
        ("MSH|^~\\&", 1, vec![NoFinalTerminator]),
        ("MSH|^~\\&\r", 1, vec![]),
        ("MSH|^~\\&|\r", 1, vec![]),
        (" MSH|^~\\&\r", 1, vec![BytesBeforeHeader]),
        ("MSHX|1\r", 1, vec![NoHeader, IssueKind::BadSegmentName]),
    ] {
        let message = check(raw, raw.as_bytes(), &[], &issues);
        assert_eq!(message.segments().len(), n_segments, "{raw:?}");
        assert_eq!(message.control_id(), "", "{raw:?}");
    }
    let message = check(
        "what follows a short header is read by it",
        b"MSH|^~\\&\rPID|1||a^b\r",
        &[("PID-3.2", "b")],
        &[],
    );
    assert_eq!(message.delimiters().truncation, None);
}

/// 2.5.3: absent, empty, null and present are four states.
#[test]
fn null_and_empty_are_distinguished() {
    let raw = b"MSH|^~\\&|APP\rPID|1||\"\"|a^\"\"^|\"\"~\"\"|\"\"x| \"\"|\\X2222\\\r";
    let message = check("2.5.3", raw, &[], &[]);
    let pid = message.first("PID").unwrap();
    for (clause, piece, null, empty) in [
        ("\"\" is null", *pid.field(3), true, false),
        ("a component", *pid.field(4).component(2), true, false),
        (
            "an empty component",
            *pid.field(4).component(3),
            false,
            true,
        ),
        ("a repeat", *pid.field(5).repeat(2), true, false),
        ("more than the quotes", *pid.field(6), false, false),
        ("a blank before them", *pid.field(7), false, false),
        ("escaped quotes are text", *pid.field(8), false, false),
        ("an empty field", *pid.field(2), false, true),
        ("a field that is not there", *pid.field(99), false, true),
    ] {
        assert_eq!(
            (piece.is_null(), piece.is_empty()),
            (null, empty),
            "{clause}"
        );
    }
    assert_eq!(pid.field(8).text(), "\"\"");
}

/// 2.5.5.2 of 2.7: a value that the sender truncated is marked.
#[test]
fn a_truncated_value_is_known() {
    let message = Message::parse("MSH|^~\\&#|APP\rPID|1||long#|whole\\P\\\r");
    let pid = message.first("PID").unwrap();
    assert!(pid.field(3).is_truncated() && !pid.field(4).is_truncated());
    assert_eq!(pid.field(4).text(), "whole#");
    let before = Message::parse("MSH|^~\\&|APP\rPID|1||APT 5#\r");
    assert!(!before.first("PID").unwrap().field(3).is_truncated());
}

/// 2.1: the type alone in MSH-9, the event in EVN-1, ids without authorities.
#[test]
fn a_message_of_the_first_version() {
    let raw = b"MSH|^~\\&|APP|FAC|CW|CW|8808181126|SEC|ADT|MSG1|P|2.1\r\
        EVN|A01|8808181123\r\
        PID||PATID1234^5|PATID567||TESTPATIENT^ZOE^A||19610615|M||C|1 TEST ST^^ZZTOWN^IL^60601\r\
        PV1||I|2000^2012^01||||004777^TESTDOC^ANNA\r";
    let message = check("2.1", raw, &[("PID-5.2", "ZOE"), ("PV1-3.2", "2012")], &[]);
    assert_eq!(message.version(), hl7v2::Version::V2_1);
    assert_eq!((message.code(), message.event()), ("ADT".into(), "".into()));
    assert_eq!(message.structure().name(), "ADT_A01");
    assert_eq!(message.issues(), []);
}

/// An issue has a place: as a path, and as a byte offset.
#[test]
fn issues_have_their_place() {
    let raw = "MSH|^~\\&|A|B|C|D|2026||ORU^R01|1|P|2.5.1\rOBX|1|ST|a||ok\r\
        OBX|2|ST|a||x~y^z&w\\Q\\v|\\X4\\|a\u{1}b\rpid|1\r";
    let message = Message::parse(raw);
    let found: Vec<(IssueKind, String, usize)> = message
        .issues()
        .iter()
        .map(|issue| {
            (
                issue.kind,
                issue.place.to_string(),
                issue.place.offset as usize,
            )
        })
        .collect();
    let at = |text: &str| raw.find(text).unwrap();
    assert_eq!(
        found,
        [
            (
                IssueKind::UnknownEscape,
                "OBX[2]-5[2].2.2".to_owned(),
                at("\\Q")
            ),
            (IssueKind::BadHexEscape, "OBX[2]-6.1".to_owned(), at("\\X4")),
            (
                IssueKind::ControlCharacter,
                "OBX[2]-7.1".to_owned(),
                at("\u{1}")
            ),
            (IssueKind::BadSegmentName, "#4".to_owned(), at("pid")),
        ]
    );
}
