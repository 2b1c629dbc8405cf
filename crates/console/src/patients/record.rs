//! A person's record: all resources of all linked source patients, parsed once per page.

use super::super::fault::Fault;
use super::super::messages::readable;
use super::super::visitor::Visitor;
use super::authorities::Authorities;
use super::value;
use access::{Interaction, Permit};
use fhir::json::{Document, Node};
use std::collections::HashMap;
use store::chart::{EverythingPage, Person, Read, Resource};
use store::journal::{Sequence, Summary};
use web::App;
use web::trail::Touched;

/// The largest number of resources read for one page; the page reports if there are more.
const MAX_RESOURCES: usize = 8_000;

/// The resources of one person that a page needs.
pub(super) struct Record {
    pub(super) person: Person,
    /// The golden record that linking created.
    pub(super) golden: Entry,
    /// The source patients with their labels.
    pub(super) members: Vec<Member>,
    pub(super) entries: Vec<Entry>,
    pub(super) is_cut: bool,
    /// The current date, for ages.
    pub(super) today: String,
    pub(super) authorities: Authorities,
}

/// A resource and its parsed tree.
pub(super) struct Entry {
    pub(super) resource: Resource,
    pub(super) document: Document,
    /// The sender of the last message that wrote it, if any: `CORELAB at ZZLAB`.
    pub(super) sender: String,
}

/// A source's patient.
pub(super) struct Member {
    pub(super) id: String,
    /// The short label: `LIS at NORTHLAB`, or the assigner of its number.
    pub(super) label: String,
    /// The flow that it came through.
    pub(super) flow: Option<String>,
}

/// A value that links to its origin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct LinkedText {
    pub(super) text: String,
    pub(super) from: String,
}

// === impl Record ===

impl Record {
    /// Reads the record and audits the access. Only resources of `types` are read.
    pub(super) async fn open(
        app: &App,
        visitor: &Visitor,
        id: &str,
        (view, types): (&str, &[&str]),
    ) -> Result<Self, Fault> {
        let permit = visitor
            .permit(app, Interaction::Everything, Some("Patient"))
            .await?;
        let (work, asked) = (app.clone(), id.to_owned());
        let types: Vec<String> = types.iter().map(|&name| name.to_owned()).collect();
        let taken = tokio::task::spawn_blocking(move || Self::take(&work, &permit, &asked, types));
        let touched = |patients| Touched {
            resource_type: "Patient".to_owned(),
            target: format!("{id}/{view}"),
            patients,
        };
        match taken.await.map_err(|error| Fault::internal(&error))? {
            Ok(record) => {
                visitor
                    .record(app, "everything", touched(record.patients()))
                    .await?;
                Ok(record)
            }
            Err(fault) => {
                let patients = vec![id.to_owned()];
                visitor
                    .record_failure(app, "everything", touched(patients), &fault)
                    .await?;
                Err(fault)
            }
        }
    }

    fn take(app: &App, permit: &Permit, id: &str, types: Vec<String>) -> Result<Self, Fault> {
        let person = app
            .chart
            .person_of(permit, id)?
            .ok_or_else(|| Fault::not_found("patient"))?;
        let golden = match app.chart.read(permit, "Patient", &person.id)? {
            Read::Found(resource) => Entry::of(*resource)?,
            Read::Gone { .. } | Read::Missing => return Err(Fault::not_found("patient")),
        };
        let mut entries = Vec::new();
        let mut page = EverythingPage {
            types,
            since: None,
            count: 1_000,
            cursor: None,
        };
        loop {
            let found = app.chart.everything(permit, &person.members, &page)?;
            for resource in found.matches {
                entries.push(Entry::of(resource)?);
            }
            page.cursor = found.next;
            if page.cursor.is_none() || MAX_RESOURCES <= entries.len() {
                break;
            }
        }
        let mut members = Vec::with_capacity(person.members.len());
        for id in &person.members {
            members.push(member(app, permit, id, &entries)?);
        }
        tell_apart(&mut members, &entries);
        name_senders(app, permit, &mut entries)?;
        let is_cut = page.cursor.is_some();
        let today = app
            .clock
            .now()
            .to_fhir()
            .get(..10)
            .unwrap_or_default()
            .to_owned();
        Ok(Self {
            person,
            golden,
            members,
            entries,
            is_cut,
            today,
            authorities: Authorities::of(app),
        })
    }

