//! Scores, newest first.

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
}

/// Returns a page of scores: along the key, backwards; those of one target are found by `target_seen`.
pub(super) async fn scores(asker: &Asker, search: &ScoreSearch) -> Result<ScorePage, QueryError> {
    let limit = search.limit.get() as usize;
    let (mut scores, mut cursor): (Vec<Score>, _) = (Vec::new(), search.cursor);
    loop {
        let wanted = limit + 1 - scores.len();
        let rows = asker.rows::<Given>(&statement(search, cursor, wanted), PATIENCE).await?;
        let last = rows.last().filter(|_| rows.len() == wanted).map(Given::place);
        scores.extend(rows.into_iter().filter_map(Given::read));
        // One that was shipped twice has the same place twice.
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
         value, comment, source, author FROM scores WHERE ",
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
