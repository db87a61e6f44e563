//! `/releases`: proposals to move a label, from the proposal to the last step of the ramp.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::StatusCode;
use registry::releases::{ReleaseAction, ReleaseEvent};
use registry::{NewRelease, Ramp, ReleaseDeed, ReleaseFilter, ReleaseState, ReleaseVerb};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use vocab::{Id, LabelName, PromptName, Time};

use super::Admin;
use super::answer::{List, location};
use super::description::{NotFound, PromptNotFound};
use super::given::{Named, Sent, paging};
use super::permission::{Allowed, Read, Release, WritePrompts};
use super::prompts::PromptPath;
use super::span::Span;
use crate::refusal::{Kind, Refusal};

pub(super) fn routes() -> OpenApiRouter<Admin> {
    OpenApiRouter::default()
        .routes(routes!(propose_release))
        .routes(routes!(list_releases))
        .routes(routes!(get_release))
        .routes(routes!(approve_release))
        .routes(routes!(reject_release))
        .routes(routes!(carry_out_release))
        .routes(routes!(withdraw_release))
        .routes(routes!(pause_release))
        .routes(routes!(resume_release))
        .routes(routes!(advance_release))
        .routes(routes!(abort_release))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
struct ReleasePath {
    /// The release's id.
    #[param(example = "019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4d")]
    id: String,
}

/// A proposal to move a label, and what came of it.
#[derive(Serialize, ToSchema)]
#[schema(as = Release, example = json!({
    "id": "019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4d", "project": "default", "prompt": "support/reply",
    "label": "production", "version": 4, "author": "ann", "from_version": 3, "state": "ramping",
    "note": "sounds warmer", "ramp": {"steps": [1, 10, 50, 100], "every": "1h"}, "percent": 10,
    "next_at": "2026-11-30T14:00:00.000000Z",
    "approvals": [{"by": "bob", "at": "2026-11-30T11:00:00.000000Z", "note": null}], "approvals_needed": 1,
    "proposed_by": "ed", "proposed_at": "2026-11-30T10:00:00.000000Z",
    "history": [
        {"action": "proposed", "by": "ed", "at": "2026-11-30T10:00:00.000000Z", "note": "sounds warmer", "percent": 0},
    ],
    "revision": 17,
}))]
struct ReleaseBody {
    /// Stays.
    #[schema(value_type = String, format = "uuid")]
    id: Id<vocab::id::Release>,
    /// The project.
    project: String,
    /// The prompt's name.
    #[schema(value_type = String)]
    prompt: PromptName,
    /// The label that is to move.
    #[schema(value_type = String)]
    label: LabelName,
    /// The version it is to point at.
    version: u32,
    /// Who published that version.
    author: String,
    /// Where the label stood when this was proposed, null when it was not there: it is carried out from there or not at
    /// all.
    from_version: Option<u32>,
    /// How it stands: `proposed` (waits for approvals), `approved`, `ramping`, `paused`, `released`, `rejected`,
    /// `withdrawn`, `aborted`.
    #[schema(value_type = StateBody)]
    state: ReleaseState,
    /// What its proposer said.
    note: Option<String>,
    /// In which steps the label moves; null: at once.
    ramp: Option<RampBody>,
    /// How much of the label's calls it serves, in percent.
    percent: u32,
    /// When the ramp takes its next step by itself; null when it does not.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_at: Option<Time>,
    /// Who approved it.
    approvals: Vec<Approval>,
    /// How many approvals the label's policy asks for now.
    approvals_needed: u32,
    /// Who proposed it.
    proposed_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    proposed_at: Time,
    /// What it went through, oldest first.
    history: Vec<EventBody>,
    /// Changes with every change.
    revision: i64,
}

/// An approval.
#[derive(Serialize, ToSchema)]
#[schema(as = ReleaseApproval)]
struct Approval {
    /// Who.
    by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Time,
    /// What they said.
    note: Option<String>,
}

/// One thing a release went through.
#[derive(Serialize, ToSchema)]
#[schema(as = ReleaseEvent)]
struct EventBody {
    /// `proposed`, `approved`, `rejected`, `withdrawn`, `started` (the ramp began), `advanced`, `paused`, `resumed`,
    /// `aborted`, `released`.
    #[schema(value_type = String)]
    action: ReleaseAction,
    /// Who; for steps taken by time, who began the ramp.
    by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Time,
    /// What they said.
    note: Option<String>,
    /// How much of the label's calls it served from then on, in percent.
    percent: u32,
}

