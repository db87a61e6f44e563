//! `/prompts/{name}/labels`: which version answers a label, and how that came about.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use registry::{LabelAction, LabelChange, LabelMove, Paging};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use vocab::{LabelName, Limit, PromptName, Time};

use super::Admin;
use super::answer::List;
use super::description::{Conflict, PromptNotFound};
use super::given::{Named, Paged, Sent};
use super::permission::{Allowed, Read, Release, WritePrompts};
use super::prompts::PromptPath;
use crate::refusal::Refusal;

/// How many of a label's newest moves are looked at to find the one that placed it: moves that come in between
/// placing and looking are few.
const MOVES_LOOKED_AT: u32 = 20;

pub(super) fn routes() -> OpenApiRouter<Admin> {
    OpenApiRouter::default()
        .routes(routes!(list_labels))
        .routes(routes!(move_label, remove_label))
        .routes(routes!(label_history))
        .routes(routes!(roll_back_label))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
struct LabelPath {
    /// The prompt's name or an alias; `/` is written `%2F`.
    #[param(value_type = String, example = "support%2Freply")]
    name: PromptName,
    /// The label.
    #[param(value_type = String, example = "production")]
    label: LabelName,
}

/// A label where it stands.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "label": "production", "version": 3, "moved_by": "ann", "moved_at": "2026-11-30T12:00:00.000000Z",
}))]
struct Label {
    /// The label.
    #[schema(value_type = String)]
    label: LabelName,
    /// The version it points at.
    version: u32,
    /// Who put it there.
    moved_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    moved_at: Time,
}

/// A label where it stands, and the move that put it there.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "label": "production", "version": 3, "moved_by": "ann", "moved_at": "2026-11-30T12:00:00.000000Z",
    "previous_version": 2, "revision": 17,
}))]
struct Placement {
    #[serde(flatten)]
    label: Label,
    /// The version it pointed at before; null when it is new.
    previous_version: Option<u32>,
    /// The move, as in the history.
    revision: Option<i64>,
}

/// One move of a label.
#[derive(Serialize, ToSchema)]
#[schema(as = LabelMove, example = json!({
    "revision": 17, "action": "move", "from": 2, "to": 3, "reason": "approved in the weekly review", "moved_by": "ann",
    "moved_at": "2026-11-30T12:00:00.000000Z",
}))]
struct Move {
    /// Grows with every move.
    revision: i64,
    /// What was done.
    #[schema(value_type = ActionBody)]
    action: LabelAction,
    /// The version it pointed at before; null when it was not there.
    from: Option<u32>,
    /// The version it points at since; null when it was removed.
    to: Option<u32>,
    /// Why, in the words of who did it.
    reason: Option<String>,
    /// Who.
    moved_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    moved_at: Time,
}

/// What was done to a label.
#[derive(ToSchema)]
#[schema(as = LabelAction, rename_all = "snake_case")]
#[expect(dead_code, reason = "documents `registry::LabelAction`, which knows nothing of HTTP")]
enum ActionBody {
    Move,
    Remove,
    Rollback,
}

impl From<registry::Label> for Label {
    fn from(label: registry::Label) -> Self {
        let registry::Label { label, version, moved_by, moved_at } = label;
        Self { label, version, moved_by, moved_at }
    }
}

impl From<LabelMove> for Move {
    fn from(moved: LabelMove) -> Self {
        let LabelMove { revision, action, from, to, reason, moved_by, moved_at } = moved;
        Self { revision, action, from, to, reason, moved_by, moved_at }
    }
}

/// Where to put a label, and on what condition.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"version": 3, "expected_version": 2, "reason": "approved in the weekly review"}))]
struct LabelPut {
    /// The version it is to point at.
    version: u32,
    /// Refuse with 409 unless it points at this version now; 0: it must not be there yet.
    expected_version: Option<u32>,
    /// Why, for the history.
    reason: Option<String>,
    /// Whether a ramp or an experiment on it is ended; refused with 409 otherwise. Takes a releaser.
    #[serde(default)]
    end: bool,
    /// Why it may break the label's callers, where the label's policy has them asked.
    r#override: Option<String>,
}

/// On what condition to change a label.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"expected_version": 3, "reason": "too many wrong answers"}))]
struct LabelCondition {
    /// Refuse with 409 unless it points at this version now.
    expected_version: Option<u32>,
    /// Why, for the history.
    reason: Option<String>,
    /// Whether a ramp or an experiment on it is ended; refused with 409 otherwise. Rolling back always ends it.
    #[serde(default)]
    end: bool,
}

impl LabelCondition {
    fn change(self, label: LabelName) -> LabelChange {
        LabelChange {
            label,
            expected_version: self.expected_version,
            reason: self.reason,
            end: self.end,
            waiver: None,
        }
    }
}

