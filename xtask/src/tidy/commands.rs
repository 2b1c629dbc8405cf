//! Test commands on pages: a command that runs a test by name must match one.
//!
//! `cargo test -p KRATE --test BINARY NAME…` and `cargo bench -p KRATE --bench NAME` are checked
//! against the sources: cargo itself prints `0 tests` and succeeds where a filter matches nothing.

use super::citations::{pages, spans};
use super::{Finding, files, read, shown};
use std::path::Path;

/// Checks that every cited test command names a test that exists.
pub(super) fn tests(root: &Path) -> Result<Vec<Finding>, String> {
    let mut findings = Vec::new();
    for page in pages(root)? {
        let text = read(&page)?;
        let fenced = text.lines().enumerate().filter_map(|(at, line)| {
            let line = line.trim();
            (!line.contains('`')).then(|| (at + 1, line.to_owned()))
        });
        for (line, command) in spans(&text).into_iter().chain(fenced) {
            if let Some(why) = fault(root, &command)? {
                let page = shown(root, &page);
                findings.push(format!("{page}:{line}: `{command}`: {why}"));
            }
        }
    }
    Ok(findings)
}

/// Returns the fault of a command that runs tests by name, if any.
fn fault(root: &Path, command: &str) -> Result<Option<String>, String> {
    let command = command.split('#').next().unwrap_or("");
    let mut words = command.split_whitespace();
    let (Some("cargo"), Some(kind @ ("test" | "bench"))) = (words.next(), words.next()) else {
        return Ok(None);
    };
    let (mut krate, mut binary, mut filters) = ("", "", Vec::new());
    while let Some(word) = words.next() {
        match word {
            "-p" => krate = words.next().unwrap_or(""),
            "--test" | "--bench" => binary = words.next().unwrap_or(""),
            _ if word.starts_with('-') => {}
            name => filters.push(name),
        }
    }
    let folder = root.join("crates").join(krate);
    if krate.is_empty() {
        return Ok(None);
    }
    if !folder.is_dir() {
        return Ok(Some(format!("there is no crate `{krate}`")));
    }
    if kind == "bench" {
        let is_there = binary.is_empty() || folder.join(format!("benches/{binary}.rs")).is_file();
        return Ok((!is_there).then(|| format!("`{krate}` has no bench `{binary}`")));
    }
    let names = if binary.is_empty() {
        names(&files(&folder.join("src"), &[".rs"])?, &folder.join("src"))?
    } else {
        let main = folder.join(format!("tests/{binary}/main.rs"));
        if !main.is_file() {
            return Ok(Some(format!("`{krate}` has no test binary `{binary}`")));
        }
        names_of_binary(&main)?
    };
    let unknown = filters
        .iter()
        .find(|filter| !names.iter().any(|name| name.contains(**filter)));
    Ok(unknown.map(|filter| format!("none of its tests has `{filter}` in its name")))
}

/// Returns `module::function` for every function below a folder.
fn names(sources: &[std::path::PathBuf], folder: &Path) -> Result<Vec<String>, String> {
    let mut all = Vec::new();
    for source in sources {
        let path = source.strip_prefix(folder).unwrap_or(source);
        let path = path.with_extension("");
        let module = path.to_string_lossy().replace('/', "::");
        let module = module.trim_end_matches("::mod");
        for function in functions(&read(source)?) {
            all.push(format!("{module}::{function}"));
            all.push(format!("{module}::tests::{function}"));
        }
    }
    Ok(all)
}

/// Returns `module::function` for the modules that a test binary declares, wherever their files
/// are.
fn names_of_binary(main: &Path) -> Result<Vec<String>, String> {
    let folder = main.parent().unwrap_or(main);
    let text = read(main)?;
    let mut all = functions(&text);
    let mut elsewhere = None;
    for line in text.lines().map(str::trim) {
        if let Some(path) = line.strip_prefix("#[path = \"") {
            elsewhere = path.split('"').next().map(|path| folder.join(path));
        } else if let Some(module) = line.strip_prefix("mod ") {
            let module = module.trim_end_matches(';');
            let file = folder.join(format!("{module}.rs"));
            let nested = folder.join(module).join("mod.rs");
            let file = elsewhere
                .take()
                .unwrap_or(if file.is_file() { file } else { nested });
            if file.is_file() {
                let named = functions(&read(&file)?);
                all.extend(named.iter().map(|name| format!("{module}::{name}")));
            }
        }
    }
    Ok(all)
}

fn functions(text: &str) -> Vec<String> {
    let named = text.lines().filter_map(|line| {
        let line = line.trim_start().trim_start_matches("async ");
        let name = line.strip_prefix("fn ")?;
        name.split(['(', '<']).next().map(str::to_owned)
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::super::workspace_root;
    use super::fault;

    #[track_caller]
    fn check(command: &str, is_right: bool) {
        let found = fault(&workspace_root(), command).unwrap();
        assert_eq!(found.is_none(), is_right, "{command}: {found:?}");
    }

    #[test]
    fn a_cited_test_is_there() {
        check("cargo test -p mapping --test it laws::pid_survives", true);
        check("cargo test -p mapping --test it -- laws normal_form", true);
        check("cargo test -p base --lib decimal", true);
        check("cargo bench -p hl7v2 --bench parse", true);
        check("causeway check -c FILE", true);
    }

    #[test]
    fn a_test_that_is_gone_is_told() {
        check("cargo test -p mapping --test it laws::gone", false);
        check("cargo test -p mapping --test gone", false);
        check("cargo test -p gone --lib", false);
        check("cargo test -p base --lib gone_for_good", false);
        check("cargo bench -p hl7v2 --bench gone", false);
    }
}
