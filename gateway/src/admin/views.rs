//! `/views`: saved searches, reports and lists of traces, shared by everyone in a project.

use analytics::query;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use registry::{NewView, SavedView, ViewChange, ViewContent, ViewKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use vocab::{Id, Time};

use super::Admin;
use super::answer::{List, location};
use super::calls::export::is_column;
use super::condition::{Expected, Known, Revised};
use super::description::{Conflict, NotFound, PreconditionFailed};
use super::given::{Named, Sent, paging, part, present};
use super::permission::{Allowed, Annotate, Read};
use super::reports::ReportBody;
use super::searched::times;
use crate::refusal::{Kind, Refusal};

/// The columns of a list of traces.
const TRACE_COLUMNS: [&str; 11] = [
    "trace_id",
    "name",
    "started_at",
    "duration_us",
    "calls",
    "spans",
    "errors",
    "tokens",
    "cost_nanousd",
    "user",
    "session",
];

pub(super) fn routes() -> OpenApiRouter<Admin> {
    OpenApiRouter::default().routes(routes!(list_views, create_view)).routes(routes!(
        get_view,
        update_view,
        delete_view
    ))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
struct ViewPath {
    /// The view's id.
    #[param(example = "019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4d")]
    id: String,
}

/// A saved view.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "id": "019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4d", "name": "slow checkout calls", "kind": "calls",
    "q": "tag:checkout latency>5s", "columns": ["started_at", "model", "duration_us"], "from": "-7d", "to": null,
    "report": null, "created_by": "ann", "created_at": "2026-11-30T12:00:00.000000Z", "updated_by": "ann",
    "updated_at": "2026-11-30T12:00:00.000000Z",
}))]
struct View {
    /// Stays.
    #[schema(format = "uuid")]
    id: String,
    /// What people call it, once in a project.
    name: String,
    /// What it shows.
    #[schema(value_type = KindBody)]
    kind: ViewKind,
    /// The search text.
    q: String,
    /// The columns of a list, in order; null: as the reader likes.
    columns: Option<Vec<String>>,
    /// The earliest start, as it was written: `-7d` stays seven days ago.
    from: Option<String>,
    /// The latest start.
    to: Option<String>,
    /// Of a report: the body of `POST /reports`, without `q`, `from` and `to`.
    #[schema(value_type = Option<Object>)]
    report: Option<Value>,
    /// Who saved it.
    created_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    /// Who changed it last.
    updated_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Time,
}

/// What a view shows.
#[derive(ToSchema)]
#[schema(as = ViewKind, rename_all = "snake_case")]
#[expect(dead_code, reason = "documents `registry::ViewKind`, which knows nothing of HTTP")]
enum KindBody {
    Calls,
    Report,
    Traces,
}

impl From<SavedView> for View {
    fn from(view: SavedView) -> Self {
        let ViewContent { q, columns, from, to, report } = view.content;
        Self {
            id: view.id.to_string(),
            name: view.name,
            kind: view.kind,
            q,
            columns,
            from,
            to,
            report,
            created_by: view.created_by,
            created_at: view.created_at,
            updated_by: view.updated_by,
            updated_at: view.updated_at,
        }
    }
}

fn revised(view: SavedView) -> Revised<View> {
    Revised { revision: view.revision, body: view.into() }
}

/// A view to save.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "name": "cost by model", "kind": "report", "q": "tag:checkout", "from": "-7d",
    "report": {"measures": ["calls", "cost"], "group_by": ["model"], "interval": "1d"},
}))]
struct ViewPost {
    /// What people will call it.
    name: String,
    /// What it shows.
    #[schema(value_type = KindBody)]
    kind: ViewKind,
    /// The search text.
    #[serde(default)]
    q: String,
    /// The columns of a list, in order.
    columns: Option<Vec<String>>,
    /// The earliest start: RFC 3339, a date, or a while ago such as `-7d`, which is kept as written.
    from: Option<String>,
    /// The latest start.
    to: Option<String>,
    /// Of a report: the body of `POST /reports`, without `q`, `from` and `to`.
    #[schema(value_type = Option<Object>)]
    report: Option<Value>,
}

