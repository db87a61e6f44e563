//! `/prompts/{name}/draft`: the caller's working copy of a prompt, kept while it is written.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use registry::NewDraft;
use registry::content::Content;
use registry::template::Problem;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use vocab::{Impact, PromptName, Time};

use super::Admin;
use super::condition::{Expected, Known, Revised};
use super::description::{Conflict, PreconditionFailed, PromptNotFound};
use super::given::{self, Named, Sent};
use super::permission::{Allowed, Read, WritePrompts};
use super::prompts::PromptPath;
use super::rendering::{ExampleBody, ProblemBody};
use super::versions::{ContentBody, ImpactBody};
use crate::refusal::Refusal;

pub(super) fn routes() -> OpenApiRouter<Admin> {
    OpenApiRouter::default().routes(routes!(get_draft, put_draft, discard_draft))
}

/// A working copy of a prompt: what its next version is to be.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "prompt": "support/reply",
    "owner": "ann",
    "parent": 3,
    "stale": false,
    "messages": [{"role": "system", "content": "Answer as {{tone}} as you can."}],
    "engine": "plain",
    "commit_message": null,
    "impact": null,
    "metadata": {},
    "examples": [],
    "problems": [],
    "created_at": "2026-11-30T12:00:00.000000Z",
    "updated_at": "2026-11-30T12:30:00.000000Z",
    "revision": 1_796_041_800_000_000_i64,
}))]
struct Draft {
    /// The prompt's name.
    #[schema(value_type = String)]
    prompt: PromptName,
    /// Whose it is: the token's owner.
    owner: String,
    /// The version it was begun from; 0 for none. Publishing expects it to be the highest still.
    parent: u32,
    /// Whether another version was published since it was begun.
    stale: bool,
    /// What it holds.
    #[serde(flatten)]
    #[schema(value_type = ContentBody)]
    content: Content,
    /// What changed and why, so far.
    commit_message: Option<String>,
    /// What the author raises the impact to.
    #[schema(value_type = Option<ImpactBody>)]
    impact: Option<Impact>,
    /// Free facts.
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
    /// Cases to try it with.
    #[schema(value_type = Vec<Object>)]
    examples: Vec<Value>,
    /// What is wrong with its templates; it cannot be published before they are mended.
    #[schema(value_type = Vec<ProblemBody>)]
    problems: Vec<Problem>,
    /// When it was begun.
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Time,
    /// Grows with every change; what the `ETag` holds.
    revision: i64,
}

/// A draft to keep: a content, and what is to be said about it.
#[derive(ToSchema)]
#[schema(as = NewDraft, example = json!({
    "messages": [{"role": "system", "content": "Answer as {{tone}} as you can."}],
    "expected_parent": 3,
}))]
#[expect(dead_code, reason = "documents a body that is read in two parts, `Said` and `Content`")]
struct DraftPut {
    #[serde(flatten)]
    content: ContentBody,
    #[serde(flatten)]
    said: Said,
}

/// What is said of a draft, beside its content. It is given none but its own fields.
#[derive(Deserialize, ToSchema)]
#[schema(as = DraftSaid)]
struct Said {
    /// What changed and why.
    commit_message: Option<String>,
    /// Raises the computed impact.
    #[schema(value_type = Option<ImpactBody>)]
    impact: Option<Impact>,
    /// Free facts.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
    /// Cases to try it with.
    #[schema(value_type = Option<Vec<ExampleBody>>)]
    examples: Option<Vec<Value>>,
    /// The version it is begun from. When absent: what the draft says already, else the highest version.
    expected_parent: Option<u32>,
}

/// The fields of [`Said`].
const SAID: [&str; 5] = ["commit_message", "impact", "metadata", "examples", "expected_parent"];

fn read(mut fields: Map<String, Value>) -> Result<NewDraft, Refusal> {
    let said: Said = given::part(given::split_off(&mut fields, &SAID))?;
    Ok(NewDraft {
        content: given::part(fields)?,
        commit_message: said.commit_message,
        impact: said.impact,
        metadata: said.metadata.unwrap_or_default(),
        examples: said.examples.unwrap_or_default(),
        parent: said.expected_parent,
        expected_revision: None,
    })
}

