//! Report of tests that did not run, from the files that `testkit::skipped` writes for each binary.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// The skipped tests by binary, reason and remedy.
type Suites = BTreeMap<(String, String, String), Vec<String>>;

/// Prints how many suites were skipped, each by name with the reason and the remedy.
pub(super) fn print(folder: &Path) -> Result<(), String> {
    let mut suites = Suites::new();
    for path in crate::tidy::files(folder, &[".skipped"])? {
        let text = crate::tidy::read(&path)?;
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        read(stem.unwrap_or_default(), &text, &mut suites);
    }
    print!("{}", shown(&suites));
    Ok(())
}

fn read(binary: &str, text: &str, suites: &mut Suites) {
    for line in text.lines() {
        let mut fields = line.split('\t').map(str::to_owned);
        let (Some(test), Some(why), Some(remedy)) = (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let suite = (binary.replacen('-', " ", 1), why, remedy);
        suites.entry(suite).or_default().push(test);
    }
}

fn shown(suites: &Suites) -> String {
    if suites.is_empty() {
        return "skipped: nothing\n".to_owned();
    }
    let plural = if suites.len() == 1 { "" } else { "s" };
    let mut text = format!("skipped: {} suite{plural}\n", suites.len());
    for ((binary, why, remedy), tests) in suites {
        let tests = tests.join(", ");
        // Writing into a string cannot fail.
        let _ = writeln!(text, "skipped: {binary}: {tests}: {why}; {remedy}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_of_one_reason_are_one_suite() {
        let mut suites = Suites::new();
        assert_eq!(shown(&suites), "skipped: nothing\n");
        let text = "a\tno PostgreSQL\tinstall it\nb\tno PostgreSQL\tinstall it\n";
        read("store-it", text, &mut suites);
        read("store-crash", "c\tno strace\tinstall it\n", &mut suites);
        assert_eq!(
            shown(&suites),
            "skipped: 2 suites\n\
             skipped: store crash: c: no strace; install it\n\
             skipped: store it: a, b: no PostgreSQL; install it\n"
        );
    }
}
