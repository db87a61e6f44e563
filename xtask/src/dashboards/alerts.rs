//! Alert rules from one list, for Prometheus and for Grafana.

use std::fmt::Write;
use std::path::Path;

use anyhow::Context;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(rename = "alert")]
    alerts: Vec<Rule>,
}

/// One rule.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    /// Its name.
    pub(super) name: String,
    /// What must not hold.
    pub(super) expression: String,
    #[serde(rename = "for")]
    holds: String,
    severity: String,
    says: String,
    #[serde(rename = "do")]
    remedy: String,
}

/// Reads the list.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<Rule>> {
    let list: List =
        toml::from_str(&std::fs::read_to_string(path)?).with_context(|| path.display().to_string())?;
    Ok(list.alerts)
}

/// The rules as Prometheus reads them. A JSON string is a YAML string.
pub(super) fn prometheus(rules: &[Rule]) -> String {
    let mut text =
        "# Made by `cargo xtask dashboards` from alerts.toml.\ngroups:\n  - name: weir\n    rules:\n"
            .to_owned();
    for rule in rules {
        let quoted = |words: &str| Value::from(words).to_string();
        // Writing to a string cannot fail.
        write!(
            text,
            "      - alert: {}\n        expr: {}\n        for: {}\n        labels:\n          severity: {}\n        annotations:\n          summary: {}\n          description: {}\n",
            rule.name,
            quoted(&rule.expression),
            rule.holds,
            rule.severity,
            quoted(&rule.says),
            quoted(&rule.remedy),
        )
        .unwrap_or_default();
    }
    text
}

/// The rules as Grafana provisions them: the expression, and whether it returns anything.
pub(super) fn grafana(rules: &[Rule]) -> Value {
    let rules: Vec<Value> = rules.iter().map(grafana_rule).collect();
    let group = json!({"orgId": 1, "name": "weir", "folder": "Weir", "interval": "1m", "rules": rules});
    json!({"apiVersion": 1, "groups": [group]})
}

fn grafana_rule(rule: &Rule) -> Value {
    let range = json!({"from": 600, "to": 0});
    let asked = json!({
        "refId": "A",
        "datasourceUid": "weir-prometheus",
        "relativeTimeRange": range,
        "model": {"refId": "A", "expr": rule.expression, "instant": true},
    });
    // The comparison is in the expression: whatever it returns, it returns because the rule is broken.
    let judged = json!({
        "refId": "B",
        "datasourceUid": "__expr__",
        "relativeTimeRange": range,
        "model": {"refId": "B", "type": "math", "expression": "is_number($A)"},
    });
    json!({
        "uid": rule.name.to_ascii_lowercase(),
        "title": rule.name,
        "condition": "B",
        "data": [asked, judged],
        "for": rule.holds,
        "noDataState": "OK",
        "execErrState": "Error",
        "labels": {"severity": rule.severity},
        "annotations": {"summary": rule.says, "description": rule.remedy},
    })
}
