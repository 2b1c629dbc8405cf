//! HL7 v2 in ER7 encoding: text to message and back, and everything that can be decided from the
//! text alone.
//!
//! Invariants:
//! - parsing never fails and never panics: it returns a [`Message`] and a list of [`Issue`]s;
//! - nothing is dropped: the message keeps its bytes, [`Message::raw`] of an untouched message is
//!   the input ([`Message::body`] is what is read), and every segment has a place in the
//!   [`structure`];
//! - numbers count from one, as in HL7: `field(3)`, `repeat(1)`, `component(2)`;
//! - nothing here does I/O: frames ([`mllp`]) and batches ([`batch`]) take and return bytes.
//!
//! Three states of a field: absent or empty ([`Piece::is_empty`]), null `""` ([`Piece::is_null`]:
//! delete), a value ([`Piece::text`], [`Piece::value`]).

pub mod ack;
pub mod batch;
pub mod build;
mod charset;
mod delimiters;
pub mod dictionary;
mod edit;
pub mod escape;
mod form;
mod fragment;
pub mod fuzz;
mod issue;
mod message;
pub mod mllp;
mod parse;
pub mod path;
mod piece;
mod review;
mod scan;
pub mod structure;
pub mod wire;

pub use build::MessageBuilder;
pub use charset::Charset;
pub use delimiters::Delimiters;
pub use dictionary::{Dictionary, Version};
pub use edit::EditError;
pub use issue::{Issue, IssueKind, Place};
pub use message::{Message, Segment};
pub use path::Path;
pub use piece::{Component, Field, Piece, Repeat, Subcomponent};
