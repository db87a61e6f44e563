//! Creating, changing and archiving prompts.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use vocab::{Id, LabelName, PromptName, Time};

use super::aliases::{check_claims, check_meanings, leave_alias};
use super::labels::Labels;
use super::{NewPrompt, Prompt, PromptChange, catalogue, names};
use crate::audit::{self, Entry};
use crate::db::{Result, Tx, Writing, args, to_json};
use crate::projects::check_open;
use crate::roles::{Permission, Who};
use crate::{Registry, StoreError};

/// A prompt to create, and by whom.
pub(super) struct Creation {
    pub(super) project: Arc<str>,
    pub(super) new: NewPrompt,
    pub(super) who: Who,
    pub(super) now: Time,
}

struct Update {
    project: Arc<str>,
    name: PromptName,
    change: PromptChange,
    who: Who,
    now: Time,
}

impl Registry {
    /// Creates a prompt without versions.
    pub async fn create_prompt(&self, project: &str, new: NewPrompt, who: &Who) -> Result<Prompt> {
        who.require(Permission::WritePrompts)?;
        let creation = Creation { project: project.into(), new, who: who.clone(), now: self.clock().now() };
        self.write(creation, |writing, it| Box::pin(create(writing, it))).await
    }

    /// Changes what is known of a prompt. A new name leaves the old one behind as an alias.
    pub async fn update_prompt(
        &self,
        project: &str,
        name: &PromptName,
        change: PromptChange,
        who: &Who,
    ) -> Result<Prompt> {
        who.require(Permission::WritePrompts)?;
        let now = self.clock().now();
        let update = Update { project: project.into(), name: name.clone(), change, who: who.clone(), now };
        self.write(update, |writing, update| Box::pin(apply(writing, update))).await
    }

    /// Archives a prompt: it stops serving, its versions stay. Only a prompt without labels can be archived.
    pub async fn archive_prompt(&self, project: &str, name: &PromptName, who: &Who) -> Result<Prompt> {
        let change = PromptChange { archived: Some(true), ..PromptChange::default() };
        self.update_prompt(project, name, change, who).await
    }
}

/// Inserts a prompt and claims its names.
pub(super) async fn create(writing: &mut Writing, it: &Creation) -> Result<Prompt> {
    let Creation { project, new, who, now } = it;
    let tx = &mut writing.tx;
    check_open(tx, project).await?;
    names::check_description(&new.description)?;
    check_claims(who, &[], &new.aliases)?;
    let prompt = Prompt {
        id: Id::at(*now),
        project: Arc::clone(project),
        name: new.name.clone(),
        kind: None,
        description: new.description.clone(),
        tags: names::check_tags(&new.tags)?,
        aliases: new.aliases.clone(),
        labels: Labels::default(),
        splits: BTreeMap::new(),
        latest: None,
        created_at: *now,
        updated_at: *now,
        archived_at: None,
        revision: writing.revision,
    };
    let sql = "INSERT INTO prompt (id, project, name, kind, description, tags, aliases, latest,
                                   created_us, updated_us, archived_us, revision)
               VALUES ($1, $2, $3, $4, '', '[]', '[]', 0, $5, $5, $6, $7)
               ON CONFLICT (project, name) DO NOTHING";
    let id = prompt.id.to_string();
    let name = prompt.name.as_str();
    let values = args![id, &**project, name, None::<&str>, now.micros(), None::<i64>, prompt.revision];
    tx.run(sql, values).await?;
    check_meanings(writing, &prompt, &[], (who, *now)).await?;
    describe(&mut writing.tx, &prompt).await?;
    note(writing, who, &prompt, ("prompt.created", described(&prompt))).await?;
    Ok(prompt)
}

async fn apply(writing: &mut Writing, update: &Update) -> Result<Prompt> {
    let tx = &mut writing.tx;
    let before = catalogue::get(tx, &update.project, &update.name).await?;
    let change = &update.change;
    // Where it goes is judged with the entry of the change; this is where it comes from.
    update.who.may_change(before.name.as_str())?;
    if change.expected_revision.is_some_and(|expected| expected != before.revision) {
        let message = format!("prompt `{}` was changed meanwhile: read it again", before.name);
        return Err(StoreError::Stale { message, current: before.latest });
    }
    if change.archived != Some(false) && !(change.archived == Some(true) && before.is_archived()) {
        before.writable()?;
    }
    let mut after = changed(&before, change)?;
    check_claims(&update.who, &before.aliases, &after.aliases)?;
    after.archived_at = archived_at(&before, change.archived, update.now)?;
    after.updated_at = update.now;
    after.revision = writing.revision;
    check_meanings(writing, &after, &before.aliases, (&update.who, update.now)).await?;
    describe(&mut writing.tx, &after).await?;
    let changes = audit::changes(&described(&before), &described(&after));
    let detail = json!({"prompt": after.name, "prompt_id": after.id, "changes": changes});
    note(writing, &update.who, &after, (deed(&before, &after), detail)).await?;
    Ok(after)
}

