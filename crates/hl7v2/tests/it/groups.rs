//! Groups, including those of senders with odd segment orders, and paths through them.

use hl7v2::path::Path;
use hl7v2::structure::{Child, Group};
use hl7v2::{Message, Version};

/// Formats the tree in one line: `ORU_R01(MSH PATIENT_RESULT(…))`.
fn tree(message: &Message, group: &Group<'_>) -> String {
    let children: Vec<String> = group
        .children()
        .map(|child| match child {
            Child::Segment(index) => message.segment_at(index).unwrap().name().to_owned(),
            Child::Group(group) => tree(message, &group),
        })
        .collect();
    format!("{}({})", group.name(), children.join(" "))
}

fn message(message_type: &str, segments: &[&str]) -> Message {
    let header = format!("MSH|^~\\&|A|B|C|D|2026||{message_type}|1|P|2.5.1\r");
    Message::parse(header + &segments.join("\r") + "\r")
}

#[test]
fn segments_find_their_groups() {
    let oru = "ORU^R01^ORU_R01";
    let cases: [(&str, &[&str], &str); 11] = [
        (
            oru,
            &[
                "PID", "PV1", "ORC", "OBR", "NTE", "OBX", "NTE", "OBX", "SPM", "ORC", "OBR", "OBX",
            ],
            "ORU_R01(MSH PATIENT_RESULT(PATIENT(PID VISIT(PV1)) ORDER_OBSERVATION(ORC OBR NTE \
             OBSERVATION(OBX NTE) OBSERVATION(OBX) SPECIMEN(SPM)) ORDER_OBSERVATION(ORC OBR OBSERVATION(OBX))))",
        ),
        (
            oru,
            &["PID", "OBR", "OBX", "PID", "OBR", "OBX"],
            "ORU_R01(MSH PATIENT_RESULT(PATIENT(PID) ORDER_OBSERVATION(OBR OBSERVATION(OBX))) \
             PATIENT_RESULT(PATIENT(PID) ORDER_OBSERVATION(OBR OBSERVATION(OBX))))",
        ),
        // Out of order: the visit before the patient.
        (
            oru,
            &["PV1", "PID", "OBR"],
            "ORU_R01(MSH PATIENT_RESULT(PATIENT(VISIT(PV1) PID) ORDER_OBSERVATION(OBR)))",
        ),
        // Out of order: each OBR before its ORC.
        (
            oru,
            &["PID", "OBR", "ORC", "OBX", "OBR", "ORC", "OBX"],
            "ORU_R01(MSH PATIENT_RESULT(PATIENT(PID) ORDER_OBSERVATION(OBR ORC OBSERVATION(OBX)) \
             ORDER_OBSERVATION(OBR ORC OBSERVATION(OBX))))",
        ),
        // Out of order: the patient at the end.
        (
            oru,
            &["OBR", "OBX", "PID", "PV1"],
            "ORU_R01(MSH PATIENT_RESULT(ORDER_OBSERVATION(OBR OBSERVATION(OBX)) PATIENT(PID VISIT(PV1))))",
        ),
        // Nonstandard: no OBR at all; a note after the specimen; Z segments stay with their
        // neighbour.
        (
            oru,
            &["PID", "OBX"],
            "ORU_R01(MSH PATIENT_RESULT(PATIENT(PID) ORDER_OBSERVATION(OBSERVATION(OBX))))",
        ),
        (
            oru,
            &["PID", "OBR", "OBX", "ZZ1", "NTE", "SPM", "NTE"],
            "ORU_R01(MSH PATIENT_RESULT(PATIENT(PID) ORDER_OBSERVATION(OBR OBSERVATION(OBX ZZ1 NTE NTE) SPECIMEN(SPM))))",
        ),
        (
            "ADT^A01^ADT_A01",
            &[
                "EVN", "PID", "PV1", "PD1", "IN1", "IN2", "IN1", "NTE", "ZPV",
            ],
            "ADT_A01(MSH EVN PID PV1 PD1 INSURANCE(IN1 IN2) INSURANCE(IN1 NTE ZPV))",
        ),
        (
            "VXU^V04^VXU_V04",
            &["PID", "ORC", "RXA", "RXR", "OBX", "OBX", "ORC", "RXA"],
            "VXU_V04(MSH PID ORDER(ORC RXA RXR OBSERVATION(OBX) OBSERVATION(OBX)) ORDER(ORC RXA))",
        ),
        (
            "ADT^A40^ADT_A39",
            &["EVN", "PID", "MRG", "PID", "MRG"],
            "ADT_A39(MSH EVN PATIENT(PID MRG) PATIENT(PID MRG))",
        ),
        ("XXX^X99", &["PID", "OBX"], "(MSH PID OBX)"),
    ];
    for (message_type, segments, expected) in cases {
        let message = message(message_type, segments);
        let found = tree(&message, &message.structure().root());
        assert_eq!(found, expected, "{message_type} {segments:?}");
    }
}

/// The grammar of an OML allows the next order to be a prior one (4.4.6): it is the next one unless
/// a patient of its own says otherwise.
#[test]
fn the_next_order_is_not_a_prior_result() {
    let oml = "OML^O21^OML_O21";
    let two = message(oml, &["PID", "ORC", "OBR", "ORC", "OBR"]);
    let tree_of = |message: &Message| tree(message, &message.structure().root());
    assert_eq!(
        tree_of(&two),
        "OML_O21(MSH PATIENT(PID) ORDER(ORC OBSERVATION_REQUEST(OBR)) ORDER(ORC OBSERVATION_REQUEST(OBR)))"
    );
    let prior = message(oml, &["PID", "ORC", "OBR", "PID", "ORC", "OBR", "OBX"]);
    assert!(
        tree_of(&prior).contains(
            "PRIOR_RESULT(PATIENT_PRIOR(PID) ORDER_PRIOR(ORC OBR OBSERVATION_PRIOR(OBX)))"
        ),
        "{}",
        tree_of(&prior)
    );
}

