//! `weir prompt list`, `show`, `versions`, `archive`, `restore` and `used-by`: the prompts of the registry.

use clap::Subcommand;
use registry::files;
use serde_json::{Value, json};

use super::super::client::{Client, segment};
use super::super::page::{Page, given, items};
use super::super::{complain, say, table};
use super::edit::{Create, Edit};
use super::{file_of, split_reference};

/// What can be done with the prompts of the registry.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Lists prompts by name.
    List(List),
    /// Shows a prompt; with a selector, prints that version as a file.
    Show {
        /// The prompt, `name` or `name@selector`.
        reference: String,
        /// Prints JSON.
        #[arg(long)]
        json: bool,
    },
    /// Lists a prompt's versions, newest first.
    Versions {
        /// The prompt.
        prompt: String,
        /// Which of them, and how.
        #[command(flatten)]
        page: Page,
    },
    /// Makes a prompt, with its first version if there is a file.
    Create(Create),
    /// Renames, moves, describes or tags a prompt, or changes its aliases.
    Edit(Edit),
    /// Archives a prompt, which must have no labels: it serves no more, and its versions stay.
    Archive {
        /// The prompt.
        prompt: String,
    },
    /// Brings an archived prompt back.
    Restore {
        /// The prompt.
        prompt: String,
    },
    /// Lists the versions that include a prompt.
    UsedBy {
        /// The prompt, or `name@version` for those that include this version.
        reference: String,
        /// Also versions that no label points at and that are not their prompt's latest.
        #[arg(long)]
        all_versions: bool,
        /// Which of them, and how.
        #[command(flatten)]
        page: Page,
    },
}

/// Which prompts to list.
#[derive(Debug, clap::Args)]
pub struct List {
    /// Those in this folder and below it.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<String>,
    /// Those with this tag.
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// Those whose name, description, tags or aliases contain this text.
    #[arg(short, long, value_name = "TEXT")]
    q: Option<String>,
    /// The archived ones instead of those that serve.
    #[arg(long)]
    archived: bool,
    #[command(flatten)]
    page: Page,
}

/// Runs one of the commands.
pub(super) fn run(client: &Client, command: &Command) -> anyhow::Result<()> {
    match command {
        Command::List(list) => list.run(client),
        Command::Show { reference, json } => show(client, reference, *json),
        Command::Versions { prompt, page } => {
            page.print(client, &format!("{}/versions", path(prompt)), &[], versions)
        }
        Command::Create(create) => create.run(client),
        Command::Edit(edit) => edit.run(client),
        Command::Archive { prompt } => {
            client.delete(&path(prompt))?;
            complain(&format!("prompt {prompt} is archived"));
            Ok(())
        }
        Command::Restore { prompt } => {
            client.patch(&path(prompt), &json!({"archived": false}))?;
            complain(&format!("prompt {prompt} is back"));
            Ok(())
        }
        Command::UsedBy { reference, all_versions, page } => {
            let (name, version) = split_reference(reference);
            let mut query = Vec::new();
            query.extend(version.map(|version| ("version", version)));
            query.extend(all_versions.then_some(("all", "true")));
            page.print(client, &format!("{}/used-by", path(name)), &query, users)
        }
    }
}

/// Where a prompt is.
pub(super) fn path(prompt: &str) -> String {
    format!("/prompts/{}", segment(prompt))
}

impl List {
    fn run(&self, client: &Client) -> anyhow::Result<()> {
        let mut query = given(&[("folder", &self.folder), ("tag", &self.tag), ("q", &self.q)]);
        query.extend(self.archived.then_some(("archived", "true")));
        self.page.print(client, "/prompts", &query, |prompts| {
            let columns = [
                ("NAME", "name"),
                ("TYPE", "type"),
                ("LATEST", "latest_version"),
                ("LABELS", "labels"),
                ("TAGS", "tags"),
                ("CHANGED", "updated_at"),
            ];
            table::of_fields(columns, prompts)
        })
    }
}

fn show(client: &Client, reference: &str, json: bool) -> anyhow::Result<()> {
    let (name, selector) = split_reference(reference);
    let Some(selector) = selector else {
        let prompt = client.get(&path(name), &[])?;
        say(&if json { prompt.to_string() } else { facts(&prompt) });
        return Ok(());
    };
    let version = client.get(&format!("{}/versions/{}", path(name), segment(selector)), &[])?;
    if json {
        say(&version.to_string());
        return Ok(());
    }
    complain(&heading(&version));
    let prompt = client.get(&path(name), &[])?;
    say(files::write(&file_of(&prompt, version)?).trim_end());
    Ok(())
}

fn facts(prompt: &Value) -> String {
    let fields = [
        ("name", "name"),
        ("type", "type"),
        ("description", "description"),
        ("tags", "tags"),
        ("aliases", "aliases"),
        ("labels", "labels"),
        ("latest", "latest_version"),
        ("created", "created_at"),
        ("changed", "updated_at"),
        ("archived", "archived_at"),
        ("project", "project"),
        ("id", "id"),
    ];
    let alias = |alias: &Value| match alias["default"].as_u64() {
        Some(version) => json!(format!("{} → {version}", table::cell(&alias["id"]))),
        None => alias["id"].clone(),
    };
    let mut shown = prompt.clone();
    shown["aliases"] = items(&prompt["aliases"]).iter().map(alias).collect();
    table::facts(fields, &shown)
}

/// What a version is, in a line.
fn heading(version: &Value) -> String {
    let word = |field: &str| table::field_cell(version, field);
    let message = match version["commit_message"].as_str() {
        Some(_) => format!(": {}", word("commit_message")),
        None => String::new(),
    };
    let (name, author, made, labels) = (word("prompt"), word("author"), word("created_at"), word("labels"));
    let number = format!("{name}@{} ({})", version["version"], word("semver"));
    format!("{number} by {author} at {made}, labels: {labels}{message}")
}

fn versions(versions: &[Value]) -> String {
    let columns = [
        ("VERSION", "version"),
        ("SEMVER", "semver"),
        ("IMPACT", "impact"),
        ("LABELS", "labels"),
        ("AUTHOR", "author"),
        ("PUBLISHED", "created_at"),
        ("MESSAGE", "commit_message"),
    ];
    table::of_fields(columns, versions)
}

fn users(users: &[Value]) -> String {
    let columns = [
        ("PROMPT", "prompt"),
        ("VERSION", "version"),
        ("INCLUDES", "reference"),
        ("LABELS", "labels"),
        ("LATEST", "is_latest"),
    ];
    table::of_fields(columns, users)
}
