//! Which source records are one person.
//!
//! Invariants:
//! - records are joined only by equal identifiers (system, type, value) and by a record's own
//!   `Patient.link`; an identifier without a system or a value joins nothing;
//! - joining touches no source record: it decides who belongs together, and what the person's own
//!   resource says;
//! - of several persons that become one the oldest stays.

use fhir::json::{Document, Node};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

/// The tag of a person's Patient.
pub(crate) const TAG_SYSTEM: &str = "urn:causeway:tag";
/// Its code.
pub(crate) const TAG_CODE: &str = "person";

/// The elements of a source record that its person is made from, besides its identifiers.
const SHOWN: [&str; 6] = [
    "name",
    "telecom",
    "gender",
    "birthDate",
    "deceasedBoolean",
    "address",
];

/// What the person of a source Patient is made from: a JSON object of the elements that matter, as
/// the source sent them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity(pub(crate) Vec<u8>);

/// Something that joins the records that have it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Joint {
    pub(crate) system: String,
    pub(crate) kind: String,
    pub(crate) value: String,
}

/// A source record as linking sees it.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) patient: i64,
    /// The person it belongs to now.
    pub(crate) person: Option<i64>,
    pub(crate) joints: Vec<Joint>,
}

/// Records that belong together, and the person that they keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) person: Option<i64>,
    /// Sorted.
    pub(crate) patients: Vec<i64>,
}

/// How records group now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Grouping {
    pub(crate) groups: Vec<Group>,
    /// Persons that no group kept, with the group that has their records now.
    pub(crate) retired: Vec<(i64, usize)>,
}

// === impl Identity ===

impl Identity {
    /// Of a Patient.
    pub(crate) fn of(patient: Node<'_>) -> Self {
        let mut out = b"{".to_vec();
        for name in SHOWN.into_iter().chain(["identifier", "link"]) {
            if let Some(element) = patient.get(name) {
                if 1 < out.len() {
                    out.push(b',');
                }
                out.extend_from_slice(format!("\"{name}\":").as_bytes());
                out.extend_from_slice(element.raw());
            }
        }
        out.push(b'}');
        Self(out)
    }

    /// What joins the record `id` with others.
    pub(crate) fn joints(&self, id: &str) -> Vec<Joint> {
        let record = |id: &str| Joint {
            system: String::new(),
            kind: "Patient".to_owned(),
            value: id.to_owned(),
        };
        let mut joints = vec![record(id)];
        if let Ok(document) = Document::parse(&self.0) {
            let root = document.root();
            joints.extend(items(root, "identifier").filter_map(identifier));
            joints.extend(items(root, "link").filter_map(|link| {
                let reference = link.get("other")?.text("reference")?;
                Some(record(reference.strip_prefix("Patient/")?))
            }));
        }
        joints.sort_unstable();
        joints.dedup();
        joints
    }
}

fn items<'a>(node: Node<'a>, name: &str) -> impl Iterator<Item = Node<'a>> {
    node.get(name).into_iter().flat_map(Node::items)
}

fn identifier(node: Node<'_>) -> Option<Joint> {
    let text = |name| node.text(name).map(|text| text.trim().to_owned());
    let system = text("system").filter(|text| !text.is_empty())?;
    let value = text("value").filter(|text| !text.is_empty())?;
    // `old` is a number that was taken away; it may have been given to somebody else.
    if node.text("use").as_deref() == Some("old") {
        return None;
    }
    let kind = node.get("type").and_then(|kind| {
        let code = items(kind, "coding").find_map(|coding| coding.text("code"));
        code.or_else(|| kind.text("text"))
            .map(std::borrow::Cow::into_owned)
    });
    Some(Joint {
        system,
        kind: kind.unwrap_or_default(),
        value,
    })
}

