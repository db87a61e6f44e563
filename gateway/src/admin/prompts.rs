//! `/prompts`: creating, finding, changing and archiving prompts.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use registry::content::Alias;
use registry::{PromptChange, PromptFilter};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use vocab::{Id, LabelName, PromptName, Time};

use super::Admin;
use super::answer::{List, location};
use super::condition::{Expected, Known, Revised};
use super::description::{Conflict, PreconditionFailed, PromptNotFound};
use super::given::{Named, Sent, paging};
use super::permission::{Allowed, Read, WritePrompts};
use crate::refusal::Refusal;

pub(super) fn routes() -> OpenApiRouter<Admin> {
    OpenApiRouter::default().routes(routes!(list_prompts, create_prompt)).routes(routes!(
        get_prompt,
        update_prompt,
        archive_prompt
    ))
}

/// A prompt, apart from its versions.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "id": "019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4d",
    "project": "default",
    "name": "support/reply",
    "type": "chat",
    "description": "Answers a customer's mail",
    "tags": ["support"],
    "aliases": [{"id": "pmpt_68ab", "versions": {"7": 1}, "default": 1}],
    "labels": {"production": 3, "staging": 4},
    "latest_version": 4,
    "created_at": "2026-11-30T12:00:00.000000Z",
    "updated_at": "2026-11-30T12:30:00.000000Z",
    "archived_at": null,
    "revision": 17,
}))]
struct Prompt {
    /// Stays through renames.
    #[schema(value_type = String, format = "uuid")]
    id: Id<vocab::id::Prompt>,
    /// The project it belongs to.
    project: String,
    /// Its name; folders are the name's prefixes.
    #[schema(value_type = String)]
    name: PromptName,
    /// Messages or one text, fixed by the first version; null before.
    #[serde(rename = "type")]
    kind: Option<PromptKind>,
    /// What it is for.
    description: String,
    /// Words to find it by, in order, each once.
    tags: Vec<String>,
    /// Other names it answers to: imported ids, and its names before it was renamed.
    #[schema(value_type = Vec<AliasBody>)]
    aliases: Vec<Alias>,
    /// Which version each label points at.
    #[schema(value_type = std::collections::BTreeMap<String, u32>)]
    labels: BTreeMap<LabelName, u32>,
    /// The highest version; null while there is none.
    latest_version: Option<u32>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    /// When it, a label or its list of versions last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Time,
    /// When it was archived; null while it serves.
    #[schema(value_type = Option<String>, format = DateTime)]
    archived_at: Option<Time>,
    /// Grows with every change; what the `ETag` holds.
    revision: i64,
}

/// A chat prompt is a list of messages, a text prompt one text.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum PromptKind {
    /// A list of messages.
    Chat,
    /// One text.
    Text,
}

/// Another id a prompt answers to, with what that id's own versions mean here.
#[derive(ToSchema)]
#[schema(as = Alias)]
#[expect(dead_code, reason = "documents `registry::content::Alias`, which knows nothing of HTTP")]
pub(super) struct AliasBody {
    /// The other id; follows the rule for prompt names.
    id: String,
    /// That id's versions to ours.
    versions: Option<BTreeMap<String, u32>>,
    /// Our version when none is asked for; else the label `production` serves.
    default: Option<u32>,
}

impl From<registry::Prompt> for Prompt {
    fn from(prompt: registry::Prompt) -> Self {
        let kind = prompt.kind.map(|kind| match kind {
            registry::PromptKind::Chat => PromptKind::Chat,
            registry::PromptKind::Text => PromptKind::Text,
        });
        Self {
            id: prompt.id,
            project: prompt.project.to_string(),
            name: prompt.name,
            kind,
            description: prompt.description,
            tags: prompt.tags,
            aliases: prompt.aliases,
            labels: prompt.labels.into_iter().collect(),
            latest_version: prompt.latest,
            created_at: prompt.created_at,
            updated_at: prompt.updated_at,
            archived_at: prompt.archived_at,
            revision: prompt.revision,
        }
    }
}

fn revised(prompt: registry::Prompt) -> Revised<Prompt> {
    Revised { revision: prompt.revision, body: prompt.into() }
}

/// A prompt to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "name": "support/reply",
    "description": "Answers a customer's mail",
    "tags": ["support"],
    "aliases": [{"id": "pmpt_68ab", "versions": {"7": 1}, "default": 1}],
}))]
struct NewPrompt {
    /// Segments of letters, digits, space, `.`, `_`, `-`, joined by `/`; 255 bytes at most.
    #[schema(value_type = String)]
    name: PromptName,
    /// What it is for.
    description: Option<String>,
    /// Words to find it by.
    tags: Option<Vec<String>>,
    /// Other ids it answers to.
    #[schema(value_type = Option<Vec<AliasBody>>)]
    aliases: Option<Vec<Alias>>,
}

