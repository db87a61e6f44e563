//! `/prompts/{name}/render` and `/templates/check`: what a version says with these variables, and whether a content
//! would hold, without calling a model and without keeping anything.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use dialects::merge::RenderedItem;
use registry::content::Content;
use registry::examples::{self, Example};
use registry::template::{Problem, RenderError, Rendered, Template};
use registry::{Permission, Resolved, StoreError, Trial};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use vocab::{LabelName, PromptName, PromptRef, Selector, SemVer};

use super::Admin;
use super::description::{PromptNotFound, RenderFailure};
use super::given::{self, Named, Sent};
use super::permission::{Allowed, Read};
use super::prompts::PromptPath;
use super::versions::ContentBody;
use crate::refusal::{Kind, Refusal};

/// What stands for the caller's own draft.
const DRAFT: &str = "draft";

pub(super) fn routes() -> OpenApiRouter<Admin> {
    OpenApiRouter::default().routes(routes!(render_prompt)).routes(routes!(check_template))
}

/// Which version to render, and with what. Without `version` and `label`: the label `production`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"label": "staging", "variables": {"tone": "formally"}}))]
struct RenderRequest {
    /// A number, a semantic version, `latest`, `sha256:` and the first digits of a digest, or `draft` for your own draft.
    #[schema(value_type = Option<String>)]
    version: Option<Value>,
    /// A label, instead of `version`.
    label: Option<String>,
    /// The variables' values by name.
    #[serde(default)]
    #[schema(value_type = Object)]
    variables: Map<String, Value>,
}

/// What a version says with some variables.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "prompt": "support/reply",
    "version": 4,
    "semver": "1.2.0",
    "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "label": "staging",
    "messages": [{"role": "system", "content": "Answer as formally as you can."}, {"placeholder": "history"}],
    "model": "gpt-5-mini",
    "parameters": {"temperature": 0.2},
    "tools": null,
    "tool_choice": null,
    "response_format": null,
    "unknown_variables": [],
}))]
struct Rendering {
    /// The prompt's name.
    #[schema(value_type = String)]
    prompt: PromptName,
    /// The version; null for a draft.
    version: Option<u32>,
    /// Its semantic version; null for a draft.
    #[schema(value_type = Option<String>)]
    semver: Option<SemVer>,
    /// Its digest; null for a draft.
    digest: Option<String>,
    /// The label it was reached by; null when pinned.
    #[schema(value_type = Option<String>)]
    label: Option<LabelName>,
    /// Its messages with the variables filled in; `{placeholder}` stands where the caller's messages would.
    #[schema(value_type = Vec<Object>)]
    messages: Vec<Value>,
    /// The model it names.
    model: Option<String>,
    /// The parameters it sets.
    #[schema(value_type = Object)]
    parameters: Map<String, Value>,
    /// Its tools.
    #[schema(value_type = Option<Vec<Object>>)]
    tools: Option<Vec<Value>>,
    /// Its tool choice.
    tool_choice: Option<Value>,
    /// Its response format.
    #[schema(value_type = Option<Object>)]
    response_format: Option<Value>,
    /// Variables that were sent and that it does not use.
    unknown_variables: Vec<String>,
}

/// Whether a content would hold as a version.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "valid": false,
    "problems": [{"item": 0, "line": 1, "column": 17, "message": "`{{tone` is not closed: write `{{tone}}`"}],
    "variables": [],
    "examples": [],
}))]
struct Verdict {
    /// Whether it can be published.
    valid: bool,
    /// What is wrong with it, in order.
    #[schema(value_type = Vec<ProblemBody>)]
    problems: Vec<Problem>,
    /// The variables it declares or uses; empty when it does not hold.
    variables: Vec<UsedVariable>,
    /// What came of each of `examples`; empty when it does not hold.
    examples: Vec<Tried>,
}

/// What came of one example.
#[derive(Serialize, ToSchema)]
#[schema(as = ExampleOutcome, example = json!({
    "passed": false, "failures": ["does not contain \"Ann\": it says \"Answer as kindly as you can.\""],
}))]
struct Tried {
    /// Whether it rendered as expected.
    passed: bool,
    /// What is wrong.
    failures: Vec<String>,
}

