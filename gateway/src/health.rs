//! Whether the process lives, and whether it should be sent calls.

use http::{Response, StatusCode};
use serde_json::json;

use crate::app::App;
use crate::call::relay::Body;
use crate::listen::Stopping;
use crate::surface;

/// The process answers.
pub fn alive() -> Response<Body> {
    surface::json(StatusCode::OK, &json!({"status": "ok"}))
}

/// 200 while calls are welcome, 503 once the process is stopping; with what operators should know.
pub fn ready(app: &App, stopping: &Stopping) -> Response<Body> {
    let (status, value) = readiness(app, stopping);
    surface::json(status, &value)
}

/// The status and the body of `/readyz`, for both listeners.
pub fn readiness(app: &App, stopping: &Stopping) -> (StatusCode, serde_json::Value) {
    let (status, word) = if stopping.has_begun() {
        (StatusCode::SERVICE_UNAVAILABLE, "stopping")
    } else {
        (StatusCode::OK, "ready")
    };
    let value = json!({
        "status": word,
        "version": env!("CARGO_PKG_VERSION"),
        "registry_revision": app.registry.snapshot().revision(),
        "notices": app.notices(),
    });
    (status, value)
}
