//! Bundles and single resources as batches of the chart, for `causeway import`.

use crate::fhir::{Failure, body, transaction};
use access::Permit;
use base::Issue;
use fhir::bundle::{BundleKind, entries};
use fhir::json::{Document, Node};
use fhir::reference::is_id;
use store::chart::{Batch, Change, Chart};

/// What one input becomes.
#[derive(Debug)]
pub struct Import {
    /// To be applied as one whole.
    pub batch: Batch,
    /// How many resources it writes.
    pub n_resources: usize,
}

/// The input cannot be stored.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", first(.issues))]
pub struct ImportError {
    /// Why, by place.
    pub issues: Vec<Issue>,
}

/// A transaction bundle as it asks; any other bundle and a single resource under the ids that they
/// bring.
pub fn prepare(chart: &Chart, permit: &Permit, document: &Document) -> Result<Import, ImportError> {
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
