//! The metadata in a row of `version`, with the checksum that it was written with.
//!
//! Invariant: a body is returned with the id, version and times that it was written with, or not at
//! all.

use crate::backend::Fault;
use crate::backend::stored::Res;
use crate::chart::body;
use crate::sum::Sum;
use fhir::json::Document;
use rusqlite::Row;
use sha2::{Digest, Sha256};

/// The metadata returned with a version's body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Face<'a> {
    pub(crate) rid: i64,
    pub(crate) res: Res,
    pub(crate) resource_type: &'a str,
    pub(crate) id: &'a str,
    pub(crate) version: u32,
    pub(crate) updated: i64,
    pub(crate) outcome: i64,
}

// === impl Face ===

impl Face<'_> {
    /// Computes the checksum of the row.
    pub(crate) fn sum(&self, dictionary: i64, bytes: Option<&[u8]>) -> i64 {
        Sum::new(3)
            .number(self.rid)
            .number(self.res)
            .number(i64::from(self.version))
            .number(self.updated)
            .number(self.outcome)
            .number(dictionary)
            .bytes(self.resource_type.as_bytes())
            .bytes(self.id.as_bytes())
            .maybe(bytes)
            .value()
    }

    /// Returns the plain body of a row that ends in dictionary, body, `res`, checksum, digest and
    /// the current `rid`, of which the first is at column `at`.
    pub(crate) fn body(&self, row: &Row<'_>, at: usize) -> Result<Option<Vec<u8>>, Fault> {
        let rotten = || {
            let Self {
                resource_type,
                id,
                version,
                ..
            } = self;
            Fault::Rotten(format!("{resource_type}/{id}, version {version}").into())
        };
        let kept = Kept::read(row, at).ok_or_else(rotten)?;
        let sum = self.sum(kept.dictionary, kept.bytes);
        if kept.sum.is_some_and(|written| written != sum) {
            return Err(rotten());
        }
        let Some(bytes) = kept.bytes else {
            return Ok(None);
        };
        let dictionary = u16::try_from(kept.dictionary).unwrap_or(u16::MAX);
        let plain = body::decompress(dictionary, bytes);
        let plain = plain.filter(|plain| kept.sum.is_some() || self.is_as_it_was(&kept, plain));
        plain.map(Some).ok_or_else(rotten)
    }

    /// Checks a body that was written before there were checksums. The current body has its digest
    /// stored; for older ones the only check is that they are still JSON.
    fn is_as_it_was(&self, kept: &Kept<'_>, plain: &[u8]) -> bool {
        if kept.current == Some(self.rid) {
            kept.digest == Some(digest(plain))
        } else {
            Document::parse(plain).is_ok()
        }
    }
}

/// The stored form of a body, and the values that it is checked against.
struct Kept<'a> {
    dictionary: i64,
    bytes: Option<&'a [u8]>,
    sum: Option<i64>,
    digest: Option<i64>,
    current: Option<i64>,
}

// === impl Kept ===

impl<'a> Kept<'a> {
    fn read(row: &'a Row<'_>, at: usize) -> Option<Self> {
        let number = |column: usize| row.get_ref(column).ok()?.as_i64_or_null().ok();
        Some(Self {
            dictionary: number(at)??,
            bytes: row.get_ref(at + 1).ok()?.as_blob_or_null().ok()?,
            sum: number(at + 3)?,
            digest: number(at + 4)?,
            current: number(at + 5)?,
        })
    }
}

/// Returns the first eight bytes of the SHA-256.
pub(crate) fn digest(plain: &[u8]) -> i64 {
    let digest = Sha256::digest(plain);
    digest
        .iter()
        .take(8)
        .fold(0, |digest, &byte| digest << 8 | i64::from(byte))
}
