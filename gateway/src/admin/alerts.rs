//! `/alerts`: rules that watch reports, how they stand, and who is told.

mod trial;
mod written;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::StatusCode;
use registry::alerts::{AlertState, GroupState, Rule, Turn};
use registry::{Alert, AlertChange, StoreError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use vocab::{Id, Time};

use super::Admin;
use super::answer::{List, location};
use super::condition::{Expected, Revised};
use super::description::{Conflict, NotFound, PreconditionFailed};
use super::given::{Named, Paged, Sent};
use super::permission::{Allowed, Read, WriteAlerts};
use crate::jobs::alert::Watch;
use crate::refusal::{Kind, Refusal};
use written::{AlertPatch, NewAlert, RuleBody, StateBody};

/// How often a change is tried anew when another one comes in between, where the caller did not insist on one.
const CHANGE_TRIES: u32 = 5;

pub(super) fn routes() -> OpenApiRouter<Admin> {
    OpenApiRouter::default()
        .routes(routes!(list_alerts, create_alert))
        .routes(routes!(get_alert, update_alert, delete_alert))
        .routes(routes!(list_alert_history))
        .routes(routes!(mute_alert))
        .merge(trial::routes())
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
struct AlertPath {
    /// The alert's id.
    #[param(example = "019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4d")]
    id: String,
}

/// A rule and how it stands.
#[derive(Serialize, ToSchema)]
#[schema(as = Alert, example = json!({
    "id": "019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4d",
    "name": "checkout errors",
    "project": "default",
    "enabled": true,
    "state": "firing",
    "states": [{
        "group": ["openai"],
        "state": "firing",
        "since": "2026-11-30T12:03:00.000000Z",
        "value": 0.12,
        "reference": 0.05,
    }],
    "condition": {"kind": "threshold", "measure": "error_rate", "comparison": "above", "value": 0.05, "window": "5m"},
    "q": "tag:checkout",
    "group_by": ["provider"],
    "min_calls": 20,
    "for": "2m",
    "recover": "0s",
    "missing": "ok",
    "severity": "critical",
    "notify": [{"webhook": "019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4e"}],
    "renotify": "4h",
    "muted_until": null,
    "evaluated_at": "2026-11-30T12:04:00.000000Z",
    "trouble": null,
    "created_by": "ann",
    "created_at": "2026-11-30T12:00:00.000000Z",
    "updated_at": "2026-11-30T12:00:00.000000Z",
    "revision": 17,
}))]
struct AlertBody {
    /// Stays.
    #[schema(value_type = String, format = "uuid")]
    id: Id<vocab::id::Alert>,
    /// What people call it; unique in its project.
    name: String,
    /// The project whose calls it watches.
    project: String,
    /// Whether it is evaluated.
    enabled: bool,
    /// How it stands, the worst of its groups; null while it is disabled and before its first evaluation.
    #[schema(value_type = Option<StateBody>)]
    state: Option<AlertState>,
    /// How each group stands.
    states: Vec<GroupBody>,
    #[serde(flatten)]
    rule: RuleBody,
    /// Until when nobody is told; null when they are.
    #[schema(value_type = Option<String>, format = DateTime)]
    muted_until: Option<Time>,
    /// When it was evaluated last.
    #[schema(value_type = Option<String>, format = DateTime)]
    evaluated_at: Option<Time>,
    /// What was wrong with the last evaluation; null when nothing was.
    trouble: Option<String>,
    /// Who made it.
    created_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    /// When it was changed last.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Time,
    /// Grows with every change of the rule, not of its state; what the `ETag` holds.
    revision: i64,
}

/// How a rule stands for one group.
#[derive(Serialize, ToSchema)]
#[schema(as = AlertGroup)]
struct GroupBody {
    /// The values of the fields in `group_by`; an empty list without any.
    group: Vec<Option<String>>,
    /// How it stands.
    #[schema(value_type = StateBody)]
    state: AlertState,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    since: Time,
    /// What was measured last; null when there was nothing to measure.
    value: Option<f64>,
    /// What it was compared with: the limit, or for a change what was measured before.
    reference: Option<f64>,
}

impl From<GroupState> for GroupBody {
    fn from(state: GroupState) -> Self {
        let GroupState { group, state, since, value, reference, .. } = state;
        Self { group, state, since, value, reference }
    }
}

