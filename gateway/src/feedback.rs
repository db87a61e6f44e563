//! Feedback on the data plane: `/v1/feedback` for applications with their key, and signed one-use links for browsers.

pub mod link;
mod page;
mod used;

use std::sync::Arc;

use analytics::score::ScoreSource;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use serde_json::{Value, json};

use crate::app::App;
use crate::call::admission::Announces as _;
use crate::call::authenticate;
use crate::call::intake;
use crate::call::relay::Body;
use crate::refusal::{Kind, Refusal};
use crate::scores::{self, Giver};
use crate::surface;
use link::{Link, NewLink};

pub use used::UsedLinks;

/// Where applications score and links are posted to.
pub const PATH: &str = "/v1/feedback";
/// Where applications make links.
const LINKS: &str = "/v1/feedback/links";

/// Answers every route below [`PATH`].
pub async fn serve(app: &Arc<App>, request: Request<Incoming>) -> Response<Body> {
    let path = request.uri().path();
    if path == PATH || path == LINKS {
        return applications(app, request).await.unwrap_or_else(|refusal| surface::error(&refusal));
    }
    let token = path.strip_prefix("/v1/feedback/").unwrap_or_default().to_owned();
    browsers(app, &token, request).await
}

/// What applications do with their virtual key.
async fn applications(app: &App, request: Request<Incoming>) -> Result<Response<Body>, Refusal> {
    let caller = authenticate::caller(app, request.headers())?;
    if *request.method() != Method::POST {
        let message = format!("this route does not take {}: use POST", request.method());
        return Err(Refusal::new(Kind::MethodNotAllowed, message));
    }
    let linking = request.uri().path() == LINKS;
    let (head, body) = request.into_parts();
    let _permit = app.admission.admit(&head.headers, body.announced())?;
    let bytes = intake::read(body, &app.config.limits).await?;
    if linking {
        let new: NewLink = link::read(&bytes)?;
        let made = new.make(app, &caller.key.project).await?;
        return Ok(surface::json(StatusCode::CREATED, &json!(made)));
    }
    let sent = scores::read(&bytes)?;
    let giver =
        Giver { project: &caller.key.project, source: ScoreSource::Feedback, author: Some(&caller.key.name) };
    let now = app.clock.now();
    let read = sent.scores.into_iter().map(|score| score.score(&giver, now)).collect::<Result<_, _>>()?;
    let filed = scores::file(app, &caller.key.project, read).await?;
    let answer = if sent.listed { json!({"data": filed, "next_cursor": null}) } else { json!(filed.first()) };
    Ok(surface::json(StatusCode::CREATED, &answer))
}

/// What browsers do with a link: GET shows a form, POST files the scores once, from any page.
async fn browsers(app: &App, token: &str, request: Request<Incoming>) -> Response<Body> {
    let wants_page = wants_page(request.method(), request.headers());
    let mut response = match answer(app, token, request).await {
        Ok(response) => response,
        Err(refusal) if wants_page => page::refused(&refusal),
        Err(refusal) => surface::error(&refusal),
    };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

async fn answer(app: &App, token: &str, request: Request<Incoming>) -> Result<Response<Body>, Refusal> {
    match *request.method() {
        Method::OPTIONS => Ok(preflight()),
        Method::GET | Method::HEAD => {
            let link = open(app, token).await?;
            Ok(page::form(&link))
        }
        Method::POST => {
            let link = open(app, token).await?;
            let (head, body) = request.into_parts();
            let _permit = app.admission.admit(&head.headers, body.announced())?;
            let form = is_form(&head.headers);
            let bytes = intake::read(body, &app.config.limits).await?;
            let given = if form { link.read_form(&bytes)? } else { link.read_json(&bytes)? };
            let filed = file(app, &link, given).await?;
            Ok(if form {
                page::thanks()
            } else {
                surface::json(StatusCode::CREATED, &json!({"data": filed, "next_cursor": null}))
            })
        }
        _ => {
            let message = format!("a feedback link does not take {}: use GET or POST", request.method());
            Err(Refusal::new(Kind::MethodNotAllowed, message))
        }
    }
}

/// The link, when it is genuine, in time and not used yet.
async fn open(app: &App, token: &str) -> Result<Link, Refusal> {
    let link = link::open(app, token).await?;
    if app.used_links.holds(&link) || link.was_used(app).await {
        return Err(link::spent());
    }
    Ok(link)
}

/// Files what was given, unless somebody was faster: here a list knows, on other nodes the scores' ids do.
async fn file(app: &App, link: &Link, given: Vec<analytics::Score>) -> Result<Value, Refusal> {
    let used = app.used_links.take(link).ok_or_else(link::spent)?;
    let filed = scores::file(app, link.project(), given).await?;
    used.for_good();
    Ok(json!(filed))
}

fn preflight() -> Response<Body> {
    let mut response = Response::new(Body::plain(""));
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    let allow = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, OPTIONS"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "content-type"),
        (header::ACCESS_CONTROL_MAX_AGE, "86400"),
    ];
    headers.extend(allow.map(|(name, value)| (name, HeaderValue::from_static(value))));
    response
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.trim_start().to_ascii_lowercase().starts_with("application/x-www-form-urlencoded")
}

/// Whether whoever asks reads pages: it follows a link, or posts the page's own form.
fn wants_page(method: &Method, headers: &HeaderMap) -> bool {
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    *method != Method::OPTIONS && (accepts.contains("text/html") || is_form(headers))
}
