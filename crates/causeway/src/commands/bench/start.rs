//! Benchmark of the start on an existing store, idle memory and binary size.

use super::Setting;
use super::child::Server;
use super::figures::{Figure, usage};
use crate::failure::Failure;
use std::time::Duration;

pub(super) fn start(setting: &Setting) -> Result<Vec<Figure>, Failure> {
    let folder = setting.scratch.join("start");
    Server::start(&folder, "received")?.stop();
    let mut ready = Vec::new();
    let mut memory = 0;
    for _ in 0..5 {
        let server = Server::start(&folder, "received")?;
        ready.push(server.ready_after);
        std::thread::sleep(Duration::from_secs(1));
        memory = usage(server.pid()).map_or(0, |(_, bytes)| bytes);
        server.stop();
    }
    ready.sort_unstable();
    let median = ready.get(ready.len() / 2).copied().unwrap_or_default();
    let binary = std::env::current_exe()
        .and_then(std::fs::metadata)
        .map_or(0, |metadata| metadata.len());
    Ok(vec![
        Figure::new(
            "start to ready on an existing store",
            median.as_secs_f64() * 1e3,
            "ms",
            "≤ 300",
        )
        .with("median of 5, from the start of the process"),
        Figure::new("idle resident memory", memory as f64 / 1e6, "MB", "≤ 80"),
        Figure::new("size of this binary", binary as f64 / 1e6, "MB", "≤ 60"),
    ])
}
