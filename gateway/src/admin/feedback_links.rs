//! `/feedback-links`: signed links by which somebody without a key scores something once.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Admin;
use super::description::NotFound;
use super::given::Sent;
use super::permission::{Allowed, Annotate};
use crate::feedback::link::{MadeLink, NewLink};
use crate::refusal::Refusal;

pub(super) fn routes() -> OpenApiRouter<Admin> {
    OpenApiRouter::default().routes(routes!(make_feedback_link))
}

/// Make a feedback link
///
/// For a browser: GET of the link shows a page, POST (a form, or JSON `{value, comment?}` from any web page) files the
/// score. It works once, then answers 410. It leads to the data plane, at `public_url` when that is set.
#[utoipa::path(
    post, path = "/feedback-links", tag = "scores", request_body = NewLink,
    responses((status = 201, description = "The link", body = MadeLink), NotFound),
)]
async fn make_feedback_link(
    allowed: Allowed<Annotate>,
    State(admin): State<Admin>,
    Sent(new): Sent<NewLink>,
) -> Result<(StatusCode, Json<MadeLink>), Refusal> {
    Ok((StatusCode::CREATED, Json(new.make(&admin.app, &allowed.project).await?)))
}
