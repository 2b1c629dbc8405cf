//! A whole message comes back with its groups, and what it does not carry is listed.

use hl7v2::Message;
use mapping::{MapSet, Source, Target};

const ORU: [&str; 9] = [
    "PID|||123^^^HOSP^MR||ZZTEST^JANE||19800102|F",
    "ORC||P1^EHR|F1^LAB",
    "OBR||P1^EHR|F1^LAB|24323-8^CMP^LN|||20240105090000-0600||||||||||||||||||F",
    "OBX||NM|2345-7^Glucose^LN||7.20|mmol/L^^UCUM|3.9-5.5|H|||F|||20240105090000-0600",
    "OBX||NM|2160-0^Creatinine^LN||80|umol/L^^UCUM|60-110||||F|||20240105090000-0600",
    "ORC||P2^EHR|F2^LAB",
    "OBR||P2^EHR|F2^LAB|58410-2^CBC^LN|||20240105090000-0600||||||||||||||||||F",
    "OBX||ST|718-7^Hgb^LN||see note||||||F",
    "OBX||ST|789-8^RBC^LN||see note||||||F",
];

#[test]
fn results_stand_under_their_orders() {
    let mut text =
        "MSH|^~\\&|LAB||EHR||20240105101600-0600||ORU^R01^ORU_R01|1|P|2.5.1\r".to_owned();
    for line in ORU {
        text.push_str(line);
        text.push('\r');
    }
    let message = Message::parse(text.into_bytes());
    let conversion = MapSet::builtin().forward(&message, &Source::default());
    let made = MapSet::builtin()
        .back(&conversion.bundle(), "ORU_R01", &Target::default())
        .unwrap();
    let back = String::from_utf8(made.message).unwrap();
    let order = |text: &str| -> Vec<String> {
        let kept =
            |line: &&str| ["PID", "ORC", "OBR", "OBX"].contains(&line.get(..3).unwrap_or(""));
        let fields = |line: &str| line.split('|').take(5).collect::<Vec<_>>().join("|");
        text.split('\r').filter(kept).map(fields).collect()
    };
    assert_eq!(order(&back), order(&ORU.join("\r")));
    // A header's endpoint only goes forward.
    let header = conversion
        .drafts
        .iter()
        .find(|draft| &*draft.label == "header");
    let header = &header.unwrap().full_url;
    let lost: Vec<&str> = made
        .lost
        .iter()
        .filter(|loss| loss.resource != *header)
        .map(|loss| loss.element.as_str())
        .collect();
    assert!(lost.is_empty(), "{lost:?}");
}
