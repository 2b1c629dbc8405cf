//! MSH-18 (HL7 table 0211): the meaning of each set, from the bytes to the path and back.

use base::Timestamp;
use hl7v2::ack::{AckCode, acknowledge};
use hl7v2::path::Path;
use hl7v2::{IssueKind, Message};

/// Builds a message that declares this set and has this text in the facility and the patient's
/// name.
fn message(set: &str, text: &[u8]) -> Vec<u8> {
    let parts: [&[u8]; 7] = [
        b"MSH|^~\\&|A|",
        text,
        b"|C|D|20260101||ADT^A01^ADT_A01|1|P|2.5.1||||||",
        set.as_bytes(),
        b"\rEVN|A01|20260101\rPID|1||1^^^ZZ||TESTPATIENT^",
        text,
        b"^X||19800101\rPV1|1|I\r",
    ];
    parts.concat()
}

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

fn text_at(message: &Message, at: &str) -> String {
    let found = message
        .get(&path(at))
        .map(|piece| piece.text().into_owned());
    found.unwrap_or_default()
}

#[track_caller]
fn check(clause: &str, raw: &[u8], expected: &str, issues: &[IssueKind]) -> Message {
    let read = Message::from(raw);
    assert_eq!(read.raw(), raw, "{clause}: what came is kept");
    let found = ["MSH-4", "PID-5.2"].map(|at| text_at(&read, at));
    assert_eq!(found, [expected, expected], "{clause}");
    assert_eq!(
        text_at(&read, "PID-5.3"),
        "X",
        "{clause}: no delimiter is lost"
    );
    let kinds: Vec<IssueKind> = read.issues().iter().map(|issue| issue.kind).collect();
    assert_eq!(kinds, issues, "{clause}");
    assert_eq!(hl7v2::fuzz::message(raw), Ok(()), "{clause}");
    read
}

/// An acknowledgement or an edit is written in the sender's set too.
#[track_caller]
fn check_back(clause: &str, read: &Message, text: &str, also: &str) {
    let now = Timestamp::from_micros(0);
    let ack = Message::parse(acknowledge(read, AckCode::AA, &[], now, "ZZ1"));
    assert_eq!(
        text_at(&ack, "MSH-6"),
        text,
        "{clause}: the acknowledgement"
    );
    assert_eq!(text_at(&ack, "MSH-18"), text_at(read, "MSH-18"), "{clause}");
    assert_eq!(ack.issues(), [], "{clause}");
    let edited = read.with_set(&path("PID-5.4"), also).unwrap();
    let found = ["PID-5.2", "PID-5.4"].map(|at| text_at(&edited, at));
    assert_eq!(found, [text, also], "{clause}: an edit");
}

#[test]
fn sets_of_one_table() {
    // Includes characters whose second byte is a delimiter in ASCII: 許 and 功 in Big5, ソ and 表 in
    // Shift_JIS, 谹 in GB 18030.
    for (set, name, text) in [
        ("8859/1", "windows-1252", "Zoë"),
        ("8859/2", "iso-8859-2", "Łódź"),
        ("8859/5", "iso-8859-5", "Юлия"),
        ("8859/7", "iso-8859-7", "Ζωή"),
        ("8859/9", "windows-1254", "Gülşen"),
        ("8859/15", "iso-8859-15", "Zoë€"),
        ("ISO IR166", "windows-874", "สมชาย"),
        ("UNICODE UTF-8", "utf-8", "Zoë 漢字 😀"),
        ("GB 18030-2000", "gb18030", "谹功^"),
        ("KS X 1001", "euc-kr", "김희준"),
        ("BIG-5", "big5", "許功蓋"),
        ("ISO IR14", "shift_jis", "ﾔﾏﾀﾞ"),
        ("Shift_JIS", "shift_jis", "ソ表ｱ"),
        ("EUC-JP", "euc-jp", "山田"),
    ] {
        let text = text.trim_end_matches('^');
        let encoding = encoding_rs::Encoding::for_label(name.as_bytes()).unwrap();
        let read = check(set, &message(set, &encoding.encode(text).0), text, &[]);
        check_back(set, &read, text, text);
    }
}

/// Every part of ISO 8859 and every Windows code page, by the names that senders write, over every
/// byte that has a character in the set.
#[test]
fn every_set_of_one_byte() {
    let iso = (1..=16).filter(|part| ![11, 12].contains(part));
    let iso = iso.map(|part| (format!("8859/{part}"), format!("iso-8859-{part}")));
    let windows = (1250..=1258).map(|page| (format!("WINDOWS-{page}"), format!("windows-{page}")));
    for (set, label) in iso.chain(windows) {
        let encoding = encoding_rs::Encoding::for_label(label.as_bytes()).unwrap();
        // Bytes from C0 on are letters in all of them.
        let has = |byte: &u8| !encoding.decode_without_bom_handling(&[*byte]).1;
        let bytes: Vec<u8> = (0xC0..=0xFF).filter(has).collect();
        let (text, _) = encoding.decode_without_bom_handling(&bytes);
        assert!(text.chars().count() > 25, "{set}");
        let read = check(&set, &message(&set, &bytes), &text, &[]);
        check_back(&set, &read, &text, &text);
    }
}

