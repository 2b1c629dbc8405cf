//! Converts FHIR XML to FHIR JSON, as far as the suite's inputs need it.

use fhir::definitions::{TypeDef, TypeKind, type_named};
use roxmltree::{Document, Node};

const FHIR: &str = "http://hl7.org/fhir";

/// Converts a whole resource.
pub(crate) fn to_json(xml: &str) -> String {
    let document = Document::parse(xml).expect("input is XML");
    resource(document.root_element())
}

fn resource(node: Node<'_, '_>) -> String {
    let name = node.tag_name().name();
    let def = type_named(name).expect("root is a resource");
    let mut fields = vec![format!("\"resourceType\":{}", text(name))];
    fields.extend(children(node, def));
    format!("{{{}}}", fields.join(","))
}

fn children(node: Node<'_, '_>, def: &TypeDef) -> Vec<String> {
    let mut fields = Vec::new();
    for attribute in ["id", "url"] {
        if let Some(value) = node.attribute(attribute) {
            fields.push(format!("\"{attribute}\":{}", text(value)));
        }
    }
    let elements: Vec<Node<'_, '_>> = node.children().filter(Node::is_element).collect();
    let mut done: Vec<&str> = Vec::new();
    for element in &elements {
        let name = element.tag_name().name();
        if done.contains(&name) {
            continue;
        }
        done.push(name);
        let (element_def, type_ref) = def
            .element_for(name)
            .unwrap_or_else(|| panic!("{} has no {name}", def.name));
        let same = elements
            .iter()
            .filter(|other| other.tag_name().name() == name);
        let values: Vec<(Option<String>, Option<String>)> = same
            .map(|other| value(*other, type_named(type_ref.name).unwrap()))
            .collect();
        let plain: Vec<Option<String>> = values.iter().map(|(value, _)| value.clone()).collect();
        let extended: Vec<Option<String>> =
            values.into_iter().map(|(_, extended)| extended).collect();
        for (prefix, items) in [("", plain), ("_", extended)] {
            if items.iter().all(Option::is_none) {
                continue;
            }
            let items: Vec<String> = items
                .into_iter()
                .map(|item| item.unwrap_or("null".to_owned()))
                .collect();
            let joined = items.join(",");
            let json = if element_def.is_array() {
                format!("[{joined}]")
            } else {
                joined
            };
            fields.push(format!("\"{prefix}{name}\":{json}"));
        }
    }
    fields
}

/// Converts a value; returns it and the content of `_x`.
fn value(node: Node<'_, '_>, def: &TypeDef) -> (Option<String>, Option<String>) {
    if node.tag_name().namespace() != Some(FHIR) {
        let source = &node.document().input_text()[node.range()];
        return (Some(text(source)), None);
    }
    if def.kind == TypeKind::Resource {
        return (node.children().find(Node::is_element).map(resource), None);
    }
    let fields = children(node, def);
    let object = (!fields.is_empty()).then(|| format!("{{{}}}", fields.join(",")));
    if def.kind != TypeKind::Primitive {
        return (Some(object.unwrap_or("{}".to_owned())), None);
    }
    let bare = matches!(
        def.name,
        "boolean" | "integer" | "positiveInt" | "unsignedInt" | "decimal"
    );
    let value = node.attribute("value");
    (
        value.map(|value| if bare { value.to_owned() } else { text(value) }),
        object,
    )
}

fn text(text: &str) -> String {
    let mut json = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            c if c < ' ' => json.extend(format!("\\u{:04x}", u32::from(c)).chars()),
            c => json.push(c),
        }
    }
    json + "\""
}
