//! `weir prompt publish`: one file as a prompt's next version; and how any file becomes one.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use registry::files::{self, PromptFile};
use serde_json::{Map, Value, json};
use vocab::LabelName;

use super::super::client::{Client, segment};
use super::super::say;

/// The file name that stands for standard input.
const STANDARD_INPUT: &str = "-";

/// What `publish` takes.
#[derive(Debug, clap::Args)]
pub struct Publish {
    /// The prompt; it is made if it is new.
    prompt: String,
    /// The file; `-` is standard input.
    file: PathBuf,
    #[command(flatten)]
    said: Said,
    /// Raises the impact that is computed: patch, minor or major.
    #[arg(long, value_name = "IMPACT")]
    impact: Option<String>,
    /// Refuses unless this is the latest version now; 0: unless there is none.
    #[arg(long, value_name = "VERSION")]
    expect: Option<u32>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// What is said about what is published, beside what a file says.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Said {
    /// Labels to put on it.
    #[arg(long = "label", value_name = "LABEL")]
    labels: Vec<String>,
    /// What changed and why.
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
}

impl Publish {
    /// Publishes, and prints what came of it.
    pub fn run(&self, client: &Client) -> anyhow::Result<()> {
        let (_, file) = read(&self.file)?;
        let mut body = version_of(&file, Some(&self.said))?;
        body.extend(self.impact.as_ref().map(|impact| ("impact".to_owned(), json!(impact))));
        body.extend(self.expect.map(|version| ("expected_parent".to_owned(), json!(version))));
        let made = publish(client, &self.prompt, body, about(&file))?;
        say(&if self.json { made.to_string() } else { made_known(&made) });
        Ok(())
    }
}

impl Said {
    /// Whether labels were named.
    pub(super) const fn has_labels(&self) -> bool {
        !self.labels.is_empty()
    }

    /// As fields of a body, with these labels before its own.
    pub(super) fn fields(&self, labels: &[LabelName]) -> Map<String, Value> {
        let mut fields = Map::new();
        let labels = labels.iter().map(LabelName::as_str).chain(self.labels.iter().map(String::as_str));
        let labels: Vec<&str> = labels.collect();
        if !labels.is_empty() {
            fields.insert("labels".into(), json!(labels));
        }
        if let Some(message) = &self.message {
            fields.insert("commit_message".into(), json!(message));
        }
        fields
    }
}

/// A prompt file's text, and what it holds; `-` is standard input.
pub(super) fn read(path: &Path) -> anyhow::Result<(String, PromptFile)> {
    let text = if path == Path::new(STANDARD_INPUT) {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
        text
    } else {
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?
    };
    let file = files::read(&text).with_context(|| path.display().to_string())?;
    Ok((text, file))
}

/// What a file says of a version, as the body that publishes it or keeps it as a draft, which has no labels.
pub(super) fn version_of(file: &PromptFile, said: Option<&Said>) -> anyhow::Result<Map<String, Value>> {
    let mut body = match serde_json::to_value(&file.content)? {
        Value::Object(content) => content,
        other => anyhow::bail!("a version is an object, not {other}"),
    };
    if !file.metadata.is_empty() {
        body.insert("metadata".into(), Value::Object(file.metadata.clone()));
    }
    if !file.examples.is_empty() {
        body.insert("examples".into(), json!(file.examples));
    }
    body.extend(said.map(|said| said.fields(&file.labels)).unwrap_or_default());
    Ok(body)
}

/// What a file says of its prompt.
pub(super) fn about(file: &PromptFile) -> Map<String, Value> {
    let mut about = Map::new();
    if let Some(description) = &file.description {
        about.insert("description".into(), json!(description));
    }
    if !file.tags.is_empty() {
        about.insert("tags".into(), json!(file.tags));
    }
    if !file.aliases.is_empty() {
        about.insert("aliases".into(), json!(file.aliases));
    }
    about
}

/// Publishes a version, and then says what it says `about` its prompt.
pub(super) fn publish(
    client: &Client,
    prompt: &str,
    version: Map<String, Value>,
    about: Map<String, Value>,
) -> anyhow::Result<Value> {
    let path = format!("/prompts/{}", segment(prompt));
    let made = client.post(&format!("{path}/versions"), &Value::Object(version))?;
    if !about.is_empty() {
        client.patch(&path, &Value::Object(about))?;
    }
    Ok(made)
}

/// A version just published, in a word.
pub(super) fn made_known(made: &Value) -> String {
    let word = |field: &str| made[field].as_str().unwrap_or_default();
    format!("{}@{} ({})", word("prompt"), made["version"], word("semver"))
}
