//! The rules that decide which source records are one person.
//!
//! Invariants:
//! - records are joined only by equal identifiers (system, type, value) that name a person
//!   ([`fhir::identifier`]) and by a record's own `Patient.link`; an identifier without a system or
//!   a value, a policy, an account, a visit or a placeholder joins nothing;
//! - an identifier does not join records that contradict each other ([`Born::contradicts`]): it was
//!   assigned to one of them by mistake; a link joins them regardless;
//! - an animal is a record but not a person;
//! - joining changes no source record: it decides which records belong together and what the
//!   person's own resource contains;
//! - when several persons become one, the oldest stays.

use fhir::json::{Document, Node};
use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

/// The extension that marks a Patient as an animal (FHIR R4, patient-animal).
const ANIMAL: &str = "http://hl7.org/fhir/StructureDefinition/patient-animal";

/// The system of the tag on a person's Patient.
pub(crate) const TAG_SYSTEM: &str = "urn:causeway:tag";
/// The code of that tag.
pub(crate) const TAG_CODE: &str = "person";

/// The elements of a source record from which its person is built, besides the identifiers.
pub(crate) const SHOWN: [&str; 6] = [
    "name",
    "telecom",
    "gender",
    "birthDate",
    "deceasedBoolean",
    "address",
];

/// The element whose items join records unconditionally.
const LINK: &str = "link";

/// The elements of a source Patient from which its person is built: a JSON object with the elements
/// as the source sent them, links last.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    bytes: Vec<u8>,
    /// The position of the first link, if known.
    links_at: Option<usize>,
}

/// A value that joins the records that share it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Joint {
    pub(crate) system: String,
    pub(crate) kind: String,
    pub(crate) value: String,
}

/// A source record as the linking code sees it.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) patient: i64,
    /// The person to which it belongs now.
    pub(crate) person: Option<i64>,
    pub(crate) joints: Vec<Joint>,
    pub(crate) born: Born,
}

/// The properties in which records of one person cannot all differ.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Born {
    date: String,
    sex: String,
    /// The family name and first given name of each name, in lower case.
    names: Vec<(String, String)>,
}

/// Records that belong together, and the person that they keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) person: Option<i64>,
    /// The patients, sorted.
    pub(crate) patients: Vec<i64>,
}

/// The current grouping of records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Grouping {
    pub(crate) groups: Vec<Group>,
    /// Persons that no group kept, each with the group that has their records now.
    pub(crate) retired: Vec<(i64, usize)>,
}

// === impl Born ===

impl Born {
    /// Returns true if both have a birth date and it differs together with the sex or with every
    /// name: a mother's number on her newborn, or a number that the first owner's spouse used.
    pub(crate) fn contradicts(&self, other: &Self) -> bool {
        self.difference(other).is_some()
    }

    /// Describes the contradiction in words.
    fn difference(&self, other: &Self) -> Option<&'static str> {
        let (date, others) = (self.date.as_str(), other.date.as_str());
        let is_known = !date.is_empty() && !others.is_empty();
        // A year alone may be the same birth date in lower precision.
        if !is_known || date.starts_with(others) || others.starts_with(date) {
            return None;
        }
        let is_told = |sex: &str| sex == "male" || sex == "female";
        let sexes_differ = is_told(&self.sex) && is_told(&other.sex) && self.sex != other.sex;
        let is_named = !self.names.is_empty() && !other.names.is_empty();
        let is_alike = self.names.iter().any(|name| other.names.contains(name));
        let names_differ = is_named && !is_alike;
        match (sexes_differ, names_differ) {
            (true, true) => Some("birth date, sex and name differ"),
            (true, false) => Some("birth date and sex differ"),
            (false, true) => Some("birth date and name differ"),
            (false, false) => None,
        }
    }
}

// === impl Identity ===

impl Identity {
    /// Returns the identity of a Patient; `None` for an animal, which is not a person.
    pub(crate) fn of(patient: Node<'_>) -> Option<Self> {
        if items(patient, "extension").any(|own| own.text("url").as_deref() == Some(ANIMAL)) {
            return None;
        }
        let mut bytes = b"{".to_vec();
        let mut links_at = None;
        for name in SHOWN.into_iter().chain(["identifier", LINK]) {
            if let Some(element) = patient.get(name) {
                if 1 < bytes.len() {
                    bytes.push(b',');
                }
                bytes.extend_from_slice(format!("\"{name}\":").as_bytes());
                if name == LINK && element.is_array() {
                    links_at = Some(bytes.len() + 1);
                }
                bytes.extend_from_slice(element.raw());
            }
        }
        bytes.push(b'}');
        Some(Self { bytes, links_at })
    }

    /// Wraps the bytes of a stored row.
    pub(crate) fn stored(bytes: Vec<u8>) -> Self {
        let links_at = None;
        Self { bytes, links_at }
    }

