//! `weir calls`: recorded calls, found by the search text the API and the console share.

use clap::Subcommand;
use serde_json::Value;

use super::client::{Client, segment};
use super::page::Page;
use super::{complain, say, table};

/// What can be done with calls.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Lists the newest calls that match.
    Search(Search),
    /// Counts the calls that match.
    Count(Count),
    /// Prints one call with its bodies and attempts, as JSON.
    Show {
        /// The call's id.
        id: String,
        /// Prints it on one line.
        #[arg(long)]
        json: bool,
    },
}

/// A search.
#[derive(Debug, clap::Args)]
pub struct Search {
    #[command(flatten)]
    sought: Sought,
    #[command(flatten)]
    page: Page,
}

/// A count.
#[derive(Debug, clap::Args)]
pub struct Count {
    #[command(flatten)]
    sought: Sought,
    /// Prints JSON: `{calls, complete}`.
    #[arg(long)]
    json: bool,
}

/// Which calls.
#[derive(Debug, clap::Args)]
pub struct Sought {
    /// Words, "phrases" and fields: `prompt:support/reply latency>2s -status:200 "refund policy"`.
    #[arg(default_value = "", allow_hyphen_values = true)]
    pub q: String,
    /// Words of a search that nobody quoted.
    #[arg(hide = true, value_name = "MORE", value_parser = unquoted)]
    more: Vec<String>,
    /// The earliest time: RFC 3339, or `-1h`.
    #[arg(long, allow_hyphen_values = true, value_name = "TIME")]
    pub from: Option<String>,
    /// The latest time: RFC 3339, or `-1h`.
    #[arg(long, allow_hyphen_values = true, value_name = "TIME")]
    pub to: Option<String>,
}

impl Sought {
    /// As query parameters.
    pub fn query(&self) -> Vec<(&'static str, &str)> {
        let mut query = vec![("q", self.q.as_str())];
        query.extend(self.from.as_deref().map(|from| ("from", from)));
        query.extend(self.to.as_deref().map(|to| ("to", to)));
        query
    }
}

/// Refuses a search that the shell took apart.
fn unquoted(_: &str) -> Result<String, &'static str> {
    Err("a search is one argument: put quotes around all of it, such as 'outcome:timeout model:gpt-5*'")
}

/// Runs one of the commands.
pub fn run(client: &Client, command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Search(Search { sought, page }) => page.print(client, "/calls", &sought.query(), listed),
        Command::Count(count) => count.run(client),
        Command::Show { id, json } => {
            let call = client.get(&format!("/calls/{}", segment(id)), &[])?;
            say(&if *json { call.to_string() } else { format!("{call:#}") });
            Ok(())
        }
    }
}

impl Count {
    fn run(&self, client: &Client) -> anyhow::Result<()> {
        let count = client.get("/calls/count", &self.sought.query())?;
        if self.json {
            say(&count.to_string());
            return Ok(());
        }
        say(&count["calls"].to_string());
        if count["complete"] == Value::Bool(false) {
            complain("the count ran out of time: there are at least so many; narrow it with --from and --to");
        }
        Ok(())
    }
}

/// Calls as a table.
pub fn listed(calls: &[Value]) -> String {
    let rows: Vec<[String; 8]> = calls.iter().map(row).collect();
    table::lay_out(["STARTED", "OUTCOME", "MODEL", "PROMPT", "TOKENS", "COST USD", "LATENCY", "ID"], &rows)
}

fn row(call: &Value) -> [String; 8] {
    let text = |field: &str| call[field].as_str().unwrap_or("-").to_owned();
    let number = |field: &str| call[field].as_i64();
    let outcome = match call["error_code"].as_str() {
        Some(code) => format!("{} ({code})", text("outcome")),
        None => text("outcome"),
    };
    let prompt = match (call["prompt"].as_str(), number("prompt_version")) {
        (Some(name), Some(version)) => format!("{name}@{version}"),
        _ => "-".to_owned(),
    };
    let tokens = match (number("input_tokens"), number("output_tokens")) {
        (Some(input), Some(output)) => format!("{input}+{output}"),
        _ => "-".to_owned(),
    };
    let cost = number("cost_nanousd")
        .map_or_else(|| "unknown".to_owned(), |nanos| vocab::NanoUsd(nanos).to_string());
    let latency = number("duration_us")
        .map_or_else(|| "-".to_owned(), |us| format!("{}.{:03} ms", us / 1_000, us % 1_000));
    let started = text("started_at").chars().take(19).collect::<String>().replace('T', " ");
    [started, outcome, text("model"), prompt, tokens, cost, latency, text("id")]
}
