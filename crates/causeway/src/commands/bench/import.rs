//! Benchmark of an import of transaction bundles into an empty data directory.

use super::Setting;
use super::figures::Figure;
use crate::failure::Failure;
use serde_json::Value;
use std::process::Command;

pub(super) fn import(setting: &Setting) -> Result<Vec<Figure>, Failure> {
    let Some(bundles) = &setting.bundles else {
        eprintln!("bench import: skipped: give a folder of transaction bundles with --bundles");
        return Ok(Vec::new());
    };
    let data = setting.scratch.join("import");
    let program = std::env::current_exe().map_err(|error| Failure::failed(error.to_string()))?;
    let output = Command::new(program)
        .args(["import", "--format", "json", "--data"])
        .arg(&data)
        .arg(bundles)
        .output()
        .map_err(|error| Failure::failed(format!("bench import: {error}")))?;
    let answer: Value = serde_json::from_slice(&output.stdout).map_err(|_| {
        Failure::failed(format!(
            "bench import: {}",
            String::from_utf8_lossy(&output.stderr)
        ))
    })?;
    let number = |name: &str| answer.get(name).and_then(Value::as_f64).unwrap_or(0.0);
    // Only the chart's file, because even an empty chart has the audit log's reserve.
    let n_bytes = std::fs::metadata(data.join("chart.db")).map_or(0, |file| file.len());
    Ok(vec![
        Figure::new(
            "import of bundles, durable and searchable",
            number("resourcesPerSecond"),
            "resources/s",
            "≥ 4,000",
        )
        .with(format!(
            "{:.0} resources, {:.0} failed inputs, all threads",
            number("resources"),
            number("failed")
        )),
        Figure::new(
            "… disk",
            n_bytes as f64 / number("resources").max(1.0) / 1000.0,
            "kB/resource",
            "",
        ),
    ])
}
