//! From the prompt a request names to what goes upstream: permission, version, rendering, merging.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use dialects::body::{Body, Edit};
use dialects::merge::{self, Contribution, RenderedItem};
use dialects::{Endpoint, extras, naming};
use http::Method;
use registry::content::Content;
use registry::template::Rendered;
use registry::{Resolved, Units};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use vocab::{PromptName, PromptRef, Selector};

use super::authenticate::Caller;
use super::intake::Request;
use crate::app::App;
use crate::refusal::{Kind, Refusal};
use crate::routing::Route;
use crate::upstream::Outgoing;

/// What will go upstream: the caller's body and what is to change in it.
pub struct Outbound<'a> {
    edit: Edit<'a>,
    model: String,
    /// Whether the caller did not ask for the usage chunk that will come.
    withhold_usage: bool,
    echo: Option<Box<str>>,
}

/// What of the call's shape the answer needs.
pub struct Shape {
    /// Whether usage chunks are kept from the caller, who did not ask.
    pub withhold_usage: bool,
    /// The `prompt` object that `/v1/responses` answers carry, JSON.
    pub echo: Option<Box<str>>,
    /// Whether a stream was asked for.
    pub stream: bool,
}

/// Finds the version the request names; `None` when it names none.
pub async fn find(
    app: &App,
    caller: &Caller,
    request: &Request<'_>,
    units: &Units<'_>,
) -> Result<Option<Resolved>, Refusal> {
    let Some(naming) = &request.naming else { return Ok(None) };
    resolve(app, caller, &naming.reference, units).await.map(Some)
}

/// The version a reference comes to; of a label that is split, the part that these `units` get. What a key may not use, it
/// does not get to explore either.
pub async fn resolve(
    app: &App,
    caller: &Caller,
    reference: &PromptRef,
    units: &Units<'_>,
) -> Result<Resolved, Refusal> {
    match app.registry.resolve_for(&caller.key.project, reference, Some(units)).await {
        Ok(resolved) => Ok(resolved),
        Err(_) if !caller.key.scope.allows_prompt(&reference.name) => Err(out_of_scope(&reference.name)),
        Err(error) => Err(error.into()),
    }
}

fn out_of_scope(name: &PromptName) -> Refusal {
    let message =
        format!("this key may not use the prompt `{name}`: ask for a key whose `prompts` covers it");
    Refusal::new(Kind::PermissionDenied, message).param("prompt")
}

/// Whether the key's scope covers this prompt and this way of naming it.
pub fn may_use(caller: &Caller, resolved: &Resolved, selector: Option<&Selector>) -> Result<(), Refusal> {
    let scope = &caller.key.scope;
    let name = &resolved.prompt.name;
    if !scope.allows_prompt(name) {
        return Err(out_of_scope(name));
    }
    if scope.allows_label(resolved.label.as_ref()) {
        return Ok(());
    }
    let allowed = scope.labels.as_ref().map(|labels| labels.join(", ")).unwrap_or_default();
    match &resolved.label {
        None => {
            let asked =
                selector.map_or_else(|| "a pinned version".to_owned(), |selector| format!("`{selector}`"));
            let message = format!("this key may use prompts by label only ({allowed}), not {asked}");
            Err(Refusal::new(Kind::PermissionDenied, message).param("prompt"))
        }
        Some(label) => {
            let message = format!("this key may not use the label `{label}`, only: {allowed}");
            Err(Refusal::new(Kind::PermissionDenied, message).param("prompt"))
        }
    }
}

/// Puts the request and the prompt together; with no prompt, only what Weir must change is changed.
pub fn merge<'a>(
    caller: &Caller,
    request: &Request<'a>,
    found: Option<&Resolved>,
) -> Result<Outbound<'a>, Refusal> {
    put_together(caller, request, found.map(|found| (found, &found.version.content)))
}

/// The same for another model, with the version's content as it is for that one.
pub fn fall_back<'a>(
    caller: &Caller,
    request: &Request<'a>,
    found: (&Resolved, &Content),
    model: &str,
) -> Result<Outbound<'a>, Refusal> {
    let outbound = put_together(caller, request, Some(found))?;
    Ok(Outbound { model: model.to_owned(), ..outbound })
}

