//! The calls a question is about: of one project or of all, within a stretch of time.
//!
//! The tables' keys are `(project, started_at, id)`, so a scope is one run of the key in each month's parts.

use std::sync::Arc;

use vocab::Time;

use super::filter::Conditions;
use super::place;
use super::sql::Sql;
use crate::store::{Cursor, Search};

/// Times the engine's type can hold; nothing is recorded outside them.
const TIMES: std::ops::Range<i64> = 0..10_000_000_000_000_000;

/// A stretch of calls, newest first: from just before a place down to a time.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    pub(super) project: Option<Arc<str>>,
    /// The earliest start, itself included.
    pub(super) from: i64,
    /// The place they all come after in the list.
    pub(super) before: Cursor,
}

impl Scope {
    pub(super) fn of(search: &Search) -> Self {
        Self::between(search.project.clone(), search.from, search.to, search.cursor)
    }

    pub(super) fn between(
        project: Option<Arc<str>>,
        from: Option<Time>,
        to: Option<Time>,
        cursor: Option<Cursor>,
    ) -> Self {
        let latest = Cursor { started: TIMES.end, id: 0 };
        let before = cursor.unwrap_or(latest).min(to.map_or(latest, Cursor::before)).min(latest);
        Self { project, from: from.map_or(TIMES.start, Time::micros).max(TIMES.start), before }
    }

    /// Whether no call can be in it.
    pub(super) const fn is_empty(&self) -> bool {
        self.before.started < self.from || (self.before.started == self.from && self.before.id == 0)
    }

    /// The conditions that put a row of `calls`, or of `bodies`, into this scope.
    pub(super) fn calls(&self) -> Sql {
        let mut sql = self.within("started_at");
        if self.before.id != 0 {
            moment(sql.push(" AND (started_at < "), self.before.started);
            sql.push(" OR id < toUUID(").text(place::uuid(self.before.id)).push("))");
        }
        sql
    }

    /// The conditions that put a row into this scope by its time alone; `time` is the column that has it.
    pub(super) fn within(&self, time: &'static str) -> Sql {
        let mut sql = Sql::default();
        if let Some(project) = &self.project {
            sql.push("project = ").text(&**project).push(" AND ");
        }
        sql.push(time).push(" >= ");
        moment(&mut sql, self.from).push(" AND ").push(time);
        sql.push(if self.before.id == 0 { " < " } else { " <= " });
        moment(&mut sql, self.before.started);
        sql
    }

    /// What stands behind `WHERE` to find the calls of this scope that match.
    ///
    /// What was said is looked up in `bodies`, by `said_grams`; calls that fit by their columns are looked up first
    /// when there are such conditions, because few of them rule out most of what would be read there.
    pub(super) fn matching(&self, conditions: &Conditions) -> Sql {
        let mut sql = self.calls();
        sql.append(&conditions.columns);
        if !conditions.says.is_empty() {
            sql.push(" AND (started_at, id) IN (").append(&self.said(conditions, &conditions.says)).push(")");
        }
        for pattern in &conditions.says_not {
            let mut says = Sql::new(" AND said LIKE ");
            says.text(pattern);
            sql.push(" AND (started_at, id) NOT IN (").append(&self.said(conditions, &says)).push(")");
        }
        sql
    }

    /// The calls of this scope in which `says` holds.
    fn said(&self, conditions: &Conditions, says: &Sql) -> Sql {
        let mut sql = Sql::new("SELECT started_at, id FROM bodies WHERE ");
        sql.append(&self.within("started_at"));
        if !conditions.columns.is_empty() {
            sql.push(" AND (started_at, id) IN (SELECT started_at, id FROM calls WHERE ");
            sql.append(&self.calls()).append(&conditions.columns).push(")");
        }
        sql.append(says);
        sql
    }
}

/// Adds a moment, in microseconds since 1970.
pub(super) fn moment(sql: &mut Sql, micros: i64) -> &mut Sql {
    sql.push("fromUnixTimestamp64Micro(").int(micros.clamp(TIMES.start, TIMES.end)).push(", 'UTC')")
}
