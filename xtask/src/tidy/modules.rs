//! Files as modules: each opens with its sentence, is reached from its crate's root, and has a name that says something.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use crate::tidy::Finding;
use crate::tidy::sources::{Source, Tree};

/// Names of drawers, not of things.
const EMPTY_NAMES: [&str; 9] =
    ["common", "helper", "helpers", "manager", "misc", "type", "types", "util", "utils"];

/// Checks all Rust files.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let reached = reached(tree);
    tree.sources.iter().flat_map(|source| one(source, &reached)).collect()
}

fn one(source: &Source, reached: &BTreeSet<PathBuf>) -> Vec<Finding> {
    let path = &source.path;
    let mut findings = Vec::new();
    if !source.text.trim_start_matches('\u{feff}').starts_with("//! ") {
        findings.push(Finding::at(path, 1, "opens without a `//!` sentence that says what it is for"));
    }
    let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    if EMPTY_NAMES.contains(&name) {
        findings.push(Finding::on(path, format!("`{name}` names a drawer; name the thing")));
    }
    if name == "mod" {
        findings.push(Finding::on(path, "is a mod.rs; write foo.rs beside foo/"));
    }
    if !reached.contains(path) {
        findings.push(Finding::on(path, "is reached from no crate root; declare it or delete it"));
    }
    findings
}

/// The files that crate roots lead to by `mod` declarations.
fn reached(tree: &Tree) -> BTreeSet<PathBuf> {
    let mut reached = BTreeSet::new();
    // A root's modules, like those of a file named by `#[path]`, lie beside it; those of other files below them.
    let beside = |path: &Path| path.parent().map(Path::to_owned).unwrap_or_default();
    let mut waiting: Vec<(PathBuf, PathBuf)> =
        tree.roots.iter().map(|path| (path.clone(), beside(path))).collect();
    while let Some((path, folder)) = waiting.pop() {
        let Some(source) = tree.sources.iter().find(|source| source.path == path) else { continue };
        if reached.insert(path) {
            waiting.extend(declared(&source.syntax.items, &folder, &beside(&source.path)));
        }
    }
    reached
}

/// The files that `mod` declarations without a body stand for, each with the folder of its own modules.
fn declared(items: &[syn::Item], folder: &Path, own_folder: &Path) -> Vec<(PathBuf, PathBuf)> {
    let mut files = Vec::new();
    for item in items {
        let syn::Item::Mod(module) = item else { continue };
        let below = folder.join(module.ident.to_string());
        match (&module.content, written_path(module)) {
            (Some((_, items)), _) => files.extend(declared(items, &below, own_folder)),
            (None, Some(path)) => {
                let path = tidied(&own_folder.join(path));
                let beside = path.parent().map(Path::to_owned).unwrap_or_default();
                files.push((path, beside));
            }
            (None, None) => files.push((below.with_extension("rs"), below)),
        }
    }
    files
}

/// The path without `..`.
fn tidied(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        if part == Component::ParentDir {
            tidy.pop();
        } else {
            tidy.push(part);
        }
    }
    tidy
}

/// The path of a `#[path = "…"]` attribute.
fn written_path(module: &syn::ItemMod) -> Option<String> {
    let attribute = module.attrs.iter().find(|attribute| attribute.path().is_ident("path"))?;
    let syn::Expr::Lit(literal) = &attribute.meta.require_name_value().ok()?.value else { return None };
    let syn::Lit::Str(path) = &literal.lit else { return None };
    Some(path.value())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> Tree {
        let parse = |(path, text): &(&str, &str)| {
            Source::parse(Path::new(path), text).map_err(|finding| finding.to_string()).unwrap()
        };
        let roots = ["a/src/lib.rs", "a/src/bin/x/main.rs", "a/tests/all.rs"].map(PathBuf::from);
        Tree { texts: Vec::new(), sources: files.iter().map(parse).collect(), roots: roots.into() }
    }

    fn findings(files: &[(&str, &str)]) -> Vec<String> {
        check(&tree(files)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_well_kept_crate_has_no_findings() {
        let files = [
            ("a/src/lib.rs", "//! A.\nmod b;\n#[cfg(test)]\nmod tests;\n"),
            ("a/src/b.rs", "//! B.\nmod c { mod d; }\n"),
            ("a/src/b/c/d.rs", "//! D.\n"),
            ("a/src/tests.rs", "//! T.\n"),
            ("a/src/bin/x/main.rs", "//! X.\nmod y;\n"),
            ("a/src/bin/x/y.rs", "//! Y.\n"),
            ("a/tests/all.rs", "//! All.\n#[path = \"../kit/lib.rs\"]\nmod kit;\n"),
            ("a/kit/lib.rs", "//! Kit.\nmod part;\n"),
            ("a/kit/part.rs", "//! Part.\n"),
        ];
        assert_eq!(findings(&files), Vec::<String>::new());
    }

    #[test]
    fn drawers_strays_and_silent_files_are_told() {
        let files =
            [("a/src/lib.rs", "mod b;\n"), ("a/src/b/mod.rs", "//! B.\n"), ("a/src/utils.rs", "//! U.\n")];
        let told = findings(&files);
        assert_eq!(
            told,
            [
                "a/src/lib.rs:1: opens without a `//!` sentence that says what it is for",
                "a/src/b/mod.rs: is a mod.rs; write foo.rs beside foo/",
                "a/src/b/mod.rs: is reached from no crate root; declare it or delete it",
                "a/src/utils.rs: `utils` names a drawer; name the thing",
                "a/src/utils.rs: is reached from no crate root; declare it or delete it",
            ]
        );
    }
}
