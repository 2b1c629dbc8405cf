//! Messages and bundles from another converter (`$CAUSEWAY_SHARED/hl7v2-pairs`), as a score: how
//! many of the standard elements that it produced do the built-in maps produce too.
//!
//! The score is not a truth: where the official tables or US Core differ, the maps follow those
//! (docs/CONFORMANCE.md). Left out are IDs, `meta`, the converter's own extensions, and Provenance
//! with what only it refers to (the store's lineage covers it). A reference counts by the type that
//! it leads to.

use fhir::build::Value;
use mapping::{MapSet, Source};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

/// The minimum share of elements found equal.
const FLOOR_PERCENT: usize = 60;

/// A path without numbers, and a value.
type Element = (String, String);

#[derive(Clone, Copy, Default)]
struct Score {
    expected: usize,
    equal: usize,
    different: usize,
    missing: usize,
}

fn messages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            messages(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "hl7") {
            found.push(path);
        }
    }
}

/// Returns the messages of the folder, in order.
fn files(test: &str) -> Option<(PathBuf, Vec<PathBuf>)> {
    let folder = testkit::shared(test, "hl7v2-pairs")?;
    let mut files = Vec::new();
    messages(&folder, &mut files);
    files.sort();
    Some((folder, files))
}

fn converted(file: &Path) -> Value {
    let text = std::fs::read(file).unwrap();
    let text: Vec<u8> = text
        .into_iter()
        .map(|b| if b == b'\n' { b'\r' } else { b })
        .collect();
    let message = hl7v2::Message::parse(text);
    MapSet::builtin()
        .forward(&message, &Source::default())
        .bundle()
}

/// Every resource has the shape that FHIR requires. Only content that a message does not have at
/// all (a PID without a person) may be missing.
#[test]
fn make_resources_of_the_right_shape() {
    let Some((folder, files)) = files("make_resources_of_the_right_shape") else {
        return;
    };
    let mut faults: BTreeMap<String, String> = BTreeMap::new();
    for file in &files {
        let name = file.strip_prefix(&folder).unwrap().display().to_string();
        for entry in converted(file).each("entry") {
            let resource = entry.get("resource").unwrap();
            let document = resource.to_document().unwrap();
            let issues = fhir::check::structure(&document);
            for issue in issues
                .iter()
                .filter(|issue| issue.severity == base::Severity::Error)
            {
                let fault = format!(
                    "{}: {issue:?}",
                    resource.resource_type().unwrap_or_default()
                );
                faults.entry(fault).or_insert_with(|| name.clone());
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn agree_as_far_as_the_floor() {
    let Some((folder, files)) = files("agree_as_far_as_the_floor") else {
        return;
    };
    let mut total = Score::default();
    let mut distinct = Score::default();
    let mut groups: BTreeMap<String, Score> = BTreeMap::new();
    let mut faults: HashMap<String, usize> = HashMap::new();
    let mut n_left_out = 0;
    for file in &files {
        let Ok(expected) = std::fs::read(file.with_extension("fhir")) else {
            continue;
        };
        let theirs = Value::parse(expected).unwrap();
        let (expected, left_out) = elements(&theirs, false);
        n_left_out += left_out;
        let own = converted(file);
        let (found, _) = elements(&own, false);
        let score = compare(&expected, found, &mut groups, &mut faults);
        let once = (elements(&theirs, true).0, elements(&own, true).0);
        distinct.add(compare(
            &once.0,
            once.1,
            &mut BTreeMap::new(),
            &mut HashMap::new(),
        ));
        let name = file.strip_prefix(&folder).unwrap().display().to_string();
        eprintln!(
            "{:5.1} %  {:4} of {:4}  {name}",
            percent(score),
            score.equal,
            score.expected
        );
        total.add(score);
    }
    eprintln!("\nby segment or data type:");
    for (name, score) in &groups {
        let Score {
            expected,
            equal,
            different,
            missing,
        } = score;
        eprintln!(
            "{:5.1} %  {name}: {expected} expected, {equal} equal, {different} different, {missing} missing",
            percent(*score)
        );
    }
    let mut faults: Vec<(&String, &usize)> = faults.iter().collect();
    faults.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), (*name).clone()));
    eprintln!("\nmost frequent differences:");
    for (name, count) in faults.iter().take(30) {
        eprintln!("{count:5}  {name}");
    }
    let Score {
        expected,
        equal,
        different,
        missing,
    } = total;
    eprintln!(
        "\n{} pairs, {expected} elements expected, {equal} equal ({:.1} %), {different} different, {missing} missing; \
         {n_left_out} of Provenance left out",
        files.len(),
        percent(total)
    );
    eprintln!(
        "each resource counted once, however often it is there: {} of {} ({:.1} %)",
        distinct.equal,
        distinct.expected,
        percent(distinct)
    );
    assert!(
        FLOOR_PERCENT * expected <= 100 * equal,
        "agreement fell below {FLOOR_PERCENT} %"
    );
}

fn percent(score: Score) -> f64 {
    100.0 * score.equal as f64 / score.expected.max(1) as f64
}

fn compare(
    expected: &[Element],
    found: Vec<Element>,
    groups: &mut BTreeMap<String, Score>,
    faults: &mut HashMap<String, usize>,
) -> Score {
    let mut left: HashMap<String, Vec<String>> = HashMap::new();
    for (path, value) in found {
        left.entry(path).or_default().push(value);
    }
    let mut total = Score::default();
    let mut unequal = Vec::new();
    for (path, value) in expected {
        let values = left.entry(path.clone()).or_default();
        match values.iter().position(|own| own == value) {
            Some(at) => {
                values.swap_remove(at);
                total.count(groups, path, |score| score.equal += 1);
            }
            None => unequal.push((path, value)),
        }
    }
    for (path, value) in unequal {
        let values = left.entry(path.clone()).or_default();
        let fault = if let Some(own) = values.pop() {
            total.count(groups, path, |score| score.different += 1);
            format!("{path}: {value:.60} expected, {own:.60} made")
        } else {
            total.count(groups, path, |score| score.missing += 1);
            format!("{path}: missing")
        };
        *faults.entry(fault).or_default() += 1;
    }
    total
}

// === impl Score ===

impl Score {
    fn count(&mut self, groups: &mut BTreeMap<String, Self>, path: &str, add: impl Fn(&mut Self)) {
        let group = groups.entry(segment(path).to_owned()).or_default();
        for score in [self, group] {
            score.expected += 1;
            add(score);
        }
    }

    fn add(&mut self, other: Self) {
        self.expected += other.expected;
        self.equal += other.equal;
        self.different += other.different;
        self.missing += other.missing;
    }
}

/// Returns the segment or data type that an element is mostly made of.
fn segment(path: &str) -> &'static str {
    match path.split('.').next().unwrap_or_default() {
        "MessageHeader" => "MSH",
        "Patient" if path.starts_with("Patient.contact") => "NK1",
        "Patient" => "PID",
        "RelatedPerson" => "NK1",
        "Encounter" | "EpisodeOfCare" => "PV1",
        "Observation" => "OBX",
        "DiagnosticReport" => "OBR",
        "ServiceRequest" => "ORC",
        "Specimen" => "SPM",
        "Coverage" => "IN1",
        "Location" => "PL",
        "Practitioner" | "PractitionerRole" => "XCN",
        "Organization" => "XON",
        "Device" => "EI",
        _ => "other",
    }
}

