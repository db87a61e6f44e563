//! `/webhooks`: where events are sent.

mod deliveries;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use registry::Webhook;
use registry::webhooks::Format;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use vocab::{Id, Secret, Time};

use super::Admin;
use super::answer::{List, location};
use super::condition::{Expected, Known, Revised};
use super::description::{Conflict, NotFound, PreconditionFailed};
use super::given::{Named, Paged, Sent};
use super::permission::{Allowed, Read, WriteWebhooks};
use crate::refusal::{Kind, Refusal};

pub(super) fn routes() -> OpenApiRouter<Admin> {
    OpenApiRouter::default()
        .routes(routes!(list_webhooks, create_webhook))
        .routes(routes!(get_webhook, update_webhook, delete_webhook))
        .merge(deliveries::routes())
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
struct WebhookPath {
    /// The webhook's id.
    #[param(example = "019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4d")]
    id: String,
}

/// A webhook, without its secret and most of its URL.
#[derive(Serialize, ToSchema)]
#[schema(as = Webhook, example = json!({
    "id": "019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4d",
    "name": "on-call",
    "project": "default",
    "url": "https://hooks.example.com/…x7Qf",
    "format": "weir",
    "events": ["alert.*"],
    "enabled": true,
    "created_by": "ann",
    "created_at": "2026-11-30T12:00:00.000000Z",
    "updated_at": "2026-11-30T12:00:00.000000Z",
    "revision": 17,
}))]
struct WebhookBody {
    /// Stays; what alerts name in `notify`.
    #[schema(value_type = String, format = "uuid")]
    id: Id<vocab::id::Webhook>,
    /// What people call it; unique in its project.
    name: String,
    /// The project whose events it is told.
    project: String,
    /// Where it goes, up to the host: the rest may be a secret and is not shown again.
    url: String,
    /// What bodies look like there.
    #[schema(value_type = FormatBody)]
    format: Format,
    /// Events and families of events it is told, besides those that are addressed to it.
    events: Vec<String>,
    /// Whether anything is sent.
    enabled: bool,
    /// Who made it.
    created_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    /// When it was changed last.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Time,
    /// Grows with every change; what the `ETag` holds.
    revision: i64,
}

/// What bodies look like: `weir` is the event, signed; `slack` a message as Slack's incoming webhooks take it.
#[derive(ToSchema)]
#[schema(as = WebhookFormat, rename_all = "snake_case")]
#[expect(dead_code, reason = "documents `Format`")]
enum FormatBody {
    Weir,
    Slack,
}

impl From<Webhook> for WebhookBody {
    fn from(webhook: Webhook) -> Self {
        Self {
            id: webhook.id,
            name: webhook.name.to_string(),
            project: webhook.project.to_string(),
            url: webhook.shown_url(),
            format: webhook.format,
            events: webhook.events,
            enabled: webhook.enabled,
            created_by: webhook.created_by.to_string(),
            created_at: webhook.created_at,
            updated_at: webhook.updated_at,
            revision: webhook.revision,
        }
    }
}

fn revised(webhook: Webhook) -> Revised<WebhookBody> {
    Revised { revision: webhook.revision, body: webhook.into() }
}

/// A webhook just made, with its secret.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "secret": "whsec_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcd",
    "id": "019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4d",
    "name": "on-call",
    "project": "default",
    "url": "https://hooks.example.com/…x7Qf",
    "format": "weir",
    "events": ["alert.*"],
    "enabled": true,
    "created_by": "ann",
    "created_at": "2026-11-30T12:00:00.000000Z",
    "updated_at": "2026-11-30T12:00:00.000000Z",
    "revision": 17,
}))]
struct IssuedWebhook {
    /// What `weir-signature` is made with; shown this once.
    secret: String,
    #[serde(flatten)]
    webhook: WebhookBody,
}

/// A webhook to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "on-call", "url": "https://hooks.example.com/weir/6fQ2x7Qf", "events": ["alert.*"]}))]
struct NewWebhook {
    /// What people call it; unique in its project.
    name: String,
    /// Where events are sent: an http or https URL.
    #[schema(value_type = String)]
    url: Secret,
    /// What bodies look like there; `slack` for Slack's URLs, else `weir`, when absent.
    #[schema(value_type = Option<FormatBody>)]
    format: Option<Format>,
    /// Events it is told: `prompt.version_created`, `label.moved`, `alert.firing`, `alert.resolved`; their families
    /// `prompt.*`, `label.*`, `alert.*`; `*`. Those of alerts that name it in `notify` it is told anyway.
    #[serde(default)]
    events: Vec<String>,
    /// Whether anything is sent; true when absent.
    enabled: Option<bool>,
}

