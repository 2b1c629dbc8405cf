//! The tests that stand beside the rows.

use crate::diagnostic::Spot;
use crate::syntax::{Block, Expectation, MapKind, TestBlock};
use crate::{Conversion, MapSet, Source, Target};
use fhir::build::Value;
use fhirpath::{Context, Expression};
use hl7v2::Message;
use std::sync::Arc;

const HEADER: &str = "MSH|^~\\&|TEST|TEST|||20240101000000+0000||ADT^A08^ADT_A01|1|P|2.5.1";

/// How one test went.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The file.
    pub file: Arc<str>,
    /// Where the test stands.
    pub spot: Spot,
    /// Its name.
    pub name: String,
    /// What did not hold, with its place; none if all did.
    pub failures: Vec<(Spot, String)>,
}

// === impl MapSet ===

impl MapSet {
    /// Runs every `test` of the set.
    pub fn run_tests(&self) -> Vec<Trial> {
        let mut trials = Vec::new();
        for file in &self.files {
            let mut resource_type = None;
            let mut segments: Vec<&str> = Vec::new();
            for block in &file.blocks {
                if let Block::Map(map) = block
                    && let MapKind::Segments(names) = &map.kind
                {
                    segments = names.iter().map(String::as_str).collect();
                    resource_type = Some(map.fhir_type.as_str());
                }
                match block {
                    Block::Test(test) => trials.push(Trial {
                        file: Arc::clone(&file.name),
                        spot: test.spot,
                        name: test.name.clone(),
                        failures: self.trial(test, resource_type, &segments),
                    }),
                    Block::Map(_)
                    | Block::Codes(_)
                    | Block::Systems(_)
                    | Block::Extensions(_)
                    | Block::Meaning(_)
                    | Block::Message(_)
                    | Block::Missing(_)
                    | Block::Dialect(_)
                    | Block::Choice { .. } => {}
                }
            }
        }
        trials
    }

    fn trial(
        &self,
        test: &TestBlock,
        resource_type: Option<&str>,
        segments: &[&str],
    ) -> Vec<(Spot, String)> {
        let whole = test
            .given
            .first()
            .is_some_and(|first| first.starts_with("MSH"));
        let mut text = if whole {
            String::new()
        } else {
            format!("{HEADER}\r")
        };
        for segment in &test.given {
            text.push_str(segment);
            text.push('\r');
        }
        let message = Message::parse(text.into_bytes());
        let source = Source::default();
        let (conversion, value) = if whole {
            let conversion = self.forward(&message, &source);
            let value = conversion.bundle();
            (conversion, value)
        } else {
            let Some(resource_type) = resource_type else {
                return vec![(
                    test.spot,
                    "no segment map stands above this test".to_owned(),
                )];
            };
            let conversion = self.forward_segments(&message, &source, resource_type);
            let own = conversion
                .drafts
                .iter()
                .find(|draft| draft.resource_type == resource_type);
            let value = own.map_or(Value::Null, |draft| draft.value().clone());
            (conversion, value)
        };
        let mut failures = Vec::new();
        for (spot, expectation) in &test.expectations {
            let failed = match expectation {
                Expectation::Holds(expression) => holds(expression, &value),
                Expectation::Unmapped(fields) => unmapped(fields, &conversion, whole),
                Expectation::IssuesNone => {
                    let found = &conversion.report.unusable;
                    (!found.is_empty()).then(|| format!("issues: {found:?}"))
                }
                Expectation::Back if whole => self.back_whole(&value, &message),
                Expectation::Back => {
                    let resource_type = resource_type.unwrap_or_default();
                    let made = self.back_segments(&conversion, resource_type, segments);
                    came_back(&made, &test.given)
                }
            };
            failures.extend(failed.map(|failed| (*spot, failed)));
        }
        failures
    }

    fn back_whole(&self, bundle: &Value, message: &Message) -> Option<String> {
        let structure = message.structure().name();
        let made = match self.back(bundle, structure, &Target::default()) {
            Ok(made) => made,
            Err(error) => return Some(error.to_string()),
        };
        let text = String::from_utf8_lossy(&made.message).into_owned();
        let made: Vec<Vec<u8>> = text
            .split('\r')
            .skip(1)
            .map(|line| line.as_bytes().to_vec())
            .collect();
        let given: Vec<String> = message
            .segments()
            .skip(1)
            .map(|segment| String::from_utf8_lossy(segment.raw()).into_owned())
            .collect();
        came_back(&made, &given)
    }
}

fn holds(expression: &str, value: &Value) -> Option<String> {
    let compiled = match Expression::compile(expression) {
        Ok(compiled) => compiled,
        Err(error) => return Some(format!("not FHIRPath: {error}")),
    };
    let Ok(document) = value.to_document() else {
        return Some("nothing was made".to_owned());
    };
    let context = Context::new(document.root());
    match compiled.evaluate(&context) {
        Ok(items) => {
            let is_true = items
                .first()
                .is_some_and(|item| item.as_bool() == Some(true));
            (!is_true).then(|| "does not hold".to_owned())
        }
        Err(error) => Some(format!("cannot be evaluated: {error}")),
    }
}

fn unmapped(fields: &[String], conversion: &Conversion, whole: bool) -> Option<String> {
    let mut found: Vec<String> = conversion
        .report
        .unmapped
        .iter()
        .filter(|entry| whole || entry.place.segment != *b"MSH")
        .map(|entry| entry.place.to_string())
        .collect();
    let mut wanted = fields.to_vec();
    found.sort();
    wanted.sort();
    (found != wanted).then(|| format!("unmapped are: {}", found.join(", ")))
}

fn came_back(made: &[Vec<u8>], given: &[String]) -> Option<String> {
    let made: Vec<String> = made
        .iter()
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    let mut missing = given.iter().filter(|line| {
        let line = without_counter(line.trim_end_matches('|'));
        !made.iter().any(|own| without_counter(own) == line)
    });
    missing
        .next()
        .map(|_| "it comes back as another message".to_owned())
}

/// Field 1 of most segments counts them; no row maps it.
fn without_counter(line: &str) -> String {
    let mut fields: Vec<&str> = line.split('|').collect();
    let counted = [
        "PID", "PV1", "OBX", "OBR", "NK1", "DG1", "AL1", "IN1", "GT1", "NTE", "SPM", "TXA",
    ];
    if fields.first().is_some_and(|name| counted.contains(name))
        && let Some(counter) = fields.get_mut(1)
    {
        *counter = "";
    }
    fields.join("|")
}