/// What to change of a view; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "cost by model and day", "from": "-30d", "to": null}))]
#[expect(clippy::option_option, reason = "absent leaves a field alone, null sets it to none")]
struct ViewPatch {
    /// A new name.
    name: Option<String>,
    /// A new search text.
    q: Option<String>,
    /// All columns; null: as the reader likes.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Vec<String>>)]
    columns: Option<Option<Vec<String>>>,
    /// The earliest start; null for none.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    from: Option<Option<String>>,
    /// The latest start; null for none.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    to: Option<Option<String>>,
    /// The report.
    #[schema(value_type = Option<Object>)]
    report: Option<Value>,
}

/// Which views to list.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ViewQuery {
    /// Only of this kind.
    #[param(value_type = Option<KindBody>, inline)]
    kind: Option<ViewKind>,
    /// How many to a page.
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List saved views by name
#[utoipa::path(
    get, path = "/views", tag = "views", params(ViewQuery),
    responses((status = 200, description = "A page of views", body = List<View>)),
)]
async fn list_views(
    allowed: Allowed<Read, ViewQuery>,
    State(admin): State<Admin>,
) -> Result<Json<List<View>>, Refusal> {
    let ViewQuery { kind, limit, cursor } = allowed.asked;
    let page = admin.app.registry.list_views(&allowed.project, kind, &paging(limit, cursor)?).await?;
    Ok(Json(page.into()))
}

/// Save a view
#[utoipa::path(
    post, path = "/views", tag = "views", request_body = ViewPost,
    responses((status = 201, description = "The view", body = View, headers(("etag" = String))), Conflict),
)]
async fn create_view(
    allowed: Allowed<Annotate>,
    State(admin): State<Admin>,
    Sent(post): Sent<ViewPost>,
) -> Result<Response, Refusal> {
    let ViewPost { name, kind, q, columns, from, to, report } = post;
    let content = ViewContent { q, columns, from, to, report };
    check(&admin, kind, &content)?;
    let new = NewView { name, kind, content };
    let saved = admin.app.registry.create_view(&allowed.project, new, &allowed.who).await?;
    let location = location("/views", &saved.id.to_string());
    Ok((StatusCode::CREATED, location, revised(saved)).into_response())
}

/// Get a saved view
#[utoipa::path(
    get, path = "/views/{id}", tag = "views", params(ViewPath),
    responses((status = 200, description = "The view", body = View, headers(("etag" = String))), NotFound),
)]
async fn get_view(
    allowed: Allowed<Read>,
    State(admin): State<Admin>,
    Named(ViewPath { id }): Named<ViewPath>,
    known: Known,
) -> Result<Response, Refusal> {
    Ok(revised(find(&admin, &allowed.project, &id).await?).unless_known(&known))
}

/// Change a saved view
///
/// Its kind stays.
#[utoipa::path(
    patch, path = "/views/{id}", tag = "views", params(ViewPath), request_body = ViewPatch,
    responses(
        (status = 200, description = "The view as it is now", body = View, headers(("etag" = String))),
        NotFound, Conflict, PreconditionFailed,
    ),
)]
async fn update_view(
    allowed: Allowed<Annotate>,
    State(admin): State<Admin>,
    Named(ViewPath { id }): Named<ViewPath>,
    expected: Expected,
    Sent(patch): Sent<ViewPatch>,
) -> Result<Revised<View>, Refusal> {
    let now = find(&admin, &allowed.project, &id).await?;
    expected.check(now.revision)?;
    let ViewPatch { name, q, columns, from, to, report } = patch;
    let before = now.content;
    let content = ViewContent {
        q: q.unwrap_or(before.q),
        columns: columns.unwrap_or(before.columns),
        from: from.unwrap_or(before.from),
        to: to.unwrap_or(before.to),
        report: report.or(before.report),
    };
    check(&admin, now.kind, &content)?;
    let change = ViewChange { name, content: Some(content), expected_revision: Some(now.revision) };
    let changed = admin.app.registry.update_view(&allowed.project, now.id, change, &allowed.who).await;
    expected.judge(changed, Refusal::from).map(revised)
}

