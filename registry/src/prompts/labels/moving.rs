//! Moving a label inside a transaction: its condition, its history, and the way back.
//!
//! The history is a list of moves, and in it a path of placements: a move adds a placement to the path, a
//! rollback goes back to the one before, a removal leaves the path as it is. So a rollback after a rollback goes
//! further back, and a move after it does not bring back what was rolled away.

use serde_json::json;
use vocab::{LabelName, Time};

use super::{LABELS, Label, LabelAction, Task, no_label, read_label};
use crate::StoreError;
use crate::assignment::Split;
use crate::audit;
use crate::contract::Contract;
use crate::db::{Result, Writing, args};
use crate::policies::{Ask, Way, may_reach, may_serve};
use crate::prompts::versions::no_version;
use crate::prompts::{Prompt, catalogue, floats};
use crate::roles::{Permission, Who};
use crate::splits::{self, Ending};

pub(super) async fn put(writing: &mut Writing, task: &Task) -> Result<Label> {
    let mut prompt = catalogue::get(&mut writing.tx, &task.project, &task.name).await?;
    task.who.may_change(prompt.name.as_str())?;
    prompt.writable()?;
    let label = &task.change.label;
    let now = standing(writing, &prompt, label).await?;
    let ask = Ask { version: Some(task.version), ..task.ask(&prompt, Way::Put) };
    may_reach(writing, &ask).await?;
    expect(&prompt, task, now.as_ref())?;
    clear(writing, &mut prompt, task).await?;
    match now {
        Some(now) if now.version == task.version => Ok(now),
        _ => place(writing, &prompt, (label, task.version), &task.note(Way::Put)).await,
    }
}

/// Ends what splits the label, if the caller wants it so; refuses otherwise.
async fn clear(writing: &mut Writing, prompt: &mut Prompt, task: &Task) -> Result<()> {
    let label = &task.change.label;
    if !task.change.end {
        return splits::check_free(prompt, label);
    }
    if prompt.splits.contains_key(label) {
        task.who.require(Permission::Release)?;
        splits::end(writing, prompt, label, &task.ending("the label was moved")).await?;
        prompt.splits.remove(label);
    }
    Ok(())
}

pub(super) async fn remove(writing: &mut Writing, task: &Task) -> Result<()> {
    let mut prompt = catalogue::get(&mut writing.tx, &task.project, &task.name).await?;
    task.who.may_change(prompt.name.as_str())?;
    let label = &task.change.label;
    let now = standing(writing, &prompt, label).await?.ok_or_else(|| no_label(&prompt, label))?;
    expect(&prompt, task, Some(&now))?;
    floats::check_removal(writing, &prompt, label).await?;
    may_serve(writing, &task.ask(&prompt, Way::Remove)).await?;
    clear(writing, &mut prompt, task).await?;
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
    record(writing, &prompt, label, &entry, &task.note(Way::Remove)).await
}

