//! `weir prompt`: the prompts of the registry, and prompts as files, for git and CI. A file is a prompt; its path below
//! the folder is its name.

mod check;
mod diff;
mod draft;
mod edit;
pub mod folder;
mod manage;
mod publish;
mod test;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;
use registry::content::Content;
use registry::files::{self, PromptFile};
use registry::template::with_references;
use serde_json::{Map, Value, json};
use vocab::PromptName;

use super::client::{Client, Connection, segment};
use super::{complain, say};
use folder::Folder;

/// The most prompt files one folder may hold.
const FILES_MAX: usize = 100_000;

/// What can be done with prompts.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// What is done with the prompts of the registry.
    #[command(flatten)]
    Manage(manage::Command),
    /// Publishes a file as a prompt's next version.
    Publish(publish::Publish),
    /// Shows, keeps, publishes or discards your own draft of a prompt.
    Draft {
        /// What to do with it.
        #[command(subcommand)]
        command: draft::Command,
    },
    /// Checks files as the gateway would when they are published, and keeps nothing; exit code 1 if one does not hold.
    Check(check::Check),
    /// Writes every prompt into a folder, one file each.
    #[command(disable_version_flag = true)]
    Pull {
        /// The folder.
        dir: PathBuf,
        /// Which version of each prompt: a label, `latest` or a version.
        #[arg(long, default_value = "latest", value_name = "SELECTOR")]
        version: String,
    },
    /// Publishes every file that differs from its prompt's latest version.
    Push {
        /// The folder.
        dir: PathBuf,
        /// What is said about the versions.
        #[command(flatten)]
        said: publish::Said,
        /// Prints what would be published, and publishes nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Shows how a folder differs from the registry, or versions of a prompt from each other; exit code 1 if they do.
    #[command(disable_version_flag = true)]
    Diff(diff::Diff),
    /// Renders the prompts of a folder with their example variables and checks their `examples`; exit code 1 if one
    /// fails. Asks no gateway.
    Test(test::Test),
    /// Renders a prompt of the registry with variables.
    Render {
        /// The reference, `name[@selector]`; `name@draft` is your own draft.
        reference: String,
        /// A variable: `name=text`, or `name:=json` for anything else.
        #[arg(short, long = "var", value_name = "NAME=VALUE")]
        variables: Vec<String>,
        /// Prints JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Runs one of the commands.
pub fn run(connection: &Connection, command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Pull { dir, version } => pull(&connection.open()?, dir, version)?,
        Command::Manage(command) => manage::run(&connection.open()?, command)?,
        Command::Publish(publish) => publish.run(&connection.open()?)?,
        Command::Draft { command } => draft::run(&connection.open()?, command)?,
        Command::Check(check) => return check.run(&connection.open()?),
        Command::Push { dir, said, dry_run } => {
            Push { client: &connection.open()?, said, dry_run: *dry_run }.run(dir)?;
        }
        Command::Diff(diff) => return diff.run(&connection.open()?),
        Command::Test(test) => return test.run(),
        Command::Render { reference, variables, json } => {
            render(&connection.open()?, reference, variables, *json)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn pull(client: &Client, dir: &Path, version: &str) -> anyhow::Result<()> {
    let mut written = 0_usize;
    for (name, file) in registered(client, version)?.files {
        let path = dir.join(files::path_of(&name));
        let folder = path.parent().context("a prompt file has a folder")?;
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        std::fs::write(&path, files::write(&file))
            .with_context(|| format!("cannot write {}", path.display()))?;
        written += 1;
    }
    complain(&format!("{written} prompts written to {}", dir.display()));
    Ok(())
}

struct Push<'a> {
    client: &'a Client,
    said: &'a publish::Said,
    dry_run: bool,
}

impl Push<'_> {
    fn run(&self, dir: &Path) -> anyhow::Result<()> {
        let local = local(dir)?;
        anyhow::ensure!(!local.is_empty(), "there is no prompt file in {}", dir.display());
        let mut registered = registered(self.client, "latest")?;
        local.keys().try_for_each(|name| registered.check_own(name))?;
        let mut published = 0_usize;
        for name in &Folder::of(&local).in_order() {
            let Some(file) = local.get(name) else { continue };
            let same =
                registered.as_it_stands(name).is_some_and(|text| text == registered.pinned(name, file));
            // Labels go to what this push publishes: an unchanged prompt keeps what it serves.
            if same && file.labels.is_empty() {
                continue;
            }
            published += 1;
            if self.dry_run {
                say(&format!(
                    "would publish {name}{}",
                    if registered.as_it_stands(name).is_some() { "" } else { " (new)" }
                ));
                continue;
            }
            let made = self.publish(name, file).with_context(|| format!("cannot publish `{name}`"))?;
            registered.published(name, &made);
            say(&publish::made_known(&made));
        }
        let deed = if self.dry_run { "to publish" } else { "published" };
        complain(&format!("{published} of {} prompts {deed}, the others are as registered", local.len()));
        if published < local.len() && self.said.has_labels() {
            complain(
                "`--label` goes to what is published only: put it on the others with `weir label move NAME LABEL VERSION`",
            );
        }
        Ok(())
    }

    fn publish(&self, name: &PromptName, file: &PromptFile) -> anyhow::Result<Value> {
        let version = publish::version_of(file, Some(self.said))?;
        publish::publish(self.client, name.as_str(), version, publish::about(file))
    }
}

fn render(client: &Client, reference: &str, variables: &[String], as_json: bool) -> anyhow::Result<()> {
    let (name, selector) = split_reference(reference);
    let mut values = Map::new();
    for variable in variables {
        let (key, text) =
            variable.split_once('=').with_context(|| format!("`{variable}`: write NAME=VALUE"))?;
        let (key, value) = match key.strip_suffix(':') {
            Some(key) => {
                (key, serde_json::from_str(text).with_context(|| format!("`{variable}` is not JSON"))?)
            }
            None => (key, json!(text)),
        };
        values.insert(key.to_owned(), value);
    }
    let mut body = json!({"variables": values});
    if let (Some(selector), Value::Object(fields)) = (selector, &mut body) {
        fields.insert("version".into(), json!(selector));
    }
    let rendered = client.post(&format!("/prompts/{}/render", segment(name)), &body)?;
    if as_json {
        say(&rendered.to_string());
        return Ok(());
    }
    for message in rendered["messages"].as_array().into_iter().flatten() {
        if let Some(place) = message["placeholder"].as_str() {
            say(&format!("--- {place}: the caller's messages"));
            continue;
        }
        say(&format!("--- {}", message["role"].as_str().unwrap_or_default()));
        let content = &message["content"];
        say(&content.as_str().map_or_else(|| content.to_string(), str::to_owned));
    }
    Ok(())
}

/// A prompt's name, and the selector behind it.
fn split_reference(reference: &str) -> (&str, Option<&str>) {
    reference.split_once('@').map_or((reference, None), |(name, selector)| (name, Some(selector)))
}

/// The prompts of the registry.
struct Registered {
    files: BTreeMap<PromptName, PromptFile>,
    /// By its name, the reference that a prompt included without a version is pinned to.
    pins: BTreeMap<String, String>,
    /// By another name of a prompt, its own.
    aliases: BTreeMap<String, PromptName>,
}

impl Registered {
    /// Refuses a file under a name that another prompt answers to: it would be published there.
    fn check_own(&self, name: &PromptName) -> anyhow::Result<()> {
        let Some(owner) = self.aliases.get(name.as_str()) else { return Ok(()) };
        anyhow::bail!(
            "`{name}` is an alias of prompt `{owner}`, which has a file of its own: remove this one, nothing was published"
        )
    }

    /// The text of a prompt's file.
    fn as_it_stands(&self, name: &PromptName) -> Option<String> {
        self.files.get(name).map(files::write)
    }

    /// Takes in what serves since: what comes next may include it.
    fn published(&mut self, name: &PromptName, made: &Value) {
        if made["labels"].as_array().is_some_and(|labels| labels.iter().any(|label| label == "production")) {
            self.pins.insert(name.to_string(), format!("{name}@{}", made["version"]));
        }
    }

    /// The text of a file once it is published: what it includes is pinned then, and what it leaves out of what stands
    /// beside the content stays as it is.
    fn pinned(&self, name: &PromptName, file: &PromptFile) -> String {
        let content = with_references(&file.content, &self.pins);
        let mut file = PromptFile { labels: Vec::new(), name: None, content, ..file.clone() };
        if let Some(known) = self.files.get(name) {
            file.description = file.description.or_else(|| known.description.clone());
            keep_unless_given(&mut file.tags, &known.tags);
            keep_unless_given(&mut file.aliases, &known.aliases);
            keep_unless_given(&mut file.examples, &known.examples);
            if file.metadata.is_empty() {
                file.metadata.clone_from(&known.metadata);
            }
        }
        files::write(&file)
    }
}

fn keep_unless_given<T: Clone>(given: &mut Vec<T>, known: &[T]) {
    if given.is_empty() {
        *given = known.to_vec();
    }
}

/// Every prompt of the registry, in one version each.
fn registered(client: &Client, version: &str) -> anyhow::Result<Registered> {
    let (mut known, mut pins, mut aliases) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for prompt in client.all("/prompts", &[])? {
        let name: PromptName =
            serde_json::from_value(prompt["name"].clone()).context("a prompt without a name")?;
        if let Some(number) = prompt["labels"]["production"].as_u64() {
            pins.insert(name.to_string(), format!("{name}@{number}"));
        }
        for alias in prompt["aliases"].as_array().into_iter().flatten() {
            aliases.extend(alias["id"].as_str().map(|id| (id.to_owned(), name.clone())));
        }
        let path = format!("/prompts/{}/versions/{}", segment(name.as_str()), segment(version));
        // A prompt without this label, or without any version yet, has no file.
        let Some(stored) = client.find(&path)? else { continue };
        let file = file_of(&prompt, stored).with_context(|| format!("cannot read `{name}`"))?;
        known.insert(name, file);
    }
    Ok(Registered { files: known, pins, aliases })
}

/// A stored version as a file. Labels say what serves now, not what the prompt is: they stay in the registry.
fn file_of(prompt: &Value, stored: Value) -> anyhow::Result<PromptFile> {
    let Value::Object(mut stored) = stored else { anyhow::bail!("a version is an object") };
    let metadata =
        stored.remove("metadata").and_then(|metadata| metadata.as_object().cloned()).unwrap_or_default();
    let examples =
        stored.remove("examples").and_then(|examples| examples.as_array().cloned()).unwrap_or_default();
    stored.retain(|field, _| Content::FIELDS.contains(&field.as_str()));
    Ok(PromptFile {
        name: None,
        description: prompt["description"].as_str().filter(|text| !text.is_empty()).map(str::to_owned),
        tags: serde_json::from_value(prompt["tags"].clone()).unwrap_or_default(),
        labels: Vec::new(),
        aliases: serde_json::from_value(prompt["aliases"].clone()).unwrap_or_default(),
        metadata,
        examples,
        content: serde_json::from_value(Value::Object(stored))?,
    })
}

/// Every prompt file below a folder, by the prompt's name.
pub fn local(dir: &Path) -> anyhow::Result<BTreeMap<PromptName, PromptFile>> {
    let mut found = BTreeMap::new();
    for (name, path) in paths(dir)? {
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let file = files::read(&text).with_context(|| path.display().to_string())?;
        found.insert(name, file);
    }
    Ok(found)
}

/// Where the prompt files below a folder are, by the prompt's name.
pub fn paths(dir: &Path) -> anyhow::Result<BTreeMap<PromptName, PathBuf>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in
            std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?
        {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if path.extension().is_none_or(|extension| extension != files::EXTENSION) {
                continue;
            }
            anyhow::ensure!(
                found.len() < FILES_MAX,
                "{} holds more than {FILES_MAX} prompt files",
                dir.display()
            );
            let name = files::name_of(path.strip_prefix(dir).unwrap_or(&path))?;
            found.insert(name, path);
        }
    }
    Ok(found)
}
