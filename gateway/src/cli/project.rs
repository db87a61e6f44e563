//! `weir project`: projects, made, listed, archived and restored.

use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{Client, segment};
use super::{complain, say, table};

/// What can be done with projects.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Makes a project; its name stays for good.
    Create {
        /// 1 to 63 of a-z, 0-9, `-`, `_` and `.`.
        name: String,
        /// What it is for.
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
    },
    /// Lists projects.
    List {
        /// The archived ones instead of those in use.
        #[arg(long)]
        archived: bool,
        /// Prints JSON.
        #[arg(long)]
        json: bool,
    },
    /// Archives a project in which nothing works any more.
    Archive {
        /// Its name.
        name: String,
    },
    /// Brings an archived project back.
    Restore {
        /// Its name.
        name: String,
    },
}

/// Runs one of the commands.
pub fn run(client: &Client, command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Create { name, description } => {
            client.post("/projects", &json!({"name": name, "description": description}))?;
            complain(&format!("project {name} made"));
        }
        Command::List { archived, json } => {
            let projects =
                client.all("/projects", &[("archived", if *archived { "true" } else { "false" })])?;
            say(&if *json { Value::from(projects).to_string() } else { listed(&projects) });
        }
        Command::Archive { name } => {
            client.delete(&format!("/projects/{}", segment(name)))?;
            complain(&format!("project {name} is archived"));
        }
        Command::Restore { name } => {
            client.patch(&format!("/projects/{}", segment(name)), &json!({"archived": false}))?;
            complain(&format!("project {name} is back"));
        }
    }
    Ok(())
}

fn listed(projects: &[Value]) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let rows: Vec<[String; 3]> = projects
        .iter()
        .map(|project| ["name", "created_by", "description"].map(|field| text(&project[field])))
        .collect();
    table::lay_out(["NAME", "MADE BY", "DESCRIPTION"], &rows)
}
