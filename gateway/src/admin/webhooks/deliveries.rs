//! What was sent to a webhook and how it went, sending it again, and trying a webhook out.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::StatusCode;
use registry::webhooks::{Delivery, DeliveryState, Event};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use vocab::{Id, Time};

use super::{WebhookPath, find};
use crate::admin::Admin;
use crate::admin::answer::List;
use crate::admin::description::{Conflict, NotFound};
use crate::admin::given::{Named, Paged};
use crate::admin::permission::{Allowed, Read, WriteWebhooks};
use crate::jobs::webhook::CLAIM_TIME;
use crate::refusal::{Kind, Refusal};

/// The event that only trying a webhook out raises.
const TEST_EVENT: &str = "webhook.test";

pub(super) fn routes() -> OpenApiRouter<Admin> {
    OpenApiRouter::default()
        .routes(routes!(list_deliveries))
        .routes(routes!(test_webhook))
        .routes(routes!(replay_delivery))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
struct DeliveryPath {
    /// The delivery's id: `weir-delivery-id` of what was sent.
    #[param(example = "019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4d")]
    id: String,
}

/// One event on its way to one webhook, and how it went.
#[derive(Serialize, ToSchema)]
#[schema(as = Delivery, example = json!({
    "id": "019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4d",
    "webhook": "019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4e",
    "event_id": "019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4f",
    "event": "alert.firing",
    "state": "waiting",
    "attempts": 2,
    "status": 503,
    "error": "the answer was 503 Service Unavailable",
    "next_try_at": "2026-11-30T12:00:31.000000Z",
    "created_at": "2026-11-30T12:00:00.000000Z",
    "tried_at": "2026-11-30T12:00:11.000000Z",
    "finished_at": null,
    "body": {"id": "019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4f", "type": "alert.firing", "project": "default"},
}))]
struct DeliveryBody {
    /// Stays; what the header `weir-delivery-id` holds.
    #[schema(value_type = String, format = "uuid")]
    id: Id<vocab::id::Delivery>,
    /// Where it goes.
    #[schema(value_type = Option<String>, format = "uuid")]
    webhook: Option<Id<vocab::id::Webhook>>,
    /// The event's id, the same in every delivery of it; what the header `weir-event-id` holds.
    #[schema(value_type = String, format = "uuid")]
    event_id: Id<vocab::id::Event>,
    /// What happened.
    event: String,
    /// `waiting` until it is `delivered` or `given_up`.
    #[schema(value_type = DeliveryStateBody)]
    state: DeliveryState,
    /// Tries begun.
    attempts: u32,
    /// The status of the last answer; null when there was none.
    status: Option<u32>,
    /// What went wrong last.
    error: Option<String>,
    /// While it waits: when it is tried next; a try under way has put this off for a minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_try_at: Option<Time>,
    /// When it was put into the queue.
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    /// When the last try ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    tried_at: Option<Time>,
    /// When it was delivered or given up.
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Time>,
    /// The event, as it is sent where `format` is `weir`.
    #[schema(value_type = Object)]
    body: Value,
}

/// How far a delivery is.
#[derive(ToSchema)]
#[schema(as = DeliveryState, rename_all = "snake_case")]
#[expect(dead_code, reason = "documents `DeliveryState`")]
enum DeliveryStateBody {
    Waiting,
    Delivered,
    GivenUp,
}

impl From<Delivery> for DeliveryBody {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id,
            webhook: delivery.webhook,
            event_id: delivery.event_id,
            event: delivery.event.to_string(),
            state: delivery.state,
            attempts: delivery.attempts,
            status: delivery.status,
            error: delivery.error,
            next_try_at: (delivery.state == DeliveryState::Waiting).then_some(delivery.due_at),
            created_at: delivery.created_at,
            tried_at: delivery.tried_at,
            finished_at: delivery.finished_at,
            body: serde_json::from_str(&delivery.body).unwrap_or_default(),
        }
    }
}

/// List deliveries, newest first
///
/// Finished ones are kept for seven days, at most 1,000 of them.
#[utoipa::path(
    get, path = "/webhooks/{id}/deliveries", tag = "webhooks", params(WebhookPath, Paged),
    responses((status = 200, description = "A page of deliveries", body = List<DeliveryBody>), NotFound),
)]
async fn list_deliveries(
    allowed: Allowed<Read, Paged>,
    State(admin): State<Admin>,
    Named(WebhookPath { id }): Named<WebhookPath>,
) -> Result<Json<List<DeliveryBody>>, Refusal> {
    let webhook = find(&admin, &allowed.project, &id).await?;
    let paging = allowed.asked.paging()?;
    Ok(Json(admin.app.registry.list_deliveries(webhook.id, &paging).await?.into()))
}

/// Try a webhook out
///
/// Sends an event `webhook.test` now and answers how that went. It is tried again like any other unless it is hopeless.
#[utoipa::path(
    post, path = "/webhooks/{id}/test", tag = "webhooks", params(WebhookPath),
    responses((status = 200, description = "How it went", body = DeliveryBody), NotFound, Conflict),
)]
async fn test_webhook(
    allowed: Allowed<WriteWebhooks>,
    State(admin): State<Admin>,
    Named(WebhookPath { id }): Named<WebhookPath>,
) -> Result<Json<DeliveryBody>, Refusal> {
    let webhook = find(&admin, &allowed.project, &id).await?;
    if !webhook.enabled {
        let message = format!("webhook `{}` is disabled: enable it first", webhook.name);
        return Err(Refusal::new(Kind::Conflict, message));
    }
    let (registry, now) = (&admin.app.registry, admin.app.clock.now());
    let id = Id::at(now);
    let body = json!({
        "id": id,
        "type": TEST_EVENT,
        "project": webhook.project,
        "created_at": now,
        "summary": format!("{} tries out webhook {}", allowed.who.owner, webhook.name),
        "data": {"webhook": {"id": webhook.id, "name": webhook.name}},
    });
    let project = webhook.project.clone();
    let event = Event { id, project, kind: TEST_EVENT.into(), body: body.to_string().into() };
    let parcel = registry.announce_to(webhook.id, event, CLAIM_TIME, &allowed.who).await?;
    let id = parcel.delivery.id;
    admin.app.jobs.courier.deliver(parcel).await;
    Ok(Json(registry.get_delivery(id).await?.into()))
}

/// Deliver an event again
///
/// As a delivery of its own with the same event id, whether or not the first one arrived.
#[utoipa::path(
    post, path = "/webhooks/deliveries/{id}/replay", tag = "webhooks", params(DeliveryPath),
    responses((status = 201, description = "It is in the queue", body = DeliveryBody), NotFound),
)]
async fn replay_delivery(
    allowed: Allowed<WriteWebhooks>,
    State(admin): State<Admin>,
    Named(DeliveryPath { id }): Named<DeliveryPath>,
) -> Result<impl IntoResponse, Refusal> {
    let missing = || {
        let id = id.escape_debug();
        Refusal::new(
            Kind::NotFound,
            format!("there is no delivery `{id}`: finished ones are kept for seven days"),
        )
    };
    let before = admin.app.registry.get_delivery(id.parse().map_err(|_| missing())?).await?;
    if *before.project != *allowed.project {
        return Err(missing());
    }
    let again = admin.app.registry.replay_delivery(before.id, &allowed.who).await?;
    admin.app.jobs.courier.nudge();
    Ok((StatusCode::CREATED, Json(DeliveryBody::from(again))))
}