/// A content to check, and cases to try it with.
#[derive(ToSchema)]
#[schema(as = CheckRequest, example = json!({
    "messages": [{"role": "system", "content": "Answer as {{tone}} as you can."}],
    "engine": "plain",
    "examples": [{"variables": {"tone": "kindly"}, "expect": {"contains": "kindly", "max_tokens": 20}}],
}))]
#[expect(dead_code, reason = "documents a body that is read in two parts")]
struct CheckRequest {
    #[serde(flatten)]
    content: ContentBody,
    /// Cases to try it with.
    examples: Option<Vec<ExampleBody>>,
}

/// A case to try a version with, without calling a model.
#[derive(ToSchema)]
#[schema(as = Example)]
#[expect(dead_code, reason = "documents `registry::examples::Example`, which knows nothing of HTTP")]
pub(super) struct ExampleBody {
    /// The variables' values by name.
    #[schema(value_type = Option<Object>)]
    variables: Option<Map<String, Value>>,
    /// What has to come of them; that it renders when nothing is said.
    expect: Option<ExpectBody>,
}

/// What a rendering has to be like: its text is that of all messages, an empty line between them.
#[derive(ToSchema)]
#[schema(as = Expect)]
#[expect(dead_code, reason = "documents `registry::examples::Expect`")]
struct ExpectBody {
    /// A text it holds, or a list of them.
    contains: Option<Value>,
    /// The text it is.
    equals: Option<String>,
    /// A regular expression that finds something in it, or a list of them.
    matches: Option<Value>,
    /// The most tokens it takes, at four bytes to a token.
    max_tokens: Option<u64>,
}

/// Something wrong with a template, and where.
#[derive(ToSchema)]
#[schema(as = TemplateProblem)]
#[expect(dead_code, reason = "documents `registry::template::Problem`, which knows nothing of HTTP")]
pub(super) struct ProblemBody {
    /// Which item of `messages`; absent for a text prompt and for what concerns the whole.
    item: Option<usize>,
    /// The line within the text, from 1; 0 when it is not about a place.
    line: u32,
    /// The column within the line, from 1; 0 when it is not about a place.
    column: u32,
    /// What is wrong and what to do.
    message: String,
}

/// A variable a template declares or uses.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"name": "tone", "type": "string", "required": false, "declared": true}))]
struct UsedVariable {
    /// Its name.
    name: String,
    /// What it takes; null for anything.
    r#type: Option<&'static str>,
    /// Whether a call without it is refused.
    required: bool,
    /// Whether the author declared it.
    declared: bool,
}

/// Render a version
///
/// Fills the variables in as a call would, and sends nothing to any model. `{"version": "draft"}` renders your own draft.
#[utoipa::path(
    post, path = "/prompts/{name}/render", tag = "rendering", params(PromptPath), request_body = RenderRequest,
    responses((status = 200, description = "What it says", body = Rendering), PromptNotFound, RenderFailure),
)]
async fn render_prompt(
    allowed: Allowed<Read>,
    State(admin): State<Admin>,
    Named(PromptPath { name }): Named<PromptPath>,
    Sent(asked): Sent<RenderRequest>,
) -> Result<Json<Rendering>, Refusal> {
    let registry = &admin.app.registry;
    if asked.label.is_none() && asked.version.as_ref().is_some_and(|version| version == DRAFT) {
        let draft = registry.get_draft(&allowed.project, &name, &allowed.who).await;
        let draft = draft.map_err(Refusal::of_prompt)?;
        let tried = registry.check(&allowed.project, &draft.content).await?;
        let template =
            tried.template.ok_or(StoreError::Template(tried.problems)).map_err(Refusal::of_prompt)?;
        let rendered = apart(move || template.render(&asked.variables)).await?.map_err(not_rendered)?;
        let prompt = registry.get_prompt(&allowed.project, &name).await.map_err(Refusal::of_prompt)?;
        return Ok(Json(Rendering::of(prompt.name, &draft.content, rendered)));
    }
    let reference = PromptRef { name, selector: selector(asked.version, asked.label)? };
    let resolved = registry.resolve(&allowed.project, &reference).await?;
    let Resolved { prompt, version, label, .. } = resolved;
    let compiled = Arc::clone(&version);
    let rendered = apart(move || compiled.template.render(&asked.variables)).await?.map_err(not_rendered)?;
    Ok(Json(Rendering {
        version: Some(version.number),
        semver: Some(version.semver),
        digest: Some(version.digest.to_string()),
        label,
        ..Rendering::of(prompt.name.clone(), &version.content, rendered)
    }))
}