impl AlertBody {
    fn of(alert: Alert, states: Vec<GroupState>) -> Self {
        let worst =
            [AlertState::Ok, AlertState::NoData, AlertState::Pending, AlertState::Error, AlertState::Firing];
        let badness = |state: AlertState| worst.iter().position(|it| *it == state);
        let evaluated = alert.enabled && alert.evaluated_at.is_some();
        let state = states.iter().map(|state| state.state).max_by_key(|state| badness(*state));
        Self {
            id: alert.id,
            name: alert.name.to_string(),
            project: alert.project.to_string(),
            enabled: alert.enabled,
            // Groups that are well and have no calls are not kept.
            state: evaluated.then(|| state.unwrap_or(AlertState::Ok)),
            states: states.into_iter().map(GroupBody::from).collect(),
            rule: RuleBody::from(&alert.rule),
            muted_until: alert.muted_until,
            evaluated_at: alert.evaluated_at,
            trouble: alert.trouble,
            created_by: alert.created_by.to_string(),
            created_at: alert.created_at,
            updated_at: alert.updated_at,
            revision: alert.revision,
        }
    }
}

async fn revised(admin: &Admin, alert: Alert) -> Result<Revised<AlertBody>, Refusal> {
    let states = admin.app.registry.alert_states(alert.id).await?;
    Ok(Revised { revision: alert.revision, body: AlertBody::of(alert, states) })
}

/// Make an alert
///
/// It is evaluated within `alerts.interval`, by one node. Who may be told: webhooks of the project, and e-mail addresses
/// where the operator configured a mail server.
#[utoipa::path(
    post, path = "/alerts", tag = "alerts", request_body = NewAlert,
    responses(
        (status = 201, description = "It watches from now on", body = AlertBody, headers(("location" = String), ("etag" = String))),
        NotFound,
    ),
)]
async fn create_alert(
    allowed: Allowed<WriteAlerts>,
    State(admin): State<Admin>,
    Sent(new): Sent<NewAlert>,
) -> Result<impl IntoResponse, Refusal> {
    let enabled = new.enabled.unwrap_or(true);
    let (name, rule) = new.into_rule();
    check(&admin, &rule)?;
    let new = registry::NewAlert { name, project: allowed.project.to_string(), enabled, rule };
    let made = admin.app.registry.create_alert(new, &allowed.who).await?;
    let location = location("/alerts", &made.id.to_string());
    Ok((StatusCode::CREATED, location, revised(&admin, made).await?))
}

/// List alerts, newest first
#[utoipa::path(
    get, path = "/alerts", tag = "alerts", params(Paged),
    responses((status = 200, description = "A page of alerts and how they stand", body = List<AlertBody>)),
)]
async fn list_alerts(
    allowed: Allowed<Read, Paged>,
    State(admin): State<Admin>,
) -> Result<Json<List<AlertBody>>, Refusal> {
    let paging = allowed.asked.paging()?;
    let page = admin.app.registry.list_alerts(&allowed.project, &paging).await?;
    let mut data = Vec::with_capacity(page.data.len());
    for alert in page.data {
        let states = admin.app.registry.alert_states(alert.id).await?;
        data.push(AlertBody::of(alert, states));
    }
    Ok(Json(List { data, next_cursor: page.next_cursor }))
}

/// Get an alert
///
/// The `ETag` of the answer is that of the rule: it stays while only the state changes.
#[utoipa::path(
    get, path = "/alerts/{id}", tag = "alerts", params(AlertPath),
    responses((status = 200, description = "The alert and how it stands", body = AlertBody), NotFound),
)]
async fn get_alert(
    allowed: Allowed<Read>,
    State(admin): State<Admin>,
    Named(AlertPath { id }): Named<AlertPath>,
) -> Result<Revised<AlertBody>, Refusal> {
    let alert = find(&admin, &allowed.project, &id).await?;
    revised(&admin, alert).await
}

/// Change an alert
///
/// With another `condition`, or disabled, it forgets its state and tells nobody that it ended.
#[utoipa::path(
    patch, path = "/alerts/{id}", tag = "alerts", params(AlertPath), request_body = AlertPatch,
    responses(
        (status = 200, description = "The alert as it is now", body = AlertBody, headers(("etag" = String))),
        NotFound, Conflict, PreconditionFailed,
    ),
)]
async fn update_alert(
    allowed: Allowed<WriteAlerts>,
    State(admin): State<Admin>,
    Named(AlertPath { id }): Named<AlertPath>,
    expected: Expected,
    Sent(patch): Sent<AlertPatch>,
) -> Result<Revised<AlertBody>, Refusal> {
    let mut tries = 0;
    loop {
        let now = find(&admin, &allowed.project, &id).await?;
        expected.check(now.revision)?;
        let change = patch.change(&now);
        if let Some(rule) = &change.rule {
            check(&admin, rule)?;
        }
        let changed = admin.app.registry.update_alert(now.id, change, &allowed.who).await;
        tries += 1;
        match changed {
            Err(StoreError::Stale { .. }) if !expected.insists() && tries < CHANGE_TRIES => {}
            changed => return revised(&admin, expected.judge(changed, Refusal::from)?).await,
        }
    }
}

