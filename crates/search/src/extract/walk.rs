//! Follows a plan through a document.

use super::plan::{Guard, How, Part, Plan, Take};
use super::values::Reading;
use crate::param::ParamKey;
use crate::posting::{Extraction, Posting, Target, Value};
use crate::reference;
use crate::registry::{Registry, TypeParams};
use base::{DateTime, Issue, Zone};
use fhir::json::{Document, Node};

/// Maximum number of postings per composite instance, so that a hostile document cannot multiply
/// them.
const MAX_COMBINATIONS: usize = 256;

/// Extractor for the resources of one server.
#[derive(Clone, Debug, Default)]
pub struct Extractor {
    base: Option<String>,
}

/// The state of the walk over one document.
struct Walk<'a> {
    document: &'a Document,
    base: Option<&'a str>,
    reading: Reading<'a>,
    postings: Vec<Posting>,
    issues: Vec<Issue>,
}

// === impl Extractor ===

impl Extractor {
    /// Creates an extractor for a server at this base URL (no trailing slash): absolute references
    /// to it are local.
    pub fn at(base: impl Into<String>) -> Self {
        let base = base.into().trim_end_matches('/').to_owned();
        Self {
            base: Some(base).filter(|base| !base.is_empty()),
        }
    }

    /// Returns the postings of a resource. Never fails: values that cannot be indexed are reported
    /// as issues.
    pub fn extract(&self, document: &Document) -> Extraction {
        let of_type = document
            .resource_type()
            .and_then(|name| Registry::r4().of_type(name));
        let Some(of_type) = of_type else {
            let issue = Issue::error("not-supported", "", "not a resource type of FHIR R4");
            return Extraction {
                issues: vec![issue],
                ..Extraction::default()
            };
        };
        let base = self.base.as_deref();
        let mut walk = Walk {
            document,
            base,
            reading: Reading {
                base,
                ..Reading::default()
            },
            postings: Vec::with_capacity(32),
            issues: Vec::new(),
        };
        walk.run(document.root(), &of_type.plan);
        walk.finish(of_type)
    }
}

/// Calls `found` at each place of the document from which the plan takes something.
fn follow<'d>(node: Node<'d>, plan: &Plan, found: &mut impl FnMut(Node<'d>, &Take)) {
    if node.is_array() {
        for item in node.items() {
            follow_one(item, plan, found);
        }
    } else {
        follow_one(node, plan, found);
    }
}

fn follow_one<'d>(node: Node<'d>, plan: &Plan, found: &mut impl FnMut(Node<'d>, &Take)) {
    if node.is_null() || node.is_array() {
        return;
    }
    for take in &plan.takes {
        found(node, take);
    }
    for (guard, next) in &plan.guarded {
        if guard.passes(node) {
            follow_one(node, next, found);
        }
    }
    if plan.fields.is_empty() {
        return;
    }
    for field in node.fields() {
        let next = plan
            .fields
            .iter()
            .find(|(symbol, _)| Some(*symbol) == field.symbol());
        if let Some((_, next)) = next
            && !field.is_primitive_extension()
        {
            follow(field, next, found);
        }
    }
}

/// Returns the elements that each parameter indexes: pairs of key and [`Node::index`], sorted,
/// without duplicates. The pairs explain why a resource is found, and a test compares them with
/// FHIRPath.
pub fn places(document: &Document) -> Vec<(ParamKey, u32)> {
    let of_type = document
        .resource_type()
        .and_then(|name| Registry::r4().of_type(name));
    let mut places = Vec::new();
    if let Some(of_type) = of_type {
        follow_one(document.root(), &of_type.plan, &mut |node, take| {
            places.push((take.key, node.index()));
        });
    }
    places.sort_unstable();
    places.dedup();
    places
}

// === impl Walk ===

