//! Assigning authorities, by the names that the site's own configuration gives them.

use super::value;
use fhir::json::Node;
use std::collections::BTreeMap;
use web::App;

/// The names of assigning authorities, by system.
#[derive(Clone, Debug, Default)]
pub(super) struct Authorities(BTreeMap<String, String>);

// === impl Authorities ===

impl Authorities {
    /// Collects the authorities of all flows. If two flows name one system differently, the first
    /// name is used.
    pub(super) fn of(app: &App) -> Self {
        let mut names = BTreeMap::new();
        for (flow, _) in app.engine.addresses() {
            let Some(config) = app.engine.config(&flow) else {
                continue;
            };
            for (name, system) in &config.map.authorities {
                names.entry(system.clone()).or_insert_with(|| name.clone());
            }
        }
        Self(names)
    }

    /// Returns the configured name, or else the one in the identifier.
    pub(super) fn name(&self, identifier: Node<'_>) -> String {
        let system = identifier.text("system").unwrap_or_default();
        self.0
            .get(system.as_ref())
            .cloned()
            .unwrap_or_else(|| value::system_name(identifier))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fhir::json::Document;

    #[test]
    fn a_configured_name_comes_first() {
        let text = r#"[{"system":"urn:oid:2.16.840.1.113883.19.5.1"},{"system":"urn:x:y"}]"#;
        let document = Document::parse(text).unwrap();
        let names: Vec<String> = {
            let known = [(
                "urn:oid:2.16.840.1.113883.19.5.1".to_owned(),
                "ZZCLINIC".to_owned(),
            )];
            let authorities = Authorities(BTreeMap::from(known));
            document
                .root()
                .items()
                .map(|one| authorities.name(one))
                .collect()
        };
        assert_eq!(names, ["ZZCLINIC", "y"]);
    }
}
