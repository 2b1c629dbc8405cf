//! The maps that come with Causeway: every `*.map` under `maps/`, put in by the build script.

/// Name (`v2/pid.map`) and text.
pub(crate) const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/maps.rs"));
