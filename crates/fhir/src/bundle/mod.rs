//! Bundles: reading entries, writing responses.
//!
//! Invariant: a [`Writer`] copies resources as stored; it does not parse them.

mod writer;

pub use writer::{EntryParts, Header, Writer};

use crate::json::{Each, Node};
use std::borrow::Cow;

/// An entry of a Bundle.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a>(Node<'a>);

/// The request of an entry in a batch, transaction or history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// `GET`, `POST`…; empty if it is missing.
    pub method: Cow<'a, str>,
    /// Relative to the server's base; empty if it is missing.
    pub url: Cow<'a, str>,
    /// `ifNoneExist`: a query.
    pub if_none_exist: Option<Cow<'a, str>>,
    /// `ifMatch`: `W/"2"`.
    pub if_match: Option<Cow<'a, str>>,
    /// `ifNoneMatch`.
    pub if_none_match: Option<Cow<'a, str>>,
    /// `ifModifiedSince`.
    pub if_modified_since: Option<Cow<'a, str>>,
}

/// The type of a Bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BundleKind {
    /// A signed whole that begins with a Composition.
    Document,
    /// A message that begins with a MessageHeader.
    Message,
    /// All or nothing.
    Transaction,
    /// The response to a transaction.
    TransactionResponse,
    /// Entries processed independently.
    Batch,
    /// The response to a batch.
    BatchResponse,
    /// Versions of resources.
    History,
    /// Search results.
    Searchset,
    /// Any resources.
    Collection,
}

/// Iterates over the entries of a Bundle.
pub fn entries(bundle: Node<'_>) -> impl Iterator<Item = Entry<'_>> {
    let entries: Each<'_> = bundle.each("entry");
    entries.map(Entry)
}

// === impl BundleKind ===

impl BundleKind {
    const ALL: [Self; 9] = [
        Self::Document,
        Self::Message,
        Self::Transaction,
        Self::TransactionResponse,
        Self::Batch,
        Self::BatchResponse,
        Self::History,
        Self::Searchset,
        Self::Collection,
    ];

    /// Returns the kind given by a Bundle's `type`.
    pub fn of(bundle: Node<'_>) -> Option<Self> {
        let code = bundle.text("type")?;
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// Returns the FHIR code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Document => "document",
            Self::Message => "message",
            Self::Transaction => "transaction",
            Self::TransactionResponse => "transaction-response",
            Self::Batch => "batch",
            Self::BatchResponse => "batch-response",
            Self::History => "history",
            Self::Searchset => "searchset",
            Self::Collection => "collection",
        }
    }
}

// === impl Entry ===

impl<'a> Entry<'a> {
    /// Returns the entry's node.
    pub fn node(self) -> Node<'a> {
        self.0
    }

    /// Returns `fullUrl`.
    pub fn full_url(self) -> Option<Cow<'a, str>> {
        self.0.text("fullUrl")
    }

    /// Returns the resource.
    pub fn resource(self) -> Option<Node<'a>> {
        self.0.get("resource").filter(|node| node.is_object())
    }

    /// Returns `request`.
    pub fn request(self) -> Option<Request<'a>> {
        let request = self.0.get("request")?;
        Some(Request {
            method: request.text("method").unwrap_or_default(),
            url: request.text("url").unwrap_or_default(),
            if_none_exist: request.text("ifNoneExist"),
            if_match: request.text("ifMatch"),
            if_none_match: request.text("ifNoneMatch"),
            if_modified_since: request.text("ifModifiedSince"),
        })
    }

    /// Returns `search.mode`: `match`, `include` or `outcome`.
    pub fn search_mode(self) -> Option<Cow<'a, str>> {
        self.0.get("search")?.text("mode")
    }

    /// Returns `response.status`.
    pub fn response_status(self) -> Option<Cow<'a, str>> {
        self.0.get("response")?.text("status")
    }
}