/// Check a content
///
/// Answers 200 with everything that is wrong with it, and with what came of its `examples`; nothing is kept. Trying
/// `examples` takes an editor.
#[utoipa::path(
    post, path = "/templates/check", tag = "rendering", request_body = CheckRequest,
    responses((status = 200, description = "What was found", body = Verdict)),
)]
async fn check_template(
    allowed: Allowed<Read>,
    State(admin): State<Admin>,
    Sent(mut fields): Sent<Map<String, Value>>,
) -> Result<Json<Verdict>, Refusal> {
    let examples = match fields.shift_remove("examples") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(examples)) => read_examples(&examples)?,
        Some(_) => return Err(wrong_examples("`examples` is a list".to_owned())),
    };
    if !examples.is_empty() {
        // They run what was sent, and not what somebody may publish: that takes who may publish.
        allowed.who.require(Permission::WritePrompts)?;
    }
    let content: Content = given::part(fields)?;
    let Trial { template, problems } = admin.app.registry.check(&allowed.project, &content).await?;
    let Some(template) = template else {
        return Ok(Json(Verdict { valid: false, variables: Vec::new(), examples: Vec::new(), problems }));
    };
    let variables = variables(&template);
    let try_all = move || examples.iter().map(|it| Tried::of(it, &template)).collect();
    Ok(Json(Verdict { valid: true, variables, examples: apart(try_all).await?, problems }))
}

/// Works where it keeps no call waiting: a template may take as long as its limits let it.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| Refusal::new(Kind::Internal, "rendering failed: see the log"))
}

fn read_examples(examples: &[Value]) -> Result<Vec<Example>, Refusal> {
    examples::read(examples).map_err(wrong_examples)
}

fn wrong_examples(why: String) -> Refusal {
    Refusal::new(Kind::InvalidRequest, why).param("examples")
}

impl Tried {
    fn of(example: &Example, template: &Template) -> Self {
        let failures = example.judge(template);
        Self { passed: failures.is_empty(), failures }
    }
}

fn variables(template: &Template) -> Vec<UsedVariable> {
    let variables = template.variables().iter();
    let used = variables.map(|variable| UsedVariable {
        name: variable.name.clone(),
        r#type: variable.kind.map(registry::content::VariableKind::as_str),
        required: variable.required,
        declared: variable.declared,
    });
    used.collect()
}

fn selector(version: Option<Value>, label: Option<String>) -> Result<Option<Selector>, Refusal> {
    let unreadable = |param| {
        move |error: vocab::NameError| Refusal::new(Kind::InvalidRequest, error.to_string()).param(param)
    };
    match (version, label) {
        (Some(_), Some(_)) => {
            let message = "name a `version` or a `label`, not both";
            Err(Refusal::new(Kind::InvalidRequest, message).param("version"))
        }
        (Some(Value::String(text)), None) => text.parse().map(Some).map_err(unreadable("version")),
        (Some(version), None) => version.to_string().parse().map(Some).map_err(unreadable("version")),
        (None, Some(label)) if label == vocab::name::LATEST => Ok(Some(Selector::Latest)),
        (None, Some(label)) => label.parse().map(Selector::Label).map(Some).map_err(unreadable("label")),
        (None, None) => Ok(None),
    }
}

fn not_rendered(error: RenderError) -> Refusal {
    let problem = match &error {
        RenderError::Template { message, item, line, column } => {
            Some(json!([{"item": item, "line": line, "column": column, "message": message}]))
        }
        RenderError::Missing(_) | RenderError::Invalid { .. } => None,
    };
    let refusal = Refusal::from(error).param("variables");
    match problem {
        Some(problems) => refusal.detail("problems", problems),
        None => refusal,
    }
}

fn messages(item: RenderedItem) -> Vec<Value> {
    match item {
        RenderedItem::Message(message) => vec![json!(message)],
        RenderedItem::Placeholder { fill: Some(messages), .. } => messages,
        RenderedItem::Placeholder { name, fill: None } => vec![json!({"placeholder": name})],
    }
}

impl Rendering {
    /// What a content says, whatever it is a version of.
    fn of(prompt: PromptName, content: &Content, rendered: Rendered) -> Self {
        Self {
            prompt,
            version: None,
            semver: None,
            digest: None,
            label: None,
            messages: rendered.items.into_iter().flat_map(messages).collect(),
            model: content.model.clone(),
            parameters: content.parameters.clone(),
            tools: content.tools.clone(),
            tool_choice: content.tool_choice.clone(),
            response_format: content.response_format.clone(),
            unknown_variables: rendered.unknown,
        }
    }
}
