//! Drafts: one working copy to a prompt and owner, changed at will and published as a version.
//!
//! A draft may hold templates that do not compile: it is saved while it is written. It makes no revision of the
//! registry, since no node serves calls by it, and leaves nothing in the audit: it is saved every few words, nobody but
//! its owner reads it, and what becomes of it is noted when it is published.

use std::sync::Arc;

use serde_json::{Map, Value};
use vocab::{Impact, PromptName, Time};

use super::names::check_text;
use super::versions::limits;
use super::{Prompt, PromptKind, catalogue};
use crate::content::Content;
use crate::db::{Result, Row, Tx, args};
use crate::prompts::versions::publish::check_kind;
use crate::roles::{Permission, Who};
use crate::{Registry, StoreError};

/// A working copy of a prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// Whose it is.
    pub owner: String,
    /// The version it was begun from; 0 for none.
    pub parent: u32,
    /// What is to shape calls.
    pub content: Content,
    /// What changed and why, so far.
    pub commit_message: Option<String>,
    /// What the author raises the impact to.
    pub impact: Option<Impact>,
    /// Free facts.
    pub metadata: Map<String, Value>,
    /// Cases to try it with.
    pub examples: Vec<Value>,
    /// When it was begun.
    pub created_at: Time,
    /// When it was last changed.
    pub updated_at: Time,
    /// Grows with every change.
    pub revision: i64,
}

/// A draft to keep.
#[derive(Clone, Debug)]
pub struct NewDraft {
    /// What is to shape calls.
    pub content: Content,
    /// What changed and why, so far.
    pub commit_message: Option<String>,
    /// What the author raises the impact to.
    pub impact: Option<Impact>,
    /// Free facts.
    pub metadata: Map<String, Value>,
    /// Cases to try it with.
    pub examples: Vec<Value>,
    /// The version it was begun from; what the draft already says, or else the highest version, when none.
    pub parent: Option<u32>,
    /// Refuse unless the draft still has this revision.
    pub expected_revision: Option<i64>,
}

impl NewDraft {
    /// A draft of this content and nothing else.
    pub fn of(content: Content) -> Self {
        Self {
            content,
            commit_message: None,
            impact: None,
            metadata: Map::new(),
            examples: Vec::new(),
            parent: None,
            expected_revision: None,
        }
    }
}

struct Keeping {
    project: Arc<str>,
    name: PromptName,
    new: NewDraft,
    content: String,
    metadata: String,
    examples: String,
    who: Who,
    now: Time,
}

struct Discarding {
    project: Arc<str>,
    name: PromptName,
    who: Who,
    expected_revision: Option<i64>,
}

const FIND: &str = "SELECT owner, parent, content, commit_message, impact, metadata, examples, created_us,
                           updated_us, revision
                    FROM draft WHERE prompt_id = $1 AND owner = $2 LIMIT 1";

impl Registry {
    /// Somebody's own draft of a prompt.
    pub async fn find_draft(&self, project: &str, name: &PromptName, who: &Who) -> Result<Option<Draft>> {
        let prompt = self.get_prompt(project, name).await?;
        let values = args![prompt.id.to_string(), &*who.owner];
        self.db().maybe(FIND, values).await?.as_ref().map(read).transpose()
    }

    /// The same, with an error that says what is missing.
    pub async fn get_draft(&self, project: &str, name: &PromptName, who: &Who) -> Result<Draft> {
        self.find_draft(project, name, who).await?.ok_or_else(|| no_draft(name, &who.owner))
    }

    /// Keeps somebody's own draft of a prompt, in place of the one before.
    pub async fn put_draft(
        &self,
        project: &str,
        name: &PromptName,
        new: NewDraft,
        who: &Who,
    ) -> Result<Draft> {
        who.require(Permission::WritePrompts)?;
        if let Some(message) = &new.commit_message {
            check_text("commit_message", message, limits::MESSAGE_BYTES)?;
        }
        let keeping = Keeping {
            project: project.into(),
            name: name.clone(),
            content: limits::json_column("content", &new.content, limits::CONTENT_BYTES)?,
            metadata: limits::json_column("metadata", &new.metadata, limits::METADATA_BYTES)?,
            examples: limits::json_column("examples", &new.examples, limits::EXAMPLES_BYTES)?,
            new,
            who: who.clone(),
            now: self.clock().now(),
        };
        self.chore(keeping, |tx, keeping| Box::pin(keep(tx, keeping))).await
    }

    /// Throws somebody's own draft away.
    pub async fn discard_draft(
        &self,
        project: &str,
        name: &PromptName,
        expected_revision: Option<i64>,
        who: &Who,
    ) -> Result<()> {
        who.require(Permission::WritePrompts)?;
        let it =
            Discarding { project: project.into(), name: name.clone(), who: who.clone(), expected_revision };
        self.chore(it, |tx, it| Box::pin(discard(tx, it))).await
    }
}

