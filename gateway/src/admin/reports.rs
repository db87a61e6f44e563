//! `/reports`: numbers over calls; every chart and every alert is one.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use analytics::report::{Group, Measured, Report, Table, TableRow};
use analytics::{moment, query};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use vocab::Time;

use super::Admin;
use super::given::Sent;
use super::permission::{Allowed, Read};
use super::searched::{in_order, time};
use crate::refusal::{Kind, Refusal};

/// The most measures of one report.
const MEASURES: usize = 20;
/// The most groups of one report.
const GROUPS: usize = 4;
/// The longest time one report spans.
const RANGE: Duration = Duration::from_hours(24 * 800);
/// The narrowest bucket: roll-ups are kept by the minute.
const INTERVAL_MIN: Duration = Duration::from_mins(1);
/// The most buckets.
const BUCKETS: u64 = 5_000;
/// The most rows.
const ROWS: u32 = 10_000;
/// How many rows there are when nobody says.
const ROWS_DEFAULT: u32 = 1_000;

pub(super) fn routes() -> OpenApiRouter<Admin> {
    OpenApiRouter::default().routes(routes!(run_report))
}

/// A question about many calls.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ReportQuestion, example = json!({
    "measures": ["calls", "error_rate", "cost", "latency_p95"], "group_by": ["model"], "interval": "1h",
    "q": "prompt:support/reply", "from": "-7d", "to": "now",
}))]
pub(super) struct ReportBody {
    /// What to measure: `calls`, `errors` (neither `ok` nor `cancelled`), `error_rate` (0 to 1), `cost` (dollars),
    /// `unpriced` (calls that used tokens and have no known cost), `tokens`, `input_tokens`, `cached_input_tokens`,
    /// `cache_write_tokens`, `output_tokens`, `reasoning_tokens`, `audio_tokens`, `latency_p50` and any other percentile
    /// up to `latency_p99.999`, `ttft_p95` likewise, `cache_hit_rate`, `score.<name>` (the mean).
    measures: Vec<String>,
    /// What to split by: `model` (the one that served), `provider`, `prompt`, `version`, `label`, `key`, `user`,
    /// `session`, `tag`, `status`, `outcome`, `error`, `endpoint`, `stream`, `cache`, `experiment`, `arm`, `node`, `trace`,
    /// `metadata.<key>`, `variable.<key>`. A call with several tags counts under each.
    #[serde(default)]
    group_by: Vec<String>,
    /// How wide a time bucket is: `1m`, `15m`, `1h`, `1d`, `1w`. One bucket for all of the time when absent. Buckets
    /// begin at multiples of the interval since 1970, UTC.
    interval: Option<String>,
    /// Only calls that match this search text.
    q: Option<String>,
    /// The earliest start, itself included: RFC 3339, a date, or a while ago such as `-7d`.
    from: String,
    /// The latest start, itself excluded; now when absent.
    to: Option<String>,
    /// The most rows, 1000 when absent, 10000 at most; those with the most calls stay.
    limit: Option<u32>,
}

/// A report's numbers: a flat object for each bucket of each group.
#[derive(Serialize, ToSchema)]
#[schema(as = Report, example = json!({
    "data": [{
        "bucket": "2026-11-30T12:00:00.000000Z", "model": "gpt-5-mini", "calls": 120, "error_rate": 0.025,
        "cost": 0.0416, "cost_nanousd": 41_600_000, "latency_p95": 2_310_000,
    }],
    "units": {"calls": "calls", "error_rate": "ratio", "cost": "usd", "cost_nanousd": "nanousd", "latency_p95": "us"},
    "from": "2026-11-23T12:00:00.000000Z", "to": "2026-11-30T12:00:00.000000Z", "interval": "1h", "complete": true,
    "truncated": false,
}))]
struct ReportAnswer {
    /// By bucket, then by falling number of calls. Each has `bucket` (when it begins; null without an interval), the
    /// groups by their names (null for calls without one), the measures by theirs (null where there is nothing to
    /// measure) and, beside `cost`, the exact `cost_nanousd`.
    #[schema(value_type = Vec<Object>)]
    data: Vec<Value>,
    /// What each measure is counted in: `calls`, `tokens`, `usd`, `nanousd`, `us`, `ratio`, `score`.
    #[schema(value_type = Object)]
    units: Map<String, Value>,
    /// The earliest start that counts.
    #[schema(value_type = String, format = DateTime)]
    from: Time,
    /// The latest, itself excluded.
    #[schema(value_type = String, format = DateTime)]
    to: Time,
    /// The bucket's width, as asked for.
    interval: Option<String>,
    /// Whether every call was counted; false when time ran out first.
    complete: bool,
    /// Whether rows beyond the limit were left out.
    truncated: bool,
}

/// Run a report
///
/// Quantiles are within 1 % of the true ones.
#[utoipa::path(
    post, path = "/reports", tag = "reports", request_body = ReportBody,
    responses((status = 200, description = "The numbers", body = ReportAnswer)),
)]
async fn run_report(
    allowed: Allowed<Read>,
    State(admin): State<Admin>,
    Sent(body): Sent<ReportBody>,
) -> Result<Json<ReportAnswer>, Refusal> {
    let redaction = &admin.app.policies.of_project(&allowed.project).redaction;
    let mut report = body.report(Arc::clone(&allowed.project), admin.app.clock.now())?;
    redaction.seek(&mut report.filter);
    let (measures, groups) = (report.measures.clone(), report.group_by.clone());
    let (from, to) = (report.from, report.to);
    let Table { rows, complete, truncated } = admin.app.store.report(report).await?;
    Ok(Json(ReportAnswer {
        data: rows.into_iter().map(|row| flat(row, &measures, &groups)).collect(),
        units: units(&measures),
        from,
        to,
        interval: body.interval,
        complete,
        truncated,
    }))
}

