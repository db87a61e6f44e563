//! How releases are kept: one row each, with their history as JSON in it.

use vocab::{Id, LabelName, Page, Time};

use super::{Release, ReleaseAction, ReleaseEvent, ReleaseFilter, no_release};
use crate::db::{Db, Result, Row, Writing, args, to_json};
use crate::paging::Paging;
use crate::prompts::Prompt;

/// The most entries of a history. Beyond it, pauses and resumptions are forgotten, oldest first.
const HISTORY: usize = 500;
/// How many of a version's newest releases are looked at for an approval.
const LOOKED_AT: i64 = 100;
/// How many ramps are looked for at once.
const DUE: i64 = 100;

/// The columns [`read`] reads, from `release r` with its prompt `p` and its version `v`.
macro_rules! select {
    () => {
        "SELECT r.id, r.project, p.name AS prompt, r.label, r.version, v.author, r.from_version, r.state, r.note, \
         r.ramp, r.percent, r.due_us, r.proposed_by, r.proposed_us, r.history, r.revision FROM release r \
         JOIN prompt p ON p.id = r.prompt_id \
         JOIN version v ON v.prompt_id = r.prompt_id AND v.number = r.version "
    };
}

const BY_ID: &str = concat!(select!(), "WHERE r.id = $1 AND r.project = $2 LIMIT 1");
const PAGE: &str = concat!(
    select!(),
    "WHERE r.project = $1 AND r.id < $2 AND ($3 IS NULL OR r.state = $3) AND ($4 IS NULL OR r.prompt_id = $4) \
     AND ($5 IS NULL OR r.label = $5) ORDER BY r.id DESC LIMIT $6"
);
const OF_VERSION: &str = concat!(
    select!(),
    "WHERE r.prompt_id = $1 AND r.label = $2 AND r.version = $3 ORDER BY r.id DESC LIMIT $4"
);

impl Release {
    /// Puts down what was done.
    pub(super) fn tell(&mut self, action: ReleaseAction, by: &str, at: Time, note: Option<&str>) {
        let forgettable =
            |event: &ReleaseEvent| matches!(event.action, ReleaseAction::Paused | ReleaseAction::Resumed);
        if self.history.len() >= HISTORY
            && let Some(oldest) = self.history.iter().position(forgettable)
        {
            self.history.remove(oldest);
        }
        let note = note.filter(|note| !note.is_empty()).map(str::to_owned);
        self.history.push(ReleaseEvent { action, by: by.to_owned(), at, note, percent: self.percent });
    }
}

pub(super) async fn find(db: &Db, project: &str, id: Id<vocab::id::Release>) -> Result<Option<Release>> {
    db.maybe(BY_ID, args![id.to_string(), project]).await?.as_ref().map(read).transpose()
}

/// The same inside a transaction, or an error.
pub(super) async fn get(writing: &mut Writing, project: &str, id: Id<vocab::id::Release>) -> Result<Release> {
    let row = writing.tx.maybe(BY_ID, args![id.to_string(), project]).await?;
    row.as_ref().map(read).transpose()?.ok_or_else(|| no_release(id))
}

pub(super) async fn list(
    db: &Db,
    project: &str,
    (prompt, filter): (Option<Id<vocab::id::Prompt>>, &ReleaseFilter),
    paging: &Paging,
) -> Result<Page<Release>> {
    // `g` follows every hex digit: a bound above every id.
    let before = paging.after()?.unwrap_or_else(|| "g".to_owned());
    let state = filter.state.map(super::ReleaseState::as_str);
    let label = filter.label.as_ref().map(LabelName::as_str);
    let values = args![project, before, state, prompt.map(|id| id.to_string()), label, paging.rows()];
    let rows = db.all(PAGE, values).await?;
    let releases = rows.iter().map(read).collect::<Result<Vec<_>>>()?;
    Ok(paging.page(releases, |release| release.id.to_string()))
}

pub(super) async fn of_version(
    writing: &mut Writing,
    prompt: &Prompt,
    label: &LabelName,
    version: u32,
) -> Result<Vec<Release>> {
    let values = args![prompt.id.to_string(), label.as_str(), version, LOOKED_AT];
    writing.tx.all(OF_VERSION, values).await?.iter().map(read).collect()
}

/// The ramps whose next step is due, with their projects.
pub(super) async fn due(db: &Db, now: Time) -> Result<Vec<(String, Id<vocab::id::Release>)>> {
    let sql = "SELECT id, project FROM release WHERE state = 'ramping' AND due_us <= $1
               ORDER BY due_us, id LIMIT $2";
    let rows = db.all(sql, args![now.micros(), DUE]).await?;
    rows.iter().map(|row| Ok((row.text("project")?, row.parsed("id")?))).collect()
}

pub(super) async fn insert(writing: &mut Writing, prompt: &Prompt, release: &Release) -> Result<()> {
    let sql = "INSERT INTO release (id, project, prompt_id, label, version, from_version, state, note, ramp, percent,
                                    due_us, proposed_by, proposed_us, history, revision)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
    let values = args![
        release.id.to_string(),
        &*release.project,
        prompt.id.to_string(),
        release.label.as_str(),
        release.version,
        release.from_version,
        release.state.as_str(),
        release.note.as_deref(),
        release.ramp.as_ref().map(to_json).transpose()?,
        release.percent,
        release.next_at.map(Time::micros),
        &*release.proposed_by,
        release.proposed_at.micros(),
        to_json(&release.history)?,
        writing.revision
    ];
    writing.tx.run(sql, values).await?;
    Ok(())
}

/// Writes what a release has become.
pub(super) async fn update(writing: &mut Writing, release: &mut Release) -> Result<()> {
    release.revision = writing.revision;
    let sql =
        "UPDATE release SET state = $2, percent = $3, due_us = $4, history = $5, revision = $6 WHERE id = $1";
    let values = args![
        release.id.to_string(),
        release.state.as_str(),
        release.percent,
        release.next_at.map(Time::micros),
        to_json(&release.history)?,
        writing.revision
    ];
    writing.tx.run(sql, values).await?;
    Ok(())
}

fn read(row: &Row) -> Result<Release> {
    Ok(Release {
        id: row.parsed("id")?,
        project: row.text("project")?.into(),
        prompt: row.parsed("prompt")?,
        label: row.parsed("label")?,
        version: row.number("version")?,
        author: row.text("author")?,
        from_version: row.maybe_number("from_version")?,
        state: row.parsed("state")?,
        note: row.maybe_text("note")?,
        ramp: row.maybe_json("ramp")?,
        percent: row.number("percent")?,
        next_at: row.maybe_time("due_us")?,
        proposed_by: row.text("proposed_by")?,
        proposed_at: row.time("proposed_us")?,
        history: row.json("history")?,
        revision: row.int("revision")?,
    })
}