async fn keep(tx: &mut Tx, it: &Keeping) -> Result<Draft> {
    let prompt = catalogue::get(tx, &it.project, &it.name).await?;
    may_write(&prompt, &it.who)?;
    prompt.writable()?;
    check_kind(&prompt, PromptKind::of(&it.new.content))?;
    let before = find(tx, &prompt, &it.who.owner).await?;
    expect(&it.name, it.new.expected_revision, before.as_ref())?;
    let latest = prompt.latest.unwrap_or(0);
    let parent = it.new.parent.or(before.as_ref().map(|before| before.parent)).unwrap_or(latest);
    if parent > latest {
        let message = format!("prompt `{}` has no version {parent} to begin from", prompt.name);
        return Err(StoreError::invalid("expected_parent", message));
    }
    // Also where the clock stands, or was set back.
    let revision = before.as_ref().map_or(0, |before| before.revision + 1).max(it.now.micros());
    let expected = before.as_ref().map_or(0, |before| before.revision);
    let draft = Draft {
        owner: it.who.owner.to_string(),
        parent,
        content: it.new.content.clone(),
        commit_message: it.new.commit_message.clone(),
        impact: it.new.impact,
        metadata: it.new.metadata.clone(),
        examples: it.new.examples.clone(),
        created_at: before.map_or(it.now, |before| before.created_at),
        updated_at: it.now,
        revision,
    };
    write(tx, &prompt, &draft, it, expected).await?;
    Ok(draft)
}

/// Writes a draft in place of the revision that was expected: of two who write at once, one is told.
async fn write(tx: &mut Tx, prompt: &Prompt, draft: &Draft, it: &Keeping, expected: i64) -> Result<()> {
    let sql =
        "INSERT INTO draft (prompt_id, owner, parent, content, commit_message, impact, metadata, examples,
                                  created_us, updated_us, revision)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
               ON CONFLICT (prompt_id, owner) DO UPDATE
               SET parent = $3, content = $4, commit_message = $5, impact = $6, metadata = $7, examples = $8,
                   updated_us = $10, revision = $11
               WHERE draft.revision = $12";
    let values = args![
        prompt.id.to_string(),
        &*it.who.owner,
        draft.parent,
        &*it.content,
        draft.commit_message.as_deref(),
        draft.impact.map(Impact::as_str),
        &*it.metadata,
        &*it.examples,
        draft.created_at.micros(),
        draft.updated_at.micros(),
        draft.revision,
        expected
    ];
    if tx.run(sql, values).await? == 1 { Ok(()) } else { Err(changed(&it.name)) }
}

async fn discard(tx: &mut Tx, it: &Discarding) -> Result<()> {
    let prompt = catalogue::get(tx, &it.project, &it.name).await?;
    may_write(&prompt, &it.who)?;
    let owner = &it.who.owner;
    let Some(before) = find(tx, &prompt, owner).await? else {
        return Err(no_draft(&it.name, owner));
    };
    expect(&it.name, it.expected_revision, Some(&before))?;
    take(tx, &prompt, owner, before.revision).await
}

/// Drafts leave nothing in the audit, so they ask here what is asked there of every change.
fn may_write(prompt: &Prompt, who: &Who) -> Result<()> {
    who.reach(&prompt.project)?;
    who.may_change(prompt.name.as_str())
}

/// Takes a draft away; refused when it was changed since it was read.
pub(super) async fn take(tx: &mut Tx, prompt: &Prompt, owner: &str, revision: i64) -> Result<()> {
    let sql = "DELETE FROM draft WHERE prompt_id = $1 AND owner = $2 AND revision = $3";
    if tx.run(sql, args![prompt.id.to_string(), owner, revision]).await? == 1 {
        return Ok(());
    }
    Err(changed(&prompt.name))
}

async fn find(tx: &mut Tx, prompt: &Prompt, owner: &str) -> Result<Option<Draft>> {
    tx.maybe(FIND, args![prompt.id.to_string(), owner]).await?.as_ref().map(read).transpose()
}

fn read(row: &Row) -> Result<Draft> {
    Ok(Draft {
        owner: row.text("owner")?,
        parent: row.number("parent")?,
        content: row.json("content")?,
        commit_message: row.maybe_text("commit_message")?,
        impact: row.maybe_parsed("impact")?,
        metadata: row.json("metadata")?,
        examples: row.json("examples")?,
        created_at: row.time("created_us")?,
        updated_at: row.time("updated_us")?,
        revision: row.int("revision")?,
    })
}

fn expect(name: &PromptName, expected: Option<i64>, before: Option<&Draft>) -> Result<()> {
    match (expected, before) {
        (Some(expected), Some(before)) if before.revision != expected => Err(changed(name)),
        (Some(_), None) => Err(changed(name)),
        (Some(_) | None, Some(_)) | (None, None) => Ok(()),
    }
}

/// Somebody else was faster, most likely another window of the same person.
pub(super) fn changed(name: &PromptName) -> StoreError {
    let message = format!("the draft of prompt `{name}` was changed meanwhile: read it again");
    StoreError::Stale { message, current: None }
}

fn no_draft(name: &PromptName, owner: &str) -> StoreError {
    StoreError::Missing(format!("{owner} has no draft of prompt `{name}`"))
}
