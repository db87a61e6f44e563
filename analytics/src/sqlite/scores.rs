//! Scores: kept, listed newest first, and looked up for filters and reports.
//!
//! There are far fewer scores than calls, so they can have the indexes that calls cannot.

use std::collections::{HashMap, HashSet};

use rusqlite::types::Value;
use rusqlite::{Connection, Row as SqlRow, Transaction, params, params_from_iter};
use vocab::{Id, Time};

use super::columns::Column;
use super::grams::Mark;
use super::marks::Stored;
use crate::filter::Bound;
use crate::score::{Score, ScoreSource, Target};
use crate::store::{Cursor, ScorePage, ScoreSearch};

/// The most scores of one name a filter or a report takes into account: the newest.
const SCORES: i64 = 1_000_000;
/// Up to so many scored calls, traces and sessions blocks are passed over by their filters.
const MARKED_TARGETS: usize = 64;

const ADD: &str = "INSERT INTO score (id, project, at, kind, target, name, value, comment, source, author)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (id) DO NOTHING";
const NEWEST: &str = "SELECT id, project, at, kind, target, name, value, comment, source, author FROM score
                      WHERE (at, id) < (?1, ?2) AND at >= ?3
                      AND (?4 IS NULL OR project = ?4) AND (?5 IS NULL OR name = ?5)
                      ORDER BY at DESC, id DESC LIMIT ?6";
const OF_TARGET: &str =
    "SELECT id, project, at, kind, target, name, value, comment, source, author FROM score
                         WHERE target = ?7 AND kind = ?8 AND (at, id) < (?1, ?2) AND at >= ?3
                         AND (?4 IS NULL OR project = ?4) AND (?5 IS NULL OR name = ?5)
                         ORDER BY at DESC, id DESC LIMIT ?6";
const OF_NAME: &str = "SELECT kind, target, value FROM score WHERE name = ?1 AND (?2 IS NULL OR project = ?2)
                       ORDER BY seq DESC LIMIT ?3";

/// The number a kind of target has in the file.
const fn kind(target: &Target) -> i64 {
    match target {
        Target::Call(_) => 1,
        Target::Trace(_) => 2,
        Target::Session(_) => 3,
    }
}

/// A target as it stands in the file.
fn bytes(target: &Target) -> Vec<u8> {
    match target {
        Target::Call(id) => id.bytes().to_vec(),
        Target::Trace(id) => id.to_vec(),
        Target::Session(session) => session.as_bytes().to_vec(),
    }
}

fn target(kind: i64, bytes: &[u8]) -> Target {
    let id = || <[u8; 16]>::try_from(bytes).unwrap_or_default();
    match kind {
        1 => Target::Call(Id::from_bytes(id())),
        2 => Target::Trace(id()),
        _ => Target::Session(String::from_utf8_lossy(bytes).into()),
    }
}

/// Adds a score; false when its id is there already.
pub(super) fn add(tx: &Transaction<'_>, score: &Score) -> rusqlite::Result<bool> {
    let added = tx.prepare_cached(ADD)?.execute(params![
        score.id.bytes(),
        score.project,
        score.at.micros(),
        kind(&score.target),
        bytes(&score.target),
        score.name,
        score.value,
        score.comment,
        score.source.as_str(),
        score.author,
    ])?;
    Ok(added > 0)
}

/// Returns a page of scores, newest first.
pub(super) fn find(db: &Connection, search: &ScoreSearch) -> rusqlite::Result<ScorePage> {
    let latest = Cursor { started: i64::MAX, id: 0 };
    let before = search.cursor.unwrap_or(latest).min(search.to.map_or(latest, Cursor::before));
    let limit = search.limit.get() as usize;
    let mut values = vec![
        Value::from(before.started),
        Value::from(before.id.to_be_bytes().to_vec()),
        Value::from(search.from.map_or(i64::MIN, Time::micros)),
        Value::from(search.project.as_deref().map(str::to_owned)),
        Value::from(search.name.clone()),
        Value::from(limit as i64 + 1),
    ];
    if let Some(target) = &search.target {
        values.extend([Value::from(bytes(target)), Value::from(kind(target))]);
    }
    let mut statement = db.prepare_cached(if search.target.is_some() { OF_TARGET } else { NEWEST })?;
    let mut scores = statement.query_map(params_from_iter(values), read)?.collect::<Result<Vec<_>, _>>()?;
    let more = scores.len() > limit;
    scores.truncate(limit);
    let last = scores.last().filter(|_| more);
    let next_cursor =
        last.map(|last| Cursor { started: last.at.micros(), id: u128::from_be_bytes(last.id.bytes()) });
    Ok(ScorePage { scores, next_cursor })
}

