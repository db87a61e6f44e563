//! `/labels`: what has to be so before a version answers a label, in all prompts of a project.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use registry::PolicyRules;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use vocab::{LabelName, Time};

use super::Admin;
use super::answer::List;
use super::condition::{Expected, Known, Revised};
use super::description::PreconditionFailed;
use super::given::{Named, Sent};
use super::permission::{Allowed, Read, WritePolicies};
use crate::refusal::Refusal;

pub(super) fn routes() -> OpenApiRouter<Admin> {
    OpenApiRouter::default().routes(routes!(list_policies)).routes(routes!(
        get_policy,
        set_policy,
        reset_policy
    ))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
struct PolicyPath {
    /// The label.
    #[param(value_type = String, example = "production")]
    label: LabelName,
}

/// What has to be so before a version answers a label.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "label": "production", "protected": true, "approvals": 1, "after_label": {"label": "staging", "hours": 24},
    "contract_check": false, "contract_days": 7,
    "freeze": [{"from": "2026-12-23T00:00:00.000000Z", "to": "2027-01-02T00:00:00.000000Z", "reason": "holidays"}],
    "updated_by": "ann", "updated_at": "2026-11-30T12:00:00.000000Z", "revision": 17,
}))]
struct LabelPolicy {
    /// The label, in every prompt of the project.
    #[schema(value_type = String)]
    label: LabelName,
    /// Whether only releasers reach it.
    protected: bool,
    /// How many others than the version's author and whoever proposed it must approve a release; from 1 on, the label
    /// moves by releases only.
    approvals: u32,
    /// The earlier stage; null when there is none.
    after_label: Option<AfterLabel>,
    /// Whether a version that would break live callers is refused.
    contract_check: bool,
    /// How many days of calls that looks at.
    contract_days: u32,
    /// When nothing new is served. Rolling back is always allowed.
    freeze: Vec<Freeze>,
    /// Who set it; null where the label has the policy it starts with.
    updated_by: Option<String>,
    /// When.
    #[schema(value_type = Option<String>, format = DateTime)]
    updated_at: Option<Time>,
    /// Changes with every change; what the `ETag` holds.
    revision: i64,
}

/// A stage a version goes through first.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AfterLabel {
    /// The label that a version serves now, or served.
    #[schema(value_type = String)]
    label: LabelName,
    /// For how long, where it does not serve it now: in hours, all its times there together.
    #[serde(default)]
    #[schema(default = 0)]
    hours: u32,
}

/// A time in which nothing new is served.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LabelFreeze)]
struct Freeze {
    /// Its beginning.
    #[schema(value_type = String, format = DateTime)]
    from: Time,
    /// Its end; null: until it is lifted.
    #[schema(value_type = Option<String>, format = DateTime)]
    to: Option<Time>,
    /// Why.
    reason: Option<String>,
}

/// A policy as it is to be; what is absent is as the label starts with it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"protected": true, "approvals": 1, "after_label": {"label": "staging", "hours": 24}}))]
struct LabelPolicyPut {
    /// Whether only releasers reach it; `production` starts with true.
    protected: Option<bool>,
    /// How many must approve, 0 to 10.
    approvals: Option<u32>,
    /// The earlier stage.
    after_label: Option<AfterLabel>,
    /// Whether a version that requires a variable which a live caller does not send is refused. What callers send is
    /// read from records; while they cannot be read, it is refused too. `override` with a reason lets it pass.
    contract_check: Option<bool>,
    /// How many days of calls that looks at, 1 to 90; 7 when nobody says.
    contract_days: Option<u32>,
    /// When nothing new is served, 50 times at most.
    freeze: Option<Vec<Freeze>>,
}

impl From<registry::LabelPolicy> for LabelPolicy {
    fn from(policy: registry::LabelPolicy) -> Self {
        let PolicyRules { protected, approvals, after_label, contract_check, contract_days, freeze } =
            policy.rules;
        Self {
            label: policy.label,
            protected,
            approvals,
            after_label: after_label.map(|after| AfterLabel { label: after.label, hours: after.hours }),
            contract_check,
            contract_days,
            freeze: freeze
                .into_iter()
                .map(|freeze| Freeze { from: freeze.from, to: freeze.to, reason: freeze.reason })
                .collect(),
            updated_by: policy.updated_by,
            updated_at: policy.updated_at,
            revision: policy.revision,
        }
    }
}

