//! The API's description: one OpenAPI 3.1 file, put together from what stands beside the routes, plus what holds for
//! all of them: the token, the project, conditional and repeated requests, and refusals.

use std::collections::BTreeMap;

use axum::Router;
use serde_json::Value;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ArrayBuilder, Components, ContentBuilder, HttpMethod, Info, License, ObjectBuilder, OpenApi,
    OpenApiBuilder, Ref, RefOr, Required, Response, ResponseBuilder, Schema, Tag, Type,
};
use utoipa::{IntoResponses, ToSchema};
use utoipa_axum::router::OpenApiRouter;

use super::Admin;
use crate::refusal::{Kind, Refusal};

const TOKEN: &str = "admin_token";

const ABOUT: &str = "\
Prompts and their versions, labels, keys, tokens and calls of one Weir. It listens beside the data plane, which has \
OpenAI's API.

**Errors** are `{\"error\": {\"message\", \"type\", \"param\", \"code\"}}`, all four always there; programs switch on `code`. \
Unknown body fields and query parameters are refused, fields that are known and not done yet answer 400 `not_supported`.

**Names** with `/` are one segment of a path: `support%2Freply`. **Times** are RFC 3339. **Lists** are \
`{\"data\": […], \"next_cursor\": …}`; send `next_cursor` back as `cursor`.

**Roles**: viewers read, editors also write prompts, unprotected labels and alerts, give scores and save views, releasers \
also move protected labels, approve and carry out releases and roll back, admins also issue keys and tokens, set label \
policies, say where events are sent and delete records.

**Repeated requests**: a POST with an `Idempotency-Key` that succeeded is answered again, for 24 hours and while the \
process lives, when the same token sends the same key and body to the same path; another body answers 409. **Lost \
updates**: prompts, keys and views carry an `ETag`; with `If-Match` they are changed only while they still have it, else 412. \
The versions expected in bodies answer 409.";

/// The description of every route, as served at `/api/v1/openapi.json` and kept in `docs/openapi.json`.
pub fn openapi() -> String {
    write(&split(super::routes()).1)
}

/// The description as text.
pub(super) fn write(description: &OpenApi) -> String {
    description.to_pretty_json().unwrap_or_default()
}

/// What the description starts from.
pub(super) fn base() -> OpenApi {
    let mut info = Info::new("Weir admin API", env!("CARGO_PKG_VERSION"));
    info.description = Some(ABOUT.to_owned());
    let mut license = License::new("Apache-2.0");
    license.identifier = Some("Apache-2.0".to_owned());
    info.license = Some(license);
    let tags = [
        ("prompts", "What prompts are called, what they are for, whether they serve"),
        ("versions", "Everything that shapes a call, immutable"),
        ("labels", "Named pointers to a version, moved with history"),
        ("releases", "What stands before a label: policies, approvals, ramps"),
        ("experiments", "Versions side by side on one label"),
        ("rendering", "Trying a prompt without calling a model"),
        ("projects", "Walls between what is defined and recorded"),
        ("keys", "What applications call with"),
        ("tokens", "What people and programs manage things with"),
        ("calls", "What calls did"),
        ("traces", "What happened around calls: traces and sessions"),
        ("scores", "Judgements of calls, traces and sessions"),
        ("reports", "Numbers over calls"),
        ("views", "Saved searches and reports"),
        ("prices", "What calls are reckoned with"),
        ("records", "How the keeping of records goes"),
        ("alerts", "What is watched, how it stands, who is told"),
        ("webhooks", "Where events are sent, and how that went"),
        ("audit", "Who changed what, when"),
        ("system", "Health, metrics, this description"),
    ];
    let tags = tags.map(|(name, says)| {
        let mut tag = Tag::new(name);
        tag.description = Some(says.to_owned());
        tag
    });
    OpenApiBuilder::new().info(info).tags(Some(tags)).components(Some(components())).build()
}

fn components() -> Components {
    let mut components = Components::new();
    let mut schemas = Vec::new();
    ErrorBody::schemas(&mut schemas);
    components.schemas.extend(schemas);
    components.schemas.insert(ErrorBody::name().into_owned(), <ErrorBody as utoipa::PartialSchema>::schema());
    components.responses =
        REFUSALS.iter().map(|refusal| (refusal.name.to_owned(), refusal.response().into())).collect();
    components.parameters = parameters().map(|(name, parameter)| (name.to_owned(), parameter.into())).into();
    let mut bearer = Http::new(HttpAuthScheme::Bearer);
    bearer.description = Some("An admin token, `wt-…`. A virtual key does not do.".to_owned());
    components.security_schemes.insert(TOKEN.to_owned(), SecurityScheme::Http(bearer).into());
    components
}

