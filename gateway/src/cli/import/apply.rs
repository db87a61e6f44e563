//! One prompt into the registry: versions that are not there yet, labels, tags, aliases. A second run finds everything in
//! its place and does nothing.

use std::collections::BTreeMap;

use anyhow::Context as _;
use registry::content::{Alias, Content};
use registry::template::Template;
use serde::Serialize;
use serde_json::{Map, Value, json};
use vocab::{LabelName, PromptName};

use super::How;
use crate::cli::client::{Client, segment};
use crate::import::{Found, FoundVersion};

/// Takes prompts in.
pub(super) struct Registrar<'a> {
    pub(super) client: &'a Client,
    pub(super) how: &'a How,
}

/// What taking a prompt in came to, or would come to.
#[derive(Debug, Default, Serialize)]
pub(super) struct Taken {
    /// Its name here.
    pub(super) name: String,
    /// Its versions there and here.
    pub(super) versions: Vec<Step>,
    /// Labels that were put, and on which version.
    pub(super) labels: BTreeMap<LabelName, u32>,
    /// What else was changed: `description`, `tags`, `aliases`.
    pub(super) changed: Vec<&'static str>,
    /// What is not carried, or otherwise than it was.
    pub(super) notes: Vec<String>,
    /// Why the rest was not done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
}

/// A version there and here.
#[derive(Debug, Serialize)]
pub(super) struct Step {
    /// What it is called there.
    pub(super) from: String,
    /// Its number here.
    pub(super) version: u32,
    /// Whether it was not there yet.
    pub(super) new: bool,
}

/// A prompt as it stands here.
struct Standing {
    prompt: Value,
    /// Its versions, oldest first.
    versions: Vec<(u32, Content)>,
}

impl Registrar<'_> {
    /// Takes a prompt in, as far as it goes.
    pub(super) fn take(&self, found: &Found) -> Taken {
        let mut taken =
            Taken { name: found.name.to_string(), notes: found.notes.clone(), ..Taken::default() };
        if let Err(error) = self.carry(found, &mut taken) {
            taken.error = Some(format!("{error:#}"));
        }
        taken
    }

    fn carry(&self, found: &Found, taken: &mut Taken) -> anyhow::Result<()> {
        let name = self.name(&found.name)?;
        taken.name = name.to_string();
        let path = format!("/prompts/{}", segment(name.as_str()));
        let standing = self.standing(&name, &path)?;
        self.publish(&path, found, &standing, taken)?;
        if taken.versions.is_empty() {
            return Ok(());
        }
        self.label(&path, found, &standing.prompt, taken)?;
        self.describe(&path, found, &standing.prompt, taken)
    }

    fn name(&self, name: &PromptName) -> anyhow::Result<PromptName> {
        match &self.how.folder {
            None => Ok(name.clone()),
            Some(folder) => Ok(format!("{}/{name}", folder.trim_end_matches('/')).parse()?),
        }
    }

    fn standing(&self, name: &PromptName, path: &str) -> anyhow::Result<Standing> {
        let Some(prompt) = self.client.find(path)? else {
            return Ok(Standing { prompt: Value::Null, versions: Vec::new() });
        };
        anyhow::ensure!(
            prompt["name"] == *name.as_str(),
            "`{name}` is an alias of prompt `{}`: remove it there, or import into a --folder",
            prompt["name"].as_str().unwrap_or_default()
        );
        anyhow::ensure!(prompt["archived_at"].is_null(), "prompt `{name}` is archived: restore it first");
        let mut versions = Vec::new();
        for stored in self.client.all(&format!("{path}/versions"), &[])? {
            let number = stored["version"].as_u64().and_then(|number| u32::try_from(number).ok());
            let number = number.context("a version without a number")?;
            versions.push((number, content(stored)?));
        }
        versions.reverse();
        Ok(Standing { prompt, versions })
    }

    /// Publishes what is not there yet. Versions there follow each other as here: where the order breaks off, the rest is
    /// new. A version that says what the one before it says is that one.
    fn publish(
        &self,
        path: &str,
        found: &Found,
        standing: &Standing,
        taken: &mut Taken,
    ) -> anyhow::Result<()> {
        let mut there = standing.versions.iter();
        let mut latest = standing.versions.last().map_or(0, |(number, _)| *number);
        let mut before: Option<(Content, u32)> = None;
        for version in &found.versions {
            let content = match compiled(version) {
                Ok(content) => content,
                Err(why) => {
                    taken.notes.push(format!("version {} is not carried: {why}", version.id));
                    continue;
                }
            };
            let same = before.as_ref().filter(|(before, _)| *before == content).map(|(_, number)| *number);
            let known =
                same.or_else(|| there.find(|(_, stands)| *stands == content).map(|(number, _)| *number));
            if known.is_none() {
                latest = self.publish_one(path, version, latest)?;
            }
            let number = known.unwrap_or(latest);
            taken.versions.push(Step { from: version.id.clone(), version: number, new: known.is_none() });
            before = Some((content, number));
        }
        Ok(())
    }

    /// Publishes one version onto the highest, and returns its number.
    fn publish_one(&self, path: &str, version: &FoundVersion, parent: u32) -> anyhow::Result<u32> {
        if self.how.dry_run {
            return Ok(parent + 1);
        }
        let mut body = version.content.clone();
        body.extend(
            version.commit_message.as_ref().map(|message| ("commit_message".to_owned(), json!(message))),
        );
        if !version.metadata.is_empty() {
            body.insert("metadata".into(), version.metadata.clone().into());
        }
        if !version.examples.is_empty() {
            body.insert("examples".into(), json!(version.examples));
        }
        body.insert("expected_parent".into(), json!(parent));
        let made = self.client.post(&format!("{path}/versions"), &Value::Object(body));
        let made = made.with_context(|| format!("version {} is not published", version.id))?;
        made["version"]
            .as_u64()
            .and_then(|number| u32::try_from(number).ok())
            .context("a version without a number")
    }

    fn label(&self, path: &str, found: &Found, prompt: &Value, taken: &mut Taken) -> anyhow::Result<()> {
        for version in &found.versions {
            let Some(number) = taken.number_of(&version.id) else { continue };
            for label in &version.labels {
                let stands = prompt["labels"][label.as_str()].as_u64();
                if stands == Some(u64::from(number)) {
                    continue;
                }
                if let Some(stands) = stands.filter(|_| !self.how.move_labels) {
                    let note = format!(
                        "label `{label}` stays at version {stands} here: move it to {number} with --move-labels"
                    );
                    taken.notes.push(note);
                    continue;
                }
                if !self.how.dry_run {
                    let placement = json!({"version": number, "reason": "imported"});
                    self.client
                        .put(&format!("{path}/labels/{label}"), &placement)
                        .with_context(|| format!("label `{label}` is not put on version {number}"))?;
                }
                taken.labels.insert(label.clone(), number);
            }
        }
        Ok(())
    }

    /// Adds what describes the prompt; what stands here stays.
    fn describe(&self, path: &str, found: &Found, prompt: &Value, taken: &mut Taken) -> anyhow::Result<()> {
        let mut change = Map::new();
        let undescribed = prompt["description"].as_str().is_none_or(str::is_empty);
        if let Some(description) = found.description.as_ref().filter(|_| undescribed) {
            change.insert("description".into(), json!(description));
            taken.changed.push("description");
        }
        let mut tags: Vec<String> = serde_json::from_value(prompt["tags"].clone()).unwrap_or_default();
        let more: Vec<_> = found.tags.iter().filter(|tag| !tags.contains(tag)).cloned().collect();
        if !more.is_empty() {
            tags.extend(more);
            change.insert("tags".into(), json!(tags));
            taken.changed.push("tags");
        }
        let mut aliases: Vec<Alias> = serde_json::from_value(prompt["aliases"].clone()).unwrap_or_default();
        if let Some(id) = &found.alias
            && taken.extend_alias(id, found, &mut aliases)
        {
            change.insert("aliases".into(), json!(aliases));
            taken.changed.push("aliases");
        }
        if !change.is_empty() && !self.how.dry_run {
            self.client.patch(path, &Value::Object(change)).context("it is not described")?;
        }
        Ok(())
    }
}

