//! Labels: named pointers to a version, moved by compare-and-set, with the history of every move.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use vocab::{LabelName, Page, PromptName, Time};

use super::names::check_text;
use super::{Prompt, catalogue};
use crate::db::{Result, Row, Writing, args};
use crate::paging::Paging;
use crate::roles::{Permission, Who, may_serve};
use crate::{Registry, StoreError};

/// The longest reason, in bytes.
const REASON_BYTES: usize = 2_000;
/// The most labels of a prompt.
pub(super) const LABELS: usize = 100;

/// A label where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Label {
    /// Its name.
    pub label: LabelName,
    /// The version it points at.
    pub version: u32,
    /// Who put it there.
    pub moved_by: String,
    /// When.
    pub moved_at: Time,
}

/// One move in the history of a label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LabelMove {
    /// Grows with every move.
    pub revision: i64,
    /// What was done.
    pub action: LabelAction,
    /// The version it pointed at before.
    pub from: Option<u32>,
    /// The version it points at since; `None` when it was removed.
    pub to: Option<u32>,
    /// Why, in the words of who did it.
    pub reason: Option<String>,
    /// Who.
    pub moved_by: String,
    /// When.
    pub moved_at: Time,
}

/// What was done to a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelAction {
    /// Put on a version.
    Move,
    /// Taken away.
    Remove,
    /// Put back to where it was before.
    Rollback,
}

impl LabelAction {
    /// The word used in JSON and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Move => "move",
            Self::Remove => "remove",
            Self::Rollback => "rollback",
        }
    }

    fn read(text: &str) -> Result<Self> {
        match text {
            "move" => Ok(Self::Move),
            "remove" => Ok(Self::Remove),
            "rollback" => Ok(Self::Rollback),
            _ => Err(StoreError::unreadable("action")),
        }
    }
}

/// Which label to change, and on what condition.
#[derive(Clone, Debug)]
pub struct LabelChange {
    /// The label.
    pub label: LabelName,
    /// Refuse unless it points at this version now; 0 means that it must not be there yet.
    pub expected_version: Option<u32>,
    /// Why, for the history.
    pub reason: Option<String>,
}

impl LabelChange {
    /// A change of this label on no condition.
    pub const fn of(label: LabelName) -> Self {
        Self { label, expected_version: None, reason: None }
    }
}

struct Task {
    project: Arc<str>,
    name: PromptName,
    change: LabelChange,
    version: u32,
    who: Who,
    now: Time,
}

impl Registry {
    /// Points a label at a version. Pointing it where it points already changes nothing.
    pub async fn move_label(
        &self,
        project: &str,
        name: &PromptName,
        version: u32,
        change: LabelChange,
        who: &Who,
    ) -> Result<Label> {
        may_serve(&change.label, Some(version), who)?;
        let task = self.label_task((project, name), version, change, who)?;
        self.write(task, |writing, task| Box::pin(put(writing, task))).await
    }

    /// Takes a label away; its history stays.
    pub async fn remove_label(
        &self,
        project: &str,
        name: &PromptName,
        change: LabelChange,
        who: &Who,
    ) -> Result<()> {
        may_serve(&change.label, None, who)?;
        let task = self.label_task((project, name), 0, change, who)?;
        self.write(task, |writing, task| Box::pin(remove(writing, task))).await
    }

    /// Points a label at the version it served before the present one was placed; again walks further back.
    pub async fn roll_back_label(
        &self,
        project: &str,
        name: &PromptName,
        change: LabelChange,
        who: &Who,
    ) -> Result<Label> {
        who.require(Permission::Release)?;
        let task = self.label_task((project, name), 0, change, who)?;
        self.write(task, |writing, task| Box::pin(roll_back(writing, task))).await
    }

    /// The labels of a prompt by name.
    pub async fn list_labels(&self, project: &str, name: &PromptName) -> Result<Vec<Label>> {
        let prompt = self.get_prompt(project, name).await?;
        let sql = "SELECT label, version, moved_by, moved_us FROM label WHERE prompt_id = $1
                   ORDER BY label LIMIT $2";
        let rows = self.db().all(sql, args![prompt.id.to_string(), LABELS as i64]).await?;
        rows.iter().map(read_label).collect()
    }

    /// The moves of one label, newest first.
    pub async fn label_history(
        &self,
        project: &str,
        name: &PromptName,
        label: &LabelName,
        paging: &Paging,
    ) -> Result<Page<LabelMove>> {
        let prompt = self.get_prompt(project, name).await?;
        let before = paging.after_number()?.unwrap_or(i64::MAX);
        let sql = "SELECT revision, action, from_version, to_version, reason, moved_by, moved_us
                   FROM label_move WHERE prompt_id = $1 AND label = $2 AND revision < $3
                   ORDER BY revision DESC LIMIT $4";
        let values = args![prompt.id.to_string(), label.as_str(), before, paging.rows()];
        let rows = self.db().all(sql, values).await?;
        if rows.is_empty() && paging.cursor.is_none() {
            return Err(no_label(&prompt, label));
        }
        let moves = rows.iter().map(read_move).collect::<Result<Vec<_>>>()?;
        Ok(paging.page(moves, |moved| moved.revision.to_string()))
    }

