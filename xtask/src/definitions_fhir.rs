//! Generates the FHIR tables of `crates/fhir/data` from the package `hl7.fhir.r4.core`.
//!
//! Only facts are copied: paths, cardinalities, types, bindings, codes, expressions. No definition
//! text, no narrative. The same package gives the same bytes.

mod value_sets;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};

const STRUCTURES: &str = "http://hl7.org/fhir/StructureDefinition/";
const VALUE_SETS: &str = "http://hl7.org/fhir/ValueSet/";
const SEARCH_PARAMETERS: &str = "http://hl7.org/fhir/SearchParameter/";
const FHIR_TYPE: &str = "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type";
const REGEX: &str = "http://hl7.org/fhir/StructureDefinition/regex";

/// The package's resources by type and file name.
type Package = BTreeMap<String, Vec<Value>>;

/// Reads the package and writes the tables.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    let shared =
        std::env::var_os("CAUSEWAY_SHARED").map_or_else(|| root.join("../shared"), PathBuf::from);
    let package = read_package(&shared.join("packages/hl7.fhir.r4.core.tgz"))?;
    let target = root.join("crates/fhir/data");
    let types = types(&package);
    let (value_sets, n_value_sets) = value_sets::value_sets(&package);
    let parameters = search_parameters(&package);
    println!(
        "{} type and element rows, {} search parameters, {n_value_sets} value sets",
        types.rows.lines().count(),
        parameters.lines().count()
    );
    let names: String = types.names.iter().flat_map(|name| [name, "\n"]).collect();
    std::fs::write(target.join("names.txt"), names).map_err(|error| error.to_string())?;
    for (file, text) in [
        ("types.tsv.gz", types.rows),
        ("value-sets.tsv.gz", value_sets),
        ("search-parameters.tsv.gz", parameters),
        ("compartments.tsv.gz", compartments(&package)),
    ] {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(text.as_bytes())
            .map_err(|error| error.to_string())?;
        let bytes = gzip.finish().map_err(|error| error.to_string())?;
        println!("{file}: {} bytes, {} unpacked", bytes.len(), text.len());
        std::fs::write(target.join(file), bytes).map_err(|error| error.to_string())?;
    }
    Ok(())
}

// --- the package ---

fn read_package(path: &Path) -> Result<Package, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut tar = Vec::new();
    GzDecoder::new(bytes.as_slice())
        .read_to_end(&mut tar)
        .map_err(|error| format!("{}: {error}", path.display()))?;
    let mut files: Vec<(String, Value)> = Vec::new();
    let mut rest = tar.as_slice();
    while let Some((header, body)) = rest.split_at_checked(512) {
        let name = text_of(header.get(..100).unwrap_or_default());
        let size = text_of(header.get(124..136).unwrap_or_default());
        let size = usize::from_str_radix(size.trim(), 8).unwrap_or(0);
        if name.is_empty() {
            break;
        }
        let content = body.get(..size).ok_or("the package is cut off")?;
        if name.rsplit('.').next() == Some("json") && name.matches('/').count() == 1 {
            let value = serde_json::from_slice(content).map_err(|e| format!("{name}: {e}"))?;
            files.push((name, value));
        }
        rest = body.get(size.next_multiple_of(512)..).unwrap_or_default();
    }
    files.sort_by(|a, b| a.0.cmp(&b.0));
    let mut package = Package::new();
    for (_, value) in files {
        package
            .entry(text(&value, "resourceType").to_owned())
            .or_default()
            .push(value);
    }
    Ok(package)
}

fn text_of(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned()
}

fn resources<'p>(package: &'p Package, name: &str) -> impl Iterator<Item = &'p Value> {
    package.get(name).into_iter().flatten()
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn list<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    value
        .get(name)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn truth(value: &Value, name: &str) -> bool {
    value.get(name).and_then(Value::as_bool).unwrap_or(false)
}

/// Removes tabs and line ends, which the tables use as separators.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn without_version(url: &str) -> &str {
    url.split('|').next().unwrap_or(url)
}

