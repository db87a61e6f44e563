//! Traces that have reported spans but no calls in the searched time.
//!
//! Spans are read backwards along their key, one a trace; which of those traces have calls is looked up by
//! `trace_seen`. A span's place is its start and its id; of what started together, calls come first.

use std::collections::HashSet;

use crate::clickhouse::ask::{Asker, BUDGET, Failure};
use crate::clickhouse::groups::{Group, Newest, Tie};
use crate::clickhouse::scope::{Scope, moment};
use crate::clickhouse::sql::Sql;
use crate::store::{Cursor, Search};

/// A span's id as the number whose order is that of its bytes.
const NUMBER: &str = "reinterpretAsUInt64(reverse(span_id))";

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
        let last = found.last().map(Group::place).filter(|_| found.len() == wanted);
        found.retain(|group: &Group| seen.insert(group.key()));
        let known = with_calls_or_seen_before(asker, search, &found).await?;
        groups.extend(found.into_iter().filter(|group| !known.contains(&group.key())));
        place = last;
        if groups.len() > limit {
            groups.truncate(limit);
            return Ok(Newest { next: groups.last().map(Group::place), groups, complete: true });
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
    let mut sql = Sql::new(
        "SELECT project, lower(hex(trace_id)) AS name, toUnixTimestamp64Micro(started_at) AS started, toUInt128(",
    );
    sql.push(NUMBER).push(") AS call FROM spans WHERE ").append(&scope.within("started_at"));
    if let Ok(id) = i64::try_from(scope.before.id)
        && id > 0
    {
        sql.push(" AND (started_at < ");
        moment(&mut sql, scope.before.started).push(" OR toUInt128(").push(NUMBER).push(") < ");
        sql.wide(scope.before.id).push(")");
    }
    sql.push(" ORDER BY started_at DESC, ").push(NUMBER).push(" DESC LIMIT 1 BY project, trace_id LIMIT ");
    sql.int(wanted as i64);
    asker.rows(&sql, BUDGET).await
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
        moment(&mut sql, cursor.started).push(" OR toUInt128(").push(NUMBER).push(") >= ").wide(cursor.id);
        sql.push(")");
    }
    Ok(asker.rows::<(String, String)>(&sql, BUDGET).await?.into_iter().collect())
}
