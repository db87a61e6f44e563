//! `/prompts/{name}/diff`: how two versions differ, or a draft and a version, as data and as text.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use registry::diff::{Diff, Headings};
use registry::{Comparison, Point, Stand};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use vocab::{PromptName, SemVer};

use super::Admin;
use super::description::PromptNotFound;
use super::given::Named;
use super::permission::{Allowed, Read};
use super::prompts::PromptPath;
use super::versions::{ImpactBody, ReasonBody};
use crate::refusal::{Kind, Refusal};

/// What names the caller's own draft where a version is asked for.
const DRAFT: &str = "draft";

pub(super) fn routes() -> OpenApiRouter<Admin> {
    OpenApiRouter::default().routes(routes!(compare_versions))
}

/// What to compare, and how to answer.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DiffQuery {
    /// A number, a semantic version, a label, `latest`, `sha256:` and the first digits of a digest, or `draft`: your
    /// own draft. When absent: what `to` was published onto or begun from.
    #[param(example = "production")]
    from: Option<String>,
    /// The same; `latest` when absent.
    #[param(example = "draft")]
    to: Option<String>,
    /// `text` answers as text for a terminal; `json` when absent.
    #[param(value_type = Option<String>, example = "text")]
    format: Option<Format>,
}

/// How to answer.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Format {
    Json,
    Text,
}

/// How a prompt's versions differ.
#[derive(Serialize, ToSchema)]
#[schema(as = Diff, example = json!({
    "prompt": "support/reply",
    "from": {"version": 3, "semver": "1.1.0", "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "owner": null},
    "to": {"version": 4, "semver": "1.1.1", "digest": "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752", "owner": null},
    "same": false,
    "impact": "patch",
    "impact_reasons": [{"impact": "patch", "reason": "wording changed"}],
    "messages": [{
        "change": "changed", "from_index": 0, "to_index": 0, "heading": "system",
        "from": {"role": "system", "content": "Answer kindly."},
        "to": {"role": "system", "content": "Answer warmly."},
        "lines": [{"change": "changed", "from_line": 1, "to_line": 1, "pieces": [
            {"change": "same", "text": "Answer "}, {"change": "removed", "text": "kindly"},
            {"change": "added", "text": "warmly"}, {"change": "same", "text": "."},
        ]}],
        "fields": [],
    }],
    "variables": [], "parameters": [{"name": "temperature", "change": "changed", "from": 0.2, "to": 0.4}],
    "tools": [], "response_format": null, "settings": [],
    "tokens": {"from": 4, "to": 4, "difference": 0},
}))]
struct DiffAnswer {
    /// The prompt's name.
    #[schema(value_type = String)]
    prompt: PromptName,
    /// What came before; null when `to` is the first version.
    from: Option<Side>,
    /// What came of it.
    to: Side,
    /// The differences.
    #[serde(flatten)]
    #[schema(value_type = DiffBody)]
    diff: Diff,
}

/// One of the two that are compared: a version, or a draft.
#[derive(Serialize, ToSchema)]
#[schema(as = DiffSide)]
struct Side {
    /// The version; for a draft, the one it was begun from, 0 for none.
    version: u32,
    /// Its semantic version; null for a draft.
    #[schema(value_type = Option<String>)]
    semver: Option<SemVer>,
    /// Its digest; null for a draft.
    digest: Option<String>,
    /// Whose draft it is; null for a version.
    owner: Option<String>,
}

/// The differences.
#[derive(ToSchema)]
#[schema(as = Differences)]
#[expect(dead_code, reason = "documents `registry::diff::Diff`, which knows nothing of HTTP")]
struct DiffBody {
    /// Whether there is no difference.
    same: bool,
    /// How much it matters to callers; null when there is nothing before it, or the templates of one do not hold.
    impact: Option<ImpactBody>,
    /// Why.
    impact_reasons: Vec<ReasonBody>,
    /// All messages in order, also those that stayed; a text prompt's text is one.
    messages: Vec<MessageBody>,
    /// Declared variables that differ.
    variables: Vec<NamedBody>,
    /// Parameters that differ.
    parameters: Vec<NamedBody>,
    /// Tools that differ.
    tools: Vec<NamedBody>,
    /// The response format, when it differs.
    response_format: Option<NamedBody>,
    /// What else differs: `engine`, `model`, `tool_choice`, `locked`.
    settings: Vec<NamedBody>,
    /// What the two cost to send.
    tokens: TokensBody,
}

/// What became of something.
#[derive(ToSchema)]
#[schema(as = DiffChange, rename_all = "snake_case")]
#[expect(dead_code, reason = "documents `registry::diff::Change`")]
enum ChangeBody {
    Same,
    Added,
    Removed,
    Changed,
    /// It stayed as it was, at another place.
    Moved,
}

