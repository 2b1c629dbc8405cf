//! `Causeway-Import: once`: a bundle that is written once, however often it is sent.
//!
//! Invariants:
//! - what makes resources under new ids is recognised by the digest of its content, which the chart
//!   keeps in the transaction that writes them: a client that was killed sends all of it again;
//! - what brings its ids is written as it comes: it is the same resource however often it comes;
//! - the answer says in the header of the same name how many resources were written, how many were
//!   there as they were sent, and how many an earlier request with the same content had made.

use crate::Failure;
use crate::import;
use crate::transaction::Planned;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use fhir::json::Document;
use sha2::{Digest, Sha256};
use store::chart::{Outcome, Receipt};

/// The header of the request and of its answer.
pub(crate) const HEADER: &str = "causeway-import";

/// What became of a bundle that is to be written once.
#[derive(Debug)]
pub(crate) struct Once {
    digest: [u8; 32],
    /// Each entry is a transaction of its own.
    by_entry: bool,
    n_written: usize,
    n_unchanged: usize,
    n_known: usize,
}

// === impl Once ===

impl Once {
    /// What the request asks for; none where it does not.
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
                "this header is not understood; write `Causeway-Import: once`, or leave it out",
            )),
        }
    }

    /// Under which digest these entries are kept; none where they bring their ids.
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

    /// The entries were there before.
    pub(crate) fn known(&mut self, n_entries: usize) {
        self.n_known += n_entries;
    }

    /// They were written now.
    pub(crate) fn written(&mut self, receipt: &Receipt) {
        for written in &receipt.written {
            match written.outcome {
                Outcome::Unchanged => self.n_unchanged += 1,
                Outcome::Created | Outcome::Updated | Outcome::Deleted => self.n_written += 1,
            }
        }
    }

    /// Says it.
    pub(crate) fn tell(&self, response: &mut Response) {
        let told = format!(
            "written={}, unchanged={}, known={}",
            self.n_written, self.n_unchanged, self.n_known
        );
        if let Ok(told) = HeaderValue::try_from(told) {
            response.headers_mut().insert(HEADER, told);
        }
    }
}
