//! `weir prompt draft`: the caller's own working copy of a prompt, as a file.

use std::path::PathBuf;

use anyhow::Context as _;
use registry::files;
use registry::template::Problem;
use serde_json::{Map, Value, json};

use super::super::client::{Client, segment};
use super::super::{complain, say};
use super::{fields_of, file_of};

/// What can be done with a draft.
#[derive(Debug, clap::Subcommand)]
pub enum Draft {
    /// Prints your draft of a prompt as a prompt file.
    Show {
        /// The prompt.
        name: String,
    },
    /// Keeps a prompt file as your draft, in place of the one before; says what is wrong with it.
    Save {
        /// The prompt.
        name: String,
        /// The file.
        file: PathBuf,
        /// What changed and why.
        #[arg(short, long, value_name = "TEXT")]
        message: Option<String>,
    },
    /// Publishes your draft, which goes away with that.
    Publish {
        /// The prompt.
        name: String,
        /// Labels to put on the version.
        #[arg(long = "label", value_name = "LABEL")]
        labels: Vec<String>,
        /// What changed and why, instead of what the draft says.
        #[arg(short, long, value_name = "TEXT")]
        message: Option<String>,
    },
    /// Throws your draft away.
    Discard {
        /// The prompt.
        name: String,
    },
}

impl Draft {
    /// Does it.
    pub fn run(&self, client: &Client) -> anyhow::Result<()> {
        match self {
            Self::Show { name } => show(client, name),
            Self::Save { name, file, message } => save(client, name, file, message.as_deref()),
            Self::Publish { name, labels, message } => publish(client, name, labels, message.as_deref()),
            Self::Discard { name } => client.delete(&path(name)).map(drop),
        }
    }
}

fn path(name: &str) -> String {
    format!("/prompts/{}/draft", segment(name))
}

fn show(client: &Client, name: &str) -> anyhow::Result<()> {
    let draft = client.get(&path(name), &[])?;
    let prompt = client.get(&format!("/prompts/{}", segment(name)), &[])?;
    say(files::write(&file_of(&prompt, draft)?).trim_end());
    Ok(())
}

fn save(client: &Client, name: &str, file: &PathBuf, message: Option<&str>) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let read = files::read(&text).with_context(|| file.display().to_string())?;
    let mut body = fields_of(&read)?;
    if let Some(message) = message {
        body.insert("commit_message".into(), json!(message));
    }
    let kept = client.put(&path(name), &Value::Object(body))?;
    let problems = kept["problems"].as_array().into_iter().flatten();
    for problem in problems {
        let message = problem["message"].as_str().unwrap_or_default();
        say(&format!("line {}: {message}", files::line_of(&text, &read_problem(problem))));
    }
    let stale =
        if kept["stale"] == true { ", and another version was published since it was begun" } else { "" };
    complain(&format!("draft of {name} kept, begun from version {}{stale}", kept["parent"]));
    Ok(())
}

fn read_problem(problem: &Value) -> Problem {
    let number =
        |field: &str| problem[field].as_u64().and_then(|number| u32::try_from(number).ok()).unwrap_or(0);
    let item = problem["item"].as_u64().and_then(|item| usize::try_from(item).ok());
    Problem { item, line: number("line"), column: number("column"), message: String::new() }
}

fn publish(client: &Client, name: &str, labels: &[String], message: Option<&str>) -> anyhow::Result<()> {
    let mut body = Map::from_iter([("draft".to_owned(), json!(true))]);
    if !labels.is_empty() {
        body.insert("labels".into(), json!(labels));
    }
    if let Some(message) = message {
        body.insert("commit_message".into(), json!(message));
    }
    let made = client.post(&format!("/prompts/{}/versions", segment(name)), &Value::Object(body))?;
    say(&format!("{name}@{} ({})", made["version"], made["semver"].as_str().unwrap_or_default()));
    Ok(())
}
