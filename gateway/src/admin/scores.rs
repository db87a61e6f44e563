//! `/scores`: judgements of calls, traces and sessions.

use analytics::ScoreSearch;
use analytics::score::ScoreSource;
use analytics::store::ScorePage;
use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Admin;
use super::answer::List;
use super::description::NotFound;
use super::given::{self, limit};
use super::permission::{Allowed, Annotate, Read};
use super::searched::{cursor, times};
use crate::refusal::Refusal;
use crate::scores::{self, Giver, NewScore, ScoreBody};

pub(super) fn routes() -> OpenApiRouter<Admin> {
    OpenApiRouter::default().routes(routes!(list_scores, give_scores))
}

/// Which scores to list.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ScoreQuery {
    /// Only of this call.
    #[param(example = "019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4d")]
    call_id: Option<String>,
    /// Only of this trace.
    trace_id: Option<String>,
    /// Only of this session.
    session_id: Option<String>,
    /// Only of this name.
    #[param(example = "helpful")]
    name: Option<String>,
    /// The earliest, itself included.
    #[param(example = "-7d")]
    from: Option<String>,
    /// The latest, itself excluded.
    to: Option<String>,
    /// How many to a page.
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List scores, newest first
#[utoipa::path(
    get, path = "/scores", tag = "scores", params(ScoreQuery),
    responses((status = 200, description = "A page of scores", body = List<ScoreBody>)),
)]
async fn list_scores(
    allowed: Allowed<Read, ScoreQuery>,
    State(admin): State<Admin>,
) -> Result<Json<List<ScoreBody>>, Refusal> {
    let asked = allowed.asked;
    let (from, to) = times(asked.from.as_deref(), asked.to.as_deref(), admin.app.clock.now())?;
    let (call, trace) = (asked.call_id.as_deref(), asked.trace_id.as_deref());
    let mut target = scores::target(call, trace, asked.session_id.as_deref())?;
    if let Some(target) = &mut target {
        admin.app.policies.of_project(&allowed.project).redaction.target(target);
    }
    let search = ScoreSearch {
        project: Some(allowed.project),
        target,
        name: asked.name,
        from,
        to,
        limit: limit(asked.limit)?,
        cursor: asked.cursor.as_deref().map(cursor).transpose()?,
    };
    let ScorePage { scores, next_cursor } = admin.app.store.scores(search).await?;
    let data = scores.into_iter().map(ScoreBody::from).collect();
    Ok(Json(List { data, next_cursor: next_cursor.map(|cursor| cursor.to_string()) }))
}

/// Give one score, or up to 1000
///
/// Of a call, a trace or a session. The body is one score or a list of them; a list is answered by a list. They are
/// committed when the answer comes. A second opinion is a second score; one `id` sent twice is one score, the first.
/// Calls that do not exist are refused, when there are no more than 20 of them.
#[utoipa::path(
    post, path = "/scores", tag = "scores", request_body = NewScore,
    responses((status = 201, description = "The score, or the list of them", body = ScoreBody), NotFound),
)]
async fn give_scores(
    allowed: Allowed<Annotate>,
    State(admin): State<Admin>,
    request: Request,
) -> Result<Response, Refusal> {
    let bytes = given::body(request.into_body(), &admin).await?;
    let sent = scores::read(&bytes)?;
    let giver =
        Giver { project: &allowed.project, source: ScoreSource::Api, author: Some(&allowed.token.name) };
    let now = admin.app.clock.now();
    let scores =
        sent.scores.into_iter().map(|score| score.score(&giver, now)).collect::<Result<Vec<_>, _>>()?;
    let filed = scores::file(&admin.app, &allowed.project, scores).await?;
    Ok(match filed.as_slice() {
        [one] if !sent.listed => (StatusCode::CREATED, Json(one)).into_response(),
        _ => (StatusCode::CREATED, Json(List::whole(filed))).into_response(),
    })
}