/// Who belongs together. Each record must be there with all records of its person.
pub(crate) fn group(records: &[Record]) -> Grouping {
    let mut leader: Vec<usize> = (0..records.len()).collect();
    let mut first: HashMap<&Joint, usize> = HashMap::new();
    for (idx, record) in records.iter().enumerate() {
        for joint in &record.joints {
            let other = *first.entry(joint).or_insert(idx);
            let (a, b) = (find(&mut leader, idx), find(&mut leader, other));
            if let Some(place) = leader.get_mut(a.max(b)) {
                *place = a.min(b);
            }
        }
    }
    let mut members: BTreeMap<usize, Vec<&Record>> = BTreeMap::new();
    for (idx, record) in records.iter().enumerate() {
        members
            .entry(find(&mut leader, idx))
            .or_default()
            .push(record);
    }
    // The group with the oldest record chooses first, so that a split leaves the person there.
    let mut groups: Vec<Vec<&Record>> = members.into_values().collect();
    for group in &mut groups {
        group.sort_unstable_by_key(|record| record.patient);
    }
    groups.sort_unstable_by_key(|group| group.first().map(|record| record.patient));
    let mut taken: HashMap<i64, usize> = HashMap::new();
    let mut found = Grouping::default();
    for (idx, group) in groups.iter().enumerate() {
        let person = group
            .iter()
            .filter_map(|record| record.person)
            .filter(|person| !taken.contains_key(person))
            .min();
        if let Some(person) = person {
            taken.insert(person, idx);
        }
        let patients = group.iter().map(|record| record.patient).collect();
        found.groups.push(Group { person, patients });
    }
    for (idx, group) in groups.iter().enumerate() {
        for person in group.iter().filter_map(|record| record.person) {
            if let Entry::Vacant(free) = taken.entry(person) {
                free.insert(idx);
                found.retired.push((person, idx));
            }
        }
    }
    found
}

/// The leader of a record; the way to it is shortened for the next who asks.
fn find(leader: &mut [usize], mut idx: usize) -> usize {
    while let Some(&next) = leader.get(idx)
        && next != idx
    {
        let beyond = leader.get(next).copied().unwrap_or(next);
        if let Some(place) = leader.get_mut(idx) {
            *place = beyond;
        }
        idx = beyond;
    }
    idx
}