#[test]
fn unicode_in_two_and_four_bytes() {
    let text = "Zoë 漢字 😀";
    for (set, width, big_endian) in [
        ("UNICODE UTF-16", 2, true),
        ("UNICODE UTF-16", 2, false),
        ("UNICODE UTF-32", 4, true),
        ("UNICODE UTF-32", 4, false),
    ] {
        let whole = String::from_utf8(message(set, text.as_bytes())).unwrap();
        let units: Vec<u32> = match width {
            2 => whole.encode_utf16().map(u32::from).collect(),
            _ => whole.chars().map(u32::from).collect(),
        };
        let bytes = units.into_iter().flat_map(|unit| {
            let mut bytes = unit.to_be_bytes()[4 - width..].to_vec();
            if !big_endian {
                bytes.reverse();
            }
            bytes
        });
        let raw: Vec<u8> = bytes.collect();
        let read = check(set, &raw, text, &[]);
        check_back(set, &read, text, "Łódź");
        // Cut in the middle of a character.
        let cut = Message::from(&raw[..raw.len() - 1]);
        let kinds: Vec<IssueKind> = cut.issues().iter().map(|issue| issue.kind).collect();
        assert!(kinds.contains(&IssueKind::WrongCharset), "{kinds:?}");
    }
}

#[test]
fn sets_that_are_switched_to() {
    for (clause, set, raw, text) in [
        (
            "2.7.2 ISO 2022-JP, as Japan sends it",
            "~ISO IR87",
            &b"\x1b$B;3ED\x1b(B=\x1b$BB@O:\x1b(B"[..],
            "山田=太郎",
        ),
        (
            "2.7.2 \\Mxxyy\\ and \\Cxxyy\\",
            "~ISO IR87",
            b"\\M2442\\;3ED\\C2842\\",
            "山田",
        ),
        // \x5E and \x7C are second bytes here.
        (
            "delimiters inside of characters",
            "~ISO IR87",
            b"\x1b$B4^;|\x1b(B",
            "含慈",
        ),
        (
            "2.7.2 \\Mxxyyzz\\",
            "ASCII~ISO IR87~ISO IR159",
            b"\\M242844\\0!\\C2842\\",
            "丂",
        ),
        (
            "8859/1 and a switch to 8859/2",
            "8859/1~8859/2",
            b"\xeb\\C2D42\\\xb3",
            "ëł",
        ),
    ] {
        let raw = message(set, raw);
        let read = check(clause, &raw, text, &[]);
        if !set.contains("8859") && !set.contains("159") {
            check_back(clause, &read, text, "三木");
        }
    }
}

#[test]
fn what_cannot_be_decoded_is_an_issue() {
    use IssueKind::{
        AlternateCharsets, CharsetEscape, ControlCharacter, UnknownCharset, WrongCharset,
    };
    for (clause, set, raw, text, issues) in [
        (
            "CNS 11643 is in no library here",
            "CNS 11643-1992",
            &b"Zo\xeb"[..],
            "Zoë",
            vec![UnknownCharset],
        ),
        (
            "no such set",
            "KLINGON",
            b"Zo\xeb",
            "Zoë",
            vec![UnknownCharset],
        ),
        (
            "no such alternative",
            "8859/1~KLINGON",
            b"Zo\xeb",
            "Zoë",
            vec![AlternateCharsets],
        ),
        (
            "bytes that GB 18030 does not have",
            "GB 18030-2000",
            b"\xff|",
            "\u{FFFD}",
            vec![WrongCharset],
        ),
        (
            "half a character",
            "~ISO IR87",
            b"\x1b$B;\x1b(B",
            "\u{FFFD}",
            vec![WrongCharset],
        ),
        (
            "a switch to no known set",
            "8859/1",
            b"\\C2899\\x",
            "\\C2899\\x",
            vec![CharsetEscape; 2],
        ),
        (
            "another escape of ISO 2022",
            "8859/1",
            b"\x1b%Gx",
            "\u{1b}%Gx",
            vec![ControlCharacter; 2],
        ),
    ] {
        let raw = raw.strip_suffix(b"|").unwrap_or(raw);
        check(clause, &message(set, raw), text, &issues);
    }
}

/// `\X..\` gives bytes of the sender's set, also where the body is read in Unicode.
#[test]
fn hexadecimal_escapes_are_in_the_senders_set() {
    for (set, name, plain) in [("8859/1", "windows-1252", "Z"), ("BIG-5", "big5", "許")] {
        let encoding = encoding_rs::Encoding::for_label(name.as_bytes()).unwrap();
        let wanted = if set == "BIG-5" { "蓋" } else { "ë" };
        let encoded = encoding.encode(wanted).0;
        let digits = encoded.iter().fold(String::new(), |digits, byte| {
            digits + &format!("{byte:02X}")
        });
        let raw = [
            &encoding.encode(plain).0[..],
            format!("\\X{digits}\\").as_bytes(),
        ]
        .concat();
        check(set, &message(set, &raw), &format!("{plain}{wanted}"), &[]);
    }
    // A character over two sequences; invalid bytes are reported.
    let twice = [IssueKind::WrongCharset; 2];
    check("UTF-8", &message("", b"\\XC3\\\\XAB\\"), "ë", &[]);
    for set in ["", "UNICODE UTF-8", "ASCII"] {
        check(set, &message(set, b"Zo\\XEB\\"), "Zoë", &twice);
    }
}