/// Returns the standard elements of a bundle's resources, and how many were left out with
/// Provenance. `once` leaves out a resource that repeats another.
fn elements(bundle: &Value, once: bool) -> (Vec<Element>, usize) {
    let mut seen: HashSet<Vec<Element>> = HashSet::new();
    let mut types: HashMap<String, String> = HashMap::new();
    let mut only_traced: HashSet<String> = HashSet::new();
    let mut referred: HashSet<String> = HashSet::new();
    for entry in bundle.each("entry") {
        let (Some(url), Some(resource)) = (entry.text("fullUrl"), entry.get("resource")) else {
            continue;
        };
        let kind = resource.resource_type().unwrap_or_default();
        types.insert(url.to_owned(), kind.to_owned());
        let set = if kind == "Provenance" {
            &mut only_traced
        } else {
            &mut referred
        };
        references(resource, set);
    }
    only_traced.retain(|url| url.starts_with("Organization/") || url.starts_with("Device/"));
    let (mut found, mut n_left_out) = (Vec::new(), 0);
    for entry in bundle.each("entry") {
        let Some(resource) = entry.get("resource") else {
            continue;
        };
        let kind = resource.resource_type().unwrap_or_default();
        let url = entry.text("fullUrl").unwrap_or_default();
        let mut own = Vec::new();
        walk(kind.to_owned(), resource, &types, &mut own);
        if once && !own.is_empty() && !seen.insert(own.clone()) {
            continue;
        }
        if kind == "Provenance" || only_traced.contains(url) && !referred.contains(url) {
            n_left_out += own.len();
        } else {
            found.extend(own);
        }
    }
    (found, n_left_out)
}

fn references(value: &Value, found: &mut HashSet<String>) {
    if let Some(url) = value.text("reference") {
        found.insert(url.to_owned());
    }
    if let Some(fields) = value.as_object() {
        fields
            .iter()
            .for_each(|(_, value)| references(value, found));
    }
    value
        .as_array()
        .into_iter()
        .flatten()
        .for_each(|value| references(value, found));
}

fn walk(path: String, value: &Value, types: &HashMap<String, String>, found: &mut Vec<Element>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields.iter() {
                match name {
                    "id" | "meta" | "resourceType" => {}
                    "extension" | "modifierExtension" => extensions(&path, value, types, found),
                    "reference" => {
                        let url = value.as_str().unwrap_or_default();
                        let kind = types.get(url).map(String::as_str);
                        let kind = kind.or_else(|| url.split('/').next()).unwrap_or_default();
                        found.push((format!("{path}.reference"), kind.to_owned()));
                    }
                    name => walk(format!("{path}.{name}"), value, types, found),
                }
            }
        }
        Value::Array(items) => items
            .iter()
            .for_each(|item| walk(path.clone(), item, types, found)),
        Value::Null => {}
        Value::Bool(truth) => found.push((path, truth.to_string())),
        Value::Number(_) => found.push((path, value.number_text().unwrap_or_default().to_owned())),
        Value::String(_) => found.push((path, value.as_str().unwrap_or_default().to_owned())),
    }
}

/// Returns the extensions that FHIR itself defines.
fn extensions(
    path: &str,
    value: &Value,
    types: &HashMap<String, String>,
    found: &mut Vec<Element>,
) {
    for extension in value.as_array().into_iter().flatten() {
        let url = extension.text("url").unwrap_or_default();
        if url.starts_with("http://hl7.org/fhir/") {
            let short = url.rsplit('/').next().unwrap_or_default();
            let mut inner = extension.clone();
            inner.remove("url");
            walk(format!("{path}.extension({short})"), &inner, types, found);
        }
    }
}
