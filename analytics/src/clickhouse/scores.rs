//! Scores, newest first.
//!
//! One that was sent again stands in the table again, later: of one id the first stays, and is the only one that counts.

use std::collections::HashMap;

use clickhouse::Row;
use serde::Deserialize;
use vocab::{Id, Time};

use super::ask::{Asker, PATIENCE};
use super::place::{place, uuid};
use super::rows::{hex, word};
use super::scope::{Scope, moment};
use super::sql::Sql;
use crate::score::{Score, ScoreSource, Target};
use crate::store::{Cursor, QueryError, ScorePage, ScoreSearch};

/// Behind the conditions of a statement over `scores`: leaves the first of each id. Blocks have ids in the order they were
/// made in.
pub(super) const FIRST_OF_EACH: &str = " ORDER BY toUInt128(block), at LIMIT 1 BY id";

/// A row of `scores`.
#[derive(Row, Deserialize)]
struct Given {
    project: String,
    given: i64,
    score: u128,
    target_kind: String,
    target: String,
    name: String,
    value: f64,
    comment: String,
    source: String,
    author: String,
    sealed: u128,
}

/// A score's id, and the block and the time of the first of them.
#[derive(Row, Deserialize)]
struct First {
    score: u128,
    first: (u128, i64),
}

/// Returns a page of scores: along the key, backwards; those of one target are found by `target_seen`.
pub(super) async fn scores(asker: &Asker, search: &ScoreSearch) -> Result<ScorePage, QueryError> {
    let limit = search.limit.get() as usize;
    let (mut scores, mut cursor): (Vec<Score>, _) = (Vec::new(), search.cursor);
    loop {
        let wanted = limit + 1 - scores.len();
        let rows = asker.rows::<Given>(&statement(search, cursor, wanted), PATIENCE).await?;
        let last = rows.last().filter(|_| rows.len() == wanted).map(Given::place);
        let firsts = firsts(asker, search, &rows).await?;
        let firsts = rows.into_iter().filter(|row| firsts.get(&row.score) == Some(&(row.sealed, row.given)));
        scores.extend(firsts.filter_map(Given::read));
        // One that was sent again in the same microsecond has the same place twice.
        scores.dedup_by_key(|score| score.id);
        cursor = last;
        if cursor.is_none() || scores.len() > limit {
            break;
        }
    }
    let more = scores.len() > limit;
    scores.truncate(limit);
    let last = scores.last().filter(|_| more);
    let next_cursor = last.map(|last| place(last.at.0, u128::from_be_bytes(last.id.bytes())));
    Ok(ScorePage { scores, next_cursor })
}

fn statement(search: &ScoreSearch, cursor: Option<Cursor>, wanted: usize) -> Sql {
    let scope = Scope::between(search.project.clone(), search.from, search.to, cursor);
    let mut sql = Sql::new(
        "SELECT project, toUnixTimestamp64Micro(at) AS given, toUInt128(id) AS score, target_kind, target, name,
         value, comment, source, author, toUInt128(block) AS sealed FROM scores WHERE ",
    );
    sql.append(&scope.within("at"));
    if scope.before.id != 0 {
        moment(sql.push(" AND (at < "), scope.before.started);
        sql.push(" OR id < toUUID(").text(uuid(scope.before.id)).push("))");
    }
    if let Some(target) = &search.target {
        let (kind, name) = written(target);
        sql.push(" AND target_kind = '").push(kind).push("' AND target = ").text(name);
    }
    if let Some(name) = &search.name {
        sql.push(" AND name = ").text(name);
    }
    sql.push(" ORDER BY at DESC, id DESC LIMIT ").int(wanted as i64);
    sql
}

/// Where the first of each of these scores stands: earlier than they do, or there.
async fn firsts(
    asker: &Asker,
    search: &ScoreSearch,
    rows: &[Given],
) -> Result<HashMap<u128, (u128, i64)>, QueryError> {
    let Some(newest) = rows.iter().map(|row| row.given).max() else { return Ok(HashMap::new()) };
    let scope = Scope::between(search.project.clone(), None, Some(Time(newest + 1)), None);
    let ids = rows.iter().map(|row| Id::<()>::from_bytes(row.score.to_be_bytes()).to_string()).collect();
    let mut sql = Sql::new(
        "SELECT toUInt128(id) AS score, min((toUInt128(block), toUnixTimestamp64Micro(at))) AS first
         FROM scores WHERE ",
    );
    sql.append(&scope.within("at")).push(" AND id IN (SELECT toUUID(arrayJoin(").texts(ids);
    sql.push("))) GROUP BY id");
    let firsts = asker.rows::<First>(&sql, PATIENCE).await?;
    Ok(firsts.into_iter().map(|First { score, first }| (score, first)).collect())
}

/// A target as it stands in the table.
fn written(target: &Target) -> (&'static str, String) {
    match target {
        Target::Call(id) => ("call", id.to_string()),
        Target::Trace(id) => ("trace", hex(id)),
        Target::Session(session) => ("session", session.to_string()),
    }
}

impl Given {
    const fn place(&self) -> Cursor {
        place(self.given, self.score)
    }

    fn read(self) -> Option<Score> {
        let target = match self.target_kind.as_str() {
            "call" => Target::Call(self.target.parse().ok()?),
            "trace" => Target::Trace(u128::from_str_radix(&self.target, 16).ok()?.to_be_bytes()),
            _ => Target::Session(self.target.into()),
        };
        Some(Score {
            id: Id::from_bytes(self.score.to_be_bytes()),
            project: self.project.into(),
            at: Time(self.given),
            target,
            name: self.name.into(),
            value: self.value,
            comment: word(self.comment).map(Into::into),
            source: ScoreSource::from_word(&self.source),
            author: word(self.author).map(Into::into),
        })
    }
}
