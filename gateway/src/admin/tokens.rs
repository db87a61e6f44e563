//! `/tokens`: the admin tokens that people and programs manage things with.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::StatusCode;
use registry::{AdminToken, Role, TokenScope};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use vocab::{Id, Time};

use super::Admin;
use super::answer::{List, location};
use super::description::{Conflict, NotFound};
use super::given::{self, Named, Paged, Sent};
use super::keys::later;
use super::permission::{self, Administer, Allowed, Read};
use crate::refusal::{Kind, Refusal};

pub(super) fn routes() -> OpenApiRouter<Admin> {
    OpenApiRouter::default()
        .routes(routes!(list_tokens, issue_token))
        .routes(routes!(get_token, revoke_token))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
struct TokenPath {
    /// The token's id, not its secret.
    #[param(example = "019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4d")]
    id: String,
}

/// An admin token, without its secret.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "id": "019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4d",
    "name": "ci",
    "role": "editor",
    "project": null,
    "folders": ["support"],
    "labels": null,
    "owner": "ann",
    "hint": "x7Qf",
    "created_by": "ann",
    "created_at": "2026-11-30T12:00:00.000000Z",
    "expires_at": null,
    "revoked_at": null,
}))]
struct Token {
    /// Stays.
    #[schema(value_type = String, format = "uuid")]
    id: Id<vocab::id::Token>,
    /// What people call it.
    name: String,
    /// What it may do.
    #[schema(value_type = RoleBody)]
    role: Role,
    /// The one project it is held to; null for all.
    project: Option<String>,
    /// Folders in which, and below which, it may change prompts; null is all, an empty list none.
    folders: Option<Vec<String>>,
    /// Labels it may move, names or `prefix*`; null is all, an empty list none.
    labels: Option<Vec<String>>,
    /// Who answers for what it does.
    owner: String,
    /// The end of its secret, to tell it apart.
    hint: String,
    /// Who made it.
    created_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    /// When it stops working by itself; null for never.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Time>,
    /// When it was revoked; null while it works.
    #[schema(value_type = Option<String>, format = DateTime)]
    revoked_at: Option<Time>,
}

/// What a token may do; each role may do what the ones before it may.
#[derive(ToSchema)]
#[schema(as = Role, rename_all = "snake_case")]
#[expect(dead_code, reason = "documents `registry::Role`, which knows nothing of HTTP")]
enum RoleBody {
    Viewer,
    Editor,
    Releaser,
    Admin,
}

impl From<AdminToken> for Token {
    fn from(token: AdminToken) -> Self {
        Self {
            id: token.id,
            name: token.name.to_string(),
            role: token.role,
            project: token.project.as_deref().map(ToOwned::to_owned),
            folders: token.scope.folders,
            labels: token.scope.labels,
            owner: token.owner.to_string(),
            hint: token.hint.to_string(),
            created_by: token.created_by.to_string(),
            created_at: token.created_at,
            expires_at: token.expires_at,
            revoked_at: token.revoked_at,
        }
    }
}

/// An admin token just made, with its secret.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "id": "019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4d",
    "secret": "wt-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcd",
    "name": "ci",
    "role": "editor",
    "project": null,
    "folders": ["support"],
    "labels": null,
    "owner": "ann",
    "hint": "abcd",
    "created_by": "ann",
    "created_at": "2026-11-30T12:00:00.000000Z",
    "expires_at": null,
    "revoked_at": null,
}))]
struct IssuedToken {
    /// The secret: shown here and never again. Only its hash is kept.
    secret: String,
    #[serde(flatten)]
    token: Token,
}

/// An admin token to issue.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "ci", "role": "editor", "owner": "ann", "folders": ["support"]}))]
struct NewToken {
    /// What people call it.
    name: String,
    /// What it may do.
    #[serde(deserialize_with = "given::parsed")]
    #[schema(value_type = RoleBody)]
    role: Role,
    /// The one project to hold it to; all when absent.
    project: Option<String>,
    /// Who answers for what it does: the maker when absent, or the token's own name when the first start's token
    /// makes it.
    owner: Option<String>,
    /// When it stops working by itself; never when absent.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Time>,
    /// Folders in which, and below which, an editor or releaser may change prompts: `support`; absent is all, an empty
    /// list none. What it reads is not divided.
    folders: Option<Vec<String>>,
    /// Labels an editor or releaser may move: names or `prefix*`; absent is all, an empty list none.
    labels: Option<Vec<String>>,
}

