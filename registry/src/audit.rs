//! Who changed what, when: one entry for each change, written in the transaction of the change and never changed again.
//!
//! Entries form one chain over all projects: each carries the hash of the one before it, so that whoever edits, removes
//! or reorders one leaves a trace ([`chain`]). [`note`] is the one way to write an entry, and whatever is an event for
//! webhooks is queued by it too: there is no change without its entry and no event without its change.

pub mod chain;
mod event;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use vocab::{Page, Time};

use crate::db::{Result, Row, Tx, Writing, args, to_json};
use crate::paging::Paging;
use crate::prompts::names::check_text;
use crate::roles::Who;
use crate::webhooks::deliveries::{Addressed, enqueue};
use crate::{Registry, StoreError, canonical};

pub use chain::{Finding, Verdict, Verifier};

/// The project of what belongs to none.
pub const NO_PROJECT: &str = "";
/// The hash that the first entry names as the one before it.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// Families of actions whose targets begin with a prompt's name, up to an `@`.
const OF_PROMPTS: [&str; 5] = ["prompt", "label", "draft", "release", "experiment"];
/// The longest name, action or target that is looked for, in bytes.
const WORD_BYTES: usize = 1_000;

/// A change, to be noted.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    /// What was done: `prompt.version_created`.
    pub(crate) action: &'static str,
    /// To what: `support/reply@7`.
    pub(crate) target: &'a str,
    /// From what, to what, why: an object. Never secrets.
    pub(crate) detail: Value,
}

/// A change, as it is kept. The hash is over everything else in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditEntry {
    /// Counts from 1 without gaps, over all projects.
    pub number: i64,
    /// When.
    pub at: Time,
    /// The project it belongs to; `None` for what belongs to no project.
    pub project: Option<String>,
    /// Who answers for it: the owner of the token.
    pub who: String,
    /// The token's role.
    pub role: String,
    /// The token; `None` for what the gateway did by itself.
    pub token: Option<String>,
    /// What was done.
    pub action: String,
    /// To what.
    pub target: String,
    /// From what, to what, why.
    pub detail: Value,
    /// The hash of the entry before.
    pub previous: String,
    /// SHA-256 of the canonical JSON of all of the above.
    pub hash: String,
}

impl AuditEntry {
    /// The hash it should have.
    pub fn digest(&self) -> String {
        canonical::digest(&json!({
            "number": self.number,
            "at": self.at,
            "project": self.project,
            "who": self.who,
            "role": self.role,
            "token": self.token,
            "action": self.action,
            "target": self.target,
            "detail": self.detail,
            "previous": self.previous,
        }))
    }
}

/// Where the chain ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditHead {
    /// The number of the last entry; 0 before the first.
    pub number: i64,
    /// Its hash.
    pub hash: String,
}

/// Which entries to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Those of one project; with `None` all, those of no project too.
    pub project: Option<Arc<str>>,
    /// Those this owner answers for.
    pub who: Option<String>,
    /// Those of an action, `label.moved`, or of a family, `label.*`.
    pub action: Option<String>,
    /// Those about a target, `support/reply@7`, or about all that begin so, `support/*`.
    pub target: Option<String>,
    /// The earliest, itself included.
    pub from: Option<Time>,
    /// The latest, itself excluded.
    pub to: Option<Time>,
}

/// Something done outside the registry that belongs in its audit.
#[derive(Clone, Debug)]
pub struct Deed {
    /// What was done.
    pub action: &'static str,
    /// To what.
    pub target: String,
    /// What is known of it: an object. Never secrets.
    pub detail: Value,
}

/// The columns [`read`] reads.
macro_rules! columns {
    () => {
        "number, at_us, project, who, role, token_id, action, target, detail, previous, hash"
    };
}

