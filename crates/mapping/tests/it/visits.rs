//! The visit that a sequence of events produces.

use fhir::build::Value;
use hl7v2::Message;
use mapping::{MapSet, Source};

/// Returns the visit after these events: the event, PV1-2, PV1-44, PV1-45.
fn visit(events: &[(&str, &str, &str, &str)]) -> Value {
    let mut known: Option<Value> = None;
    for (event, class, start, end) in events {
        let skipped = "|".repeat(24);
        let text = format!(
            "MSH|^~\\&|ADT|NORTH|||20240101000000+0000||ADT^{event}|1|P|2.5.1\r\
             EVN|{event}|20240101000000+0000\r\
             PID|1||1^^^HOSP^MR||ZZTEST^JANE\r\
             PV1|1|{class}|||||||||||||||||V1^^^HOSP^VN{skipped}|{start}|{end}\r"
        );
        let message = Message::parse(text.into_bytes());
        let conversion = MapSet::builtin().forward(&message, &Source::default());
        let mut drafts = conversion.drafts.iter();
        let draft = drafts
            .find(|draft| draft.resource_type == "Encounter")
            .unwrap();
        known = Some(draft.apply(known.as_ref()).value);
    }
    known.unwrap()
}

/// `visits by none`: a visit without a number makes no visit, and the report says where and why.
#[test]
fn without_a_number_and_known_by_nothing() {
    let dialect = "dialect SITE extends v2\nvisits by none\n";
    let set = MapSet::with([("site.map", dialect)]).unwrap();
    let source = Source {
        dialect: Some("SITE".to_owned()),
        ..Source::default()
    };
    for (number, n_visits) in [("", 0), ("V1", 1)] {
        let skipped = "|".repeat(17);
        let text = format!(
            "MSH|^~\\&|ADT|NORTH|||20240101000000+0000||ADT^A01|1|P|2.5.1\r\
             PID|1||1^^^HOSP^MR||ZZTEST^JANE\rPV1|1|I{skipped}{number}\r"
        );
        let made = set.forward(&Message::parse(text.into_bytes()), &source);
        let drafts = made.drafts.iter();
        let visits = drafts.filter(|draft| draft.resource_type == "Encounter");
        assert_eq!(visits.count(), n_visits, "{number}");
        let mut issues = made.report.issues.iter();
        let told = issues.find(|issue| issue.code == "visit-without-number");
        assert_eq!(told.is_some(), number.is_empty(), "{number}");
        if let Some(told) = told {
            assert_eq!(told.location, "PV1");
            assert!(told.text.contains("PV1-19"), "{}", told.text);
        }
    }
}

#[test]
fn follow_the_events() {
    const IN: &str = "20240101080000+0000";
    const OUT: &str = "20240103080000+0000";
    type Event<'a> = (&'a str, &'a str, &'a str, &'a str);
    let cases: [(&str, &[Event<'_>], &str, bool); 7] = [
        ("A01 admits", &[("A01", "I", IN, "")], "in-progress", false),
        (
            "A03 ends",
            &[("A01", "I", IN, ""), ("A03", "I", IN, OUT)],
            "finished",
            true,
        ),
        (
            "A08 after it does not reopen",
            &[
                ("A01", "I", IN, ""),
                ("A03", "I", IN, OUT),
                ("A08", "I", IN, ""),
            ],
            "finished",
            true,
        ),
        (
            "A08 of a visit that nobody knows",
            &[("A08", "O", IN, "")],
            "in-progress",
            false,
        ),
        (
            "A13 takes the end back",
            &[
                ("A01", "I", IN, ""),
                ("A03", "I", IN, OUT),
                ("A13", "I", IN, ""),
            ],
            "in-progress",
            false,
        ),
        (
            "A11 takes the visit back",
            &[("A01", "I", IN, ""), ("A11", "I", IN, "")],
            "cancelled",
            false,
        ),
        ("A05 announces", &[("A05", "P", "", "")], "planned", false),
    ];
    for (clause, events, status, has_end) in cases {
        let value = visit(events);
        assert_eq!(value.text("status"), Some(status), "{clause}");
        let end = value.get("period").and_then(|period| period.text("end"));
        assert_eq!(end.is_some(), has_end, "{clause}");
    }
}
