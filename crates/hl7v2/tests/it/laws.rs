//! Laws over arbitrary bytes and over message-like text.

use hl7v2::path::Path;
use hl7v2::{Charset, Delimiters, Message, escape, fuzz, mllp};
use proptest::prelude::*;

/// Generates bytes from the fragments of messages, so that odd combinations are found soon.
fn message_like() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        Just(b"MSH|^~\\&|A|B|C|D|2026||ORU^R01^ORU_R01|1|P|2.5.1\r".to_vec()),
        Just(b"\rMSH|^~\\&".to_vec()),
        Just(b"\rMSH$%*/@$".to_vec()),
        Just(b"\rOBX|1|NM|".to_vec()),
        Just(b"\rPID|".to_vec()),
        Just(b"\nORC|RE".to_vec()),
        Just(b"\rOBR|1\r".to_vec()),
        Just(b"\rFHS|\rBHS|\rBTS|9\rFTS|".to_vec()),
        Just(b"\\X4".to_vec()),
        Just(b"\\.br\\".to_vec()),
        Just(b"8859/1".to_vec()),
        Just(b"GB 18030-2000".to_vec()),
        "[|^~&\\\\\r\n\"]{1,4}".prop_map(String::into_bytes),
        "[A-Z0-9]{1,4}".prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 1..4),
    ];
    proptest::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
}

fn any_delimiters() -> impl Strategy<Value = Delimiters> {
    prop_oneof![
        Just(Delimiters::default()),
        Just(Delimiters {
            truncation: Some(b'#'),
            ..Delimiters::default()
        }),
        Just(Delimiters {
            field: b'$',
            component: b'%',
            repeat: b'*',
            escape: Some(b'/'),
            subcomponent: b'@',
            truncation: None
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_bytes_are_a_message(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        prop_assert_eq!(fuzz::message(&bytes), Ok(()));
    }

    #[test]
    fn what_looks_like_a_message_is_one(bytes in message_like()) {
        prop_assert_eq!(fuzz::message(&bytes), Ok(()));
    }

    #[test]
    fn a_fields_bytes_are_those_of_the_field(bytes in message_like()) {
        let message = Message::parse(bytes);
        let delimiters = message.delimiters();
        for segment in message.segments() {
            for n in 0..segment.field_count() + 2 {
                let (raw, is_divided) = segment.field_bytes(n);
                prop_assert_eq!(raw, segment.field(n).raw());
                let has = |byte: &u8| raw.contains(byte);
                let separators = [delimiters.repeat, delimiters.component, delimiters.subcomponent];
                prop_assert!(is_divided || !separators.iter().any(has));
            }
        }
    }

    #[test]
    fn any_split_of_a_stream_gives_the_same_frames(
        parts in proptest::collection::vec(
            prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..20).prop_map(|body| mllp::frame(&body)),
                proptest::collection::vec(prop_oneof![Just(0x0B), Just(0x1C), Just(0x0D), any::<u8>()], 0..90),
            ],
            0..12,
        )
    ) {
        prop_assert_eq!(fuzz::mllp(&parts.concat()), Ok(()));
    }

    #[test]
    fn escaping_and_back(text in any::<String>(), delimiters in any_delimiters()) {
        let raw = escape::escape(&text, &delimiters, Charset::UTF_8);
        prop_assert!(raw != b"\"\"");
        prop_assert!(!raw.contains(&b'\r') && !raw.contains(&delimiters.field));
        prop_assert_eq!(escape::unescape(&raw, &delimiters, Charset::UTF_8), text);
    }

    #[test]
    fn a_path_reads_back(path in "([A-Z_]{3,9}(\\[[1-9*]\\])?\\.){0,2}[A-Z][A-Z0-9]{2}(\\[[1-9]\\])?(-[1-9][0-9]?(\\[[1-9*]\\])?(\\.[1-9](\\.[1-9])?)?)?") {
        if let Ok(parsed) = Path::parse(&path) {
            prop_assert_eq!(parsed.to_string(), path);
        }
    }

    #[test]
    fn any_text_is_a_path_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..30)) {
        prop_assert_eq!(fuzz::path(&bytes), Ok(()));
    }

    #[test]
    fn a_value_set_is_read_back_and_nothing_else_changes(
        text in "[ -~éł]{1,12}", field in 3_usize..30, repeat in 1_usize..4, component in 1_usize..5, sub in 1_usize..3,
    ) {
        let message = Message::parse("MSH|^~\\&|A\rPID|1||X^Y&Z~W\rOBX|1|ST|A^B||v\r");
        let path = Path::parse(&format!("PID-{field}[{repeat}].{component}.{sub}")).unwrap();
        let changed = message.with_set(&path, &text).unwrap();
        prop_assert_eq!(changed.get(&path).unwrap().text(), text);
        for other in ["MSH-3", "PID-1", "OBX-3.2", "OBX-5"] {
            let other = Path::parse(other).unwrap();
            prop_assert_eq!(changed.get(&other).unwrap().raw(), message.get(&other).unwrap().raw());
        }
        prop_assert_eq!(changed.segments().len(), 3);
    }
}

