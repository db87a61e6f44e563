//! Runs every panel's query: SQL on a real ClickHouse, `PromQL` on a real Prometheus that scrapes a real gateway, after
//! calls of every kind the panels show. A query that returns nothing fails.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::alerts;
use super::panels::Query;
use crate::clickhouse::Engine;
use crate::prove::faults::wait_until;
use crate::prove::gateway::{Process, Stage};
use crate::workspace::{Workspace, is_there};

const PATIENCE: Duration = Duration::from_mins(1);
/// What the macros stand for.
const RANGE: &str = "15m";
const RATE: &str = "1m";
const BUCKET_SECONDS: u32 = 60;

/// Runs all queries and returns how many there were.
pub(crate) fn run(workspace: &Workspace, programs: &Path) -> anyhow::Result<usize> {
    let folder = workspace.target.join("prove/dashboards");
    let stage_folder = folder.join("gateway");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    let engine = Engine::start(workspace, &folder.join("engine"))?;
    // A provider that refuses every connection makes tries that fail.
    let settings = format!(
        "[analytics]\nurl = \"{}\"\n[providers.gone]\nkind = \"openai\"\nbase_url = \"http://127.0.0.1:9/v1\"\napi_key = \"sk-gone\"\n",
        engine.database("weir")?
    );
    let stage = Stage::set_with(programs.to_owned(), stage_folder, &settings)?;
    let _provider = stage.start_provider()?;
    let _gateway = stage.start_gateway_with(&[("WEIR_DEMO", "true".to_owned())])?;
    let prometheus = Prometheus::start(&folder, &stage)?;
    try_out(&stage)?;
    talk(&stage)?;
    prometheus.wait_for("sum(weir_requests_total)", 1.0)?;
    let seen = prometheus.value("sum(weir_requests_total)")?;
    talk(&stage)?;
    prometheus.wait_for("sum(weir_requests_total)", seen + 1.0)?;
    wait_until("the outbox empties", PATIENCE, || Ok(stage.metric("weir_outbox_rows")? == 0.0))?;

    let mut count = 0;
    for sheet in super::sheets(&workspace.root)? {
        for panel in &sheet.panels {
            for query in panel.queries() {
                ask(&engine, &prometheus, query)
                    .with_context(|| format!("{}: {}", sheet.name, panel.title))?;
                count += 1;
            }
        }
    }
    for rule in alerts::read(&workspace.root.join(super::FOLDER).join("alerts.toml"))? {
        // A rule that holds returns nothing; one Prometheus cannot read fails.
        prometheus.query(&rule.expression).with_context(|| rule.name)?;
        count += 1;
    }
    Ok(count)
}

/// An experiment on the demo's prompt.
fn try_out(stage: &Stage) -> anyhow::Result<()> {
    let version = json!({
        "messages": [{"role": "user", "content": "{{question}} Answer in one sentence."}], "model": "demo/demo-small",
    });
    stage.manage("POST", "/prompts/demo%2Fsupport-reply/versions", &version)?;
    let arm = |name: &str, version: u32| json!({"name": name, "version": version, "weight": 1});
    let plan = json!({"arms": [arm("control", 1), arm("brief", 2)], "unit": "user", "state": "running"});
    stage.manage("PUT", "/prompts/demo%2Fsupport-reply/experiments/production", &plan).map(drop)
}

/// Calls of every kind: prompts, streams, users, tags, errors, failed tries, scores.
fn talk(stage: &Stage) -> anyhow::Result<()> {
    for turn in 0..4 {
        let prompted = json!({
            "model": "prompt:demo/support-reply", "prompt_variables": {"question": "Where is my order?"},
            "weir": {"user": format!("user-{turn}"), "session": "s-1", "tags": ["checkout"]},
        });
        let (_, id) = stage.post("/v1/chat/completions", &prompted, &[])?;
        stage.judge(&id)?;
        stage.say(&json!({
            "model": "demo/demo-small", "stream": true, "messages": [{"role": "user", "content": "Hello"}],
        }))?;
        let id = stage.call(&format!("user-{turn}"))?;
        stage.judge(&id)?;
        // A provider that is not there, and a key that is not one.
        stage.say(&json!({"model": "gone/model", "messages": [{"role": "user", "content": "Hello"}]})).ok();
        stage.knock();
    }
    Ok(())
}