/// What to change of a prompt; what is absent or null stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "support/answer", "tags": ["support", "mail"]}))]
struct PromptPatch {
    /// A new name, or the same in another folder; the old one stays as an alias.
    #[schema(value_type = Option<String>)]
    name: Option<PromptName>,
    /// What it is for.
    description: Option<String>,
    /// All its tags.
    tags: Option<Vec<String>>,
    /// All its aliases.
    #[schema(value_type = Option<Vec<AliasBody>>)]
    aliases: Option<Vec<Alias>>,
    /// Whether it is archived; false brings it back.
    archived: Option<bool>,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct PromptPath {
    /// The prompt's name or an alias; `/` is written `%2F`.
    #[param(value_type = String, example = "support%2Freply")]
    pub(super) name: PromptName,
}

/// Which prompts to list.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct PromptQuery {
    /// Those in this folder or below it, such as `support`.
    folder: Option<String>,
    /// Those with this tag.
    tag: Option<String>,
    /// Those whose name, description, tags or aliases contain this text, in any case.
    q: Option<String>,
    /// True: the archived ones instead of those that serve.
    archived: Option<bool>,
    /// How many to a page.
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Create a prompt without versions
///
/// Publishing a version creates its prompt too; this is for prompts that have aliases, tags or a description first.
#[utoipa::path(
    post, path = "/prompts", tag = "prompts", request_body = NewPrompt,
    responses(
        (status = 201, description = "It is made", body = Prompt, headers(("location" = String), ("etag" = String))),
        Conflict,
    ),
)]
async fn create_prompt(
    allowed: Allowed<WritePrompts>,
    State(admin): State<Admin>,
    Sent(new): Sent<NewPrompt>,
) -> Result<impl IntoResponse, Refusal> {
    let new = registry::NewPrompt {
        name: new.name,
        description: new.description.unwrap_or_default(),
        tags: new.tags.unwrap_or_default(),
        aliases: new.aliases.unwrap_or_default(),
    };
    let prompt = admin.app.registry.create_prompt(&allowed.project, new, &allowed.who).await?;
    let location = location("/prompts", prompt.name.as_str());
    Ok((StatusCode::CREATED, location, revised(prompt)))
}

/// List prompts by name
#[utoipa::path(
    get, path = "/prompts", tag = "prompts", params(PromptQuery),
    responses((status = 200, description = "A page of prompts", body = List<Prompt>)),
)]
async fn list_prompts(
    allowed: Allowed<Read, PromptQuery>,
    State(admin): State<Admin>,
) -> Result<Json<List<Prompt>>, Refusal> {
    let asked = allowed.asked;
    let filter = PromptFilter {
        folder: asked.folder,
        tag: asked.tag,
        text: asked.q,
        archived: asked.archived.unwrap_or(false),
    };
    let paging = paging(asked.limit, asked.cursor)?;
    let page = admin.app.registry.list_prompts(&allowed.project, &filter, &paging).await?;
    Ok(Json(page.into()))
}

/// Get a prompt by its name or an alias
///
/// The `ETag` names its revision; `If-None-Match` answers 304 while that is still so.
#[utoipa::path(
    get, path = "/prompts/{name}", tag = "prompts",
    params(PromptPath),
    responses(
        (status = 200, description = "The prompt", body = Prompt, headers(("etag" = String))),
        PromptNotFound,
    ),
)]
async fn get_prompt(
    allowed: Allowed<Read>,
    State(admin): State<Admin>,
    Named(PromptPath { name }): Named<PromptPath>,
    known: Known,
) -> Result<Response, Refusal> {
    let prompt = admin.app.registry.get_prompt(&allowed.project, &name).await.map_err(Refusal::of_prompt)?;
    Ok(revised(prompt).unless_known(&known))
}

/// Rename, move, describe, archive or restore a prompt
///
/// After a rename the old name stays as an alias, so that nothing that calls it breaks.
#[utoipa::path(
    patch, path = "/prompts/{name}", tag = "prompts", request_body = PromptPatch,
    params(PromptPath),
    responses(
        (status = 200, description = "The prompt as it is now", body = Prompt, headers(("etag" = String))),
        PromptNotFound, Conflict, PreconditionFailed,
    ),
)]
async fn update_prompt(
    allowed: Allowed<WritePrompts>,
    State(admin): State<Admin>,
    Named(PromptPath { name }): Named<PromptPath>,
    expected: Expected,
    Sent(patch): Sent<PromptPatch>,
) -> Result<Revised<Prompt>, Refusal> {
    let change = PromptChange {
        name: patch.name,
        description: patch.description,
        tags: patch.tags,
        aliases: patch.aliases,
        archived: patch.archived,
        expected_revision: None,
    };
    change_prompt(&admin, &allowed, &name, &expected, change).await
}

/// Archive a prompt
///
/// It stops serving and leaves the list; its versions stay and calls keep their records. A prompt that still has
/// labels is not archived. Archiving it again changes nothing.
#[utoipa::path(
    delete, path = "/prompts/{name}", tag = "prompts",
    params(PromptPath),
    responses(
        (status = 200, description = "The archived prompt", body = Prompt, headers(("etag" = String))),
        PromptNotFound, Conflict, PreconditionFailed,
    ),
)]
async fn archive_prompt(
    allowed: Allowed<WritePrompts>,
    State(admin): State<Admin>,
    Named(PromptPath { name }): Named<PromptPath>,
    expected: Expected,
) -> Result<Revised<Prompt>, Refusal> {
    let change = PromptChange { archived: Some(true), ..PromptChange::default() };
    change_prompt(&admin, &allowed, &name, &expected, change).await
}

async fn change_prompt(
    admin: &Admin,
    allowed: &Allowed<WritePrompts>,
    name: &PromptName,
    expected: &Expected,
    mut change: PromptChange,
) -> Result<Revised<Prompt>, Refusal> {
    let registry = &admin.app.registry;
    if expected.insists() {
        let now = registry.get_prompt(&allowed.project, name).await.map_err(Refusal::of_prompt)?;
        expected.check(now.revision)?;
        change.expected_revision = Some(now.revision);
    }
    let changed = registry.update_prompt(&allowed.project, name, change, &allowed.who).await;
    expected.judge(changed, Refusal::of_prompt).map(revised)
}
