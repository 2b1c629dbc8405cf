//! The interactions of http.html, one file each.

pub(crate) mod capabilities;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod history;
pub(crate) mod read;
pub(crate) mod search;
pub(crate) mod transaction;
pub(crate) mod update;

/// Reduces a resource as `_summary` and `_elements` ask; `None` if it is returned whole
/// (search.html#summary). A reduced resource carries the tag SUBSETTED.
pub(crate) fn narrow(query: &::search::Query, body: &[u8]) -> Option<Vec<u8>> {
    use ::search::Summary;
    use fhir::build::Value;
    let is_whole = query.summary == Summary::False && query.elements.is_empty();
    if is_whole {
        return None;
    }
    let mut value = Value::parse(body).ok()?;
    let definition = fhir::definitions::type_named(value.resource_type()?)?;
    let keep = |name: &str| {
        let name = name.strip_prefix('_').unwrap_or(name);
        if matches!(name, "resourceType" | "id" | "meta") {
            return true;
        }
        let element = definition.element_for(name).map(|(element, _)| element);
        let is_mandatory = element.is_some_and(|element| 0 < element.min);
        if !query.elements.is_empty() {
            let asked = |wanted: &String| {
                wanted == name || element.is_some_and(|element| element.name == wanted.as_str())
            };
            return is_mandatory || query.elements.iter().any(asked);
        }
        match query.summary {
            Summary::True => is_mandatory || element.is_some_and(|element| element.is_summary),
            Summary::Text => is_mandatory || name == "text",
            Summary::Data => name != "text",
            Summary::False | Summary::Count => true,
        }
    };
    let gone: Vec<String> = value
        .as_object()?
        .iter()
        .map(|(name, _)| name)
        .filter(|name| !keep(name))
        .map(str::to_owned)
        .collect();
    for name in &gone {
        value.remove(name);
    }
    let tag = Value::object()
        .with(
            "system",
            "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
        )
        .with("code", "SUBSETTED");
    let meta = value.entry("meta");
    if meta.as_object().is_none() {
        *meta = Value::object();
    }
    meta.entry("tag").push(tag);
    Some(value.to_bytes())
}
