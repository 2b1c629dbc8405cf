//! Entries of a batch or transaction, parsed and checked one by one.

use crate::known_type;
use crate::precondition::Precondition;
use axum::http::StatusCode;
use fhir::bundle::{Entry, Request, entries};
use fhir::json::Document;
use fhir::reference::is_id;
use web::Failure;

/// One parsed entry.
#[derive(Debug)]
pub(crate) struct Planned<'a> {
    /// The entry's index in the bundle, from 0.
    pub(crate) place: usize,
    /// The URL by which other entries may refer to this one.
    pub(crate) full_url: Option<String>,
    pub(crate) action: EntryAction<'a>,
}

impl Planned<'_> {
    /// Returns true if the entry may create a resource under a new id.
    pub(crate) fn makes_id(&self) -> bool {
        match &self.action {
            EntryAction::Create { .. } => true,
            EntryAction::Update { target, .. } => matches!(target, Target::Criteria(_)),
            EntryAction::Delete { .. } | EntryAction::Get { .. } => false,
        }
    }
}

/// The action that an entry requests.
#[derive(Debug)]
pub(crate) enum EntryAction<'a> {
    Create {
        body: Body<'a>,
        if_none_exist: Option<String>,
    },
    Update {
        body: Body<'a>,
        target: Target,
        precondition: Precondition,
    },
    Delete {
        resource_type: &'static str,
        target: Target,
        precondition: Precondition,
    },
    /// A read or search, with its address below the base.
    Get {
        url: String,
        precondition: Precondition,
    },
}

/// The resource that an entry changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// One by id, `[type]/[id]`.
    Id(String),
    /// The one that matches `[type]?…`.
    Criteria(String),
}

/// The entry's resource.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Body<'a> {
    pub(crate) resource_type: &'static str,
    pub(crate) node: fhir::json::Node<'a>,
}

/// Parses one entry. The location of a failure is that of the entry.
pub(crate) fn plan(place: usize, entry: Entry<'_>) -> Result<Planned<'_>, Failure> {
    let full_url = entry.full_url().map(std::borrow::Cow::into_owned);
    let request = entry
        .request()
        .ok_or_else(|| wrong(place, "required", "the entry has no request"))?;
    let action = match request.method.as_ref() {
        "POST" => {
            let body = body(
                place,
                entry,
                below_base(&request.url).split('?').next().unwrap_or(""),
            )?;
            EntryAction::Create {
                body,
                if_none_exist: request.if_none_exist.map(std::borrow::Cow::into_owned),
            }
        }
        "PUT" => {
            let (resource_type, target) = address(place, &request)?;
            let body = body(place, entry, resource_type)?;
            if let Target::Id(id) = &target
                && body.node.text("id").as_deref() != Some(id)
            {
                return Err(wrong(
                    place,
                    "invalid",
                    "the resource's id is not the one in request.url",
                ));
            }
            EntryAction::Update {
                body,
                target,
                precondition: precondition(place, &request)?,
            }
        }
        "DELETE" => {
            let (resource_type, target) = address(place, &request)?;
            EntryAction::Delete {
                resource_type,
                target,
                precondition: precondition(place, &request)?,
            }
        }
        "GET" => EntryAction::Get {
            url: below_base(&request.url).to_owned(),
            precondition: precondition(place, &request)?,
        },
        "PATCH" | "HEAD" => {
            return Err(Failure::at(
                StatusCode::NOT_IMPLEMENTED,
                "not-supported",
                expression(place),
                format!("`{}` in a bundle is not supported", request.method),
            ));
        }
        _ => {
            return Err(wrong(
                place,
                "value",
                "request.method is not GET, POST, PUT or DELETE",
            ));
        }
    };
    Ok(Planned {
        place,
        full_url,
        action,
    })
}

fn precondition(place: usize, request: &Request<'_>) -> Result<Precondition, Failure> {
    let (matches, none) = (&request.if_match, &request.if_none_match);
    Precondition::of_entry(matches.as_deref(), none.as_deref())
        .map_err(|failure| failure.within(&expression(place)))
}

/// Parses every entry and returns them, or the first failure.
pub(crate) fn plan_all(document: &Document) -> Result<Vec<Planned<'_>>, Failure> {
    entries(document.root())
        .enumerate()
        .map(|(place, entry)| plan(place, entry))
        .collect()
}

/// Renders the location of an entry, such as `Bundle.entry[3]`.
pub(crate) fn expression(place: usize) -> String {
    format!("Bundle.entry[{place}]")
}

fn body<'a>(place: usize, entry: Entry<'a>, wanted: &str) -> Result<Body<'a>, Failure> {
    let node = entry
        .resource()
        .ok_or_else(|| wrong(place, "required", "the entry has no resource"))?;
    let found = node.resource_type().unwrap_or("");
    let resource_type = known_type(found).map_err(|_| {
        wrong(
            place,
            "structure",
            "the entry's resource has a type that FHIR R4 does not define",
        )
    })?;
    if wanted == resource_type {
        Ok(Body {
            resource_type,
            node,
        })
    } else {
        Err(wrong(
            place,
            "invalid",
            "request.url is not the resource's type",
        ))
    }
}

fn address(place: usize, request: &Request<'_>) -> Result<(&'static str, Target), Failure> {
    let url = below_base(&request.url);
    let (name, target) = if let Some((name, criteria)) = url.split_once('?') {
        (name, Target::Criteria(criteria.to_owned()))
    } else {
        let (name, id) = url
            .split_once('/')
            .filter(|(_, id)| is_id(id))
            .ok_or_else(|| wrong(place, "value", "request.url is not [type]/[id] or [type]?…"))?;
        (name, Target::Id(id.to_owned()))
    };
    let resource_type = known_type(name)
        .map_err(|_| wrong(place, "value", "request.url names no resource type"))?;
    Ok((resource_type, target))
}

/// Strips a leading slash from the address, which some clients send.
fn below_base(url: &str) -> &str {
    url.strip_prefix('/').unwrap_or(url)
}

fn wrong(place: usize, code: &'static str, text: &str) -> Failure {
    Failure::at(StatusCode::BAD_REQUEST, code, expression(place), text)
}