impl Taken {
    fn number_of(&self, from: &str) -> Option<u32> {
        self.versions.iter().rev().find(|step| step.from == from).map(|step| step.version)
    }

    /// Adds the versions of an id to the alias of that id; says whether that changed anything.
    fn extend_alias(&self, id: &str, found: &Found, aliases: &mut Vec<Alias>) -> bool {
        let at = aliases.iter().position(|alias| alias.id == id);
        let mut alias = match at {
            Some(at) => aliases.remove(at),
            None => Alias { id: id.to_owned(), versions: BTreeMap::new(), default: None },
        };
        let before = at.is_some().then(|| alias.clone());
        for step in &self.versions {
            alias.versions.insert(step.from.clone(), step.version);
        }
        let default = found.versions.iter().rev().find(|version| version.is_default);
        let default = default.and_then(|version| self.number_of(&version.id));
        // A paste of an older version must not take the default back.
        alias.default = match (alias.default, default) {
            (Some(stands), Some(default)) => Some(stands.max(default)),
            (stands, default) => default.or(stands),
        };
        let changed = before.as_ref() != Some(&alias);
        aliases.insert(at.unwrap_or(aliases.len()), alias);
        changed
    }
}

/// A stored version's content.
fn content(mut stored: Value) -> anyhow::Result<Content> {
    if let Value::Object(fields) = &mut stored {
        fields.retain(|field, _| Content::FIELDS.contains(&field.as_str()));
    }
    serde_json::from_value(stored).context("a version cannot be read")
}

/// The content, when its texts hold: what the gateway would refuse is known before anything is written.
fn compiled(version: &FoundVersion) -> Result<Content, String> {
    let content: Content =
        serde_json::from_value(version.content.clone().into()).map_err(|error| error.to_string())?;
    match Template::compile(&content) {
        Ok(_) => Ok(content),
        Err(problems) => Err(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")),
    }
}
