//! Embedded documents (HL7 v2 2A ED and RP, table 0299): what was sent can be opened, or somebody is told.

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
    own.map(|one| one.severity).max()
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
        // No encoding, or a wrong one: the data say it.
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
        // Called a text.
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