/// The refusal every route answers with.
#[derive(ToSchema)]
#[schema(as = Error)]
#[expect(dead_code, reason = "documents what `Refusal` writes")]
struct ErrorBody {
    error: ErrorFields,
}

/// What is wrong and what to do.
#[derive(ToSchema)]
#[schema(as = ErrorFields)]
#[expect(dead_code, reason = "documents what `Refusal` writes")]
struct ErrorFields {
    /// For people.
    message: String,
    /// OpenAI's class of error.
    r#type: String,
    /// The field, parameter or header at fault.
    param: Option<String>,
    /// For programs: a closed list.
    code: Option<String>,
    /// With `template_error`: every problem and where it is.
    problems: Option<Vec<super::rendering::ProblemBody>>,
    /// With `stale`: the version that is in place.
    current_version: Option<u32>,
    /// With a `q` that cannot be read: the character at fault, from 0.
    position: Option<usize>,
}

/// One refusal in the description.
struct Documented {
    name: &'static str,
    says: &'static str,
    example: fn() -> Refusal,
}

impl Documented {
    fn response(&self) -> Response {
        let example = serde_json::from_slice::<Value>(&(self.example)().body()).unwrap_or_default();
        let schema = Ref::from_schema_name("Error");
        let content = ContentBuilder::new().schema(Some(schema)).example(Some(example)).build();
        ResponseBuilder::new().description(self.says).content("application/json", content).build()
    }
}

macro_rules! refusals {
    ($($name:ident $status:literal $says:literal $kind:ident $message:expr, $param:expr;)+) => {
        const REFUSALS: &[Documented] = &[$(Documented {
            name: stringify!($name),
            says: $says,
            example: || {
                let refusal = Refusal::new(Kind::$kind, $message);
                match $param {
                    "" => refusal,
                    param => refusal.param(param),
                }
            },
        }),+];
        $(
            #[doc = concat!("Says in a route's documentation that it may answer ", $status, ".")]
            pub(super) struct $name;

            impl IntoResponses for $name {
                fn responses() -> BTreeMap<String, RefOr<Response>> {
                    BTreeMap::from([($status.to_owned(), refer(stringify!($name)))])
                }
            }
        )+
    };
}

refusals! {
    InvalidRequest "400" "The request cannot be read, or asks for what is not done yet" InvalidRequest
        "`colour`: unknown field `colour`, expected one of `name`, `description`, `tags`, `aliases`", "colour";
    Unauthenticated "401" "No admin token, or a wrong, expired or revoked one" InvalidApiKey
        "no admin token: send one as `Authorization: Bearer wt-…`", "";
    PermissionDenied "403" "The token's role does not reach this far" PermissionDenied
        "a token with role viewer may not change prompts: use one with role editor or higher", "";
    NotFound "404" "There is no such thing, or no such project" NotFound
        "there is no key `019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4d`", "";
    PromptNotFound "404" "There is no such prompt, version or label, or no such project" PromptNotFound
        "there is no prompt `support/reply`", "";
    RequestTimeout "408" "The body took too long to arrive" RequestTimeout
        "the body took longer than 60 s to arrive: send it faster", "";
    Conflict "409" "Somebody else was first, or the present state does not allow it" Stale
        "label `production` of prompt `support/reply` points at version 4, put there by ann at \
         2026-11-30T12:00:00.000000Z, and not at version 3: look again before you move it", "";
    PreconditionFailed "412" "`If-Match` did not hold" PreconditionFailed
        "it was changed meanwhile and its etag is now \"18\": read it again, then change that", "if-match";
    BodyTooLarge "413" "The body is larger than 4 MiB" BodyTooLarge
        "the body is larger than the admin API takes, 4194304 bytes: send less", "";
    TemplateError "422" "The templates do not compile" TemplateError
        "messages[0]: line 1, column 11: `{{tone` is not closed: write `{{tone}}`", "";
    RenderFailure "422" "Variables are missing or do not fit, or the template fails on them" MissingVariables
        "missing variables: tone: send them in `variables`", "variables";
    Unavailable "503" "A store is away: try again" Unavailable
        "the registry database cannot be used right now: try again, and see the log if it stays so", "";
}

