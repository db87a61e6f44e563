//! The numbers of reports: out of the roll-ups by minute when these have what is asked for, else out of the calls.
//!
//! Roll-ups serve reports that group and filter by what one of them is kept by, in whole minutes ([`rollup`]). All
//! others read the key's range of `calls`, and of it only the columns that are asked for; so do those that ask for
//! quantiles where the roll-up has hardly fewer rows ([`worth`]).

mod measures;
mod rollup;
mod worth;

use clickhouse::Row;
use serde::Deserialize;
use vocab::Time;

pub(super) use self::rollup::{Rollup, refill};
use super::ask::{Asker, PATIENCE};
use super::filter::{Conditions, words};
use super::rows::word;
use super::scope::Scope;
use super::scores::FIRST_OF_EACH;
use super::sql::Sql;
use crate::report::{Group, Measured, Report, Table, TableRow};
use crate::store::{Cursor, QueryError};

/// When a call ended, in microseconds.
const ENDED: &str = "(toUnixTimestamp64Micro(started_at) + toInt64(duration_us))";

/// One row of an answer: its bucket, its group, how many calls, and the numbers.
#[derive(Row, Deserialize)]
struct Line {
    bucket: i64,
    names: Vec<String>,
    number: u64,
    numbers: Vec<Option<f64>>,
}

/// Answers a report. It is complete or fails: half a sum is no number anybody can use.
pub(super) async fn report(asker: &Asker, report: &Report) -> Result<Table, QueryError> {
    if report.from >= report.to {
        return Ok(Table { rows: Vec::new(), complete: true, truncated: false });
    }
    let sql = match Rollup::serving(report) {
        Some(rollup) if worth::pays(asker, report, rollup).await? => rollup.statement(report),
        Some(_) | None => over_calls(report),
    };
    let mut lines = asker.rows::<Line>(&sql, PATIENCE).await?;
    let truncated = lines.len() > report.limit as usize;
    lines.truncate(report.limit as usize);
    lines.sort_by(|a, b| {
        a.bucket.cmp(&b.bucket).then(b.number.cmp(&a.number)).then_with(|| a.names.cmp(&b.names))
    });
    let rows = lines.into_iter().map(|line| line.finish(report.interval.is_some())).collect();
    Ok(Table { rows, complete: true, truncated })
}

impl Line {
    fn finish(self, bucketed: bool) -> TableRow {
        TableRow {
            bucket: bucketed.then_some(Time(self.bucket)),
            group: self.names.into_iter().map(word).collect(),
            values: self
                .numbers
                .into_iter()
                .map(|number| number.filter(|number| number.is_finite()))
                .collect(),
        }
    }
}

/// A statement over the calls themselves.
fn over_calls(report: &Report) -> Sql {
    let scope = scope(report, report.started_from(), report.to);
    let conditions = Conditions::of(&report.filter, report.project.as_deref());
    let time = if report.ended_within.is_some() { ENDED } else { "toUnixTimestamp64Micro(started_at)" };
    let mut sql = begin(report, time, "count()", measures::of_calls);
    sql.push(" FROM calls");
    for (n, measure) in report.measures.iter().enumerate() {
        if let Measured::Score(name) = measure {
            join_scores(&mut sql, &scope, name, n);
        }
    }
    sql.push(" WHERE ").append(&scope.matching(&conditions));
    if let Some(longest) = report.ended_within {
        sql.push(" AND ").push(ENDED).push(" >= ").int(report.from.micros());
        sql.push(" AND ").push(ENDED).push(" < ").int(report.to.micros());
        sql.push(" AND duration_us <= ").int(i64::try_from(longest.as_micros()).unwrap_or(i64::MAX));
    }
    end(&mut sql, report);
    sql
}

fn scope(report: &Report, from: Time, to: Time) -> Scope {
    Scope::between(report.project.clone(), Some(from), Some(to), None)
}

/// Everything before `FROM`: buckets of `time`, groups, and each measure as `measured` has it.
fn begin(
    report: &Report,
    time: &'static str,
    calls: &'static str,
    measured: fn(&Measured, usize) -> Sql,
) -> Sql {
    let mut sql = Sql::new("SELECT bucket, CAST([");
    list(&mut sql, "g", report.group_by.len());
    sql.push("], 'Array(String)') AS names, toUInt64(calls_seen) AS number, CAST([");
    list(&mut sql, "m", report.measures.len());
    sql.push("], 'Array(Nullable(Float64))') AS numbers FROM (SELECT ");
    match report.interval {
        Some(interval) => {
            let width = i64::try_from(interval.as_micros()).unwrap_or(i64::MAX).max(1);
            sql.push("intDiv(").push(time).push(", ").int(width).push(") * ").int(width);
        }
        None => {
            sql.push("toInt64(0)");
        }
    }
    sql.push(" AS bucket, ");
    for (n, group) in report.group_by.iter().enumerate() {
        sql.append(&grouped(group)).push(" AS g").digits(n as u32).push(", ");
    }
    for (n, measure) in report.measures.iter().enumerate() {
        sql.append(&measured(measure, n)).push(" AS m").digits(n as u32).push(", ");
    }
    sql.push(calls).push(" AS calls_seen");
    sql
}

/// Everything behind the conditions. One row more than wanted says that there were more.
fn end(sql: &mut Sql, report: &Report) {
    sql.push(" GROUP BY bucket");
    if !report.group_by.is_empty() {
        sql.push(", ");
        list(sql, "g", report.group_by.len());
    }
    sql.push(" ORDER BY calls_seen DESC, bucket LIMIT ").int(i64::from(report.limit) + 1).push(")");
}

fn list(sql: &mut Sql, name: &'static str, length: usize) {
    for n in 0..length {
        sql.push(if n > 0 { ", " } else { "" }).push(name).digits(n as u32);
    }
}

/// A group as text; empty for calls without one.
fn grouped(group: &Group) -> Sql {
    match group {
        Group::Field(field) => words::value(field),
        Group::Status => Sql::new("toString(status)"),
        Group::Version => Sql::new("if(prompt_version = 0, '', toString(prompt_version))"),
        Group::Node => Sql::new("node"),
    }
}

/// Joins the scores of one name that were given to calls; nobody judges a call before it begins.
fn join_scores(sql: &mut Sql, scope: &Scope, name: &str, n: usize) {
    let given = Scope { before: Cursor { started: i64::MAX, id: 0 }, ..scope.clone() };
    sql.push(" ANY LEFT JOIN (SELECT toUUID(target) AS scored").digits(n as u32);
    sql.push(", sum(value) AS total").digits(n as u32).push(", count() AS scores").digits(n as u32);
    sql.push(" FROM (SELECT id, target, value FROM scores WHERE ").append(&given.within("at"));
    sql.push(" AND target_kind = 'call' AND name = ").text(name).push(FIRST_OF_EACH);
    sql.push(") GROUP BY target) AS s").digits(n as u32);
    sql.push(" ON calls.id = s").digits(n as u32).push(".scored").digits(n as u32);
}
