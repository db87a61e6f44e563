//! Moving a label inside a transaction: its condition, its history, and the way back.
//!
//! The history is a list of moves, and in it a path of placements: a move adds a placement to the path, a
//! rollback goes back to the one before, a removal leaves the path as it is. So a rollback after a rollback goes
//! further back, and a move after it does not bring back what was rolled away.

use serde_json::json;
use vocab::{LabelName, Time};

use super::{LABELS, Label, LabelAction, Task, no_label, read_label};
use crate::StoreError;
use crate::audit;
use crate::db::{Result, Writing, args};
use crate::prompts::versions::no_version;
use crate::prompts::{Prompt, catalogue, floats};
use crate::roles::{Who, may_serve};

pub(super) async fn put(writing: &mut Writing, task: &Task) -> Result<Label> {
    let prompt = catalogue::get(&mut writing.tx, &task.project, &task.name).await?;
    task.who.may_change(prompt.name.as_str())?;
    prompt.writable()?;
    let now = standing(writing, &prompt, &task.change.label).await?;
    expect(&prompt, task, now.as_ref())?;
    match now {
        Some(now) if now.version == task.version => Ok(now),
        _ => place(writing, &prompt, (&task.change.label, task.version), &task.note()).await,
    }
}

pub(super) async fn remove(writing: &mut Writing, task: &Task) -> Result<()> {
    let prompt = catalogue::get(&mut writing.tx, &task.project, &task.name).await?;
    task.who.may_change(prompt.name.as_str())?;
    let label = &task.change.label;
    let now = standing(writing, &prompt, label).await?.ok_or_else(|| no_label(&prompt, label))?;
    expect(&prompt, task, Some(&now))?;
    floats::check_removal(writing, &prompt, label).await?;
    let sql = "DELETE FROM label WHERE prompt_id = $1 AND label = $2";
    writing.tx.run(sql, args![prompt.id.to_string(), label.as_str()]).await?;
    let head = head(writing, &prompt, label).await?.ok_or_else(|| StoreError::unreadable("label_move"))?;
    let entry = Entry {
        action: LabelAction::Remove,
        from: Some(now.version),
        to: None,
        placement: head.placement,
        previous: None,
    };
    record(writing, &prompt, label, &entry, &task.note()).await
}

pub(super) async fn roll_back(writing: &mut Writing, task: &Task) -> Result<Label> {
    let prompt = catalogue::get(&mut writing.tx, &task.project, &task.name).await?;
    task.who.may_change(prompt.name.as_str())?;
    prompt.writable()?;
    let label = &task.change.label;
    let now = standing(writing, &prompt, label).await?.ok_or_else(|| no_label(&prompt, label))?;
    expect(&prompt, task, Some(&now))?;
    let Some(placement) = head(writing, &prompt, label).await?.and_then(|head| head.previous) else {
        return Err(StoreError::Conflict(format!(
            "label `{label}` of prompt `{}` served nothing before version {}: there is nothing to roll back to",
            prompt.name, now.version
        )));
    };
    let sql =
        "SELECT to_version FROM label_move WHERE prompt_id = $1 AND label = $2 AND revision = $3 LIMIT 1";
    let earlier = writing.tx.maybe(sql, args![prompt.id.to_string(), label.as_str(), placement]).await?;
    let to = earlier.ok_or_else(|| StoreError::unreadable("label_move"))?.number("to_version")?;
    let entry = Entry {
        action: LabelAction::Rollback,
        from: Some(now.version),
        to: Some(to),
        placement,
        previous: None,
    };
    record(writing, &prompt, label, &entry, &task.note()).await?;
    point(writing, &prompt, (label, to), &task.note()).await
}

/// Who moves a label, why and when.
pub(in crate::prompts) struct Note<'a> {
    pub(in crate::prompts) who: &'a Who,
    pub(in crate::prompts) reason: Option<&'a str>,
    pub(in crate::prompts) now: Time,
}

impl Task {
    fn note(&self) -> Note<'_> {
        Note { who: &self.who, reason: self.change.reason.as_deref(), now: self.now }
    }
}

/// Points a label at a version, which must be there, and writes the history.
pub(in crate::prompts) async fn place(
    writing: &mut Writing,
    prompt: &Prompt,
    (label, version): (&LabelName, u32),
    note: &Note<'_>,
) -> Result<Label> {
    may_serve(label, Some(version), note.who)?;
    let sql = "SELECT number FROM version WHERE prompt_id = $1 AND number = $2 LIMIT 1";
    if writing.tx.maybe(sql, args![prompt.id.to_string(), version]).await?.is_none() {
        return Err(no_version(prompt, &version));
    }
    if prompt.labels.len() >= LABELS && !prompt.labels.contains_key(label) {
        let message = format!("prompt `{}` has {LABELS} labels already: remove one first", prompt.name);
        return Err(StoreError::invalid("label", message));
    }
    let head = head(writing, prompt, label).await?;
    let previous = head.and_then(|head| {
        // Put back on the version it was removed from, a label rolls back to what was before both.
        if head.version == version { head.previous } else { Some(head.placement) }
    });
    let from = prompt.labels.get(label).copied();
    let placement = writing.revision;
    let entry = Entry { action: LabelAction::Move, from, to: Some(version), placement, previous };
    record(writing, prompt, label, &entry, note).await?;
    point(writing, prompt, (label, version), note).await
}