    /// Returns the bytes to store in a row.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the identity without its links, which may be many; with them if their position is
    /// unknown.
    pub(crate) fn without_links(&self) -> Cow<'_, [u8]> {
        // `"link":[` precedes the first link, after a comma unless it is the only element.
        let end = self.links_at.map(|at| at - LINK.len() - 4);
        match end.and_then(|end| self.bytes.get(..end)) {
            Some(rest) => {
                let mut bytes = rest.strip_suffix(b",").unwrap_or(rest).to_vec();
                bytes.push(b'}');
                bytes.into()
            }
            None => Cow::from(&self.bytes),
        }
    }

    /// Returns the joints of links appended since an earlier state; `None` if anything else differs
    /// too. A record with a thousand links is thus not parsed again for one more.
    pub(crate) fn added_links(&self, earlier: &Self) -> Option<Vec<Joint>> {
        let known = earlier.bytes.strip_suffix(b"]}")?;
        let more = self.bytes.strip_prefix(known)?.strip_suffix(b"]}")?;
        // The prefix is the same text in both, so the links of the earlier one also start there.
        if known.len() <= self.links_at? {
            return None;
        }
        let more = more.strip_prefix(b",")?;
        let list = [b"[", more, b"]"].concat();
        let document = Document::parse(&list).ok()?;
        Some(document.root().items().filter_map(linked).collect())
    }

    /// Returns when and as whom the person was born, according to the record.
    pub(crate) fn born(&self) -> Born {
        let Ok(document) = Document::parse(&self.bytes) else {
            return Born::default();
        };
        let root = document.root();
        let text = |name| root.text(name).map(Cow::into_owned);
        let lower = |text: Option<Cow<'_, str>>| {
            text.map(|text| text.trim().to_lowercase())
                .unwrap_or_default()
        };
        let name = |name: Node<'_>| {
            let given = items(name, "given").next();
            (
                lower(name.text("family")),
                lower(given.and_then(Node::as_str)),
            )
        };
        Born {
            date: text("birthDate").unwrap_or_default(),
            sex: text("gender").unwrap_or_default(),
            names: items(root, "name").map(name).collect(),
        }
    }

    /// Returns the joints of the record `id`.
    pub(crate) fn joints(&self, id: &str) -> Vec<Joint> {
        let mut joints = self.all_joints(id);
        joints.retain(Joint::counts);
        joints
    }

    /// Returns the joints that are identifiers.
    pub(crate) fn numbers(&self) -> Vec<Joint> {
        let Ok(document) = Document::parse(&self.bytes) else {
            return Vec::new();
        };
        let mut numbers: Vec<Joint> = items(document.root(), "identifier")
            .filter_map(identifier)
            .filter(Joint::counts)
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// Returns the [joints](Self::joints), plus those that join no records under the current rules
    /// but may have done so in earlier builds.
    pub(crate) fn all_joints(&self, id: &str) -> Vec<Joint> {
        let mut joints = vec![Joint::of_record(id)];
        if let Ok(document) = Document::parse(&self.bytes) {
            let root = document.root();
            joints.extend(items(root, "identifier").filter_map(identifier));
            joints.extend(items(root, LINK).filter_map(linked));
        }
        joints.sort_unstable();
        joints.dedup();
        joints
    }
}

/// Describes why two records that share an identifier are kept apart.
pub(crate) fn differ(one: &Born, other: &Born) -> &'static str {
    let own = one.difference(other);
    own.unwrap_or("other records of their persons contradict each other")
}

// === impl Joint ===

impl Joint {
    /// Returns the joint for the record itself, to which a link refers.
    fn of_record(id: &str) -> Self {
        Self {
            system: String::new(),
            kind: "Patient".to_owned(),
            value: id.to_owned(),
        }
    }

    /// Returns true for a link, and for an identifier that names a person under the current rules.
    fn counts(&self) -> bool {
        self.system.is_empty() || fhir::identifier::joins(&self.kind, &self.system, &self.value)
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Identity {}

fn linked(link: Node<'_>) -> Option<Joint> {
    let reference = link.get("other")?.text("reference")?;
    Some(Joint::of_record(reference.strip_prefix("Patient/")?))
}

fn items<'a>(node: Node<'a>, name: &str) -> impl Iterator<Item = Node<'a>> {
    node.get(name).into_iter().flat_map(Node::items)
}

