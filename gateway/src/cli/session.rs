//! `weir session`: calls that callers said belong together.

use clap::Subcommand;
use serde_json::Value;
use vocab::NanoUsd;

use super::calls::{self, Sought};
use super::client::{Client, segment};
use super::page::{Page, items};
use super::{complain, say, table};

/// What can be done with sessions.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Lists the sessions of the newest calls that match.
    List {
        /// Of which calls.
        #[command(flatten)]
        sought: Sought,
        /// Which of them, and how.
        #[command(flatten)]
        page: Page,
    },
    /// Shows a session's sums and its newest calls, oldest first.
    Show {
        /// The session, as callers named it.
        id: String,
        /// How many calls, 1 to 1000.
        #[arg(long, default_value_t = 50, value_name = "N")]
        limit: u32,
        /// Goes back to the calls before those of another page: its `next_cursor`.
        #[arg(long, value_name = "CURSOR")]
        cursor: Option<String>,
        /// Prints JSON: the sums and `{data, next_cursor, …}`.
        #[arg(long)]
        json: bool,
    },
}

/// Runs one of the commands.
pub fn run(client: &Client, command: &Command) -> anyhow::Result<()> {
    match command {
        Command::List { sought, page } => page.print(client, "/sessions", &sought.query(), listed),
        Command::Show { id, limit, cursor, json } => {
            let limit = limit.to_string();
            let mut query = vec![("limit", limit.as_str())];
            query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let session = client.get(&format!("/sessions/{}", segment(id)), &query)?;
            if *json {
                say(&session.to_string());
                return Ok(());
            }
            say(&shown(&session));
            if let Some(cursor) = session["next_cursor"].as_str() {
                complain(&format!("there are calls before these: --cursor {cursor} shows them"));
            }
            Ok(())
        }
    }
}

/// What something cost, as far as it is known.
fn cost(summary: &Value) -> String {
    format!("${}", NanoUsd(summary["cost_nanousd"].as_i64().unwrap_or_default()))
}

fn listed(sessions: &[Value]) -> String {
    let row = |session: &Value| {
        let [id, user, began, last] =
            ["id", "user", "started_at", "last_at"].map(|field| table::field_cell(session, field));
        let [calls, errors, tokens] = ["calls", "errors", "tokens"].map(|field| table::cell(&session[field]));
        [began, last, calls, errors, tokens, cost(session), user, id]
    };
    let rows: Vec<_> = sessions.iter().map(row).collect();
    table::lay_out(["BEGAN", "LAST CALL", "CALLS", "ERRORS", "TOKENS", "COST", "USER", "SESSION"], &rows)
}

fn shown(session: &Value) -> String {
    let mut sums = session.clone();
    sums["cost"] = cost(session).into();
    let fields = [
        ("session", "id"),
        ("user", "user"),
        ("began", "started_at"),
        ("last call", "last_at"),
        ("calls", "calls"),
        ("traces", "traces"),
        ("errors", "errors"),
        ("tokens", "tokens"),
        ("cost", "cost"),
    ];
    format!("{}\n\n{}", table::facts(fields, &sums), calls::listed(items(&session["data"])))
}
