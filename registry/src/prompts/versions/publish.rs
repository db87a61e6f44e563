//! Publishing: content checked, compared with the highest version, numbered, labelled, in one transaction.

use std::borrow::Cow;
use std::sync::Arc;

use dialects::merge::is_parameter;
use serde_json::{Value, json};
use vocab::{Impact, PromptName, SemVer, Time};

use super::{BY_NUMBER, NewVersion, Published, StoredVersion, read};
use crate::audit::{self, Entry};
use crate::content::{Content, Item, PromptBody};
use crate::db::{Result, Writing, args, to_json};
use crate::prompts::change::{self, Creation};
use crate::prompts::impact::{Assessment, Interface};
use crate::prompts::labels::{LABELS, Note, place};
use crate::prompts::names::check_text;
use crate::prompts::{NewPrompt, Prompt, PromptKind, catalogue};
use crate::roles::{Permission, Who};
use crate::template::Template;
use crate::{Registry, StoreError, canonical};

/// The largest content, as JSON.
const CONTENT_BYTES: usize = 4 << 20;
/// The longest commit message.
const MESSAGE_BYTES: usize = 10_000;
/// The largest metadata, and the largest examples, as JSON.
const METADATA_BYTES: usize = 64 << 10;
const EXAMPLES_BYTES: usize = 1 << 20;

/// A version that was checked as far as it can be without the database.
struct Draft {
    project: Arc<str>,
    name: PromptName,
    new: NewVersion,
    interface: Interface,
    digest: String,
    content: String,
    metadata: String,
    examples: String,
    who: Who,
    now: Time,
}

impl Registry {
    /// Publishes a version onto the highest one and puts its labels on it; makes the prompt if it is new.
    ///
    /// Content equal to the highest version's makes no new version: that one is returned, labelled.
    pub async fn publish(
        &self,
        project: &str,
        name: &PromptName,
        new: NewVersion,
        who: &Who,
    ) -> Result<Published> {
        who.require(Permission::WritePrompts)?;
        let draft = Draft::check(project, name, new, who, self.clock().now())?;
        self.write(draft, |writing, draft| Box::pin(publish(writing, draft))).await
    }
}

impl Draft {
    fn check(project: &str, name: &PromptName, new: NewVersion, who: &Who, now: Time) -> Result<Self> {
        check_supported(&new.content)?;
        if let Some(message) = &new.commit_message {
            check_text("commit_message", message, MESSAGE_BYTES)?;
        }
        let content = json_column("content", &new.content, CONTENT_BYTES)?;
        let metadata = json_column("metadata", &new.metadata, METADATA_BYTES)?;
        let examples = json_column("examples", &new.examples, EXAMPLES_BYTES)?;
        if new.examples.iter().any(|example| !example.is_object()) {
            return Err(StoreError::invalid(
                "examples",
                "each example is an object with `variables` and `expect`",
            ));
        }
        let template = Template::compile(&new.content).map_err(StoreError::Template)?;
        let value: Value = serde_json::from_str(&content).map_err(StoreError::unreadable)?;
        Ok(Self {
            project: project.into(),
            name: name.clone(),
            interface: Interface::of(&new.content, template.variables()),
            digest: canonical::digest(&value),
            content,
            metadata,
            examples,
            who: who.clone(),
            now,
            new,
        })
    }

    /// Whether the parent says all that this would.
    fn is_said_by(&self, parent: &StoredVersion) -> bool {
        let metadata_differ = self.new.metadata_counts && parent.metadata != self.new.metadata;
        *parent.digest == *self.digest && !metadata_differ
    }
}

/// Refuses what this build would store but not do.
fn check_supported(content: &Content) -> Result<()> {
    if !content.fallbacks.is_empty() {
        let message = "`fallbacks` are not supported yet: leave them out".to_owned();
        return Err(StoreError::NotSupported { field: "fallbacks".into(), message });
    }
    if let Some(name) = content.parameters.keys().find(|name| !is_parameter(name)) {
        let message = format!("`parameters.{name}`: this is no parameter a prompt can store: leave it out");
        return Err(StoreError::invalid(format!("parameters.{name}"), message));
    }
    let PromptBody::Messages(items) = &content.body else { return Ok(()) };
    let Some(index) = items.iter().position(|item| matches!(item, Item::Include { .. })) else {
        return Ok(());
    };
    let field = format!("messages[{index}].include");
    let message = format!("`{field}`: including other prompts is not supported yet: copy their messages in");
    Err(StoreError::NotSupported { field: Cow::Owned(field), message })
}

