//! `weir project`: projects, made, listed, described, archived and restored.

use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{Client, segment};
use super::page::Page;
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
        /// Which of them, and how.
        #[command(flatten)]
        page: Page,
    },
    /// Shows a project.
    Show {
        /// Its name.
        name: String,
        /// Prints JSON.
        #[arg(long)]
        json: bool,
    },
    /// Describes a project anew.
    Edit {
        /// Its name.
        name: String,
        /// What it is for.
        #[arg(long, value_name = "TEXT")]
        description: String,
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
        Command::List { archived, page } => {
            let archived = if *archived { "true" } else { "false" };
            page.print(client, "/projects", &[("archived", archived)], listed)?;
        }
        Command::Show { name, json } => {
            let project = client.get(&path(name), &[])?;
            say(&if *json { project.to_string() } else { shown(&project) });
        }
        Command::Edit { name, description } => {
            client.patch(&path(name), &json!({"description": description}))?;
            complain(&format!("project {name} changed"));
        }
        Command::Archive { name } => {
            client.delete(&path(name))?;
            complain(&format!("project {name} is archived"));
        }
        Command::Restore { name } => {
            client.patch(&path(name), &json!({"archived": false}))?;
            complain(&format!("project {name} is back"));
        }
    }
    Ok(())
}

fn path(name: &str) -> String {
    format!("/projects/{}", segment(name))
}

fn listed(projects: &[Value]) -> String {
    let columns = [("NAME", "name"), ("MADE BY", "created_by"), ("DESCRIPTION", "description")];
    table::of_fields(columns, projects)
}

fn shown(project: &Value) -> String {
    let fields = [
        ("name", "name"),
        ("description", "description"),
        ("made by", "created_by"),
        ("made", "created_at"),
        ("archived", "archived_at"),
    ];
    table::facts(fields, project)
}