fn put_together<'a>(
    caller: &Caller,
    request: &Request<'a>,
    found: Option<(&Resolved, &Content)>,
) -> Result<Outbound<'a>, Refusal> {
    let mut edit = Edit::new();
    if caller.key.scope.registered_prompts_only {
        refuse_own_instructions(request, found.is_some())?;
    }
    naming::cut(&request.body, &mut edit);
    extras::cut(&request.body, &mut edit);
    let (mut echo, mut model) = (None, None);
    if let (Some((resolved, content)), Some(naming)) = (found, &request.naming) {
        may_use(caller, resolved, naming.reference.selector.as_ref())?;
        let version = &resolved.version;
        let rendered = version.template.render(&naming.variables)?;
        if caller.key.scope.registered_prompts_only {
            refuse_filled_in_instructions(&rendered)?;
        }
        merge::merge(request.endpoint, &request.body, &contribution(content, rendered), &mut edit)?;
        model.clone_from(&version.content.model);
        if request.endpoint == Endpoint::Responses {
            echo = Some(echo_object(&naming.echo_id, &version.number.to_string(), &naming.variables));
        }
    }
    let Some(model) = request.model.as_deref().map(str::to_owned).or(model) else {
        return Err(Refusal::new(Kind::InvalidRequest, "no model: name one in `model`").param("model"));
    };
    let withhold_usage = ask_for_usage(request, &mut edit)?;
    Ok(Outbound { edit, model, withhold_usage, echo })
}

fn contribution(content: &Content, rendered: Rendered) -> Contribution<'_> {
    Contribution {
        items: rendered.items,
        text: content.is_text(),
        model: content.model.as_deref(),
        parameters: &content.parameters,
        tools: content.tools.as_deref(),
        tool_choice: content.tool_choice.as_ref(),
        response_format: content.response_format.as_ref(),
        locked: &content.locked,
    }
}

impl Outbound<'_> {
    /// The model to call, as the request or the version names it.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// The request to this route: the caller's bytes where nothing had to change.
    pub fn write(&mut self, request: &Request<'_>, route: &Route) -> Outgoing {
        if !names_only(&request.body, &route.model) {
            self.edit.set("model", Cow::Owned(Value::from(&*route.model).to_string()));
        }
        let untouched = self.edit.is_empty();
        let body =
            if untouched { request.bytes.clone() } else { Bytes::from(self.edit.write(&request.body)) };
        Outgoing {
            endpoint: request.endpoint,
            method: Method::POST,
            path: request.path.into(),
            body: Some(body),
            content_type: None,
            stream: request.stream,
            hops: request.hops,
        }
    }

    /// What the answer needs to know.
    pub fn into_shape(self, request: &Request<'_>) -> Shape {
        Shape { withhold_usage: self.withhold_usage, echo: self.echo, stream: request.stream }
    }
}

/// Whether the body says `model` once and means this one. Of two, a provider might take the other.
pub fn names_only(body: &Body<'_>, model: &str) -> bool {
    let mut named = body.members().filter(|(key, _)| *key == "model");
    let first = named.next().is_some();
    first && named.next().is_none() && body.text("model").ok().flatten().as_deref() == Some(model)
}

/// The route of a model this key may use.
pub fn target(app: &App, caller: &Caller, model: &str) -> Result<Arc<Route>, Refusal> {
    if !caller.key.scope.allows_model(model) {
        let message =
            format!("this key may not use the model `{model}`: ask for a key whose `models` covers it");
        return Err(Refusal::new(Kind::PermissionDenied, message).param("model"));
    }
    app.router.find(model).ok_or_else(|| {
        let providers = app.router.provider_names().join(", ");
        let message = if providers.is_empty() {
            "no provider is configured here: set OPENAI_API_KEY or another provider's variable and start again".to_owned()
        } else {
            format!(
                "no provider here serves the model `{model}`: write `provider/model` with one of the configured \
                 providers ({providers}), or add the provider to the configuration"
            )
        };
        Refusal::new(Kind::ModelNotFound, message).param("model")
    })
}

