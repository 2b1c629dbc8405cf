//! The persons whom the numbers of PID-3 name, by table 0203 and by a dialect.

use hl7v2::Message;
use mapping::{MapSet, Names, Source};

const BASE: &str = "type CX <-> Identifier\n.1 <-> value\n.4 <-> system : authority otherwise assigner\n\
                    .5 <-> type.coding{system = v2-0203}.code\n\
                    segment PID <-> Patient\nPID-3[*] <-> identifier[*] : CX\n\
                    message ADT_A05 -> Bundle\nPID -> Patient as patient\n  key identifier, owns\n";

fn names(dialect: &str, numbers: &str) -> Vec<Names> {
    let text = format!("{BASE}dialect SITE extends v2\n{dialect}\n");
    let (set, _) = MapSet::read([("t.map", text.as_str())]);
    let message = format!("MSH|^~\\&|A|B|||20240101||ADT^A28^ADT_A05|1|P|2.5.1\rPID|||{numbers}\r");
    let source = Source {
        dialect: Some("SITE".to_owned()),
        ..Source::default()
    };
    let made = set.forward(&Message::parse(message.into_bytes()), &source);
    let patient = made
        .drafts
        .iter()
        .find(|draft| draft.resource_type == "Patient");
    patient.unwrap().keys.iter().map(|key| key.names).collect()
}

#[test]
fn a_dialect_says_which_types_name_its_patients() {
    let numbers = "1^^^H^MR~2^^^H~3^^^H^EPI~4^^^H^MB~12-3^^^H^NI~UNKNOWN^^^H^MR";
    assert_eq!(
        names("zone \"UTC\"", numbers),
        [
            Names::Record,
            Names::Record,
            Names::Local,
            Names::Nobody,
            Names::Person,
            Names::Placeholder,
        ]
    );
    assert_eq!(
        names("patient numbers EPI, MB", numbers),
        [
            Names::Nobody,
            Names::Nobody,
            Names::Record,
            Names::Record,
            Names::Person,
            Names::Placeholder,
        ]
    );
    assert_eq!(
        names("patient numbers \"\"", numbers)[..2],
        [Names::Nobody, Names::Record]
    );
}