/// Delete a saved view
#[utoipa::path(
    delete, path = "/views/{id}", tag = "views", params(ViewPath),
    responses((status = 204, description = "It is gone"), NotFound, PreconditionFailed),
)]
async fn delete_view(
    allowed: Allowed<Annotate>,
    State(admin): State<Admin>,
    Named(ViewPath { id }): Named<ViewPath>,
    expected: Expected,
) -> Result<StatusCode, Refusal> {
    let now = find(&admin, &allowed.project, &id).await?;
    expected.check(now.revision)?;
    let insisted = expected.insists().then_some(now.revision);
    let deleted = admin.app.registry.delete_view(&allowed.project, now.id, insisted, &allowed.who).await;
    expected.judge(deleted, Refusal::from).map(|()| StatusCode::NO_CONTENT)
}

async fn find(admin: &Admin, project: &str, id: &str) -> Result<SavedView, Refusal> {
    let missing = || Refusal::new(Kind::NotFound, format!("there is no view `{}`", id.escape_debug()));
    let id: Id<vocab::id::View> = id.parse().map_err(|_| missing())?;
    Ok(admin.app.registry.get_view(project, id).await?)
}

/// Refuses what could not be shown: a view is tried when it is saved, not when somebody opens it.
fn check(admin: &Admin, kind: ViewKind, content: &ViewContent) -> Result<(), Refusal> {
    let now = admin.app.clock.now();
    query::parse(&content.q)?;
    times(content.from.as_deref(), content.to.as_deref(), now)?;
    check_columns(kind, content.columns.as_deref().unwrap_or_default())?;
    let refused = |message| Err(Refusal::new(Kind::InvalidRequest, message).param("report"));
    match (kind, &content.report) {
        (ViewKind::Report, None) => {
            refused("a view of kind `report` needs its `report`: {\"measures\": […], \"group_by\": […]}")
        }
        (ViewKind::Calls | ViewKind::Traces, Some(_)) => {
            refused("`report` belongs to views of kind `report`: leave it out")
        }
        (ViewKind::Calls | ViewKind::Traces, None) => Ok(()),
        (ViewKind::Report, Some(report)) => {
            let Value::Object(mut fields) = report.clone() else {
                return refused("`report` must be an object: {\"measures\": […], \"group_by\": […]}");
            };
            let own = ["q", "from", "to"];
            if own.iter().any(|field| fields.contains_key(*field)) {
                return refused("`q`, `from` and `to` stand beside `report`, not in it");
            }
            let from = content.from.clone().unwrap_or_else(|| "-7d".to_owned());
            fields.insert("from".to_owned(), from.into());
            let body: ReportBody = part(fields)?;
            let project = admin.app.default_project.clone();
            body.report(project, now).map(|_| ())
        }
    }
}

/// Refuses columns that the rows of the list do not have.
fn check_columns(kind: ViewKind, columns: &[String]) -> Result<(), Refusal> {
    let (has, rows): (fn(&str) -> bool, _) = match kind {
        ViewKind::Calls => (is_column, "calls"),
        ViewKind::Traces => (|name| TRACE_COLUMNS.contains(&name), "traces"),
        ViewKind::Report => return Ok(()),
    };
    let Some(unknown) = columns.iter().find(|name| !has(name)) else { return Ok(()) };
    let message = format!("{rows} have no column `{}`: name fields of their JSON", unknown.escape_debug());
    Err(Refusal::new(Kind::InvalidRequest, message).param("columns"))
}
