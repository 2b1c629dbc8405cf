//! The tree against RFC 8259, FHIR's JSON rules and `serde_json`.

use fhir::json::{Document, JsonErrorKind, Kind, MAX_DEPTH};
use proptest::prelude::*;

#[test]
fn faults_with_their_places() {
    for (source, kind, line, column) in [
        ("", JsonErrorKind::Empty, 1, 1),
        (" \n ", JsonErrorKind::Empty, 2, 2),
        ("{", JsonErrorKind::Unfinished, 1, 2),
        ("{\"a\":1,}", JsonErrorKind::ExpectedName, 1, 8),
        ("{\"a\" 1}", JsonErrorKind::ExpectedColon, 1, 6),
        ("[1 2]", JsonErrorKind::ExpectedCommaOrEnd, 1, 4),
        ("[1,]", JsonErrorKind::ExpectedValue, 1, 4),
        ("{}\n x", JsonErrorKind::Trailing, 2, 2),
        ("01", JsonErrorKind::BadNumber, 1, 2),
        ("1.", JsonErrorKind::Unfinished, 1, 3),
        ("[1.]", JsonErrorKind::BadNumber, 1, 4),
        ("[+1]", JsonErrorKind::ExpectedValue, 1, 2),
        ("\"\\x\"", JsonErrorKind::BadEscape, 1, 2),
        ("\"\\ud800\"", JsonErrorKind::BadEscape, 1, 2),
        ("\"a\u{1}\"", JsonErrorKind::ControlCharacter, 1, 3),
        ("nul", JsonErrorKind::ExpectedValue, 1, 1),
        ("'a'", JsonErrorKind::ExpectedValue, 1, 1),
        ("\u{feff}{}", JsonErrorKind::ExpectedValue, 1, 1),
    ] {
        let error = Document::parse(source).unwrap_err();
        assert_eq!(
            (error.kind, error.line, error.column),
            (kind, line, column),
            "{source:?}"
        );
    }
    let error = Document::parse(b"\"a\xff\"").unwrap_err();
    assert_eq!((error.kind, error.offset), (JsonErrorKind::NotUtf8, 2));
    let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    assert!(Document::parse(nested(MAX_DEPTH)).is_ok());
    let error = Document::parse(nested(MAX_DEPTH + 1)).unwrap_err();
    assert_eq!(error.kind, JsonErrorKind::TooDeep);
}

#[test]
fn walks_what_it_read() {
    let source = r#"{"resourceType":"Patient", "n\u0061me":[{"family":"Z\u00e9\n","given":["ZZ","TEST"]}],"n":1.00,"odd_":[]}"#;
    let document = Document::parse(source).unwrap();
    let root = document.root();
    let name = root.get("name").unwrap().item(0).unwrap();
    assert_eq!(document.resource_type(), Some("Patient"));
    assert_eq!(name.text("family").unwrap(), "Z\u{e9}\n");
    assert_eq!(
        name.each("given")
            .map(|g| g.as_str().unwrap())
            .collect::<Vec<_>>(),
        ["ZZ", "TEST"]
    );
    assert_eq!(root.get("n").unwrap().number_text(), Some("1.00"));
    assert_eq!(root.get("odd_").unwrap().kind(), Kind::Array);
    assert_eq!(
        name.raw(),
        br#"{"family":"Z\u00e9\n","given":["ZZ","TEST"]}"#
    );
    let last = name.get("given").unwrap().item(1).unwrap();
    assert_eq!(document.path_of(last), "Patient.name[0].given[1]");
    assert_eq!(document.node(last.index()), Some(last));
    let names: Vec<_> = root.fields().map(|field| field.name().unwrap()).collect();
    assert_eq!(names, ["resourceType", "name", "n", "odd_"]);
}