/// Runs what a fuzzer runs, with a fixed seed, on every build.
#[test]
fn seeded_mutations() {
    let seeds: [&[u8]; 22] = [
        b"MSH|^~\\&|A\r\x1cMSH|^~\\&|B\r",
        b"MSH",
        b"MSH|",
        b"MSH|^",
        b"MSH||||||",
        b"MSH|^^^^|A|B\rPID|1||x^y\r",
        b"MSH\r^~\\&\rPID\r1\r",
        b"MSH\n^~\\&|\n",
        "MSH§^~\\&§A§B\rPID§1\r".as_bytes(),
        b"MSH\\^~\\&\\A\\B\rPID\\1\\X41\\\r",
        b"MSH|^~\\&|A|B|C|D|2026||ORU^R01|1|P|2.5|||||||~ISO IR87\rOBX|1|FT|a||\x1b$B;3ED\x1b(B\\M2442\\;3\\C2842\\\r",
        b"MSH|^~\\&|A|B|C|D|2026||ORU^R01|1|P|2.5||||||BIG-5\rPID|1||\xb3\x5c\xa5\x5c^\\XBB5C\\\r",
        b"MSH|^~\\&|A\rOBX|1|FT|a||one\rADD|two\rADD|three|x\rDSC|1|F\r",
        b"M\0S\0H\0|\0^\0~\0\\\0&\0|\0A\0|\0B\0\r\0P\0I\0D\0|\x001\0",
        b"MSH|^~\\&|A|B|C|D|2026||ORU^R01^ORU_R01|1|P|2.5.1||||||8859/1\rPID|1||1^^^A&B&C~2\rOBR|1\rOBX|1|FT|A^B||x\\.br\\y\\X41\\z\rZZZ|1\r",
        b"MSHx^~\\&xAPPxFACxCxDx2026xxADT^A01x1xPx2.5\rPIDx1x\r",
        b"MSH|^~\\&\rPID|1|",
        b"MSH\x1d\x1e\x1f\x01\x02\x1dA\x1dB\x1d\x1d\x1d\x1d\x1dADT\x1d1\x1dP\x1d2.3\rPID\x1d1",
        b"MSH|^~&|A|B|C|D|2026||ADT^A01|1|P|2.1\rPID|1|\\T\\",
        b"MSH$%*/@#$A$B$C$D$2026$$ADT%A01$x/P/y$P$2.8.2$$$AL$NE$$UNICODE UTF-8\rPID$1$a%b@c*d#$\"\"\r",
        b"MSH|^~\\&#|A\nPV1|1\nPID|1\n\nEVN|\r\n",
        b"\x0bFHS|^~\\&\rBHS|^~\\&\rMSH|^~\\&|A|\xe9\rBTS|1\rFTS|1\r\x1c\r",
    ];
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    for round in 0..rounds() {
        let mut bytes = seeds[round % seeds.len()].to_vec();
        for _ in 0..=next(6) {
            let at = next(bytes.len().max(1));
            if at >= bytes.len() {
                bytes.push(b'|');
                continue;
            }
            match next(4) {
                0 => bytes[at] = next(256) as u8,
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, b"|^~\\&\r\n\x0b\x1c\""[next(10)]),
                _ => {
                    let end = (at + next(20)).min(bytes.len());
                    let copy = bytes[at..end].to_vec();
                    bytes.extend(copy);
                }
            }
        }
        assert_eq!(fuzz::message(&bytes), Ok(()), "{bytes:?}");
        assert_eq!(fuzz::mllp(&bytes), Ok(()), "{bytes:?}");
        assert_eq!(fuzz::batch(&bytes), Ok(()), "{bytes:?}");
        assert_eq!(fuzz::path(&bytes), Ok(()), "{bytes:?}");
    }
}

/// Number of mutations that [`seeded_mutations`] tries: `CAUSEWAY_FUZZ_ROUNDS` for a long manual
/// run.
fn rounds() -> usize {
    let asked = std::env::var("CAUSEWAY_FUZZ_ROUNDS").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(4_000)
}

/// Four times the bytes take about four times as long, whatever the input.
#[test]
fn no_input_takes_more_than_linear_time() {
    let head = b"MSH|^~\\&|A|B|C|D|2026||ORU^R01^ORU_R01|1|P|2.5.1\rOBX|1|FT|a||";
    for unit in [
        "~",
        "|",
        "&",
        "^",
        "\\",
        "\r",
        "\n",
        "OBX\r",
        "ADD|x\r",
        "ZZZ|\r",
        "MSH|\r",
        "BHS|\r",
        "\\X41\\",
        "\\XEB\\",
        "\\M2442\\",
        "\u{1b}$B",
        "\\C",
        "\u{1c}",
        "é",
        "\0",
    ] {
        let time = |n_bytes: usize| {
            let bytes = [&head[..], unit.repeat(n_bytes / unit.len()).as_bytes()].concat();
            let began = std::time::Instant::now();
            let message = Message::parse(bytes.clone());
            let _ = message.structure().issues().len() + message.issues().len();
            let last = message.get(&Path::parse("OBX-5").unwrap());
            let _ = last.map(|piece| piece.text().len());
            drop(hl7v2::batch::read(bytes));
            began.elapsed()
        };
        let (small, large) = (time(100_000), time(400_000));
        let bound = small * 8 + std::time::Duration::from_millis(500);
        assert!(large < bound, "{unit:?}: {small:?}, then {large:?}");
    }
}