// --- types ---

struct Types {
    rows: String,
    names: BTreeSet<String>,
}

/// Formats `T name kind base abstract regex`, then its elements `E name min max flags types
/// binding`; the types of backbones follow as separate types.
fn types(package: &Package) -> Types {
    let mut found = Types {
        rows: String::new(),
        names: BTreeSet::from(["resourceType".to_owned()]),
    };
    for definition in resources(package, "StructureDefinition") {
        let kind = match text(definition, "kind") {
            "resource" => "r",
            "complex-type" => "c",
            "primitive-type" => "p",
            _ => continue,
        };
        if text(definition, "derivation") == "constraint" {
            continue;
        }
        let name = text(definition, "type");
        let elements: Vec<&Value> = definition
            .get("snapshot")
            .into_iter()
            .flat_map(|s| list(s, "element"))
            .collect();
        let base = text(definition, "baseDefinition").trim_start_matches(STRUCTURES);
        let is_abstract = if truth(definition, "abstract") {
            "a"
        } else {
            ""
        };
        let value = elements
            .iter()
            .find(|e| text(e, "path") == format!("{name}.value"));
        let regex = value
            .filter(|_| kind == "p")
            .map_or("", |value| regex(value));
        let _ = writeln!(
            found.rows,
            "T\t{name}\t{kind}\t{base}\t{is_abstract}\t{regex}"
        );
        found.elements(name, &elements, kind == "p");
        for backbone in elements.iter().filter(|e| is_backbone(e, &elements)) {
            let path = text(backbone, "path");
            let base = list(backbone, "type")
                .next()
                .map_or("BackboneElement", |t| text(t, "code"));
            let _ = writeln!(found.rows, "T\t{path}\tb\t{base}\t\t");
            found.elements(path, &elements, false);
        }
    }
    found
}

fn regex(value: &Value) -> &str {
    let types = list(value, "type");
    let mut extensions = types.flat_map(|t| list(t, "extension"));
    extensions
        .find(|e| text(e, "url") == REGEX)
        .map_or("", |e| text(e, "valueString"))
}

/// Returns true where the element has elements of its own and is not the type itself.
fn is_backbone(element: &Value, elements: &[&Value]) -> bool {
    let path = text(element, "path");
    let inside = |other: &&Value| {
        text(other, "path")
            .strip_prefix(path)
            .is_some_and(|rest| rest.starts_with('.'))
    };
    path.contains('.') && elements.iter().any(inside)
}

impl Types {
    fn elements(&mut self, of: &str, elements: &[&Value], is_primitive: bool) {
        for element in elements {
            let path = text(element, "path");
            let Some(name) = path
                .strip_prefix(of)
                .and_then(|rest| rest.strip_prefix('.'))
            else {
                continue;
            };
            if name.contains('.') || is_primitive && name == "value" {
                continue;
            }
            let (name, choice) = match name.strip_suffix("[x]") {
                Some(name) => (name, "C"),
                None => (name, ""),
            };
            let summary = if truth(element, "isSummary") { "S" } else { "" };
            let modifier = if truth(element, "isModifier") {
                "M"
            } else {
                ""
            };
            let types = element_types(element, elements);
            self.note_names(name, &types, choice == "C");
            let _ = writeln!(
                self.rows,
                "E\t{name}\t{}\t{}\t{choice}{summary}{modifier}\t{}\t{}",
                element.get("min").and_then(Value::as_u64).unwrap_or(0),
                text(element, "max"),
                types.join(" "),
                binding(element),
            );
        }
    }

    fn note_names(&mut self, name: &str, types: &[String], choice: bool) {
        self.names.insert(name.to_owned());
        for type_name in types.iter().filter(|_| choice) {
            let type_name = type_name.split('(').next().unwrap_or_default();
            let (first, rest) = type_name.split_at(type_name.len().min(1));
            self.names
                .insert(format!("{name}{}{rest}", first.to_uppercase()));
        }
    }
}

