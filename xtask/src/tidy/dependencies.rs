//! What the project builds on: how many crates, under which licences, and only one cryptography.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::tidy::Finding;

/// Licences that were read and found to go with Apache-2.0.
const LICENCES: [&str; 12] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];
/// The binary, and more crates in it than are looked after well. Those that only tests, tools or other platforms need
/// are printed beside them.
const BINARY: &str = "gateway";
const CRATES_MAX: usize = 300;
/// At most one of these: two would be two attack surfaces for one job.
const CRYPTOGRAPHY: [&str; 3] = ["aws-lc-rs", "openssl", "ring"];

/// What asks cargo for the packages of the binary.
pub(crate) const TREE: [&str; 8] =
    ["tree", "--locked", "--package", BINARY, "--edges", "normal,build", "--prefix", "none"];

/// Checks every package that the lock file names, and how many of them `tree` puts into the binary.
pub(crate) fn check(metadata: &Value, tree: &str) -> Vec<Finding> {
    let empty = Vec::new();
    let packages = metadata["packages"].as_array().unwrap_or(&empty);
    let mut findings = Vec::new();
    let mut refuse = |what: String| findings.push(Finding { place: "Cargo.lock".to_owned(), what });
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        versions.entry(name).or_default().push(package["version"].as_str().unwrap_or_default());
        let licence = package["license"].as_str().unwrap_or_default();
        if !is_listed(licence) {
            refuse(format!(
                "{name} has licence `{licence}`, which is not listed in xtask/src/tidy/dependencies.rs"
            ));
        }
    }
    let used: Vec<_> = CRYPTOGRAPHY.into_iter().filter(|name| versions.contains_key(name)).collect();
    if used.len() > 1 {
        refuse(format!("{} do the same job; keep one", used.join(" and ")));
    }
    let twice: Vec<_> =
        versions.iter().filter(|(_, versions)| versions.len() > 1).map(|(name, _)| *name).collect();
    let linked = linked(tree);
    println!(
        "{linked} crates in the binary (at most {CRATES_MAX}), {} in all; in two versions: {}",
        packages.len(),
        twice.join(", ")
    );
    if linked > CRATES_MAX {
        refuse(format!("{linked} crates in the binary are more than {CRATES_MAX}"));
    }
    findings
}

/// How many packages the binary is built from: its own, what those need, and what builds them. `tree` is what `cargo
/// tree` prints of it without indentation; it leaves out what features merely mention, which `cargo metadata` does not.
fn linked(tree: &str) -> usize {
    let package = |line: &str| {
        let mut words = line.split_whitespace();
        Some(format!("{} {}", words.next()?, words.next()?))
    };
    tree.lines().filter_map(package).collect::<BTreeSet<_>>().len()
}

/// Whether a licence expression can be met with listed licences. `/` is an old way to write OR.
fn is_listed(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ");
    let expression = expression.trim();
    if let Some((left, right)) = split(expression, " AND ") {
        return is_listed(left) && is_listed(right);
    }
    if let Some((left, right)) = split(expression, " OR ") {
        return is_listed(left) || is_listed(right);
    }
    match expression.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')) {
        Some(inner) => is_listed(inner),
        None => LICENCES.contains(&expression),
    }
}

/// Splits at the first `operator` that stands outside parentheses.
fn split<'a>(expression: &'a str, operator: &str) -> Option<(&'a str, &'a str)> {
    let outside = |at: usize| {
        let before = expression.get(..at).unwrap_or_default();
        before.matches('(').count() == before.matches(')').count()
    };
    let (at, _) = expression.match_indices(operator).find(|(at, _)| outside(*at))?;
    Some((expression.get(..at)?, expression.get(at + operator.len()..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_counts_once_and_two_versions_count_twice() {
        let tree =
            "gateway v0.1.0 (/weir/gateway)\na v1.0.0\nb v2.0.0 (*)\nb v2.0.0\nb v1.0.0 (proc-macro)\n\n";
        assert_eq!(linked(tree), 4);
    }

    #[test]
    fn licence_expressions_are_understood() {
        for fine in
            ["MIT", "MIT/Apache-2.0", "GPL-3.0 OR MIT", "(MIT OR GPL-2.0) AND Unicode-3.0", "MIT AND ISC"]
        {
            assert!(is_listed(fine), "{fine}");
        }
        for refused in ["", "GPL-3.0", "MIT AND GPL-3.0", "(GPL-2.0 OR GPL-3.0) AND MIT"] {
            assert!(!is_listed(refused), "{refused}");
        }
    }
}