/// What to change of a webhook; what is absent stays. The secret cannot be changed: make another webhook.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"events": ["alert.firing"], "enabled": false}))]
struct WebhookPatch {
    /// What people call it.
    name: Option<String>,
    /// Where events are sent, the whole URL; `format` follows it unless it is given too.
    #[schema(value_type = Option<String>)]
    url: Option<Secret>,
    /// What bodies look like there.
    #[schema(value_type = Option<FormatBody>)]
    format: Option<Format>,
    /// All the events it is told.
    events: Option<Vec<String>>,
    /// Whether anything is sent.
    enabled: Option<bool>,
}

/// Make a webhook
///
/// The answer shows the secret that deliveries are signed with, this once.
#[utoipa::path(
    post, path = "/webhooks", tag = "webhooks", request_body = NewWebhook,
    responses(
        (status = 201, description = "It is told of events from now on", body = IssuedWebhook, headers(("location" = String), ("etag" = String))),
        NotFound,
    ),
)]
async fn create_webhook(
    allowed: Allowed<WriteWebhooks>,
    State(admin): State<Admin>,
    Sent(new): Sent<NewWebhook>,
) -> Result<impl IntoResponse, Refusal> {
    let new = registry::NewWebhook {
        name: new.name,
        project: allowed.project.to_string(),
        url: new.url,
        format: new.format,
        events: new.events,
        enabled: new.enabled.unwrap_or(true),
    };
    let made = admin.app.registry.create_webhook(new, &allowed.who).await?;
    let location = location("/webhooks", &made.issued.id.to_string());
    let revision = made.issued.revision;
    let body = IssuedWebhook { secret: made.secret.expose().to_owned(), webhook: made.issued.into() };
    Ok((StatusCode::CREATED, location, Revised { revision, body }))
}

/// List webhooks, newest first
#[utoipa::path(
    get, path = "/webhooks", tag = "webhooks", params(Paged),
    responses((status = 200, description = "A page of webhooks", body = List<WebhookBody>)),
)]
async fn list_webhooks(
    allowed: Allowed<Read, Paged>,
    State(admin): State<Admin>,
) -> Result<Json<List<WebhookBody>>, Refusal> {
    let paging = allowed.asked.paging()?;
    Ok(Json(admin.app.registry.list_webhooks(&allowed.project, &paging).await?.into()))
}

/// Get a webhook
#[utoipa::path(
    get, path = "/webhooks/{id}", tag = "webhooks", params(WebhookPath),
    responses((status = 200, description = "The webhook, without its secret", body = WebhookBody, headers(("etag" = String))), NotFound),
)]
async fn get_webhook(
    allowed: Allowed<Read>,
    State(admin): State<Admin>,
    Named(WebhookPath { id }): Named<WebhookPath>,
    known: Known,
) -> Result<Response, Refusal> {
    Ok(revised(find(&admin, &allowed.project, &id).await?).unless_known(&known))
}

/// Change a webhook
///
/// What waits for it goes where it says from then on; while it is disabled, what comes due is given up.
#[utoipa::path(
    patch, path = "/webhooks/{id}", tag = "webhooks", params(WebhookPath), request_body = WebhookPatch,
    responses(
        (status = 200, description = "The webhook as it is now", body = WebhookBody, headers(("etag" = String))),
        NotFound, Conflict, PreconditionFailed,
    ),
)]
async fn update_webhook(
    allowed: Allowed<WriteWebhooks>,
    State(admin): State<Admin>,
    Named(WebhookPath { id }): Named<WebhookPath>,
    expected: Expected,
    Sent(patch): Sent<WebhookPatch>,
) -> Result<Revised<WebhookBody>, Refusal> {
    let now = find(&admin, &allowed.project, &id).await?;
    expected.check(now.revision)?;
    let change = registry::WebhookChange {
        name: patch.name,
        url: patch.url,
        format: patch.format,
        events: patch.events,
        enabled: patch.enabled,
        expected_revision: expected.insists().then_some(now.revision),
    };
    let changed = admin.app.registry.update_webhook(now.id, change, &allowed.who).await;
    expected.judge(changed, Refusal::from).map(revised)
}

/// Delete a webhook
///
/// With its deliveries, those still waiting included. One that an alert names stays: 409.
#[utoipa::path(
    delete, path = "/webhooks/{id}", tag = "webhooks", params(WebhookPath),
    responses((status = 204, description = "It is gone"), NotFound, Conflict, PreconditionFailed),
)]
async fn delete_webhook(
    allowed: Allowed<WriteWebhooks>,
    State(admin): State<Admin>,
    Named(WebhookPath { id }): Named<WebhookPath>,
    expected: Expected,
) -> Result<StatusCode, Refusal> {
    let now = find(&admin, &allowed.project, &id).await?;
    expected.check(now.revision)?;
    admin.app.registry.delete_webhook(now.id, &allowed.who).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn find(admin: &Admin, project: &str, id: &str) -> Result<Webhook, Refusal> {
    let missing = || Refusal::new(Kind::NotFound, format!("there is no webhook `{}`", id.escape_debug()));
    let webhook = admin.app.registry.get_webhook(id.parse().map_err(|_| missing())?).await?;
    if *webhook.project == *project { Ok(webhook) } else { Err(missing()) }
}