fn read(row: &SqlRow<'_>) -> rusqlite::Result<Score> {
    Ok(Score {
        id: Id::from_bytes(row.get(0)?),
        project: row.get(1)?,
        at: Time(row.get(2)?),
        target: target(row.get(3)?, row.get_ref(4)?.as_blob()?),
        name: row.get(5)?,
        value: row.get(6)?,
        comment: row.get(7)?,
        source: ScoreSource::from_word(row.get_ref(8)?.as_str()?),
        author: row.get(9)?,
    })
}

/// The calls, traces and sessions with a score of some name that lies within some bounds.
#[derive(Default)]
pub(super) struct Scored {
    calls: HashSet<[u8; 16]>,
    /// As calls name them, in hex.
    traces: HashSet<String>,
    sessions: HashSet<String>,
}

impl Scored {
    pub(super) fn read(
        db: &Connection,
        project: Option<&str>,
        name: &str,
        bounds: &[Bound],
    ) -> rusqlite::Result<Self> {
        let mut scored = Self::default();
        let mut statement = db.prepare_cached(OF_NAME)?;
        let mut rows = statement.query(params![name, project, SCORES])?;
        while let Some(row) = rows.next()? {
            let value = row.get(2)?;
            if bounds.iter().any(|bound| within(bound, value)) {
                scored.add(target(row.get(0)?, row.get_ref(1)?.as_blob()?));
            }
        }
        Ok(scored)
    }

    fn add(&mut self, target: Target) {
        match target {
            Target::Call(id) => self.calls.insert(id.bytes()),
            Target::Trace(id) => self.traces.insert(hex(&id)),
            Target::Session(session) => self.sessions.insert(session.into()),
        };
    }

    /// Whether a call has such a score: its own, its trace's or its session's.
    pub(super) fn has(&self, call: &Stored<'_>) -> bool {
        let names = |set: &HashSet<String>, column| {
            !set.is_empty() && call.fields.text(column).is_some_and(|name| set.contains(&*name))
        };
        self.calls.contains(&call.id)
            || names(&self.traces, Column::TraceId)
            || names(&self.sessions, Column::Session)
    }

    /// The marks of which a block must hold one for a call in it to have such a score; `None` when they are too
    /// many to tell.
    pub(super) fn marks(&self) -> Option<Vec<Mark>> {
        if self.calls.len() + self.traces.len() + self.sessions.len() > MARKED_TARGETS {
            return None;
        }
        let calls = self.calls.iter().map(|id| Mark::id(*id));
        let traces = self.traces.iter().map(|trace| Mark::word("trace", "", trace));
        let sessions = self.sessions.iter().map(|session| Mark::word("session", "", session));
        Some(calls.chain(traces).chain(sessions).collect())
    }
}

fn within(bound: &Bound, score: f64) -> bool {
    match bound {
        Bound::Compares(comparison, number) => comparison.holds_for(score, *number),
        Bound::StartsWith(_) => true,
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(bytes.len() * 2);
    super::columns::push_hex(bytes, &mut hex);
    hex
}

/// Scores by call: their sum and how many.
pub(super) type ScoresByCall = HashMap<[u8; 16], (f64, u64)>;

/// The scores of one name that calls were given themselves.
pub(super) fn of_calls(db: &Connection, project: Option<&str>, name: &str) -> rusqlite::Result<ScoresByCall> {
    let mut sums = ScoresByCall::new();
    let mut statement = db.prepare_cached(OF_NAME)?;
    let mut rows = statement.query(params![name, project, SCORES])?;
    while let Some(row) = rows.next()? {
        if let Target::Call(id) = target(row.get(0)?, row.get_ref(1)?.as_blob()?) {
            let (sum, count) = sums.entry(id.bytes()).or_default();
            *sum += row.get::<_, f64>(2)?;
            *count += 1;
        }
    }
    Ok(sums)
}
