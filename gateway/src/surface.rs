//! Every data-plane URL in one match; the admin listener's URLs are axum's.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use dialects::Endpoint;
use futures_util::FutureExt as _;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;

use crate::app::App;
use crate::call::relay::Body;
use crate::call::{self, passthrough};
use crate::listen::{Service, Stopping};
use crate::refusal::{Kind, Refusal};
use crate::{feedback, health, langfuse, models, otlp, reading};

/// The data plane as a service.
#[derive(Clone)]
pub struct DataPlane {
    /// The program's parts.
    pub app: Arc<App>,
    /// Whether the program is stopping.
    pub stopping: Stopping,
}

impl Service<Body> for DataPlane {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        // A call answers its own bugs under its id; this is for everything else.
        let answered = AssertUnwindSafe(route(self, request)).catch_unwind().await;
        answered.unwrap_or_else(|_| {
            error(&Refusal::new(Kind::Internal, "something broke inside the gateway: tell its operators"))
        })
    }
}

async fn route(plane: &DataPlane, request: Request<Incoming>) -> Response<Body> {
    let app = &plane.app;
    let path = request.uri().path();
    let post = *request.method() == Method::POST;
    match path {
        "/v1/chat/completions" if post => call::serve(app, request, Endpoint::ChatCompletions).await,
        "/v1/responses" if post => call::serve(app, request, Endpoint::Responses).await,
        "/v1/completions" if post => call::serve(app, request, Endpoint::Completions).await,
        "/v1/embeddings" if post => call::serve(app, request, Endpoint::Embeddings).await,
        "/v1/traces" | "/otlp/v1/traces" | "/api/public/otel/v1/traces" if post => {
            otlp::serve(app, request).await
        }
        "/v1/chat/completions"
        | "/v1/responses"
        | "/v1/completions"
        | "/v1/embeddings"
        | "/v1/traces"
        | "/otlp/v1/traces"
        | "/api/public/otel/v1/traces" => not_allowed(request.method(), "POST"),
        "/healthz" => health::alive(),
        "/readyz" => health::ready(app, &plane.stopping),
        "/v1/models" => get(request.method(), || models::list(app, request.headers())),
        _ => below(plane, request).await,
    }
}

/// Routes whose last segments are names.
async fn below(plane: &DataPlane, request: Request<Incoming>) -> Response<Body> {
    let app = &plane.app;
    let path = request.uri().path();
    if let Some(id) = path.strip_prefix("/v1/models/") {
        return get(request.method(), || models::find(app, request.headers(), id));
    }
    if path.starts_with("/v1/prompts/") {
        return reading::prompt(app, request).await;
    }
    if path == feedback::PATH || path.starts_with("/v1/feedback/") {
        return feedback::serve(app, request).await;
    }
    if path.starts_with(langfuse::PREFIX) {
        return langfuse::serve(app, request).await;
    }
    if path.starts_with("/v1/messages") {
        return error(&Refusal::new(Kind::NotFound, "this version does not serve this route yet"));
    }
    if path.starts_with("/v1/") {
        return passthrough::serve(app, request).await;
    }
    error(&Refusal::new(
        Kind::NotFound,
        "no such route: the API is below /v1, the admin API on the admin listener",
    ))
}

fn get(method: &Method, answer: impl FnOnce() -> Result<Response<Body>, Refusal>) -> Response<Body> {
    if *method != Method::GET && *method != Method::HEAD {
        return not_allowed(method, "GET");
    }
    answer().unwrap_or_else(|refusal| error(&refusal))
}

fn not_allowed(method: &Method, allowed: &'static str) -> Response<Body> {
    let message = format!("this route does not take {method}: use {allowed}");
    let mut response = error(&Refusal::new(Kind::MethodNotAllowed, message));
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}

/// An answer with JSON that belongs to no call.
pub fn json(status: StatusCode, value: &serde_json::Value) -> Response<Body> {
    let mut response = Response::new(Body::plain(value.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// An answer that says no more than that it is done.
pub fn empty() -> Response<Body> {
    let mut response = Response::new(Body::plain(Vec::new()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// A refusal that belongs to no call.
pub fn error(refusal: &Refusal) -> Response<Body> {
    let mut response = Response::new(Body::plain(refusal.body()));
    *response.status_mut() = refusal.status();
    *response.headers_mut() = refusal.headers();
    response
}
