//! Every text of the project, and the Rust among it parsed.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::tidy::Finding;

/// Folders that hold no text of ours.
const SKIPPED: [&str; 6] = [".git", "target", "node_modules", "data", "__pycache__", ".venv"];
/// Larger files are data.
const TEXT_BYTES_MAX: u64 = 2 << 20;

/// The project's texts. Paths are relative to its folder.
pub(crate) struct Tree {
    /// Every file that is UTF-8, Rust included.
    pub(crate) texts: Vec<(PathBuf, String)>,
    /// The Rust files.
    pub(crate) sources: Vec<Source>,
    /// The files that cargo compiles by itself: each crate's root.
    pub(crate) roots: BTreeSet<PathBuf>,
}

/// One Rust file.
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    pub(crate) syntax: syn::File,
    /// Whether all of it is there for tests only.
    pub(crate) for_tests: bool,
}

impl Tree {
    /// Reads everything under `root`; what does not parse is a finding.
    pub(crate) fn read(root: &Path, metadata: &Value) -> anyhow::Result<(Self, Vec<Finding>)> {
        let mut tree = Self { texts: Vec::new(), sources: Vec::new(), roots: crate_roots(root, metadata) };
        collect(root, root, &mut tree.texts)?;
        tree.texts.sort();
        let mut findings = Vec::new();
        for (path, text) in
            tree.texts.iter().filter(|(path, _)| path.extension().is_some_and(|kind| kind == "rs"))
        {
            match Source::parse(path, text) {
                Ok(source) => tree.sources.push(source),
                Err(finding) => findings.push(finding),
            }
        }
        Ok((tree, findings))
    }
}

impl Source {
    pub(crate) fn parse(path: &Path, text: &str) -> Result<Self, Finding> {
        let syntax = syn::parse_file(text).map_err(|error| {
            Finding::at(path, error.span().start().line, format!("does not parse: {error}"))
        })?;
        let for_tests = path.ends_with("tests.rs")
            || path.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "benches");
        Ok(Self { path: path.to_owned(), text: text.to_owned(), syntax, for_tests })
    }

    /// The lines that are not inside a `#[cfg(test)]` item, with their numbers.
    pub(crate) fn code_lines(&self) -> Vec<(usize, &str)> {
        let tests: Vec<_> =
            self.syntax.items.iter().filter(|item| is_test(item)).filter_map(lines_of).collect();
        let inside = |number: usize| tests.iter().any(|lines| lines.contains(&number));
        self.text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
            .filter(|(n, _)| !inside(*n))
            .collect()
    }
}

fn crate_roots(root: &Path, metadata: &Value) -> BTreeSet<PathBuf> {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let targets = packages.filter_map(|package| package["targets"].as_array()).flatten();
    let paths = targets.filter_map(|target| target["src_path"].as_str()).map(Path::new);
    paths.filter_map(|path| path.strip_prefix(root).ok()).map(Path::to_owned).collect()
}

/// Whether an item is compiled for tests only.
pub(crate) fn is_test(item: &syn::Item) -> bool {
    let syn::Item::Mod(module) = item else { return false };
    module.attrs.iter().any(|attribute| {
        let list = attribute.meta.require_list().ok();
        attribute.path().is_ident("cfg") && list.is_some_and(|list| list.tokens.to_string() == "test")
    })
}

/// The lines of a module that is written in place.
fn lines_of(item: &syn::Item) -> Option<RangeInclusive<usize>> {
    let syn::Item::Mod(module) = item else { return None };
    let (brace, _) = module.content.as_ref()?;
    Some(module.mod_token.span.start().line..=brace.span.close().end().line)
}

fn collect(root: &Path, folder: &Path, texts: &mut Vec<(PathBuf, String)>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        let name = entry.file_name();
        if kind.is_dir() {
            if !SKIPPED.iter().any(|skipped| name == *skipped) {
                collect(root, &path, texts)?;
            }
            continue;
        }
        if !kind.is_file() || entry.metadata()?.len() > TEXT_BYTES_MAX {
            continue;
        }
        if let (Ok(text), Ok(relative)) = (std::fs::read_to_string(&path), path.strip_prefix(root)) {
            texts.push((relative.to_owned(), text));
        }
    }
    Ok(())
}
