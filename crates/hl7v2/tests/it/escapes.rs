//! Escape sequences (2.8.2 chapter 2.7): the meaning of each, what is kept verbatim, and what is
//! reported.

use hl7v2::escape::{Format, Token, tokens, unescape};
use hl7v2::path::Path;
use hl7v2::{Charset, Delimiters, IssueKind, Message};

/// The default delimiters with the truncation character of 2.7.
fn delimiters() -> Delimiters {
    Delimiters {
        truncation: Some(b'#'),
        ..Delimiters::default()
    }
}

#[test]
fn each_sequence_has_its_meaning() {
    for (clause, raw, text) in [
        ("2.7.4 delimiters", r"\F\\S\\T\\R\\E\\P\", r"|^&~\#"),
        ("2.7.4 in words", r"Smith \T\ Jones", "Smith & Jones"),
        ("an escaped escape begins nothing", r"\E\.br\E\", r"\.br\"),
        ("the same twice", r"\E\E\E\", r"\E\"),
        (
            "2.7.3 highlighting",
            r"is \H\critical\N\ now",
            "is critical now",
        ),
        ("2.7.3 without an end", r"\H\critical", "critical"),
        ("2.7.5 hexadecimal", r"\X414243\", "ABC"),
        ("2.7.5 line end", r"a\X0D0A\b", "a\r\nb"),
        ("2.7.5 small digits", r"\X4a4B\", "JK"),
        ("2.7.5 a delimiter stays text", r"a\X7C\b\X5E\c", "a|b^c"),
        ("2.7.6 .br", r"one\.br\two", "one\ntwo"),
        ("2.7.6 .sp", r"one\.sp\two", "one\ntwo"),
        (
            "2.7.6 .sp with a number",
            r"one\.sp2\two\.sp+1\three",
            "one\n\ntwo\nthree",
        ),
        ("2.7.6 .ce", r"one\.ce\two", "one\ntwo"),
        ("2.7.6 .sk", r"a\.sk3\b\.sk+1\c\.sk 2\d", "a   b c  d"),
        ("2.7.6 .fi .nf", r"\.nf\a\.fi\b", "ab"),
        ("2.7.6 .in .ti", r"\.in+4\a\.ti-2\b\.in-4\c", "abc"),
        (
            "2.7.7 local",
            r"a\Z1\b\Zlocal thing\c",
            r"a\Z1\b\Zlocal thing\c",
        ),
    ] {
        let found = unescape(raw.as_bytes(), &delimiters(), Charset::UTF_8);
        assert_eq!(found, text, "{clause}");
        let issues: Vec<_> = tokens(raw.as_bytes(), &delimiters())
            .filter_map(|token| token.issue())
            .collect();
        assert_eq!(issues, [], "{clause}");
    }
}

#[test]
fn malformed_sequences_are_kept_and_reported() {
    use IssueKind::{BadHexEscape, UnknownEscape, UnterminatedEscape};
    for (clause, raw, issues) in [
        ("no end", r"a\T", vec![UnterminatedEscape]),
        ("only the escape character", r"\", vec![UnterminatedEscape]),
        ("nothing inside", r"a\\b", vec![UnterminatedEscape; 2]),
        ("a path", r"C:\dir one\file", vec![UnterminatedEscape; 2]),
        (
            "longer than any",
            r"\aaaaaaaaaabbbbbbbbbbccccccccccddd\",
            vec![UnterminatedEscape; 2],
        ),
        ("no such letter", r"a\Q\b", vec![UnknownEscape]),
        ("small letters", r"\t\", vec![UnknownEscape]),
        ("no such command", r"\.zz\", vec![UnknownEscape]),
        ("a command with too much", r"\.br2\", vec![UnknownEscape]),
        ("an indent without a number", r"\.in\", vec![UnknownEscape]),
        ("half a byte", r"\X414\", vec![BadHexEscape]),
        ("no digits", r"\X\", vec![BadHexEscape]),
        ("not hexadecimal", r"\XZZ\", vec![BadHexEscape]),
        ("blanks between", r"\X41 42\", vec![BadHexEscape]),
        (
            "highlighting inside of another",
            r"\H\a\H",
            vec![UnterminatedEscape],
        ),
    ] {
        let found: Vec<_> = tokens(raw.as_bytes(), &delimiters())
            .filter_map(|token| token.issue())
            .collect();
        assert_eq!(found, issues, "{clause}");
        let text = unescape(raw.as_bytes(), &delimiters(), Charset::UTF_8);
        assert_eq!(text, raw.replace(r"\H\", ""), "{clause}: nothing is lost");
    }
}

#[test]
fn tokens_say_what_plain_text_cannot() {
    let raw = br"\H\x\N\\.sp2\\.in-3\\Zq\\C2842\";
    let found: Vec<Token<'_>> = tokens(raw, &delimiters()).collect();
    assert_eq!(
        found,
        [
            Token::Highlight(true),
            Token::Text(b"x"),
            Token::Highlight(false),
            Token::Format(Format::Space(2)),
            Token::Format(Format::Indent(-3)),
            Token::Local(br"\Zq\"),
            Token::Charset(br"\C2842\"),
        ]
    );
}

/// With custom delimiters the letters stay and the characters change; without an escape character,
/// a backslash is a backslash.
#[test]
fn the_messages_own_delimiters_count() {
    for (clause, msh_2, raw, text) in [
        ("2.5.4 others", "%*/@", "/F//S//T//R//E/", "$%@*/"),
        ("2.5.4 not ours", "%*/@", r"\F\ and ^~&", r"\F\ and ^~&"),
        (
            "2.7.4 \\P\\ without a truncation character",
            "%*/@",
            "/P/",
            "/P/",
        ),
        ("2.7.4 \\P\\ with one", "%*/@#", "/P/", "#"),
        (
            "no escape character",
            "^~&",
            r"\F\ and \X41\",
            r"\F\ and \X41\",
        ),
    ] {
        let field = if msh_2.starts_with('%') { '$' } else { '|' };
        let raw = format!("MSH|{msh_2}|A\rOBX|1|FT|a||{raw}\r").replace('|', &field.to_string());
        let message = Message::parse(raw);
        let value = message.get(&Path::parse("OBX-5").unwrap()).unwrap();
        assert_eq!(value.text(), text, "{clause}");
    }
}

/// 2.7: a sequence cut by a delimiter is not a sequence, and the delimiter counts.
#[test]
fn delimiters_come_before_escapes() {
    let message = Message::parse("MSH|^~\\&|A\rOBX|1|FT|a||\\X41^42\\~\\T|\\\r");
    let text = |path: &str| {
        let found = message.get(&Path::parse(path).unwrap());
        found
            .map(|piece| piece.text().into_owned())
            .unwrap_or_default()
    };
    assert_eq!(text("OBX-5[1].1"), "\\X41");
    assert_eq!(text("OBX-5[1].2"), "42\\");
    assert_eq!(text("OBX-5[2]"), "\\T");
    assert_eq!(text("OBX-6"), "\\");
    let places: Vec<String> = message
        .issues()
        .iter()
        .filter(|issue| issue.kind == IssueKind::UnterminatedEscape)
        .map(|issue| issue.place.to_string())
        .collect();
    assert_eq!(places, ["OBX-5.1", "OBX-5.2", "OBX-5[2].1", "OBX-6.1"]);
}
