//! The roll-ups after a purge: rows of whole minutes deleted, minutes of which something stays summed up again.

use clickhouse::Row;
use serde::Deserialize;
use vocab::Time;

use super::of_projects;
use crate::clickhouse::ask::{Asker, Failure, PATIENCE};
use crate::clickhouse::report::{Rollup, refill};
use crate::clickhouse::scope::moment;
use crate::clickhouse::sql::Sql;
use crate::store::{Doomed, QueryError};

/// Microseconds of a minute.
const MINUTE: i64 = 60_000_000;
/// The most minutes of one purge that are summed up again; a user active in more keeps their part in older sums.
const MINUTES: i64 = 500_000;
/// Minutes to a statement.
const STEP: usize = 5_000;

/// A minute of a project, µs since 1970.
#[derive(Row, Deserialize)]
pub(super) struct Minute {
    project: String,
    minute: i64,
}

/// The minutes of which only some calls are doomed.
pub(super) async fn minutes(asker: &Asker, doomed: &Doomed) -> Result<Vec<Minute>, Failure> {
    let mut sql = Sql::new(
        "SELECT DISTINCT project, toInt64(toUnixTimestamp(toStartOfMinute(started_at))) * 1000000 AS minute
         FROM calls WHERE ",
    );
    sql.append(&super::condition(doomed, "calls"));
    if doomed.user.is_none() {
        let Some(before) = doomed.before else { return Ok(Vec::new()) };
        moment(sql.push(" AND started_at >= "), floor(before));
    }
    sql.push(" ORDER BY minute DESC LIMIT ").int(MINUTES);
    asker.rows(&sql, PATIENCE).await
}

/// Makes the roll-ups say what the calls that stay come to. Calls that arrive in such a minute at this very moment
/// may be counted twice in them.
pub(super) async fn mend(asker: &Asker, doomed: &Doomed, minutes: &[Minute]) -> Result<(), QueryError> {
    for rollup in [Rollup::Model, Rollup::Prompt] {
        if doomed.user.is_none() {
            let mut gone = of_projects(doomed);
            if let Some(before) = doomed.before {
                moment(gone.push(" AND minute < toDateTime("), floor(before)).push(", 'UTC')");
            }
            super::delete(asker, rollup.table(), &gone).await?;
        }
        for minutes in minutes.chunks(STEP) {
            let mut stale = Sql::new("(project, toInt64(toUnixTimestamp(minute)) * 1000000) IN (");
            stale.append(&listed(minutes)).push(")").append(&between(minutes, "minute"));
            super::delete(asker, rollup.table(), &stale).await?;
            let mut calls = Sql::new(
                "(c.project, toInt64(toUnixTimestamp(toStartOfMinute(c.started_at))) * 1000000) IN (",
            );
            calls.append(&listed(minutes)).push(")").append(&between(minutes, "c.started_at"));
            asker.run(&refill(rollup, &calls)).await?;
        }
    }
    Ok(())
}

/// Minutes as a statement.
fn listed(minutes: &[Minute]) -> Sql {
    let mut sql = Sql::new("SELECT key.1, key.2 FROM (SELECT arrayJoin(arrayZip(");
    sql.texts(minutes.iter().map(|minute| minute.project.clone()).collect()).push(", ");
    sql.ints(minutes.iter().map(|minute| minute.minute).collect()).push(")) AS key)");
    sql
}

/// The stretch of time minutes lie in, so that their weeks alone are looked at.
fn between(minutes: &[Minute], time: &'static str) -> Sql {
    let at = || minutes.iter().map(|minute| minute.minute);
    let mut sql = Sql::new(" AND ");
    moment(sql.push(time).push(" >= "), at().min().unwrap_or_default());
    moment(sql.push(" AND ").push(time).push(" < "), at().max().unwrap_or_default() + MINUTE);
    sql
}

const fn floor(time: Time) -> i64 {
    time.0.div_euclid(MINUTE) * MINUTE
}