impl LabelPolicyPut {
    fn rules(self, label: &LabelName) -> PolicyRules {
        let initial = PolicyRules::initial(label);
        let freeze = self.freeze.unwrap_or_default().into_iter();
        let after =
            self.after_label.map(|after| registry::AfterLabel { label: after.label, hours: after.hours });
        PolicyRules {
            protected: self.protected.unwrap_or(initial.protected),
            approvals: self.approvals.unwrap_or(initial.approvals),
            after_label: after,
            contract_check: self.contract_check.unwrap_or(initial.contract_check),
            contract_days: self.contract_days.unwrap_or(initial.contract_days),
            freeze: freeze
                .map(|freeze| registry::Freeze { from: freeze.from, to: freeze.to, reason: freeze.reason })
                .collect(),
        }
    }
}

fn revised(policy: registry::LabelPolicy) -> Revised<LabelPolicy> {
    Revised { revision: policy.revision, body: policy.into() }
}

/// List label policies
///
/// Those that were set, and `production`'s.
#[utoipa::path(
    get, path = "/labels", tag = "releases",
    responses((status = 200, description = "All policies, on one page", body = List<LabelPolicy>)),
)]
async fn list_policies(
    allowed: Allowed<Read>,
    State(admin): State<Admin>,
) -> Result<Json<List<LabelPolicy>>, Refusal> {
    let policies = admin.app.registry.list_label_policies(&allowed.project).await?;
    Ok(Json(List::whole(policies.into_iter().map(LabelPolicy::from).collect())))
}

/// Get a label's policy
///
/// Its own, or the one it starts with: `production` protected, with no approvals; every other label open.
#[utoipa::path(
    get, path = "/labels/{label}/policy", tag = "releases", params(PolicyPath),
    responses((status = 200, description = "The policy", body = LabelPolicy, headers(("etag" = String)))),
)]
async fn get_policy(
    allowed: Allowed<Read>,
    State(admin): State<Admin>,
    Named(PolicyPath { label }): Named<PolicyPath>,
    known: Known,
) -> Result<Response, Refusal> {
    let policy = admin.app.registry.get_label_policy(&allowed.project, &label).await?;
    Ok(revised(policy).unless_known(&known))
}

/// Set a label's policy
///
/// It holds from the next request on, for every way of making a version answer the label and for everybody, admins
/// included; what serves already goes on serving.
#[utoipa::path(
    put, path = "/labels/{label}/policy", tag = "releases", params(PolicyPath), request_body = LabelPolicyPut,
    responses(
        (status = 200, description = "The policy as it is now", body = LabelPolicy, headers(("etag" = String))),
        PreconditionFailed,
    ),
)]
async fn set_policy(
    allowed: Allowed<WritePolicies>,
    State(admin): State<Admin>,
    Named(PolicyPath { label }): Named<PolicyPath>,
    expected: Expected,
    Sent(put): Sent<LabelPolicyPut>,
) -> Result<Revised<LabelPolicy>, Refusal> {
    let registry = &admin.app.registry;
    let insisted = insisted(&admin, &allowed.project, &label, &expected).await?;
    let rules = put.rules(&label);
    let set = registry.set_label_policy((&allowed.project, &label), rules, insisted, &allowed.who).await;
    expected.judge(set, Refusal::from).map(revised)
}

/// Give a label back the policy it starts with
#[utoipa::path(
    delete, path = "/labels/{label}/policy", tag = "releases", params(PolicyPath),
    responses((status = 204, description = "It has the policy it starts with"), PreconditionFailed),
)]
async fn reset_policy(
    allowed: Allowed<WritePolicies>,
    State(admin): State<Admin>,
    Named(PolicyPath { label }): Named<PolicyPath>,
    expected: Expected,
) -> Result<StatusCode, Refusal> {
    let registry = &admin.app.registry;
    let insisted = insisted(&admin, &allowed.project, &label, &expected).await?;
    let reset = registry.reset_label_policy((&allowed.project, &label), insisted, &allowed.who).await;
    expected.judge(reset, Refusal::from).map(|_| StatusCode::NO_CONTENT)
}

/// The revision the caller insists on, once it is seen to be the present one.
async fn insisted(
    admin: &Admin,
    project: &str,
    label: &LabelName,
    expected: &Expected,
) -> Result<Option<i64>, Refusal> {
    if !expected.insists() {
        return Ok(None);
    }
    let now = admin.app.registry.get_label_policy(project, label).await?.revision;
    expected.check(now)?;
    Ok(Some(now))
}
