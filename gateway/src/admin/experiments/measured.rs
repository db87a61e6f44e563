//! What the calls of an experiment's arms came to: one report over the time since its last start.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use analytics::filter::{Field, Filter, Pattern, Term, Test};
use analytics::report::{Group, Measured, Report, Table, TokenClass};
use registry::Experiment;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use utoipa::ToSchema;
use vocab::Time;

use crate::admin::Admin;
use crate::refusal::{Kind, Refusal};

/// How long the report may take.
const REPORT_TIME: Duration = Duration::from_secs(20);
/// The most arms a report tells apart: those there are, and some that were edited away.
const ARMS: u32 = 100;
/// The most scores asked for at once.
const SCORES: usize = 10;
/// What is always measured, in the order [`ArmMetrics`] reads it; scores follow.
const MEASURES: usize = 8;

/// Which scores to measure.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ScoreQuery {
    /// Names of scores whose means are wanted, with commas between.
    #[param(example = "helpful,accurate")]
    scores: Option<String>,
}

/// What an arm's calls came to.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct ArmMetrics {
    /// How many.
    calls: u64,
    /// Its part of all calls that took part; null without any.
    share: Option<f64>,
    /// Those whose outcome is neither `ok` nor `cancelled`.
    errors: u64,
    /// Errors per call, 0 to 1.
    error_rate: Option<f64>,
    /// Billionths of a dollar; null while no call of known cost is there.
    cost_nanousd: Option<i64>,
    /// The same in dollars.
    cost_usd: Option<f64>,
    /// Tokens read.
    input_tokens: Option<u64>,
    /// Tokens written.
    output_tokens: Option<u64>,
    /// The median duration, µs.
    latency_p50: Option<u64>,
    /// The 95th percentile of the duration, µs.
    latency_p95: Option<u64>,
    /// The median time to the first token, µs.
    ttft_p50: Option<u64>,
    /// The means of the scores asked for, by name; null where none was given.
    scores: BTreeMap<String, Option<f64>>,
}

/// What was seen of an experiment.
pub(super) struct Seen {
    pub(super) from: Time,
    pub(super) to: Time,
    scores: Vec<String>,
    table: Result<Table, String>,
}

impl ScoreQuery {
    /// The names.
    pub(super) fn names(self) -> Result<Vec<String>, Refusal> {
        let names = self.scores.unwrap_or_default();
        let names: Vec<_> =
            names.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
        if names.len() > SCORES {
            let message = format!("`scores` names at most {SCORES} scores");
            return Err(Refusal::new(Kind::InvalidRequest, message).param("scores"));
        }
        Ok(names)
    }
}

/// Measures an experiment's arms; `None` before its first start. Records that cannot be read are no refusal: the plan
/// can.
pub(super) async fn see(
    admin: &Admin,
    project: &Arc<str>,
    experiment: &Experiment,
    scores: &[String],
) -> Option<Seen> {
    let from = experiment.started_at?;
    let to = experiment.stopped_at.unwrap_or_else(|| admin.app.clock.now());
    let report = report(project, experiment, [from, to], scores);
    let answered = timeout(REPORT_TIME, admin.app.store.report(report)).await;
    let table = match answered {
        Ok(table) => table.map_err(|error| error.to_string()),
        Err(_) => Err("the report took too long".to_owned()),
    };
    Some(Seen { from, to, scores: scores.to_vec(), table })
}

fn report(project: &Arc<str>, experiment: &Experiment, [from, to]: [Time; 2], scores: &[String]) -> Report {
    let name = Pattern::Exactly(experiment.name.clone());
    let of_this = Term { negated: false, test: Test::Is(Field::Experiment, vec![name]) };
    let mut measures = vec![
        Measured::Calls,
        Measured::Errors,
        Measured::Cost,
        Measured::Tokens(TokenClass::Input),
        Measured::Tokens(TokenClass::Output),
        Measured::Latency(0.5),
        Measured::Latency(0.95),
        Measured::Ttft(0.5),
    ];
    measures.extend(scores.iter().cloned().map(Measured::Score));
    Report {
        project: Some(Arc::clone(project)),
        filter: Filter { terms: vec![of_this] },
        from,
        // A report's end is exclusive.
        to: Time(to.micros() + 1),
        ended_within: None,
        measures,
        group_by: vec![Group::Field(Field::Arm)],
        interval: None,
        limit: ARMS,
    }
}

impl Seen {
    /// How many calls took part.
    pub(super) fn calls(&self) -> Option<u64> {
        let rows = &self.table.as_ref().ok()?.rows;
        Some(rows.iter().filter_map(|row| count(row.values.first())).sum())
    }

    /// Whether every call was counted.
    pub(super) fn is_complete(&self) -> bool {
        self.table.as_ref().is_ok_and(|table| table.complete && !table.truncated)
    }

    /// Why there are no numbers.
    pub(super) fn trouble(&self) -> Option<String> {
        self.table.as_ref().err().cloned()
    }

    /// What an arm's calls came to; zero calls where there were none.
    pub(super) fn metrics(&self, arm: &str) -> Option<ArmMetrics> {
        let rows = &self.table.as_ref().ok()?.rows;
        let row = rows.iter().find(|row| row.group.first().is_some_and(|name| name.as_deref() == Some(arm)));
        let value = |at: usize| row.and_then(|row| row.values.get(at).copied().flatten());
        let number = |at| count(Some(&value(at)));
        let (calls, errors) = (number(0).unwrap_or_default(), number(1).unwrap_or_default());
        let all = self.calls().unwrap_or_default();
        let cost = value(2);
        let scores = self.scores.iter().enumerate().map(|(at, name)| (name.clone(), value(MEASURES + at)));
        Some(ArmMetrics {
            calls,
            share: (all > 0).then(|| calls as f64 / all as f64),
            errors,
            error_rate: (calls > 0).then(|| errors as f64 / calls as f64),
            cost_nanousd: cost.map(|nanos| nanos.round() as i64),
            cost_usd: cost.map(|nanos| nanos / 1e9),
            input_tokens: number(3),
            output_tokens: number(4),
            latency_p50: number(5),
            latency_p95: number(6),
            ttft_p50: number(7),
            scores: scores.collect(),
        })
    }
}

fn count(value: Option<&Option<f64>>) -> Option<u64> {
    value.copied().flatten().map(|value| value.round() as u64)
}
