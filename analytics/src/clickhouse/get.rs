//! One call, and what belongs to calls: bodies and attempts.

use std::collections::{BTreeSet, HashMap};

use vocab::Id;
use vocab::id::Call;

use super::ask::{Asker, Failure, PATIENCE};
use super::place::Key;
use super::rows::{ATTEMPT, AttemptRow, BODY, BodyRow, CALL, CallRow};
use super::scope::moment;
use super::sql::Sql;
use crate::found::{FoundAttempt, FoundCall, FoundRow, Tries};
use crate::store::QueryError;

/// How far a call's start may lie from the millisecond in its id, µs: both are of one reading of one clock, so
/// this is only for ids that were made elsewhere.
const NEAR: i64 = 24 * 3_600 * 1_000_000;
/// How long after a call's end its last attempt may have been sent, µs.
const AFTER: i64 = 1_000_000;

/// Reads one call with everything that is kept of it.
pub(super) async fn call(asker: &Asker, id: Id<Call>) -> Result<Option<FoundCall>, QueryError> {
    let started = id.time().micros();
    let mut sql = Sql::new("SELECT ");
    // The day's parts, and of them the granule that `id_seen` leaves.
    sql.push(CALL).push(" FROM calls WHERE id = toUUID(").text(id.to_string()).push(") AND started_at >= ");
    moment(&mut sql, started - NEAR).push(" AND started_at < ");
    moment(&mut sql, started + NEAR).push(" LIMIT 1");
    let row = asker.rows::<CallRow>(&sql, PATIENCE).await?;
    Ok(whole(asker, row).await?.pop())
}

/// Reads rows by their keys, in the order of these.
pub(super) async fn rows(asker: &Asker, keys: &[Key]) -> Result<Vec<CallRow>, Failure> {
    let (Some(newest), Some(oldest)) = (keys.first(), keys.last()) else { return Ok(Vec::new()) };
    let mut sql = Sql::new("SELECT ");
    sql.push(CALL).push(" FROM calls WHERE project IN ").texts(projects(keys.iter().map(|key| &key.project)));
    moment(sql.push(" AND started_at >= "), oldest.started);
    moment(sql.push(" AND started_at <= "), newest.started);
    sql.push(" AND (started_at, id) IN (").append(&listed(keys.iter().map(|key| (key.started, key.call))));
    sql.push(") LIMIT 1 BY started_at, id");
    let found = asker.rows::<CallRow>(&sql, PATIENCE).await?;
    let mut found: HashMap<_, _> = found.into_iter().map(|row| (row.call, row)).collect();
    Ok(keys.iter().filter_map(|key| found.remove(&key.call)).collect())
}

/// Adds their bodies and attempts to calls, in the order they have.
pub(super) async fn whole(asker: &Asker, rows: Vec<CallRow>) -> Result<Vec<FoundCall>, Failure> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let (bodies, attempts) = tokio::try_join!(bodies(asker, &rows), attempts(asker, &rows))?;
    let mut tries = tries(attempts);
    let calls = rows.into_iter().map(|row| {
        let id = row.call;
        let mut call = FoundCall {
            row: FoundRow::from(row),
            request_body: None,
            response_body: None,
            upstream_request_body: None,
        };
        call.row.attempts = Tries::All(tries.remove(&id).unwrap_or_default());
        if let Some(body) = bodies.get(&id) {
            body.give(&mut call);
        }
        call
    });
    Ok(calls.collect())
}

/// The bodies of calls, each looked up by its whole key.
async fn bodies(asker: &Asker, rows: &[CallRow]) -> Result<HashMap<u128, BodyRow>, Failure> {
    let mut sql = Sql::new("SELECT ");
    sql.push(BODY).push(" FROM bodies WHERE ").append(&of_calls(rows)).push(" AND (started_at, id) IN (");
    sql.append(&keys(rows)).push(") LIMIT 1 BY id");
    let bodies = asker.rows::<BodyRow>(&sql, PATIENCE).await?;
    Ok(bodies.into_iter().map(|body| (body.call, body)).collect())
}

/// The attempts of calls: of the calls' time, by id.
async fn attempts(asker: &Asker, rows: &[CallRow]) -> Result<Vec<AttemptRow>, Failure> {
    let mut sql = Sql::new("SELECT ");
    sql.push(ATTEMPT)
        .push(" FROM attempts WHERE ")
        .append(&of_calls(rows))
        .push(" AND id IN (SELECT id FROM (");
    sql.append(&keys(rows)).push(")) ORDER BY id, n LIMIT 1 BY id, n");
    asker.rows(&sql, PATIENCE).await
}

fn tries(attempts: Vec<AttemptRow>) -> HashMap<u128, Vec<FoundAttempt>> {
    let mut tries: HashMap<_, Vec<_>> = HashMap::new();
    for attempt in attempts {
        tries.entry(attempt.call).or_default().push(FoundAttempt::from(attempt));
    }
    tries
}

/// The projects and the stretch of time some calls and what belongs to them lie in.
fn of_calls(rows: &[CallRow]) -> Sql {
    let from = rows.iter().map(|row| row.started).min().unwrap_or_default();
    let end = |row: &CallRow| row.started.saturating_add_unsigned(row.duration_us).saturating_add(AFTER);
    let mut sql = Sql::new("project IN ");
    sql.texts(projects(rows.iter().map(|row| &row.project))).push(" AND started_at >= ");
    moment(&mut sql, from).push(" AND started_at <= ");
    moment(&mut sql, rows.iter().map(end).max().unwrap_or_default());
    sql
}

fn projects<'a>(projects: impl Iterator<Item = &'a String>) -> Vec<String> {
    projects.collect::<BTreeSet<_>>().into_iter().cloned().collect()
}

fn keys(rows: &[CallRow]) -> Sql {
    listed(rows.iter().map(|row| (row.started, row.call)))
}

/// The keys of calls as a statement, so that the engine looks each of them up.
fn listed(keys: impl Iterator<Item = (i64, u128)>) -> Sql {
    let id = |id: u128| Id::<Call>::from_bytes(id.to_be_bytes()).to_string();
    let (started, ids) = keys.map(|(started, call)| (started, id(call))).unzip();
    let mut sql = Sql::new(
        "SELECT fromUnixTimestamp64Micro(key.1, 'UTC') AS started_at, toUUID(key.2) AS id
         FROM (SELECT arrayJoin(arrayZip(",
    );
    sql.ints(started).push(", ").texts(ids).push(")) AS key)");
    sql
}