/// Delete an alert
///
/// With its state and history; nobody is told.
#[utoipa::path(
    delete, path = "/alerts/{id}", tag = "alerts", params(AlertPath),
    responses((status = 204, description = "It is gone"), NotFound, PreconditionFailed),
)]
async fn delete_alert(
    allowed: Allowed<WriteAlerts>,
    State(admin): State<Admin>,
    Named(AlertPath { id }): Named<AlertPath>,
    expected: Expected,
) -> Result<StatusCode, Refusal> {
    let now = find(&admin, &allowed.project, &id).await?;
    expected.check(now.revision)?;
    admin.app.registry.delete_alert(now.id, &allowed.who).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Until when nobody is told.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"until": "2999-12-01T08:00:00Z"}))]
struct Mute {
    /// The end; null ends it now.
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Time>,
}

/// Mute an alert for a while
///
/// It is evaluated meanwhile. What fires when that is over is told then.
#[utoipa::path(
    post, path = "/alerts/{id}/mute", tag = "alerts", params(AlertPath), request_body = Mute,
    responses((status = 200, description = "The alert", body = AlertBody, headers(("etag" = String))), NotFound),
)]
async fn mute_alert(
    allowed: Allowed<WriteAlerts>,
    State(admin): State<Admin>,
    Named(AlertPath { id }): Named<AlertPath>,
    Sent(mute): Sent<Mute>,
) -> Result<Revised<AlertBody>, Refusal> {
    let alert = find(&admin, &allowed.project, &id).await?;
    if let Some(until) = mute.until.filter(|until| *until <= admin.app.clock.now()) {
        let message = format!("`until` is {until}, which has passed: give a time to come, or null");
        return Err(Refusal::new(Kind::InvalidRequest, message).param("until"));
    }
    let change = AlertChange { muted_until: Some(mute.until), ..AlertChange::default() };
    let muted = admin.app.registry.update_alert(alert.id, change, &allowed.who).await?;
    revised(&admin, muted).await
}

/// A change of state.
#[derive(Serialize, ToSchema)]
#[schema(as = AlertTurn, example = json!({
    "id": "019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4d",
    "at": "2026-11-30T12:03:00.000000Z",
    "group": ["openai"],
    "from": "pending",
    "to": "firing",
    "value": 0.12,
    "reference": 0.05,
}))]
struct TurnBody {
    /// Stays.
    #[schema(value_type = String, format = "uuid")]
    id: Id<vocab::id::AlertTurn>,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Time,
    /// The group.
    group: Vec<Option<String>>,
    /// The state before; null when there was none.
    #[schema(value_type = Option<StateBody>)]
    from: Option<AlertState>,
    /// The state after.
    #[schema(value_type = StateBody)]
    to: AlertState,
    /// What was measured.
    value: Option<f64>,
    /// What it was compared with.
    reference: Option<f64>,
}

impl From<Turn> for TurnBody {
    fn from(turn: Turn) -> Self {
        let Turn { id, group, from, to, value, reference, at } = turn;
        Self { id, at, group, from, to, value, reference }
    }
}

/// List changes of an alert's state, newest first
///
/// The newest 1,000 are kept.
#[utoipa::path(
    get, path = "/alerts/{id}/history", tag = "alerts", params(AlertPath, Paged),
    responses((status = 200, description = "A page of changes", body = List<TurnBody>), NotFound),
)]
async fn list_alert_history(
    allowed: Allowed<Read, Paged>,
    State(admin): State<Admin>,
    Named(AlertPath { id }): Named<AlertPath>,
) -> Result<Json<List<TurnBody>>, Refusal> {
    let alert = find(&admin, &allowed.project, &id).await?;
    let paging = allowed.asked.paging()?;
    Ok(Json(admin.app.registry.alert_history(alert.id, &paging).await?.into()))
}

/// Refuses a rule that cannot be measured, or that tells people who cannot be reached.
fn check(admin: &Admin, rule: &Rule) -> Result<(), Refusal> {
    Watch::check(rule)?;
    if rule.addresses().next().is_some() && !admin.app.jobs.courier.has_mail() {
        let message =
            "`notify` names an e-mail address and no mail server is configured: set smtp.url and smtp.from";
        return Err(Refusal::new(Kind::NotSupported, message).param("notify"));
    }
    Ok(())
}

async fn find(admin: &Admin, project: &str, id: &str) -> Result<Alert, Refusal> {
    let missing = || Refusal::new(Kind::NotFound, format!("there is no alert `{}`", id.escape_debug()));
    let alert = admin.app.registry.get_alert(id.parse().map_err(|_| missing())?).await?;
    if *alert.project == *project { Ok(alert) } else { Err(missing()) }
}
