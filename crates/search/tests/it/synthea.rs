//! Realistic records from `$CAUSEWAY_SHARED/synthea`.

use crate::shared;
use std::collections::BTreeMap;

#[test]
fn bundles_are_indexed_without_issues() {
    let Some(documents) = shared::synthea("bundles_are_indexed_without_issues", 6) else {
        return;
    };
    let mut counts: BTreeMap<&str, (usize, usize, usize)> = BTreeMap::new();
    for document in &documents {
        let found = search::extract(document);
        assert_eq!(found.issues, [], "{}", found.resource_type);
        let count = counts.entry(found.resource_type).or_default();
        *count = (
            count.0 + 1,
            count.1 + found.postings.len(),
            count.2 + found.patients.len(),
        );
    }
    // At least code, category, status, subject, date and value; composites on top.
    let at_least = [
        ("Observation", 8),
        ("Patient", 15),
        ("Encounter", 8),
        ("Condition", 6),
    ];
    for (name, at_least) in at_least {
        let (n_resources, n_postings, n_patients) = counts[name];
        let each = n_postings / n_resources;
        assert!(
            (at_least..60).contains(&each),
            "{name}: {each} in {counts:?}"
        );
        assert_eq!(n_patients, n_resources, "{name} in a Patient compartment");
    }
}
