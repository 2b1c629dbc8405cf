//! What OBX-5 says is in the chart: no value is lost, none is changed by guess (HL7 v2 7.4.2.5, 2A).

use fhir::build::Value;
use hl7v2::Message;
use mapping::{Conversion, MapSet, Source};

pub(crate) fn convert(kind: &str, lines: &[String]) -> Conversion {
    let header = format!("MSH|^~\\&|APP|NORTH|EHR|HOSP|20240105121000-0600||{kind}|1|P|2.5.1");
    let text = format!("{header}\r{}\r", lines.join("\r"));
    MapSet::builtin().forward(&Message::parse(text.into_bytes()), &Source::default())
}

pub(crate) fn json(value: &Value) -> String {
    String::from_utf8(value.to_bytes()).unwrap()
}

/// The lines of a report on a person's specimen.
pub(crate) fn report(results: &[&str]) -> Vec<String> {
    let around = [
        "PID|1||T1^^^HOSP^MR||ZZTEST^JANE||19800102|F",
        "OBR|1|P1^HOSP|F1^LAB|24323-8^CMP^LN|||20240105101500-0600|||||||||||||||20240105120000-0600||CH|F",
    ];
    let all = around.iter().chain(results);
    all.map(|&line| line.to_owned()).collect()
}

pub(crate) fn observations(made: &Conversion) -> Vec<Value> {
    let own = made
        .drafts
        .iter()
        .filter(|draft| draft.resource_type == "Observation");
    own.map(|draft| draft.whole_value()).collect()
}

/// What one OBX in a report becomes.
pub(crate) fn observation(obx: &str) -> Value {
    let made = convert("ORU^R01^ORU_R01", &report(&[obx]));
    observations(&made).into_iter().next().unwrap()
}