/// Asks the provider for usage on a stream when the caller did not; says whether the chunk is to be withheld.
fn ask_for_usage<'a>(request: &Request<'a>, edit: &mut Edit<'a>) -> Result<bool, Refusal> {
    let streams_chunks = matches!(request.endpoint, Endpoint::ChatCompletions | Endpoint::Completions);
    if !request.stream || !streams_chunks {
        return Ok(false);
    }
    let Some(given) = request.body.get("stream_options") else {
        edit.set("stream_options", r#"{"include_usage":true}"#);
        return Ok(true);
    };
    let Ok(mut given) = serde_json::from_str::<Map<String, Value>>(given.get()) else {
        return Err(
            Refusal::new(Kind::InvalidRequest, "`stream_options` must be an object").param("stream_options")
        );
    };
    if given.get("include_usage") == Some(&Value::Bool(true)) {
        return Ok(false);
    }
    given.insert("include_usage".into(), Value::Bool(true));
    edit.set("stream_options", Cow::Owned(Value::Object(given).to_string()));
    Ok(true)
}

/// A key for registered prompts only takes no instructions or tools from the call itself.
fn refuse_own_instructions(request: &Request<'_>, names_a_prompt: bool) -> Result<(), Refusal> {
    let refuse = |what: &str, param: &'static str| {
        let message = format!("this key takes registered prompts only: leave out {what}, and name a prompt");
        Err(Refusal::new(Kind::PermissionDenied, message).param(param))
    };
    if !names_a_prompt && request.endpoint != Endpoint::Embeddings {
        return refuse("raw messages", "prompt");
    }
    // A member named twice is judged by each of its values: providers differ in which one they take.
    for (name, value) in request.body.members().filter(|(_, value)| value.get() != "null") {
        match name {
            "instructions" => return refuse("`instructions`", "instructions"),
            "tools" => return refuse("`tools`", "tools"),
            "functions" => return refuse("`functions`", "functions"),
            "messages" | "input" if holds_instructions(value.get()) => {
                return refuse("system and developer messages", "messages");
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether a list of messages holds one that instructs. What cannot be read might: a provider may read it otherwise.
fn holds_instructions(messages: &str) -> bool {
    if !messages.starts_with('[') {
        return false;
    }
    serde_json::from_str::<Vec<&RawValue>>(messages)
        .map_or(true, |messages| messages.iter().any(|message| may_instruct(message.get())))
}

fn may_instruct(message: &str) -> bool {
    let Ok(message) = Body::scan(message.as_bytes()) else { return true };
    // Every `role` counts, should there be several: providers differ in which one they read.
    let mut roles = message.members().filter(|(key, _)| *key == "role");
    roles.any(|(_, role)| {
        let role: Option<Cow<'_, str>> = serde_json::from_str(role.get()).unwrap_or(Some("system".into()));
        matches!(role.as_deref(), Some("system" | "developer"))
    })
}

/// A variable that fills a placeholder brings messages of the caller's, wherever the placeholder stands.
fn refuse_filled_in_instructions(rendered: &Rendered) -> Result<(), Refusal> {
    for item in &rendered.items {
        let RenderedItem::Placeholder { name, fill: Some(messages) } = item else { continue };
        if messages.iter().any(|message| may_instruct(&message.to_string())) {
            let message = format!(
                "this key takes registered prompts only: the variable `{name}` may bring no system or developer messages"
            );
            return Err(Refusal::new(Kind::PermissionDenied, message).param("prompt.variables"));
        }
    }
    Ok(())
}

fn echo_object(id: &str, version: &str, variables: &Map<String, Value>) -> Box<str> {
    let mut echo = Map::with_capacity(3);
    echo.insert("id".into(), id.into());
    echo.insert("version".into(), version.into());
    echo.insert("variables".into(), Value::Object(variables.clone()));
    Value::Object(echo).to_string().into()
}
