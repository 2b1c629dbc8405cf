//! Walls: the imports that docs/ARCHITECTURE.md allows, and the code that may act as the system.

use super::{Finding, files, read, shown};
use std::collections::BTreeMap;
use std::path::Path;

/// Files that may ask for a system permit, each with its reason.
const SYSTEM_PERMIT_CALLERS: [(&str, &str); 4] = [
    ("crates/access/src/", "defines it"),
    (
        "crates/flow/src/",
        "messages enter the chart on the configured flow's authority",
    ),
    (
        "crates/store/src/chart/mod.rs",
        "a write may not replace what its permit does not show: only existence is checked",
    ),
    (
        "crates/causeway/src/",
        "import and bench act for whoever may write the data directory",
    ),
];

/// Checks that every dependency between workspace crates is in the table, and every crate has a
/// row.
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
        let imports = dependencies(&read(&manifest)?);
        let sources = sources(manifest.parent().unwrap_or(root))?;
        for import in imports
            .iter()
            .filter(|import| allowed.contains_key(*import))
        {
            if !may.contains(import) {
                findings.push(format!(
                    "{}: `{name}` imports `{import}`, which docs/ARCHITECTURE.md does not allow",
                    shown(root, &manifest)
                ));
            }
            if !sources.contains(&format!("{import}::")) {
                findings.push(format!(
                    "{}: `{name}` names `{import}` and does not use it; take it out, here and in \
                     docs/ARCHITECTURE.md",
                    shown(root, &manifest)
                ));
            }
        }
        for unused in may.iter().filter(|import| !imports.contains(import)) {
            findings.push(format!(
                "docs/ARCHITECTURE.md allows `{name}` to import `{unused}`, which it does not; take it \
                 out of the row"
            ));
        }
    }
    for name in allowed.keys().filter(|name| !present.contains(name)) {
        findings.push(format!(
            "docs/ARCHITECTURE.md has a row for `{name}`, which does not exist"
        ));
    }
    Ok(findings)
}

/// Reads a crate's code, without comments.
fn sources(folder: &Path) -> Result<String, String> {
    let mut code = String::new();
    for path in files(&folder.join("src"), &[".rs"])? {
        for line in read(&path)?.lines() {
            if !line.trim_start().starts_with("//") {
                code.push_str(line);
                code.push('\n');
            }
        }
    }
    Ok(code)
}

/// Checks that `Permit::system` is called only in listed files.
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
        let code = without_tests(&read(&path)?);
        if code.contains("Permit::system(") {
            findings.push(format!(
                "{file}: asks for a system permit and is not in SYSTEM_PERMIT_CALLERS; pass a permit in"
            ));
        }
    }
    Ok(findings)
}

/// Removes `#[cfg(test)]` items from a text, wherever they are.
///
/// rustfmt closes an item at the indent of its first line, so the item ends with the first line of
/// that indent that closes a brace or ends a statement.
fn without_tests(text: &str) -> String {
    let mut code = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(at) = line.find("#[cfg(test)]") else {
            code.push_str(line);
            code.push('\n');
            continue;
        };
        let indent = &line[..at];
        for line in lines.by_ref() {
            let rest = line.strip_prefix(indent).unwrap_or("");
            let is_end = rest.starts_with('}')
                || !rest.starts_with([' ', '#', '/']) && rest.ends_with([';', '}']);
            if is_end {
                break;
            }
        }
    }
    code
}

/// Parses the table under *Crates and walls*: each crate and its allowed imports.
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

/// Returns the names under every `[…dependencies]` heading of a manifest.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut inside = false;
    for line in manifest.lines() {
        let line = line.trim();
        if let Some(heading) = line.strip_prefix('[') {
            // Tests may import more than the code that they test.
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
    fn what_follows_a_test_module_is_read_too() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn t() {\n    }\n}\nfn b() {}\nimpl X {\n    #[cfg(test)]\n    fn c() {\n        d();\n    }\n\n    fn e() {}\n}\n#[cfg(test)]\nmod more;\nfn f() {}\n";
        assert_eq!(
            without_tests(text),
            "fn a() {}\nfn b() {}\nimpl X {\n\n    fn e() {}\n}\nfn f() {}\n"
        );
    }

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
