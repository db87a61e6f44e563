//! `/prompts/{name}/experiments`: versions side by side on one label, and how each does.

mod measured;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::StatusCode;
use registry::{Arm, Exclusion, Experiment, ExperimentPlan, ExperimentState, Unit};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use vocab::{LabelName, PromptName, Time};

use super::Admin;
use super::answer::List;
use super::condition::{Expected, Revised};
use super::description::{Conflict, PreconditionFailed, PromptNotFound};
use super::given::{Named, Sent};
use super::permission::{Allowed, Read, Release};
use super::prompts::PromptPath;
use crate::refusal::Refusal;
use measured::{ArmMetrics, ScoreQuery, Seen};

pub(super) fn routes() -> OpenApiRouter<Admin> {
    OpenApiRouter::default().routes(routes!(list_experiments)).routes(routes!(
        get_experiment,
        set_experiment,
        remove_experiment
    ))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
struct ExperimentPath {
    /// The prompt's name or an alias; `/` is written `%2F`.
    #[param(value_type = String, example = "support%2Freply")]
    name: PromptName,
    /// The label, which need not point at anything.
    #[param(value_type = String, example = "production")]
    label: LabelName,
}

/// Several versions compared on one label, and how each does since the last start.
#[derive(Serialize, ToSchema)]
#[schema(as = Experiment, example = json!({
    "prompt": "support/reply", "label": "production", "name": "support/reply/production", "state": "running",
    "unit": "user", "exclude": {"users": ["load-test"], "metadata": {"tier": ["internal"]}}, "starts": 1,
    "started_at": "2026-11-30T12:00:00.000000Z", "stopped_at": null,
    "exposure": {"calls": 1200, "from": "2026-11-30T12:00:00.000000Z", "to": "2026-11-30T18:00:00.000000Z",
                 "complete": true, "trouble": null},
    "arms": [{
        "name": "control", "version": 3, "weight": 1, "expected_share": 0.5,
        "metrics": {"calls": 607, "share": 0.5058, "errors": 3, "error_rate": 0.0049, "cost_nanousd": 41_600_000,
                    "cost_usd": 0.0416, "input_tokens": 91_000, "output_tokens": 30_500, "latency_p50": 812_000,
                    "latency_p95": 2_310_000, "ttft_p50": 310_000, "scores": {"helpful": 0.71}},
    }],
    "created_by": "ann", "created_at": "2026-11-30T11:00:00.000000Z",
    "updated_by": "ann", "updated_at": "2026-11-30T12:00:00.000000Z", "revision": 17,
}))]
struct ExperimentBody {
    /// The prompt's name.
    #[schema(value_type = String)]
    prompt: PromptName,
    /// The label.
    #[schema(value_type = String)]
    label: LabelName,
    /// `prompt/label` when it was last started: what records and the header `weir-experiment` say.
    name: String,
    /// `running` or `stopped`.
    #[schema(value_type = StateBody)]
    state: ExperimentState,
    /// Whose calls belong together: `user`, `session`, `trace`, `request`, `metadata.KEY`.
    #[schema(value_type = String)]
    unit: Unit,
    /// Who does not take part.
    #[schema(value_type = ExclusionBody)]
    exclude: Exclusion,
    /// How often it was started; each start deals anew.
    starts: u32,
    /// When it was started last; null before the first time.
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Time>,
    /// When it was stopped; null while it runs.
    #[schema(value_type = Option<String>, format = DateTime)]
    stopped_at: Option<Time>,
    /// The calls that took part since the last start; null before the first.
    exposure: Option<Exposure>,
    /// The versions, in order.
    arms: Vec<ArmBody>,
    /// Who set it up.
    created_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    /// Who changed it last.
    updated_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Time,
    /// Changes with every change; what the `ETag` holds.
    revision: i64,
}

/// The calls that took part.
#[derive(Serialize, ToSchema)]
#[schema(as = ExperimentExposure)]
struct Exposure {
    /// How many; null while records cannot be read.
    calls: Option<u64>,
    /// The last start.
    #[schema(value_type = String, format = DateTime)]
    from: Time,
    /// When it was stopped, or now.
    #[schema(value_type = String, format = DateTime)]
    to: Time,
    /// Whether all of them were counted.
    complete: bool,
    /// Why the metrics are missing; null when they are not.
    trouble: Option<String>,
}

