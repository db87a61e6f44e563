//! What is outside the resources: health, metrics, the description of the API, and a page for people.

use axum::Json;
use axum::extract::State;
use axum::response::{Html, IntoResponse};
use http::header;
use serde_json::json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Admin;
use crate::health;

/// What `/` shows until there is a console.
const PAGE: &str = include_str!("page.html");
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) fn routes() -> OpenApiRouter<Admin> {
    OpenApiRouter::default()
        .routes(routes!(healthz))
        .routes(routes!(readyz))
        .routes(routes!(metrics))
        .route("/", axum::routing::get(page))
}

pub(super) fn api_routes() -> OpenApiRouter<Admin> {
    OpenApiRouter::default().routes(routes!(openapi_file))
}

/// Whether the process lives
///
/// Takes no token.
#[utoipa::path(
    get, path = "/healthz", tag = "system", security(()),
    responses((status = 200, description = "It answers", body = Object, example = json!({"status": "ok"}))),
)]
async fn healthz() -> impl IntoResponse {
    Json(json!({"status": "ok"}))
}

/// Whether calls are welcome
///
/// Takes no token. `notices` holds what operators should know although calls are served.
#[utoipa::path(
    get, path = "/readyz", tag = "system", security(()),
    responses(
        (status = 200, description = "Calls are welcome", body = Object, example = json!({
            "status": "ready", "version": "0.1.0", "registry_revision": 17, "notices": [],
        })),
        (status = 503, description = "The process is stopping", body = Object, example = json!({
            "status": "stopping", "version": "0.1.0", "registry_revision": 17, "notices": [],
        })),
    ),
)]
async fn readyz(State(admin): State<Admin>) -> impl IntoResponse {
    let (status, value) = health::readiness(&admin.app, &admin.stopping);
    (status, Json(value))
}

/// All metrics, as Prometheus scrapes them
///
/// Takes no token.
#[utoipa::path(
    get, path = "/metrics", tag = "system", security(()),
    responses((status = 200, description = "Prometheus text format", body = String, content_type = "text/plain", example = "weir_inflight 0\n")),
)]
async fn metrics(State(admin): State<Admin>) -> impl IntoResponse {
    admin.app.refresh_gauges();
    ([(header::CONTENT_TYPE, PROMETHEUS_TEXT)], admin.app.metrics.text())
}

/// This description
///
/// Takes no token: it is the same for every installation of a version.
#[utoipa::path(
    get, path = "/openapi.json", tag = "system", security(()),
    responses((status = 200, description = "An OpenAPI 3.1 file", body = Object, example = json!({"openapi": "3.1.0"}))),
)]
async fn openapi_file(State(admin): State<Admin>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], admin.openapi)
}

async fn page() -> impl IntoResponse {
    Html(PAGE)
}
