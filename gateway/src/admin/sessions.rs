//! `/sessions`: calls that callers said belong together.

use std::sync::Arc;

use analytics::filter::{Field, Filter, Pattern, Term, Test};
use analytics::trace::{SessionSummary, SummaryPage};
use analytics::{Cursor, FoundRow, Search};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use vocab::Limit;

use super::Admin;
use super::description::NotFound;
use super::given::{Named, Paged, limit};
use super::permission::{Allowed, Read};
use super::searched::{SearchPage, cursor, time_ran_out};
use super::traces::documented::{Session, SessionPage};
use crate::refusal::{Kind, Refusal};

pub(super) fn routes() -> OpenApiRouter<Admin> {
    OpenApiRouter::default().routes(routes!(list_sessions)).routes(routes!(get_session))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
struct SessionPath {
    /// The session, as callers named it; `/` is written `%2F`.
    #[param(example = "s-4")]
    id: String,
}

/// List sessions, newest first
///
/// Those of the newest calls that match.
#[utoipa::path(
    get, path = "/sessions", tag = "traces", params(SearchPage),
    responses((status = 200, description = "A page of sessions", body = SessionPage)),
)]
async fn list_sessions(
    allowed: Allowed<Read, SearchPage>,
    State(admin): State<Admin>,
) -> Result<Json<SummaryPage<SessionSummary>>, Refusal> {
    let search = allowed.asked.search(&admin, allowed.project)?;
    Ok(Json(admin.app.store.sessions(search).await?))
}

/// A session's sums and a page of its calls.
#[derive(Serialize)]
struct SessionAnswer {
    #[serde(flatten)]
    summary: SessionSummary,
    data: Vec<FoundRow>,
    page_traces: Vec<String>,
    next_cursor: Option<Cursor>,
    complete: bool,
}

/// A page of a session's calls, oldest first, and where those before them begin.
async fn calls_of(
    admin: &Admin,
    mut search: Search,
    id: &str,
) -> Result<(Vec<FoundRow>, Option<Cursor>, bool), Refusal> {
    let most = search.limit.get();
    let mut calls: Vec<FoundRow> = Vec::new();
    loop {
        let page = admin.app.store.find(search.clone()).await?;
        calls.extend(page.rows.into_iter().filter(|call| call.session.as_deref() == Some(id)));
        let left = most.saturating_sub(u32::try_from(calls.len()).unwrap_or(most));
        search.cursor = page.next_cursor;
        match Limit::new(left) {
            Some(left) if page.complete && page.next_cursor.is_some() => search.limit = left,
            _ => {
                calls.reverse();
                return Ok((calls, page.next_cursor, page.complete));
            }
        }
    }
}

/// Get one session
///
/// Its sums, and its newest calls in the order they began; `next_cursor` leads to those before.
#[utoipa::path(
    get, path = "/sessions/{id}", tag = "traces", params(SessionPath, Paged),
    responses((status = 200, description = "The session", body = Session), NotFound),
)]
async fn get_session(
    allowed: Allowed<Read, Paged>,
    State(admin): State<Admin>,
    Named(SessionPath { id }): Named<SessionPath>,
) -> Result<Json<impl Serialize>, Refusal> {
    let redaction = &admin.app.policies.of_project(&allowed.project).redaction;
    let stored = redaction.identity(&id);
    let is_it = Test::Is(Field::Session, vec![Pattern::Exactly(id.clone())]);
    let mut filter = Filter { terms: vec![Term { negated: false, test: is_it }] };
    redaction.seek(&mut filter);
    let search = Search {
        project: Some(Arc::clone(&allowed.project)),
        filter,
        limit: Limit::new(Limit::MAX).unwrap_or_default(),
        ..Search::default()
    };
    // Searches know no upper and lower case, so that sessions which differ in it alone come too.
    let summaries = admin.app.store.sessions(search.clone()).await?;
    let found = summaries.rows.into_iter().find(|session| session.id == id || *session.id == *stored);
    let Some(summary) = found else {
        return Err(if summaries.complete {
            Refusal::new(Kind::NotFound, format!("there is no session `{}`", id.escape_debug()))
        } else {
            time_ran_out()
        });
    };
    let (most, place) = allowed.asked.parts();
    let search = Search { limit: limit(most)?, cursor: place.as_deref().map(cursor).transpose()?, ..search };
    let (data, next_cursor, all) = calls_of(&admin, search, &summary.id).await?;
    let complete = summaries.complete && all;
    let mut page_traces: Vec<String> = Vec::new();
    for call in &data {
        if !page_traces.contains(&call.trace_id) {
            page_traces.push(call.trace_id.clone());
        }
    }
    Ok(Json(SessionAnswer { summary, data, page_traces, next_cursor, complete }))
}
