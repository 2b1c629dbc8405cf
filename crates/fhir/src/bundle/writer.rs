//! Writes a Bundle around resources kept as bytes.

use super::BundleKind;
use crate::json::write_string;
use base::Timestamp;

/// The Bundle's fields before the entries.
#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    /// The Bundle's type.
    pub kind: BundleKind,
    /// The Bundle's id.
    pub id: Option<&'a str>,
    /// The time at which the Bundle was assembled.
    pub timestamp: Option<Timestamp>,
    /// The number of matches, if counted.
    pub total: Option<u64>,
    /// `self`, `next`… with their urls.
    pub links: &'a [(&'a str, &'a str)],
}

/// An entry to write; empty parts are omitted.
#[derive(Clone, Copy, Debug, Default)]
pub struct EntryParts<'a> {
    /// `fullUrl`.
    pub full_url: Option<&'a str>,
    /// The resource's bytes, as JSON.
    pub resource: Option<&'a [u8]>,
    /// `search.mode`.
    pub search_mode: Option<&'a str>,
    /// `request`: method and url.
    pub request: Option<(&'a str, &'a str)>,
    /// `response.status`, such as `201 Created`.
    pub status: Option<&'a str>,
    /// `response.location`.
    pub location: Option<&'a str>,
    /// `response.etag`.
    pub etag: Option<&'a str>,
    /// `response.lastModified`.
    pub last_modified: Option<Timestamp>,
    /// `response.outcome`: an OperationOutcome's bytes.
    pub outcome: Option<&'a [u8]>,
}

/// A Bundle being written.
#[derive(Debug)]
pub struct Writer {
    out: Vec<u8>,
    n_entries: usize,
}

/// The fields of one object, with commas between them.
struct Fields<'o> {
    out: &'o mut Vec<u8>,
    first: bool,
}

// === impl Writer ===

impl Writer {
    /// Begins a Bundle.
    pub fn new(header: &Header<'_>) -> Self {
        let mut out = Vec::with_capacity(4096);
        let mut fields = Fields::open(&mut out);
        fields.text("resourceType", Some("Bundle"));
        fields.text("id", header.id);
        fields.text("type", Some(header.kind.code()));
        fields.text(
            "timestamp",
            header.timestamp.map(Timestamp::to_fhir).as_deref(),
        );
        if let Some(total) = header.total {
            fields.raw("total", total.to_string().as_bytes());
        }
        if !header.links.is_empty() {
            let mut links = Vec::new();
            for (relation, url) in header.links {
                links.push(if links.is_empty() { b'[' } else { b',' });
                let mut link = Fields::open(&mut links);
                link.text("relation", Some(relation));
                link.text("url", Some(url));
                link.close();
            }
            links.push(b']');
            fields.raw("link", &links);
        }
        Self { out, n_entries: 0 }
    }

    /// Adds an entry.
    pub fn entry(&mut self, parts: &EntryParts<'_>) {
        self.out.extend_from_slice(if self.n_entries == 0 {
            b",\"entry\":["
        } else {
            b","
        });
        self.n_entries += 1;
        let mut fields = Fields::open(&mut self.out);
        fields.text("fullUrl", parts.full_url);
        if let Some(resource) = parts.resource {
            fields.raw("resource", resource);
        }
        if let Some(mode) = parts.search_mode {
            fields.object("search", |search| search.text("mode", Some(mode)));
        }
        if let Some((method, url)) = parts.request {
            fields.object("request", |request| {
                request.text("method", Some(method));
                request.text("url", Some(url));
            });
        }
        if let Some(status) = parts.status {
            fields.object("response", |response| {
                response.text("status", Some(status));
                response.text("location", parts.location);
                response.text("etag", parts.etag);
                response.text(
                    "lastModified",
                    parts.last_modified.map(Timestamp::to_fhir).as_deref(),
                );
                if let Some(outcome) = parts.outcome {
                    response.raw("outcome", outcome);
                }
            });
        }
        fields.close();
    }

    /// Returns the number of bytes so far.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Returns whether there are no entries yet.
    pub fn is_empty(&self) -> bool {
        self.n_entries == 0
    }

    /// Returns the Bundle's bytes.
    pub fn finish(mut self) -> Vec<u8> {
        if self.n_entries != 0 {
            self.out.push(b']');
        }
        self.out.push(b'}');
        self.out
    }
}

// === impl Fields ===

impl<'o> Fields<'o> {
    fn open(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, first: true }
    }

    fn name(&mut self, name: &str) {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        write_string(name, self.out);
        self.out.push(b':');
    }

    fn text(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.name(name);
            write_string(text, self.out);
        }
    }

    fn raw(&mut self, name: &str, value: &[u8]) {
        self.name(name);
        self.out.extend_from_slice(value);
    }

    fn object(&mut self, name: &str, fill: impl FnOnce(&mut Fields<'_>)) {
        self.name(name);
        let mut fields = Fields::open(self.out);
        fill(&mut fields);
        fields.close();
    }

    fn close(self) {
        self.out.push(b'}');
    }
}
