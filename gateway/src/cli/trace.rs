//! `weir trace`: what happened around a call, as a tree; and lists of traces.

use clap::Subcommand;
use serde_json::Value;
use vocab::NanoUsd;

use super::calls::Sought;
use super::client::{Client, Connection, segment};
use super::page::{Page, items};
use super::{complain, say, table};

/// Which trace, or which of them.
#[derive(Debug, clap::Args)]
#[command(subcommand_negates_reqs = true)]
pub struct Trace {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    shown: Option<Show>,
}

/// What can be done with traces.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Lists the traces of the newest calls that match.
    List {
        /// Of which calls.
        #[command(flatten)]
        sought: Sought,
        /// Which of them, and how.
        #[command(flatten)]
        page: Page,
    },
    /// Prints a trace as a tree.
    Show(Show),
}

/// A trace to show.
#[derive(Debug, clap::Args)]
pub struct Show {
    /// The trace id, or the id of a call in it.
    id: String,
    /// Prints JSON, with inputs and outputs.
    #[arg(long)]
    json: bool,
}

impl Trace {
    /// Runs one of the commands.
    pub fn run(&self) -> anyhow::Result<()> {
        let client = &self.connection.open()?;
        match (&self.command, &self.shown) {
            (Some(Command::List { sought, page }), _) => {
                page.print(client, "/traces", &sought.query(), listed)
            }
            (Some(Command::Show(show)), _) | (None, Some(show)) => show.run(client),
            (None, None) => anyhow::bail!("name a trace, or `list`"),
        }
    }
}

impl Show {
    fn run(&self, client: &Client) -> anyhow::Result<()> {
        let trace_id = if self.id.contains('-') { self.of_call(client)? } else { self.id.clone() };
        let trace = client.get(&format!("/traces/{}", segment(&trace_id)), &[])?;
        if self.json {
            say(&trace.to_string());
            return Ok(());
        }
        say(&heading(&trace));
        for root in items(&trace["roots"]) {
            draw(root, "", "");
        }
        if trace["truncated"] == Value::Bool(true) {
            complain("there is more in this trace than is shown");
        }
        Ok(())
    }

    fn of_call(&self, client: &Client) -> anyhow::Result<String> {
        let call = client.get(&format!("/calls/{}", segment(&self.id)), &[])?;
        let trace_id = call["trace_id"].as_str().map(str::to_owned);
        trace_id.ok_or_else(|| anyhow::anyhow!("the call {} has no trace", self.id))
    }
}

fn listed(traces: &[Value]) -> String {
    let row = |trace: &Value| {
        let [began, name, user, id] =
            ["started_at", "name", "user", "trace_id"].map(|field| table::field_cell(trace, field));
        let [calls, spans, errors] = ["calls", "spans", "errors"].map(|field| table::cell(&trace[field]));
        [began, name, calls, spans, errors, used(trace), user, id]
    };
    let rows: Vec<_> = traces.iter().map(row).collect();
    table::lay_out(["BEGAN", "NAME", "CALLS", "SPANS", "ERRORS", "TOOK", "USER", "TRACE"], &rows)
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().unwrap_or("-")
}

fn heading(trace: &Value) -> String {
    format!(
        "trace {}  {}  {}  {} calls, {} spans, {} errors",
        text(trace, "trace_id"),
        text(trace, "started_at"),
        used(trace),
        trace["calls"],
        trace["spans"],
        trace["errors"]
    )
}

/// Prints a node and what is under it.
fn draw(node: &Value, before: &str, under: &str) {
    say(&format!("{before}{}", line(node)));
    let children = items(&node["children"]);
    for (at, child) in children.iter().enumerate() {
        let last = at + 1 == children.len();
        let (branch, below) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        draw(child, &format!("{under}{branch}"), &format!("{under}{below}"));
    }
}

fn line(node: &Value) -> String {
    let call = &node["call"];
    let mut words = vec![text(node, "kind").to_owned(), text(node, "name").to_owned(), used(node)];
    if !call.is_null() {
        words.push(text(call, "model").to_owned());
        words.push(text(call, "id").to_owned());
    }
    if node["failed"] == Value::Bool(true) {
        let why = call["error_code"].as_str().or_else(|| node["span"]["status_message"].as_str());
        words.push(format!("FAILED {}", why.unwrap_or_default()));
    }
    if node["orphan"] == Value::Bool(true) {
        words.push("(its parent is not here)".to_owned());
    }
    words.join("  ").trim_end().to_owned()
}

fn used(value: &Value) -> String {
    let us = value["duration_us"].as_u64().unwrap_or_default();
    let mut used = format!("{}.{:03} ms", us / 1_000, us % 1_000);
    let number = |field: &str| value[field].as_u64().unwrap_or_default();
    let (input, output) = (number("input_tokens"), number("output_tokens"));
    if input + output > 0 {
        used = format!("{used}  {input}+{output} tokens");
    }
    match value["cost_nanousd"].as_i64() {
        Some(nanos) if nanos > 0 => format!("{used}  ${}", NanoUsd(nanos)),
        _ => used,
    }
}