/// How a release stands.
#[derive(ToSchema)]
#[schema(as = ReleaseState, rename_all = "snake_case")]
#[expect(dead_code, reason = "documents `registry::ReleaseState`, which knows nothing of HTTP")]
enum StateBody {
    Proposed,
    Approved,
    Ramping,
    Paused,
    Released,
    Rejected,
    Withdrawn,
    Aborted,
}

/// In which steps a label moves.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Ramp)]
struct RampBody {
    /// How much of the calls each step serves, in percent, growing, 100 at last.
    steps: Vec<u32>,
    /// The time between two steps, `1m` to `30d`; null: each is taken by `advance`.
    #[schema(value_type = Option<String>)]
    every: Option<Span>,
}

impl RampBody {
    fn of(ramp: Ramp) -> Self {
        Self { steps: ramp.steps, every: ramp.every_seconds.map(Span) }
    }
}

impl From<ReleaseEvent> for EventBody {
    fn from(event: ReleaseEvent) -> Self {
        let ReleaseEvent { action, by, at, note, percent } = event;
        Self { action, by, at, note, percent }
    }
}

impl ReleaseBody {
    fn of(release: registry::Release, approvals_needed: u32) -> Self {
        let approval =
            |event: &ReleaseEvent| Approval { by: event.by.clone(), at: event.at, note: event.note.clone() };
        Self {
            approvals: release.approvals().map(approval).collect(),
            id: release.id,
            project: release.project.to_string(),
            prompt: release.prompt,
            label: release.label,
            version: release.version,
            author: release.author,
            from_version: release.from_version,
            state: release.state,
            note: release.note,
            ramp: release.ramp.map(RampBody::of),
            percent: release.percent,
            next_at: release.next_at,
            approvals_needed,
            proposed_by: release.proposed_by,
            proposed_at: release.proposed_at,
            history: release.history.into_iter().map(EventBody::from).collect(),
            revision: release.revision,
        }
    }
}

async fn shown(admin: &Admin, release: registry::Release) -> Result<ReleaseBody, Refusal> {
    let needed = approvals_for(admin, &release).await?;
    Ok(ReleaseBody::of(release, needed))
}

/// How many approvals a release takes by its label's policy of today.
async fn approvals_for(admin: &Admin, release: &registry::Release) -> Result<u32, Refusal> {
    let policy = admin.app.registry.get_label_policy(&release.project, &release.label).await?;
    Ok(policy.rules.approvals)
}

/// A release to propose.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewRelease, example = json!({
    "label": "production", "version": 3, "ramp": {"steps": [1, 10, 50, 100], "every": "1h"}, "note": "sounds warmer",
}))]
struct ReleasePost {
    /// The label that is to move.
    #[schema(value_type = String)]
    label: LabelName,
    /// The version it is to point at.
    version: u32,
    /// In which steps; at once when absent.
    ramp: Option<RampBody>,
    /// What it is about.
    note: Option<String>,
}

/// Propose a release
///
/// It waits for as many approvals as the label's policy asks for, and then to be carried out: never by itself. It is
/// carried out from where the label stands now; when that moved meanwhile, it answers 409 `stale`.
#[utoipa::path(
    post, path = "/prompts/{name}/releases", tag = "releases", params(PromptPath), request_body = ReleasePost,
    responses(
        (status = 201, description = "The release", body = ReleaseBody, headers(("location" = String))),
        PromptNotFound,
    ),
)]
async fn propose_release(
    allowed: Allowed<WritePrompts>,
    State(admin): State<Admin>,
    Named(PromptPath { name }): Named<PromptPath>,
    Sent(post): Sent<ReleasePost>,
) -> Result<impl IntoResponse, Refusal> {
    let ReleasePost { label, version, ramp, note } = post;
    let ramp = ramp.map(|ramp| Ramp { steps: ramp.steps, every_seconds: ramp.every.map(|every| every.0) });
    let new = NewRelease { label, version, ramp, note };
    let proposed = admin.app.registry.propose_release(&allowed.project, &name, new, &allowed.who).await;
    let proposed = proposed.map_err(Refusal::of_prompt)?;
    let location = location("/releases", &proposed.id.to_string());
    Ok((StatusCode::CREATED, location, Json(shown(&admin, proposed).await?)))
}