fn ask(engine: &Engine, prometheus: &Prometheus, query: Query<'_>) -> anyhow::Result<()> {
    match query {
        Query::ClickHouse(sql) => {
            let sql = expand_sql(sql)?;
            let rows = engine.rows("weir", &sql).with_context(|| sql.clone())?;
            ensure!(!rows.is_empty(), "no rows: {sql}");
        }
        Query::Prometheus { expression, .. } => {
            let expression = expression.replace("$__rate_interval", RATE).replace("$__range", RANGE);
            let found = prometheus.query(&expression)?;
            ensure!(found.iter().any(|value| !value.is_nan()), "no data: {expression}");
        }
    }
    Ok(())
}

/// Writes out the macros of Grafana's ClickHouse source that panels may use.
fn expand_sql(sql: &str) -> anyhow::Result<String> {
    let mut text = sql.replace("${project:singlequote}", "'default'");
    for (name, open, close) in [
        ("$__timeFilter(", "(", " >= now() - INTERVAL 1 HOUR)"),
        (
            "$__timeInterval(",
            "toStartOfInterval(toDateTime(",
            &*format!("), INTERVAL {BUCKET_SECONDS} second)"),
        ),
    ] {
        while let Some(at) = text.find(name) {
            let rest = text.split_off(at);
            let inner = rest.trim_start_matches(name);
            let (column, after) = inner.split_once(')').context("a macro is not closed")?;
            text = format!("{text}{open}{column}{close}{after}");
        }
    }
    ensure!(!text.contains("$__") && !text.contains("${"), "a macro that is not documented: {text}");
    Ok(text)
}

/// A Prometheus that scrapes the gateway once a second.
struct Prometheus {
    url: String,
    _process: Process,
}

impl Prometheus {
    fn start(folder: &Path, stage: &Stage) -> anyhow::Result<Self> {
        install()?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let settings = format!(
            "global:\n  scrape_interval: 1s\nscrape_configs:\n  - job_name: weir\n    static_configs:\n      - targets: [\"{}\"]\n",
            stage.admin()
        );
        let file = folder.join("prometheus.yml");
        std::fs::write(&file, settings)?;
        let mut command = Command::new("prometheus");
        command.arg(format!("--config.file={}", file.display()));
        command.arg(format!("--storage.tsdb.path={}", folder.join("prometheus").display()));
        command.arg(format!("--web.listen-address={address}"));
        let process = Process::start(&mut command, &folder.join("prometheus.log"))?;
        let prometheus = Self { url: format!("http://{address}/api/v1/query"), _process: process };
        prometheus.wait_for("sum(up)", 1.0)?;
        Ok(prometheus)
    }

    /// The values an expression has now.
    fn query(&self, expression: &str) -> anyhow::Result<Vec<f64>> {
        let mut answer = ureq::post(&self.url)
            .send_form([("query", expression)])
            .with_context(|| expression.to_owned())?;
        let answer: Value = answer.body_mut().read_json()?;
        let result = &answer["data"]["result"];
        let number = |value: &Value| value[1].as_str().and_then(|text| text.parse().ok());
        Ok(match answer["data"]["resultType"].as_str() {
            Some("scalar") => number(result).into_iter().collect(),
            _ => result
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|series| number(&series["value"]))
                .collect(),
        })
    }

    fn value(&self, expression: &str) -> anyhow::Result<f64> {
        Ok(self.query(expression)?.first().copied().unwrap_or_default())
    }

    fn wait_for(&self, expression: &str, at_least: f64) -> anyhow::Result<()> {
        let holds = || Ok(self.value(expression).is_ok_and(|value| value >= at_least));
        wait_until(&format!("Prometheus sees {expression} reach {at_least}"), PATIENCE, holds).map(drop)
    }
}

/// Installs Prometheus with apt-get where it is not there and that is possible.
fn install() -> anyhow::Result<()> {
    if is_there("prometheus") {
        return Ok(());
    }
    if rustix::process::geteuid().is_root() && is_there("apt-get") {
        println!("installing prometheus with apt-get");
        let apt = "apt-get update -qq && apt-get install -y -qq --no-install-recommends prometheus";
        Command::new("sh").args(["-c", apt]).output()?;
    }
    ensure!(is_there("prometheus"), "prometheus is not installed: apt-get install prometheus");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn macros_are_written_out_and_unknown_ones_refused() {
        let sql = "SELECT $__timeInterval(minute) AS t FROM c WHERE $__timeFilter(s.at) AND p IN (${project:singlequote})";
        let expanded = expand_sql(sql).unwrap();
        assert_eq!(
            expanded,
            "SELECT toStartOfInterval(toDateTime(minute), INTERVAL 60 second) AS t FROM c \
             WHERE (s.at >= now() - INTERVAL 1 HOUR) AND p IN ('default')"
        );
        assert!(expand_sql("SELECT $__dateFilter(d)").is_err());
    }
}