/// What became of one item of `messages`.
#[derive(ToSchema)]
#[schema(as = MessageDiff)]
#[expect(dead_code, reason = "documents `registry::diff::MessageDiff`")]
struct MessageBody {
    change: ChangeBody,
    /// Where it was.
    from_index: Option<usize>,
    /// Where it is.
    to_index: Option<usize>,
    /// What it is: a role, `placeholder …`, `include …` or `text`.
    heading: String,
    /// As it was; absent when it stayed.
    from: Option<Value>,
    /// As it is; absent when it stayed.
    to: Option<Value>,
    /// Its text, line by line; a part that is not text is a line of JSON.
    lines: Vec<LineBody>,
    /// What differs beside its text, such as `role` or `name`.
    fields: Vec<NamedBody>,
}

/// What became of one line.
#[derive(ToSchema)]
#[schema(as = LineDiff)]
#[expect(dead_code, reason = "documents `registry::diff::Line`")]
struct LineBody {
    change: ChangeBody,
    /// Its number before, from 1.
    from_line: Option<usize>,
    /// Its number now, from 1.
    to_line: Option<usize>,
    /// Its text, cut where words differ.
    pieces: Vec<PieceBody>,
}

/// A piece of a line: `same`, `added` or `removed`.
#[derive(ToSchema)]
#[schema(as = LinePiece)]
#[expect(dead_code, reason = "documents `registry::diff::Piece`")]
struct PieceBody {
    change: ChangeBody,
    text: String,
}

/// What became of something that has a name.
#[derive(ToSchema)]
#[schema(as = NamedDiff)]
#[expect(dead_code, reason = "documents `registry::diff::NamedDiff`")]
struct NamedBody {
    name: String,
    change: ChangeBody,
    /// As it was; null when it is new.
    from: Option<Value>,
    /// As it is; null when it is gone.
    to: Option<Value>,
    /// For lists and objects the same as lines of JSON.
    lines: Option<Vec<LineBody>>,
}

/// How many tokens each takes before its variables are filled in: an estimate, four bytes to a token.
#[derive(ToSchema)]
#[schema(as = TokenDiff)]
#[expect(dead_code, reason = "documents `registry::diff::TokenDiff`")]
struct TokensBody {
    from: u64,
    to: u64,
    /// What was added, or taken away.
    difference: i64,
}

/// Compare two versions, or your draft and a version
///
/// Messages are paired in order and compared line by line, changed lines word by word. With `format=text` the answer
/// is text: lines begin with a blank (same), `-` (removed), `+` (added) or `~` (changed, with `[-words that went-]` and
/// `{+words that came+}`); it is empty when there is no difference.
#[utoipa::path(
    get, path = "/prompts/{name}/diff", tag = "versions", params(PromptPath, DiffQuery),
    responses(
        (status = 200, description = "The differences", content((DiffAnswer = "application/json"), (String = "text/plain"))),
        PromptNotFound,
    ),
)]
async fn compare_versions(
    allowed: Allowed<Read, DiffQuery>,
    State(admin): State<Admin>,
    Named(PromptPath { name }): Named<PromptPath>,
) -> Result<Response, Refusal> {
    let from = allowed.asked.from.as_deref().map(|from| point("from", from)).transpose()?;
    let to = point("to", allowed.asked.to.as_deref().unwrap_or(vocab::name::LATEST))?;
    let registry = &admin.app.registry;
    let compared = registry.compare((&allowed.project, &name), from.as_ref(), &to, &allowed.who).await;
    let compared = compared.map_err(Refusal::of_prompt)?;
    Ok(match allowed.asked.format {
        Some(Format::Text) => text(&compared).into_response(),
        Some(Format::Json) | None => Json(DiffAnswer::of(compared)).into_response(),
    })
}

fn point(param: &'static str, text: &str) -> Result<Point, Refusal> {
    if text == DRAFT {
        return Ok(Point::Draft);
    }
    let selector = text.parse().map(Point::Version);
    selector
        .map_err(|error: vocab::NameError| Refusal::new(Kind::InvalidRequest, error.to_string()).param(param))
}

fn text(compared: &Comparison) -> String {
    let name = &compared.prompt.name;
    let heading = |stand: &Stand| match stand {
        Stand::Version(version) => format!("{name}@{} ({})", version.number, version.semver),
        Stand::Draft(draft) => format!("{name}, draft of {}", draft.owner),
    };
    let from = compared.from.as_ref().map_or_else(|| "nothing".to_owned(), heading);
    compared.diff.to_text(&Headings { from: &from, to: &heading(&compared.to) })
}

impl DiffAnswer {
    fn of(compared: Comparison) -> Self {
        Self {
            prompt: compared.prompt.name,
            from: compared.from.as_ref().map(Side::of),
            to: Side::of(&compared.to),
            diff: compared.diff,
        }
    }
}

impl Side {
    fn of(stand: &Stand) -> Self {
        match stand {
            Stand::Version(version) => Self {
                version: version.number,
                semver: Some(version.semver),
                digest: Some(version.digest.to_string()),
                owner: None,
            },
            Stand::Draft(draft) => {
                Self { version: draft.parent, semver: None, digest: None, owner: Some(draft.owner.clone()) }
            }
        }
    }
}
