//! Experiments as they are stored: one row for each label of a prompt that ever had one.

use vocab::{LabelName, Time};

use super::{Experiment, ExperimentState};
use crate::StoreError;
use crate::db::{Result, Row, Writing, args, to_json};
use crate::prompts::Prompt;

/// The most experiments of a prompt, removed ones too.
pub(super) const EXPERIMENTS: i64 = 200;

/// The columns [`read`] reads, from `experiment e` and its prompt `p`.
macro_rules! select {
    () => {
        "SELECT p.name AS prompt, e.label, e.name, e.unit, e.arms, e.exclude, e.state, e.starts, e.started_us, \
         e.stopped_us, e.created_by, e.created_us, e.updated_by, e.updated_us, e.revision \
         FROM experiment e JOIN prompt p ON p.id = e.prompt_id "
    };
}

pub(super) const FIND: &str = concat!(select!(), "WHERE e.prompt_id = $1 AND e.label = $2 LIMIT 1");
pub(super) const LIST: &str =
    concat!(select!(), "WHERE e.prompt_id = $1 AND e.state <> 'removed' ORDER BY e.label LIMIT $2");

/// A state an experiment is left in.
pub(super) struct Mark<'a> {
    pub(super) state: &'static str,
    pub(super) by: &'a str,
    pub(super) now: Time,
}

pub(super) async fn mark(
    writing: &mut Writing,
    prompt: &Prompt,
    label: &LabelName,
    mark: &Mark<'_>,
) -> Result<()> {
    let sql = "UPDATE experiment SET state = $3, stopped_us = COALESCE(stopped_us, $4), updated_by = $5,
                                     updated_us = $4, revision = $6
               WHERE prompt_id = $1 AND label = $2";
    let id = prompt.id.to_string();
    let values = args![id, label.as_str(), mark.state, mark.now.micros(), mark.by, writing.revision];
    writing.tx.run(sql, values).await?;
    Ok(())
}

pub(super) async fn check_room(writing: &mut Writing, prompt: &Prompt) -> Result<()> {
    let sql = "SELECT COUNT(*) AS experiments FROM experiment WHERE prompt_id = $1 LIMIT 1";
    let row = writing.tx.maybe(sql, args![prompt.id.to_string()]).await?;
    if row.map(|row| row.int("experiments")).transpose()?.unwrap_or_default() < EXPERIMENTS {
        return Ok(());
    }
    let message =
        format!("prompt `{}` has had experiments on {EXPERIMENTS} labels: use one of those", prompt.name);
    Err(StoreError::Conflict(message))
}

pub(super) async fn store(writing: &mut Writing, prompt: &Prompt, it: &Experiment) -> Result<()> {
    let sql = "INSERT INTO experiment (prompt_id, label, name, unit, arms, exclude, state, starts, started_us,
                                       stopped_us, created_by, created_us, updated_by, updated_us, revision)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
               ON CONFLICT (prompt_id, label) DO UPDATE SET name = excluded.name, unit = excluded.unit,
                   arms = excluded.arms, exclude = excluded.exclude, state = excluded.state,
                   starts = excluded.starts, started_us = excluded.started_us, stopped_us = excluded.stopped_us,
                   created_by = excluded.created_by, created_us = excluded.created_us,
                   updated_by = excluded.updated_by, updated_us = excluded.updated_us, revision = excluded.revision";
    let values = args![
        prompt.id.to_string(),
        it.label.as_str(),
        &*it.name,
        it.unit.to_string(),
        to_json(&it.arms)?,
        to_json(&it.exclude)?,
        it.state.as_str(),
        it.starts,
        it.started_at.map(Time::micros),
        it.stopped_at.map(Time::micros),
        &*it.created_by,
        it.created_at.micros(),
        &*it.updated_by,
        it.updated_at.micros(),
        writing.revision
    ];
    writing.tx.run(sql, values).await?;
    Ok(())
}

/// Reads an experiment; `None` for one that was removed.
pub(super) fn read(row: &Row) -> Result<Option<Experiment>> {
    let state = match &*row.text("state")? {
        "running" => ExperimentState::Running,
        "stopped" => ExperimentState::Stopped,
        "removed" => return Ok(None),
        _ => return Err(StoreError::unreadable("state")),
    };
    Ok(Some(Experiment {
        prompt: row.parsed("prompt")?,
        label: row.parsed("label")?,
        name: row.text("name")?,
        unit: row.parsed("unit")?,
        arms: row.json("arms")?,
        exclude: row.json("exclude")?,
        state,
        starts: row.number("starts")?,
        started_at: row.maybe_time("started_us")?,
        stopped_at: row.maybe_time("stopped_us")?,
        created_by: row.text("created_by")?,
        created_at: row.time("created_us")?,
        updated_by: row.text("updated_by")?,
        updated_at: row.time("updated_us")?,
        revision: row.int("revision")?,
    }))
}
