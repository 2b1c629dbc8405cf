//! Embedded documents (HL7 v2 2A ED and RP, table 0299): what was sent can be opened, or the
//! failure is reported.

use crate::values::{convert, json, report};
use base::Severity;
use fhir::build::Value;
use mapping::Conversion;

fn made(obx: &str) -> Conversion {
    convert("ORU^R01^ORU_R01", &report(&[obx]))
}

fn attachment(made: &Conversion) -> Value {
    let own = made
        .drafts
        .iter()
        .find(|draft| draft.resource_type == "DocumentReference");
    let value = own.unwrap_or_else(|| panic!("no document")).value();
    value
        .at("content[0].attachment")
        .cloned()
        .unwrap_or(Value::Null)
}

fn worst(made: &Conversion) -> Option<Severity> {
    let own = made
        .report
        .unusable
        .iter()
        .filter(|one| one.place.segment == *b"OBX");
    let whole = made
        .report
        .issues
        .iter()
        .filter(|one| one.location.starts_with("OBX"));
    own.map(|one| one.severity)
        .chain(whole.map(|one| one.severity))
        .max()
}

#[test]
fn every_encoding_of_table_0299_and_none() {
    const PDF: &str = "JVBERi0xLjQ=";
    const CLEAR: &str = "Q2hlc3QgY2xlYXIu";
    for (obx, data, kind) in [
        (
            "ED|D^D^L||^AP^PDF^Base64^JVBERi0xLjQ=",
            PDF,
            "application/pdf",
        ),
        (
            "ED|D^D^L||^AP^PDF^base64^JVBERi0x\\X0D0A\\LjQ",
            PDF,
            "application/pdf",
        ),
        (
            "ED|D^D^L||^AP^PDF^Hex^255044462d312e34",
            PDF,
            "application/pdf",
        ),
        ("ED|D^D^L||^TEXT^plain^A^Chest clear.", CLEAR, "text/plain"),
        // No encoding, or a wrong one: it is detected from the data.
        ("ED|D^D^L||^^^^JVBERi0xLjQ=", PDF, "application/pdf"),
        ("ED|D^D^L||^AP^PDF^^JVBERi0xLjQ=", PDF, "application/pdf"),
        ("ED|D^D^L||JVBERi0xLjQ=", PDF, "application/pdf"),
        ("ED|D^D^L||^AP^PDF^Base64^%PDF-1.4", PDF, "application/pdf"),
        (
            "ED|D^D^L||^AP^PDF^B64^255044462d312e34",
            PDF,
            "application/pdf",
        ),
        ("ED|D^D^L||^TX^^^Chest clear.", CLEAR, "text/plain"),
        // Declared as a text.
        (
            "ST|D^D^L||^AP^PDF^Base64^JVBERi0xLjQ=",
            PDF,
            "application/pdf",
        ),
        ("TX|D^D^L||JVBERi0xLjQ=", PDF, "application/pdf"),
        (
            "|D^D^L||^AP^PDF^Base64^JVBERi0xLjQ=",
            PDF,
            "application/pdf",
        ),
    ] {
        let made = made(&format!("OBX|1|{obx}||||||F"));
        let attachment = attachment(&made);
        assert_eq!(attachment.text("data"), Some(data), "{obx}");
        assert_eq!(attachment.text("contentType"), Some(kind), "{obx}");
        assert!(
            worst(&made).is_none_or(|worst| worst < Severity::Error),
            "{obx}: {:?}",
            made.report
        );
    }
}

#[test]
fn a_separator_in_the_data_belongs_to_them() {
    let made = made("OBX|1|ED|D^D^L||^TEXT^plain^A^Lungs & heart clear.||||||F");
    assert_eq!(
        attachment(&made).text("data"),
        Some("THVuZ3MgJiBoZWFydCBjbGVhci4=")
    );
}

#[test]
fn a_pointer_is_whole() {
    let made = made("OBX|1|RP|D^D^L||http://pacs.example/x?a=1&b=2^PACS^IM^DICOM||||||F");
    assert_eq!(
        attachment(&made).text("url"),
        Some("http://pacs.example/x?a=1&b=2")
    );
}

