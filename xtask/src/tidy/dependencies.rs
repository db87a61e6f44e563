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

/// Checks every package that the lock file names.
pub(crate) fn check(metadata: &Value) -> Vec<Finding> {
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
    let linked = linked(metadata).len();
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

/// The packages the binary is built from, on the platform the metadata were filtered by: its own, what those need, and
/// what builds them.
fn linked<'a>(metadata: &'a Value) -> BTreeSet<&'a str> {
    let list = |value: &'a Value| value.as_array().map_or(&[][..], Vec::as_slice);
    let nodes = list(&metadata["resolve"]["nodes"]);
    let by_id: BTreeMap<_, _> = nodes.iter().filter_map(|node| Some((node["id"].as_str()?, node))).collect();
    let packages = list(&metadata["packages"]);
    let binary = packages.iter().find(|package| package["name"] == BINARY);
    let mut found = BTreeSet::new();
    let mut waiting: Vec<&str> = binary.and_then(|package| package["id"].as_str()).into_iter().collect();
    while let Some(id) = waiting.pop() {
        if !found.insert(id) {
            continue;
        }
        let dependencies = by_id.get(id).map_or(&[][..], |node| list(&node["deps"]));
        let shipped =
            |dependency: &&'a Value| list(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"] != "dev");
        waiting
            .extend(dependencies.iter().filter(shipped).filter_map(|dependency| dependency["pkg"].as_str()));
    }
    found
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
    use serde_json::json;

    use super::*;

    #[test]
    fn what_only_tests_need_is_not_in_the_binary() {
        let needs = |id: &str, kind: Option<&str>| json!({"pkg": id, "dep_kinds": [{"kind": kind}]});
        let nodes = json!([
            {"id": "g", "deps": [needs("a", None), needs("t", Some("dev"))]},
            {"id": "a", "deps": [needs("b", Some("build")), needs("g", Some("dev"))]},
            {"id": "b", "deps": []},
            {"id": "t", "deps": [needs("u", None)]},
        ]);
        let metadata = json!({"packages": [{"name": "gateway", "id": "g"}], "resolve": {"nodes": nodes}});
        assert_eq!(linked(&metadata), BTreeSet::from(["a", "b", "g"]));
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