/// Which releases to list.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ReleaseQuery {
    /// Only those that stand so.
    #[param(value_type = Option<StateBody>, inline)]
    state: Option<ReleaseState>,
    /// Only those of this prompt.
    #[param(value_type = Option<String>, example = "support/reply")]
    prompt: Option<PromptName>,
    /// Only those of this label.
    #[param(value_type = Option<String>, example = "production")]
    label: Option<LabelName>,
    /// How many to a page.
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List releases, newest first
#[utoipa::path(
    get, path = "/releases", tag = "releases", params(ReleaseQuery),
    responses((status = 200, description = "A page of releases", body = List<ReleaseBody>)),
)]
async fn list_releases(
    allowed: Allowed<Read, ReleaseQuery>,
    State(admin): State<Admin>,
) -> Result<Json<List<ReleaseBody>>, Refusal> {
    let ReleaseQuery { state, prompt, label, limit, cursor } = allowed.asked;
    let filter = ReleaseFilter { state, prompt, label };
    let paging = paging(limit, cursor)?;
    let page = admin.app.registry.list_releases(&allowed.project, &filter, &paging).await;
    let page = page.map_err(Refusal::of_prompt)?;
    // A page has many releases and few labels: each one's policy is asked for once.
    let mut approvals: BTreeMap<LabelName, u32> = BTreeMap::new();
    let mut data = Vec::with_capacity(page.data.len());
    for release in page.data {
        let needed = match approvals.get(&release.label) {
            Some(needed) => *needed,
            None => approvals_for(&admin, &release).await?,
        };
        approvals.insert(release.label.clone(), needed);
        data.push(ReleaseBody::of(release, needed));
    }
    Ok(Json(List { data, next_cursor: page.next_cursor }))
}

/// Get a release
#[utoipa::path(
    get, path = "/releases/{id}", tag = "releases", params(ReleasePath),
    responses((status = 200, description = "The release", body = ReleaseBody), NotFound),
)]
async fn get_release(
    allowed: Allowed<Read>,
    State(admin): State<Admin>,
    Named(ReleasePath { id }): Named<ReleasePath>,
) -> Result<Json<ReleaseBody>, Refusal> {
    let release = admin.app.registry.get_release(&allowed.project, read_id(&id)?).await?;
    Ok(Json(shown(&admin, release).await?))
}

/// What is said about a change of a release. The body may be left out.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"note": "tried it on ten tickets"}))]
struct ReleaseNote {
    /// Why, for the history.
    note: Option<String>,
    /// Why it may break the label's callers, where the label's policy has them asked; of `release` only.
    r#override: Option<String>,
}

macro_rules! verbs {
    ($($(#[$about:meta])* $name:ident $path:literal $permission:ident $verb:ident;)+) => {$(
        $(#[$about])*
        #[utoipa::path(
            post, path = $path, tag = "releases", params(ReleasePath),
            request_body(content = Option<ReleaseNote>),
            responses((status = 200, description = "The release as it is now", body = ReleaseBody), NotFound),
        )]
        async fn $name(
            allowed: Allowed<$permission>,
            State(admin): State<Admin>,
            Named(ReleasePath { id }): Named<ReleasePath>,
            Sent(ReleaseNote { note, r#override }): Sent<ReleaseNote>,
        ) -> Result<Json<ReleaseBody>, Refusal> {
            let deed = ReleaseDeed { verb: ReleaseVerb::$verb, note, waiver: r#override };
            let id = read_id(&id)?;
            let changed = admin.app.registry.change_release(&allowed.project, id, deed, &allowed.who).await?;
            Ok(Json(shown(&admin, changed).await?))
        }
    )+};
}
verbs! {
    /// Approve a release
    ///
    /// By somebody who neither published the version nor proposed the release; by the owner of the token, once.
    approve_release "/releases/{id}/approve" Release Approve;
    /// Reject a release
    reject_release "/releases/{id}/reject" Release Reject;
    /// Carry a release out
    ///
    /// Moves the label, or begins the ramp. The label's policy is asked now, whatever it was when this was proposed.
    carry_out_release "/releases/{id}/release" Release Release;
    /// Withdraw a release
    ///
    /// By whoever proposed it, or a releaser.
    withdraw_release "/releases/{id}/withdraw" WritePrompts Withdraw;
    /// Pause a ramp
    ///
    /// It goes on serving the part it serves.
    pause_release "/releases/{id}/pause" Release Pause;
    /// Let a paused ramp go on
    ///
    /// Its next step is a whole interval away.
    resume_release "/releases/{id}/resume" Release Resume;
    /// Take a ramp's next step now
    ///
    /// The last step moves the label.
    advance_release "/releases/{id}/advance" Release Advance;
    /// End a ramp before its end
    ///
    /// All calls get what the label points at. Always allowed to whoever may release.
    abort_release "/releases/{id}/abort" Release Abort;
}

fn read_id(id: &str) -> Result<Id<vocab::id::Release>, Refusal> {
    let missing = || Refusal::new(Kind::NotFound, format!("there is no release `{}`", id.escape_debug()));
    id.parse().map_err(|_| missing())
}