/// The end of the path of placements.
struct Head {
    placement: i64,
    version: u32,
    previous: Option<i64>,
}

async fn head(writing: &mut Writing, prompt: &Prompt, label: &LabelName) -> Result<Option<Head>> {
    let sql = "SELECT h.revision, h.to_version, h.previous
               FROM label_move m
               JOIN label_move h ON h.prompt_id = m.prompt_id AND h.label = m.label AND h.revision = m.placement
               WHERE m.prompt_id = $1 AND m.label = $2 ORDER BY m.revision DESC LIMIT 1";
    let row = writing.tx.maybe(sql, args![prompt.id.to_string(), label.as_str()]).await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Head {
        placement: row.int("revision")?,
        version: row.number("to_version")?,
        previous: row.maybe_int("previous")?,
    }))
}

async fn standing(writing: &mut Writing, prompt: &Prompt, label: &LabelName) -> Result<Option<Label>> {
    let sql =
        "SELECT label, version, moved_by, moved_us FROM label WHERE prompt_id = $1 AND label = $2 LIMIT 1";
    let row = writing.tx.maybe(sql, args![prompt.id.to_string(), label.as_str()]).await?;
    row.as_ref().map(read_label).transpose()
}

/// Refuses when the label does not point where the caller thinks it does.
fn expect(prompt: &Prompt, task: &Task, now: Option<&Label>) -> Result<()> {
    let current = now.map(|now| now.version);
    let expected = task.change.expected_version;
    let Some(expected) = expected.filter(|expected| *expected != current.unwrap_or(0)) else { return Ok(()) };
    let found = match now {
        Some(now) => {
            format!("points at version {}, put there by {} at {}", now.version, now.moved_by, now.moved_at)
        }
        None => "is not there".to_owned(),
    };
    let wanted = match expected {
        0 => "and was expected not to be there".to_owned(),
        version => format!("and was expected at version {version}"),
    };
    let (label, name) = (&task.change.label, &prompt.name);
    let message =
        format!("label `{label}` of prompt `{name}` {found}, {wanted}: look again before you change it");
    Err(StoreError::Stale { message, current })
}

/// One line of the history.
struct Entry {
    action: LabelAction,
    from: Option<u32>,
    to: Option<u32>,
    placement: i64,
    previous: Option<i64>,
}

async fn record(
    writing: &mut Writing,
    prompt: &Prompt,
    label: &LabelName,
    entry: &Entry,
    note: &Note<'_>,
) -> Result<()> {
    let sql = "INSERT INTO label_move (prompt_id, label, revision, action, from_version, to_version,
                                       placement, previous, reason, moved_by, moved_us)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    let id = prompt.id.to_string();
    let values = args![
        &*id,
        label.as_str(),
        writing.revision,
        entry.action.as_str(),
        entry.from,
        entry.to,
        entry.placement,
        entry.previous,
        note.reason,
        &*note.who.owner,
        note.now.micros()
    ];
    writing.tx.run(sql, values).await?;
    let sql = "UPDATE prompt SET revision = $2, updated_us = $3 WHERE id = $1";
    writing.tx.run(sql, args![id, writing.revision, note.now.micros()]).await?;
    let detail = json!({
        "prompt": prompt.name,
        "prompt_id": prompt.id,
        "label": label,
        "action": entry.action,
        "from": entry.from,
        "to": entry.to,
        "reason": note.reason,
    });
    let target = format!("{}@{label}", prompt.name);
    let entry = audit::Entry { action: "label.moved", target: &target, detail };
    audit::note(writing, note.who, &prompt.project, entry).await
}

async fn point(
    writing: &mut Writing,
    prompt: &Prompt,
    (label, version): (&LabelName, u32),
    note: &Note<'_>,
) -> Result<Label> {
    floats::check_move(writing, prompt, (label, version), note.who).await?;
    let sql = "INSERT INTO label (prompt_id, label, version, moved_by, moved_us) VALUES ($1, $2, $3, $4, $5)
               ON CONFLICT (prompt_id, label) DO UPDATE SET version = excluded.version,
                   moved_by = excluded.moved_by, moved_us = excluded.moved_us
               RETURNING label, version, moved_by, moved_us";
    let (owner, moved_us) = (&*note.who.owner, note.now.micros());
    let values = args![prompt.id.to_string(), label.as_str(), version, owner, moved_us];
    match writing.tx.maybe(sql, values).await? {
        Some(row) => read_label(&row),
        None => Err(StoreError::unreadable("label")),
    }
}
