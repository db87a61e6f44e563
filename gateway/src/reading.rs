//! Prompts without a call: `GET /v1/prompts/{name}` and `POST /v1/prompts/{name}/render`, for virtual keys.

use std::sync::Arc;

use dialects::body::Body as BodyMembers;
use dialects::extras::{self, Extras};
use dialects::merge::RenderedItem;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;
use registry::{Resolved, Units};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use vocab::{PromptRef, Selector};

use crate::app::App;
use crate::call::admission::Announces as _;
use crate::call::authenticate::{self, Caller};
use crate::call::intake;
use crate::call::prompt::{self, may_use};
use crate::call::relay::Body;
use crate::call::reply;
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
            let extras = extras(request.headers())?;
            let resolved = resolve(app, &caller, (&path, selector(&query)?), &extras).await?;
            Ok(answered(&resolved, &described(&resolved)))
        }
        (Method::POST, Some(name)) => render(app, &caller, name, &query, request).await,
        (Method::GET | Method::HEAD, Some(name)) => {
            let (name, extras) = (format!("{name}{RENDER}"), extras(request.headers())?);
            let resolved = resolve(app, &caller, (&name, selector(&query)?), &extras).await?;
            Ok(answered(&resolved, &described(&resolved)))
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
    let resolved = resolve(app, caller, (name, selector), &extras(&head.headers)?).await?;
    let rendered = resolved.version.template.render(&asked.variables)?;
    let messages: Vec<Value> = rendered.items.iter().flat_map(message).collect();
    let mut value = described(&resolved);
    if let Value::Object(fields) = &mut value {
        fields.insert("messages".into(), Value::Array(messages));
        fields.insert("unknown_variables".into(), json!(rendered.unknown));
    }
    Ok(answered(&resolved, &value))
}

/// Who reads, so that they read what their calls get.
pub fn extras(headers: &HeaderMap) -> Result<Extras, Refusal> {
    let nothing = BodyMembers::scan(b"{}")?;
    Ok(extras::read(&nothing, intake::header_pairs(headers))?)
}

/// An answer that says which part of an experiment it is.
pub fn answered(resolved: &Resolved, value: &Value) -> Response<Body> {
    let mut response = surface::json(StatusCode::OK, value);
    if let Some(exposure) = &resolved.exposure {
        let said = reply::text(&format!("{}={}", exposure.experiment, exposure.arm));
        response.headers_mut().insert(reply::name::WEIR_EXPERIMENT, said);
    }
    response
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
    (name, selector): (&str, Option<Selector>),
    extras: &Extras,
) -> Result<Resolved, Refusal> {
    let name = percent_decode_str(name).decode_utf8_lossy();
    let name = name
        .parse()
        .map_err(|error: vocab::NameError| Refusal::new(Kind::InvalidRequest, error.to_string()))?;
    let reference = PromptRef { name, selector };
    let units = Units {
        call: None,
        user: extras.user.as_deref(),
        session: extras.session.as_deref(),
        trace: None,
        metadata: &extras.metadata,
    };
    let resolved = prompt::resolve(app, caller, &reference, &units).await?;
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