/// Formats the types of an element: `string`, `Reference(Patient,Group)`, `Patient.contact`.
fn element_types(element: &Value, elements: &[&Value]) -> Vec<String> {
    let path = text(element, "path");
    if let Some(target) = text(element, "contentReference").strip_prefix('#') {
        return vec![target.to_owned()];
    }
    if is_backbone(element, elements) {
        return vec![path.to_owned()];
    }
    let mut types = Vec::new();
    for type_ref in list(element, "type") {
        let mut extensions = list(type_ref, "extension");
        let said = extensions
            .find(|e| text(e, "url") == FHIR_TYPE)
            .map(|e| text(e, "valueUrl"));
        // The package calls a resource's id a string; it is an `id`.
        let is_resource_id = truth(element, "isSummary") && path.rsplit('.').next() == Some("id");
        let code = if is_resource_id {
            "id"
        } else {
            said.unwrap_or_else(|| plain_type(text(type_ref, "code")))
        };
        let targets: Vec<&str> = list(type_ref, "targetProfile")
            .filter_map(Value::as_str)
            .map(|url| url.trim_start_matches(STRUCTURES))
            .collect();
        let targets = if targets.is_empty() {
            String::new()
        } else {
            format!("({})", targets.join(","))
        };
        types.push(format!("{code}{targets}"));
    }
    types
}

/// Maps a FHIRPath type to the FHIR type with the same meaning; only strings lack this annotation.
fn plain_type(code: &str) -> &str {
    if code.ends_with("System.String") {
        "string"
    } else {
        code
    }
}

fn binding(element: &Value) -> String {
    let Some(binding) = element.get("binding") else {
        return String::new();
    };
    let url = without_version(text(binding, "valueSet"));
    if url.is_empty() {
        return String::new();
    }
    let strength = match text(binding, "strength") {
        "required" => "r",
        "extensible" => "x",
        "preferred" => "p",
        _ => "e",
    };
    format!("{strength}{}", short(url, VALUE_SETS))
}

/// Removes the usual prefix from a url.
fn short<'u>(url: &'u str, place: &str) -> &'u str {
    url.strip_prefix(place).unwrap_or(url)
}

// --- search parameters ---

/// Formats `code bases kind url targets expression`, then `definition` and `expression` of each
/// component.
fn search_parameters(package: &Package) -> String {
    let mut rows = BTreeSet::new();
    for parameter in resources(package, "SearchParameter") {
        let id = text(parameter, "id");
        let expression = text(parameter, "expression");
        // Skips examples, and parameters on extensions that no resource here has to know.
        let foreign =
            id.starts_with("example") || id == "filter" || expression.contains(".extension('");
        let bases = words(parameter, "base");
        if foreign || bases.is_empty() || id.contains("-extensions-") {
            continue;
        }
        let mut row = format!(
            "{}\t{bases}\t{}\t{}\t{}\t{}",
            text(parameter, "code"),
            text(parameter, "type"),
            short(text(parameter, "url"), SEARCH_PARAMETERS),
            words(parameter, "target"),
            cell(expression),
        );
        for component in list(parameter, "component") {
            let definition = short(text(component, "definition"), SEARCH_PARAMETERS);
            let _ = write!(
                row,
                "\t{definition}\t{}",
                cell(text(component, "expression"))
            );
        }
        rows.insert(row);
    }
    rows.into_iter().map(|row| row + "\n").collect()
}

fn words(value: &Value, name: &str) -> String {
    list(value, name)
        .filter_map(Value::as_str)
        .collect::<Vec<_>>()
        .join(" ")
}

// --- compartments ---

/// Formats `compartment resource-type params`.
fn compartments(package: &Package) -> String {
    let mut rows = BTreeSet::new();
    for definition in resources(package, "CompartmentDefinition") {
        if text(definition, "id") == "example" {
            continue;
        }
        for member in list(definition, "resource") {
            let params = words(member, "param");
            if !params.is_empty() {
                rows.insert(format!(
                    "{}\t{}\t{params}\n",
                    text(definition, "code"),
                    text(member, "code")
                ));
            }
        }
    }
    rows.into_iter().collect()
}