    /// Returns everyone whose data it is, for the audit log.
    fn patients(&self) -> Vec<String> {
        let mut patients = self.person.members.clone();
        patients.push(self.person.id.clone());
        patients
    }

    /// Returns the resources of a type, the most recently changed first.
    pub(super) fn of_type<'r>(&'r self, name: &'static str) -> impl Iterator<Item = &'r Entry> {
        self.entries
            .iter()
            .filter(move |entry| entry.resource.resource_type == name)
    }

    /// Creates a text that links to its origin. `element` is a path below the resource.
    pub(super) fn said(&self, entry: &Entry, element: &str, text: impl Into<String>) -> LinkedText {
        let resource = &entry.resource;
        LinkedText {
            text: text.into(),
            from: format!(
                "/patients/{}/from/{}/{}?element={}",
                self.person.id,
                resource.resource_type,
                resource.id,
                super::super::markup::encode(element)
            ),
        }
    }

    /// Returns the label of an entry's source.
    pub(super) fn source_of<'r>(&'r self, entry: &'r Entry) -> &'r str {
        if !entry.sender.is_empty() {
            return &entry.sender;
        }
        let patient = entry.patient();
        let member = self
            .members
            .iter()
            .find(|member| Some(member.id.as_str()) == patient.as_deref());
        member.map_or("", |member| member.label.as_str())
    }

    /// Returns the same label without the facility, for narrow columns.
    pub(super) fn short_source_of<'r>(&'r self, entry: &'r Entry) -> &'r str {
        let source = self.source_of(entry);
        source
            .split_once(" at ")
            .map_or(source, |(application, _)| application)
    }

    /// Returns the last completed visit and the day on which it ended: what came later is new to
    /// those who were there. The record must contain the Encounter resources.
    pub(super) fn last_visit(&self) -> Option<(&Entry, String)> {
        let ended = self.of_type("Encounter").filter_map(|entry| {
            let root = entry.root();
            let is_over = value::status(root, "status") == "finished" && !entry.is_error();
            let period = root.get("period").filter(|_| is_over)?;
            let end = period.text("end").or_else(|| period.text("start"))?;
            Some((entry, value::day(&end)))
        });
        ended
            .filter(|(_, day)| *day <= self.today)
            .max_by(|one, other| one.1.cmp(&other.1))
    }

    /// Returns true if more than one source has data of this person.
    pub(super) fn has_many_sources(&self) -> bool {
        let mut sources = self.entries.iter().map(|entry| self.source_of(entry));
        let first = sources.next();
        1 < self.members.len() || sources.any(|source| Some(source) != first)
    }
}

// === impl Entry ===

impl Entry {
    pub(super) fn of(resource: Resource) -> Result<Self, Fault> {
        let document = Document::parse(&resource.body).map_err(|error| Fault::internal(&error))?;
        Ok(Self {
            resource,
            document,
            sender: String::new(),
        })
    }

    pub(super) fn root(&self) -> Node<'_> {
        self.document.root()
    }

    /// Returns the id of the source patient that the resource belongs to.
    pub(super) fn patient(&self) -> Option<String> {
        if self.resource.resource_type == "Patient" {
            return Some(self.resource.id.clone());
        }
        let root = self.root();
        let reference = ["subject", "patient"]
            .into_iter()
            .find_map(|name| root.get(name))?;
        reference
            .text("reference")?
            .strip_prefix("Patient/")
            .map(str::to_owned)
    }

    /// Returns true if the resource is marked as entered in error.
    pub(super) fn is_error(&self) -> bool {
        let root = self.root();
        let is_error = |name| value::status(root, name) == "entered-in-error";
        is_error("status") || is_error("verificationStatus")
    }

    /// Returns the time of the event, from the first of these elements that is present.
    pub(super) fn when(&self, elements: &[&str]) -> Option<String> {
        let root = self.root();
        elements.iter().find_map(|element| {
            let node = root.get(element)?;
            if node.is_object() {
                let end = node.text("start").or_else(|| node.text("end"))?;
                return Some(end.into_owned());
            }
            node.as_str().map(std::borrow::Cow::into_owned)
        })
    }
}

