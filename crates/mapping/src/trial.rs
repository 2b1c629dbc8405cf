//! Runs the tests that are written beside the rows.

use crate::diagnostic::Spot;
use crate::syntax::{Block, Expectation, MapBlock, MapKind, TestBlock};
use crate::{Conversion, MapSet, Source, Target};
use fhir::build::Value;
use fhirpath::{Context, Expression};
use hl7v2::Message;
use std::collections::HashSet;
use std::sync::Arc;

const HEADER: &str = "MSH|^~\\&|TEST|TEST|||20240101000000+0000||ADT^A08^ADT_A01|1|P|2.5.1";

/// The outcome of one test.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The file.
    pub file: Arc<str>,
    /// The position of the test.
    pub spot: Spot,
    /// The test's name.
    pub name: String,
    /// The dialect under which the test runs: the one above it in its file.
    pub dialect: Option<String>,
    /// The expectations that failed, with their positions; empty if the test passed.
    pub failures: Vec<(Spot, String)>,
}

/// The context that precedes a test in its file.
#[derive(Clone, Default)]
struct Above<'a> {
    resource_type: Option<&'a str>,
    segments: Vec<&'a str>,
    dialect: Option<&'a str>,
}

// === impl MapSet ===

impl MapSet {
    /// Runs every `test` of the set; a dialect's tests run under that dialect.
    pub fn run_tests(&self) -> Vec<Trial> {
        let mut trials = Vec::new();
        for file in &self.files {
            let mut above = Above::default();
            for block in &file.blocks {
                match block {
                    Block::Map(map) => above.see(map),
                    Block::Dialect(dialect) => above.dialect = Some(&dialect.name),
                    Block::Test(test) => trials.push(Trial {
                        file: Arc::clone(&file.name),
                        spot: test.spot,
                        name: test.name.clone(),
                        dialect: above.dialect.map(str::to_owned),
                        failures: self.trial(test, &above),
                    }),
                    Block::Codes(_)
                    | Block::Systems(_)
                    | Block::Extensions(_)
                    | Block::Meaning(_)
                    | Block::Message(_)
                    | Block::Missing(_)
                    | Block::Choice { .. } => {}
                }
            }
        }
        trials
    }

    /// Returns the segment map that a test means by its first segment, so that a dialect's test
    /// need not stand under the rows that it changes: the map whose resource the expectation names
    /// (`then Patient.name…`), or the only one that reads such a segment.
    fn meant(&self, test: &TestBlock) -> Option<&MapBlock> {
        let first = test.given.first()?.split('|').next()?;
        let blocks = self.files.iter().flat_map(|file| &file.blocks);
        let reads = |map: &&MapBlock| match &map.kind {
            MapKind::Segments(names) => names.first().is_some_and(|name| name == first),
            MapKind::Type(_) => false,
        };
        let maps = blocks.filter_map(|block| match block {
            Block::Map(map) => Some(map),
            _ => None,
        });
        let maps: Vec<&MapBlock> = maps.filter(reads).collect();
        let said = test.expectations.iter().find_map(|(_, one)| match one {
            Expectation::Holds(expression) => expression.split('.').next(),
            _ => None,
        });
        let named = maps
            .iter()
            .find(|map| said == Some(map.fhir_type.as_str()))
            .copied();
        let types: HashSet<&str> = maps.iter().map(|map| map.fhir_type.as_str()).collect();
        let only = maps.first().filter(|_| types.len() == 1);
        named.or(only.copied())
    }

    fn trial(&self, test: &TestBlock, above: &Above<'_>) -> Vec<(Spot, String)> {
        let mut above = above.clone();
        if !above.takes(test)
            && let Some(meant) = self.meant(test)
        {
            above.see(meant);
        }
        let (resource_type, segments) = (above.resource_type, &above.segments);
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
        let source = Source {
            dialect: above.dialect.map(str::to_owned),
            ..Source::default()
        };
        let (conversion, value) = if whole {
            let conversion = self.forward(&message, &source);
            let value = conversion.bundle();
            (conversion, value)
        } else {
            let Some(resource_type) = resource_type else {
                return vec![(
                    test.spot,
                    "the resource is ambiguous: begin the expectation with its type \
                     (`then Patient.name…`), give a whole message (MSH), or put the test under \
                     its segment map"
                        .to_owned(),
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
                Expectation::Back if whole => self.back_whole(&value, &message, above.dialect),
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

    fn back_whole(
        &self,
        bundle: &Value,
        message: &Message,
        dialect: Option<&str>,
    ) -> Option<String> {
        let structure = message.structure().name();
        let target = Target {
            dialect: dialect.map(str::to_owned),
            ..Target::default()
        };
        let made = match self.back(bundle, structure, &target) {
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

// === impl Above ===

impl<'a> Above<'a> {
    /// Returns whether the map above reads the test's first segment.
    fn takes(&self, test: &TestBlock) -> bool {
        let first = test.given.first().and_then(|text| text.split('|').next());
        first.is_some_and(|first| self.segments.contains(&first))
    }

    fn see(&mut self, map: &'a MapBlock) {
        if let MapKind::Segments(names) = &map.kind {
            self.segments = names.iter().map(String::as_str).collect();
            self.resource_type = Some(map.fhir_type.as_str());
        }
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
    (found != wanted).then(|| format!("unmapped: {}", found.join(", ")))
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
        .map(|_| "it comes back as a different message".to_owned())
}

/// Removes field 1, which in most segments is a counter that no row maps.
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
