//! `weir score`: judgements of calls, traces and sessions.

use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::client::Client;
use super::page::{Page, given};
use super::{complain, say, table};

/// What can be done with scores.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Lists scores, newest first.
    List(List),
    /// Scores a call, a trace or a session.
    Add(Add),
}

/// Which scores to list.
#[derive(Debug, clap::Args)]
pub struct List {
    /// Only of this name.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    of: Target,
    /// The earliest time: RFC 3339, or `-7d`.
    #[arg(long, allow_hyphen_values = true, value_name = "TIME")]
    from: Option<String>,
    /// The latest time.
    #[arg(long, allow_hyphen_values = true, value_name = "TIME")]
    to: Option<String>,
    #[command(flatten)]
    page: Page,
}

/// A score to give.
#[derive(Debug, clap::Args)]
pub struct Add {
    /// What is judged: `helpful`, `accuracy`.
    name: String,
    /// A number, or `true` or `false`.
    #[arg(allow_negative_numbers = true)]
    value: String,
    #[command(flatten)]
    of: Target,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// What is judged.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
pub struct Target {
    /// A call, by its id.
    #[arg(long, value_name = "ID")]
    call: Option<String>,
    /// A trace, by its id.
    #[arg(long, value_name = "ID")]
    trace: Option<String>,
    /// A session, as callers named it.
    #[arg(long, value_name = "SESSION")]
    session: Option<String>,
}

/// Runs one of the commands.
pub fn run(client: &Client, command: &Command) -> anyhow::Result<()> {
    match command {
        Command::List(list) => list.run(client),
        Command::Add(add) => add.run(client),
    }
}

impl Target {
    fn fields(&self) -> Vec<(&'static str, &str)> {
        given(&[("call_id", &self.call), ("trace_id", &self.trace), ("session_id", &self.session)])
    }
}

impl List {
    fn run(&self, client: &Client) -> anyhow::Result<()> {
        let mut query = given(&[("name", &self.name), ("from", &self.from), ("to", &self.to)]);
        query.extend(self.of.fields());
        self.page.print(client, "/scores", &query, |scores| {
            let rows: Vec<_> = scores.iter().map(row).collect();
            table::lay_out(["AT", "NAME", "VALUE", "OF", "BY", "COMMENT"], &rows)
        })
    }
}

impl Add {
    fn run(&self, client: &Client) -> anyhow::Result<()> {
        let of = self.of.fields();
        anyhow::ensure!(!of.is_empty(), "say what it judges: --call, --trace or --session");
        let mut body: Map<String, Value> =
            of.into_iter().map(|(field, text)| (field.to_owned(), json!(text))).collect();
        body.insert("name".into(), json!(self.name));
        let value = serde_json::from_str(&self.value).unwrap_or_else(|_| json!(self.value));
        body.insert("value".into(), value);
        body.extend(self.comment.as_ref().map(|why| ("comment".to_owned(), json!(why))));
        let given = client.post("/scores", &Value::Object(body))?;
        say(&if self.json { given.to_string() } else { table::cell(&given["id"]) });
        if !self.json {
            complain(&format!("{} is {} for {}", self.name, given["value"], target(&given)));
        }
        Ok(())
    }
}

fn row(score: &Value) -> [String; 6] {
    let [at, name, value, by, comment] =
        ["created_at", "name", "value", "author", "comment"].map(|field| table::field_cell(score, field));
    [at, name, value, target(score), by, comment]
}

/// What a score judges, with its kind.
fn target(score: &Value) -> String {
    let kinds = [("call", "call_id"), ("trace", "trace_id"), ("session", "session_id")];
    let found = kinds.into_iter().find(|(_, field)| score[field].is_string());
    found.map_or_else(|| "-".to_owned(), |(kind, field)| format!("{kind} {}", table::cell(&score[field])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_says_what_it_judges() {
        let score = json!({"call_id": null, "trace_id": "4bf9", "session_id": null});
        assert_eq!(target(&score), "trace 4bf9");
    }
}
