//! The registry against FHIR's definitions.

use search::{ParamKey, ParamKind, Registry};
use std::collections::HashMap;

fn all_params() -> impl Iterator<Item = &'static search::Param> {
    let registry = Registry::r4();
    registry
        .resource_types()
        .flat_map(|name| registry.params(name))
}

#[test]
fn no_two_parameters_share_a_key() {
    let mut seen: HashMap<ParamKey, (&str, &str)> = HashMap::new();
    let mut n_params = 0;
    for param in all_params() {
        n_params += 1;
        for key in [param.key, param.identifier_key] {
            let name = (param.resource_type, param.code);
            assert_eq!(seen.insert(key, name), None, "{name:?}");
        }
    }
    assert!(2_000 < n_params, "{n_params}");
}

/// The store keeps the keys: these must never change.
#[test]
fn keys_are_stable() {
    for (resource_type, code, key) in [
        ("Patient", "identifier", 0xe4cc_26c3),
        ("Observation", "code", 0xa34e_42b0),
        ("Observation", "_tag", 0xf784_bdca),
    ] {
        assert_eq!(
            ParamKey::of(resource_type, code).0,
            key,
            "{resource_type}.{code}"
        );
    }
}

#[test]
fn parameters_without_an_index_are_known() {
    let mut codes: Vec<String> = all_params()
        .filter(|param| !param.is_indexed)
        .map(|param| {
            let of_all = param.code.starts_with('_');
            let owner = if of_all {
                String::new()
            } else {
                format!("{}.", param.resource_type)
            };
            owner + param.code
        })
        .collect();
    codes.sort();
    codes.dedup();
    // `composition` and `message` point at the whole first entry; `near` needs geography; the
    // others look at no element.
    let known = [
        "Bundle.composition",
        "Bundle.message",
        "Location.near",
        "_content",
        "_query",
        "_text",
    ];
    assert_eq!(codes, known);
}

#[test]
fn kinds_and_targets() {
    let registry = Registry::r4();
    let code = registry
        .param("Observation", "code-value-quantity")
        .unwrap();
    assert_eq!(code.kind, ParamKind::Composite);
    let kinds: Vec<ParamKind> = code.components.iter().map(|part| part.kind).collect();
    assert_eq!(kinds, [ParamKind::Token, ParamKind::Quantity]);
    let patient = registry.param("Observation", "patient").unwrap();
    assert!(patient.targets.contains(&"Patient"));
    assert!(registry.param("Observation", "nonsense").is_none());
    assert!(registry.params("Nonsense").is_empty());
    assert!(
        registry
            .param("Patient", "_tag")
            .is_some_and(|tag| tag.is_indexed)
    );
}

/// Bare ids and includes are resolved by the targets.
#[test]
fn every_reference_lists_its_targets() {
    let registry = Registry::r4();
    for param in all_params().filter(|param| param.kind == ParamKind::Reference) {
        let name = (param.resource_type, param.code);
        assert!(!param.targets.is_empty(), "{name:?}");
        assert!(
            param
                .targets
                .iter()
                .all(|target| registry.resource_type(target).is_some()),
            "{name:?}"
        );
    }
}
