//! Bundles and single resources as batches of the chart, for `causeway import`.

use crate::{body, transaction};
use access::Permit;
use base::Issue;
use fhir::bundle::{BundleKind, entries};
use fhir::json::{Document, Node};
use fhir::reference::is_id;
use sha2::{Digest, Sha256};
use store::chart::{Batch, Change, Chart};
use web::Failure;

/// One input, prepared as a batch.
#[derive(Debug)]
pub struct Import {
    /// The batch, to be applied atomically.
    pub batch: Batch,
    /// The number of resources that the batch writes.
    pub n_resources: usize,
}

/// The error for an input that cannot be stored.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", first(.issues))]
pub struct ImportError {
    /// The reasons, each with its location.
    pub issues: Vec<Issue>,
}

/// The result of preparing an input: a batch, or the fact that the chart has the input already.
#[derive(Debug)]
pub enum Prepared {
    /// The input is new and is to be stored.
    New(Box<Import>),
    /// The same input was imported before.
    Known {
        /// The number of resources that it created.
        n_resources: usize,
    },
}

/// Prepares a transaction bundle as it specifies, and any other bundle or single resource under the
/// ids that it contains. An input that creates resources under new ids is recognized by its bytes:
/// if the chart has it already, it is not prepared again. The batch contains its digest, which also
/// keeps it from being written twice.
pub fn prepare(
    chart: &Chart,
    permit: &Permit,
    document: &Document,
) -> Result<Prepared, ImportError> {
    let digest = makes_ids(document).then(|| digest(document));
    if let Some(digest) = &digest
        && chart.was_imported(digest).map_err(Failure::from)?
    {
        let n_resources = match document.resource_type() {
            Some("Bundle") => entries(document.root()).count(),
            _ => 1,
        };
        return Ok(Prepared::Known { n_resources });
    }
    let mut import = read(chart, permit, document)?;
    import.batch.imported = digest;
    Ok(Prepared::New(Box::new(import)))
}

/// Returns true if the input creates a resource under a new id. A resource that has an id stays the
/// same resource however often it is imported.
fn makes_ids(document: &Document) -> bool {
    let brings_none = |resource: Node<'_>| resource.text("id").is_none_or(|id| !is_id(&id));
    if document.resource_type() != Some("Bundle") {
        return brings_none(document.root());
    }
    let is_request = matches!(
        BundleKind::of(document.root()),
        Some(BundleKind::Transaction | BundleKind::Batch)
    );
    entries(document.root()).any(|entry| match entry.request() {
        Some(request) if is_request => {
            request.method == "POST" || request.url.contains('?') && request.method == "PUT"
        }
        _ => entry.resource().is_some_and(brings_none),
    })
}

/// Computes the digest by which a document is recognized. Surrounding white space does not count.
pub(crate) fn digest(document: &Document) -> [u8; 32] {
    Sha256::digest(document.source().trim().as_bytes()).into()
}

fn read(chart: &Chart, permit: &Permit, document: &Document) -> Result<Import, ImportError> {
    let root = document.root();
    let is_bundle = document.resource_type() == Some("Bundle");
    let kind = if is_bundle {
        BundleKind::of(root)
    } else {
        None
    };
    match kind {
        Some(BundleKind::Transaction | BundleKind::Batch) => {
            let planned = transaction::plan_all(document)?;
            let permits = transaction::Permits {
                entries: vec![Some(permit.clone()); planned.len()],
                search: &|_| Ok(permit.clone()),
                base: "",
            };
            let prepared = transaction::prepare(chart, &permits, &planned)?;
            let n_resources = prepared.batch.changes.len();
            Ok(Import {
                batch: prepared.batch,
                n_resources,
            })
        }
        Some(_) => {
            let resources: Vec<Node<'_>> = entries(root)
                .filter_map(fhir::bundle::Entry::resource)
                .collect();
            put(&resources)
        }
        None => put(&[root]),
    }
}

fn put(resources: &[Node<'_>]) -> Result<Import, ImportError> {
    let mut batch = Batch::default();
    for resource in resources {
        let document = body::resource(resource.raw(), None)?;
        let id = match document.root().text("id") {
            Some(id) if is_id(&id) => id.into_owned(),
            Some(_) | None => transaction::new_id(),
        };
        let prepared = store::chart::Prepared::new(&document).map_err(Failure::from)?;
        batch.changes.push(Change::put(id, prepared));
    }
    let n_resources = batch.changes.len();
    Ok(Import { batch, n_resources })
}

fn first(issues: &[Issue]) -> String {
    let text = issues.first().map(ToString::to_string).unwrap_or_default();
    match issues.len() {
        0 | 1 => text,
        n => format!("{text} (and {} more)", n - 1),
    }
}

impl From<Failure> for ImportError {
    fn from(failure: Failure) -> Self {
        Self {
            issues: failure.issues,
        }
    }
}