    fn label_task(
        &self,
        (project, name): (&str, &PromptName),
        version: u32,
        change: LabelChange,
        who: &Who,
    ) -> Result<Task> {
        if let Some(reason) = &change.reason {
            check_text("reason", reason, REASON_BYTES)?;
        }
        let (who, now) = (who.clone(), self.clock().now());
        Ok(Task { project: project.into(), name: name.clone(), change, version, who, now })
    }
}

async fn put(writing: &mut Writing, task: &Task) -> Result<Label> {
    let prompt = catalogue::get(&mut writing.tx, &task.project, &task.name).await?;
    prompt.writable()?;
    let now = standing(writing, &prompt, &task.change.label).await?;
    expect(&prompt, &task.change, now.as_ref())?;
    if let Some(now) = now.filter(|now| now.label.version == task.version) {
        return Ok(now.label);
    }
    let placing = Placing { prompt: &prompt, label: &task.change.label, version: task.version };
    let note = Note { who: &task.who, reason: task.change.reason.as_deref(), now: task.now };
    place(writing, &placing, &note).await
}

async fn remove(writing: &mut Writing, task: &Task) -> Result<()> {
    let prompt = catalogue::get(&mut writing.tx, &task.project, &task.name).await?;
    let label = &task.change.label;
    let Some(now) = standing(writing, &prompt, label).await? else { return Err(no_label(&prompt, label)) };
    expect(&prompt, &task.change, Some(&now))?;
    let sql = "DELETE FROM label WHERE prompt_id = $1 AND label = $2";
    writing.tx.run(sql, args![prompt.id.to_string(), label.as_str()]).await?;
    let note = Note { who: &task.who, reason: task.change.reason.as_deref(), now: task.now };
    let entry =
        Entry { action: LabelAction::Remove, from: Some(now.label.version), to: None, placement: None };
    record(writing, &prompt, label, &entry, &note).await
}

async fn roll_back(writing: &mut Writing, task: &Task) -> Result<Label> {
    let prompt = catalogue::get(&mut writing.tx, &task.project, &task.name).await?;
    prompt.writable()?;
    let label = &task.change.label;
    let Some(now) = standing(writing, &prompt, label).await? else { return Err(no_label(&prompt, label)) };
    expect(&prompt, &task.change, Some(&now))?;
    let from = now.label.version;
    let sql = "SELECT to_version, placement FROM label_move
               WHERE prompt_id = $1 AND label = $2 AND revision < $3 AND to_version <> $4
               ORDER BY revision DESC LIMIT 1";
    let values = args![prompt.id.to_string(), label.as_str(), now.placement, from];
    let Some(earlier) = writing.tx.maybe(sql, values).await? else {
        let name = &prompt.name;
        return Err(StoreError::Conflict(format!(
            "label `{label}` of prompt `{name}` served nothing before version {from}: there is nothing to roll back to"
        )));
    };
    let (to, placement) = (earlier.number("to_version")?, earlier.int("placement")?);
    let note = Note { who: &task.who, reason: task.change.reason.as_deref(), now: task.now };
    let entry =
        Entry { action: LabelAction::Rollback, from: Some(from), to: Some(to), placement: Some(placement) };
    record(writing, &prompt, label, &entry, &note).await?;
    point(writing, &prompt, label, (to, placement), &note).await
}

/// A version that is to answer a label.
pub(super) struct Placing<'a> {
    pub(super) prompt: &'a Prompt,
    pub(super) label: &'a LabelName,
    pub(super) version: u32,
}

/// Who moves a label, why and when.
pub(super) struct Note<'a> {
    pub(super) who: &'a Who,
    pub(super) reason: Option<&'a str>,
    pub(super) now: Time,
}

