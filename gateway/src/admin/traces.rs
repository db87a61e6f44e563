//! `/traces`: what happened around calls, as applications reported it, and the calls themselves, as a tree.

pub(super) mod documented;

use analytics::trace::{self, SummaryPage, TraceSummary, Tree};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Admin;
use super::description::NotFound;
use super::given::Named;
use super::permission::{Allowed, Read};
use super::searched::{SearchPage, time_ran_out};
use crate::refusal::{Kind, Refusal};
use crate::scores::trace_id;
use documented::{Trace, TracePage};

pub(super) fn routes() -> OpenApiRouter<Admin> {
    OpenApiRouter::default().routes(routes!(list_traces)).routes(routes!(get_trace))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
struct TracePath {
    /// The W3C trace id: 32 hex digits.
    #[param(example = "4bf92f3577b34da6a3ce929d0e0e4736")]
    trace_id: String,
}

/// List traces, newest first
///
/// Those of the newest calls that match; without `q` also those that have reported spans only.
#[utoipa::path(
    get, path = "/traces", tag = "traces", params(SearchPage),
    responses((status = 200, description = "A page of traces", body = TracePage)),
)]
async fn list_traces(
    allowed: Allowed<Read, SearchPage>,
    State(admin): State<Admin>,
) -> Result<Json<SummaryPage<TraceSummary>>, Refusal> {
    let search = allowed.asked.search(&admin, allowed.project)?;
    Ok(Json(admin.app.store.traces(search).await?))
}

/// A trace with its id.
#[derive(Serialize)]
struct NamedTree {
    trace_id: String,
    #[serde(flatten)]
    tree: Tree,
}

/// Get one trace as a tree
///
/// Calls and reported spans under the parents they name. What names a parent nobody knows stands under the root and is
/// marked `orphan`.
#[utoipa::path(
    get, path = "/traces/{trace_id}", tag = "traces", params(TracePath),
    responses((status = 200, description = "The trace", body = Trace), NotFound),
)]
async fn get_trace(
    allowed: Allowed<Read>,
    State(admin): State<Admin>,
    Named(TracePath { trace_id: named }): Named<TracePath>,
) -> Result<Json<impl Serialize>, Refusal> {
    let missing = || {
        let message = format!(
            "there is no trace `{}`: it may be recorded in a moment, or deleted already",
            named.escape_debug()
        );
        Refusal::new(Kind::NotFound, message)
    };
    let id = trace_id(&named).ok_or_else(missing)?;
    let found = admin.app.store.trace(allowed.project, id).await?;
    let is_cut = found.truncated;
    let tree = trace::assemble(found).ok_or_else(|| if is_cut { time_ran_out() } else { missing() })?;
    Ok(Json(NamedTree { trace_id: named.to_ascii_lowercase(), tree }))
}