/// What [`AuditFilter`] asks for, as `$3` and on.
macro_rules! matching {
    () => {
        "($3 IS NULL OR project = $3) AND ($4 IS NULL OR who = $4) \
         AND ($5 IS NULL OR action = $5) AND ($6 IS NULL OR substr(action, 1, length($6)) = $6) \
         AND ($7 IS NULL OR target = $7) AND ($8 IS NULL OR substr(target, 1, length($8)) = $8) \
         AND ($9 IS NULL OR at_us >= $9) AND ($10 IS NULL OR at_us < $10)"
    };
}

const NEWEST: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM audit WHERE number > $1 AND number < $2 AND ",
    matching!(),
    " ORDER BY number DESC LIMIT $11"
);
const OLDEST: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM audit WHERE number > $1 AND number < $2 AND ",
    matching!(),
    " ORDER BY number LIMIT $11"
);
const HEAD: &str = "SELECT number, hash FROM audit_head WHERE id = 1 LIMIT 1";

impl Registry {
    /// A page of changes, newest first.
    pub async fn list_audit(&self, filter: &AuditFilter, paging: &Paging) -> Result<Page<AuditEntry>> {
        let before = paging.after_number()?.unwrap_or(i64::MAX);
        let values = filter.values((0, before), paging.rows())?;
        let rows = self.db().all(NEWEST, &values).await?;
        let entries = rows.iter().map(read).collect::<Result<Vec<_>>>()?;
        Ok(paging.page(entries, |entry| entry.number.to_string()))
    }

    /// Up to `limit` changes behind the one with number `after`, up to the one with number `upto`, oldest first.
    pub async fn audit_after(
        &self,
        filter: &AuditFilter,
        after: i64,
        upto: i64,
        limit: u32,
    ) -> Result<Vec<AuditEntry>> {
        let values = filter.values((after, upto.saturating_add(1)), i64::from(limit))?;
        self.db().all(OLDEST, &values).await?.iter().map(read).collect()
    }

    /// Where the chain ends now, and the number of the last entry there is: the same, unless somebody tampered with
    /// either.
    pub async fn audit_head(&self) -> Result<(AuditHead, i64)> {
        let sql =
            "SELECT number, hash, (SELECT MAX(a.number) FROM audit a) AS last FROM audit_head WHERE id = 1
                   LIMIT 1";
        let row = self.db().maybe(sql, args![]).await?.ok_or_else(no_head)?;
        Ok((read_head(&row)?, row.maybe_int("last")?.unwrap_or_default()))
    }

    /// Notes what is done outside the registry.
    pub async fn witness(&self, project: &str, deed: Deed, who: &Who) -> Result<()> {
        let witnessed = (project.to_owned(), deed, who.clone());
        self.write(witnessed, |writing, (project, deed, who)| {
            let Deed { action, target, detail } = deed;
            Box::pin(note(writing, who, project, Entry { action, target, detail: detail.clone() }))
        })
        .await
    }
}

impl AuditFilter {
    fn values(&self, (after, before): (i64, i64), limit: i64) -> Result<[crate::db::Value; 11]> {
        let words = [("who", &self.who), ("action", &self.action), ("target", &self.target)];
        for (field, word) in words {
            check_text(field, word.as_deref().unwrap_or_default(), WORD_BYTES)?;
        }
        let (action, actions) = pattern(self.action.as_deref());
        let (target, targets) = pattern(self.target.as_deref());
        Ok([
            after.into(),
            before.into(),
            self.project.as_deref().into(),
            self.who.as_deref().into(),
            action.into(),
            actions.into(),
            target.into(),
            targets.into(),
            self.from.map(Time::micros).into(),
            self.to.map(Time::micros).into(),
            limit.into(),
        ])
    }
}

/// A text that is looked for as it is, or all that begins with it.
fn pattern(text: Option<&str>) -> (Option<&str>, Option<&str>) {
    match text.map(|text| (text, text.strip_suffix('*'))) {
        None => (None, None),
        Some((_, Some(start))) => (None, Some(start)),
        Some((exact, None)) => (Some(exact), None),
    }
}