/// Points a label at a version, which must be there, and writes the history.
pub(super) async fn place(writing: &mut Writing, it: &Placing<'_>, note: &Note<'_>) -> Result<Label> {
    let Placing { prompt, label, version } = *it;
    may_serve(label, Some(version), note.who)?;
    let sql = "SELECT number FROM version WHERE prompt_id = $1 AND number = $2 LIMIT 1";
    if writing.tx.maybe(sql, args![prompt.id.to_string(), version]).await?.is_none() {
        return Err(super::versions::no_version(prompt, &version));
    }
    if prompt.labels.len() >= LABELS && !prompt.labels.contains_key(label) {
        return Err(StoreError::invalid(
            "label",
            format!("prompt `{}` has {LABELS} labels already", prompt.name),
        ));
    }
    let from = standing(writing, prompt, label).await?.map(|now| now.label.version);
    let placement = writing.revision;
    let entry = Entry { action: LabelAction::Move, from, to: Some(version), placement: Some(placement) };
    record(writing, prompt, label, &entry, note).await?;
    point(writing, prompt, label, (version, placement), note).await
}

/// A label where it stands, and where in its history that is.
struct Standing {
    label: Label,
    placement: i64,
}

async fn standing(writing: &mut Writing, prompt: &Prompt, label: &LabelName) -> Result<Option<Standing>> {
    let sql = "SELECT label, version, placement, moved_by, moved_us FROM label
               WHERE prompt_id = $1 AND label = $2 LIMIT 1";
    let row = writing.tx.maybe(sql, args![prompt.id.to_string(), label.as_str()]).await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Standing { label: read_label(&row)?, placement: row.int("placement")? }))
}

/// Refuses when the label does not point where the caller thinks it does.
fn expect(prompt: &Prompt, change: &LabelChange, now: Option<&Standing>) -> Result<()> {
    let Some(expected) = change.expected_version else { return Ok(()) };
    let current = now.map(|now| now.label.version);
    if expected == current.unwrap_or(0) {
        return Ok(());
    }
    let label = &change.label;
    let found: &dyn fmt::Display = match now {
        Some(now) => &format_args!(
            "points at version {}, put there by {} at {}",
            now.label.version, now.label.moved_by, now.label.moved_at
        ),
        None => &"is not there",
    };
    let message = format!(
        "label `{label}` of prompt `{}` {found}, and not at version {expected}: look again before you move it",
        prompt.name
    );
    Err(StoreError::Stale { message, current })
}

struct Entry {
    action: LabelAction,
    from: Option<u32>,
    to: Option<u32>,
    placement: Option<i64>,
}

async fn record(
    writing: &mut Writing,
    prompt: &Prompt,
    label: &LabelName,
    entry: &Entry,
    note: &Note<'_>,
) -> Result<()> {
    let sql = "INSERT INTO label_move (prompt_id, label, revision, action, from_version, to_version,
                                       placement, reason, moved_by, moved_us)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let id = prompt.id.to_string();
    let values = args![
        &*id,
        label.as_str(),
        writing.revision,
        entry.action.as_str(),
        entry.from,
        entry.to,
        entry.placement,
        note.reason,
        &*note.who.owner,
        note.now.micros()
    ];
    writing.tx.run(sql, values).await?;
    let sql = "UPDATE prompt SET revision = $2, updated_us = $3 WHERE id = $1";
    writing.tx.run(sql, args![id, writing.revision, note.now.micros()]).await?;
    Ok(())
}

async fn point(
    writing: &mut Writing,
    prompt: &Prompt,
    label: &LabelName,
    (version, placement): (u32, i64),
    note: &Note<'_>,
) -> Result<Label> {
    let sql = "INSERT INTO label (prompt_id, label, version, placement, moved_by, moved_us)
               VALUES ($1, $2, $3, $4, $5, $6)
               ON CONFLICT (prompt_id, label) DO UPDATE SET version = excluded.version,
                   placement = excluded.placement, moved_by = excluded.moved_by, moved_us = excluded.moved_us
               RETURNING label, version, moved_by, moved_us";
    let id = prompt.id.to_string();
    let (owner, moved_us) = (&*note.who.owner, note.now.micros());
    let values = args![id, label.as_str(), version, placement, owner, moved_us];
    match writing.tx.maybe(sql, values).await? {
        Some(row) => read_label(&row),
        None => Err(StoreError::unreadable("label")),
    }
}

fn read_label(row: &Row) -> Result<Label> {
    Ok(Label {
        label: row.parsed("label")?,
        version: row.number("version")?,
        moved_by: row.text("moved_by")?,
        moved_at: row.time("moved_us")?,
    })
}

fn read_move(row: &Row) -> Result<LabelMove> {
    Ok(LabelMove {
        revision: row.int("revision")?,
        action: LabelAction::read(&row.text("action")?)?,
        from: row.maybe_number("from_version")?,
        to: row.maybe_number("to_version")?,
        reason: row.maybe_text("reason")?,
        moved_by: row.text("moved_by")?,
        moved_at: row.time("moved_us")?,
    })
}

fn no_label(prompt: &Prompt, label: &LabelName) -> StoreError {
    StoreError::Missing(format!("prompt `{}` has no label `{label}`", prompt.name))
}
