//! The list of sessions.

use std::collections::HashMap;

use clickhouse::Row;
use serde::Deserialize;
use vocab::{NanoUsd, Time};

use super::ask::{Asker, Failure, PATIENCE};
use super::groups::{self, Group, Tie};
use super::rows::word;
use super::scope::Scope;
use super::sql::Sql;
use crate::store::{QueryError, Search};
use crate::trace::{SessionSummary, SummaryPage};

/// What is summed up of one session.
#[derive(Row, Deserialize)]
struct Sum {
    project: String,
    session: String,
    began: i64,
    last: i64,
    number: u64,
    traces: u64,
    errors: u64,
    tokens: u64,
    cost: i64,
    named: String,
}

/// Returns the sessions of the newest matching calls. Each is summed up over all its calls in the searched time,
/// which `word_seen` finds.
pub(super) async fn sessions(
    asker: &Asker,
    search: &Search,
) -> Result<SummaryPage<SessionSummary>, QueryError> {
    let newest = groups::newest(asker, search, Tie::Session).await?;
    let mut sums = sums(asker, search, &newest.groups).await?;
    let rows = newest.groups.iter().filter_map(|group| sums.remove(&group.key())).collect();
    Ok(SummaryPage { rows, next_cursor: newest.next, complete: newest.complete })
}

async fn sums(
    asker: &Asker,
    search: &Search,
    sessions: &[Group],
) -> Result<HashMap<(String, String), SessionSummary>, Failure> {
    if sessions.is_empty() {
        return Ok(HashMap::new());
    }
    let scope = Scope::between(search.project.clone(), search.from, search.to, None);
    let mut sql = Sql::new(
        "SELECT project, session, toUnixTimestamp64Micro(min(started_at)) AS began,
         toUnixTimestamp64Micro(max(started_at)) AS last, count() AS number, uniqExact(trace_id) AS traces,
         countIf(outcome NOT IN ('ok', 'cancelled')) AS errors,
         sum(ifNull(input_tokens, 0) + ifNull(output_tokens, 0)) AS tokens, sum(ifNull(cost_nanousd, 0)) AS cost,
         argMaxIf(user, started_at, user != '') AS named FROM calls WHERE ",
    );
    sql.append(&scope.calls()).append(&Tie::Session.among(sessions));
    sql.push(" GROUP BY project, session LIMIT ").int(sessions.len() as i64 * 2 + 1_000);
    let sums = asker.rows::<Sum>(&sql, PATIENCE).await?;
    Ok(sums.into_iter().map(|sum| ((sum.project.clone(), sum.session.clone()), sum.finish())).collect())
}

impl Sum {
    fn finish(self) -> SessionSummary {
        SessionSummary {
            id: self.session,
            started_at: Time(self.began),
            last_at: Time(self.last),
            calls: self.number,
            traces: self.traces,
            errors: self.errors,
            tokens: self.tokens,
            cost_nanousd: NanoUsd(self.cost),
            user: word(self.named),
        }
    }
}
