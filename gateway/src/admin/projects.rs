//! `/projects`: the walls between what is defined and recorded.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use registry::{AdminToken, ProjectChange, ProjectFilter};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use vocab::Time;

use super::Admin;
use super::answer::{List, location};
use super::condition::{Expected, Known, Revised};
use super::description::{Conflict, NotFound, PreconditionFailed};
use super::given::{Named, Sent, paging};
use super::permission::{Administer, Allowed, Read};
use crate::refusal::{Kind, Refusal};

pub(super) fn routes() -> OpenApiRouter<Admin> {
    OpenApiRouter::default().routes(routes!(list_projects, create_project)).routes(routes!(
        get_project,
        update_project,
        archive_project
    ))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
struct ProjectPath {
    /// The project's name.
    #[param(example = "checkout")]
    name: String,
}

/// A project: prompts, keys, webhooks, alerts and calls belong to one, and nothing crosses it.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "name": "checkout",
    "description": "The shop's checkout",
    "created_by": "ann",
    "created_at": "2026-11-30T12:00:00.000000Z",
    "updated_at": "2026-11-30T12:00:00.000000Z",
    "archived_at": null,
    "revision": 17,
}))]
struct Project {
    /// What it is called, for life.
    name: String,
    /// What it is for.
    description: String,
    /// Who made it.
    created_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    /// When it was changed last.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Time,
    /// When it was archived; null while it is in use.
    #[schema(value_type = Option<String>, format = DateTime)]
    archived_at: Option<Time>,
    /// Grows with every change; what the `ETag` holds.
    revision: i64,
}

impl From<registry::Project> for Project {
    fn from(project: registry::Project) -> Self {
        Self {
            name: project.name.to_string(),
            description: project.description,
            created_by: project.created_by,
            created_at: project.created_at,
            updated_at: project.updated_at,
            archived_at: project.archived_at,
            revision: project.revision,
        }
    }
}

fn revised(project: registry::Project) -> Revised<Project> {
    Revised { revision: project.revision, body: project.into() }
}

/// A project to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "checkout", "description": "The shop's checkout"}))]
struct NewProject {
    /// What it is called, for life: 1 to 63 of a-z, 0-9, `-`, `_` and `.`.
    name: String,
    /// What it is for.
    description: Option<String>,
}

/// What to change of a project; what is absent stays. Its name stays for good: records carry it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"description": "The shop's checkout and basket"}))]
struct ProjectPatch {
    /// What it is for.
    description: Option<String>,
    /// Whether it is archived; false brings it back.
    archived: Option<bool>,
}

/// Which projects to list.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ProjectQuery {
    /// True: the archived ones instead of those in use.
    archived: Option<bool>,
    /// How many to a page.
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Make a project
///
/// Name it in `?project=` from then on, and hold keys and tokens to it. Not for tokens held to a project.
#[utoipa::path(
    post, path = "/projects", tag = "projects", request_body = NewProject,
    responses(
        (status = 201, description = "It is made", body = Project, headers(("location" = String), ("etag" = String))),
        Conflict,
    ),
)]
async fn create_project(
    allowed: Allowed<Administer>,
    State(admin): State<Admin>,
    Sent(new): Sent<NewProject>,
) -> Result<impl IntoResponse, Refusal> {
    allowed.everywhere()?;
    let new = registry::NewProject { name: new.name, description: new.description.unwrap_or_default() };
    let project = admin.app.registry.create_project(new, &allowed.who).await?;
    Ok((StatusCode::CREATED, location("/projects", &project.name), revised(project)))
}

/// List projects by name
///
/// A token that is held to a project sees that one.
#[utoipa::path(
    get, path = "/projects", tag = "projects", params(ProjectQuery),
    responses((status = 200, description = "A page of projects", body = List<Project>)),
)]
async fn list_projects(
    allowed: Allowed<Read, ProjectQuery>,
    State(admin): State<Admin>,
) -> Result<Json<List<Project>>, Refusal> {
    let ProjectQuery { archived, limit, cursor } = allowed.asked;
    let filter = ProjectFilter { name: allowed.token.project.clone(), archived: archived.unwrap_or(false) };
    Ok(Json(admin.app.registry.list_projects(&filter, &paging(limit, cursor)?).await?.into()))
}

/// Get a project
#[utoipa::path(
    get, path = "/projects/{name}", tag = "projects", params(ProjectPath),
    responses((status = 200, description = "The project", body = Project, headers(("etag" = String))), NotFound),
)]
async fn get_project(
    allowed: Allowed<Read>,
    State(admin): State<Admin>,
    Named(ProjectPath { name }): Named<ProjectPath>,
    known: Known,
) -> Result<Response, Refusal> {
    Ok(revised(find(&admin, &allowed.token, &name).await?).unless_known(&known))
}

/// Describe, archive or restore a project
#[utoipa::path(
    patch, path = "/projects/{name}", tag = "projects", params(ProjectPath), request_body = ProjectPatch,
    responses(
        (status = 200, description = "The project as it is now", body = Project, headers(("etag" = String))),
        NotFound, Conflict, PreconditionFailed,
    ),
)]
async fn update_project(
    allowed: Allowed<Administer>,
    State(admin): State<Admin>,
    Named(ProjectPath { name }): Named<ProjectPath>,
    expected: Expected,
    Sent(patch): Sent<ProjectPatch>,
) -> Result<Revised<Project>, Refusal> {
    change(&admin, &allowed, &name, &expected, patch).await
}

/// Archive a project
///
/// It is acted on no more and leaves the list; its name stays taken, its records stay as long as they are kept.
/// 409 while it has prompts that serve, keys or tokens that work, alerts or webhooks. `default` stays.
#[utoipa::path(
    delete, path = "/projects/{name}", tag = "projects", params(ProjectPath),
    responses(
        (status = 200, description = "The archived project", body = Project, headers(("etag" = String))),
        NotFound, Conflict, PreconditionFailed,
    ),
)]
async fn archive_project(
    allowed: Allowed<Administer>,
    State(admin): State<Admin>,
    Named(ProjectPath { name }): Named<ProjectPath>,
    expected: Expected,
) -> Result<Revised<Project>, Refusal> {
    let patch = ProjectPatch { description: None, archived: Some(true) };
    change(&admin, &allowed, &name, &expected, patch).await
}

async fn change(
    admin: &Admin,
    allowed: &Allowed<Administer>,
    name: &str,
    expected: &Expected,
    patch: ProjectPatch,
) -> Result<Revised<Project>, Refusal> {
    let now = find(admin, &allowed.token, name).await?;
    if patch.archived.is_some() {
        allowed.everywhere()?;
    }
    expected.check(now.revision)?;
    let change = ProjectChange {
        description: patch.description,
        archived: patch.archived,
        expected_revision: expected.insists().then_some(now.revision),
    };
    let changed = admin.app.registry.update_project(name, change, &allowed.who).await;
    expected.judge(changed, Refusal::from).map(revised)
}

async fn find(admin: &Admin, own: &AdminToken, name: &str) -> Result<registry::Project, Refusal> {
    if own.reaches(name) {
        return Ok(admin.app.registry.get_project(name).await?);
    }
    Err(Refusal::new(Kind::NotFound, format!("there is no project `{}`", name.escape_debug())))
}
