//! An immunization's OBX segments: distinguished by OBX-3 and grouped by OBX-4, forward and back.

use hl7v2::Message;
use mapping::{MapSet, Source, Target};

/// The segments as `B` writes them: in the order of the map's rows, renumbered.
const LINES: [&str; 9] = [
    "OBX||CE|64994-7^^LN||V02^VFC eligible - Medicaid^HL70064||||||F",
    "OBX||CE|30963-3^^LN||VXC50^Public^CDCPHINVS||||||F",
    "OBX||CE|69764-9^^LN|1|^MMRV||||||F",
    "OBX||TS|29768-9^^LN|1|20100521||||||F",
    "OBX||TS|29769-7^^LN|1|20240105||||||F",
    "OBX||CE|69764-9^^LN|2|^Varicella||||||F",
    "OBX||TS|29769-7^^LN|2|20240105||||||F",
    "OBX||NM|30973-2^^LN|3|2||||||F",
    "OBX||NM|59782-3^^LN|3|4||||||F",
];

fn vxu(lines: &[&str]) -> String {
    let mut text = "MSH|^~\\&|CLINIC||IIS||20240105121000-0600||VXU^V04^VXU_V04|1|P|2.5.1\r\
        PID|||77^^^WEST^MR||ZZTEST^BABY||20230102|M\r\
        ORC||P7^WEST|F7^WEST\r\
        RXA|||20240105||94^MMRV^CVX|0.5|mL^^UCUM|||||||||LOT7||||CP\r\
        RXR|SC^Subcutaneous^HL70162\r"
        .replace("        ", "");
    for line in lines {
        text.push_str(line);
        text.push('\r');
    }
    text
}

fn there_and_back(text: &str) -> (String, Vec<String>) {
    let message = Message::parse(text.as_bytes().to_vec());
    let conversion = MapSet::builtin().forward(&message, &Source::default());
    let made = MapSet::builtin()
        .back(&conversion.bundle(), "VXU_V04", &Target::default())
        .unwrap();
    let own = made.lost.iter().filter(|loss| {
        let header = conversion
            .drafts
            .iter()
            .find(|draft| draft.label.as_ref() == "header");
        header.is_none_or(|header| header.full_url != loss.resource)
    });
    let lost = own.map(|loss| loss.element.clone()).collect();
    (String::from_utf8(made.message).unwrap(), lost)
}

fn lines_of(text: &str) -> Vec<&str> {
    text.split('\r')
        .filter(|line| line.starts_with("OBX"))
        .collect()
}

#[test]
fn statements_eligibility_and_funding_come_back() {
    let (back, lost) = there_and_back(&vxu(&LINES));
    assert_eq!(lines_of(&back), LINES);
    assert_eq!(lost, Vec::<String>::new());
    let names: Vec<&str> = back.split('\r').filter_map(|line| line.get(..3)).collect();
    assert_eq!(
        names[..5],
        ["MSH", "PID", "ORC", "RXA", "RXR"],
        "the standard's order"
    );
}

#[test]
fn the_senders_numbers_and_order_are_not_kept() {
    let mixed = [
        "OBX|1|NM|30973-2^Dose number^LN|9|2||||||F",
        "OBX|2|TS|29769-7^Presented^LN|7|20240105||||||F",
        "OBX|3|CE|69764-9^Document type^LN|8|^Varicella||||||F",
        "OBX|4|CE|69764-9^Document type^LN|7|^MMRV||||||F",
    ];
    let (back, lost) = there_and_back(&vxu(&mixed));
    let expected = [
        "OBX||CE|69764-9^^LN|1|^MMRV||||||F",
        "OBX||TS|29769-7^^LN|1|20240105||||||F",
        "OBX||CE|69764-9^^LN|2|^Varicella||||||F",
        "OBX||NM|30973-2^^LN|3|2||||||F",
    ];
    assert_eq!(lines_of(&back), expected);
    assert_eq!(lost, Vec::<String>::new());
    assert_eq!(there_and_back(&back).0, back, "the normal form stays");
}

#[test]
fn what_no_line_can_say_is_lost_and_told() {
    let text = r#"{"resourceType":"Bundle","entry":[{"fullUrl":"urn:uuid:1","resource":{"resourceType":"Immunization","status":"completed","vaccineCode":{"text":"MMRV"},"occurrenceDateTime":"2024-01-05","education":[{"reference":"http://example.org/vis"},{"documentType":"MMRV"}]}}]}"#;
    let bundle = fhir::build::Value::parse(text).unwrap();
    let made = MapSet::builtin()
        .back(&bundle, "VXU_V04", &Target::default())
        .unwrap();
    let back = String::from_utf8(made.message).unwrap();
    assert_eq!(lines_of(&back), ["OBX||CE|69764-9^^LN|1|^MMRV||||||F"]);
    let lost: Vec<&str> = made.lost.iter().map(|loss| loss.element.as_str()).collect();
    assert!(lost.contains(&"education[0].reference"), "{lost:?}");
}