#[test]
fn what_cannot_be_opened_needs_attention() {
    for obx in [
        "ED|D^D^L||^AP^PDF^Base64^not-base-64!",
        "ED|D^D^L||^AP^PDF^Hex^25504z",
        "ED|D^D^L||^AP^PDF^Zip^***",
        "ED|D^D^L||^AP^PDF^Base64",
        "ED|D^D^L|",
        "RP|D^D^L||^PACS^IM^DICOM",
    ] {
        let made = made(&format!("OBX|1|{obx}||||||F"));
        assert_eq!(
            worst(&made),
            Some(Severity::Error),
            "{obx}: {}",
            json(&attachment(&made))
        );
        assert!(attachment(&made).get("data").is_none() && attachment(&made).get("url").is_none());
    }
}

/// Each message type that carries OBX, and the segments before and after one of them.
const CARRIERS: [(&str, &[&str], &[&str]); 9] = [
    ("ADT^A01^ADT_A01", &["EVN|A01|20240105", PID, PV1], &[]),
    ("ORU^R01^ORU_R01", &[PID, OBR], &[]),
    (
        "ORU^R01^ORU_R01",
        &[
            PID,
            OBR,
            "OBX|1|NM|A^A^L||1||||||F",
            "SPM|1|S1||119297000^Blood^SCT",
        ],
        &[],
    ),
    ("OML^O21^OML_O21", &[PID, "ORC|NW|P1^HOSP", OBR], &[]),
    ("ORM^O01^ORM_O01", &[PID, "ORC|NW|P1^HOSP", OBR], &[]),
    (
        "RDE^O11^RDE_O11",
        &[
            PID,
            "ORC|NW|P1^HOSP",
            "RXE||860975^Metformin^RXNORM|1||TAB",
            "RXR|PO",
        ],
        &[],
    ),
    (
        "VXU^V04^VXU_V04",
        &[
            PID,
            "ORC|RE|P1^HOSP|F1^HOSP",
            "RXA|0|1|20240105||03^MMR^CVX|0.5|mL^mL^UCUM",
        ],
        &[],
    ),
    ("SIU^S12^SIU_S12", &["SCH|A1^HOSP|A2^HOSP", PID], &["RGS|1"]),
    // A type whose map has no place for results.
    (
        "ADT^A40^ADT_A39",
        &["EVN|A40|20240105", PID, "MRG|2^^^HOSP^MR"],
        &[],
    ),
];
const PID: &str = "PID|1||T1^^^HOSP^MR||ZZTEST^JANE||19800102|F";
const PV1: &str = "PV1|1|I|||||||||||||||||V1^^^HOSP^VN";
const OBR: &str = "OBR|1|P1^HOSP|F1^LAB|24323-8^CMP^LN|||20240105101500-0600|||||||||||||||20240105120000-0600||CH|F";

#[test]
fn a_document_in_any_message_is_one_or_told() {
    for (kind, before, behind) in CARRIERS {
        for (obx, element, expected) in [
            (
                "OBX|9|ED|D^D^L||^AP^PDF^Base64^JVBERi0xLjQ=||||||F",
                "data",
                "JVBERi0xLjQ=",
            ),
            (
                "OBX|9|RP|D^D^L||http://pacs.example/x^PACS^IM^DICOM||||||F",
                "url",
                "http://pacs.example/x",
            ),
        ] {
            let lines: Vec<String> = before
                .iter()
                .chain(&[obx])
                .chain(behind)
                .map(|&line| line.to_owned())
                .collect();
            let made = convert(kind, &lines);
            let is_document = |draft: &&mapping::Draft| draft.resource_type == "DocumentReference";
            let documents = made.drafts.iter().filter(is_document);
            let attachments: Vec<Option<String>> = documents
                .map(|draft| {
                    let place = format!("content[0].attachment.{element}");
                    draft
                        .value()
                        .at(&place)
                        .and_then(Value::as_str)
                        .map(str::to_owned)
                })
                .collect();
            if kind.starts_with("ADT^A40") {
                assert!(attachments.is_empty());
                assert_eq!(
                    worst(&made),
                    Some(Severity::Error),
                    "{kind}: {:?}",
                    made.report
                );
                continue;
            }
            assert_eq!(
                attachments,
                [Some(expected.to_owned())],
                "{kind} {obx}: {:?}",
                made.report
            );
            assert!(
                worst(&made).is_none_or(|worst| worst < Severity::Error),
                "{kind}: {:?}",
                made.report
            );
        }
    }
}