/// The one word for a change that may be several: what matters most to those who call the prompt.
fn deed(before: &Prompt, after: &Prompt) -> &'static str {
    match (before.is_archived(), after.is_archived()) {
        (false, true) => "prompt.archived",
        (true, false) => "prompt.restored",
        _ if before.name != after.name => "prompt.renamed",
        _ => "prompt.changed",
    }
}

/// What the audit keeps of a prompt.
fn described(prompt: &Prompt) -> Value {
    json!({
        "prompt": prompt.name,
        "prompt_id": prompt.id,
        "description": prompt.description,
        "tags": prompt.tags,
        "aliases": prompt.aliases,
        "archived": prompt.is_archived(),
    })
}

async fn note(
    writing: &mut Writing,
    who: &Who,
    prompt: &Prompt,
    (action, detail): (&'static str, Value),
) -> Result<()> {
    audit::note(writing, who, &prompt.project, Entry { action, target: prompt.name.as_str(), detail }).await
}

/// The prompt with its new name, description, tags and aliases.
fn changed(before: &Prompt, change: &PromptChange) -> Result<Prompt> {
    let mut after = before.clone();
    if let Some(description) = &change.description {
        names::check_description(description)?;
        after.description.clone_from(description);
    }
    if let Some(tags) = &change.tags {
        after.tags = names::check_tags(tags)?;
    }
    if let Some(aliases) = &change.aliases {
        after.aliases.clone_from(aliases);
    }
    if let Some(name) = change.name.as_ref().filter(|name| **name != before.name) {
        after.name = name.clone();
        leave_alias(&mut after, &before.name)?;
    }
    Ok(after)
}

fn archived_at(before: &Prompt, archived: Option<bool>, now: Time) -> Result<Option<Time>> {
    match archived {
        None => Ok(before.archived_at),
        Some(false) => Ok(None),
        Some(true) if before.labels.is_empty() && before.splits.is_empty() => {
            Ok(before.archived_at.or(Some(now)))
        }
        Some(true) => {
            let named = |labels: Vec<&LabelName>| {
                labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ")
            };
            let name = &before.name;
            Err(StoreError::Conflict(if before.labels.is_empty() {
                let labels = named(before.splits.keys().collect());
                format!("prompt `{name}` still has an experiment on {labels}: stop it first")
            } else {
                let labels = named(before.labels.keys().collect());
                format!("prompt `{name}` still has labels: remove {labels} first")
            }))
        }
    }
}

/// Writes what describes a prompt, and claims exactly the names it has now.
async fn describe(tx: &mut Tx, prompt: &Prompt) -> Result<()> {
    let claimed = names::check_aliases(&prompt.name, &prompt.aliases)?;
    names::release_all(tx, prompt).await?;
    names::claim(tx, prompt, &prompt.name).await?;
    for alias in &claimed {
        names::claim(tx, prompt, alias).await?;
    }
    let sql = "UPDATE prompt SET name = $2, description = $3, tags = $4, aliases = $5, updated_us = $6,
                                 archived_us = $7, revision = $8
               WHERE id = $1";
    let id = prompt.id.to_string();
    let (tags, aliases) = (to_json(&prompt.tags)?, to_json(&prompt.aliases)?);
    let archived_us = prompt.archived_at.map(Time::micros);
    let updated_us = prompt.updated_at.micros();
    let values = args![
        &*id,
        prompt.name.as_str(),
        &*prompt.description,
        tags,
        aliases,
        updated_us,
        archived_us,
        prompt.revision
    ];
    tx.run(sql, values).await?;
    retag(tx, &id, &prompt.tags).await
}

async fn retag(tx: &mut Tx, id: &str, tags: &[String]) -> Result<()> {
    tx.run("DELETE FROM prompt_tag WHERE prompt_id = $1", args![id]).await?;
    for tag in tags {
        let sql = "INSERT INTO prompt_tag (prompt_id, tag) VALUES ($1, $2)";
        tx.run(sql, args![id, &**tag]).await?;
    }
    Ok(())
}