/// One of the versions, and how it does.
#[derive(Serialize, ToSchema)]
#[schema(as = ExperimentArm)]
struct ArmBody {
    /// What records call it.
    name: String,
    /// The version it serves.
    version: u32,
    /// Its weight.
    weight: u32,
    /// Its part of all weights.
    expected_share: f64,
    /// What its calls came to; null before the first start and while records cannot be read.
    metrics: Option<ArmMetrics>,
}

/// How an experiment stands.
#[derive(ToSchema)]
#[schema(as = ExperimentState, rename_all = "snake_case")]
#[expect(dead_code, reason = "documents `registry::ExperimentState`, which knows nothing of HTTP")]
enum StateBody {
    Running,
    Stopped,
}

/// Who does not take part: they get what the label points at, and where it points at nothing, the first arm, and their
/// calls are not counted.
#[derive(ToSchema)]
#[schema(as = Exclusion)]
#[expect(dead_code, reason = "documents `registry::Exclusion`, which knows nothing of HTTP")]
struct ExclusionBody {
    /// Users by name.
    users: Option<Vec<String>>,
    /// Values of metadata by key; any of them excludes.
    metadata: Option<std::collections::BTreeMap<String, Vec<String>>>,
}

/// An arm as it is to be.
#[derive(ToSchema)]
#[schema(as = NewExperimentArm)]
#[expect(dead_code, reason = "documents `registry::Arm`, which knows nothing of HTTP")]
struct NewArm {
    /// What records will call it: letters, digits, `_`, `.`, `-`.
    name: String,
    /// The version it serves.
    version: u32,
    /// A whole number from 1 on.
    weight: u32,
}

/// An experiment as it is to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "arms": [{"name": "control", "version": 2, "weight": 1}, {"name": "warm", "version": 3, "weight": 1}],
    "unit": "user", "exclude": {"users": ["load-test"]}, "state": "running",
}))]
struct ExperimentPut {
    /// 2 to 20 arms; their order decides which range of units each gets.
    #[schema(value_type = Vec<NewArm>)]
    arms: Vec<Arm>,
    /// Whose calls belong together: `user`, `session`, `trace`, `request`, `metadata.KEY`.
    #[schema(value_type = String)]
    unit: Unit,
    /// Who does not take part.
    #[serde(default)]
    #[schema(value_type = Option<ExclusionBody>)]
    exclude: Option<Exclusion>,
    /// `running` starts it, or lets it run on; `stopped` stops it, or prepares it.
    #[schema(value_type = StateBody)]
    state: ExperimentState,
    /// Why its arms may break the label's callers, where the label's policy has them asked.
    r#override: Option<String>,
}

impl ExperimentBody {
    fn of(experiment: Experiment, seen: Option<Seen>) -> Self {
        let all: u64 = experiment.arms.iter().map(|arm| u64::from(arm.weight)).sum();
        let arms = experiment.arms.iter().map(|arm| ArmBody {
            name: arm.name.to_string(),
            version: arm.version,
            weight: arm.weight,
            expected_share: f64::from(arm.weight) / all as f64,
            metrics: seen.as_ref().and_then(|seen| seen.metrics(&arm.name)),
        });
        Self {
            arms: arms.collect(),
            exposure: seen.map(|seen| Exposure {
                calls: seen.calls(),
                from: seen.from,
                to: seen.to,
                complete: seen.is_complete(),
                trouble: seen.trouble(),
            }),
            prompt: experiment.prompt,
            label: experiment.label,
            name: experiment.name,
            state: experiment.state,
            unit: experiment.unit,
            exclude: experiment.exclude,
            starts: experiment.starts,
            started_at: experiment.started_at,
            stopped_at: experiment.stopped_at,
            created_by: experiment.created_by,
            created_at: experiment.created_at,
            updated_by: experiment.updated_by,
            updated_at: experiment.updated_at,
            revision: experiment.revision,
        }
    }
}

/// List a prompt's experiments
///
/// With exposure and metrics per arm since the last start of each.
#[utoipa::path(
    get, path = "/prompts/{name}/experiments", tag = "experiments", params(PromptPath, ScoreQuery),
    responses((status = 200, description = "All of them, on one page", body = List<ExperimentBody>), PromptNotFound),
)]
async fn list_experiments(
    allowed: Allowed<Read, ScoreQuery>,
    State(admin): State<Admin>,
    Named(PromptPath { name }): Named<PromptPath>,
) -> Result<Json<List<ExperimentBody>>, Refusal> {
    let scores = allowed.asked.names()?;
    let found = admin.app.registry.list_experiments(&allowed.project, &name).await;
    let mut data = Vec::new();
    for experiment in found.map_err(Refusal::of_prompt)? {
        let seen = measured::see(&admin, &allowed.project, &experiment, &scores).await;
        data.push(ExperimentBody::of(experiment, seen));
    }
    Ok(Json(List::whole(data)))
}

