//! `/calls`: what calls did, searched and looked up.

mod documented;

use analytics::{FoundCall, FoundPage, Search, moment, query};
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use vocab::Time;

use super::Admin;
use super::description::NotFound;
use super::given::{Named, limit};
use super::permission::{Allowed, Read};
use crate::refusal::{Kind, Refusal};
use documented::{Call, CallPage};

pub(super) fn routes() -> OpenApiRouter<Admin> {
    OpenApiRouter::default().routes(routes!(list_calls)).routes(routes!(get_call))
}

/// Which calls to find.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct CallQuery {
    /// Search text: free words and "quoted phrases" match request and answer; `field:value`, `field>n`,
    /// `-field:value`, lists `a,b`, `prefix*`. All terms must match.
    #[param(example = r#"prompt:support/reply@3 latency>2s -status:200 "refund policy""#)]
    q: Option<String>,
    /// The earliest start, itself included: RFC 3339, a date, or a while ago such as `-1h`.
    #[param(example = "-1h")]
    from: Option<String>,
    /// The latest start, itself excluded.
    #[param(example = "2026-11-30T12:00:00Z")]
    to: Option<String>,
    /// How many to a page.
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
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
    get, path = "/calls", tag = "calls", params(CallQuery),
    responses((status = 200, description = "A page of calls, without their bodies", body = CallPage)),
)]
async fn list_calls(
    allowed: Allowed<Read, CallQuery>,
    State(admin): State<Admin>,
) -> Result<Json<FoundPage>, Refusal> {
    let asked = allowed.asked;
    let now = admin.app.clock.now();
    let search = Search {
        project: Some(allowed.project),
        filter: query::parse(asked.q.as_deref().unwrap_or_default())?,
        from: time("from", asked.from.as_deref(), now)?,
        to: time("to", asked.to.as_deref(), now)?,
        limit: limit(asked.limit)?,
        cursor: asked
            .cursor
            .map(|cursor| cursor.parse())
            .transpose()
            .map_err(|error: analytics::QueryError| Refusal::from(error).param("cursor"))?,
    };
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

fn time(param: &'static str, text: Option<&str>, now: Time) -> Result<Option<Time>, Refusal> {
    let Some(text) = text else { return Ok(None) };
    let read = moment::parse(text, now);
    read.map(Some)
        .map_err(|error| Refusal::new(Kind::InvalidRequest, format!("`{param}`: {error}")).param(param))
}