fn refer(name: &str) -> RefOr<Response> {
    Ref::from_response_name(name).into()
}

fn parameters() -> [(&'static str, Parameter); 4] {
    let text = || ObjectBuilder::new().schema_type(Type::String).build();
    let parameter = |name: &str, at, says: &str| {
        ParameterBuilder::new()
            .name(name)
            .parameter_in(at)
            .required(Required::False)
            .description(Some(says))
            .schema(Some(text()))
            .build()
    };
    [
        (
            "Project",
            parameter(
                "project",
                ParameterIn::Query,
                "The project to act on; `default`, or the one the token is held to, when absent.",
            ),
        ),
        (
            "IdempotencyKey",
            parameter(
                "Idempotency-Key",
                ParameterIn::Header,
                "Makes the request safe to repeat: 1 to 255 visible ASCII characters, new for each request.",
            ),
        ),
        (
            "IfMatch",
            parameter(
                "If-Match",
                ParameterIn::Header,
                "Change it only while it has one of these etags, else answer 412.",
            ),
        ),
        (
            "IfNoneMatch",
            parameter("If-None-Match", ParameterIn::Header, "Answer 304 while it has one of these etags."),
        ),
    ]
}

/// The routes and their description, with what holds for all of them.
pub(super) fn split(documented: OpenApiRouter<Admin>) -> (Router<Admin>, OpenApi) {
    let (router, mut openapi) = documented.split_for_parts();
    if let Some(components) = &mut openapi.components {
        refer_to_items(components);
    }
    for item in openapi.paths.paths.values_mut() {
        let operations = [
            (HttpMethod::Get, &mut item.get),
            (HttpMethod::Post, &mut item.post),
            (HttpMethod::Put, &mut item.put),
            (HttpMethod::Patch, &mut item.patch),
            (HttpMethod::Delete, &mut item.delete),
        ];
        for (method, operation) in operations {
            if let Some(operation) = operation.as_mut().filter(|operation| operation.security.is_none()) {
                complete(&method, operation);
            }
        }
    }
    (router, openapi)
}

/// Lets lists refer to what they hold: the schema of a generic type repeats it.
fn refer_to_items(components: &mut Components) {
    for (name, schema) in &mut components.schemas {
        let (Some(item), RefOr::T(Schema::Object(list))) = (name.strip_prefix("List_"), schema) else {
            continue;
        };
        let items = ArrayBuilder::new().items(Ref::from_schema_name(item));
        list.properties.insert("data".to_owned(), items.description(Some("The items.")).into());
    }
}

/// Adds to a route that takes a token what holds for all those.
fn complete(method: &HttpMethod, operation: &mut Operation) {
    operation.security = Some(vec![SecurityRequirement::new::<_, [&str; 0], &str>(TOKEN, [])]);
    let has = |operation: &Operation, name: &str| {
        operation
            .responses
            .responses
            .values()
            .any(|response| matches!(response, RefOr::Ref(it) if it.ref_location.ends_with(name)))
    };
    let tagged = operation.responses.responses.get("200").is_some_and(carries_etag);
    let mut parameters = vec!["Project"];
    match method {
        HttpMethod::Post => parameters.push("IdempotencyKey"),
        HttpMethod::Get if tagged => parameters.push("IfNoneMatch"),
        _ if has(operation, "/PreconditionFailed") => parameters.push("IfMatch"),
        _ => {}
    }
    let references =
        parameters.into_iter().map(|name| RefOr::Ref(Ref::new(format!("#/components/parameters/{name}"))));
    operation.parameters.get_or_insert_default().extend(references);
    let mut refusals = vec![
        InvalidRequest::responses(),
        Unauthenticated::responses(),
        PermissionDenied::responses(),
        NotFound::responses(),
        Unavailable::responses(),
    ];
    if operation.request_body.is_some() {
        refusals.extend([RequestTimeout::responses(), BodyTooLarge::responses()]);
    }
    if *method == HttpMethod::Post {
        refusals.push(Conflict::responses());
    }
    for (status, refusal) in refusals.into_iter().flatten() {
        operation.responses.responses.entry(status).or_insert(refusal);
    }
}

fn carries_etag(response: &RefOr<Response>) -> bool {
    matches!(response, RefOr::T(response) if response.headers.contains_key("etag"))
}