/// Get the experiment on a label
///
/// With exposure and metrics per arm since the last start. The `ETag` is that of the plan: it stays while calls come in.
#[utoipa::path(
    get, path = "/prompts/{name}/experiments/{label}", tag = "experiments", params(ExperimentPath, ScoreQuery),
    responses((status = 200, description = "The experiment", body = ExperimentBody), PromptNotFound),
)]
async fn get_experiment(
    allowed: Allowed<Read, ScoreQuery>,
    State(admin): State<Admin>,
    Named(ExperimentPath { name, label }): Named<ExperimentPath>,
) -> Result<Revised<ExperimentBody>, Refusal> {
    let scores = allowed.asked.names()?;
    let found = admin.app.registry.get_experiment(&allowed.project, &name, &label).await;
    let experiment = found.map_err(Refusal::of_prompt)?;
    let seen = measured::see(&admin, &allowed.project, &experiment, &scores).await;
    Ok(Revised { revision: experiment.revision, body: ExperimentBody::of(experiment, seen) })
}

/// Set up, change, start or stop the experiment on a label
///
/// Each arm passes the label's policy. Every start deals all units anew; changes while it runs move nobody whose range
/// of weights stays. `unit` changes only while it is stopped.
#[utoipa::path(
    put, path = "/prompts/{name}/experiments/{label}", tag = "experiments", params(ExperimentPath),
    request_body = ExperimentPut,
    responses(
        (status = 200, description = "The experiment as it is now", body = ExperimentBody, headers(("etag" = String))),
        PromptNotFound, Conflict, PreconditionFailed,
    ),
)]
async fn set_experiment(
    allowed: Allowed<Release>,
    State(admin): State<Admin>,
    Named(ExperimentPath { name, label }): Named<ExperimentPath>,
    expected: Expected,
    Sent(put): Sent<ExperimentPut>,
) -> Result<Revised<ExperimentBody>, Refusal> {
    let ExperimentPut { arms, unit, exclude, state, r#override: waiver } = put;
    let plan = ExperimentPlan { arms, unit, exclude: exclude.unwrap_or_default(), state, waiver };
    let place = (&*allowed.project, &name, &label);
    let insisted = insisted(&admin, place, &expected).await?;
    let set = admin.app.registry.set_experiment(place, plan, insisted, &allowed.who).await;
    let experiment = expected.judge(set, Refusal::of_prompt)?;
    let seen = measured::see(&admin, &allowed.project, &experiment, &[]).await;
    Ok(Revised { revision: experiment.revision, body: ExperimentBody::of(experiment, seen) })
}

/// Remove the experiment on a label
///
/// Stops it and forgets its plan. What was recorded of it stays.
#[utoipa::path(
    delete, path = "/prompts/{name}/experiments/{label}", tag = "experiments", params(ExperimentPath),
    responses((status = 204, description = "It is gone"), PromptNotFound, PreconditionFailed),
)]
async fn remove_experiment(
    allowed: Allowed<Release>,
    State(admin): State<Admin>,
    Named(ExperimentPath { name, label }): Named<ExperimentPath>,
    expected: Expected,
) -> Result<impl IntoResponse, Refusal> {
    let place = (&*allowed.project, &name, &label);
    let insisted = insisted(&admin, place, &expected).await?;
    let removed = admin.app.registry.remove_experiment(place, insisted, &allowed.who).await;
    expected.judge(removed, Refusal::of_prompt).map(|()| StatusCode::NO_CONTENT)
}

/// The revision the caller insists on, once it is seen to be the present one.
async fn insisted(
    admin: &Admin,
    (project, name, label): (&str, &PromptName, &LabelName),
    expected: &Expected,
) -> Result<Option<i64>, Refusal> {
    if !expected.insists() {
        return Ok(None);
    }
    let now = admin.app.registry.get_experiment(project, name, label).await.map_err(Refusal::of_prompt)?;
    expected.check(now.revision)?;
    Ok(Some(now.revision))
}
