//! Traces that have reported spans but no calls in the searched time.
//!
//! Spans are read backwards along their key, one a trace; which of those traces have calls is looked up by
//! `trace_seen`. Such a trace's place is the start of its newest span and its own id.

use std::collections::HashSet;

use clickhouse::Row;
use serde::Deserialize;

use crate::clickhouse::ask::{Asker, BUDGET, Failure};
use crate::clickhouse::groups::{Group, Newest, Tie};
use crate::clickhouse::rows::hex;
use crate::clickhouse::scope::{Scope, moment};
use crate::clickhouse::sql::Sql;
use crate::store::{Cursor, Search};

/// A span that puts its trace into a list.
#[derive(Row, Deserialize)]
struct Member {
    project: String,
    trace_id: [u8; 16],
    started: i64,
}

impl From<Member> for Group {
    fn from(member: Member) -> Self {
        let place = Cursor { started: member.started, id: u128::from_be_bytes(member.trace_id) };
        Self { project: member.project, name: hex(&member.trace_id), place }
    }
}

/// Traces without calls, newest span first, that stand at `floor` or later.
pub(super) async fn without_calls(
    asker: &Asker,
    search: &Search,
    floor: Option<Cursor>,
) -> Result<Newest, Failure> {
    let limit = search.limit.get() as usize;
    let (mut groups, mut seen, mut place) = (Vec::new(), HashSet::new(), search.cursor);
    let deadline = asker.monotonic() + BUDGET;
    loop {
        // Traces of the turns before may come again, by older spans.
        let wanted = limit + 1 + seen.len();
        let mut found = newest(asker, search, place, floor, wanted).await?;
        let last = found.last().map(|group| group.place).filter(|_| found.len() == wanted);
        found.retain(|group: &Group| seen.insert(group.key()));
        let known = with_calls_or_seen_before(asker, search, &found).await?;
        groups.extend(found.into_iter().filter(|group| !known.contains(&group.key())));
        place = last;
        if groups.len() > limit {
            groups.truncate(limit);
            return Ok(Newest { next: groups.last().map(|group| group.place), groups, complete: true });
        }
        if place.is_none() || asker.monotonic() > deadline {
            return Ok(Newest { groups, next: place, complete: place.is_none() });
        }
    }
}

/// The newest span of each trace, before `place`.
async fn newest(
    asker: &Asker,
    search: &Search,
    place: Option<Cursor>,
    floor: Option<Cursor>,
    wanted: usize,
) -> Result<Vec<Group>, Failure> {
    let mut scope = Scope::between(search.project.clone(), search.from, search.to, place);
    scope.from = scope.from.max(floor.map_or(scope.from, |floor| floor.started));
    let mut sql =
        Sql::new("SELECT project, trace_id, toUnixTimestamp64Micro(started_at) AS started FROM spans WHERE ");
    sql.append(&scope.within("started_at"));
    if scope.before.id != 0 {
        moment(sql.push(" AND (started_at < "), scope.before.started);
        sql.push(" OR trace_id < ").append(&trace_at(scope.before)).push(")");
    }
    sql.push(" ORDER BY started_at DESC, trace_id DESC LIMIT 1 BY project, trace_id LIMIT ")
        .int(wanted as i64);
    Ok(asker.rows::<Member>(&sql, BUDGET).await?.into_iter().map(Group::from).collect())
}

/// The trace at a place.
fn trace_at(place: Cursor) -> Sql {
    let mut sql = Sql::new("toFixedString(unhex(");
    sql.text(hex(&place.id.to_be_bytes())).push("), 16)");
    sql
}

/// Which of the traces have calls in the searched time, or were on a page before by one of their newer spans.
async fn with_calls_or_seen_before(
    asker: &Asker,
    search: &Search,
    groups: &[Group],
) -> Result<HashSet<(String, String)>, Failure> {
    if groups.is_empty() {
        return Ok(HashSet::new());
    }
    let all = Scope::between(search.project.clone(), search.from, search.to, None);
    let mut sql = Sql::new("SELECT DISTINCT project, lower(hex(trace_id)) AS name FROM calls WHERE ");
    sql.append(&all.calls()).append(&Tie::Trace.among(groups));
    if let Some(cursor) = search.cursor {
        let newer = Scope { from: all.from.max(cursor.started), ..all };
        sql.push(" UNION DISTINCT SELECT project, lower(hex(trace_id)) AS name FROM spans WHERE ");
        sql.append(&newer.within("started_at")).append(&Tie::Trace.among(groups)).push(" AND (started_at > ");
        moment(&mut sql, cursor.started).push(" OR trace_id >= ").append(&trace_at(cursor)).push(")");
    }
    Ok(asker.rows::<(String, String)>(&sql, BUDGET).await?.into_iter().collect())
}