impl Walk<'_> {
    fn run(&mut self, node: Node<'_>, plan: &Plan) {
        follow_one(node, plan, &mut |node, take| self.take(node, take));
    }

    fn take(&mut self, node: Node<'_>, take: &Take) {
        match &take.how {
            How::Element(shape) => {
                self.reading.read(*shape, node);
                self.settle(node, take);
            }
            How::Parts(parts) => self.combine(node, take, parts),
            How::Deceased => {
                let alive = match (node.get("deceasedBoolean"), node.get("deceasedDateTime")) {
                    (Some(flag), _) => flag.as_bool() == Some(false),
                    (None, Some(_)) => false,
                    (None, None) => true,
                };
                let code = if alive { "false" } else { "true" };
                self.postings
                    .push(Posting::new(take.key, Value::code(code)));
            }
        }
    }

    /// Moves the values read into the postings.
    fn settle(&mut self, node: Node<'_>, take: &Take) {
        let of_key = |value| Posting::new(take.key, value);
        self.postings
            .extend(self.reading.values.drain(..).map(of_key));
        for identifier in self.reading.identifiers.drain(..) {
            self.postings
                .push(Posting::new(take.identifier_key, Value::Token(identifier)));
        }
        if let Some(fault) = self.reading.fault.take() {
            let place = self.document.path_of(node);
            self.issues.push(Issue::warning(
                "value",
                place,
                format!("not indexed: {fault}"),
            ));
        }
    }

    fn combine(&mut self, node: Node<'_>, take: &Take, parts: &[Part]) {
        let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
        for part in parts {
            // A separate walk: its keys do not matter, and the part reports its own issues.
            let mut walk = Walk {
                document: self.document,
                base: self.base,
                reading: Reading {
                    base: self.base,
                    ..Reading::default()
                },
                postings: Vec::new(),
                issues: Vec::new(),
            };
            walk.run(node, &part.here);
            walk.run(self.document.root(), &part.root);
            let found = walk.postings;
            rows = rows
                .iter()
                .flat_map(|row| found.iter().map(|posting| with(row, &posting.value)))
                .take(MAX_COMBINATIONS)
                .collect();
            if rows.is_empty() {
                return;
            }
        }
        for row in rows {
            self.postings
                .push(Posting::new(take.key, Value::Composite(row.into())));
        }
    }

    fn finish(mut self, of_type: &TypeParams) -> Extraction {
        self.postings.sort_unstable();
        self.postings.dedup();
        let root = self.document.root();
        let id = root.text("id").map(std::borrow::Cow::into_owned);
        let last_updated = root
            .get("meta")
            .and_then(|meta| meta.text("lastUpdated"))
            .and_then(|text| DateTime::parse_fhir(&text).ok())
            .map(|at| at.timestamp(&Zone::utc()));
        let mut patients = patients(of_type, &self.postings);
        if of_type.is_patient {
            patients.extend(id.clone());
        }
        patients.sort_unstable();
        patients.dedup();
        Extraction {
            resource_type: of_type.resource_type,
            id,
            last_updated,
            postings: self.postings,
            patients,
            issues: self.issues,
        }
    }
}

/// Returns the patients that the resource's compartment parameters point to
/// (compartmentdefinition-patient.html).
fn patients(of_type: &TypeParams, postings: &[Posting]) -> Vec<String> {
    let mut ids = Vec::new();
    for posting in postings {
        if let Value::Reference(Target::Local {
            resource_type: "Patient",
            id,
        }) = &posting.value
            && of_type.patient_keys.contains(&posting.param)
        {
            ids.push(id.to_string());
        }
    }
    ids
}

fn with(row: &[Value], value: &Value) -> Vec<Value> {
    let mut row = row.to_vec();
    row.push(value.clone());
    row
}

// === impl Guard ===

impl Guard {
    fn passes(&self, node: Node<'_>) -> bool {
        match self {
            Self::ResolvesTo(wanted) => {
                let by_text = node
                    .text("reference")
                    .and_then(|text| reference::type_in(&text));
                let by_type = || node.text("type").is_some_and(|name| name == *wanted);
                by_text.map_or_else(by_type, |found| found == *wanted)
            }
            Self::Equals(name, text) => node.text(name).is_some_and(|found| found == *text),
            Self::HasExtension(url) => node
                .each("extension")
                .any(|extension| extension.text("url").is_some_and(|found| found == *url)),
        }
    }
}
