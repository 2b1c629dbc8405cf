//! The may-import table of docs/ARCHITECTURE.md, and who may act as the system.

use super::{Finding, files, read, shown};
use std::collections::BTreeMap;
use std::path::Path;

/// The only files that may ask for a system permit, each with its reason.
const SYSTEM_PERMIT_CALLERS: [(&str, &str); 4] = [
    ("crates/access/src/", "defines it"),
    (
        "crates/flow/src/",
        "messages enter the chart on the configured flow's authority",
    ),
    (
        "crates/store/src/chart/mod.rs",
        "a write may not replace what its permit does not show: only whether it is there is looked at",
    ),
    (
        "crates/causeway/src/",
        "import and bench act for whoever may write the data directory",
    ),
];

/// Every dependency between crates of the workspace stands in the table, and every crate has a row.
pub(super) fn imports(root: &Path) -> Result<Vec<Finding>, String> {
    let allowed = table(&read(&root.join("docs/ARCHITECTURE.md"))?);
    let mut findings = Vec::new();
    let mut present = Vec::new();
    for manifest in files(&root.join("crates"), &["Cargo.toml"])? {
        let Some(name) = manifest
            .parent()
            .and_then(Path::file_name)
            .and_then(|n| n.to_str())
        else {
            continue;
        };
        present.push(name.to_owned());
        let Some(may) = allowed.get(name) else {
            findings.push(format!(
                "crate `{name}` has no row in docs/ARCHITECTURE.md; add one, with an ADR for its wall"
            ));
            continue;
        };
        for import in dependencies(&read(&manifest)?) {
            let own = allowed.contains_key(&import);
            if own && import != name && !may.contains(&import) {
                findings.push(format!(
                    "{}: `{name}` imports `{import}`, which docs/ARCHITECTURE.md does not allow",
                    shown(root, &manifest)
                ));
            }
        }
    }
    for name in allowed.keys().filter(|name| !present.contains(name)) {
        findings.push(format!(
            "docs/ARCHITECTURE.md has a row for `{name}`, which does not exist"
        ));
    }
    Ok(findings)
}

/// `Permit::system` is called only where the list says so.
pub(super) fn system_permits(root: &Path) -> Result<Vec<Finding>, String> {
    let mut findings = Vec::new();
    for path in files(&root.join("crates"), &[".rs"])? {
        let file = shown(root, &path);
        let listed = SYSTEM_PERMIT_CALLERS
            .iter()
            .any(|(prefix, _)| file.starts_with(prefix));
        let is_test =
            file.contains("/tests/") || file.contains("/benches/") || file.contains("/examples/");
        if listed || is_test {
            continue;
        }
        let text = read(&path)?;
        // What stands below the test module's mark is test code.
        let code = text.split("#[cfg(test)]").next().unwrap_or("");
        if code.contains("Permit::system(") {
            findings.push(format!(
                "{file}: asks for a system permit and is not in SYSTEM_PERMIT_CALLERS; pass a permit in"
            ));
        }
    }
    Ok(findings)
}

/// Crate → what it may import, from the table under *Crates and walls*.
fn table(page: &str) -> BTreeMap<String, Vec<String>> {
    page.lines()
        .skip_while(|line| !line.starts_with("## Crates and walls"))
        .skip(1)
        .take_while(|line| !line.starts_with("## "))
        .filter_map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [name, _, may] = cells.as_slice() else {
                return None;
            };
            let name = name.strip_prefix('`')?.strip_suffix('`')?;
            let may = may
                .split_whitespace()
                .filter(|word| *word != "–")
                .map(str::to_owned);
            Some((name.to_owned(), may.collect()))
        })
        .collect()
}

/// The names under every `[…dependencies]` heading of a manifest.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut inside = false;
    for line in manifest.lines() {
        let line = line.trim();
        if let Some(heading) = line.strip_prefix('[') {
            // Tests may look further than the code that they test.
            inside = heading.trim_end_matches(']') == "dependencies";
        } else if inside && let Some((name, _)) = line.split_once(['=', '.']) {
            found.push(name.trim().to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_table_and_a_manifest() {
        let page = "## Crates and walls\n| crate | is | may import |\n|---|---|---|\n| `a` | x | – |\n| `b` | y | a |\n";
        let table = table(page);
        assert_eq!(table["a"], Vec::<String>::new());
        assert_eq!(table["b"], ["a"]);
        let manifest = "[package]\nname = \"b\"\n[dependencies]\na = { workspace = true }\nserde.workspace = true\n[dev-dependencies]\nc = \"1\"\n";
        assert_eq!(dependencies(manifest), ["a", "serde"]);
    }
}
