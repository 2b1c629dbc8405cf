//! The maps that ship with Causeway: every `*.map` under `maps/`, embedded by the build script.

/// The name (`v2/pid.map`) and text of each file.
pub(crate) const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/maps.rs"));
