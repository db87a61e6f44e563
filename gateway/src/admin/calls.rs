//! `/calls`: what calls did, searched and looked up.

pub(super) mod documented;
pub(in crate::admin) mod export;
mod overview;

use std::sync::Arc;

use analytics::{Doomed, FoundCall, FoundPage};
use axum::Json;
use axum::extract::State;
use registry::Deed;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Admin;
use super::description::NotFound;
use super::given::Named;
use super::permission::{Allowed, Operate, Read};
use super::searched::SearchPage;
use crate::arriving;
use crate::refusal::{Kind, Refusal};
use documented::{Call, CallPage};

pub(super) use export::EXPORTS;

pub(super) fn routes() -> OpenApiRouter<Admin> {
    OpenApiRouter::default()
        .routes(routes!(list_calls, forget_calls))
        .routes(routes!(get_call))
        .merge(overview::routes())
        .merge(export::routes())
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
struct CallPath {
    /// The call's id: `x-request-id` and `weir-call-id` of its answer.
    #[param(example = "019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4d")]
    id: String,
}

/// Search calls, newest first
///
/// A search that runs out of time answers what it found so far with `complete: false` and `searched_to`; its
/// `next_cursor` carries on from there.
#[utoipa::path(
    get, path = "/calls", tag = "calls", params(SearchPage),
    responses((status = 200, description = "A page of calls, without their bodies", body = CallPage)),
)]
async fn list_calls(
    allowed: Allowed<Read, SearchPage>,
    State(admin): State<Admin>,
) -> Result<Json<FoundPage>, Refusal> {
    let search = allowed.asked.search(&admin, allowed.project)?;
    Ok(Json(admin.app.store.find(search).await?))
}

/// Get one call
///
/// With its bodies as far as they were kept, and each attempt upstream with why it was made.
#[utoipa::path(
    get, path = "/calls/{id}", tag = "calls", params(CallPath),
    responses((status = 200, description = "The call", body = Call), NotFound),
)]
async fn get_call(
    allowed: Allowed<Read>,
    State(admin): State<Admin>,
    Named(CallPath { id }): Named<CallPath>,
) -> Result<Json<FoundCall>, Refusal> {
    let missing = || {
        let message = format!(
            "there is no call `{}`: it may be recorded in a moment, or deleted already",
            id.escape_debug()
        );
        Refusal::new(Kind::NotFound, message)
    };
    let found = admin.app.store.get(id.parse().map_err(|_| missing())?).await?;
    found.filter(|call| call.row.project == *allowed.project).map(Json).ok_or_else(missing)
}

/// Whose calls to delete.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ForgetQuery {
    /// The end user, exactly as callers named them.
    #[param(example = "u-17")]
    user: String,
}

/// How much was deleted.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"user": "u-17", "deleted_calls": 42}))]
struct Forgotten {
    /// Whose.
    user: String,
    /// How many calls, with their bodies and attempts. Spans and scores are not counted.
    deleted_calls: u64,
}

/// Delete what an end user did
///
/// Their calls with bodies and attempts, the spans that name them, spans of the same traces that name nobody, scores
/// they gave and scores of those calls.
/// For good. What arrives later under the same user is kept again.
#[utoipa::path(
    delete, path = "/calls", tag = "calls", params(ForgetQuery),
    responses((status = 200, description = "It is deleted", body = Forgotten)),
)]
async fn forget_calls(
    allowed: Allowed<Operate, ForgetQuery>,
    State(admin): State<Admin>,
) -> Result<Json<Forgotten>, Refusal> {
    let user = allowed.asked.user;
    if user.is_empty() {
        let message = "`user` is empty: name the end user whose calls are to be deleted";
        return Err(Refusal::new(Kind::InvalidRequest, message).param("user"));
    }
    arriving::settled(&admin.app).await?;
    // Before, so that nothing is deleted unnoted. Whose records it were is not kept: that is what was to be forgotten.
    let detail = json!({"of": "an end user"});
    let deed = Deed { action: "records.deleted", target: "calls".to_owned(), detail };
    admin.app.registry.witness(&allowed.project, deed, &allowed.who).await?;
    let stored = admin.app.policies.of_project(&allowed.project).redaction.identity(&user).into_owned();
    // Rules come later than some records: those have the name as it was sent.
    let mut names = vec![user.clone(), stored];
    names.dedup();
    let mut deleted_calls = 0;
    for name in names {
        let project = Some(Arc::clone(&allowed.project));
        deleted_calls +=
            admin.app.store.purge(Doomed { project, user: Some(name), ..Doomed::default() }).await?;
    }
    tracing::info!(deleted_calls, who = %allowed.who.owner, "deleted an end user's records");
    Ok(Json(Forgotten { user, deleted_calls }))
}
