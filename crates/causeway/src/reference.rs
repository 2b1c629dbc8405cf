//! The generated pages of docs/reference: a test holds them to the program.

use crate::cli::Cli;
use clap::{Command, CommandFactory};
use std::fmt::Write;
use std::path::Path;

const NOTE: &str =
    "<!-- Made from the program: CAUSEWAY_UPDATE_DOCS=1 cargo test -p causeway reference -->\n\n";

/// The page must be what the program says; with CAUSEWAY_UPDATE_DOCS set it is written anew.
#[track_caller]
fn hold(name: &str, page: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs/reference")
        .join(name);
    if std::env::var_os("CAUSEWAY_UPDATE_DOCS").is_some() {
        std::fs::write(&path, page).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == page,
        "docs/reference/{name} is out of date; {NOTE}"
    );
}

#[test]
fn command_line() {
    let mut page = format!("# The command line\n\n{NOTE}");
    page.push_str(
        "Exit codes: 0 done, 1 found faults or failed, 2 wrong usage. `-` is standard input.\n",
    );
    let mut top = Cli::command();
    top.build();
    for command in top
        .get_subcommands()
        .filter(|command| command.get_name() != "help")
    {
        describe(&mut page, command, "causeway");
    }
    hold("cli.md", &page);
}

fn describe(page: &mut String, command: &Command, before: &str) {
    let name = format!("{before} {}", command.get_name());
    let subcommands: Vec<&Command> = command
        .get_subcommands()
        .filter(|command| command.get_name() != "help")
        .collect();
    let about = command
        .get_about()
        .map(ToString::to_string)
        .unwrap_or_default();
    let _ = write!(page, "\n## `{name}`\n\n{about}.\n");
    let arguments: Vec<_> = command
        .get_arguments()
        .filter(|argument| !matches!(argument.get_id().as_str(), "help" | "version"))
        .collect();
    if !arguments.is_empty() {
        page.push_str("\n| argument | default | what |\n|---|---|---|\n");
    }
    for argument in arguments {
        let spelling = argument.to_string().replace('|', "\\|");
        let defaults: Vec<_> = argument
            .get_default_values()
            .iter()
            .map(|value| value.to_string_lossy())
            .collect();
        let help = argument
            .get_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        let _ = writeln!(
            page,
            "| `{spelling}` | {} | {} |",
            defaults.join(" "),
            help.replace('|', "\\|")
        );
    }
    for subcommand in subcommands {
        describe(page, subcommand, &name);
    }
}
