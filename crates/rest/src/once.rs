//! The header `Causeway-Import: once`: a bundle is written once, however often it is sent.
//!
//! Invariants:
//! - content that creates resources under new ids is recognized by its digest, which the chart
//!   stores in the transaction that writes them: a client that was killed sends all of it again;
//! - content that has its own ids is written each time: it is the same resource however often it
//!   comes;
//! - the response header of the same name says how many resources were written, how many existed
//!   unchanged, and how many an earlier request with the same content had created.

use crate::Failure;
use crate::import;
use crate::transaction::Planned;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use fhir::json::Document;
use sha2::{Digest, Sha256};
use store::chart::{Outcome, Receipt};

/// The header of the request and of its response.
pub(crate) const HEADER: &str = "causeway-import";

/// The result counts of a write-once bundle.
#[derive(Debug)]
pub(crate) struct Once {
    digest: [u8; 32],
    /// True if each entry is a transaction of its own.
    by_entry: bool,
    n_written: usize,
    n_unchanged: usize,
    n_known: usize,
}

// === impl Once ===

impl Once {
    /// Reads the request's header; none if the request does not ask for it.
    pub(crate) fn of(
        headers: &HeaderMap,
        document: &Document,
        by_entry: bool,
    ) -> Result<Option<Self>, Failure> {
        match headers.get(HEADER).map(HeaderValue::as_bytes) {
            None => Ok(None),
            Some(b"once") => Ok(Some(Self {
                digest: import::digest(document),
                by_entry,
                n_written: 0,
                n_unchanged: 0,
                n_known: 0,
            })),
            Some(_) => Err(Failure::at(
                StatusCode::BAD_REQUEST,
                "value",
                "Causeway-Import",
                "the value of this header is not understood; send `Causeway-Import: once`, or omit \
                 it",
            )),
        }
    }

    /// Returns the digest under which these entries are recorded; none if they have their own ids.
    pub(crate) fn digest(&self, planned: &[Planned<'_>]) -> Option<[u8; 32]> {
        if !planned.iter().any(Planned::makes_id) {
            return None;
        }
        if !self.by_entry {
            return Some(self.digest);
        }
        let place = planned.first()?.place as u64;
        let mut hash = Sha256::new();
        hash.update(self.digest);
        hash.update(place.to_be_bytes());
        Some(hash.finalize().into())
    }

    /// Counts entries that an earlier request created.
    pub(crate) fn known(&mut self, n_entries: usize) {
        self.n_known += n_entries;
    }

    /// Counts entries that this request wrote or left unchanged.
    pub(crate) fn written(&mut self, receipt: &Receipt) {
        for written in &receipt.written {
            match written.outcome {
                Outcome::Unchanged => self.n_unchanged += 1,
                Outcome::Created | Outcome::Updated | Outcome::Deleted => self.n_written += 1,
            }
        }
    }

    /// Sets the response header.
    pub(crate) fn set_header(&self, response: &mut Response) {
        let counts = format!(
            "written={}, unchanged={}, known={}",
            self.n_written, self.n_unchanged, self.n_known
        );
        if let Ok(counts) = HeaderValue::try_from(counts) {
            response.headers_mut().insert(HEADER, counts);
        }
    }
}
