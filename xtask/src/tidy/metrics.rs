//! Metrics: what documents and dashboards name is counted somewhere, and what is counted is documented.

use std::collections::BTreeSet;
use std::path::Path;

use crate::tidy::Finding;
use crate::tidy::sources::Tree;

/// How every metric's name starts.
const PREFIX: &str = "weir_";
/// What the text format adds to a histogram's name.
const SUFFIXES: [&str; 3] = ["_bucket", "_count", "_sum"];
/// Where metrics are defined.
const DEFINED_IN: &str = "gateway/src/metrics";

/// Checks both directions.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut known = BTreeSet::new();
    let mut defined = BTreeSet::new();
    for source in tree.sources.iter().filter(|source| source.path.starts_with("gateway/src")) {
        let names: Vec<String> = names(&source.text);
        if source.path.with_extension("").starts_with(DEFINED_IN) {
            defined.extend(names.iter().filter(|name| source.text.contains(&format!("\"{name}\""))).cloned());
        }
        known.extend(names);
    }
    let mut findings = Vec::new();
    let mut documented = BTreeSet::new();
    for (path, text) in tree.texts.iter().filter(|(path, _)| is_document(path)) {
        for (index, line) in text.lines().enumerate() {
            for name in names(line) {
                let base = SUFFIXES.iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(&name);
                if !known.contains(&name) && !known.contains(base) {
                    findings.push(Finding::at(
                        path,
                        index + 1,
                        format!("names {name}, which the gateway does not count"),
                    ));
                }
                documented.insert(base.to_owned());
                documented.insert(name);
            }
        }
    }
    for name in defined.difference(&documented) {
        let path = Path::new(DEFINED_IN).with_extension("rs");
        findings.push(Finding::on(&path, format!("{name} is documented nowhere under docs/")));
    }
    findings
}

fn is_document(path: &Path) -> bool {
    let kind = path.extension().and_then(|kind| kind.to_str()).unwrap_or_default();
    let place = path.starts_with("docs") || path.starts_with("dashboards") || path == Path::new("README.md");
    place && ["md", "json", "yaml", "yml"].contains(&kind) && !path.ends_with("openapi.json")
}

/// Every name in a text; `weir_{a,b}_total` is two.
fn names(text: &str) -> Vec<String> {
    let part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '{' | '}' | ',');
    let mut names = Vec::new();
    for (at, _) in text.match_indices(PREFIX) {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = text.get(at..).unwrap_or_default();
        let end = rest.find(|c| !part(c)).unwrap_or(rest.len());
        names.extend(expand(rest.get(..end).unwrap_or_default()));
    }
    names
}

/// Braces with a name's middle in them are alternatives; braces at its end are labels.
fn expand(word: &str) -> Vec<String> {
    let plain = |word: &str| word.trim_end_matches(['_', ',']).to_owned();
    let Some((head, rest)) = word.split_once('{') else { return vec![plain(word)] };
    let Some((choices, tail)) = rest.split_once('}') else { return vec![plain(head)] };
    if !head.ends_with('_') {
        return vec![plain(head)];
    }
    let tail = tail.split(['{', '}', ',']).next().unwrap_or_default();
    choices.split(',').map(|choice| plain(&format!("{head}{choice}{tail}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::sources::Source;

    #[test]
    fn names_are_found_with_alternatives_and_without_labels() {
        let text = "`weir_requests_total{endpoint,outcome}`, weir_records_{written,dropped}_total, sum(weir_inflight), my_weir_x";
        let wanted = [
            "weir_requests_total",
            "weir_records_written_total",
            "weir_records_dropped_total",
            "weir_inflight",
        ];
        assert_eq!(names(text), wanted);
    }

    #[test]
    fn a_metric_is_both_counted_and_documented_or_told() {
        let code = "//! M.\nconst A: &str = \"weir_a_total\";\nconst B: &str = \"weir_b_seconds\";\n";
        let docs = "weir_b_seconds_bucket\nweir_c_total\n";
        let source =
            Source::parse(Path::new("gateway/src/metrics.rs"), code).map_err(|f| f.to_string()).unwrap();
        let tree = Tree {
            texts: vec![("docs/METRICS.md".into(), docs.to_owned())],
            sources: vec![source],
            roots: BTreeSet::new(),
        };
        let told: Vec<String> = check(&tree).iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "docs/METRICS.md:2: names weir_c_total, which the gateway does not count",
                "gateway/src/metrics.rs: weir_a_total is documented nowhere under docs/",
            ]
        );
    }
}
