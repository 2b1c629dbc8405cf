//! Changes made by a message: each resource that it created or changed, as a diff.

use super::super::fault::Fault;
use super::place::anchor;
use access::Permit;
use fhir::json::{Document, Kind, Node};
use hl7v2::Message;
use std::collections::BTreeMap;
use store::chart::{Read, Traced};
use web::App;

/// A resource that a message changed.
pub(super) struct Change {
    pub(super) resource_type: &'static str,
    pub(super) id: String,
    pub(super) version: u32,
    pub(super) is_new: bool,
    pub(super) rows: Vec<Difference>,
}

/// An element that changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) element: String,
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
    /// The path of the field that the value came from, and its anchor on the page.
    pub(crate) source: Option<(String, String)>,
    /// The map row.
    pub(crate) row: String,
}

const MAX_RESOURCES: usize = 40;

// === impl Difference ===

impl Difference {
    /// Returns the map row without its folder, such as `obx.map:37`.
    pub(super) fn row_short(&self) -> &str {
        let row = self.row.as_str();
        row.rsplit_once('/').map_or(row, |(_, file)| file)
    }
}

/// Reads the changes. Blocks, so async code must not call it on its own thread.
pub(super) fn changes(
    app: &App,
    permit: &Permit,
    key: &[u8],
    message: &Message,
) -> Result<Vec<Change>, Fault> {
    let made = app.chart.made_of(permit, key)?;
    let mut changes = Vec::new();
    for (resource_type, id, version) in made.into_iter().take(MAX_RESOURCES) {
        let body = |version: u32| -> Result<Option<Vec<u8>>, Fault> {
            if version == 0 {
                return Ok(None);
            }
            Ok(
                match app.chart.vread(permit, resource_type, &id, version)? {
                    Read::Found(resource) => Some(resource.body),
                    Read::Gone { .. } | Read::Missing => None,
                },
            )
        };
        let (before, after) = (body(version.saturating_sub(1))?, body(version)?);
        let lineage = app.chart.lineage(permit, resource_type, &id, None)?;
        let own: Vec<&Traced> = lineage
            .iter()
            .filter(|traced| traced.message == key && traced.version == version)
            .collect();
        let mut rows = differences(before.as_deref(), after.as_deref());
        for row in &mut rows {
            let element = format!("{resource_type}.{}", row.element);
            if let Some(traced) = origin_of(&own, &element) {
                row.row.clone_from(&traced.origin.row);
                let source = &traced.origin.source;
                if !source.is_empty() {
                    let anchor = anchor(source, Some(message)).unwrap_or_default();
                    row.source = Some((source.clone(), anchor));
                }
            }
        }
        changes.push(Change {
            resource_type,
            id,
            version,
            is_new: before.is_none(),
            rows,
        });
    }
    Ok(changes)
}

/// Returns the lineage of an element, or that of its nearest ancestor.
pub(crate) fn origin_of<'t>(lineage: &[&'t Traced], element: &str) -> Option<&'t Traced> {
    lineage
        .iter()
        .filter(|traced| is_at_or_above(&traced.origin.element, element))
        .max_by_key(|traced| traced.origin.element.len())
        .copied()
        .or_else(|| {
            let below = lineage
                .iter()
                .find(|traced| is_at_or_above(element, &traced.origin.element));
            below.copied()
        })
}

/// Returns true for equal paths and ancestors. `Patient.name[0]` is above `Patient.name[0].family`,
/// but `Observation.value` is not above `Observation.valueQuantity`, which is another element.
fn is_at_or_above(upper: &str, lower: &str) -> bool {
    lower
        .strip_prefix(upper)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.') || rest.starts_with('['))
}

/// Returns the elements that differ between two bodies, in the order of the newer one.
pub(crate) fn differences(before: Option<&[u8]>, after: Option<&[u8]>) -> Vec<Difference> {
    let (before, after) = (leaves(before), leaves(after));
    let old: BTreeMap<&str, &str> = before
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    let new: BTreeMap<&str, &str> = after
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    let mut rows = Vec::new();
    for (path, text) in &after {
        let earlier = old.get(path.as_str()).copied();
        if earlier != Some(text) {
            rows.push(Difference {
                element: path.clone(),
                before: earlier.map(str::to_owned),
                after: Some(text.clone()),
                ..Difference::default()
            });
        }
    }
    for (path, text) in &before {
        if !new.contains_key(path.as_str()) {
            rows.push(Difference {
                element: path.clone(),
                before: Some(text.clone()),
                ..Difference::default()
            });
        }
    }
    rows
}

/// Returns each primitive with its path, without what the server adds.
fn leaves(body: Option<&[u8]>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    if let Some(document) = body.and_then(|body| Document::parse(body).ok()) {
        for field in document.root().fields() {
            match field.name() {
                Some("resourceType" | "id" | "meta") | None => {}
                Some(name) => collect(field, name.to_owned(), &mut found),
            }
        }
    }
    found
}

fn collect(node: Node<'_>, path: String, found: &mut Vec<(String, String)>) {
    match node.kind() {
        Kind::Object => {
            for field in node.fields() {
                if let Some(name) = field.name() {
                    collect(field, format!("{path}.{name}"), found);
                }
            }
        }
        Kind::Array => {
            for (idx, item) in node.items().enumerate() {
                collect(item, format!("{path}[{idx}]"), found);
            }
        }
        Kind::String | Kind::Number | Kind::Bool | Kind::Null => {
            let text = node
                .as_str()
                .map_or_else(|| node.raw_str().to_owned(), Into::into);
            found.push((path, cut(text)));
        }
    }
}

fn cut(text: String) -> String {
    match text.char_indices().nth(300) {
        Some((end, _)) => format!("{} … {} bytes", text.get(..end).unwrap_or(""), text.len()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_and_removed_elements_are_shown() {
        let before =
            br#"{"resourceType":"Patient","id":"1","name":[{"family":"ZZTEST"}],"gender":"male"}"#;
        let after = br#"{"resourceType":"Patient","id":"1","name":[{"family":"ZZTEST","given":["A"]}],"active":true}"#;
        let rows = differences(Some(before), Some(after));
        let text: Vec<String> = rows
            .iter()
            .map(|row| format!("{} {:?} {:?}", row.element, row.before, row.after))
            .collect();
        assert_eq!(
            text,
            [
                r#"name[0].given[0] None Some("A")"#,
                r#"active None Some("true")"#,
                r#"gender Some("male") None"#
            ]
        );
        assert!(differences(Some(after), Some(after)).is_empty());
    }

    #[test]
    fn above_and_below() {
        for (upper, lower, expected) in [
            ("Patient.name[0]", "Patient.name[0].family", true),
            ("Patient.name", "Patient.name[0].family", true),
            ("Observation.value", "Observation.valueQuantity", false),
            ("Patient.name[1]", "Patient.name[10]", false),
        ] {
            assert_eq!(is_at_or_above(upper, lower), expected, "{upper} {lower}");
        }
    }
}
