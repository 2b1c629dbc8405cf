//! Law 2 of the maps, for each segment: a conversion forward and back returns the message, and
//! applying a draft is idempotent. `messages` tests whole messages, `normal_form` tests spellings
//! other than the normal form.

use crate::segments::{obx, pid, pv1};
use fhir::build::Value;
use hl7v2::Message;
use mapping::{Conversion, MapSet, Source};
use proptest::prelude::*;

const HEADER: &str = "MSH|^~\\&|LAB|NORTH|EHR|HOSP|20240105101600-0600||ADT^A08^ADT_A01|1|P|2.5.1";

pub(crate) fn forward(segment: &str, resource_type: &str) -> Conversion {
    let message = Message::parse(format!("{HEADER}\r{segment}\r").into_bytes());
    MapSet::builtin().forward_segments(&message, &Source::default(), resource_type)
}

pub(crate) fn back(conversion: &Conversion, resource_type: &str, name: &str) -> String {
    let segments = MapSet::builtin().back_segments(conversion, resource_type, &[name]);
    let texts = segments
        .into_iter()
        .map(|segment| String::from_utf8(segment).unwrap());
    texts.collect::<Vec<String>>().join("\r")
}

pub(crate) fn resource(conversion: &Conversion, resource_type: &str) -> Value {
    let own = conversion
        .drafts
        .iter()
        .find(|draft| draft.resource_type == resource_type);
    own.unwrap_or_else(|| panic!("no {resource_type}"))
        .value()
        .clone()
}

/// Removes full URLs, which come from the message's bytes: only what they lead to is compared.
pub(crate) fn without_urls(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(without_urls),
        Value::Object(fields) => {
            if fields.contains("reference") {
                fields.set("reference", "somewhere");
            }
            fields.values_mut().for_each(without_urls);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn holds(segment: &str, resource_type: &str) -> Result<(), TestCaseError> {
    let name = &segment[..3];
    let conversion = forward(segment, resource_type);
    let made = resource(&conversion, resource_type);
    let text = String::from_utf8(made.to_bytes()).unwrap();
    // 2a: B(F(m)) = N(m). No row reads PV1's counters and the OBX-2 of an empty value.
    let returned = back(&conversion, resource_type, name);
    prop_assert_eq!(&returned, segment, "law 2a, from {}", text);
    // 2b: F(B(r)) = r.
    let again = forward(&returned, resource_type);
    let (mut one, mut two) = (made.clone(), resource(&again, resource_type));
    without_urls(&mut one);
    without_urls(&mut two);
    prop_assert!(
        one == two,
        "law 2b: {} became {}",
        text,
        String::from_utf8(two.to_bytes()).unwrap()
    );
    // 2c: F(m, F(m, r)) = F(m, r).
    let draft = conversion
        .drafts
        .iter()
        .find(|draft| draft.resource_type == resource_type)
        .unwrap();
    let once = draft.apply(None);
    let twice = draft.apply(Some(&once.value));
    prop_assert!(
        !twice.changed,
        "law 2c: {} became {}",
        text,
        String::from_utf8(twice.value.to_bytes()).unwrap()
    );
    let mut paths: Vec<String> = once
        .lineage
        .iter()
        .map(|line| line.element.clone())
        .collect();
    let mut after: Vec<String> = twice
        .lineage
        .iter()
        .map(|line| line.element.clone())
        .collect();
    paths.sort();
    after.sort();
    prop_assert_eq!(paths, after, "lineage after applying twice");
    // 4: every lineage path leads to a value.
    for line in &once.lineage {
        prop_assert!(
            once.value.at(&line.element).is_some(),
            "law 4: {} leads nowhere in {}",
            line.element,
            text
        );
    }
    // 1: the report adds up.
    adds_up(segment, &conversion)?;
    Ok(())
}

fn adds_up(segment: &str, conversion: &Conversion) -> Result<(), TestCaseError> {
    let report = &conversion.report;
    let n_fields = segment
        .split('|')
        .skip(1)
        .filter(|field| !field.is_empty())
        .count();
    let name = &segment.as_bytes()[..3];
    let mut places: Vec<String> = [&report.mapped, &report.dropped, &report.unmapped]
        .into_iter()
        .flatten()
        .filter(|entry| entry.place.segment == name)
        .map(|entry| entry.place.whole_field().to_string())
        .collect();
    places.sort();
    places.dedup();
    prop_assert_eq!(places.len(), n_fields, "law 1: {:?} of {}", places, segment);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn pid_survives(segment in pid()) {
        holds(&segment, "Patient")?;
    }

    #[test]
    fn pv1_survives(segment in pv1()) {
        holds(&segment, "Encounter")?;
    }

    #[test]
    fn obx_survives(segment in obx()) {
        holds(&segment, "Observation")?;
    }
}
