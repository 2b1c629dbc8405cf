//! Compares the walk with FHIRPath: each parameter finds the elements that its expression selects.

use crate::shared;
use fhir::json::{Document, Node};
use fhirpath::{Context, Host, Set};
use search::{ParamKind, Registry, places};
use std::collections::{BTreeMap, HashMap};

/// Resolves `Type/id` to an empty resource of that type: the expressions need no more.
struct Types(HashMap<&'static str, Document>);

impl Host for Types {
    fn resolve(&self, reference: &str) -> Option<Node<'_>> {
        self.0.get(reference.split('/').next()?).map(Document::root)
    }
}

#[test]
fn the_walk_agrees_with_fhirpath() {
    let Some(documents) = shared::synthea("the_walk_agrees_with_fhirpath", 2) else {
        return;
    };
    let registry = Registry::r4();
    let empty = |name| Document::parse(format!(r#"{{"resourceType":"{name}"}}"#)).unwrap();
    let host = Types(
        registry
            .resource_types()
            .map(|name| (name, empty(name)))
            .collect(),
    );
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut n_compared, mut n_refused) = (0, 0);
    for document in &documents {
        let resource_type = registry
            .resource_type(document.resource_type().unwrap())
            .unwrap();
        let n_seen = seen.entry(resource_type).or_default();
        *n_seen += 1;
        if 60 < *n_seen {
            continue;
        }
        let walked = places(document);
        for param in registry.params(resource_type) {
            if !param.is_indexed || ["deceased", "_id", "_lastUpdated"].contains(&param.code) {
                continue;
            }
            let set = Set::compile(resource_type, &[(param.expression, ())]).unwrap();
            let mut nodes: Vec<u32> = Vec::new();
            let context = Context::new(document.root()).with_host(&host);
            let refused = set.evaluate(&context, |(), item| {
                nodes.extend(item.element().map(|element| element.node().index()));
            });
            if refused.is_err() {
                n_refused += 1;
                continue;
            }
            nodes.sort_unstable();
            nodes.dedup();
            let own = walked
                .iter()
                .filter(|(key, _)| *key == param.key)
                .map(|(_, node)| *node);
            let own: Vec<u32> = own.collect();
            assert_eq!(
                own, nodes,
                "{resource_type}.{}: {}",
                param.code, param.expression
            );
            n_compared += usize::from(!own.is_empty() && param.kind != ParamKind::Special);
        }
    }
    // FHIRPath's `as` may reject several items where search filters them (`Observation.component`).
    assert!(
        1_000 < n_compared && n_refused < n_compared / 50,
        "{n_compared} {n_refused}"
    );
}