pub(super) async fn roll_back(writing: &mut Writing, task: &Task) -> Result<Label> {
    let prompt = catalogue::get(&mut writing.tx, &task.project, &task.name).await?;
    task.who.may_change(prompt.name.as_str())?;
    prompt.writable()?;
    let label = &task.change.label;
    let now = standing(writing, &prompt, label).await?.ok_or_else(|| nothing_below(&prompt, label))?;
    expect(&prompt, task, Some(&now))?;
    may_serve(writing, &task.ask(&prompt, Way::Rollback)).await?;
    let ended = splits::end(writing, &prompt, label, &task.ending("the label was rolled back")).await?;
    if let Some(Split::Ramp(share)) = ended {
        return take_back(writing, &prompt, task, (share.version, now.version)).await;
    }
    let Some(placement) = head(writing, &prompt, label).await?.and_then(|head| head.previous) else {
        if ended.is_some() {
            return Ok(now);
        }
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
    let note = task.note(Way::Rollback);
    record(writing, &prompt, label, &entry, &note).await?;
    point(writing, &prompt, (label, to), &note).await
}

/// There is no label, or nothing but an experiment on it.
fn nothing_below(prompt: &Prompt, label: &LabelName) -> StoreError {
    if !prompt.splits.contains_key(label) {
        return no_label(prompt, label);
    }
    let name = &prompt.name;
    StoreError::Conflict(format!(
        "label `{label}` of prompt `{name}` points at nothing to roll back to, only an experiment serves it: stop that, \
         or put the label on a version with `end: true`"
    ))
}

/// Takes back what a ramp had brought: the label stays where it stood under it.
async fn take_back(
    writing: &mut Writing,
    prompt: &Prompt,
    task: &Task,
    (from, to): (u32, u32),
) -> Result<Label> {
    let label = &task.change.label;
    let head = head(writing, prompt, label).await?.ok_or_else(|| StoreError::unreadable("label_move"))?;
    let entry = Entry {
        action: LabelAction::Rollback,
        from: Some(from),
        to: Some(to),
        placement: head.placement,
        previous: None,
    };
    let note = task.note(Way::Rollback);
    record(writing, prompt, label, &entry, &note).await?;
    point(writing, prompt, (label, to), &note).await
}

/// Who moves a label, in which way, why and when.
pub(crate) struct Note<'a> {
    pub(crate) who: &'a Who,
    pub(crate) way: Way,
    pub(crate) contract: Contract,
    pub(crate) reason: Option<&'a str>,
    pub(crate) now: Time,
}

impl Task {
    fn note(&self, way: Way) -> Note<'_> {
        let reason = self.change.reason.as_deref();
        Note { who: &self.who, way, contract: self.contract, reason, now: self.now }
    }

    /// The question whether the label may be put back or taken away.
    fn ask<'a>(&'a self, prompt: &'a Prompt, way: Way) -> Ask<'a> {
        let (label, who) = (&self.change.label, &self.who);
        Ask { prompt, label, version: None, who, way, contract: self.contract, now: self.now }
    }

    fn ending<'a>(&'a self, why: &'a str) -> Ending<'a> {
        let why = self.change.reason.as_deref().unwrap_or(why);
        Ending { who: &self.who, now: self.now, why }
    }
}

/// Points a label at a version, which must be there, and writes the history.
pub(crate) async fn place(
    writing: &mut Writing,
    prompt: &Prompt,
    (label, version): (&LabelName, u32),
    note: &Note<'_>,
) -> Result<Label> {
    splits::check_free(prompt, label)?;
    let Note { who, way, contract, now, .. } = *note;
    may_serve(writing, &Ask { prompt, label, version: Some(version), who, way, contract, now }).await?;
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

pub(crate) async fn standing(
    writing: &mut Writing,
    prompt: &Prompt,
    label: &LabelName,
) -> Result<Option<Label>> {
    let sql =
        "SELECT label, version, moved_by, moved_us FROM label WHERE prompt_id = $1 AND label = $2 LIMIT 1";
    let row = writing.tx.maybe(sql, args![prompt.id.to_string(), label.as_str()]).await?;
    row.as_ref().map(read_label).transpose()
}

/// Refuses when the label does not point where the caller thinks it does.
fn expect(prompt: &Prompt, task: &Task, now: Option<&Label>) -> Result<()> {
    match task.change.expected_version {
        Some(expected) => stale(prompt, &task.change.label, now, expected),
        None => Ok(()),
    }
}

/// Refuses when a label does not point at the version that was expected; 0 stands for none.
pub(crate) fn stale(prompt: &Prompt, label: &LabelName, now: Option<&Label>, expected: u32) -> Result<()> {
    let current = now.map(|now| now.version);
    if expected == current.unwrap_or(0) {
        return Ok(());
    }
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
    let name = &prompt.name;
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
    floats::check_move(writing, prompt, (label, version), note).await?;
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
