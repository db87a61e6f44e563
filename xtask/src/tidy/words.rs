//! Words that must not stand in the project: unfinished notes, paths of somebody's machine, SQL outside the stores.

use std::path::Path;

use crate::tidy::Finding;
use crate::tidy::sources::{Source, Tree};

/// Split, so that this file does not find itself.
const UNFINISHED: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:")];
/// Folders that exist on one machine only.
const MACHINE: [&str; 4] = [
    concat!("/wo", "rk/main"),
    concat!("/wo", "rk/shared"),
    concat!("/ro", "ot/"),
    concat!("/var/tmp/", "weir"),
];
/// How statements start.
const SQL: [&str; 6] =
    ["SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM ", "CREATE TABLE ", "ALTER TABLE "];
/// Crates of the program that know no SQL.
const WITHOUT_SQL: [&str; 4] = ["vocab/src", "dialects/src", "config/src", "gateway/src"];

/// Checks every text, and the Rust without its tests for SQL.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let texts = tree.texts.iter().flat_map(|(path, text)| in_text(path, text));
    let sources = tree.sources.iter().filter(|source| !source.for_tests).flat_map(in_source);
    texts.chain(sources).collect()
}

fn in_text(path: &Path, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for word in UNFINISHED.iter().filter(|word| has_word(line, word)) {
            findings.push(Finding::at(path, index + 1, format!("holds {word}; finish it or file it")));
        }
        for place in MACHINE.iter().filter(|place| line.contains(**place)) {
            findings.push(Finding::at(path, index + 1, format!("names {place}, a path of one machine")));
        }
    }
    findings
}

fn in_source(source: &Source) -> Vec<Finding> {
    if !WITHOUT_SQL.iter().any(|folder| source.path.starts_with(folder)) {
        return Vec::new();
    }
    let opens = |line: &str| SQL.iter().any(|start| line.contains(&format!("\"{start}")));
    let lines = source.code_lines().into_iter().filter(|(_, line)| opens(line));
    lines
        .map(|(number, _)| {
            Finding::at(&source.path, number, "holds SQL; it belongs into registry or analytics")
        })
        .collect()
}

/// Whether `word` stands in the line with no letter beside it.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        let after = line.get(at + word.len()..).and_then(|text| text.chars().next());
        ![before, after].into_iter().flatten().any(char::is_alphanumeric)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unfinished_notes_are_found_as_words_only() {
        let note = format!("// {}: later", UNFINISHED[0]);
        assert_eq!(in_text(Path::new("a.rs"), &format!("fine\n{note}"))[0].place, "a.rs:2");
        assert!(in_text(Path::new("a.md"), "MASTODON and todo lists are fine").is_empty());
    }

    #[test]
    fn sql_stays_in_the_stores() {
        let text = "//! x.\nconst Q: &str = \"SELECT id FROM prompt LIMIT 1\";\n";
        let found = |path: &str| {
            let source = Source::parse(Path::new(path), text).map_err(|finding| finding.to_string()).unwrap();
            in_source(&source).len()
        };
        assert_eq!(found("gateway/src/a.rs"), 1);
        assert_eq!(found("registry/src/a.rs"), 0);
    }
}
