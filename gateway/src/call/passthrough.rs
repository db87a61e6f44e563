//! Routes Weir does not read: sent on to a provider as they came, streamed both ways, recorded.
//!
//! Images, audio, moderations and reranking are calls to a model and open to every key. Everything else may keep
//! state at the provider (files, batches, stored responses…) and needs a key with `passthrough`.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bytes::Bytes;
use dialects::Endpoint;
use dialects::body::{Body as Scanned, Edit};
use dialects::extras;
use futures_util::FutureExt as _;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, header};
use hyper::body::Incoming;
use serde_json::Map;

use super::admission::{Announces as _, too_large};
use super::authenticate::{self, Caller};
use super::commit;
use super::entry::Entry;
use super::intake;
use super::prompt::{Shape, names_only, target};
use super::relay::{self, Body};
use super::reply::Reply;

use crate::app::App;
use crate::refusal::{Kind, Refusal};
use crate::routing::Route;
use crate::upstream::Outgoing;
use crate::upstream::body::SendBody;

/// Paths below `/v1` that are one call to one model.
const MODEL_CALLS: [&str; 4] = ["/images/", "/audio/", "/moderations", "/rerank"];

/// Serves one passed-through call and files its record, however it ends.
pub async fn serve(app: &Arc<App>, request: Request<Incoming>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let mut entry = Entry::open(app, &head, Endpoint::Passthrough);
    let response = match AssertUnwindSafe(answer(app, &head, body, &mut entry)).catch_unwind().await {
        Ok(Ok(reply)) => relay::start(reply, entry),
        Ok(Err(refusal)) => relay::refuse(&refusal, entry),
        Err(_) => relay::refuse(&Refusal::bug(&entry.record().id), entry),
    };
    commit::committed(response).await
}

async fn answer(app: &App, head: &Parts, body: Incoming, entry: &mut Entry) -> Result<Reply, Refusal> {
    let caller = authenticate::caller(app, &head.headers)?;
    entry.caller(&caller);
    may_pass(&caller, intake::path_below_v1(head))?;
    app.room_for_records()?;
    let mut permit = app.admission.admit(&head.headers, body.announced())?;
    let hops = intake::hops(&head.headers)?;

    if is_json(head) {
        let bytes = intake::read(body, &app.config.limits).await?;
        permit.cover(bytes.len());
        entry.request_body(&bytes);
        let request = Scanned::scan(&bytes)?;
        let model = request.text("model")?.filter(|model| !model.is_empty());
        entry.extras(&extras::read(&request, intake::header_pairs(&head.headers))?, &Map::new());
        entry.requested_model(model.as_deref());
        let route = match &model {
            Some(model) => target(app, &caller, model)?,
            None => default_route(app, &caller)?,
        };
        let outgoing = outgoing(head, Some(rewritten(&bytes, &request, &route)), hops);
        let attempt = entry.attempt(&route, &outgoing, "first target");
        let sent = route.provider.send(&outgoing, entry.patience()).await;
        return Ok(finish(entry, attempt, sent, permit));
    }
    // Its model, if any, may stand behind a whole file: it goes to the default provider unread.
    entry.extras(&extras::read(&Scanned::scan(b"{}")?, intake::header_pairs(&head.headers))?, &Map::new());
    let route = default_route(app, &caller)?;
    let outgoing = outgoing(head, None, hops);
    let attempt = entry.attempt(&route, &outgoing, "default provider");
    let (body, overflow) = SendBody::streamed(body, app.config.limits.body_bytes);
    let sent = route.provider.send_streamed(&outgoing, body, entry.patience()).await;
    if overflow.happened() {
        // The caller's doing, whatever became of the half that was sent.
        return Err(too_large(app.config.limits.body_bytes, None));
    }
    Ok(finish(entry, attempt, sent, permit))
}

fn finish(
    entry: &mut Entry,
    attempt: super::entry::AttemptIndex,
    sent: Result<crate::upstream::Answer, Box<crate::upstream::Failure>>,
    permit: super::admission::Permit,
) -> Reply {
    match sent {
        Ok(answer) => {
            entry.answered(attempt, &answer);
            let shape = Shape { withhold_usage: false, echo: None, stream: false };
            Reply::new(answer, shape, permit)
        }
        Err(failure) => {
            entry.failed(attempt, &failure);
            Reply::failed(failure, permit)
        }
    }
}

fn may_pass(caller: &Caller, path: &str) -> Result<(), Refusal> {
    if path.split(['/', '?']).any(|segment| segment == ".." || segment.eq_ignore_ascii_case("%2e%2e")) {
        return Err(Refusal::new(Kind::InvalidRequest, "the path steps out of /v1: write it without `..`"));
    }
    let scope = &caller.key.scope;
    if scope.registered_prompts_only {
        let message = "this key takes registered prompts only: this route passes requests on unread";
        return Err(Refusal::new(Kind::PermissionDenied, message));
    }
    let calls_a_model = MODEL_CALLS.iter().any(|prefix| path.starts_with(prefix));
    if calls_a_model || scope.passthrough {
        return Ok(());
    }
    let message = "this route is passed through to the provider, where it may keep state: use a key made with `passthrough: true`";
    Err(Refusal::new(Kind::PermissionDenied, message))
}

fn is_json(head: &Parts) -> bool {
    let content_type =
        head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    head.method == Method::POST
        && content_type.split(';').next().is_some_and(|kind| kind.trim() == "application/json")
}

fn default_route(app: &App, caller: &Caller) -> Result<Arc<Route>, Refusal> {
    if caller.key.scope.models.is_some() {
        let message = "this key is held to certain models, and this request names none Weir can check";
        return Err(Refusal::new(Kind::PermissionDenied, message).param("model"));
    }
    let missing = || Refusal::new(Kind::NotFound, "no provider is configured that this request could go to");
    app.router.default_route().ok_or_else(missing)
}

/// The body without the `weir` object and with the provider's own name of the model.
fn rewritten(bytes: &Bytes, request: &Scanned<'_>, route: &Route) -> Bytes {
    let mut edit = Edit::new();
    extras::cut(request, &mut edit);
    if !route.model.is_empty() && !names_only(request, &route.model) {
        edit.set("model", serde_json::Value::from(&*route.model).to_string());
    }
    if edit.is_empty() { bytes.clone() } else { edit.write(request).into() }
}

fn outgoing(head: &Parts, body: Option<Bytes>, hops: u8) -> Outgoing {
    let content_type: Option<HeaderValue> = head.headers.get(header::CONTENT_TYPE).cloned();
    Outgoing {
        endpoint: Endpoint::Passthrough,
        method: head.method.clone(),
        path: intake::path_below_v1(head).into(),
        body,
        content_type,
        stream: false,
        hops,
    }
}
