//! What traces in a list come to, over all their calls and spans.

use std::collections::HashMap;
use std::time::Duration;

use clickhouse::Row;
use serde::Deserialize;
use vocab::{NanoUsd, Time};

use crate::clickhouse::ask::{Asker, Failure, PATIENCE};
use crate::clickhouse::groups::{Group, Tie};
use crate::clickhouse::rows::word;
use crate::clickhouse::scope::Scope;
use crate::clickhouse::sql::Sql;
use crate::trace::TraceSummary;

/// How far from the call or span that a trace is listed by the rest of it is looked for: the bloom filter over
/// trace ids rules out little when fifty are looked for at once in all there is.
const NEAR: Duration = Duration::from_hours(24);

/// Calls or spans of one trace, summed up.
#[derive(Row, Deserialize)]
struct Sum {
    project: String,
    name: String,
    began: i64,
    ended: i64,
    /// Whether the first of them without a parent is none after all, and when it began: the least is the root.
    root: (bool, i64),
    root_name: String,
    number: u64,
    errors: u64,
    tokens: u64,
    cost: i64,
    named: String,
    named_at: i64,
    session_named: String,
    session_at: i64,
}

const OF_CALLS: &str = "SELECT project, lower(hex(trace_id)) AS name,
    toUnixTimestamp64Micro(min(started_at)) AS began,
    max(toUnixTimestamp64Micro(started_at) + toInt64(duration_us)) AS ended,
    min((parent_span_id != toFixedString('', 8), toUnixTimestamp64Micro(started_at))) AS root,
    toString(argMin(endpoint, (parent_span_id != toFixedString('', 8), started_at))) AS root_name,
    count() AS number, countIf(outcome NOT IN ('ok', 'cancelled')) AS errors,
    sum(ifNull(input_tokens, 0) + ifNull(output_tokens, 0)) AS tokens, sum(ifNull(cost_nanousd, 0)) AS cost,
    argMinIf(user, started_at, user != '') AS named,
    toUnixTimestamp64Micro(minIf(started_at, user != '')) AS named_at,
    argMinIf(session, started_at, session != '') AS session_named,
    toUnixTimestamp64Micro(minIf(started_at, session != '')) AS session_at FROM calls WHERE ";

const OF_SPANS: &str = "SELECT project, lower(hex(trace_id)) AS name,
    toUnixTimestamp64Micro(min(started_at)) AS began,
    max(toUnixTimestamp64Micro(started_at) + toInt64(duration_us)) AS ended,
    min((parent_span_id != toFixedString('', 8), toUnixTimestamp64Micro(started_at))) AS root,
    toString(argMin(spans.name, (parent_span_id != toFixedString('', 8), started_at))) AS root_name,
    uniqExact(span_id) AS number, uniqExactIf(span_id, failed) AS errors, toUInt64(0) AS tokens, toInt64(0) AS cost,
    argMinIf(user, started_at, user != '') AS named,
    toUnixTimestamp64Micro(minIf(started_at, user != '')) AS named_at,
    argMinIf(session, started_at, session != '') AS session_named,
    toUnixTimestamp64Micro(minIf(started_at, session != '')) AS session_at FROM spans WHERE ";

/// Sums up traces; served by `trace_seen` within a day of where they stand.
pub(super) async fn of(
    asker: &Asker,
    traces: &[Group],
) -> Result<HashMap<(String, String), TraceSummary>, Failure> {
    let places = || traces.iter().map(|trace| Time(trace.place.started));
    let (Some(first), Some(last)) = (places().min(), places().max()) else { return Ok(HashMap::new()) };
    let scope = Scope::between(None, Some(first.minus(NEAR)), Some(last.plus(NEAR)), None);
    let (calls, spans) =
        tokio::try_join!(sums(asker, OF_CALLS, &scope, traces), sums(asker, OF_SPANS, &scope, traces))?;
    let mut spans: HashMap<_, _> = spans.into_iter().map(|sum| (sum.key(), sum)).collect();
    let mut found: HashMap<_, _> = HashMap::new();
    for sum in calls {
        let spans = spans.remove(&sum.key());
        found.insert(sum.key(), summary(Some(sum), spans));
    }
    found.extend(spans.into_iter().map(|(key, sum)| (key, summary(None, Some(sum)))));
    Ok(found)
}

async fn sums(asker: &Asker, of: &'static str, scope: &Scope, traces: &[Group]) -> Result<Vec<Sum>, Failure> {
    let mut sql = Sql::new(of);
    sql.append(&scope.within("started_at")).append(&Tie::Trace.among(traces));
    sql.push(" GROUP BY project, trace_id LIMIT 100000");
    asker.rows(&sql, PATIENCE).await
}

impl Sum {
    fn key(&self) -> (String, String) {
        (self.project.clone(), self.name.clone())
    }
}

/// A trace out of its calls and its spans.
fn summary(calls: Option<Sum>, spans: Option<Sum>) -> TraceSummary {
    let number = |sum: &Option<Sum>| sum.as_ref().map_or(0, |sum| sum.number);
    let (call_number, span_number) = (number(&calls), number(&spans));
    // Spans first: of what began together, the span is what the call is under.
    let parts: Vec<Sum> = spans.into_iter().chain(calls).collect();
    let began = parts.iter().map(|sum| sum.began).min().unwrap_or_default();
    let ended = parts.iter().map(|sum| sum.ended).max().unwrap_or_default();
    let root = parts.iter().min_by_key(|sum| sum.root);
    let first = |at: fn(&Sum) -> i64, name: fn(&Sum) -> &String| {
        let named = parts.iter().filter(|sum| !name(sum).is_empty()).min_by_key(|sum| at(sum));
        named.and_then(|sum| word(name(sum).clone()))
    };
    TraceSummary {
        trace_id: parts.first().map(|sum| sum.name.clone()).unwrap_or_default(),
        name: root.map(|sum| sum.root_name.clone()).unwrap_or_default(),
        started_at: Time(began),
        duration_us: ended.saturating_sub(began).max(0) as u64,
        calls: call_number,
        spans: span_number,
        errors: parts.iter().map(|sum| sum.errors).sum(),
        tokens: parts.iter().map(|sum| sum.tokens).sum(),
        cost_nanousd: NanoUsd(parts.iter().map(|sum| sum.cost).sum()),
        user: first(|sum| sum.named_at, |sum| &sum.named),
        session: first(|sum| sum.session_at, |sum| &sum.session_named),
    }
}