/// The body of a person: demographics of the newest record that has them, all identifiers, a link to
/// each record. `records` are id and identity, the newest first.
pub(crate) fn golden(records: &[(String, Identity)]) -> Vec<u8> {
    let mut shown: BTreeMap<usize, String> = BTreeMap::new();
    let mut identifiers: Vec<String> = Vec::new();
    let mut seen = HashSet::new();
    for (_, identity) in records {
        let Ok(document) = Document::parse(&identity.0) else {
            continue;
        };
        for (place, name) in SHOWN.into_iter().enumerate() {
            if let Some(element) = document.root().get(name) {
                let field = || format!(",\"{name}\":{}", element.raw_str());
                shown.entry(place).or_insert_with(field);
            }
        }
        for item in items(document.root(), "identifier") {
            let text = item.raw_str().to_owned();
            if seen.insert(text.clone()) {
                identifiers.push(text);
            }
        }
    }
    let mut body = head("true");
    if !identifiers.is_empty() {
        body = format!("{body},\"identifier\":[{}]", identifiers.join(","));
    }
    body.extend(shown.into_values());
    let mut ids: Vec<&str> = records.iter().map(|(id, _)| id.as_str()).collect();
    ids.sort_unstable();
    let links: Vec<String> = ids
        .into_iter()
        .map(|id| format!(r#"{{"other":{{"reference":"Patient/{id}"}},"type":"seealso"}}"#))
        .collect();
    format!("{body},\"link\":[{}]}}", links.join(",")).into_bytes()
}

/// The ids of the records that a person's body links to.
pub(crate) fn records_of(golden: &[u8]) -> Vec<String> {
    let Ok(document) = Document::parse(golden) else {
        return Vec::new();
    };
    items(document.root(), "link")
        .filter(|link| link.text("type").as_deref() == Some("seealso"))
        .filter_map(|link| {
            let reference = link.get("other")?.text("reference")?;
            Some(reference.strip_prefix("Patient/")?.to_owned())
        })
        .collect()
}

/// The body of a person that became part of another.
pub(crate) fn retired(survivor: &str) -> Vec<u8> {
    let head = head("false");
    let other = format!(r#"{{"reference":"Patient/{survivor}"}}"#);
    format!(r#"{head},"link":[{{"other":{other},"type":"replaced-by"}}]}}"#).into_bytes()
}

fn head(active: &str) -> String {
    format!(
        r#"{{"resourceType":"Patient","meta":{{"tag":[{{"system":"{TAG_SYSTEM}","code":"{TAG_CODE}"}}]}},"active":{active}"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(patient: i64, person: Option<i64>, numbers: &[&str]) -> Record {
        let joint = |&value: &&str| Joint {
            system: "urn:zztest".to_owned(),
            kind: "MR".to_owned(),
            value: value.to_owned(),
        };
        Record {
            patient,
            person,
            joints: numbers.iter().map(joint).collect(),
        }
    }

    #[track_caller]
    fn check(records: &[Record], groups: &[(Option<i64>, &[i64])], retired: &[(i64, usize)]) {
        let found = group(records);
        let kept: Vec<_> = found
            .groups
            .iter()
            .map(|g| (g.person, g.patients.as_slice()))
            .collect();
        assert_eq!(
            (kept.as_slice(), found.retired.as_slice()),
            (groups, retired)
        );
    }

    #[test]
    fn the_oldest_person_stays() {
        let records = [
            record(1, Some(11), &["A"]),
            record(3, Some(10), &["B"]),
            record(5, None, &["A", "B"]),
        ];
        check(&records, &[(Some(10), &[1, 3, 5])], &[(11, 0)]);
    }

    #[test]
    fn what_is_no_longer_joined_parts() {
        let records = [record(1, Some(10), &["A"]), record(3, Some(10), &["B"])];
        check(&records, &[(Some(10), &[1]), (None, &[3])], &[]);
    }

    #[test]
    fn an_identifier_without_system_or_taken_away_joins_nothing() {
        let text = r#"{"identifier":[{"value":"1"},{"system":"urn:x"},
            {"system":"urn:x","value":"2","use":"old"},
            {"system":"urn:x","value":"3","type":{"coding":[{"code":"MR"}]}}],
            "link":[{"other":{"reference":"Patient/zz2"},"type":"replaced-by"}]}"#;
        let document = Document::parse(text).unwrap();
        let joints = Identity::of(document.root()).joints("zz1");
        let found: Vec<_> = joints
            .iter()
            .map(|j| (&*j.system, &*j.kind, &*j.value))
            .collect();
        assert_eq!(
            found,
            [
                ("", "Patient", "zz1"),
                ("", "Patient", "zz2"),
                ("urn:x", "MR", "3")
            ]
        );
    }

    #[test]
    fn the_newest_record_shows() {
        let of = |text: &str| Identity(text.as_bytes().to_vec());
        let records = [
            (
                "b".to_owned(),
                of(r#"{"gender":"female","identifier":[{"value":"2"}]}"#),
            ),
            (
                "a".to_owned(),
                of(r#"{"gender":"male","birthDate":"1980","identifier":[{"value":"1"}]}"#),
            ),
        ];
        let body = String::from_utf8(golden(&records)).unwrap();
        assert!(
            body.contains(
                r#""identifier":[{"value":"2"},{"value":"1"}],"gender":"female","birthDate":"1980""#
            ),
            "{body}"
        );
        assert!(body.find("Patient/a") < body.find("Patient/b"), "{body}");
        Document::parse(&body).unwrap();
    }
}