impl Draft {
    async fn of(
        admin: &Admin,
        project: &str,
        name: &PromptName,
        it: registry::Draft,
    ) -> Result<Self, Refusal> {
        let registry = &admin.app.registry;
        let prompt = registry.get_prompt(project, name).await.map_err(Refusal::of_prompt)?;
        let problems = registry.check(project, &it.content).await?.problems;
        Ok(Self {
            prompt: prompt.name,
            owner: it.owner,
            parent: it.parent,
            stale: it.parent != prompt.latest.unwrap_or(0),
            content: it.content,
            commit_message: it.commit_message,
            impact: it.impact,
            metadata: it.metadata,
            examples: it.examples,
            problems,
            created_at: it.created_at,
            updated_at: it.updated_at,
            revision: it.revision,
        })
    }
}

/// Get your draft of a prompt
///
/// Drafts are their owner's: a token sees the one of its `owner` and no other.
#[utoipa::path(
    get, path = "/prompts/{name}/draft", tag = "versions", params(PromptPath),
    responses(
        (status = 200, description = "The draft", body = Draft, headers(("etag" = String))),
        PromptNotFound,
    ),
)]
async fn get_draft(
    allowed: Allowed<Read>,
    State(admin): State<Admin>,
    Named(PromptPath { name }): Named<PromptPath>,
    known: Known,
) -> Result<Response, Refusal> {
    let draft = admin.app.registry.get_draft(&allowed.project, &name, &allowed.who).await;
    let draft = draft.map_err(Refusal::of_prompt)?;
    let revision = draft.revision;
    let body = Draft::of(&admin, &allowed.project, &name, draft).await?;
    Ok(Revised { revision, body }.unless_known(&known))
}

/// Keep your draft of a prompt
///
/// In place of the one before, if there is one. Its templates need not hold yet: `problems` says what is wrong.
/// `POST /prompts/{name}/versions` with `{"draft": true}` publishes it.
#[utoipa::path(
    put, path = "/prompts/{name}/draft", tag = "versions", params(PromptPath), request_body = DraftPut,
    responses(
        (status = 200, description = "The draft as it is now", body = Draft, headers(("etag" = String))),
        PromptNotFound, Conflict, PreconditionFailed,
    ),
)]
async fn put_draft(
    allowed: Allowed<WritePrompts>,
    State(admin): State<Admin>,
    Named(PromptPath { name }): Named<PromptPath>,
    expected: Expected,
    Sent(fields): Sent<Map<String, Value>>,
) -> Result<Revised<Draft>, Refusal> {
    let mut new = read(fields)?;
    new.expected_revision = revision(&admin, &allowed, &name, &expected).await?;
    let kept = admin.app.registry.put_draft(&allowed.project, &name, new, &allowed.who).await;
    let draft = expected.judge(kept, Refusal::of_prompt)?;
    let revision = draft.revision;
    Ok(Revised { revision, body: Draft::of(&admin, &allowed.project, &name, draft).await? })
}

/// Throw your draft of a prompt away
#[utoipa::path(
    delete, path = "/prompts/{name}/draft", tag = "versions", params(PromptPath),
    responses((status = 204, description = "It is gone"), PromptNotFound, PreconditionFailed),
)]
async fn discard_draft(
    allowed: Allowed<WritePrompts>,
    State(admin): State<Admin>,
    Named(PromptPath { name }): Named<PromptPath>,
    expected: Expected,
) -> Result<StatusCode, Refusal> {
    let revision = revision(&admin, &allowed, &name, &expected).await?;
    let gone = admin.app.registry.discard_draft(&allowed.project, &name, revision, &allowed.who).await;
    expected.judge(gone, Refusal::of_prompt)?;
    Ok(StatusCode::NO_CONTENT)
}

/// The revision a change insists on, if it does: the one there is now, held to what the caller expects.
async fn revision(
    admin: &Admin,
    allowed: &Allowed<WritePrompts>,
    name: &PromptName,
    expected: &Expected,
) -> Result<Option<i64>, Refusal> {
    if !expected.insists() {
        return Ok(None);
    }
    let draft = admin.app.registry.find_draft(&allowed.project, name, &allowed.who).await;
    let now = draft.map_err(Refusal::of_prompt)?.map_or(0, |draft| draft.revision);
    expected.check(now)?;
    Ok(Some(now))
}