/// List a prompt's labels
#[utoipa::path(
    get, path = "/prompts/{name}/labels", tag = "labels", params(PromptPath),
    responses((status = 200, description = "All its labels, on one page", body = List<Label>), PromptNotFound),
)]
async fn list_labels(
    allowed: Allowed<Read>,
    State(admin): State<Admin>,
    Named(PromptPath { name }): Named<PromptPath>,
) -> Result<Json<List<Label>>, Refusal> {
    let labels = admin.app.registry.list_labels(&allowed.project, &name).await.map_err(Refusal::of_prompt)?;
    Ok(Json(List::whole(labels.into_iter().map(Label::from).collect())))
}

/// Point a label at a version
///
/// It serves on the very next call, if the label's policy lets it: `production` takes a releaser. Pointing it where it points already changes
/// nothing and answers the placement that stands.
#[utoipa::path(
    put, path = "/prompts/{name}/labels/{label}", tag = "labels", params(LabelPath), request_body = LabelPut,
    responses((status = 200, description = "Where it stands now", body = Placement), PromptNotFound, Conflict),
)]
async fn move_label(
    allowed: Allowed<WritePrompts>,
    State(admin): State<Admin>,
    Named(LabelPath { name, label }): Named<LabelPath>,
    Sent(put): Sent<LabelPut>,
) -> Result<Json<Placement>, Refusal> {
    let LabelPut { version, expected_version, reason, end, r#override: waiver } = put;
    let change = LabelChange { label, expected_version, reason, end, waiver };
    let moved =
        admin.app.registry.move_label(&allowed.project, &name, change.onto(version), &allowed.who).await;
    let moved = moved.map_err(Refusal::of_prompt)?;
    placement(&admin, &allowed.project, &name, moved).await
}

/// Take a label away
///
/// Its history stays, and it can be put again. The body may be left out.
#[utoipa::path(
    delete, path = "/prompts/{name}/labels/{label}", tag = "labels", params(LabelPath),
    request_body(content = Option<LabelCondition>),
    responses((status = 204, description = "It is gone"), PromptNotFound, Conflict),
)]
async fn remove_label(
    allowed: Allowed<WritePrompts>,
    State(admin): State<Admin>,
    Named(LabelPath { name, label }): Named<LabelPath>,
    Sent(condition): Sent<LabelCondition>,
) -> Result<StatusCode, Refusal> {
    let change = condition.change(label);
    let removed = admin.app.registry.remove_label(&allowed.project, &name, change, &allowed.who).await;
    removed.map(|()| StatusCode::NO_CONTENT).map_err(Refusal::of_prompt)
}

/// List a label's moves, newest first
#[utoipa::path(
    get, path = "/prompts/{name}/labels/{label}/history", tag = "labels", params(LabelPath, Paged),
    responses((status = 200, description = "A page of moves", body = List<Move>), PromptNotFound),
)]
async fn label_history(
    allowed: Allowed<Read, Paged>,
    State(admin): State<Admin>,
    Named(LabelPath { name, label }): Named<LabelPath>,
) -> Result<Json<List<Move>>, Refusal> {
    let paging = allowed.asked.paging()?;
    let page = admin.app.registry.label_history(&allowed.project, &name, &label, &paging).await;
    Ok(Json(page.map_err(Refusal::of_prompt)?.into()))
}

/// Roll a label back
///
/// To the version it served before the present one was placed; again, and it walks further back. A ramp under way is
/// what goes back first: the label stays where it stood under it. An experiment on the label ends. No policy stands in
/// its way. Answers 409 when it served nothing before. The body may be left out.
#[utoipa::path(
    post, path = "/prompts/{name}/labels/{label}/rollback", tag = "labels", params(LabelPath),
    request_body(content = Option<LabelCondition>),
    responses((status = 200, description = "Where it stands now", body = Placement), PromptNotFound, Conflict),
)]
async fn roll_back_label(
    allowed: Allowed<Release>,
    State(admin): State<Admin>,
    Named(LabelPath { name, label }): Named<LabelPath>,
    Sent(condition): Sent<LabelCondition>,
) -> Result<Json<Placement>, Refusal> {
    let change = condition.change(label);
    let moved = admin.app.registry.roll_back_label(&allowed.project, &name, change, &allowed.who).await;
    placement(&admin, &allowed.project, &name, moved.map_err(Refusal::of_prompt)?).await
}

/// The label with the move that put it where it stands.
async fn placement(
    admin: &Admin,
    project: &str,
    name: &PromptName,
    label: registry::Label,
) -> Result<Json<Placement>, Refusal> {
    let paging = Paging { limit: Limit::new(MOVES_LOOKED_AT).unwrap_or_default(), cursor: None };
    let moves = admin.app.registry.label_history(project, name, &label.label, &paging).await;
    let moves = moves.map_err(Refusal::of_prompt)?.data;
    let placed =
        moves.into_iter().find(|moved| moved.to == Some(label.version) && moved.moved_at == label.moved_at);
    Ok(Json(Placement {
        previous_version: placed.as_ref().and_then(|placed| placed.from),
        revision: placed.map(|placed| placed.revision),
        label: label.into(),
    }))
}