fn identifier(node: Node<'_>) -> Option<Joint> {
    let text = |name| node.text(name).map(|text| text.trim().to_owned());
    let system = text("system").filter(|text| !text.is_empty())?;
    let value = text("value").filter(|text| !text.is_empty())?;
    // `old` marks a number that was withdrawn; it may have been assigned to another person.
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

/// Groups the records that belong together. Each record must come with all records of its person.
pub(crate) fn group(records: &[Record]) -> Grouping {
    let mut leader = leaders(records);
    let mut members: BTreeMap<usize, Vec<&Record>> = BTreeMap::new();
    for (idx, record) in records.iter().enumerate() {
        members
            .entry(find(&mut leader, idx))
            .or_default()
            .push(record);
    }
    // The group with the oldest record chooses first, so that after a split the person stays with
    // it.
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

/// Returns the first record of each record's group.
fn leaders(records: &[Record]) -> Vec<usize> {
    let mut leader: Vec<usize> = (0..records.len()).collect();
    let mut said: Vec<HashSet<&Born>> = records
        .iter()
        .map(|record| HashSet::from([&record.born]))
        .collect();
    // Links come first: no identifier overrides what a source says about its own records.
    for by_link in [true, false] {
        let mut holders: HashMap<&Joint, Vec<usize>> = HashMap::new();
        for (idx, record) in records.iter().enumerate() {
            let joints = record.joints.iter();
            for joint in joints.filter(|joint| joint.system.is_empty() == by_link) {
                let others = holders.entry(joint).or_default();
                // Of several groups that contradict each other, each collects its own members.
                let meets = others.iter().copied().find_map(|other| {
                    let (a, b) = (find(&mut leader, idx), find(&mut leader, other));
                    let fits = a == b || by_link || !is_split(&said, a, b);
                    fits.then_some((a.min(b), a.max(b)))
                });
                match meets {
                    Some((stays, goes)) if stays != goes => {
                        unite(&mut leader, &mut said, stays, goes);
                    }
                    Some(_) => {}
                    None => others.push(idx),
                }
            }
        }
    }
    leader
}

/// Returns true if the birth details of the two groups cannot belong to one person.
fn is_split(said: &[HashSet<&Born>], a: usize, b: usize) -> bool {
    let (Some(ours), Some(theirs)) = (said.get(a), said.get(b)) else {
        return false;
    };
    ours.iter()
        .any(|own| theirs.iter().any(|other| own.contradicts(other)))
}

fn unite(leader: &mut [usize], said: &mut [HashSet<&Born>], stays: usize, goes: usize) {
    if let Some(place) = leader.get_mut(goes) {
        *place = stays;
    }
    let gone = said.get_mut(goes).map(std::mem::take).unwrap_or_default();
    if let Some(all) = said.get_mut(stays) {
        all.extend(gone);
    }
}

/// Finds the leader of a record, and compresses the path to it.
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

/// Returns the ids of the records to which a person's body links.
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

/// Returns the body of a person that became part of another.
pub(crate) fn retired(survivor: &str) -> Vec<u8> {
    let head = head("false");
    let other = format!(r#"{{"reference":"Patient/{survivor}"}}"#);
    format!(r#"{head},"link":[{{"other":{other},"type":"replaced-by"}}]}}"#).into_bytes()
}

/// Returns the beginning of a person's body.
pub(crate) fn head(active: &str) -> String {
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
            born: Born::default(),
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
        let joints = Identity::of(document.root()).unwrap().joints("zz1");
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

    fn born(date: &str, sex: &str, given: &str) -> Born {
        Born {
            date: date.to_owned(),
            sex: sex.to_owned(),
            names: vec![("zztest".to_owned(), given.to_owned())],
        }
    }

    #[test]
    fn who_cannot_be_one_person() {
        let ann = born("1980-01-01", "female", "ann");
        for (clause, other, expected) in [
            ("a newborn son", born("2024-01-01", "male", "babyboy"), true),
            (
                "a newborn daughter",
                born("2024-01-01", "female", "babygirl"),
                true,
            ),
            (
                "a birth date corrected",
                born("1980-01-02", "female", "ann"),
                false,
            ),
            ("a year", born("1980", "male", "bob"), false),
            ("no birth date", born("", "male", "bob"), false),
            ("another name", born("1980-01-01", "female", "anna"), false),
        ] {
            assert_eq!(ann.contradicts(&other), expected, "{clause}");
            assert_eq!(other.contradicts(&ann), expected, "{clause}");
        }
    }

    #[test]
    fn a_number_does_not_join_who_cannot_be_one_person() {
        let mut records = [
            record(1, None, &["A"]),
            record(3, None, &["A"]),
            record(5, None, &["A"]),
        ];
        records[0].born = born("1980-01-01", "female", "ann");
        records[1].born = born("2024-01-01", "male", "babyboy");
        records[2].born = born("1980-01-01", "female", "ann");
        check(&records, &[(None, &[1, 5]), (None, &[3])], &[]);
        // A record without birth details joins the first group and does not tie the other one to
        // it.
        records[2].born = Born::default();
        check(&records, &[(None, &[1, 5]), (None, &[3])], &[]);
    }

    #[test]
    fn an_animal_is_no_person() {
        let text = format!(r#"{{"extension":[{{"url":"{ANIMAL}"}}]}}"#);
        let document = Document::parse(text).unwrap();
        assert_eq!(Identity::of(document.root()), None);
    }
}