/// Creates a member. Its label is the sender of the last message about this patient, or else the
/// assigner of the first number.
fn member(app: &App, permit: &Permit, id: &str, entries: &[Entry]) -> Result<Member, Fault> {
    let lineage = app.chart.lineage(permit, "Patient", id, None)?;
    let sequence = lineage
        .first()
        .and_then(|traced| app.chart.message_of(&traced.message));
    let stored = sequence
        .map(|sequence| readable(app, sequence))
        .transpose()?
        .flatten();
    if let Some(stored) = stored {
        let label = sender_of(&stored.summary);
        return Ok(Member {
            id: id.to_owned(),
            label,
            flow: Some(stored.summary.flow),
        });
    }
    let own = entries
        .iter()
        .find(|entry| entry.resource.resource_type == "Patient" && entry.resource.id == id);
    let label = own
        .and_then(|entry| {
            entry
                .root()
                .get("identifier")
                .into_iter()
                .flat_map(Node::items)
                .next()
        })
        .map(value::system_name)
        .filter(|name| !name.is_empty());
    Ok(Member {
        id: id.to_owned(),
        label: label.unwrap_or_else(|| "import".to_owned()),
        flow: None,
    })
}

/// The number of resources above which a page does not name their senders.
const MAX_NAMED: usize = 600;

/// Names the sender of each resource that a message wrote.
fn name_senders(app: &App, permit: &Permit, entries: &mut [Entry]) -> Result<(), Fault> {
    let mut known: HashMap<Sequence, String> = HashMap::new();
    for entry in entries.iter_mut().take(MAX_NAMED) {
        let resource = &entry.resource;
        let lineage = app
            .chart
            .lineage(permit, resource.resource_type, &resource.id, None)?;
        let Some(sequence) = lineage
            .first()
            .and_then(|traced| app.chart.message_of(&traced.message))
        else {
            continue;
        };
        if let Some(sender) = known.get(&sequence) {
            entry.sender.clone_from(sender);
            continue;
        }
        let stored = readable(app, sequence)?;
        let sender = stored
            .map(|stored| sender_of(&stored.summary))
            .unwrap_or_default();
        entry.sender.clone_from(&sender);
        known.insert(sequence, sender);
    }
    Ok(())
}

/// Returns the sender, such as `CORELAB at ZZLAB`, or else the flow.
fn sender_of(summary: &Summary) -> String {
    let header = &summary.header;
    let parts = [&header.sending_application, &header.sending_facility];
    let parts: Vec<&str> = parts
        .into_iter()
        .filter_map(|part| part.split('^').next())
        .filter(|part| !part.is_empty())
        .collect();
    if parts.is_empty() {
        summary.flow.clone()
    } else {
        parts.join(" at ")
    }
}

/// Adds their numbers to the labels of records that share a sender.
fn tell_apart(members: &mut [Member], entries: &[Entry]) {
    let labels: Vec<String> = members.iter().map(|member| member.label.clone()).collect();
    for member in members {
        if labels
            .iter()
            .filter(|label| **label == member.label)
            .count()
            < 2
        {
            continue;
        }
        let own = entries.iter().find(|entry| {
            entry.resource.resource_type == "Patient" && entry.resource.id == member.id
        });
        let mut numbers = own
            .and_then(|entry| entry.root().get("identifier"))
            .into_iter()
            .flat_map(Node::items);
        if let Some(number) = numbers
            .next()
            .and_then(|identifier| identifier.text("value"))
        {
            member.label = format!("{}, {}", member.label, value::short(&number));
        }
    }
}
