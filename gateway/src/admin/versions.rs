//! `/prompts/{name}/versions`: publishing versions and reading them.

mod content;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::StatusCode;
use registry::content::Content;
use registry::{DraftRelease, Reason, StoredVersion};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use vocab::{Impact, LabelName, PromptName, Selector, SemVer, Time};

use super::Admin;
use super::answer::{List, location, segment};
use super::description::{Conflict, PromptNotFound, TemplateError};
use super::given::{self, Named, Paged, Sent};
use super::permission::{Allowed, Read, WritePrompts};
use super::prompts::PromptPath;
use super::rendering::ExampleBody;
use crate::refusal::{Kind, Refusal};

pub(super) use content::ContentBody;

pub(super) fn routes() -> OpenApiRouter<Admin> {
    OpenApiRouter::default().routes(routes!(list_versions, publish_version)).routes(routes!(get_version))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
struct VersionPath {
    /// The prompt's name or an alias; `/` is written `%2F`.
    #[param(value_type = String, example = "support%2Freply")]
    name: PromptName,
    /// A number, a semantic version, a label, `latest`, or `sha256:` and the first digits of its digest.
    #[serde(deserialize_with = "given::parsed")]
    #[param(value_type = String, example = "production")]
    selector: Selector,
}

/// A version: everything that shapes a call, and where it comes from. It never changes.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "prompt": "support/reply",
    "version": 3,
    "semver": "1.1.0",
    "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "impact": "minor",
    "impact_reasons": [{"impact": "minor", "reason": "model changed"}],
    "parent": 2,
    "author": "ann",
    "commit_message": "Sound warmer",
    "created_at": "2026-11-30T12:00:00.000000Z",
    "labels": ["production"],
    "messages": [
        {"role": "system", "content": "Answer as {{tone}} as you can."},
        {"placeholder": "history"},
    ],
    "engine": "plain",
    "variables": {"tone": {"type": "string", "default": "kindly"}},
    "model": "gpt-5-mini",
    "parameters": {"temperature": 0.2},
    "metadata": {},
    "examples": [],
}))]
struct Version {
    /// The prompt's name.
    #[schema(value_type = String)]
    prompt: PromptName,
    /// Counts from 1 in each prompt.
    version: u32,
    /// Computed from the impact of each change.
    #[schema(value_type = String)]
    semver: SemVer,
    /// SHA-256 of the content's canonical JSON, hex; `sha256:` and its first digits select the version.
    digest: String,
    /// How much it differs from its parent; null for the first.
    #[schema(value_type = Option<ImpactBody>)]
    impact: Option<Impact>,
    /// What made the impact what it is.
    #[schema(value_type = Vec<ReasonBody>)]
    impact_reasons: Vec<Reason>,
    /// The version it was published onto; null for the first.
    parent: Option<u32>,
    /// Who published it: the owner of the token.
    author: String,
    /// What they said about it.
    commit_message: Option<String>,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    /// The labels that point at it now.
    #[schema(value_type = Vec<String>)]
    labels: Vec<LabelName>,
    /// What it holds.
    #[serde(flatten)]
    #[schema(value_type = ContentBody)]
    content: Content,
    /// Free facts, not part of the digest.
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
    /// Cases to try it with, as written.
    #[schema(value_type = Vec<Object>)]
    examples: Vec<Value>,
}

/// How much a version differs from its parent.
#[derive(ToSchema)]
#[schema(as = Impact, rename_all = "snake_case")]
#[expect(dead_code, reason = "documents `vocab::Impact`")]
pub(super) enum ImpactBody {
    Patch,
    Minor,
    Major,
}

/// One difference from the parent and how much it matters.
#[derive(ToSchema)]
#[schema(as = ImpactReason)]
#[expect(dead_code, reason = "documents `registry::Reason`")]
pub(super) struct ReasonBody {
    impact: ImpactBody,
    reason: String,
}

impl Version {
    fn of(prompt: &registry::Prompt, stored: StoredVersion) -> Self {
        let labels = prompt.labels.iter().filter(|(_, version)| **version == stored.number);
        Self {
            prompt: prompt.name.clone(),
            version: stored.number,
            semver: stored.semver,
            digest: stored.digest.to_string(),
            impact: stored.impact,
            impact_reasons: stored.impact_reasons,
            parent: stored.parent,
            author: stored.author,
            commit_message: stored.commit_message,
            created_at: stored.created_at,
            labels: labels.map(|(label, _)| label.clone()).collect(),
            content: stored.content,
            metadata: stored.metadata,
            examples: stored.examples,
        }
    }
}

/// A version to publish: its content, and what is said about it.
#[derive(ToSchema)]
#[schema(as = NewVersion, example = json!({
    "messages": [
        {"role": "system", "content": "Answer as {{tone}} as you can."},
        {"placeholder": "history"},
    ],
    "variables": {"tone": {"type": "string", "default": "kindly"}},
    "model": "gpt-5-mini",
    "parameters": {"temperature": 0.2},
    "commit_message": "Sound warmer",
    "labels": ["staging"],
}))]
#[expect(dead_code, reason = "documents a body that is read in two parts, `Said` and `Content`")]
struct NewVersion {
    #[serde(flatten)]
    content: ContentBody,
    #[serde(flatten)]
    said: Said,
}

