//! The commands, one module each.

mod ask;
pub(crate) mod audit;
pub(crate) mod bench;
pub(crate) mod check;
pub(crate) mod convert;
pub(crate) mod demo;
pub(crate) mod fhirpath;
pub(crate) mod flows;
pub(crate) mod import;
pub(crate) mod maps;
pub(crate) mod messages;
pub(crate) mod send;
pub(crate) mod serve;
pub(crate) mod token;
pub(crate) mod verify;
