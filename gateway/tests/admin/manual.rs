//! `docs/CLI.md`: tells of every command what the command itself tells.

use std::fmt::Write as _;

use clap::{Arg, ArgAction, Command};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/CLI.md");
/// What stands before what is written by this test.
const BEGIN: &str =
    "<!-- From here on written by `UPDATE=1 cargo test -p gateway --test admin the_manual`. -->\n";
/// What every list takes; told once.
const PAGE: [&str; 3] = ["limit", "cursor", "all"];

fn of_command(command: &Command, path: &str, manual: &mut String) {
    let words = command.get_arguments().filter(|arg| told(command, arg)).map(word);
    let page = lists(command).then(|| "PAGE".to_owned());
    let usage: Vec<String> = std::iter::once(path.to_owned()).chain(words).chain(page).collect();
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    writeln!(manual, "| `{}` | {about} |", usage.join(" ")).unwrap();
}

fn lists(command: &Command) -> bool {
    PAGE.iter().all(|name| command.get_arguments().any(|arg| arg.get_id() == *name))
}

fn told(command: &Command, arg: &Arg) -> bool {
    let of_page = lists(command) && PAGE.iter().any(|name| arg.get_id() == *name);
    let own = ["help", "version"].iter().all(|name| arg.get_id() != *name);
    !arg.is_global_set() && !arg.is_hide_set() && !of_page && own
}

/// An argument as a usage line shows it.
fn word(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default();
    let value = names.first().map_or_else(|| arg.get_id().as_str().to_uppercase(), ToString::to_string);
    let many = matches!(arg.get_action(), ArgAction::Append) && arg.get_value_delimiter().is_none();
    let dots = if many { "…" } else { "" };
    let word = match (arg.get_long(), arg.get_action()) {
        (None, _) => format!("{value}{dots}"),
        (Some(long), ArgAction::SetTrue) => format!("--{long}"),
        (Some(long), _) if arg.is_require_equals_set() => format!("--{long}[={value}]"),
        (Some(long), _) => format!("--{long} {value}{dots}"),
    };
    if arg.is_required_set() { word } else { format!("[{word}]") }
}

fn leaves(command: &Command, path: &str, manual: &mut String) {
    let path = format!("{path} {}", command.get_name());
    if !command.has_subcommands() {
        return of_command(command, &path, manual);
    }
    for below in command.get_subcommands() {
        leaves(below, &path, manual);
    }
}

fn manual() -> String {
    let tree = gateway::cli::tree();
    let (groups, alone): (Vec<_>, Vec<_>) =
        tree.get_subcommands().partition(|command| command.has_subcommands());
    let mut manual = "\n## weir\n\n| | |\n|---|---|\n".to_owned();
    for command in alone {
        leaves(command, "weir", &mut manual);
    }
    for group in groups {
        let about = group.get_about().map(ToString::to_string).unwrap_or_default();
        write!(manual, "\n## weir {}\n\n{about}.\n\n| | |\n|---|---|\n", group.get_name()).unwrap();
        leaves(group, "weir", &mut manual);
    }
    manual
}

#[test]
fn the_manual_tells_what_the_commands_tell() {
    let kept = std::fs::read_to_string(FILE).unwrap();
    let (head, written) =
        kept.split_once(BEGIN).expect("docs/CLI.md has lost its line that begins with <!--");
    let says = manual();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(FILE, format!("{head}{BEGIN}{says}")).unwrap();
        return;
    }
    assert!(
        written == says,
        "docs/CLI.md is behind the commands: run `UPDATE=1 cargo test -p gateway --test admin the_manual`, read the \
         diff, and commit it"
    );
}
