//! The official FHIRPath R4 suite (`$CAUSEWAY_SHARED/fhirpath`), every expression in strict mode.

use crate::known_failures::{AT_LEAST, KNOWN_FAILURES};
use crate::xml;
use base::Timestamp;
use fhir::json::Document;
use fhirpath::{Context, DateTime, Expression, Item};
use roxmltree::Node;
use std::collections::HashMap;
use std::path::Path;

#[test]
fn official_r4_suite() {
    let Some(folder) = testkit::shared("official_r4_suite", "fhirpath") else {
        return;
    };
    let source = std::fs::read_to_string(folder.join("tests-fhir-r4.xml")).unwrap();
    let suite = roxmltree::Document::parse(&source).unwrap();
    let mut inputs = HashMap::new();
    let (mut n_passed, mut failed) = (0, Vec::new());
    for test in suite.descendants().filter(|node| node.has_tag_name("test")) {
        let file = test.attribute("inputfile").unwrap_or_default();
        let input = inputs.entry(file).or_insert_with(|| input(&folder, file));
        match run(test, input) {
            Ok(()) => n_passed += 1,
            Err(why) => failed.push((test.attribute("name").unwrap(), why)),
        }
    }
    let known = |name: &str| KNOWN_FAILURES.iter().any(|(known, _)| *known == name);
    for (name, why) in &failed {
        eprintln!(
            "{} {name}: {why}",
            if known(name) { "known" } else { "NEW" }
        );
    }
    let n_failed = failed.len();
    eprintln!("official suite: {n_passed} of {} pass", n_passed + n_failed);
    assert!(failed.iter().all(|(name, _)| known(name)), "new failures");
    assert!(AT_LEAST <= n_passed, "fewer pass than before");
    assert_eq!(
        n_failed,
        KNOWN_FAILURES.len(),
        "a known failure passes now: remove it from the list"
    );
}

fn input(folder: &Path, file: &str) -> Document {
    if file.is_empty() {
        return Document::parse("{\"resourceType\":\"Patient\"}").unwrap();
    }
    let text = std::fs::read_to_string(folder.join(file)).unwrap();
    let is_xml = Path::new(file)
        .extension()
        .is_some_and(|extension| extension == "xml");
    Document::parse(if is_xml { xml::to_json(&text) } else { text }).unwrap()
}

fn run(test: Node<'_, '_>, input: &Document) -> Result<(), String> {
    let expression = test
        .children()
        .find(|node| node.has_tag_name("expression"))
        .unwrap();
    let text: String = expression
        .children()
        .filter_map(|node| node.text())
        .collect();
    let must_fail = expression.attribute("invalid").is_some();
    let root_type = input.resource_type().unwrap();
    let now = DateTime::from_timestamp(Timestamp::from_micros(1_770_000_000_000_000), 60).unwrap();
    let context = Context::new(input.root()).with_now(now);
    let compiled = match Expression::compile_strict(&text, root_type) {
        Ok(compiled) => compiled,
        Err(_) if must_fail => return Ok(()),
        Err(error) => return Err(format!("{error} in {text}")),
    };
    let items = match compiled.evaluate(&context) {
        Ok(_) if must_fail => return Err(format!("should be refused: {text}")),
        Ok(items) => items,
        Err(_) if must_fail => return Ok(()),
        Err(error) => return Err(format!("{error} in {text}")),
    };
    if test.attribute("predicate") == Some("true") {
        return if items.is_empty() {
            Err("nothing".into())
        } else {
            Ok(())
        };
    }
    let mut found: Vec<String> = items.iter().map(show).collect();
    let outputs = test.children().filter(|node| node.has_tag_name("output"));
    let mut expected: Vec<String> = outputs.map(|output| wanted(output, &items)).collect();
    if test.attribute("ordered") == Some("false") {
        found.sort();
        expected.sort();
    }
    if found == expected {
        Ok(())
    } else {
        Err(format!("{found:?} for {expected:?} in {text}"))
    }
}

/// Formats the type and value of an item.
fn show(item: &Item<'_>) -> String {
    let value = match item {
        Item::Element(element) => element.value(),
        other => Some(other.clone()),
    };
    let value = match value {
        Some(Item::String(text)) => text.into_owned(),
        Some(Item::Date(date)) => format!("@{date}"),
        Some(Item::DateTime(at)) => format!("@{at}"),
        Some(Item::Time(time)) => format!("@T{time}"),
        Some(Item::Decimal(decimal)) => decimal.normalize().to_string(),
        Some(Item::Quantity(quantity)) => quantity.to_string(),
        Some(value) => value.to_json(),
        None => item.to_json(),
    };
    format!("{} {value}", item.type_info().name.to_ascii_lowercase())
}

/// Formats an expected output the same way; one without a type takes the type of the result found.
fn wanted(output: Node<'_, '_>, found: &[Item<'_>]) -> String {
    let text = output.text().unwrap_or_default();
    let name = match output.attribute("type") {
        Some(name) => name.to_ascii_lowercase(),
        None => found
            .first()
            .map_or("", |item| item.type_info().name)
            .to_ascii_lowercase(),
    };
    match text.parse::<fhirpath::Decimal>() {
        Ok(decimal) if name == "decimal" => format!("{name} {}", decimal.normalize()),
        _ => format!("{name} {text}"),
    }
}