/// What is said about a version, beside its content. It is given none but its own fields.
#[derive(Deserialize, ToSchema)]
struct Said {
    /// What changed and why.
    commit_message: Option<String>,
    /// Raises the computed impact; lowering it is refused.
    #[schema(value_type = Option<ImpactBody>)]
    impact: Option<Impact>,
    /// Free facts. Other metadata than the highest version has make a new version, also of the same content.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
    /// Cases to try it with. Other examples than the highest version has make a new version, also of the same content.
    #[schema(value_type = Option<Vec<ExampleBody>>)]
    examples: Option<Vec<Value>>,
    /// Labels to put on it at once; `production` takes a releaser.
    #[schema(value_type = Option<Vec<String>>)]
    labels: Option<Vec<LabelName>>,
    /// Refuse with 409 unless this is the highest version now; 0: the prompt must have none.
    expected_parent: Option<u32>,
    /// True: publish your draft, which goes away with that. The content stays out of the body then, `impact`,
    /// `metadata` and `examples` too: they are the draft's. A draft that conflicts with another version stays.
    draft: Option<bool>,
}

/// The fields of [`Said`].
const SAID: [&str; 7] =
    ["commit_message", "impact", "metadata", "examples", "labels", "expected_parent", "draft"];

/// What a request publishes.
enum Publishing {
    Version(Box<registry::NewVersion>),
    Draft(DraftRelease),
}

fn read(mut fields: Map<String, Value>) -> Result<Publishing, Refusal> {
    let said: Said = given::part(given::split_off(&mut fields, &SAID))?;
    if said.draft == Some(true) {
        return read_draft(&fields, said).map(Publishing::Draft);
    }
    Ok(Publishing::Version(Box::new(registry::NewVersion {
        content: given::part(fields)?,
        commit_message: said.commit_message,
        impact: said.impact,
        metadata_counts: said.metadata.is_some(),
        metadata: said.metadata.unwrap_or_default(),
        examples: said.examples.unwrap_or_default(),
        labels: said.labels.unwrap_or_default(),
        expected_parent: said.expected_parent,
    })))
}

/// What is said of a draft beyond what it says itself.
fn read_draft(fields: &Map<String, Value>, said: Said) -> Result<DraftRelease, Refusal> {
    let own = [
        ("impact", said.impact.is_some()),
        ("metadata", said.metadata.is_some()),
        ("examples", said.examples.is_some()),
    ];
    let own = own.into_iter().find_map(|(field, given)| given.then_some(field));
    if let Some(field) = own.or(fields.keys().next().map(String::as_str)) {
        let message =
            format!("`{field}` is the draft's own when `draft` is true: leave it out, or change the draft");
        return Err(Refusal::new(Kind::InvalidRequest, message).param(field.to_owned()));
    }
    Ok(DraftRelease {
        commit_message: said.commit_message,
        labels: said.labels.unwrap_or_default(),
        expected_parent: said.expected_parent,
        expected_revision: None,
    })
}

/// Publish a version
///
/// Creates the prompt if it is new. The same content as the highest version makes no new one: that one is answered
/// with 200, and `labels` are put on it all the same. `{"draft": true}` publishes your draft.
#[utoipa::path(
    post, path = "/prompts/{name}/versions", tag = "versions", request_body = NewVersion,
    params(PromptPath),
    responses(
        (status = 201, description = "The new version", body = Version, headers(("location" = String))),
        (status = 200, description = "The highest version has this very content", body = Version, headers(("location" = String))),
        Conflict, TemplateError,
    ),
)]
async fn publish_version(
    allowed: Allowed<WritePrompts>,
    State(admin): State<Admin>,
    Named(PromptPath { name }): Named<PromptPath>,
    Sent(fields): Sent<Map<String, Value>>,
) -> Result<impl IntoResponse, Refusal> {
    let registry = &admin.app.registry;
    let published = match read(fields)? {
        Publishing::Version(new) => registry.publish(&allowed.project, &name, *new, &allowed.who).await,
        Publishing::Draft(draft) => {
            registry.publish_draft(&allowed.project, &name, draft, &allowed.who).await
        }
    };
    let published = published.map_err(Refusal::of_prompt)?;
    let status = if published.is_new { StatusCode::CREATED } else { StatusCode::OK };
    let path = format!("/prompts/{}/versions", segment(published.prompt.name.as_str()));
    let location = location(&path, &published.version.number.to_string());
    Ok((status, location, Json(Version::of(&published.prompt, published.version))))
}

/// List a prompt's versions, newest first
#[utoipa::path(
    get, path = "/prompts/{name}/versions", tag = "versions",
    params(PromptPath, Paged),
    responses((status = 200, description = "A page of versions", body = List<Version>), PromptNotFound),
)]
async fn list_versions(
    allowed: Allowed<Read, Paged>,
    State(admin): State<Admin>,
    Named(PromptPath { name }): Named<PromptPath>,
) -> Result<Json<List<Version>>, Refusal> {
    let paging = allowed.asked.paging()?;
    let registry = &admin.app.registry;
    let prompt = registry.get_prompt(&allowed.project, &name).await.map_err(Refusal::of_prompt)?;
    let page = registry.list_versions(&allowed.project, &name, &paging).await.map_err(Refusal::of_prompt)?;
    let page = page.map(|version| Version::of(&prompt, version));
    Ok(Json(List { data: page.data, next_cursor: page.next_cursor }))
}

/// Get one version
#[utoipa::path(
    get, path = "/prompts/{name}/versions/{selector}", tag = "versions",
    params(VersionPath),
    responses((status = 200, description = "The version", body = Version), PromptNotFound),
)]
async fn get_version(
    allowed: Allowed<Read>,
    State(admin): State<Admin>,
    Named(VersionPath { name, selector }): Named<VersionPath>,
) -> Result<Json<Version>, Refusal> {
    let registry = &admin.app.registry;
    let prompt = registry.get_prompt(&allowed.project, &name).await.map_err(Refusal::of_prompt)?;
    let version =
        registry.get_version(&allowed.project, &name, &selector).await.map_err(Refusal::of_prompt)?;
    Ok(Json(Version::of(&prompt, version)))
}