#[test]
fn paths_find_values() {
    let message = message(
        "ORU^R01^ORU_R01",
        &[
            "PID|1||1^^^A&B~2^^^C||TESTPATIENT^ZOE",
            "OBR|1|||A^X",
            "OBX|1|ST|a||one",
            "OBX|2|ST|b||two~three",
            "OBR|2|||B^Y^L",
            "OBX|1|ST|c||four\\T\\",
            "OBX|2|ST|d||\"\"",
        ],
    );
    let cases: [(&str, Option<&str>, &[&str]); 14] = [
        ("PID-5.1", Some("TESTPATIENT"), &["TESTPATIENT"]),
        ("PID-5[1].2", Some("ZOE"), &["ZOE"]),
        ("PID-3", Some("1^^^A&B~2^^^C"), &["1^^^A&B", "2^^^C"]),
        ("PID-3[2].4", Some("C"), &["C"]),
        ("PID-3[1].4.2", Some("B"), &["B"]),
        ("PID-3[*].1", Some("1"), &["1", "2"]),
        ("OBX[3]-5", Some("four&"), &["four&"]),
        (
            "OBX-5",
            Some("one"),
            &["one", "two", "three", "four&", "\"\""],
        ),
        ("OBX[2]-5[2]", Some("three"), &["three"]),
        ("ORDER_OBSERVATION[2].OBR-4.1", Some("B"), &["B"]),
        (
            "PATIENT_RESULT.ORDER_OBSERVATION[2].OBSERVATION[1].OBX-3",
            Some("c"),
            &["c"],
        ),
        ("ORU_R01.ORDER_OBSERVATION[2].OBX[2]-3", Some("d"), &["d"]),
        ("MSH-9.3", Some("ORU_R01"), &["ORU_R01"]),
        ("PV1-2", None, &[]),
    ];
    for (path, first, all) in cases {
        let parsed = Path::parse(path).unwrap();
        assert_eq!(parsed.to_string(), path);
        assert_eq!(
            message.get(&parsed).map(|piece| piece.text()).as_deref(),
            first,
            "{path}"
        );
        let found: Vec<_> = message
            .get_all(&parsed)
            .iter()
            .map(hl7v2::Piece::text)
            .collect();
        assert_eq!(found, all, "{path}");
    }
    assert_eq!(
        message.get(&Path::parse("MSH-1").unwrap()).unwrap().text(),
        "|"
    );
    assert_eq!(
        message.get(&Path::parse("MSH-2").unwrap()).unwrap().raw(),
        b"^~\\&"
    );
    assert!(
        message
            .get(&Path::parse("OBX[4]-5").unwrap())
            .unwrap()
            .is_null()
    );
    for (wrong, column) in [
        ("", 1),
        ("PID-", 5),
        ("PID-5[0]", 7),
        ("PID-5.1.1.1", 10),
        ("pid-5", 1),
        ("PIDX-5", 5),
    ] {
        assert_eq!(Path::parse(wrong).unwrap_err().column, column, "{wrong}");
    }
}

#[test]
fn the_dictionary_knows_names_types_and_tables() {
    let dictionary = hl7v2::Dictionary::of(Version::V2_5_1);
    let pid3 = dictionary.field("PID", 3).unwrap();
    assert_eq!(
        (pid3.name, pid3.datatype),
        ("Patient Identifier List", "CX")
    );
    assert!(pid3.required && pid3.repeats);
    assert_eq!(
        dictionary.segment_name("PID"),
        Some("Patient Identification")
    );
    assert_eq!(dictionary.component("CX", 4).unwrap().datatype, "HD");
    assert_eq!(dictionary.components("ST").count(), 0);
    assert_eq!(dictionary.field("PID", 8).unwrap().table, Some("0001"));
    assert_eq!(
        dictionary.table("0001").unwrap().meaning("F"),
        Some("Female")
    );
    assert_eq!(
        hl7v2::Dictionary::of(Version::V2_1)
            .field("PID", 3)
            .unwrap()
            .datatype,
        "CK"
    );
    assert_eq!(
        hl7v2::Dictionary::of(Version::V2_8_2)
            .field("OBX", 3)
            .unwrap()
            .datatype,
        "CWE"
    );
    for (code, event, structure) in [
        ("ADT", "A04", Some("ADT_A01")),
        ("ADT", "A31", Some("ADT_A05")),
        ("ADT", "A40", Some("ADT_A39")),
        ("SIU", "S14", Some("SIU_S12")),
        ("ORU", "R01", Some("ORU_R01")),
        ("ADT", "X99", None),
    ] {
        assert_eq!(
            dictionary.structure_of(code, event),
            structure,
            "{code}^{event}"
        );
    }
    for version in Version::ALL {
        let dictionary = hl7v2::Dictionary::of(version);
        assert!(dictionary.fields("PID").count() > 10, "{version}");
        assert!(
            dictionary.has_structure("ADT_A01") && dictionary.has_structure("ORU_R01"),
            "{version}"
        );
    }
}