/// Issue an admin token
///
/// The answer shows its secret, this once. A token that is held to a project makes only tokens held to it.
#[utoipa::path(
    post, path = "/tokens", tag = "tokens", request_body = NewToken,
    responses((status = 201, description = "It works from now on", body = IssuedToken, headers(("location" = String))), NotFound),
)]
async fn issue_token(
    allowed: Allowed<Administer>,
    State(admin): State<Admin>,
    Sent(new): Sent<NewToken>,
) -> Result<impl IntoResponse, Refusal> {
    later(&admin, new.expires_at)?;
    let project = match new.project.as_deref() {
        None => allowed.token.project.clone(),
        Some(named) => Some(permission::project(&admin, &allowed.token, Some(named))?),
    };
    let new = registry::NewToken {
        name: new.name,
        role: new.role,
        project: project.map(|project| project.to_string()),
        scope: TokenScope { folders: new.folders, labels: new.labels },
        owner: new.owner,
        expires_at: new.expires_at,
    };
    let made = admin.app.registry.issue_token(new, &allowed.who).await?;
    let location = location("/tokens", &made.issued.id.to_string());
    let body = IssuedToken { secret: made.secret.expose().to_owned(), token: made.issued.into() };
    Ok((StatusCode::CREATED, location, Json(body)))
}

/// List admin tokens, newest first
///
/// Revoked ones too; never their secrets. A token that is held to a project sees only those held to it, so its pages
/// may be shorter than `limit`.
#[utoipa::path(
    get, path = "/tokens", tag = "tokens", params(Paged),
    responses((status = 200, description = "A page of tokens", body = List<Token>)),
)]
async fn list_tokens(
    allowed: Allowed<Read, Paged>,
    State(admin): State<Admin>,
) -> Result<Json<List<Token>>, Refusal> {
    let paging = allowed.asked.paging()?;
    let mut page = admin.app.registry.list_tokens(&paging).await?;
    page.data.retain(|token| sees(&allowed.token, token));
    Ok(Json(page.into()))
}

/// Get an admin token
#[utoipa::path(
    get, path = "/tokens/{id}", tag = "tokens", params(TokenPath),
    responses((status = 200, description = "The token, without its secret", body = Token), NotFound),
)]
async fn get_token(
    allowed: Allowed<Read>,
    State(admin): State<Admin>,
    Named(TokenPath { id }): Named<TokenPath>,
) -> Result<Json<Token>, Refusal> {
    Ok(Json(find(&admin, &allowed.token, &id).await?.into()))
}

/// Revoke an admin token
///
/// For good: the next request with it is refused. It stays in the list, and revoking it again changes nothing. A
/// token does not revoke itself, so that one is always left.
#[utoipa::path(
    delete, path = "/tokens/{id}", tag = "tokens", params(TokenPath),
    responses((status = 200, description = "The revoked token", body = Token), NotFound, Conflict),
)]
async fn revoke_token(
    allowed: Allowed<Administer>,
    State(admin): State<Admin>,
    Named(TokenPath { id }): Named<TokenPath>,
) -> Result<Json<Token>, Refusal> {
    let token = find(&admin, &allowed.token, &id).await?;
    if token.id == allowed.token.id {
        let message = "this is the token you are using: revoke it with another admin's";
        return Err(Refusal::new(Kind::Conflict, message));
    }
    Ok(Json(admin.app.registry.revoke_token(token.id, &allowed.who).await?.into()))
}

async fn find(admin: &Admin, own: &AdminToken, id: &str) -> Result<AdminToken, Refusal> {
    let missing = || Refusal::new(Kind::NotFound, format!("there is no token `{}`", id.escape_debug()));
    let token = admin.app.registry.get_token(id.parse().map_err(|_| missing())?).await?;
    if sees(own, &token) { Ok(token) } else { Err(missing()) }
}

/// Whether one token may know of another: not beyond the project it is held to.
fn sees(own: &AdminToken, other: &AdminToken) -> bool {
    own.project.is_none() || own.project == other.project
}