fn json_column(field: &'static str, value: &impl serde::Serialize, limit_bytes: usize) -> Result<String> {
    let json = to_json(value)?;
    if json.len() <= limit_bytes {
        return Ok(json);
    }
    let size = json.len();
    Err(StoreError::invalid(field, format!("`{field}` has {size} bytes as JSON: the limit is {limit_bytes}")))
}

async fn publish(writing: &mut Writing, draft: &Draft) -> Result<Published> {
    let prompt = match catalogue::find(&mut writing.tx, &draft.project, &draft.name).await? {
        Some(prompt) => prompt,
        None => create(writing, draft).await?,
    };
    prompt.writable()?;
    check_kind(&prompt, PromptKind::of(&draft.new.content))?;
    let parent = find_parent(writing, &prompt).await?;
    expect_parent(&prompt, draft.new.expected_parent, parent.as_ref())?;
    let (version, is_new) = match parent {
        Some(parent) if draft.is_said_by(&parent) => (parent, false),
        parent => (insert(writing, draft, &prompt, parent.as_ref()).await?, true),
    };
    label(writing, draft, &prompt, version.number).await?;
    let prompt = catalogue::get(&mut writing.tx, &draft.project, &prompt.name).await?;
    Ok(Published { prompt, version, is_new })
}

async fn create(writing: &mut Writing, draft: &Draft) -> Result<Prompt> {
    let new = NewPrompt::named(draft.name.clone());
    let (project, who) = (Arc::clone(&draft.project), draft.who.clone());
    change::create(writing, &Creation { project, new, who, now: draft.now }).await
}

fn check_kind(prompt: &Prompt, kind: PromptKind) -> Result<()> {
    let Some(fixed) = prompt.kind.filter(|fixed| *fixed != kind) else { return Ok(()) };
    let (given, wanted) = match fixed {
        PromptKind::Chat => ("text", "messages"),
        PromptKind::Text => ("messages", "text"),
    };
    let message = format!(
        "prompt `{}` is a {} prompt and stays one: give `{wanted}` instead of `{given}`, or use another name",
        prompt.name,
        fixed.as_str()
    );
    Err(StoreError::invalid(given, message))
}

async fn find_parent(writing: &mut Writing, prompt: &Prompt) -> Result<Option<StoredVersion>> {
    let Some(latest) = prompt.latest else { return Ok(None) };
    let row = writing.tx.maybe(BY_NUMBER, args![prompt.id.to_string(), latest]).await?;
    row.as_ref().map(read).transpose()
}

fn expect_parent(prompt: &Prompt, expected: Option<u32>, parent: Option<&StoredVersion>) -> Result<()> {
    let current = parent.map(|parent| parent.number);
    let Some(expected) = expected.filter(|expected| *expected != current.unwrap_or(0)) else { return Ok(()) };
    let name = &prompt.name;
    let message = match parent {
        Some(parent) => format!(
            "version {} of prompt `{name}` was published by {} at {}, after the version {expected} you started \
             from: look at it, then publish onto it",
            parent.number, parent.author, parent.created_at
        ),
        None => format!("prompt `{name}` has no versions yet: leave `expected_parent` out or make it 0"),
    };
    Err(StoreError::Stale { message, current })
}

