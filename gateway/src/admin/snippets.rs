//! `/prompts/{name}/used-by`: which versions include a prompt, and would notice another one.

use axum::Json;
use axum::extract::State;
use registry::UsedByFilter;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use vocab::{LabelName, PromptName};

use super::Admin;
use super::answer::List;
use super::description::PromptNotFound;
use super::given::{Named, paging};
use super::permission::{Allowed, Read};
use super::prompts::PromptPath;
use crate::refusal::Refusal;

pub(super) fn routes() -> OpenApiRouter<Admin> {
    OpenApiRouter::default().routes(routes!(list_users))
}

/// Which users of a prompt to list.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct UsedByQuery {
    /// Those that include this version of it.
    version: Option<u32>,
    /// True: also versions that no label points at and that are not their prompt's latest.
    all: Option<bool>,
    /// How many to a page.
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A version that includes a prompt.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "prompt": "support/reply", "version": 7, "reference": "snippets/tone@3", "includes_version": 3, "includes_label": null,
    "labels": ["production"], "is_latest": true,
}))]
struct UsedBy {
    /// The prompt it is of.
    #[schema(value_type = String)]
    prompt: PromptName,
    /// Its number.
    version: u32,
    /// How it names what it includes.
    reference: String,
    /// The version it includes; of a label that floats, the one that it points at now.
    includes_version: Option<u32>,
    /// The label it includes, whatever that points at; null when it is pinned.
    #[schema(value_type = Option<String>)]
    includes_label: Option<LabelName>,
    /// The labels that point at it now.
    #[schema(value_type = Vec<String>)]
    labels: Vec<LabelName>,
    /// Whether it is its prompt's highest version.
    is_latest: bool,
}

impl From<registry::UsedBy> for UsedBy {
    fn from(it: registry::UsedBy) -> Self {
        let registry::UsedBy {
            prompt,
            version,
            reference,
            includes_version,
            includes_label,
            labels,
            is_latest,
        } = it;
        Self { prompt, version, reference, includes_version, includes_label, labels, is_latest }
    }
}

/// List the versions that include a prompt
///
/// By name and number, those that serve (by a label) or may be edited next (the latest). Those that are
/// pinned include another version of this prompt when they are published again; those that float with a label
/// (`includes_label`) as soon as that label is moved.
#[utoipa::path(
    get, path = "/prompts/{name}/used-by", tag = "prompts", params(PromptPath, UsedByQuery),
    responses((status = 200, description = "A page of versions", body = List<UsedBy>), PromptNotFound),
)]
async fn list_users(
    allowed: Allowed<Read, UsedByQuery>,
    State(admin): State<Admin>,
    Named(PromptPath { name }): Named<PromptPath>,
) -> Result<Json<List<UsedBy>>, Refusal> {
    let asked = allowed.asked;
    let filter = UsedByFilter { version: asked.version, all: asked.all.unwrap_or(false) };
    let paging = paging(asked.limit, asked.cursor)?;
    let page = admin.app.registry.used_by(&allowed.project, &name, filter, &paging).await;
    Ok(Json(page.map_err(Refusal::of_prompt)?.into()))
}
