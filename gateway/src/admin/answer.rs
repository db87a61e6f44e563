//! What the admin API answers with: lists, things just made, and refusals, each with a request id.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use http::{HeaderName, HeaderValue, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use utoipa::ToSchema;
use vocab::{Clock, Id, Page};

use crate::refusal::Refusal;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// What one segment of a path holds unencoded.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A page of a list.
#[derive(Serialize, ToSchema)]
pub(super) struct List<T> {
    /// The items.
    pub(super) data: Vec<T>,
    /// What to send as `cursor` for the next page; null on the last one.
    pub(super) next_cursor: Option<String>,
}

impl<T> List<T> {
    /// A list that fits one page.
    pub(super) const fn whole(data: Vec<T>) -> Self {
        Self { data, next_cursor: None }
    }
}

impl<S, T: From<S>> From<Page<S>> for List<T> {
    fn from(page: Page<S>) -> Self {
        let page = page.map(T::from);
        Self { data: page.data, next_cursor: page.next_cursor }
    }
}

/// The header that says where something just made is.
pub(super) fn location(path: &str, last: &str) -> [(HeaderName, String); 1] {
    [(header::LOCATION, format!("/api/v1{path}/{}", segment(last)))]
}

/// A name as one segment of a path.
pub(super) fn segment(name: &str) -> impl std::fmt::Display + '_ {
    utf8_percent_encode(name, SEGMENT)
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body()));
        *response.status_mut() = self.status();
        *response.headers_mut() = self.headers();
        // For [`note`], which knows the request's id and has the log.
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

/// Gives each answer the id of its request, and logs what a refusal does not tell the caller.
pub(super) async fn note(State(clock): State<Clock>, request: Request, next: Next) -> Response {
    let id = Id::<vocab::id::Call>::new(&clock);
    let answered = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    let mut response = answered.unwrap_or_else(|_| Refusal::bug(&id).into_response());
    if let Some(refusal) = response.extensions_mut().remove::<Arc<Refusal>>() {
        refusal.log(&id);
    }
    let headers = response.headers_mut();
    // Some answers hold secrets, and all of them change: no cache keeps any.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        headers.insert(REQUEST_ID, id);
    }
    response
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use hyper::service::Service as _;
    use hyper_util::service::TowerToHyperService;

    use super::*;

    async fn breaks() -> &'static str {
        panic!("a bug")
    }

    #[tokio::test]
    async fn a_bug_answers_with_the_id_to_report_and_no_detail() {
        let clock = Clock::system();
        let router = Router::new().route("/", get(breaks)).layer(from_fn_with_state(clock, note));

        let answer = TowerToHyperService::new(router).call(Request::new(Body::empty())).await.unwrap();

        let id = answer.headers()[REQUEST_ID].to_str().unwrap().to_owned();
        assert_eq!(answer.status(), 500);
        let body = axum::body::to_bytes(answer.into_body(), 10_000).await.unwrap();
        let body = String::from_utf8_lossy(&body);
        assert!(body.contains("internal_error") && body.contains(&id) && !body.contains("a bug"), "{body}");
    }
}