/// Appends a change to the chain, and queues what webhooks are told of it.
///
/// It is the last door too, whatever led here: whoever is held to a project, to folders or to labels changes nothing
/// elsewhere, since a change that is not noted is not made.
pub(crate) async fn note(writing: &mut Writing, who: &Who, project: &str, entry: Entry<'_>) -> Result<()> {
    who.reach(project)?;
    within(who, &entry)?;
    // The revision row is locked already: nobody else stands between reading the head and moving it.
    let row = writing.tx.maybe(HEAD, args![]).await?;
    let head = row.as_ref().map_or_else(|| Err(no_head()), read_head)?;
    let mut noted = AuditEntry {
        number: head.number + 1,
        at: writing.now,
        project: (project != NO_PROJECT).then(|| project.to_owned()),
        who: who.owner.to_string(),
        role: who.role.as_str().to_owned(),
        token: who.token.map(|token| token.to_string()),
        action: entry.action.to_owned(),
        target: entry.target.to_owned(),
        detail: entry.detail,
        previous: head.hash,
        hash: String::new(),
    };
    noted.hash = noted.digest();
    append(&mut writing.tx, &noted).await?;
    if let Some(event) = event::of(&noted) {
        enqueue(&mut writing.tx, &event, Addressed::default(), writing.now).await?;
    }
    Ok(())
}

/// Refuses what a token's scope does not cover: the prompt the target begins with, the label the detail names.
fn within(who: &Who, entry: &Entry<'_>) -> Result<()> {
    let family = entry.action.split('.').next().unwrap_or_default();
    if who.scope.is_none() || !OF_PROMPTS.contains(&family) {
        return Ok(());
    }
    who.may_change(entry.target.split('@').next().unwrap_or_default())?;
    entry.detail["label"].as_str().map_or(Ok(()), |label| who.may_label(label))
}

async fn append(tx: &mut Tx, entry: &AuditEntry) -> Result<()> {
    let sql =
        "INSERT INTO audit (number, at_us, project, who, role, token_id, action, target, detail, previous,
                                  hash)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    let values = args![
        entry.number,
        entry.at.micros(),
        entry.project.as_deref(),
        &*entry.who,
        &*entry.role,
        entry.token.as_deref(),
        &*entry.action,
        &*entry.target,
        to_json(&entry.detail)?,
        &*entry.previous,
        &*entry.hash
    ];
    tx.run(sql, values).await?;
    let sql = "UPDATE audit_head SET number = $1, hash = $2 WHERE id = 1";
    tx.run(sql, args![entry.number, &*entry.hash]).await?;
    Ok(())
}

/// What differs between two objects: each field with what it was and what it is.
pub(crate) fn changes(before: &Value, after: &Value) -> Map<String, Value> {
    let (Value::Object(before), Value::Object(after)) = (before, after) else { return Map::new() };
    let differs = after.iter().filter(|(field, now)| before.get(*field) != Some(*now));
    let change = |(field, now): (&String, &Value)| {
        (field.clone(), json!({"from": before.get(field).cloned().unwrap_or_default(), "to": now}))
    };
    differs.map(change).collect()
}

/// Reads the columns of an entry. What somebody wrote over is read as it stands: the chain says that it is wrong.
fn read(row: &Row) -> Result<AuditEntry> {
    let detail = row.text("detail")?;
    Ok(AuditEntry {
        number: row.int("number")?,
        at: row.time("at_us")?,
        project: row.maybe_text("project")?,
        who: row.text("who")?,
        role: row.text("role")?,
        token: row.maybe_text("token_id")?,
        action: row.text("action")?,
        target: row.text("target")?,
        detail: serde_json::from_str(&detail).unwrap_or(Value::String(detail)),
        previous: row.text("previous")?,
        hash: row.text("hash")?,
    })
}

fn read_head(row: &Row) -> Result<AuditHead> {
    Ok(AuditHead { number: row.int("number")?, hash: row.text("hash")? })
}

fn no_head() -> StoreError {
    StoreError::unreadable("the head of the audit is gone")
}
