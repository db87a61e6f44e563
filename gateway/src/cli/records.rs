//! `weir records`: deleting what an end user did, and giving room back to the disk.

use clap::Subcommand;
use serde_json::json;

use super::client::Client;
use super::{complain, say};

/// What can be done with records.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Gives room that deletions left back to the disk.
    Compact {
        /// Prints JSON: `{freed_bytes}`.
        #[arg(long)]
        json: bool,
    },
    /// Deletes everything an end user did: calls, bodies, spans, scores. For good.
    Forget {
        /// The end user, exactly as callers named them.
        #[arg(long)]
        user: String,
        /// Prints JSON: `{user, deleted_calls}`.
        #[arg(long)]
        json: bool,
    },
}

/// Runs one of the commands.
pub fn run(client: &Client, command: &Command) -> anyhow::Result<()> {
    let (answer, json, told) = match command {
        Command::Compact { json } => {
            let answer = client.post("/records/compact", &json!({}))?;
            let told = format!("{} bytes given back", answer["freed_bytes"]);
            (answer, json, told)
        }
        Command::Forget { user, json } => {
            let answer = client.delete_where("/calls", &[("user", user)])?;
            let told = format!("{} calls of {user} deleted", answer["deleted_calls"]);
            (answer, json, told)
        }
    };
    if *json {
        say(&answer.to_string());
    } else {
        complain(&told);
    }
    Ok(())
}