async fn insert(
    writing: &mut Writing,
    draft: &Draft,
    prompt: &Prompt,
    parent: Option<&StoredVersion>,
) -> Result<StoredVersion> {
    let assessment = parent.map(|parent| assess(parent, draft)).transpose()?;
    let (impact, impact_reasons) = assessment.map(|it| (it.impact, it.reasons)).unzip();
    let version = StoredVersion {
        number: parent.map_or(1, |parent| parent.number + 1),
        digest: draft.digest.as_str().into(),
        semver: parent.zip(impact).map_or(SemVer::FIRST, |(parent, impact)| parent.semver.next(impact)),
        impact,
        impact_reasons: impact_reasons.unwrap_or_default(),
        parent: parent.map(|parent| parent.number),
        author: draft.who.owner.to_string(),
        commit_message: draft.new.commit_message.clone(),
        created_at: draft.now,
        content: draft.new.content.clone(),
        metadata: draft.new.metadata.clone(),
        examples: draft.new.examples.clone(),
    };
    write(writing, draft, prompt, &version).await?;
    let sql = "UPDATE prompt SET latest = $2, kind = $3, updated_us = $4, revision = $5 WHERE id = $1";
    let kind = PromptKind::of(&version.content).as_str();
    let values = args![prompt.id.to_string(), version.number, kind, draft.now.micros(), writing.revision];
    writing.tx.run(sql, values).await?;
    note(writing, draft, prompt, &version).await?;
    Ok(version)
}

async fn note(writing: &mut Writing, draft: &Draft, prompt: &Prompt, it: &StoredVersion) -> Result<()> {
    let detail = json!({
        "prompt": prompt.name,
        "prompt_id": prompt.id,
        "version": it.number,
        "semver": it.semver,
        "digest": it.digest,
        "impact": it.impact,
        "parent": it.parent,
        "commit_message": it.commit_message,
    });
    let target = format!("{}@{}", prompt.name, it.number);
    let entry = Entry { action: "prompt.version_created", target: &target, detail };
    audit::note(writing, &draft.who, &prompt.project, entry).await
}

async fn write(writing: &mut Writing, draft: &Draft, prompt: &Prompt, it: &StoredVersion) -> Result<()> {
    let sql = "INSERT INTO version (prompt_id, number, digest, major, minor, patch, impact, impact_reasons,
                                    parent, author, commit_message, content, metadata, examples, created_us)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
    let id = prompt.id.to_string();
    let values = args![
        id,
        it.number,
        &*it.digest,
        it.semver.major,
        it.semver.minor,
        it.semver.patch,
        it.impact.map(Impact::as_str),
        to_json(&it.impact_reasons)?,
        it.parent,
        &*it.author,
        it.commit_message.as_deref(),
        &*draft.content,
        &*draft.metadata,
        &*draft.examples,
        it.created_at.micros()
    ];
    writing.tx.run(sql, values).await?;
    Ok(())
}

/// What changed since the parent, raised to what the author says.
fn assess(parent: &StoredVersion, draft: &Draft) -> Result<Assessment> {
    // A parent that a newer build no longer compiles is compared by what it declares.
    let template = Template::compile(&parent.content);
    let variables = template.as_ref().map(Template::variables).unwrap_or_default();
    let before = Interface::of(&parent.content, variables);
    let computed = Assessment::between((&parent.content, &before), (&draft.new.content, &draft.interface));
    match draft.new.impact {
        Some(said) if said < computed.impact => Err(lowered(said, &computed)),
        Some(said) => Ok(computed.raised_to(said)),
        None => Ok(computed),
    }
}

fn lowered(said: Impact, computed: &Assessment) -> StoreError {
    let strongest = computed.reasons.iter().filter(|reason| reason.impact == computed.impact);
    let reasons = strongest.map(|reason| &*reason.reason).collect::<Vec<_>>().join(", ");
    let (said, impact) = (said.as_str(), computed.impact.as_str());
    StoreError::invalid(
        "impact",
        format!(
            "the impact is at least {impact} ({reasons}): `{said}` would lower it; leave `impact` out or raise it"
        ),
    )
}

async fn label(writing: &mut Writing, draft: &Draft, prompt: &Prompt, version: u32) -> Result<()> {
    if prompt.labels.len() + draft.new.labels.len() > LABELS {
        let message = format!("prompt `{}` would have more than {LABELS} labels", prompt.name);
        return Err(StoreError::invalid("labels", message));
    }
    let mut seen = Vec::with_capacity(draft.new.labels.len());
    for label in &draft.new.labels {
        // Where it already stands there is nothing to move and nothing to write down.
        if seen.contains(&label) || prompt.labels.get(label) == Some(&version) {
            continue;
        }
        seen.push(label);
        let note = Note { who: &draft.who, reason: None, now: draft.now };
        place(writing, prompt, (label, version), &note).await?;
    }
    Ok(())
}
