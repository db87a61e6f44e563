//! Prompts without a call: `GET /v1/prompts/{name}` and `POST /v1/prompts/{name}/render`, for virtual keys.

use std::sync::Arc;

use dialects::merge::RenderedItem;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;
use registry::Resolved;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use vocab::{PromptRef, Selector};

use crate::app::App;
use crate::call::admission::Announces as _;
use crate::call::authenticate::{self, Caller};
use crate::call::intake;
use crate::call::prompt::{self, may_use};
use crate::call::relay::Body;
use crate::refusal::{Kind, Refusal};
use crate::surface;

/// What follows the prompt's name where it is rendered.
const RENDER: &str = "/render";

/// Answers either route.
pub async fn prompt(app: &Arc<App>, request: Request<Incoming>) -> Response<Body> {
    answer(app, request).await.unwrap_or_else(|refusal| surface::error(&refusal))
}

async fn answer(app: &App, request: Request<Incoming>) -> Result<Response<Body>, Refusal> {
    let caller = authenticate::caller(app, request.headers())?;
    if !caller.key.scope.read_prompts {
        let message = "this key may not read prompts: ask for a key with `read_prompts`";
        return Err(Refusal::new(Kind::PermissionDenied, message));
    }
    let path = request.uri().path().strip_prefix("/v1/prompts/").unwrap_or_default().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    match (request.method().clone(), path.strip_suffix(RENDER)) {
        (Method::GET | Method::HEAD, None) => {
            let resolved = resolve(app, &caller, &path, selector(&query)?.as_ref()).await?;
            Ok(surface::json(StatusCode::OK, &described(&resolved)))
        }
        (Method::POST, Some(name)) => render(app, &caller, name, &query, request).await,
        (Method::GET | Method::HEAD, Some(name)) => {
            let resolved =
                resolve(app, &caller, &format!("{name}{RENDER}"), selector(&query)?.as_ref()).await?;
            Ok(surface::json(StatusCode::OK, &described(&resolved)))
        }
        (method, _) => Err(Refusal::new(
            Kind::MethodNotAllowed,
            format!("virtual keys read prompts and never write them: {method} belongs on the admin API"),
        )),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RenderRequest {
    #[serde(default)]
    variables: Map<String, Value>,
    label: Option<String>,
    version: Option<Value>,
}

async fn render(
    app: &App,
    caller: &Caller,
    name: &str,
    query: &str,
    request: Request<Incoming>,
) -> Result<Response<Body>, Refusal> {
    let (head, body) = request.into_parts();
    let _permit = app.admission.admit(&head.headers, body.announced())?;
    let bytes = intake::read(body, &app.config.limits).await?;
    let asked: RenderRequest = serde_json::from_slice(&bytes).map_err(|error| {
        Refusal::new(
            Kind::InvalidRequest,
            format!("the body must be {{variables, label?, version?}}: {error}"),
        )
    })?;
    let version = asked.version.map(|version| match version {
        Value::String(text) => text,
        other => other.to_string(),
    });
    let selector = match (asked.label, version) {
        (None, None) => selector(query)?,
        (label, version) => one_selector(label.as_deref(), version.as_deref())?,
    };
    let resolved = resolve(app, caller, name, selector.as_ref()).await?;
    let rendered = resolved.version.template.render(&asked.variables)?;
    let messages: Vec<Value> = rendered.items.iter().flat_map(message).collect();
    let mut value = described(&resolved);
    if let Value::Object(fields) = &mut value {
        fields.insert("messages".into(), Value::Array(messages));
        fields.insert("unknown_variables".into(), json!(rendered.unknown));
    }
    Ok(surface::json(StatusCode::OK, &value))
}

fn message(item: &RenderedItem) -> Vec<Value> {
    match item {
        RenderedItem::Message(message) => vec![json!(message)],
        RenderedItem::Placeholder { fill: Some(messages), .. } => messages.clone(),
        RenderedItem::Placeholder { name, fill: None } => vec![json!({"placeholder": name})],
    }
}

fn selector(query: &str) -> Result<Option<Selector>, Refusal> {
    let (mut label, mut version) = (None, None);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
        match key {
            "label" => label = Some(value),
            "version" => version = Some(value),
            _ => {
                let message = format!("unknown query parameter `{key}`: use `label` or `version`");
                return Err(Refusal::new(Kind::InvalidRequest, message));
            }
        }
    }
    one_selector(label.as_deref(), version.as_deref())
}

fn one_selector(label: Option<&str>, version: Option<&str>) -> Result<Option<Selector>, Refusal> {
    let text = match (label, version) {
        (Some(_), Some(_)) => {
            return Err(Refusal::new(Kind::InvalidRequest, "name a `label` or a `version`, not both"));
        }
        (Some(text), None) | (None, Some(text)) => text,
        (None, None) => return Ok(None),
    };
    text.parse()
        .map(Some)
        .map_err(|error: vocab::NameError| Refusal::new(Kind::InvalidRequest, error.to_string()))
}

async fn resolve(
    app: &App,
    caller: &Caller,
    name: &str,
    selector: Option<&Selector>,
) -> Result<Resolved, Refusal> {
    let name = percent_decode_str(name).decode_utf8_lossy();
    let name = name
        .parse()
        .map_err(|error: vocab::NameError| Refusal::new(Kind::InvalidRequest, error.to_string()))?;
    let reference = PromptRef { name, selector: selector.cloned() };
    let resolved = prompt::resolve(app, caller, &reference).await?;
    may_use(caller, &resolved, reference.selector.as_ref())?;
    Ok(resolved)
}

fn described(resolved: &Resolved) -> Value {
    let version = &resolved.version;
    let mut value = json!({
        "name": resolved.prompt.name,
        "version": version.number,
        "digest": version.digest,
        "semver": version.semver,
        "label": resolved.label,
    });
    if let (Value::Object(fields), Value::Object(content)) = (&mut value, json!(version.content)) {
        fields.extend(content);
    }
    value
}
