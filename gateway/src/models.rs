//! `GET /v1/models`: what this key may call. Models, the operator's aliases, and prompts as `prompt:name`.

use http::{HeaderMap, Response, StatusCode};
use percent_encoding::percent_decode_str;
use registry::{KeyScope, Prompt};
use serde_json::{Value, json};

use crate::app::App;
use crate::call::authenticate::{self, Caller};
use crate::call::relay::Body;
use crate::refusal::{Kind, Refusal};
use crate::surface;

/// The list, as OpenAI shapes it.
pub fn list(app: &App, headers: &HeaderMap) -> Result<Response<Body>, Refusal> {
    let caller = authenticate::caller(app, headers)?;
    let mut data: Vec<Value> = Vec::new();
    for (name, provider) in app.router.models() {
        if caller.key.scope.allows_model(&name) {
            data.push(model(&name, &provider));
        }
    }
    data.extend(prompts(app, &caller));
    Ok(surface::json(StatusCode::OK, &json!({"object": "list", "data": data})))
}

/// One model by its id, which may hold slashes and be percent-encoded.
pub fn find(app: &App, headers: &HeaderMap, id: &str) -> Result<Response<Body>, Refusal> {
    let caller = authenticate::caller(app, headers)?;
    let id = percent_decode_str(id).decode_utf8_lossy();
    if let Some(prompt) = prompts(app, &caller).find(|prompt| prompt["id"] == *id) {
        return Ok(surface::json(StatusCode::OK, &prompt));
    }
    let missing = || {
        let message = format!("no model `{id}` that this key may use: GET /v1/models lists them");
        Refusal::new(Kind::ModelNotFound, message).param("model")
    };
    let route = app.router.find(&id).filter(|_| caller.key.scope.allows_model(&id)).ok_or_else(missing)?;
    Ok(surface::json(StatusCode::OK, &model(&id, route.provider.name())))
}

fn prompts(app: &App, caller: &Caller) -> impl Iterator<Item = Value> {
    let snapshot = app.registry.snapshot();
    let mut names: Vec<String> = snapshot
        .prompt_names(&caller.key.project)
        .filter(|prompt| may_call(&caller.key.scope, prompt))
        .map(|prompt| format!("prompt:{}", prompt.name))
        .collect();
    names.sort_unstable();
    names.into_iter().map(|name| model(&name, "weir"))
}

/// Whether a key may call a prompt by anything: a version, or a label that it has.
fn may_call(scope: &KeyScope, prompt: &Prompt) -> bool {
    let by_label = || prompt.labels.keys().any(|label| scope.allows_label(Some(label)));
    scope.allows_prompt(&prompt.name) && (scope.allows_label(None) || by_label())
}

fn model(id: &str, owner: &str) -> Value {
    json!({"id": id, "object": "model", "created": 0, "owned_by": owner})
}