#[test]
fn primitives_and_their_extensions() {
    let source = r#"{"_birthDate":{"id":"b"},"birthDate":"2020","_given":[null,{"id":"g"},{"id":"h"}],
        "given":["a",null,"c"],"_active":{"id":"c"},"_zz":{"id":"z"},"zz":1}"#;
    let document = Document::parse(source).unwrap();
    let root = document.root();
    let id = |name: &str| {
        let other = root.get(name).unwrap().extension_sibling()?;
        Some(other.text("id").unwrap().into_owned())
    };
    assert_eq!(id("birthDate").as_deref(), Some("b"));
    assert_eq!(id("zz").as_deref(), Some("z"));
    let given: Vec<bool> = root
        .get("given")
        .unwrap()
        .items()
        .map(|g| g.extension_sibling().is_some())
        .collect();
    assert_eq!(given, [false, true, true]);
    assert!(root.get("active").is_none());
    assert!(root.element("active").unwrap().is_primitive_extension());
    assert_eq!(root.each("given").count(), 2);
}

#[test]
fn duplicate_names_are_kept_and_reported() {
    for (source, location) in [
        (
            r#"{"resourceType":"Patient","id":"a","id":"b"}"#,
            "Patient.id",
        ),
        (r#"{"x":1,"\u0078":2}"#, "x"),
        (r#"{"a":[{"_b":1,"b":2,"_b":3}]}"#, "a[0]._b"),
    ] {
        let document = Document::parse(source).unwrap();
        let [issue] = document.issues() else {
            panic!("{source}")
        };
        assert_eq!(issue.location, location);
    }
    let first = Document::parse(r#"{"id":"a","id":"b"}"#).unwrap();
    assert_eq!(first.root().text("id").unwrap(), "a");
    let many: Vec<String> = (0..5000).map(|n| format!("\"k{n}\":{n}")).collect();
    assert!(
        Document::parse(format!("{{{}}}", many.join(",")))
            .unwrap()
            .issues()
            .is_empty()
    );
}

/// Returns whether `serde_json` accepts strict JSON; a number beyond `f64` is still JSON.
fn serde_accepts(bytes: &[u8]) -> bool {
    match serde_json::from_slice::<serde_json::Value>(bytes) {
        Ok(_) => true,
        Err(error) => error.to_string().starts_with("number out of range"),
    }
}

fn agree(bytes: &[u8]) -> Result<(), TestCaseError> {
    let ours = Document::parse(bytes).is_ok();
    prop_assert_eq!(
        ours,
        serde_accepts(bytes),
        "{:?}",
        String::from_utf8_lossy(bytes)
    );
    prop_assert!(fhir::fuzz::fuzz(bytes));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        agree(&bytes)?;
    }

    #[test]
    fn nearly_json(text in r#"[\[\]{},:"\\ \n0-9eE.+\-abtrufalsn_é/]{0,24}"#) {
        agree(text.as_bytes())?;
    }

    #[test]
    fn strings(text in r#""(\\u[0-9a-dD][0-9a-f]{3}|\\["\\/bfnrtux]|[a-z\u{1}é𝄞 ]){0,8}""#) {
        agree(text.as_bytes())?;
    }

    #[test]
    fn numbers(text in r"-?[0-9]{0,3}\.?[0-9]{0,3}([eE][+-]?[0-9]{0,3})?") {
        agree(text.as_bytes())?;
    }
}

/// Seeded mutations of real inputs, replayed on every run.
#[test]
fn mutations_never_panic() {
    let seed = include_str!("patient.json").as_bytes();
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    for _ in 0..3000 {
        let mut bytes = seed.to_vec();
        for _ in 0..=next(4) {
            if bytes.len() < 2 {
                break;
            }
            let at = next(bytes.len());
            match next(4) {
                0 => bytes[at] = next(256) as u8,
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, b"{}[]\",:_\\0"[next(10)]),
                _ => bytes.truncate(at.max(1)),
            }
        }
        assert!(fhir::fuzz::fuzz(&bytes));
    }
}
