//! `weir report`: numbers over calls, as a table.

use serde_json::{Map, Value, json};
use vocab::NanoUsd;

use super::client::Connection;
use super::{complain, say, table};

/// A report.
#[derive(Debug, clap::Args)]
pub struct Report {
    #[command(flatten)]
    connection: Connection,
    /// What to measure: `calls`, `errors`, `error_rate`, `cost`, `unpriced`, `tokens`, `input_tokens`, …,
    /// `latency_p95`, `ttft_p50`, `cache_hit_rate`, `score.NAME`.
    #[arg(required = true, value_delimiter = ',', value_name = "MEASURES")]
    measures: Vec<String>,
    /// What to split by: `model`, `provider`, `prompt`, `version`, `label`, `key`, `user`, `tag`, `status`, `outcome`,
    /// `metadata.KEY`, …
    #[arg(long, value_delimiter = ',', value_name = "GROUPS")]
    by: Vec<String>,
    /// The width of a time bucket: `15m`, `1h`, `1d`.
    #[arg(long, value_name = "TIME")]
    interval: Option<String>,
    /// Only calls that match this search text.
    #[arg(short, long, default_value = "", allow_hyphen_values = true, value_name = "TEXT")]
    q: String,
    /// The earliest time: RFC 3339, or `-7d`.
    #[arg(long, default_value = "-24h", allow_hyphen_values = true, value_name = "TIME")]
    from: String,
    /// The latest time: RFC 3339, or `-1h`; now when absent.
    #[arg(long, allow_hyphen_values = true, value_name = "TIME")]
    to: Option<String>,
    /// The most rows.
    #[arg(long, value_name = "N")]
    limit: Option<u32>,
    /// Prints JSON: `{data, units, …}`.
    #[arg(long)]
    json: bool,
}

impl Report {
    /// Asks, and prints the answer.
    pub fn run(&self) -> anyhow::Result<()> {
        let client = self.connection.open()?;
        let answer = client.post("/reports", &self.body())?;
        if self.json {
            say(&answer.to_string());
            return Ok(());
        }
        let none = Vec::new();
        say(&self.listed(answer["data"].as_array().unwrap_or(&none), &answer["units"]));
        if answer["complete"] == Value::Bool(false) {
            complain("the report ran out of time: not every call is in it; narrow it with --from and --q");
        }
        if answer["truncated"] == Value::Bool(true) {
            complain("there are more rows: raise --limit");
        }
        Ok(())
    }

    fn body(&self) -> Value {
        let mut body = Map::new();
        body.insert("measures".into(), json!(self.measures));
        body.insert("group_by".into(), json!(self.by));
        body.insert("q".into(), json!(self.q));
        body.insert("from".into(), json!(self.from));
        for (field, value) in [
            ("interval", self.interval.as_ref().map(|text| json!(text))),
            ("to", self.to.as_ref().map(|text| json!(text))),
            ("limit", self.limit.map(|rows| json!(rows))),
        ] {
            body.extend(value.map(|value| (field.to_owned(), value)));
        }
        Value::Object(body)
    }

    fn listed(&self, rows: &[Value], units: &Value) -> String {
        let bucket = self.interval.as_ref().map(|_| "bucket".to_owned());
        let columns: Vec<String> =
            bucket.into_iter().chain(self.by.clone()).chain(self.measures.clone()).collect();
        let headings: Vec<String> = columns.iter().map(|column| column.to_uppercase()).collect();
        let cells = |row: &Value| columns.iter().map(|column| cell(&row[column], &units[column])).collect();
        let rows: Vec<Vec<String>> = rows.iter().map(cells).collect();
        table::lay_out_any(&headings, &rows)
    }
}

fn cell(value: &Value, unit: &Value) -> String {
    match (value, unit.as_str()) {
        (Value::Null, _) => "-".to_owned(),
        (Value::Number(us), Some("us")) => {
            let us = us.as_u64().unwrap_or_default();
            format!("{}.{:03} ms", us / 1_000, us % 1_000)
        }
        (Value::Number(usd), Some("usd")) => {
            let nanos = usd.as_f64().unwrap_or_default() * 1e9;
            format!("${}", NanoUsd(nanos.round() as i64))
        }
        (Value::Number(ratio), Some("ratio")) => {
            format!("{:.2}%", ratio.as_f64().unwrap_or_default() * 100.0)
        }
        (Value::String(text), _) => text.clone(),
        (other, _) => other.to_string(),
    }
}