impl ReportBody {
    /// The report this asks for.
    pub(super) fn report(&self, project: Arc<str>, now: Time) -> Result<Report, Refusal> {
        let from = time("from", &self.from, now)?;
        let to = self.to.as_deref().map_or(Ok(now), |to| time("to", to, now))?;
        let span = span(from, to)?;
        Ok(Report {
            project: Some(project),
            filter: query::parse(self.q.as_deref().unwrap_or_default())?,
            from,
            to,
            ended_within: None,
            measures: list("measures", &self.measures, 1..=MEASURES)?,
            group_by: list::<Group>("group_by", &self.group_by, 0..=GROUPS)?,
            interval: self.interval.as_deref().map(|text| interval(text, span)).transpose()?,
            limit: rows(self.limit)?,
        })
    }
}

fn refused(param: &'static str, message: String) -> Refusal {
    Refusal::new(Kind::InvalidRequest, message).param(param)
}

/// Words of a list, each known and named once.
fn list<T>(
    param: &'static str,
    words: &[String],
    many: std::ops::RangeInclusive<usize>,
) -> Result<Vec<T>, Refusal>
where
    T: std::str::FromStr<Err = analytics::report::UnknownWord>,
{
    if !many.contains(&words.len()) {
        let message = format!("`{param}` has {} to {} words, not {}", many.start(), many.end(), words.len());
        return Err(refused(param, message));
    }
    if words.iter().collect::<BTreeSet<_>>().len() < words.len() {
        return Err(refused(param, format!("`{param}` names something twice: name it once")));
    }
    words.iter().map(|word| word.parse().map_err(|error: T::Err| refused(param, error.to_string()))).collect()
}

fn span(from: Time, to: Time) -> Result<Duration, Refusal> {
    in_order(from, to)?;
    let micros = u64::try_from(to.micros().saturating_sub(from.micros())).unwrap_or_default();
    let span = Duration::from_micros(micros);
    if span > RANGE {
        let days = RANGE.as_secs() / 86_400;
        return Err(refused(
            "from",
            format!("a report spans at most {days} days: bring `from` nearer to `to`"),
        ));
    }
    Ok(span)
}

fn interval(text: &str, span: Duration) -> Result<Duration, Refusal> {
    let refuse = |message| refused("interval", message);
    let interval = moment::span(text).ok_or_else(|| {
        refuse("`interval` is a number and a unit: `1m`, `15m`, `1h`, `1d`, `1w`".to_owned())
    })?;
    if interval < INTERVAL_MIN {
        return Err(refuse("`interval` is a minute or more".to_owned()));
    }
    let buckets = span.as_micros().div_ceil(interval.as_micros());
    if buckets > u128::from(BUCKETS) {
        let message =
            format!("that makes {buckets} buckets, the most is {BUCKETS}: use a wider interval or less time");
        return Err(refuse(message));
    }
    Ok(interval)
}

fn rows(limit: Option<u32>) -> Result<u32, Refusal> {
    match limit.unwrap_or(ROWS_DEFAULT) {
        rows if (1..=ROWS).contains(&rows) => Ok(rows),
        rows => Err(refused("limit", format!("`limit` must be 1 to {ROWS}, not {rows}"))),
    }
}

fn units(measures: &[Measured]) -> Map<String, Value> {
    let mut units = Map::new();
    for measure in measures {
        units.insert(measure.to_string(), unit(measure).into());
        if *measure == Measured::Cost {
            units.insert("cost_nanousd".to_owned(), "nanousd".into());
        }
    }
    units
}

const fn unit(measure: &Measured) -> &'static str {
    match measure {
        Measured::Calls | Measured::Errors | Measured::Unpriced => "calls",
        Measured::ErrorRate | Measured::CacheHitRate => "ratio",
        Measured::Cost => "usd",
        Measured::Tokens(_) => "tokens",
        Measured::Latency(_) | Measured::Ttft(_) => "us",
        Measured::Score(_) => "score",
    }
}

/// A row as one flat object; names of groups and of measures never meet.
fn flat(row: TableRow, measures: &[Measured], groups: &[Group]) -> Value {
    let mut fields = Map::new();
    fields.insert("bucket".to_owned(), json!(row.bucket));
    for (group, value) in groups.iter().zip(row.group) {
        fields.insert(group.to_string(), value.into());
    }
    for (measure, value) in measures.iter().zip(row.values) {
        let shown = match measure {
            Measured::ErrorRate | Measured::CacheHitRate | Measured::Score(_) => json!(value),
            Measured::Cost => {
                fields.insert("cost_nanousd".to_owned(), whole(value));
                json!(value.map(|nanos| nanos / 1e9))
            }
            Measured::Calls
            | Measured::Errors
            | Measured::Unpriced
            | Measured::Tokens(_)
            | Measured::Latency(_)
            | Measured::Ttft(_) => whole(value),
        };
        fields.insert(measure.to_string(), shown);
    }
    Value::Object(fields)
}

fn whole(value: Option<f64>) -> Value {
    value.map_or(Value::Null, |value| json!(value.round() as i64))
}
